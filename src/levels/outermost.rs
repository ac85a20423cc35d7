//! The client's statement: what a sum belongs to. Nearly always that is a portal or a utility command.
//! The rest have neither: a function call of the protocol, what background workers run by SPI, and
//! deferred triggers at COMMIT.

use crate::pg::local::Local;
use crate::pg::{nodes, pg_sys, raw};

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
    pub(super) fn new() -> Owner {
        // Odd, so that no portal's address is the same.
        NEXT.set(NEXT.get() + 2);
        Owner(NEXT.get())
    }

    /// Whether this is the active portal.
    pub(super) fn is_portal(self) -> bool {
        // SAFETY: reads a backend variable.
        self.0 == unsafe { pg_sys::ActivePortal } as u64
    }

    pub(super) fn number(self) -> u64 {
        self.0
    }
}

static NEXT: Local<u64> = Local::new(3);
/// The last function call of the protocol in this transaction, and when its message came.
static CALL: Local<Option<(Owner, pg_sys::TimestampTz)>> = Local::new(None);
/// Whether any of this is in use.
static UNUSUAL: Local<bool> = Local::new(false);
/// The query that runs outside of everything, by SPI in a background worker.
static LONE: Local<(*mut pg_sys::QueryDesc, Owner)> = Local::new((std::ptr::null_mut(), Owner::NOTHING));
/// The command at which a statement began that has more than one query.
static BEGAN: Local<(Owner, pg_sys::CommandId)> = Local::new((Owner::NOTHING, 0));

/// Whom a query belongs to that runs outside of any other; without one, what starts now.
///
/// # Safety
/// `query` is NULL or has been started.
#[inline]
pub(super) unsafe fn owner(query: *mut pg_sys::QueryDesc) -> Owner {
    // A portal is a statement of the client: rules may make several queries of it, and it may be
    // run in parts, other statements between them.
    // SAFETY: reads backend variables.
    let portal = unsafe { pg_sys::ActivePortal };
    if !portal.is_null() && CALL.get().is_none() {
        return Owner(portal as u64);
    }
    // SAFETY: by contract.
    unsafe { unusual_owner(portal, query) }
}

/// # Safety
/// As `owner`.
#[cold]
unsafe fn unusual_owner(portal: pg_sys::Portal, query: *mut pg_sys::QueryDesc) -> Owner {
    let call = running_call();
    if !portal.is_null() && call.is_none() {
        CALL.set(None);
        return Owner(portal as u64);
    }
    if trigger_depth() > 0 {
        return Owner::COMMIT;
    }
    if let Some(call) = call {
        // A portal is a cursor of the function's then.
        return call;
    }
    // SAFETY: reads a backend variable, and the innermost context callback. SPI has one of its own;
    // functions and PostgreSQL's workers have another.
    let in_function = unsafe {
        let context = pg_sys::error_context_stack;
        !context.is_null() && !(*context).previous.is_null()
    };
    if in_function {
        return Owner::COMMIT;
    }
    if query.is_null() {
        return Owner::NOTHING;
    }
    let (last, owner) = LONE.get();
    if last == query {
        return owner;
    }
    let owner = Owner::new();
    UNUSUAL.set(true);
    LONE.set((query, owner));
    owner
}

/// The function call of the protocol that runs: no other message has come since.
fn running_call() -> Option<Owner> {
    let (call, came) = CALL.get()?;
    #[allow(ffi_unwind_calls, reason = "reads a backend variable")]
    // SAFETY: see the reason.
    let last = unsafe { raw::GetCurrentStatementStartTimestamp() };
    (came == last).then_some(call)
}

/// Whether a statement that this process runs outside of any other is PostgreSQL's own: binary
/// upgrade's, or a command that a background worker replays from another origin (pglogical), in a portal
/// as the client's there. See exemption.rs.
#[inline]
pub(super) fn is_postgres() -> bool {
    // SAFETY: reads backend variables.
    unsafe {
        if !pg_sys::IsBinaryUpgrade && pg_sys::MyBackendType != pg_sys::BackendType::B_BG_WORKER {
            return false;
        }
        (pg_sys::IsBinaryUpgrade && trigger_depth() == 0)
            || (!pg_sys::ActivePortal.is_null() && pg_sys::replorigin_session_origin != 0)
    }
}

/// How many triggers are running, one below another.
pub fn trigger_depth() -> i32 {
    #[allow(ffi_unwind_calls, reason = "reads a backend variable and no argument")]
    // SAFETY: see the reason.
    unsafe {
        raw::pg_trigger_depth(std::ptr::null_mut()).value() as i32
    }
}

/// A utility command outside of everything: the client's own, a statement by itself, but not in a function
/// call of the protocol, nor in a deferred trigger.
pub(super) fn utility_owner(serial: Owner) -> Owner {
    // SAFETY: NULL is no query.
    match unsafe { owner(std::ptr::null_mut()) } {
        own if own == Owner::COMMIT || running_call() == Some(own) => own,
        _ => serial,
    }
}

/// The command at which the statement began that `owner` is: rows that were written before it were there.
///
/// # Safety
/// `query` has been started, and runs outside of any other.
#[inline]
pub(super) unsafe fn began(owner: Owner, query: *mut pg_sys::QueryDesc) -> pg_sys::CommandId {
    // SAFETY: by contract; an active portal's statements are a list.
    unsafe {
        let portal = pg_sys::ActivePortal;
        if owner.0 == portal as u64 && nodes::length((*portal).stmts) == 1 {
            return saw(query);
        }
        began_before(owner, query)
    }
}

/// Whether the active portal is of one statement.
#[inline]
pub(super) fn is_single() -> bool {
    // SAFETY: reads a backend variable; an active portal's statements are a list.
    unsafe {
        let portal = pg_sys::ActivePortal;
        !portal.is_null() && nodes::length((*portal).stmts) == 1
    }
}

/// The command up to which a query sees the transaction's own rows.
///
/// # Safety
/// `query` has been started.
#[inline]
unsafe fn saw(query: *mut pg_sys::QueryDesc) -> pg_sys::CommandId {
    // SAFETY: by contract.
    unsafe {
        let snapshot = (*query).snapshot;
        if snapshot.is_null() { 0 } else { (*snapshot).curcid }
    }
}

/// # Safety
/// As `began`.
#[cold]
unsafe fn began_before(owner: Owner, query: *mut pg_sys::QueryDesc) -> pg_sys::CommandId {
    let (last, began) = BEGAN.get();
    // SAFETY: by contract.
    unsafe {
        let portal = pg_sys::ActivePortal;
        let goes_on = last == owner && !(owner.0 == portal as u64 && is_first(portal, query));
        if goes_on {
            return began;
        }
        UNUSUAL.set(true);
        BEGAN.set((owner, saw(query)));
        saw(query)
    }
}

/// Whether a query is the first of its portal. Rules may put utility commands (NOTIFY) among them.
///
/// # Safety
/// `portal` is active, `query` about to start or started.
pub(super) unsafe fn is_first(portal: pg_sys::Portal, query: *mut pg_sys::QueryDesc) -> bool {
    // SAFETY: by contract; an active portal's statements are PlannedStmts.
    unsafe { queries(portal).next().is_none_or(|first| first == (*query).plannedstmt) }
}

/// Whether a query is the last of its portal.
///
/// # Safety
/// As `is_first`.
pub(super) unsafe fn is_last(portal: pg_sys::Portal, query: *mut pg_sys::QueryDesc) -> bool {
    // SAFETY: as in `is_first`.
    unsafe { queries(portal).last().is_none_or(|last| last == (*query).plannedstmt) }
}

/// # Safety
/// `portal` is active.
unsafe fn queries(portal: pg_sys::Portal) -> impl Iterator<Item = *mut pg_sys::PlannedStmt> {
    // SAFETY: by contract; an active portal's statements are PlannedStmts.
    unsafe {
        nodes::items::<pg_sys::PlannedStmt>((*portal).stmts)
            .filter(|statement| (**statement).utilityStmt.is_null())
    }
}

/// The same where neither a query nor a utility command runs, and the message has no text.
#[inline]
pub(super) fn function_called() -> Option<Owner> {
    // SAFETY: reads backend variables. What the function itself makes ready has a context or memory of its own.
    let is_call = unsafe {
        pg_sys::ActivePortal.is_null()
            && pg_sys::error_context_stack.is_null()
            && pg_sys::CurrentMemoryContext == pg_sys::MessageContext
            && pg_sys::MyBackendType == pg_sys::BackendType::B_BACKEND
    };
    if is_call { call_begins() } else { None }
}

#[cold]
fn call_begins() -> Option<Owner> {
    if trigger_depth() > 0 {
        return None;
    }
    let call = Owner::new();
    #[allow(ffi_unwind_calls, reason = "raises nothing where the command id is not to be used")]
    // SAFETY: reads the transaction's state.
    let began = unsafe { raw::GetCurrentCommandId(false) };
    UNUSUAL.set(true);
    BEGAN.set((call, began));
    #[allow(ffi_unwind_calls, reason = "reads a backend variable")]
    // SAFETY: see the reason.
    let came = unsafe { raw::GetCurrentStatementStartTimestamp() };
    let before = CALL.get();
    CALL.set(Some((call, came)));
    before.map(|(before, _)| before)
}

/// The owner of a query that has finished outside of everything, if its sum goes with it.
///
/// # Safety
/// As `is_first`.
pub(super) unsafe fn ended(query: *mut pg_sys::QueryDesc) -> Option<Owner> {
    // SAFETY: by contract.
    unsafe {
        let portal = pg_sys::ActivePortal;
        if portal.is_null() {
            let (last, owner) = LONE.get();
            return (last == query && !query.is_null()).then(|| {
                LONE.set((std::ptr::null_mut(), Owner::NOTHING));
                owner
            });
        }
        let own = owner(query);
        (own.is_portal() && is_last(portal, query)).then_some(own)
    }
}

/// Nothing of a transaction stays.
#[inline]
pub(super) fn transaction_ended() {
    if UNUSUAL.get() {
        forget_all();
    }
}

#[cold]
fn forget_all() {
    UNUSUAL.set(false);
    CALL.set(None);
    LONE.set((std::ptr::null_mut(), Owner::NOTHING));
    BEGAN.set((Owner::NOTHING, 0));
}
