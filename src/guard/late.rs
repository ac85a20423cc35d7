//! Inputs that start late. An engine's node may start the ModifyTable below it with a placeholder for an input, and
//! the input itself when it is run first: TimescaleDB unpacks compressed rows in between. So a node of ours stands
//! above the input until it has started. It hands on what comes, and when the first row is asked for, it takes itself
//! out of the states' tree and has the guard placed on the input. It stands in a copy of the plan's upper nodes, which
//! is that execution's own: the plan stays PostgreSQL's.

use core::ffi::c_int;

use pgrx::pg_sys::NodeTag;

use super::orders::Orders;
use crate::engines;
use crate::pg::custom::{self, Methods};
use crate::pg::{frame, nodes, pg_sys, raw};

/// What is done when an input has started.
pub type Started = unsafe fn(*mut pg_sys::ModifyTableState);

/// The node above an input, for one execution.
#[repr(C)]
pub struct Late {
    scan: pg_sys::CustomScan,
    next: *mut Late,
    /// What a ModifyTable carries beside its orders, by which its state is known: each has a list of its own.
    carried: *mut pg_sys::List,
    modify: *mut pg_sys::ModifyTableState,
    /// Not: the input starts with the ModifyTable, and no node stands above it.
    is_late: bool,
    /// NULL until it starts.
    state: *mut State,
    started: Started,
}

#[repr(C)]
struct State {
    scan: pg_sys::CustomScanState,
    late: *mut Late,
    is_taken_out: bool,
}

static SCAN_METHODS: Methods<pg_sys::CustomScanMethods> =
    Methods(pg_sys::CustomScanMethods { CreateCustomScanState: Some(create), ..custom::SCAN });

static EXEC_METHODS: Methods<pg_sys::CustomExecMethods> = Methods(pg_sys::CustomExecMethods {
    BeginCustomScan: Some(begin),
    ExecCustomScan: Some(execute),
    EndCustomScan: Some(end),
    ReScanCustomScan: Some(rescan),
    ..custom::EXEC
});

/// Gives a query that is about to start a plan in which such nodes stand, where an engine's node may start an input
/// late; NULL where none does, and the plan is as it was.
///
/// # Safety
/// `query` is about to start, and has its own plan back when it has started; no frame above owns anything.
#[allow(ffi_unwind_calls, reason = "called by a bare frame, which owns nothing")]
pub unsafe fn prepare(query: *mut pg_sys::QueryDesc, started: Started) -> *mut Late {
    // SAFETY: by contract; the copies are as the originals but for what is set here.
    unsafe {
        let plan = (*query).plannedstmt;
        let mut subplans = nodes::items::<pg_sys::Plan>((*plan).subplans);
        if wrapped((*plan).planTree).is_null() && !subplans.any(|plan| !wrapped(plan).is_null()) {
            return std::ptr::null_mut();
        }
        let mut first = std::ptr::null_mut();
        let copy = copy_of(plan);
        (*copy).planTree = above_input((*plan).planTree, started, &mut first);
        (*copy).subplans = std::ptr::null_mut();
        let mut i = 0;
        while i < nodes::length((*plan).subplans) {
            let subplan = (*(*(*plan).subplans).elements.add(i)).ptr_value.cast();
            let own = above_input(subplan, started, &mut first);
            (*copy).subplans = raw::lappend((*copy).subplans, own.cast());
            i += 1;
        }
        (*query).plannedstmt = copy;
        first
    }
}

/// A node's copy, which shares what the node points to.
///
/// # Safety
/// `node` is one.
#[allow(ffi_unwind_calls, reason = "called by bare frames, which own nothing")]
unsafe fn copy_of<T>(node: *const T) -> *mut T {
    // SAFETY: by contract; palloc's memory is aligned.
    unsafe {
        let copy = raw::palloc0(size_of::<T>()).cast::<T>();
        std::ptr::copy_nonoverlapping(node, copy, 1);
        copy
    }
}

/// The ModifyTable with orders below an engine's node that runs it; NULL where there is none.
///
/// # Safety
/// `plan` is NULL or a plan node; no frame above owns anything.
unsafe fn wrapped(plan: *mut pg_sys::Plan) -> *mut pg_sys::ModifyTable {
    // SAFETY: casts follow tags; a node's methods have a name.
    unsafe {
        let nothing = std::ptr::null_mut();
        let Some(scan) = nodes::cast::<pg_sys::CustomScan, _>(plan, NodeTag::T_CustomScan) else {
            return nothing;
        };
        let plans = (*scan).custom_plans;
        if nodes::length(plans) != 1 {
            return nothing;
        }
        let below = (*(*plans).elements).ptr_value.cast::<pg_sys::ModifyTable>();
        let is_late = nodes::tag(below) == NodeTag::T_ModifyTable
            && Orders::may_be_in(below)
            && frame::guarded(|| {
                let name = core::ffi::CStr::from_ptr((*(*scan).methods).CustomName);
                engines::here().is_some_and(|engine| engine.wraps_writes(name))
            });
        if is_late { below } else { nothing }
    }
}

/// The same plan, or one of its own in which a node stands above the input.
///
/// # Safety
/// As `wrapped`.
#[allow(ffi_unwind_calls, reason = "called by bare frames, which own nothing")]
unsafe fn above_input(plan: *mut pg_sys::Plan, started: Started, first: &mut *mut Late) -> *mut pg_sys::Plan {
    // SAFETY: by contract; nodes as the executor looks for them.
    unsafe {
        let modify = wrapped(plan);
        if modify.is_null() {
            return plan;
        }
        let input = (*modify).plan.lefttree;
        let late = raw::palloc0(size_of::<Late>()).cast::<Late>();
        (*late).carried = (*modify).fdwPrivLists;
        (*late).started = started;
        (*late).next = *first;
        *first = late;
        (*late).is_late =
            frame::guarded(|| engines::here().is_some_and(|engine| engine.starts_inputs_late()));
        if !(*late).is_late {
            return plan;
        }
        let node = &raw mut (*late).scan;
        // Costs, rows, width, extParam and allParam are the input's.
        (*node).scan.plan = *input;
        (*node).scan.plan.type_ = NodeTag::T_CustomScan;
        (*node).scan.plan.qual = std::ptr::null_mut();
        (*node).scan.plan.initPlan = std::ptr::null_mut();
        (*node).scan.plan.lefttree = input;
        (*node).scan.plan.righttree = std::ptr::null_mut();
        (*node).scan.plan.parallel_aware = false;
        (*node).scan.plan.async_capable = false;
        (*node).scan.plan.targetlist = columns((*input).targetlist);
        (*node).custom_scan_tlist = (*input).targetlist;
        (*node).methods = &SCAN_METHODS.0;

        let modify = copy_of(modify);
        (*modify).plan.lefttree = node.cast();
        let wrapper = copy_of(plan.cast::<pg_sys::CustomScan>());
        (*wrapper).custom_plans = raw::lappend(std::ptr::null_mut(), modify.cast());
        wrapper.cast()
    }
}

/// What hands on the columns of an input. Constants stay: PostgreSQL looks for the NULLs of dropped columns.
///
/// # Safety
/// A plan's target list.
#[allow(ffi_unwind_calls, reason = "called by bare frames, which own nothing")]
unsafe fn columns(of: *mut pg_sys::List) -> *mut pg_sys::List {
    // SAFETY: a target list holds TargetEntries.
    unsafe {
        let mut columns = std::ptr::null_mut();
        let mut i = 0;
        while i < nodes::length(of) {
            let entry = (*(*of).elements.add(i)).ptr_value.cast::<pg_sys::TargetEntry>();
            let column = copy_of(entry);
            let expression = (*entry).expr.cast::<pg_sys::Node>();
            if nodes::tag(expression) != NodeTag::T_Const {
                (*column).expr = raw::makeVar(
                    pg_sys::INDEX_VAR as _,
                    i as pg_sys::AttrNumber + 1,
                    raw::exprType(expression),
                    raw::exprTypmod(expression),
                    raw::exprCollation(expression),
                    0,
                )
                .cast();
            }
            columns = raw::lappend(columns, column.cast());
            i += 1;
        }
        columns
    }
}

/// Who runs a ModifyTable that has started.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Runner {
    PostgreSql,
    /// An engine; whether its input is still to start.
    Engine {
        is_awaited: bool,
    },
}

/// Who runs a ModifyTable that has started; an input that has started is in its place then.
///
/// # Safety
/// `late` is what `prepare` gave for the query of `modify`, which has started; no frame above owns anything.
pub unsafe fn runner_of(late: *mut Late, modify: *mut pg_sys::ModifyTableState) -> Runner {
    // SAFETY: by contract.
    unsafe {
        let carried = (*(*modify).ps.plan.cast::<pg_sys::ModifyTable>()).fdwPrivLists;
        let mut next = late;
        while let Some(late) = next.as_mut() {
            if late.carried == carried {
                late.modify = modify;
                let is_awaited = late.is_late && late.state.is_null();
                if late.is_late && !is_awaited {
                    take_out(late.state);
                }
                return Runner::Engine { is_awaited };
            }
            next = late.next;
        }
        Runner::PostgreSql
    }
}

/// A node that has started goes out of the trees of states and plans, where it is known whose input it stands above.
///
/// # Safety
/// `state` has started, of the execution that its node was made for.
unsafe fn take_out(state: *mut State) {
    // SAFETY: by contract; the ModifyTable's plan is that execution's own.
    unsafe {
        let modify = (*(*state).late).modify;
        if modify.is_null() || (*state).is_taken_out {
            return;
        }
        let input = (*state).scan.ss.ps.lefttree;
        (*state).is_taken_out = true;
        (*modify).ps.lefttree = input;
        (*(*modify).ps.plan).lefttree = (*input).plan;
    }
}

/// A bare frame: CreateCustomScanState.
#[allow(ffi_unwind_calls, reason = "a bare frame: it owns nothing and cannot panic")]
unsafe extern "C-unwind" fn create(scan: *mut pg_sys::CustomScan) -> *mut pg_sys::Node {
    // SAFETY: the node is the head of a `Late`.
    unsafe {
        let state = raw::palloc0(size_of::<State>()).cast::<State>();
        (*state).scan.ss.ps.type_ = NodeTag::T_CustomScanState;
        (*state).scan.methods = &EXEC_METHODS.0;
        (*state).late = scan.cast();
        state.cast()
    }
}

/// A bare frame: BeginCustomScan.
#[allow(ffi_unwind_calls, reason = "a bare frame: it owns nothing and cannot panic")]
unsafe extern "C-unwind" fn begin(
    node: *mut pg_sys::CustomScanState,
    estate: *mut pg_sys::EState,
    eflags: c_int,
) {
    // SAFETY: PostgreSQL's arguments; `create` made the state.
    unsafe {
        let ps = &raw mut (*node).ss.ps;
        let input = raw::ExecInitNode((*(*ps).plan).lefttree, estate, eflags);
        (*ps).lefttree = input;
        // Rows are handed on in the input's own slots.
        let mut is_fixed = false;
        (*ps).resultops = raw::ExecGetResultSlotOps(input, &mut is_fixed);
        (*ps).resultopsfixed = is_fixed;
        (*ps).resultopsset = true;
        // EvalPlanQual starts it once more, in a state of its own.
        if (*estate).es_epq_active.is_null() {
            (*(*node.cast::<State>()).late).state = node.cast();
        }
    }
}

/// A bare frame: ExecCustomScan.
#[allow(ffi_unwind_calls, reason = "a bare frame: it owns nothing and cannot panic")]
unsafe extern "C-unwind" fn execute(node: *mut pg_sys::CustomScanState) -> *mut pg_sys::TupleTableSlot {
    // SAFETY: as above.
    unsafe {
        let state = node.cast::<State>();
        let late = (*state).late;
        if (*late).state == state && !(*state).is_taken_out && !(*late).modify.is_null() {
            take_out(state);
            ((*late).started)((*late).modify);
        }
        let input = (*node).ss.ps.lefttree;
        match (*input).ExecProcNode {
            Some(next) => next(input),
            None => std::ptr::null_mut(),
        }
    }
}

/// A bare frame: EndCustomScan.
#[allow(ffi_unwind_calls, reason = "a bare frame: it owns nothing and cannot panic")]
unsafe extern "C-unwind" fn end(node: *mut pg_sys::CustomScanState) {
    // SAFETY: as above; who has been taken out is not asked.
    unsafe { raw::ExecEndNode((*node).ss.ps.lefttree) };
}

/// A bare frame: ReScanCustomScan.
#[allow(ffi_unwind_calls, reason = "a bare frame: it owns nothing and cannot panic")]
unsafe extern "C-unwind" fn rescan(node: *mut pg_sys::CustomScanState) {
    // SAFETY: as above.
    unsafe { raw::ExecReScan((*node).ss.ps.lefttree) };
}
