//! Which statement is running inside which: the client's statement, functions and triggers below
//! it, foreign-key actions. Entered and left by the executor and utility hooks. An error leaves
//! levels without saying so; the level is then put back by the abort of the (sub)transaction, so
//! no hook needs PG_TRY.

use crate::pg::pg_sys;
use safedelete_core::command::Command;

use crate::pg::local::Local;
use crate::pg::{nodes, roles};

/// The client statement whose rows are summed: a number of its own, never reused while it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Owner(u64);

impl Owner {
    /// The transaction, for `scope = transaction`.
    pub const TRANSACTION: Owner = Owner(0);
    /// What fires outside any statement: deferred foreign-key actions at COMMIT.
    const COMMIT: Owner = Owner(2);

    /// A portal is a statement of the client: rules may make several queries of it, and it may be
    /// run in parts, other statements between them. What fires outside any is COMMIT's.
    fn of_portal() -> Owner {
        // SAFETY: reads a backend variable.
        let portal = unsafe { pg_sys::ActivePortal };
        if portal.is_null() { Owner::COMMIT } else { Owner(portal as u64) }
    }
}

/// What a level is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Query,
    Execute,
    /// EXPLAIN ANALYZE runs its statement.
    ExplainAnalyze,
    Utility,
}

/// Where in the nesting the backend is. Every query enters a level, so this part of it is two words.
#[derive(Clone, Copy)]
pub struct Level {
    pub owner: Owner,
    depth: u32,
    kind: Kind,
}

/// The part of a level that only utility commands and writes that fire triggers change.
#[derive(Clone, Copy)]
pub struct Background {
    /// What the statement of this level writes, for the DETAIL of its cascades.
    writes: Option<(Command, pg_sys::Oid)>,
    /// The role that the statement of this level runs as; its foreign-key actions are judged by it.
    role: pg_sys::Oid,
    /// The innermost utility command.
    utility: *mut pg_sys::Node,
    serial: u64,
}

const OUTSIDE: Level = Level { owner: Owner::COMMIT, depth: 0, kind: Kind::Query };
const EMPTY: Background =
    Background { writes: None, role: pg_sys::InvalidOid, utility: std::ptr::null_mut(), serial: 0 };

static CURRENT: Local<Level> = Local::new(OUTSIDE);
static BACKGROUND: Local<Background> = Local::new(EMPTY);
/// The level each open subtransaction started at.
static SUBTRANSACTIONS: Local<Vec<(pg_sys::SubTransactionId, Level, Background)>> = Local::new(Vec::new());
static NEXT_UTILITY: Local<u64> = Local::new(3);

#[inline]
pub fn current() -> Level {
    CURRENT.get()
}

impl Level {
    /// Whether what ends now is the client's own statement, by itself or by EXECUTE.
    #[inline]
    pub fn is_clients_own(&self) -> bool {
        // SAFETY: reads a backend variable. Without a portal it is a deferred trigger's at COMMIT.
        (self.depth == 0 && unsafe { !pg_sys::ActivePortal.is_null() })
            || (self.depth == 1 && self.kind == Kind::Execute)
    }

    /// Likewise, of what starts now: not where the client's Bind took the locks a while ago, whose
    /// portal alone has a cached plan.
    #[inline]
    pub fn is_clients_own_and_new(&self) -> bool {
        if !self.is_clients_own() {
            return false;
        }
        // SAFETY: reads a backend variable: what is the client's own without EXECUTE has a portal.
        self.kind == Kind::Execute || unsafe { (*pg_sys::ActivePortal).cplan.is_null() }
    }

    /// Whether no statement of the client runs.
    #[inline]
    pub fn is_outside(&self) -> bool {
        self.depth == 0
    }

    /// Whether what is planned now is run by EXPLAIN ANALYZE: its plan may carry more than its
    /// execution needs.
    #[inline]
    pub fn is_explaining(&self) -> bool {
        self.kind == Kind::ExplainAnalyze
    }
}

/// What the statement of this level writes.
pub fn writes() -> Option<(Command, pg_sys::Oid)> {
    BACKGROUND.get().writes
}

/// The running utility command; NULL in a query.
pub fn utility() -> *mut pg_sys::Node {
    if CURRENT.get().kind == Kind::Query { std::ptr::null_mut() } else { BACKGROUND.get().utility }
}

/// A number for each run of a utility command.
pub fn serial() -> u64 {
    BACKGROUND.get().serial
}

/// The role whose verdict a foreign-key action inherits.
pub fn firing_role() -> pg_sys::Oid {
    let role = BACKGROUND.get().role;
    if role != pg_sys::InvalidOid {
        return role;
    }
    // SAFETY: reads a backend variable. A deferred action at COMMIT: the session's role.
    unsafe { pg_sys::GetOuterUserId() }
}

/// Whether a query is a foreign-key trigger's own: such triggers alone run a write that fires no
/// triggers (SPI_execute_snapshot, whose caller collects the events) under SECURITY_NOFORCE_RLS.
/// A trigger function that runs below them inherits the flag, but fires triggers.
pub fn is_referential(eflags: i32) -> bool {
    eflags & pg_sys::EXEC_FLAG_SKIP_TRIGGERS as i32 != 0 && roles::current().1
}

/// Enters a query's run, or its finish; give the outcome to [`leave`].
#[inline]
pub fn enter_query() -> Level {
    let outer = CURRENT.get();
    let owner = if outer.depth == 0 { Owner::of_portal() } else { outer.owner };
    CURRENT.set(Level { owner, depth: outer.depth + 1, kind: Kind::Query });
    outer
}

/// Keeps in mind what a query writes, for its triggers, foreign keys' among them, are about to fire;
/// give the outcome to [`fired`].
///
/// # Safety
/// `query` is a started write, and the current level.
pub unsafe fn about_to_fire(query: *mut pg_sys::QueryDesc) -> Option<Background> {
    // SAFETY: by contract: it has an execution state.
    unsafe {
        // A foreign key's action stays under the statement that fired it.
        if is_referential((*(*query).estate).es_top_eflags) {
            return None;
        }
        let outer = BACKGROUND.get();
        let writes = written(query, (*query).operation);
        BACKGROUND.set(Background { writes, role: roles::current().0, ..outer });
        Some(outer)
    }
}

/// The triggers have fired.
pub fn fired(outer: Option<Background>) {
    if let Some(outer) = outer {
        BACKGROUND.set(outer);
    }
}

/// Whether a query writes a table that has triggers, foreign keys' among them. Those of a partitioned
/// table and of partitions that rows are routed to are not the first result relation's.
///
/// # Safety
/// `query` has been started.
#[inline]
pub unsafe fn may_fire_triggers(query: *mut pg_sys::QueryDesc) -> bool {
    // SAFETY: by contract; the cast follows the tag; a ModifyTable has a result relation.
    unsafe {
        let state = (*query).planstate;
        if nodes::tag(state) != pg_sys::NodeTag::T_ModifyTableState {
            // Writable CTEs, or another extension's plan.
            return (*query).operation != pg_sys::CmdType::CMD_SELECT
                || (*(*query).plannedstmt).hasModifyingCTE;
        }
        let modify = state.cast::<pg_sys::ModifyTableState>();
        (*modify).mt_nrels > 1
            || !(*(*modify).resultRelInfo).ri_TrigDesc.is_null()
            || !std::ptr::eq((*modify).rootResultRelInfo, (*modify).resultRelInfo)
            || !(*modify).mt_partition_tuple_routing.is_null()
            || (*(*query).plannedstmt).hasModifyingCTE
    }
}

/// The client's statement that starts now outside of any: `None` where it is not the portal's first
/// query, for the rules' other queries belong to the same statement.
///
/// # Safety
/// `query` is about to start.
pub unsafe fn starting(query: *mut pg_sys::QueryDesc) -> Option<Owner> {
    // SAFETY: by contract; an active portal's statements are PlannedStmts.
    unsafe {
        let portal = pg_sys::ActivePortal;
        if CURRENT.get().depth > 0 || portal.is_null() {
            return None;
        }
        let first = nodes::items::<pg_sys::PlannedStmt>((*portal).stmts).next();
        first.is_none_or(|first| first == (*query).plannedstmt).then(Owner::of_portal)
    }
}

/// The client's statement that has ended, likewise: with its portal's last query.
///
/// # Safety
/// `query` has finished, outside of any other.
pub unsafe fn ended(query: *mut pg_sys::QueryDesc) -> Option<Owner> {
    // SAFETY: as in `starting`.
    unsafe {
        let portal = pg_sys::ActivePortal;
        if portal.is_null() {
            return None;
        }
        let last = nodes::items::<pg_sys::PlannedStmt>((*portal).stmts).last();
        last.is_none_or(|last| last == (*query).plannedstmt).then(Owner::of_portal)
    }
}

/// Enters a utility command; give the outcome to [`leave_utility`].
#[inline]
pub fn enter_utility(utility: *mut pg_sys::Node, explaining: bool) -> (Level, Background) {
    let outer = (CURRENT.get(), BACKGROUND.get());
    // Odd, so that no portal's address is the same.
    let serial = NEXT_UTILITY.with(|next| {
        *next += 2;
        *next
    });
    let owner = if outer.0.depth == 0 { Owner(serial) } else { outer.0.owner };
    let kind = match nodes::tag(utility) {
        pg_sys::NodeTag::T_ExecuteStmt => Kind::Execute,
        pg_sys::NodeTag::T_ExplainStmt if explaining => Kind::ExplainAnalyze,
        _ => Kind::Utility,
    };
    CURRENT.set(Level { owner, depth: outer.0.depth + 1, kind });
    BACKGROUND.set(Background { writes: None, role: roles::current().0, utility, serial });
    outer
}

/// Enters a statement that counts as one of the client's, although another one runs it.
pub fn enter_as_clients() -> (Level, Background) {
    let outer = enter_utility(std::ptr::null_mut(), false);
    CURRENT.with(|level| level.owner = Owner(serial()));
    outer
}

/// Back to where [`enter_query`] came from.
#[inline]
pub fn leave(outer: Level) {
    CURRENT.set(outer);
}

/// Back to where [`enter_utility`] came from.
#[inline]
pub fn leave_utility((level, background): (Level, Background)) {
    CURRENT.set(level);
    BACKGROUND.set(background);
}

/// What a query's main ModifyTable writes.
///
/// # Safety
/// `query` is a data-modifying query.
unsafe fn written(
    query: *mut pg_sys::QueryDesc,
    operation: pg_sys::CmdType::Type,
) -> Option<(Command, pg_sys::Oid)> {
    let command = match operation {
        pg_sys::CmdType::CMD_DELETE => Command::Delete,
        pg_sys::CmdType::CMD_UPDATE => Command::Update,
        pg_sys::CmdType::CMD_MERGE => Command::Merge,
        pg_sys::CmdType::CMD_INSERT => Command::Upsert,
        _ => return None,
    };
    // SAFETY: by contract; the cast follows the tag.
    unsafe {
        let plan = (*(*query).plannedstmt).planTree;
        let modify = nodes::cast::<pg_sys::ModifyTable, _>(plan, pg_sys::NodeTag::T_ModifyTable)?;
        let entry = nodes::range_table_entry((*(*query).plannedstmt).rtable, (*modify).nominalRelation)?;
        Some((command, (*entry).relid))
    }
}

/// Called by ledger.rs's callback, as the two below.
pub fn subtransaction_started(id: pg_sys::SubTransactionId) {
    SUBTRANSACTIONS.with(|open| open.push((id, CURRENT.get(), BACKGROUND.get())));
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
            leave_utility((open[at].1, open[at].2));
            open.truncate(at);
        }
    });
}

/// A transaction has committed, and with it its subtransactions.
pub fn transaction_committed() {
    SUBTRANSACTIONS.with(Vec::clear);
}

/// ROLLBACK inside a procedure aborts a transaction while statements run; an error that reached the
/// client's loop left them all, and the loop has cleared the context stack.
pub fn transaction_aborted() {
    SUBTRANSACTIONS.with(Vec::clear);
    // SAFETY: reads a backend variable.
    if unsafe { pg_sys::error_context_stack.is_null() } {
        leave_utility((OUTSIDE, EMPTY));
    }
}
