//! Puts guards in their places: between a ModifyTable and its input, when a query has started. The plan is
//! PostgreSQL's own, and so are its states: what changes is the function that gives the input's rows. Whoever
//! starts from the plan (EvalPlanQual) never meets a guard. Bare frames: they own nothing, cannot panic, call our
//! guarded code for decisions and `raw` for everything that may run other people's code.

use crate::pg::pg_sys;
use pgrx::pg_sys::NodeTag;
use safedelete_core::command::Command;

use super::execution::{self, Start};
use super::late::{self, Late, Runner};
use super::orders::{Flow, Orders};
use super::state::{self, GuardState, Stage, orders_of};
use super::{beyond, direct, expected, explain, flow, made, measure, replay};
use crate::engines;
use crate::pg::execution::Execution;
use crate::pg::report;
use crate::pg::{compat, frame, nodes, raw};

/// Places the guards of a query that has started; those that are there stay. Rule `where` speaks here, before any
/// trigger fires. Called by the ExecutorStart hook. Whether the query is one write, which has none.
///
/// # Safety
/// `query` has started and has not run; no frame above owns anything.
#[inline]
pub unsafe fn place(query: *mut pg_sys::QueryDesc) -> bool {
    // SAFETY: by contract; casts follow tags.
    unsafe {
        let state = (*query).planstate;
        if nodes::tag(state) != NodeTag::T_ModifyTableState
            || !(*(*query).estate).es_auxmodifytables.is_null()
        {
            place_beside(query, std::ptr::null_mut());
            return false;
        }
        if !Orders::may_be_in((*state).plan.cast()) {
            // Nearly every write.
            return true;
        }
        place_main(query);
        false
    }
}

/// Whether a query is one write that has no guard, of one relation, and fires nothing. Not known is no.
///
/// # Safety
/// `query` has started.
#[inline(always)]
pub unsafe fn is_alone(query: *mut pg_sys::QueryDesc) -> bool {
    // SAFETY: by contract.
    let execution = unsafe { Execution::of(query) };
    let Some((modify, result)) = execution.modify() else { return false };
    // SAFETY: a ModifyTable's plan and execution; one that has no orders has as many lists as relations.
    unsafe {
        let plan = modify.ps.plan.cast::<pg_sys::ModifyTable>();
        modify.mt_nrels == 1
            && nodes::length((*plan).fdwPrivLists) <= 1
            && result.ri_TrigDesc.is_null()
            && std::ptr::eq(modify.rootResultRelInfo, modify.resultRelInfo)
            && modify.mt_partition_tuple_routing.is_null()
            && (*(*query).estate).es_auxmodifytables.is_null()
            && (*query).operation != pg_sys::CmdType::CMD_MERGE
    }
}

/// The same of the one write that a query is, which has orders.
///
/// # Safety
/// As `place`.
#[inline(never)]
unsafe fn place_main(query: *mut pg_sys::QueryDesc) {
    // SAFETY: by contract.
    unsafe {
        let previous = pg_sys::CurrentMemoryContext;
        pg_sys::CurrentMemoryContext = (*(*query).estate).es_query_cxt;
        place_at((*query).planstate.cast(), Runner::PostgreSql);
        pg_sys::CurrentMemoryContext = previous;
    }
}

/// The same of a query of which some inputs may start late.
///
/// # Safety
/// As `place`; `late` is what `late::prepare` gave for it.
#[inline(never)]
pub unsafe fn place_beside(query: *mut pg_sys::QueryDesc, late: *mut Late) {
    // SAFETY: by contract.
    unsafe { at_each(query, |modify| place_at(modify, late::runner_of(late, modify))) };
}

/// Places the guard of an input that has started late.
///
/// # Safety
/// The input of `modify` is in its place, and has given no row; no frame above owns anything.
pub unsafe fn place_on_input(modify: *mut pg_sys::ModifyTableState) {
    // SAFETY: by contract.
    unsafe {
        let guard = state::below(modify);
        if !guard.is_null() {
            let previous = pg_sys::CurrentMemoryContext;
            pg_sys::CurrentMemoryContext = (*(*guard).estate).es_query_cxt;
            settle(guard);
            pg_sys::CurrentMemoryContext = previous;
        }
    }
}

/// Has EXPLAIN show the guards of a query that it has run. Called by the ExecutorFinish hook.
///
/// # Safety
/// `query` has finished; no frame above owns anything.
pub unsafe fn show(query: *mut pg_sys::QueryDesc) {
    // SAFETY: by contract.
    unsafe { at_each(query, |modify| show_at(modify)) };
}

/// Goes to each ModifyTable of a query, in the order in which they have started.
///
/// # Safety
/// `query` has started; no frame above owns anything.
#[inline(never)]
unsafe fn at_each(query: *mut pg_sys::QueryDesc, at: impl Fn(*mut pg_sys::ModifyTableState) + Copy) {
    // SAFETY: by contract. A ModifyTable that does not set the tag is listed, wherever it stands, the last first.
    unsafe {
        let estate = (*query).estate;
        if estate.is_null() || (*query).planstate.is_null() {
            // Another extension runs it in a way of its own.
            return;
        }
        let previous = pg_sys::CurrentMemoryContext;
        pg_sys::CurrentMemoryContext = (*estate).es_query_cxt;
        let mut left = nodes::length((*estate).es_auxmodifytables);
        while left > 0 {
            left -= 1;
            let state = (*(*(*estate).es_auxmodifytables).elements.add(left)).ptr_value.cast();
            // Another extension may have put a node of its own there, which has it below.
            let modify = measure::modify_of(state);
            if !modify.is_null() {
                at(modify);
            }
        }
        let main = measure::main_of(query);
        if !main.is_null() {
            at(main);
        }
        pg_sys::CurrentMemoryContext = previous;
    }
}

/// The state below which the guard of a ModifyTable stands: its own, or that of the Result which evaluates what
/// the guard's input has to leave.
///
/// # Safety
/// `modify` has started, and carries `orders`.
unsafe fn place_of(modify: *mut pg_sys::ModifyTableState, orders: &Orders) -> *mut pg_sys::PlanState {
    // SAFETY: by contract.
    unsafe { if orders.projects { (*modify).ps.lefttree } else { &raw mut (*modify).ps } }
}

/// # Safety
/// `modify` has started; the memory is its execution's; no frame above owns anything.
unsafe fn place_at(modify: *mut pg_sys::ModifyTableState, runner: Runner) {
    // SAFETY: by contract; every ModifyTable has an input.
    unsafe {
        let Some(orders) = Orders::of((*modify).ps.plan.cast()) else { return };
        if (*(*modify).ps.state).es_top_eflags & pg_sys::EXEC_FLAG_EXPLAIN_ONLY as i32 != 0 {
            explain::stand_in(place_of(modify, &orders), modify, orders);
        } else if state::below(modify).is_null() {
            start(modify, orders, runner);
        }
    }
}

/// Asks what this execution may do, and sets a guard where it is watched.
///
/// # Safety
/// As `place_at`; `modify` carries `orders`, and its input is there, or awaited.
#[allow(ffi_unwind_calls, reason = "called by a bare frame, which owns nothing")]
unsafe fn start(modify: *mut pg_sys::ModifyTableState, orders: Orders, runner: Runner) {
    // SAFETY: by contract. Registering raises nothing.
    unsafe {
        let estate = (*modify).ps.state;
        let guard = state::take();
        (*guard).callback.func = Some(end);
        (*guard).callback.arg = guard.cast();
        raw::MemoryContextRegisterResetCallback((*estate).es_query_cxt, &raw mut (*guard).callback);
        (&raw mut (*guard).orders).write(orders);
        (*guard).parent = modify;
        (*guard).estate = estate;
        while !watch_again(guard, runner) {
            let expectation = expected::evaluate(&orders, &raw mut (*modify).ps);
            match frame::guarded(|| execution::start(&orders, estate, expectation)) {
                Start::Pass => return,
                Start::Refuse(frozen) => report::raise(&frozen),
                // Settings may have changed since.
                Start::Again => {}
                Start::Watch { execution, threshold, spool } => {
                    (*guard).execution = execution;
                    (*guard).counts_parts = (*execution).parts.is_some();
                    return watch(guard, threshold, spool, runner);
                }
            }
        }
    }
}

/// Sets a guard where the execution begins light, as one before; whether it does.
///
/// # Safety
/// As `watch`.
unsafe fn watch_again(guard: *mut GuardState, runner: Runner) -> bool {
    // SAFETY: by contract.
    unsafe {
        let orders = &(*guard).orders;
        let begins = execution::start_again(orders, (*guard).estate, &mut (*guard).light);
        if let (Some(threshold), Some(light)) = (begins, &(*guard).light) {
            let in_tree = light.joined.named.is_none();
            (*guard).is_known = !in_tree || orders.write.command == Command::Delete;
            let collects = !light.referential;
            watch(guard, threshold, collects, runner);
        }
        begins.is_some()
    }
}

/// Sets a guard that a ModifyTable has, and puts it into its place, unless the input is awaited.
///
/// # Safety
/// `guard` knows what it watches; as `place_at`.
#[allow(ffi_unwind_calls, reason = "called by a bare frame, which owns nothing")]
unsafe fn watch(guard: *mut GuardState, threshold: u64, collects: bool, runner: Runner) {
    // SAFETY: by contract.
    unsafe {
        (*guard).threshold = threshold;
        if collects {
            flow::turn_to(guard, Stage::Collect, replay::collect_first);
        } else {
            flow::turn_to(guard, Stage::Count, flow::count_row);
        }
        state::link(guard);
        let modify = (*guard).parent;
        if orders_of(guard).write.command == Command::Upsert && (*modify).ps.instrument.is_null() {
            // InstrCountTuples2 counts the conflicts, where there is an instrument.
            (*modify).ps.instrument = frame::guarded(|| compat::instrument(0));
        }
        (*guard).runs_elsewhere = runner != Runner::PostgreSql;
        if runner != (Runner::Engine { is_awaited: true }) {
            settle(guard);
        }
    }
}

/// Puts a guard between a ModifyTable and its input.
///
/// # Safety
/// The input is there; as `watch`.
#[allow(ffi_unwind_calls, reason = "called by a bare frame, which owns nothing")]
unsafe fn settle(guard: *mut GuardState) {
    // SAFETY: by contract. ExecProcNodeFirst, which stands before the input's function, stays.
    unsafe {
        let orders = &(*guard).orders;
        let child = (*place_of((*guard).parent, orders)).lefttree;
        (*guard).looks = made::may_come(guard);
        if (*guard).looks && (*guard).runs_elsewhere {
            // Rows that the engine has unpacked for this statement look as if they were inserted.
            (*guard).looks = !frame::guarded(|| engines::counts(orders.write.relation));
        }
        if (*guard).stage == Stage::Collect {
            (*guard).spool.begin(orders, child, (*guard).estate);
        } else if matches!(orders.flow, Flow::Direct { .. }) {
            (*guard).direct = direct::scans(child);
            frame::guarded(|| direct::instrument((*guard).direct));
        }
        (*guard).child = child;
        (*guard).pull = (*child).ExecProcNodeReal;
        (*child).ExecProcNodeReal = Some(flow::execute);
        if (*child).ExecProcNode.map(|next| next as usize) == (*guard).pull.map(|next| next as usize) {
            // It stands there by itself.
            (*child).ExecProcNode = Some(flow::execute);
        }
    }
}

/// The memory of an execution goes.
unsafe extern "C-unwind" fn end(guard: *mut core::ffi::c_void) {
    // SAFETY: this is called once, and nobody runs the execution any more.
    unsafe {
        let guard = guard.cast::<GuardState>();
        state::unlink(guard);
        let (light, execution) = ((*guard).light, (*guard).execution);
        if let Some(light) = light {
            light.give_back();
        } else if !execution.is_null() {
            frame::undisturbed((), || drop(Box::from_raw(execution)));
        }
        state::give_back(guard);
    }
}

/// Lets go of what the guards of a query hold, which may not have come to the end of their rows: pages, and files
/// of their own. Called by the ExecutorFinish hook.
///
/// # Safety
/// `query` has finished; no frame above owns anything.
#[inline]
pub unsafe fn release(query: *mut pg_sys::QueryDesc) {
    // SAFETY: by contract; guards are of executions that have not ended.
    unsafe {
        state::each_of((*query).estate, |guard| {
            (*guard).spool.release();
            beyond::release(guard);
        });
    }
}

/// # Safety
/// As `place_at`, of a query that only EXPLAIN looks at from here on.
unsafe fn show_at(modify: *mut pg_sys::ModifyTableState) {
    // SAFETY: by contract.
    unsafe {
        if let Some(orders) = Orders::of((*modify).ps.plan.cast()) {
            explain::stand_in(place_of(modify, &orders), modify, orders);
        }
    }
}
