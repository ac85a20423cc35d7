//! Which statement is running inside which: the client's statement, functions and triggers below
//! it, foreign-key actions. Entered and left by the executor and utility hooks. An error leaves
//! levels without saying so; the level is then put back by the abort of the (sub)transaction, so
//! no hook needs PG_TRY.
//!
//! * level.rs is what a level knows of itself;
//! * outermost.rs says whose statement it is that runs outside of any other;
//! * background.rs keeps what utility commands and writes that fire triggers leave for those below;
//! * plans.rs reads the plans of queries.

use crate::engines;
use crate::pg::copied::Copied;
use crate::pg::execution::Execution;
use crate::pg::local::{Lent, Local};
use crate::pg::nodes::Node;
use crate::pg::{backend, frame, pg_sys, portal};
use crate::usual::{self, Unusual};

mod background;
mod level;
mod outermost;
mod plans;

use background::Background;
pub use background::{about_to_fire, as_cascade_of, fired, firing_role, serial, writes};
pub use level::Level;
use level::{HandsOn, Kind, OUTSIDE};
pub use outermost::Owner;
pub use plans::{is_referential, may_fire_triggers};

static CURRENT: Local<Level> = Local::new(OUTSIDE);
/// Whom the level belongs to, and those below it; of no meaning outside.
static OWNER: Local<Owner> = Local::new(Owner::COMMIT);
/// The level each open subtransaction started at.
static SUBTRANSACTIONS: Lent<Vec<(pg_sys::SubTransactionId, Surroundings)>> = Lent::new(Vec::new());

/// A level, and what goes with it.
#[derive(Clone, Copy)]
pub struct Surroundings {
    level: Level,
    owner: Owner,
    background: Background,
}

impl Surroundings {
    fn now() -> Surroundings {
        Surroundings { level: CURRENT.get(), owner: OWNER.get(), background: background::current() }
    }

    fn go_back(self) {
        CURRENT.set(self.level);
        OWNER.set(self.owner);
        background::go_back(self.background);
    }
}

/// The client's statement: the command at which it began, and whether what runs below it has `LOOKED` for what other
/// sessions have changed. One word, for every statement writes it.
static STATEMENT: Local<u64> = Local::new(0);
const LOOKED: u64 = 1 << 32;

/// The client's statement begins.
#[inline]
fn begin(at: pg_sys::CommandId) {
    STATEMENT.set(u64::from(at));
}

/// Whether somebody below the client's statement has asked this before.
pub fn looks_again() -> bool {
    let before = STATEMENT.get();
    STATEMENT.set(before | LOOKED);
    before & LOOKED != 0
}

#[inline]
pub fn current() -> Level {
    CURRENT.get()
}

/// Whom what starts or runs now belongs to.
pub fn owner() -> Owner {
    if CURRENT.get().depth == 0 { outermost::owner(None) } else { OWNER.get() }
}

/// The same, as a number.
pub fn owner_number() -> u64 {
    owner().number()
}

/// The command at which the client's statement began: rows that were written before it were there.
#[inline]
pub fn began() -> pg_sys::CommandId {
    STATEMENT.get() as pg_sys::CommandId
}

/// Whether the running query is the whole of the client's statement, but for what it fires.
#[inline]
pub fn is_whole_statement() -> bool {
    let level = CURRENT.get();
    level.depth == 1 && level.kind == Kind::Query && OWNER.get().is_portal() && portal::is_single()
}

/// Whether the query that starts now is.
#[inline]
pub fn starts_whole_statement() -> bool {
    CURRENT.get().depth == 0 && owner().is_portal() && portal::is_single()
}

/// Whether a query that starts is the client's own, a portal's only one, and what other sessions have changed was taken
/// in just now: by analysing a simple query, or with the locks of an EXECUTE or a Bind that has begun the transaction.
#[inline(always)]
pub fn starts_fresh(query: Execution) -> bool {
    let level = CURRENT.get();
    let is_fresh = if level.depth == 0 {
        portal::is_hidden() || (portal::is_unnamed() && portal::begins_transaction())
    } else {
        level.is_execute() && portal::is_hidden() && portal::begins_transaction()
    };
    is_fresh && portal::is_of(query.statement())
}

/// Whether what is planned now is the client's own statement, by itself or by EXECUTE.
pub fn plans_clients_own() -> bool {
    let level = CURRENT.get();
    if level.depth == 0 {
        return !outermost::runs_function();
    }
    // EXECUTE plans before its query has a portal; a function that its arguments call has a context.
    level.is_clients_execute() || (level.is_execute() && backend::error_contexts() == 0)
}

/// Whether a statement that starts now is PostgreSQL's own write.
pub fn starts_postgres() -> bool {
    CURRENT.get().starts_postgres()
}

/// The running utility command, where it is DROP TABLE or DROP SCHEMA, and not a query.
pub fn utility<'t>() -> Option<Node<'t>> {
    if CURRENT.get().kind == Kind::Utility { background::utility() } else { None }
}

/// Whether the names that a utility command has are looked at while it runs, so that it has to be kept.
pub fn keeps(utility: Node) -> bool {
    use pg_sys::ObjectType::*;
    utility
        .as_a::<pg_sys::DropStmt>()
        .is_some_and(|drop| matches!(drop.removeType, OBJECT_TABLE | OBJECT_SCHEMA))
}

/// Enters a query's run, or its finish; give the outcome to [`leave`].
#[inline]
pub fn enter_query(query: Execution) -> Level {
    let outer = CURRENT.get();
    if !enter_usual(query) {
        enter_unusual(query);
    }
    outer
}

/// The same, of nearly every query, by reading and writing variables alone; not, where it takes more to say
/// whose it is.
#[inline(always)]
pub fn enter_usual(query: Execution) -> bool {
    let outer = CURRENT.get();
    if outer.depth > 0 {
        if outer.hands_on != HandsOn::No {
            return false;
        }
    } else {
        let Some(owner) = outermost::usual_owner() else { return false };
        begin(query.saw());
        OWNER.set(owner);
    }
    CURRENT.set(Level { depth: outer.depth + 1, ..OUTSIDE });
    true
}

#[cold]
fn enter_unusual(query: Execution) {
    let outer = CURRENT.get();
    if outer.depth == 0 {
        let owner = outermost::owner(Some(query));
        begin(outermost::began(owner, query));
        OWNER.set(owner);
    }
    let is_postgres = outer.starts_postgres();
    let hands_on = if is_postgres && plans::reads_no_relation(query) {
        HandsOn::Yes
    } else {
        asks(|| plans::is_engines(query))
    };
    CURRENT.set(Level { depth: outer.depth + 1, is_postgres, hands_on, ..OUTSIDE });
}

/// What a statement hands on that may be an engine's call.
fn asks(is_engines: impl FnOnce() -> bool) -> HandsOn {
    if !engines::may_be_here() {
        HandsOn::No
    } else if frame::guarded(is_engines) {
        HandsOn::Engine
    } else {
        HandsOn::Asks
    }
}

/// The client's statement that starts now outside of any: `None` where it is not the portal's first
/// query, for the rules' other queries belong to the same statement.
pub fn starting(query: Execution) -> Option<Owner> {
    if CURRENT.get().depth > 0 || !portal::is_active() || !portal::is_first(query.statement()) {
        return None;
    }
    Some(outermost::owner(Some(query))).filter(|owner| owner.is_portal())
}

/// The client's statement that has ended with a query, outside of any other: with its portal's last one.
pub fn ended(query: Execution) -> Option<Owner> {
    outermost::ended(query)
}

/// The same where that is plain: of a portal of one statement. Owns and allocates nothing.
#[inline]
pub fn usually_ended(query: Execution) -> Option<Owner> {
    outermost::usual_owner().filter(|_| portal::is_last(query.statement()))
}

/// Enters EXECUTE, where it is plainly the client's own, and the first statement of its transaction, by reading and
/// writing variables alone.
#[inline(always)]
pub fn enter_first_execute() -> bool {
    enter_execute(|began| began == 0 && !usual::is([Unusual::Utility]))
}

/// The same of any that is the client's. The query that it runs is all that there is, so nothing is left for those
/// below; [`leave_clients_execute`] ends it.
pub fn enter_clients_execute() -> bool {
    enter_execute(|_| true)
}

#[inline(always)]
fn enter_execute(is_meant: impl FnOnce(pg_sys::CommandId) -> bool) -> bool {
    if CURRENT.get().depth > 0 || !outermost::is_usual() {
        return false;
    }
    let Some(began) = portal::saw() else { return false };
    if !is_meant(began) {
        return false;
    }
    begin(began);
    OWNER.set(Owner::new());
    CURRENT.set(Level { depth: 1, kind: Kind::Execute, owns: true, ..OUTSIDE });
    true
}

/// Back to where [`enter_clients_execute`] came from.
#[inline(always)]
pub fn leave_clients_execute() {
    CURRENT.set(OUTSIDE);
}

/// Enters a utility command, of which `kept` is a copy where it [`keeps`] one; give the outcome to [`leave_utility`].
pub fn enter_utility(utility: Option<Node>, kept: Option<Copied>, explaining: bool) -> Surroundings {
    let outer = Surroundings::now();
    let level = outer.level;
    let serial = Owner::new();
    usual::set(Unusual::Utility, true);
    if level.depth == 0 {
        begin(backend::command_id());
        OWNER.set(outermost::utility_owner(serial));
    }
    use pg_sys::NodeTag::*;
    let (kind, runs_others) = match utility.map_or(T_Invalid, Node::tag) {
        T_ExecuteStmt => (Kind::Execute, true),
        T_ExplainStmt if explaining => (Kind::ExplainAnalyze, true),
        T_CreateExtensionStmt | T_AlterExtensionStmt => (Kind::Extension, true),
        T_DoStmt | T_CallStmt => (Kind::Utility, true),
        _ => (Kind::Utility, false),
    };
    let starts_postgres = level.starts_postgres();
    let hands_on = if kind == Kind::Extension || (starts_postgres && runs_others) {
        HandsOn::Yes
    } else {
        asks(|| utility.is_some_and(plans::calls_engine))
    };
    let is_postgres = starts_postgres || level.is_engines();
    background::enter(kept, serial);
    let (depth, owns) = (level.depth + 1, OWNER.get() == serial);
    let kind = if kind == Kind::Execute && !owns { Kind::Utility } else { kind };
    CURRENT.set(Level { depth, kind, is_postgres, hands_on, owns });
    outer
}

/// The sum that goes with the running utility command, where it is the client's own.
pub fn own_sum() -> Option<Owner> {
    CURRENT.get().owns.then(|| OWNER.get())
}

/// Enters a statement that counts as one of the client's, although another one runs it.
pub fn enter_as_clients() -> Clients {
    let statement = STATEMENT.get();
    let outer = enter_utility(None, None, false);
    OWNER.set(Owner::new());
    begin(backend::command_id());
    Clients { outer, statement }
}

/// Where [`enter_as_clients`] came from.
pub struct Clients {
    outer: Surroundings,
    statement: u64,
}

/// Back there.
pub fn leave_as_clients(clients: &Clients) {
    leave_utility(clients.outer);
    STATEMENT.set(clients.statement);
}

/// A function is about to be run, or made ready to, while no message with a text is at work. Where that is a
/// function call of the protocol, the one before it, which has ended.
pub fn function_called() -> Option<Owner> {
    if CURRENT.get().is_outside() { outermost::function_called() } else { None }
}

/// Back to where [`enter_query`] came from.
#[inline]
pub fn leave(outer: Level) {
    CURRENT.set(outer);
}

/// Back to where [`enter_utility`] came from, which has come to its end.
pub fn leave_utility(outer: Surroundings) {
    let ended = background::current();
    outer.go_back();
    ended.give_back();
}

/// Called by the transaction's callbacks, as those below.
pub fn subtransaction_started(id: pg_sys::SubTransactionId) {
    SUBTRANSACTIONS.with(|open| open.push((id, Surroundings::now())));
}

pub fn subtransaction_committed(id: pg_sys::SubTransactionId) {
    SUBTRANSACTIONS.with(|open| {
        if let Some(at) = open.iter().rposition(|(own, ..)| *own == id) {
            open.truncate(at);
        }
    });
}

/// An error may have left levels: the subtransaction's start is where the backend is again.
pub fn subtransaction_aborted(id: pg_sys::SubTransactionId) {
    SUBTRANSACTIONS.with(|open| {
        if let Some(at) = open.iter().rposition(|(own, ..)| *own == id) {
            open[at].1.go_back();
            open.truncate(at);
        }
    });
}

/// A transaction has ended, and with it its subtransactions.
pub fn forget_subtransactions() {
    SUBTRANSACTIONS.with(Vec::clear);
}

/// A transaction ends, and leaves nothing but the command to forget, as nearly every one: the next one's
/// commands count from its own beginning, in a procedure too.
#[inline]
pub fn end_usual_transaction() {
    STATEMENT.set(0);
}

/// A transaction has ended.
pub fn transaction_ended() {
    end_usual_transaction();
    usual::set(Unusual::Utility, false);
    outermost::transaction_ended();
}

/// ROLLBACK inside a procedure aborts a transaction while statements run; an error that reached the
/// client's loop left them all, and the loop has cleared the context stack.
pub fn transaction_aborted() {
    if backend::error_contexts() == 0 {
        Surroundings { level: OUTSIDE, owner: Owner::COMMIT, background: Background::NONE }.go_back();
    }
}
