//! The guard as the executor sees it. These are bare frames: they own nothing, cannot panic, call
//! our guarded code for decisions and `raw` for everything that may run other people's code.
//!
//! The child is in `lefttree`, so that EXPLAIN and parameter changes find it; a custom scan has to
//! start, end and rescan it itself. Rows pass unchanged, but for what `split` has left to the node.
//! Before the first row is handed on, `flow` has pulled the whole input into `spool` (or found it too large,
//! with nothing written).

use core::ffi::c_int;

use crate::pg::pg_sys;
use pgrx::pg_sys::NodeTag;

use super::execution::{self, Start};
use super::orders::{Flow, Orders};
use super::state::{GuardState, Stage, name};
use super::{beyond, direct, expected, explain, flow, made};
use crate::pg::report;
use crate::pg::{compat, frame, nodes, raw};

struct Methods<T>(T);
// SAFETY: tables of function pointers and names, never written.
unsafe impl<T> Sync for Methods<T> {}

static SCAN_METHODS: Methods<pg_sys::CustomScanMethods> =
    Methods(pg_sys::CustomScanMethods { CustomName: name(), CreateCustomScanState: Some(create) });

static EXEC_METHODS: Methods<pg_sys::CustomExecMethods> = Methods(pg_sys::CustomExecMethods {
    CustomName: name(),
    BeginCustomScan: Some(begin),
    ExecCustomScan: Some(flow::execute),
    EndCustomScan: Some(end),
    ReScanCustomScan: Some(rescan),
    MarkPosCustomScan: None,
    RestrPosCustomScan: None,
    EstimateDSMCustomScan: None,
    InitializeDSMCustomScan: None,
    ReInitializeDSMCustomScan: None,
    InitializeWorkerCustomScan: None,
    ShutdownCustomScan: None,
    ExplainCustomScan: Some(explain::explain),
});

/// Lets PostgreSQL find the node's methods where it reads a plan from text.
pub fn register() {
    // SAFETY: a static table.
    unsafe { pg_sys::RegisterCustomScanMethods(&SCAN_METHODS.0) };
}

/// Makes the plan node above `input`; what it `given`, where it is not the input's columns; and what the
/// statement `expected` of its number of rows.
///
/// # Safety
/// `input` is a node of a finished plan; no frame above owns anything, up to `frame::call`.
#[allow(ffi_unwind_calls, reason = "runs in frame::call and owns nothing")]
pub unsafe fn make(
    input: *mut pg_sys::Plan,
    given: *mut pg_sys::List,
    private: *mut pg_sys::List,
    expected: *mut pg_sys::List,
    id: c_int,
) -> *mut pg_sys::CustomScan {
    // SAFETY: palloc0 gives a zeroed node; the lists hold TargetEntries.
    unsafe {
        let node = raw::palloc0(size_of::<pg_sys::CustomScan>()).cast::<pg_sys::CustomScan>();
        // Costs, rows, width, extParam and allParam are the input's.
        (*node).scan.plan = *input;
        let plan = &mut (*node).scan.plan;
        plan.type_ = NodeTag::T_CustomScan;
        plan.plan_node_id = id;
        plan.qual = std::ptr::null_mut();
        plan.initPlan = std::ptr::null_mut();
        plan.lefttree = input;
        plan.righttree = std::ptr::null_mut();
        plan.parallel_aware = false;
        plan.async_capable = false;
        plan.targetlist = given;
        let columns = (*input).targetlist;
        for i in 0..nodes::length(columns) {
            let entry = (*(*columns).elements.add(i)).ptr_value.cast::<pg_sys::TargetEntry>();
            let taken = column((*entry).expr.cast(), pg_sys::OUTER_VAR, (*entry).resno);
            let taken = like(entry, taken.cast());
            (*node).custom_scan_tlist = raw::lappend((*node).custom_scan_tlist, taken.cast());
            if given.is_null() {
                plan.targetlist = raw::lappend(plan.targetlist, hand_on(entry).cast());
            }
        }
        (*node).custom_private = private;
        (*node).custom_exprs = expected;
        (*node).methods = &SCAN_METHODS.0;
        node
    }
}

/// A column of the input as the node hands it on.
///
/// # Safety
/// `entry` is of the input's target list; as `make`.
#[allow(ffi_unwind_calls, reason = "runs in frame::call and owns nothing")]
unsafe fn hand_on(entry: *mut pg_sys::TargetEntry) -> *mut pg_sys::TargetEntry {
    // SAFETY: makes nodes in the current memory context.
    unsafe {
        let expression = (*entry).expr.cast::<pg_sys::Node>();
        // ExecCheckPlanOutput wants to see the NULLs that stand for an INSERT's dropped and
        // generated columns. The list is looked at, not run: rows pass as they come.
        let is_null = nodes::cast::<pg_sys::Const, _>(expression, NodeTag::T_Const)
            .is_some_and(|constant| (*constant).constisnull);
        let given = if is_null {
            raw::copyObjectImpl(expression.cast())
        } else {
            column(expression, pg_sys::INDEX_VAR, (*entry).resno).cast()
        };
        like(entry, given)
    }
}

/// Column `number` of a node below, whose expression there is `expression`.
///
/// # Safety
/// As `make`.
#[allow(ffi_unwind_calls, reason = "runs in frame::call and owns nothing")]
pub(super) unsafe fn column(
    expression: *mut pg_sys::Node,
    of: i32,
    number: pg_sys::AttrNumber,
) -> *mut pg_sys::Var {
    // SAFETY: makes a node in the current memory context.
    unsafe {
        let var = raw::palloc0(size_of::<pg_sys::Var>()).cast::<pg_sys::Var>();
        (*var).xpr.type_ = NodeTag::T_Var;
        (*var).varno = of as _;
        (*var).varattno = number;
        (*var).vartype = raw::exprType(expression);
        (*var).vartypmod = raw::exprTypmod(expression);
        (*var).varcollid = raw::exprCollation(expression);
        (*var).varnosyn = of as _;
        (*var).varattnosyn = number;
        (*var).location = -1;
        var
    }
}

/// A target entry of the same name and number.
///
/// # Safety
/// As `make`.
#[allow(ffi_unwind_calls, reason = "runs in frame::call and owns nothing")]
pub(super) unsafe fn like(
    entry: *mut pg_sys::TargetEntry,
    expression: *mut core::ffi::c_void,
) -> *mut pg_sys::TargetEntry {
    // SAFETY: makes a node in the current memory context.
    unsafe {
        let made =
            raw::makeTargetEntry(expression.cast(), (*entry).resno, (*entry).resname, (*entry).resjunk);
        (*made).ressortgroupref = (*entry).ressortgroupref;
        made
    }
}

#[allow(ffi_unwind_calls, reason = "a bare frame: it owns nothing and cannot panic")]
unsafe extern "C-unwind" fn create(_: *mut pg_sys::CustomScan) -> *mut pg_sys::Node {
    // SAFETY: a zeroed state in the executor's memory; zero is Stage::Pass.
    unsafe {
        let state = raw::palloc0(size_of::<GuardState>()).cast::<GuardState>();
        (*state).scan.ss.ps.type_ = NodeTag::T_CustomScanState;
        (*state).scan.methods = &EXEC_METHODS.0;
        (*state).stage = Stage::Pass;
        std::ptr::write(&raw mut (*state).orders, None);
        state.cast()
    }
}

#[allow(ffi_unwind_calls, reason = "a bare frame: it owns nothing and cannot panic")]
unsafe extern "C-unwind" fn begin(
    node: *mut pg_sys::CustomScanState,
    estate: *mut pg_sys::EState,
    eflags: c_int,
) {
    // SAFETY: PostgreSQL calls this once for a state that `create` made.
    unsafe {
        let guard = node.cast::<GuardState>();
        let plan = (*node).ss.ps.plan;
        let private = (*plan.cast::<pg_sys::CustomScan>()).custom_private;
        (*guard).orders = Orders::read(private);
        let passes = (*guard).orders.is_none()
            || eflags & pg_sys::EXEC_FLAG_EXPLAIN_ONLY as c_int != 0
            || !(*estate).es_epq_active.is_null();
        if !passes {
            start(guard, estate, eflags);
            made::settle(guard, estate);
        }
        (*node).ss.ps.lefttree = raw::ExecInitNode((*plan).lefttree, estate, eflags);
        settle(guard, estate);
    }
}

/// Asks what this execution may do.
///
/// # Safety
/// `guard` has its orders; no frame above owns anything.
#[allow(ffi_unwind_calls, reason = "called by a bare frame, which owns nothing")]
unsafe fn start(guard: *mut GuardState, estate: *mut pg_sys::EState, eflags: c_int) {
    // SAFETY: by contract.
    unsafe {
        let Some(orders) = &(*guard).orders else { return };
        // An error skips `end`: this goes with the memory of the execution.
        let callback =
            raw::palloc0(size_of::<pg_sys::MemoryContextCallback>()).cast::<pg_sys::MemoryContextCallback>();
        (*callback).func = Some(drop_execution);
        (*callback).arg = guard.cast();
        let expectation = expected::evaluate(guard);
        let role = compat::written_as(estate, orders.write.relation);
        let parameters = (*estate).es_param_list_info;
        match frame::guarded(|| execution::start(orders, parameters, eflags, role, expectation)) {
            Start::Pass => {}
            Start::Refuse(frozen) => report::raise(&frozen),
            Start::Watch { execution, threshold, spool } => {
                (*guard).execution = execution;
                (*guard).counts_parts = (*execution).parts.is_some();
                (*guard).threshold = threshold;
                (*guard).stage = if spool { Stage::Collect } else { Stage::Count };
                raw::MemoryContextRegisterResetCallback((*estate).es_query_cxt, callback);
            }
        }
    }
}

unsafe extern "C-unwind" fn drop_execution(guard: *mut core::ffi::c_void) {
    frame::undisturbed((), || {
        // SAFETY: the state lives in the memory that is about to go; it is dropped once.
        unsafe {
            let guard = guard.cast::<GuardState>();
            let execution = std::mem::replace(&mut (*guard).execution, std::ptr::null_mut());
            if !execution.is_null() {
                drop(Box::from_raw(execution));
            }
        }
    });
}

/// Says what kind of slots the node gives: those of its child, or those of its spool. Compiled
/// expressions above rely on it.
///
/// # Safety
/// `guard` has its child.
#[allow(ffi_unwind_calls, reason = "called by a bare frame, which owns nothing")]
unsafe fn settle(guard: *mut GuardState, estate: *mut pg_sys::EState) {
    // SAFETY: by contract.
    unsafe {
        let ps = &mut (*guard).scan.ss.ps;
        let child = ps.lefttree;
        let mut fixed = false;
        ps.resultops = raw::ExecGetResultSlotOps(child, &mut fixed);
        ps.resultopsfixed = fixed;
        ps.resultopsset = true;
        let Some(orders) = &(*guard).orders else { return };
        if orders.projects {
            ps.resultops = &raw const pg_sys::TTSOpsVirtual;
            ps.resultopsfixed = true;
            (*guard).projects = true;
        } else if (*guard).stage == Stage::Collect {
            // Identities, whole rows, and rows of the child may all come.
            ps.resultopsfixed = false;
        }
        if (*guard).stage == Stage::Collect {
            (*guard).spool.slot = compat::alloc_table_slot(
                &raw mut (*estate).es_tupleTable,
                raw::ExecGetResultType(child),
                &raw const pg_sys::TTSOpsVirtual,
            );
        }
        if matches!(orders.flow, Flow::Direct { .. }) && (*guard).stage == Stage::Count {
            (*guard).direct = direct::scans(child);
            frame::guarded(|| direct::instrument((*guard).direct));
        }
    }
}

#[allow(ffi_unwind_calls, reason = "a bare frame: it owns nothing and cannot panic")]
unsafe extern "C-unwind" fn end(node: *mut pg_sys::CustomScanState) {
    // SAFETY: PostgreSQL ends a state once; the child ends as it was begun.
    unsafe {
        let guard = node.cast::<GuardState>();
        (*guard).spool.release();
        beyond::release(guard);
        raw::ExecEndNode((*node).ss.ps.lefttree);
    }
}

#[allow(ffi_unwind_calls, reason = "a bare frame: it owns nothing and cannot panic")]
unsafe extern "C-unwind" fn rescan(node: *mut pg_sys::CustomScanState) {
    // SAFETY: only EvalPlanQual rescans the input of a ModifyTable, and there the node passes rows.
    unsafe {
        let child = (*node).ss.ps.lefttree;
        if (*child).chgParam.is_null() {
            raw::ExecReScan(child);
        }
    }
}
