//! Writes that an engine plans and runs by itself (engines.rs): no ModifyTable shows them, and their rows lie
//! elsewhere. What is known of one travels in the engine's own plan node; it is judged where that node begins:
//!
//! * rule `where`, when the execution starts;
//! * rule `rows`, before anything is written, by a query of the same conditions, and once more by what the engine
//!   reports afterwards, which is what counts. The query, asked inside of a transaction of the engine's, sees to it
//!   that what is refused afterwards is undone everywhere.
//!
//! A write of one row by a unique key pays neither.

mod carried;
mod cascades;

use pgrx::pg_sys::NodeTag;
use safedelete_core::command::Command;
use safedelete_core::expectation::Selected;
use safedelete_core::nodes as other_nodes;

use super::execution::{self, Execution, Start};
use super::expected;
use super::orders::{Facts, Orders};
use crate::engines;
use crate::engines::query;
use crate::engines::running::{self, Running};
use crate::ledger;
use crate::pg::nodes;
use crate::pg::report::{self, Frozen};
use crate::pg::write::Write;
use crate::pg::{frame, pg_sys, raw, text};
use crate::settings::{self, SumOver};
use carried::{Carried, engines_node};
pub use carried::{Prepared, attach, given, prepare};
use cascades::Cascade;

/// One write of a statement that an engine runs.
struct One {
    carried: Carried,
    /// NULL where it is not guarded.
    execution: *mut Execution,
    threshold: u64,
    /// What was counted before.
    before: Option<u64>,
    /// Of what it selects, what its sum has written before.
    made: u64,
    /// Rows of the table before it was written, of a write whose own count has inserted rows in it.
    table_before: Option<u64>,
    cascades: Vec<Cascade>,
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
        let (execution, threshold) =
            match frame::guarded(|| execution::start(&orders, (*state).query, expectation)) {
                Start::Refuse(frozen) => return report::raise(&frozen),
                Start::Watch { execution, threshold, .. } => (execution, threshold),
                // What is of facts such as these does not begin light. Foreign keys go on from what is not guarded,
                // too.
                Start::Pass | Start::Again if !carried.keys.is_null() => (std::ptr::null_mut(), u64::MAX),
                Start::Pass | Start::Again => return,
            };
        frame::guarded(|| {
            if (*state).writes.is_null() {
                (*state).writes = Box::into_raw(Box::default());
            }
            let (before, table_before) = (None, None);
            let one =
                One { carried, execution, threshold, before, made: 0, table_before, cascades: Vec::new() };
            (*(*state).writes).push(one);
        });
    }
}

unsafe extern "C-unwind" fn drop_writes(state: *mut core::ffi::c_void) {
    frame::undisturbed((), || {
        // SAFETY: the state lives in the memory that is about to go; what it has is dropped once.
        unsafe {
            let state = state.cast::<State>();
            let writes = std::mem::replace(&mut (*state).writes, std::ptr::null_mut());
            if !writes.is_null() {
                let guarded = Box::from_raw(writes).into_iter().filter(|one| !one.execution.is_null());
                guarded.for_each(|one| drop(Box::from_raw(one.execution)));
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

/// Counts what the statement is going to write, and what foreign keys are for it.
unsafe fn before(state: *mut State, one: &mut One) -> Result<(), Frozen> {
    // SAFETY: as `judge`; NULL, or NUL-terminated, of the plan.
    let (parameters, keys) = unsafe {
        if !one.execution.is_null() {
            before_itself(state, one)?;
        }
        ((*(*state).query).es_param_list_info, text::at(one.carried.keys))
    };
    if let Some(keys) = keys {
        one.cascades = cascades::before(one.carried.facts.write, keys, parameters)?;
    }
    Ok(())
}

/// # Safety
/// As `before`.
unsafe fn before_itself(state: *mut State, one: &mut One) -> Result<(), Frozen> {
    // SAFETY: as `judge`: the execution lives as long.
    let (task, parameters) = unsafe { (&mut (*one.execution).task, (*(*state).query).es_param_list_info) };
    // SAFETY: NULL, or NUL-terminated, of the plan.
    let (counting, made) = unsafe { (text::at(one.carried.counting), text::at(one.carried.made)) };
    let relation = one.carried.facts.write.relation;
    if let Some(made) = made
        && ledger::sum(task.summed()) > 0
        && (settings::scope() == SumOver::Transaction || running::is_only_writer())
    {
        one.made = running::try_to_ask(made, parameters, engines::counts_under(relation)).unwrap_or(0);
    }
    if one.carried.is_point_write && one.carried.expected.is_null() {
        return Ok(());
    }
    if let Some(counting) = counting {
        one.before = running::try_to_ask(counting, parameters, engines::counts_under(relation));
    }
    let Some(rows) = one.before else {
        // Counted by what comes of it; its table's size is that of before.
        one.table_before = if one.carried.is_main { task.read_size() } else { left_or_made(one.carried) };
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

/// What a CTE's write changes, where nothing else tells its rows: of its table all rows where it deletes, those that
/// the transaction has made where it updates.
fn left_or_made(carried: Carried) -> Option<u64> {
    let Write { command, relation, only } = carried.facts.write;
    if command == Command::Delete {
        return engines::count(relation, only);
    }
    let text = query::counting_made(relation);
    running::try_to_ask(text::to_server(&text), std::ptr::null_mut(), engines::counts_under(relation))
}

/// Holds what the engine has written against what it may, and has what foreign keys have written join its sums.
unsafe fn after(state: *mut State, one: &mut One) -> Result<(), Frozen> {
    if !one.execution.is_null() {
        // SAFETY: as `judge`.
        unsafe { after_itself(state, one)? };
    }
    let write = one.carried.facts.write;
    one.cascades.iter_mut().try_for_each(|cascade| cascade.after(write))
}

/// # Safety
/// As `after`, of a write that is guarded.
unsafe fn after_itself(state: *mut State, one: &mut One) -> Result<(), Frozen> {
    // SAFETY: as `judge`.
    let (execution, written) = unsafe { (&mut *one.execution, (*(*state).query).es_processed) };
    let write = one.carried.facts.write;
    let rows = match one.before {
        Some(before) if !one.carried.is_main => before,
        _ if !one.carried.is_main => {
            let now = left_or_made(one.carried);
            one.table_before.zip(now).map_or(0, |(then, now)| then.abs_diff(now))
        }
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
