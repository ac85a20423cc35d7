//! The client's statement: what a sum belongs to. Nearly always that is a portal or a utility command.
//! The rest have neither: a function call of the protocol, what background workers run by SPI, and
//! deferred triggers at COMMIT.

use crate::engines;
use crate::pg::execution::Execution;
use crate::pg::local::Local;
use crate::pg::{backend, pg_sys, portal};
use crate::usual::{self, Unusual};

/// The client statement whose rows are summed: a number of its own, never reused while it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Owner(u64);

impl Owner {
    /// The transaction, for `scope = transaction`.
    pub const TRANSACTION: Owner = Owner(0);
    /// What fires outside any statement: deferred triggers at COMMIT, and triggers of replicated rows.
    pub(super) const COMMIT: Owner = Owner(2);
    /// What has not begun: nothing is summed under it.
    const NOTHING: Owner = Owner(4);

    /// A number that no other owner has.
    #[inline]
    pub(super) fn new() -> Owner {
        // Odd, so that no portal's address is the same.
        let next = NEXT.get() + 2;
        NEXT.set(next);
        Owner(next)
    }

    #[inline]
    fn of_portal() -> Owner {
        Owner(portal::address() as u64)
    }

    /// Whether this is the active portal.
    pub(super) fn is_portal(self) -> bool {
        self == Owner::of_portal()
    }

    pub(super) fn number(self) -> u64 {
        self.0
    }
}

static NEXT: Local<u64> = Local::new(3);
/// The last function call of the protocol in this transaction, and when its message came.
static CALL: Local<Option<(Owner, pg_sys::TimestampTz)>> = Local::new(None);
/// The query that runs outside of everything, by SPI in a background worker: where it is.
static LONE: Local<(usize, Owner)> = Local::new((0, Owner::NOTHING));
/// The command at which a statement began that has more than one query.
static BEGAN: Local<(Owner, pg_sys::CommandId)> = Local::new((Owner::NOTHING, 0));
/// A portal that is active is a statement of the client's, and none of PostgreSQL's own: the process is an
/// ordinary one, and no function call of the protocol is kept.
static USUAL: Local<bool> = Local::new(false);

/// Whom a query belongs to that runs outside of any other, where that is plain: a portal of one statement.
#[inline]
pub(super) fn usual_owner() -> Option<Owner> {
    (is_usual() && portal::is_single()).then(Owner::of_portal)
}

/// Whether what the active portal runs outside of everything is plainly the client's.
#[inline]
pub(super) fn is_usual() -> bool {
    USUAL.get() && portal::is_unnamed()
}

/// Whether there is an active portal outside of everything, and it is the client's: no cursor of [`runs_function`].
#[inline]
pub(super) fn is_clients() -> bool {
    portal::is_unnamed() || (portal::is_active() && !runs_function())
}

/// Whether a function runs outside of everything: a deferred trigger's at COMMIT, or one that the protocol calls. What
/// it runs has a portal, too, where it is a cursor.
pub(super) fn runs_function() -> bool {
    backend::trigger_depth() > 0 || running_call().is_some()
}

/// Whom a query belongs to that runs outside of any other; without one, what starts now.
#[inline]
pub(super) fn owner(query: Option<Execution>) -> Owner {
    // A portal is a statement of the client: rules may make several queries of it, and it may be
    // run in parts, other statements between them.
    if is_usual() { Owner::of_portal() } else { unusual_owner(query) }
}

#[cold]
fn unusual_owner(query: Option<Execution>) -> Owner {
    // A portal is a cursor of the function's in these two.
    if backend::trigger_depth() > 0 {
        return Owner::COMMIT;
    }
    if let Some(call) = running_call() {
        return call;
    }
    if portal::is_active() {
        CALL.set(None);
        // Beside an engine each statement is looked at.
        let is_plain = !backend::is_binary_upgrade() && !backend::is_background_worker();
        USUAL.set(is_plain && !engines::may_be_here());
        return Owner::of_portal();
    }
    // SPI has one context callback of its own; functions and PostgreSQL's workers have another.
    if backend::error_contexts() > 1 {
        return Owner::COMMIT;
    }
    let Some(query) = query else { return Owner::NOTHING };
    let (last, owner) = LONE.get();
    if last == query.address() {
        return owner;
    }
    let owner = Owner::new();
    usual::set(Unusual::Owner, true);
    LONE.set((query.address(), owner));
    owner
}

/// The function call of the protocol that runs: no other message has come since.
fn running_call() -> Option<Owner> {
    let (call, came) = CALL.get()?;
    (came == backend::statement_start()).then_some(call)
}

/// Whether a statement that this process runs outside of any other is PostgreSQL's own: binary
/// upgrade's, or a command that a background worker replays from another origin (pglogical), in a portal
/// as the client's there. See exemption.rs.
#[inline]
pub(super) fn is_postgres() -> bool {
    !USUAL.get() && unusual_is_postgres()
}

#[cold]
fn unusual_is_postgres() -> bool {
    if !backend::is_binary_upgrade() && !backend::is_background_worker() {
        return false;
    }
    (backend::is_binary_upgrade() && backend::trigger_depth() == 0)
        || (portal::is_active() && backend::replays())
}

/// A utility command outside of everything: the client's own, a statement by itself, but not in a function
/// call of the protocol, nor in a deferred trigger.
pub(super) fn utility_owner(serial: Owner) -> Owner {
    match owner(None) {
        own if own == Owner::COMMIT || running_call() == Some(own) => own,
        _ => serial,
    }
}

/// The command at which the statement began that `owner` is, of a query that runs outside of any other: rows
/// that were written before it were there.
#[cold]
pub(super) fn began(owner: Owner, query: Execution) -> pg_sys::CommandId {
    if owner.is_portal() && portal::is_single() {
        return query.saw();
    }
    let (last, began) = BEGAN.get();
    if last == owner && !(owner.is_portal() && portal::is_first(query.statement())) {
        // It goes on.
        return began;
    }
    usual::set(Unusual::Owner, true);
    BEGAN.set((owner, query.saw()));
    query.saw()
}

/// A function is about to be run, or made ready to, outside of everything, while no message with a text is at work:
/// it is a function call of the protocol (HandleFunctionRequest), which is a statement of its own, or nothing of
/// the client's. The one before it, which has ended.
#[cold]
pub(super) fn function_called() -> Option<Owner> {
    // What the function itself makes ready has a context or memory of its own.
    let is_call = !portal::is_active()
        && backend::error_contexts() == 0
        && backend::is_in_message_context()
        && backend::is_clients()
        && backend::trigger_depth() == 0;
    if !is_call {
        return None;
    }
    let call = Owner::new();
    USUAL.set(false);
    usual::set(Unusual::Owner, true);
    BEGAN.set((call, backend::command_id()));
    let before = CALL.get();
    CALL.set(Some((call, backend::statement_start())));
    before.map(|(before, _)| before)
}

/// The owner of a query that has finished outside of everything, if its sum goes with it.
pub(super) fn ended(query: Execution) -> Option<Owner> {
    if !portal::is_active() {
        let (last, owner) = LONE.get();
        return (last == query.address()).then(|| {
            LONE.set((0, Owner::NOTHING));
            owner
        });
    }
    let own = owner(Some(query));
    (own.is_portal() && portal::is_last(query.statement())).then_some(own)
}

/// Nothing of a transaction stays.
pub(super) fn transaction_ended() {
    usual::set(Unusual::Owner, false);
    CALL.set(None);
    LONE.set((0, Owner::NOTHING));
    BEGAN.set((Owner::NOTHING, 0));
}
