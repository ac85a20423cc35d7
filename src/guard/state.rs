//! What a guard keeps while its plan runs, which all that works for it takes, and how one is known.

use core::ffi::c_char;

use pgrx::pg_sys::NodeTag;

use super::execution::Execution;
use super::made::Made;
use super::orders::Orders;
use super::spool::Spool;
use crate::pg::{nodes, pg_sys};

static NAME: [u8; 11] = *b"SafeDelete\0";

/// The node's name, by whose place a guard is known.
pub(super) const fn name() -> *const c_char {
    (&raw const NAME).cast()
}

/// What the node does with the next row.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// Hands rows on, uncounted.
    Pass,
    /// Counts rows (or what the parent and foreign servers count) and hands them on.
    Count,
    /// Has to collect its input first.
    Collect,
    /// Hands on what it collected.
    Replay,
    /// The input has ended.
    Done,
}

#[repr(C)]
pub struct GuardState {
    pub(super) scan: pg_sys::CustomScanState,
    pub(super) stage: Stage,
    pub orders: Option<Orders>,
    pub count: u64,
    pub(super) threshold: u64,
    pub(super) execution: *mut Execution,
    /// The ModifyTable above, where its counts are needed; see `measure::adopt`.
    pub(super) parent: *mut pg_sys::ModifyTableState,
    /// Rows that came by, of a flow whose count is kept elsewhere; once each where they can be told apart.
    pub(super) passed: u64,
    /// The foreign scans below that write, each with an instrument.
    pub(super) direct: *mut pg_sys::List,
    /// Parts of the table count by themselves; where a row lies is known when it passes.
    pub(super) counts_parts: bool,
    pub(super) last_leaf: pg_sys::Oid,
    /// A row is evaluated when it is handed on, whatever the stage.
    pub(super) projects: bool,
    /// Rows that come may have been made by the sum itself.
    pub(super) looks: bool,
    pub(super) looked_at: *mut pg_sys::TupleTableSlot,
    /// The row that passed last was made by the sum, and how many that were have been written: of a flow whose
    /// count is kept elsewhere.
    pub(super) last_is_made: Made,
    pub(super) made: u64,
    /// More input is to come when what was collected has been handed on.
    pub(super) unfinished: bool,
    pub(super) spool: Spool,
    /// Rows that memory has no room to tell apart; NULL where there are none. See `beyond`.
    pub(super) beyond: *mut pg_sys::Tuplesortstate,
}

/// The guard that a plan state is, if it is one.
///
/// # Safety
/// `state` is NULL or a plan state.
pub unsafe fn as_guard(state: *mut pg_sys::PlanState) -> *mut GuardState {
    // SAFETY: by contract; the cast follows the tag and the name.
    unsafe {
        if nodes::tag(state) == NodeTag::T_CustomScanState
            && std::ptr::eq((*(*state.cast::<pg_sys::CustomScanState>()).methods).CustomName, name())
        {
            return state.cast();
        }
        std::ptr::null_mut()
    }
}

/// Whether a plan node is a guard.
///
/// # Safety
/// `plan` is NULL or a plan node.
pub unsafe fn is_guard(plan: *mut pg_sys::Plan) -> bool {
    // SAFETY: by contract; the cast follows the tag.
    unsafe {
        nodes::tag(plan) == NodeTag::T_CustomScan
            && std::ptr::eq((*(*plan.cast::<pg_sys::CustomScan>()).methods).CustomName, name())
    }
}
