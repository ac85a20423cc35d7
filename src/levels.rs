//! Which statement is running inside which: the client's statement, functions and triggers below
//! it, foreign-key actions. Entered and left by the executor and utility hooks. An error leaves
//! levels without saying so; the level is then put back by the abort of the (sub)transaction, so
//! no hook needs PG_TRY.

use crate::pg::pg_sys;
use safedelete_core::command::Command;

use crate::pg::local::{Lent, Local};
use crate::pg::{nodes, raw, roles};

mod outermost;

pub use outermost::{Owner, trigger_depth};

/// What a level is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Query,
    Execute,
    /// EXPLAIN ANALYZE runs its statement.
    ExplainAnalyze,
    /// CREATE EXTENSION and ALTER EXTENSION run a script.
    Extension,
    Utility,
}

/// Where in the nesting the backend is. Every query enters a level, so this part of it is two words.
#[derive(Clone, Copy)]
pub struct Level {
    pub owner: Owner,
    depth: u32,
    kind: Kind,
    /// The statement of this level is PostgreSQL's own; see exemption.rs.
    is_postgres: bool,
    /// And so is what starts at this level.
    hands_on: bool,
}

/// The part of a level that only utility commands and writes that fire triggers change.
#[derive(Clone, Copy)]
pub struct Background {
    /// What the statement of this level writes, for the DETAIL of its cascades.
    writes: Option<(Command, pg_sys::Oid)>,
    /// The role that the statement of this level runs as; its foreign-key actions are judged by it.
    role: pg_sys::Oid,
    /// The innermost utility command, where it is DROP TABLE or DROP SCHEMA: a copy, for C code may go on in
    /// the same subtransaction after an error that it has swallowed, and the level with it.
    utility: *mut pg_sys::Node,
    /// The memory of the copy.
    memory: pg_sys::MemoryContext,
    serial: u64,
}

const OUTSIDE: Level =
    Level { owner: Owner::COMMIT, depth: 0, kind: Kind::Query, is_postgres: false, hands_on: false };
const EMPTY: Background = Background {
    writes: None,
    role: pg_sys::InvalidOid,
    utility: std::ptr::null_mut(),
    memory: std::ptr::null_mut(),
    serial: 0,
};

static CURRENT: Local<Level> = Local::new(OUTSIDE);
static BACKGROUND: Local<Background> = Local::new(EMPTY);
/// The level each open subtransaction started at.
static SUBTRANSACTIONS: Lent<Vec<(pg_sys::SubTransactionId, Level, Background)>> = Lent::new(Vec::new());
/// The command at which the client's statement began.
static BEGAN: Local<pg_sys::CommandId> = Local::new(0);

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

    /// Whether the statement of this level is PostgreSQL's own write.
    #[inline]
    pub fn is_postgres(&self) -> bool {
        self.is_postgres
    }

    /// Whether what starts at this level is.
    #[inline]
    fn starts_postgres(&self) -> bool {
        if self.depth == 0 {
            return outermost::is_postgres();
        }
        // Event triggers of CREATE EXTENSION run outside of the script.
        // SAFETY: reads a backend variable.
        self.hands_on && (self.kind != Kind::Extension || unsafe { pg_sys::creating_extension })
    }

    /// Whether no statement of the client runs.
    #[inline]
    pub fn is_outside(&self) -> bool {
        self.depth == 0
    }

    /// How many levels are entered.
    pub fn depth(&self) -> u32 {
        self.depth
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

/// Whom what starts or runs now belongs to.
pub fn owner() -> Owner {
    let level = CURRENT.get();
    // SAFETY: NULL is no query.
    if level.depth == 0 { unsafe { outermost::owner(std::ptr::null_mut()) } } else { level.owner }
}

/// The command at which the client's statement began: rows that were written before it were there.
#[inline]
pub fn began() -> pg_sys::CommandId {
    BEGAN.get()
}

/// A function is about to be run, or made ready to: where nothing else runs, it is a function call of the
/// protocol (HandleFunctionRequest), which is a statement of its own. The one before it, which has ended.
#[inline]
pub fn function_called() -> Option<Owner> {
    // SAFETY: reads a backend variable. Every other message has a text, while it is planned and while it runs.
    if !unsafe { pg_sys::debug_query_string.is_null() } || !current().is_outside() {
        return None;
    }
    outermost::function_called()
}

/// Whether the running query is the whole of the client's statement, but for what it fires.
#[inline]
pub fn is_whole_statement() -> bool {
    let level = CURRENT.get();
    level.depth == 1 && level.kind == Kind::Query && level.owner.is_portal() && outermost::is_single()
}

/// Whether the query that starts now is.
#[inline]
pub fn starts_whole_statement() -> bool {
    CURRENT.get().depth == 0 && owner().is_portal() && outermost::is_single()
}

/// Whether what is planned now is the client's own statement, by itself or by EXECUTE.
pub fn plans_clients_own() -> bool {
    let level = CURRENT.get();
    level.depth == 0 || (level.depth == 1 && level.kind == Kind::Execute)
}

/// Whether a statement that starts now is PostgreSQL's own write.
pub fn starts_postgres() -> bool {
    CURRENT.get().starts_postgres()
}

/// The running utility command, where it is DROP TABLE or DROP SCHEMA; NULL in a query.
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
    pg_sys::GetOuterUserId()
}

/// Whether a query is a foreign-key trigger's own: such triggers alone run a write that fires no
/// triggers (SPI_execute_snapshot, whose caller collects the events) under SECURITY_NOFORCE_RLS.
/// A trigger function that runs below them inherits the flag, but fires triggers.
pub fn is_referential(eflags: i32) -> bool {
    eflags & pg_sys::EXEC_FLAG_SKIP_TRIGGERS as i32 != 0 && roles::current().1
}

/// Enters a query's run, or its finish; give the outcome to [`leave`].
///
/// # Safety
/// `query` has been started.
#[inline]
pub unsafe fn enter_query(query: *mut pg_sys::QueryDesc) -> Level {
    let outer = CURRENT.get();
    let owner = if outer.depth == 0 {
        // SAFETY: by contract.
        unsafe {
            let owner = outermost::owner(query);
            BEGAN.set(outermost::began(owner, query));
            owner
        }
    } else {
        outer.owner
    };
    let is_postgres = outer.starts_postgres();
    // SAFETY: by contract.
    let hands_on = is_postgres && unsafe { reads_no_relation(query) };
    CURRENT.set(Level { owner, depth: outer.depth + 1, kind: Kind::Query, is_postgres, hands_on });
    outer
}

/// Whether a query is of functions alone (`SELECT migrate()`): what they write is the statement's. Below
/// any other there are triggers and functions that belong to somebody's table.
///
/// # Safety
/// `query` has been started.
#[cold]
unsafe fn reads_no_relation(query: *mut pg_sys::QueryDesc) -> bool {
    // SAFETY: by contract; a range table holds RangeTblEntries.
    unsafe {
        (*query).operation == pg_sys::CmdType::CMD_SELECT
            && nodes::items::<pg_sys::RangeTblEntry>((*(*query).plannedstmt).rtable)
                .all(|entry| (*entry).relid == pg_sys::InvalidOid)
    }
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
    // SAFETY: by contract.
    unsafe {
        let portal = pg_sys::ActivePortal;
        if CURRENT.get().depth > 0 || portal.is_null() || !outermost::is_first(portal, query) {
            return None;
        }
        Some(outermost::owner(query)).filter(|owner| owner.is_portal())
    }
}

/// The client's statement that has ended, likewise: with its portal's last query.
///
/// # Safety
/// `query` has finished, outside of any other.
pub unsafe fn ended(query: *mut pg_sys::QueryDesc) -> Option<Owner> {
    // SAFETY: by contract.
    unsafe { outermost::ended(query) }
}

/// Enters a utility command; give the outcome to [`leave_utility`]. Raises where memory runs out.
///
/// # Safety
/// `utility` is NULL or a statement; no frame above owns anything.
#[inline]
#[allow(ffi_unwind_calls, reason = "called by a bare frame, which owns nothing")]
pub unsafe fn enter_utility(utility: *mut pg_sys::Node, explaining: bool) -> (Level, Background) {
    let outer = (CURRENT.get(), BACKGROUND.get());
    let serial = Owner::new();
    let owner = if outer.0.depth == 0 {
        // SAFETY: reads the transaction's state.
        BEGAN.set(unsafe { raw::GetCurrentCommandId(false) });
        outermost::utility_owner(serial)
    } else {
        outer.0.owner
    };
    use pg_sys::NodeTag::*;
    let (kind, runs_others) = match nodes::tag(utility) {
        T_ExecuteStmt => (Kind::Execute, true),
        T_ExplainStmt if explaining => (Kind::ExplainAnalyze, true),
        T_CreateExtensionStmt | T_AlterExtensionStmt => (Kind::Extension, true),
        T_DoStmt | T_CallStmt => (Kind::Utility, true),
        _ => (Kind::Utility, false),
    };
    let is_postgres = outer.0.starts_postgres();
    let hands_on = kind == Kind::Extension || (is_postgres && runs_others);
    // SAFETY: by contract.
    let (copy, memory) = unsafe { copy_of_names(utility) };
    CURRENT.set(Level { owner, depth: outer.0.depth + 1, kind, is_postgres, hands_on });
    BACKGROUND.set(Background {
        writes: None,
        role: roles::current().0,
        utility: copy,
        memory,
        serial: serial.number(),
    });
    outer
}

/// A copy of DROP TABLE or DROP SCHEMA, whose names are looked at while it runs, and its memory; NULL for
/// other commands.
///
/// # Safety
/// As `enter_utility`.
#[inline]
unsafe fn copy_of_names(utility: *mut pg_sys::Node) -> (*mut pg_sys::Node, pg_sys::MemoryContext) {
    // SAFETY: by contract; the cast follows the tag.
    unsafe {
        let names_tables = match nodes::tag(utility) {
            pg_sys::NodeTag::T_DropStmt => {
                let names = (*utility.cast::<pg_sys::DropStmt>()).removeType;
                matches!(names, pg_sys::ObjectType::OBJECT_TABLE | pg_sys::ObjectType::OBJECT_SCHEMA)
            }
            _ => false,
        };
        if names_tables { copy(utility) } else { (std::ptr::null_mut(), std::ptr::null_mut()) }
    }
}

/// # Safety
/// As `enter_utility`.
#[cold]
#[allow(ffi_unwind_calls, reason = "called by a bare frame, which owns nothing")]
unsafe fn copy(utility: *mut pg_sys::Node) -> (*mut pg_sys::Node, pg_sys::MemoryContext) {
    // SAFETY: by contract. The copy lives as long as the subtransaction at most, whose abort puts the level
    // back that was current before.
    unsafe {
        let memory = raw::AllocSetContextCreateInternal(
            pg_sys::CurTransactionContext,
            c"safedelete names".as_ptr(),
            0,
            1024,
            pg_sys::ALLOCSET_DEFAULT_MAXSIZE as usize,
        );
        let previous = pg_sys::CurrentMemoryContext;
        pg_sys::CurrentMemoryContext = memory;
        let copy = raw::copyObjectImpl(utility.cast());
        pg_sys::CurrentMemoryContext = previous;
        (copy.cast(), memory)
    }
}

/// The sum that goes with the running utility command, where it is the client's own.
pub fn own_sum() -> Option<Owner> {
    let level = CURRENT.get();
    (level.depth == 1 && level.owner.number() == serial()).then_some(level.owner)
}

/// Enters a statement that counts as one of the client's, although another one runs it.
pub fn enter_as_clients() -> Clients {
    let began = BEGAN.get();
    // SAFETY: NULL is no statement, so nothing is copied.
    let outer = unsafe { enter_utility(std::ptr::null_mut(), false) };
    CURRENT.set(Level { owner: Owner::new(), ..CURRENT.get() });
    #[allow(ffi_unwind_calls, reason = "raises nothing where the command id is not to be used")]
    // SAFETY: reads the transaction's state.
    BEGAN.set(unsafe { raw::GetCurrentCommandId(false) });
    Clients { outer, began }
}

/// Where [`enter_as_clients`] came from.
pub struct Clients {
    outer: (Level, Background),
    began: pg_sys::CommandId,
}

/// Back there.
pub fn leave_as_clients(clients: &Clients) {
    leave_utility(clients.outer);
    BEGAN.set(clients.began);
}

/// Back to where [`enter_query`] came from.
#[inline]
pub fn leave(outer: Level) {
    CURRENT.set(outer);
}

/// Back to where [`enter_utility`] came from, which has come to its end.
#[inline]
pub fn leave_utility(outer: (Level, Background)) {
    let memory = BACKGROUND.get().memory;
    go_back(outer);
    if !memory.is_null() {
        #[allow(ffi_unwind_calls, reason = "raises nothing")]
        // SAFETY: what `copy` has made, which nothing points to any more.
        unsafe {
            raw::MemoryContextDelete(memory)
        };
    }
}

fn go_back((level, background): (Level, Background)) {
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
            go_back((open[at].1, open[at].2));
            open.truncate(at);
        }
    });
}

/// A transaction has ended: the next one's commands count from its own beginning, in a procedure too.
#[inline]
pub fn transaction_ended() {
    BEGAN.set(0);
    outermost::transaction_ended();
}

/// A transaction has ended, and with it its subtransactions.
pub fn forget_subtransactions() {
    SUBTRANSACTIONS.with(Vec::clear);
}

/// ROLLBACK inside a procedure aborts a transaction while statements run; an error that reached the
/// client's loop left them all, and the loop has cleared the context stack.
pub fn transaction_aborted() {
    // SAFETY: reads a backend variable.
    if unsafe { pg_sys::error_context_stack.is_null() } {
        go_back((OUTSIDE, EMPTY));
    }
}
