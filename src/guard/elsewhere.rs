//! Writes that an engine plans and runs by itself (engines.rs): no ModifyTable shows them, and their rows lie
//! elsewhere. What is known of one travels in the engine's own plan node; it is judged where that node begins:
//!
//! * rule `where`, when the execution starts;
//! * rule `rows`, before anything is written, by a query of the same conditions, and once more by what the engine
//!   reports afterwards, which is what counts. The query, asked inside of a transaction of the engine's, sees to it
//!   that what is refused afterwards is undone everywhere.
//!
//! A write of one row by a unique key pays neither.

use core::ffi::c_char;

use pgrx::pg_sys::NodeTag;
use safedelete_core::command::Command;
use safedelete_core::expectation::Selected;
use safedelete_core::nodes as other_nodes;

use super::execution::{self, Execution, Start};
use super::expected;
use super::orders::{Facts, Orders};
use crate::analysis::{self, Finding, Qualification};
use crate::engines::query::{self, Rows};
use crate::engines::running::{self, Running};
use crate::engines::{self};
use crate::ledger;
use crate::levels;
use crate::pg::local::Local;
use crate::pg::nodes::{self, Node};
use crate::pg::report::{self, Frozen};
use crate::pg::{frame, pg_sys, raw, text, unique_keys};
use crate::settings::{self, SumOver};

/// What is found out of a statement before the engine plans it, which scribbles on the Query.
#[derive(Clone, Copy)]
pub struct Prepared {
    /// The query that counts; NULL where none can.
    counting: *const c_char,
    /// The query that counts those of the rows that the transaction has made; NULL where nobody asks.
    made: *const c_char,
    /// It writes one row at most.
    is_point_write: bool,
}

/// What the engine's plan node carries of one write, in `custom_exprs`.
#[derive(Clone, Copy)]
struct Carried {
    facts: Facts,
    /// Of a deferred finding.
    conditions: *mut pg_sys::List,
    expected: *mut pg_sys::List,
    counting: *const c_char,
    made: *const c_char,
    is_point_write: bool,
    /// The statement's own write, and not that of a CTE, of which the engine reports no count.
    is_main: bool,
}

/// Tells what is carried from what others might put there: the type modifier of its constant, "SafE".
const MARK: i32 = 0x5361_6645;

/// How many writes have been given to plans of engines' in this session.
static GIVEN: Local<u32> = Local::new(0);

pub fn given() -> u32 {
    GIVEN.get()
}

/// What is to be known of a write before it is planned; `None` where no engine runs it.
pub fn prepare(query: Node<pg_sys::Query>, finding: &Finding) -> Option<Prepared> {
    if !engines::runs(finding.write.relation) {
        return None;
    }
    let is_point_write = matches!(finding.write.command, Command::Delete | Command::Update)
        && query.condition().is_some_and(|condition| {
            unique_keys::leaves_one(finding.write.relation, query.resultRelation, condition)
        });
    let is_free = is_point_write && finding.expected.is_null();
    let counting = if is_free { std::ptr::null() } else { query::counting(query, Rows::All) };
    let is_alone = levels::plans_clients_own() && settings::scope() == SumOver::Statement;
    let may_be_made = matches!(finding.write.command, Command::Delete | Command::Update) && !is_alone;
    let made = if may_be_made { query::counting(query, Rows::Made) } else { std::ptr::null() };
    Some(Prepared { counting, made, is_point_write })
}

/// Gives the findings to the engine's plan of the statement; the last is its own, those before are its CTEs'. Where
/// the engine has planned a CTE by itself, that plan carries what was found of it (`planned_by_itself`).
///
/// # Safety
/// `plan` is what the planner made of the Query that `findings` describe.
pub unsafe fn attach(
    plan: *mut pg_sys::PlannedStmt,
    findings: &[Option<Finding>],
    prepared: &[Option<Prepared>],
    planned_by_itself: bool,
) {
    // SAFETY: a finished plan, ours to change until the planner hook returns.
    unsafe {
        let Some(scan) = engines_node((*plan).planTree) else { return };
        for (at, finding) in findings.iter().enumerate() {
            let (Some(finding), Some(Some(prepared))) = (finding, prepared.get(at)) else { continue };
            let is_main = at + 1 == findings.len() && (*plan).commandType != pg_sys::CmdType::CMD_SELECT;
            if !finding.guarded && !analysis::looks_at_all() && finding.expected.is_null() {
                continue;
            }
            let is_free = prepared.is_point_write
                && is_main
                && finding.qualification == Qualification::Qualified
                && finding.free > 0
                && finding.expected.is_null()
                && settings::scope() == SumOver::Statement
                && !analysis::looks_at_all()
                && levels::plans_clients_own();
            if is_free || (!is_main && planned_by_itself) {
                continue;
            }
            let carried = Carried {
                facts: Facts::of_whole_statement(finding),
                conditions: finding.conditions,
                expected: finding.expected,
                counting: prepared.counting,
                made: prepared.made,
                is_point_write: prepared.is_point_write,
                is_main,
            };
            (*scan).custom_exprs = pg_sys::lappend((*scan).custom_exprs, carried.as_list().cast());
            if !is_main {
                // The executor's hooks look at it for this.
                (*plan).hasModifyingCTE = true;
            }
            GIVEN.set(GIVEN.get().wrapping_add(1));
        }
    }
}

/// The node of an engine's that is the whole plan.
///
/// # Safety
/// `plan` is NULL or a plan node.
unsafe fn engines_node(plan: *mut pg_sys::Plan) -> Option<*mut pg_sys::CustomScan> {
    // SAFETY: the cast follows the tag; a node's methods have a name.
    unsafe {
        let scan = nodes::cast::<pg_sys::CustomScan, _>(plan, NodeTag::T_CustomScan)?;
        let name = core::ffi::CStr::from_ptr((*(*scan).methods).CustomName);
        engines::here()?.is_own_node(name).then_some(scan)
    }
}

impl Carried {
    fn as_list(self) -> *mut pg_sys::List {
        const SIZE: usize = pg_sys::VARHDRSZ + size_of::<Carried>();
        let nothing = pg_sys::InvalidOid;
        // SAFETY: makes nodes in the current memory context; a varlena has its bytes behind its head.
        unsafe {
            let value = pg_sys::palloc0(SIZE).cast::<pg_sys::varlena>();
            pgrx::set_varsize_4b(value, SIZE as i32);
            value.byte_add(pg_sys::VARHDRSZ).cast::<Carried>().write_unaligned(self);
            let fixed = pg_sys::makeConst(pg_sys::BYTEAOID, MARK, nothing, -1, value.into(), false, false);
            let node = |text: *const c_char| match text.is_null() {
                true => std::ptr::null_mut(),
                false => pg_sys::makeString(text.cast_mut()).cast(),
            };
            let (counting, made) = (node(self.counting), node(self.made));
            let parts = [fixed.cast(), self.conditions.cast(), self.expected.cast(), counting, made];
            parts.into_iter().fold(std::ptr::null_mut(), |list, part| pg_sys::lappend(list, part))
        }
    }

    /// Reads what `as_list` wrote; the plan may have been copied since. Owns nothing.
    ///
    /// # Safety
    /// `list` is NULL or a node of a plan.
    unsafe fn read(list: *mut pg_sys::Node) -> Option<Carried> {
        // SAFETY: by contract, casts follow tags; a plan stays in the process that made it.
        unsafe {
            let list = nodes::cast::<pg_sys::List, _>(list, NodeTag::T_List)?;
            let mut items = nodes::items::<pg_sys::Node>(list);
            let fixed = nodes::cast::<pg_sys::Const, _>(items.next()?, NodeTag::T_Const)?;
            if (*fixed).consttypmod != MARK {
                return None;
            }
            let (conditions, expected) = (items.next()?, items.next()?);
            let (counting, made) = (items.next()?, items.next()?);
            let value = (*fixed).constvalue.cast_mut_ptr::<pg_sys::varlena>();
            let carried = value.byte_add(pg_sys::VARHDRSZ).cast::<Carried>().read_unaligned();
            let text = |node| {
                nodes::cast::<pg_sys::String, _>(node, NodeTag::T_String)
                    .map_or(std::ptr::null(), |text| (*text).sval.cast_const())
            };
            let (counting, made) = (text(counting), text(made));
            let (conditions, expected) = (conditions.cast(), expected.cast());
            Some(Carried { conditions, expected, counting, made, ..carried })
        }
    }
}

/// One write of a statement that an engine runs.
struct One {
    carried: Carried,
    execution: *mut Execution,
    threshold: u64,
    /// What was counted before.
    before: Option<u64>,
    /// Of what it selects, what its sum has written before.
    made: u64,
    /// Rows of the table before it was written, of a write whose own count has inserted rows in it.
    table_before: Option<u64>,
}

/// What is kept of a statement while it runs.
#[repr(C)]
struct State {
    running: Running,
    callback: pg_sys::MemoryContextCallback,
    next: pg_sys::ExecProcNodeMtd,
    query: *mut pg_sys::EState,
    writes: *mut Vec<One>,
    is_judged: bool,
}

/// A statement has started that an engine may run: rule `where` is asked, and the rest is got ready.
///
/// # Safety
/// `query` has been started; no frame above owns anything.
#[allow(ffi_unwind_calls, reason = "called by a bare frame, which owns nothing")]
pub unsafe fn start(query: *mut pg_sys::QueryDesc) {
    // SAFETY: by contract; casts follow tags.
    unsafe {
        let (estate, ps) = ((*query).estate, (*query).planstate);
        if (*estate).es_top_eflags & pg_sys::EXEC_FLAG_EXPLAIN_ONLY as i32 != 0
            || nodes::tag(ps) != NodeTag::T_CustomScanState
            || nodes::length((*(*ps).plan.cast::<pg_sys::CustomScan>()).custom_exprs) == 0
            || !frame::guarded(|| engines_node((*ps).plan).is_some())
        {
            return;
        }
        frame::guarded(tell_unguarded);
        let previous = pg_sys::CurrentMemoryContext;
        pg_sys::CurrentMemoryContext = (*estate).es_query_cxt;
        let state = raw::palloc0(size_of::<State>()).cast::<State>();
        (*state).query = estate;
        (*state).callback.func = Some(drop_writes);
        (*state).callback.arg = state.cast();
        raw::MemoryContextRegisterResetCallback((*estate).es_query_cxt, &raw mut (*state).callback);
        let carried = (*(*ps).plan.cast::<pg_sys::CustomScan>()).custom_exprs;
        let mut i = 0;
        while i < nodes::length(carried) {
            let one = Carried::read((*(*carried).elements.add(i)).ptr_value.cast());
            if let Some(one) = one {
                start_one(state, ps, one);
            }
            i += 1;
        }
        pg_sys::CurrentMemoryContext = previous;
        if (*state).writes.is_null() {
            return;
        }
        running::note(&raw mut (*state).running, ps, (*estate).es_query_cxt);
        // ExecProcNode is PostgreSQL's, which takes this from here when it runs first.
        (*state).next = (*ps).ExecProcNodeReal;
        (*ps).ExecProcNodeReal = Some(run);
    }
}

/// Warns of nodes without this library, once in a session.
fn tell_unguarded() {
    let unguarded = engines::unguarded_nodes_at_first();
    if !unguarded.is_empty() {
        report::warn(&other_nodes::unguarded(&unguarded), None);
    }
}

/// # Safety
/// `state` is new; no frame above owns anything.
#[allow(ffi_unwind_calls, reason = "called by a bare frame, which owns nothing")]
unsafe fn start_one(state: *mut State, ps: *mut pg_sys::PlanState, carried: Carried) {
    // SAFETY: by contract; the expressions are the plan's.
    unsafe {
        let facts = raw::palloc0(size_of::<Facts>()).cast::<Facts>();
        facts.write(carried.facts);
        let orders = Orders::of_facts(&*facts, carried.conditions, carried.expected);
        let expectation = expected::evaluate(&orders, ps);
        match frame::guarded(|| execution::start(&orders, (*state).query, expectation)) {
            // What is of facts such as these does not begin light.
            Start::Pass | Start::Again => {}
            Start::Refuse(frozen) => report::raise(&frozen),
            Start::Watch { execution, threshold, .. } => frame::guarded(|| {
                if (*state).writes.is_null() {
                    (*state).writes = Box::into_raw(Box::default());
                }
                let one = One { carried, execution, threshold, before: None, made: 0, table_before: None };
                (*(*state).writes).push(one);
            }),
        }
    }
}

unsafe extern "C-unwind" fn drop_writes(state: *mut core::ffi::c_void) {
    frame::undisturbed((), || {
        // SAFETY: the state lives in the memory that is about to go; what it has is dropped once.
        unsafe {
            let state = state.cast::<State>();
            let writes = std::mem::replace(&mut (*state).writes, std::ptr::null_mut());
            if !writes.is_null() {
                for one in *Box::from_raw(writes) {
                    drop(Box::from_raw(one.execution));
                }
            }
        }
    });
}

/// Runs the engine's node: judged before its first row, which is when it writes, and after it.
#[allow(ffi_unwind_calls, reason = "a bare frame: it owns nothing and cannot panic")]
unsafe extern "C-unwind" fn run(ps: *mut pg_sys::PlanState) -> *mut pg_sys::TupleTableSlot {
    // SAFETY: PostgreSQL calls it for a state that `start` noted, which lives as long.
    unsafe {
        let state = running::of(ps).cast::<State>();
        if state.is_null() {
            return std::ptr::null_mut();
        }
        if !(*state).is_judged {
            judge(state, before);
        }
        (*state).running.works = true;
        let slot = match (*state).next {
            Some(next) => next(ps),
            None => std::ptr::null_mut(),
        };
        (*state).running.works = false;
        if !(*state).is_judged {
            (*state).is_judged = true;
            judge(state, after);
        }
        slot
    }
}

/// # Safety
/// `state` runs; no frame above owns anything.
#[allow(ffi_unwind_calls, reason = "called by a bare frame, which owns nothing")]
unsafe fn judge(state: *mut State, by: unsafe fn(*mut State, &mut One) -> Result<(), Frozen>) {
    // SAFETY: by contract.
    unsafe {
        let refused: Option<Frozen> =
            frame::guarded(|| (*(*state).writes).iter_mut().find_map(|one| by(state, one).err()));
        if let Some(frozen) = refused {
            report::raise(&frozen);
        }
    }
}

/// Counts what the statement is going to write.
unsafe fn before(state: *mut State, one: &mut One) -> Result<(), Frozen> {
    // SAFETY: as `judge`: the execution lives as long.
    let (task, parameters) = unsafe { (&mut (*one.execution).task, (*(*state).query).es_param_list_info) };
    // SAFETY: NULL, or NUL-terminated, of the plan.
    let (counting, made) = unsafe { (text::at(one.carried.counting), text::at(one.carried.made)) };
    if let Some(made) = made
        && ledger::sum(task.summed()) > 0
        && (settings::scope() == SumOver::Transaction || running::is_only_writer())
    {
        one.made = running::try_to_ask(made, parameters).unwrap_or(0);
    }
    if one.carried.is_point_write && one.carried.expected.is_null() {
        return Ok(());
    }
    if let Some(counting) = counting {
        one.before = running::try_to_ask(counting, parameters);
    }
    let Some(rows) = one.before else {
        // Counted by what comes of it; its table's size is that of before.
        one.table_before = task.read_size();
        return Ok(());
    };
    if let Some(unmet) = task.breaks(rows) {
        return Err(task.refuse_unmet(unmet, Selected::Rows(rows)));
    }
    let counted = rows.saturating_sub(one.made);
    if counted > one.threshold {
        one.threshold = task.check(counted)?;
    }
    task.meets(rows)
}

/// Holds what the engine has written against what it may.
unsafe fn after(state: *mut State, one: &mut One) -> Result<(), Frozen> {
    // SAFETY: as `judge`.
    let (execution, written) = unsafe { (&mut *one.execution, (*(*state).query).es_processed) };
    let write = one.carried.facts.write;
    let rows = match one.before {
        Some(before) if !one.carried.is_main => before,
        _ if !one.carried.is_main => 0,
        // What it has inserted counts for nothing.
        Some(before) if write.command == Command::Merge => before,
        None if matches!(write.command, Command::Merge | Command::Upsert) => {
            let now = engines::count(write.relation, write.only);
            let inserted = one.table_before.zip(now).map_or(0, |(then, now)| now.saturating_sub(then));
            written.saturating_sub(inserted)
        }
        _ => written,
    };
    let deleted = write.deletes(rows);
    execution.task.has_deleted(deleted);
    if let Some(unmet) = execution.task.breaks(rows) {
        return Err(execution.task.refuse_unmet(unmet, Selected::Rows(rows)));
    }
    execution.task.meets(rows)?;
    let counted = rows.saturating_sub(one.made);
    if counted > one.threshold {
        one.threshold = execution.task.check(counted)?;
    }
    execution.finish(counted, deleted)
}
