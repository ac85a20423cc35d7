//! What a guard keeps while its plan runs, which all that works for it takes, and how one is found. The memory of
//! those that have ended serves the next.

use std::mem::offset_of;

use super::execution::{Execution, Light};
use super::orders::Orders;
use super::spool::Spool;
use crate::pg::local::Local;
use crate::pg::{pg_sys, raw};

/// What becomes of the next row.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// Rows (or what the parent and foreign servers count) are counted and handed on.
    Count,
    /// The input has to be collected first.
    Collect,
    /// What was collected is handed on.
    Replay,
    /// The input has ended.
    Done,
}

/// Who has counted, or inserted, a row version that the running sum has made.
#[derive(Clone, Copy, Default)]
pub(super) struct Made {
    pub(super) by_sum: bool,
    /// A session's own ceiling, which counts what is nobody's sum, too, but nothing while it is not set.
    pub(super) by_own: bool,
    /// The row was not there when the sum began: that it goes makes the table no smaller.
    pub(super) inserted: bool,
}

/// What gives the next row, at a stage.
pub(super) type Step = unsafe fn(*mut GuardState) -> *mut pg_sys::TupleTableSlot;

/// A guard at work. It goes with the memory of its execution.
#[repr(C)]
pub struct GuardState {
    /// The guard that was placed before this one; of memory to spare, the next piece.
    next: *mut GuardState,
    pub(super) step: Option<Step>,
    /// The state whose rows it takes, and the function that gives them.
    pub(super) child: *mut pg_sys::PlanState,
    pub(super) pull: pg_sys::ExecProcNodeMtd,
    /// The ModifyTable above.
    pub(super) parent: *mut pg_sys::ModifyTableState,
    pub(super) estate: *mut pg_sys::EState,
    /// An error skips the end of an execution: this goes with its memory.
    pub(super) callback: pg_sys::MemoryContextCallback,
    pub(super) stage: Stage,
    pub orders: Orders,
    pub count: u64,
    pub(super) threshold: u64,
    /// NULL where it began light, and has not been made whole.
    pub(super) execution: *mut Execution,
    pub(super) light: Option<Light>,
    /// It began light, of a table whose sum needs to know no more than how many rows were written.
    pub(super) is_known: bool,
    /// Rows that came by, of a flow whose count is kept elsewhere; once each where they can be told apart.
    pub(super) passed: u64,
    /// The foreign scans below that write, each with an instrument.
    pub(super) direct: *mut pg_sys::List,
    /// Parts of the table count by themselves; where a row lies is known when it passes.
    pub(super) counts_parts: bool,
    /// Of the rows made, those that the sum has inserted; of MERGE's, those that it deletes.
    pub(super) inserted: u64,
    /// What MERGE had deleted before the last row.
    pub(super) deleted_before: u64,
    pub(super) last_leaf: pg_sys::Oid,
    /// Rows that come may have been made by the sum itself.
    pub(super) looks: bool,
    pub(super) looked_at: *mut pg_sys::TupleTableSlot,
    /// The row that passed last was made by the sum, and how many that were have been written: of a flow whose
    /// count is kept elsewhere.
    pub(super) last_is_made: Made,
    pub(super) made: u64,
    /// An engine runs the ModifyTable above; of MERGE, how many rows that has deleted.
    pub(super) runs_elsewhere: bool,
    pub(super) deleted: f64,
    /// More input is to come when what was collected has been handed on.
    pub(super) unfinished: bool,
    /// Rows that memory has no room to tell apart; NULL where there are none. See `beyond`.
    pub(super) beyond: *mut pg_sys::Tuplesortstate,
    /// The last: it ends with what need not be zeroed.
    pub(super) spool: Spool,
}

/// The guards at work, the newest first: those of nested statements, and of several writes of one.
static GUARDS: Local<*mut GuardState> = Local::new(std::ptr::null_mut());

/// Memory of guards that have ended, and how many: a loop's statements take it one after another.
static SPARE: Local<(*mut GuardState, u32)> = Local::new((std::ptr::null_mut(), 0));

/// So many are kept.
const MOST_SPARE: u32 = 8;

/// A state in which everything is zero, or `None`.
///
/// # Safety
/// No frame above owns anything.
#[allow(ffi_unwind_calls, reason = "called by a bare frame, which owns nothing")]
pub(super) unsafe fn take() -> *mut GuardState {
    // SAFETY: what is to spare is nobody's. All zeroes are no guard yet, and no rows.
    unsafe {
        let (mut guard, spare) = SPARE.get();
        if guard.is_null() {
            guard = raw::MemoryContextAllocHuge(pg_sys::TopMemoryContext, size_of::<GuardState>()).cast();
        } else {
            SPARE.set(((*guard).next, spare - 1));
        }
        guard.cast::<u8>().write_bytes(0, offset_of!(GuardState, spool) + Spool::HEAD);
        (&raw mut (*guard).light).write(None);
        guard
    }
}

/// Gives the memory of a state back.
///
/// # Safety
/// `take` has given it, and nobody has it any more.
#[allow(ffi_unwind_calls, reason = "raises nothing")]
pub(super) unsafe fn give_back(guard: *mut GuardState) {
    let (next, spare) = SPARE.get();
    // SAFETY: by contract.
    unsafe {
        if spare < MOST_SPARE {
            (*guard).next = next;
            SPARE.set((guard, spare + 1));
        } else {
            raw::pfree(guard.cast());
        }
    }
}

/// A guard goes to work.
///
/// # Safety
/// `guard` lives until `unlink`.
pub(super) unsafe fn link(guard: *mut GuardState) {
    // SAFETY: by contract.
    unsafe { (*guard).next = GUARDS.get() };
    GUARDS.set(guard);
}

/// It is at work no more.
///
/// # Safety
/// `guard` has been linked, or not.
pub(super) unsafe fn unlink(guard: *mut GuardState) {
    if GUARDS.get() == guard {
        // SAFETY: it lives still.
        GUARDS.set(unsafe { (*guard).next });
        return;
    }
    let before = find(|other| {
        // SAFETY: those that are linked live.
        unsafe { (*other).next == guard }
    });
    if !before.is_null() {
        // SAFETY: likewise.
        unsafe { (*before).next = (*guard).next };
    }
}

/// The newest guard at work that is so; NULL where none is.
#[inline(always)]
fn find(is_so: impl Fn(*mut GuardState) -> bool) -> *mut GuardState {
    let mut guard = GUARDS.get();
    while !guard.is_null() && !is_so(guard) {
        // SAFETY: those that are linked live.
        guard = unsafe { (*guard).next };
    }
    guard
}

/// The guard that takes the rows of a state; there is one, where its function gives them.
#[inline(always)]
pub(super) fn above(child: *mut pg_sys::PlanState) -> *mut GuardState {
    // SAFETY: those that are linked live.
    find(|guard| unsafe { (*guard).child == child })
}

/// The guard at work below a ModifyTable; NULL where there is none.
pub fn below(modify: *mut pg_sys::ModifyTableState) -> *mut GuardState {
    // SAFETY: likewise.
    find(|guard| unsafe { (*guard).parent == modify })
}

/// Does something with each guard of an execution.
///
/// # Safety
/// What is done neither places a guard nor ends one.
#[inline]
pub(super) unsafe fn each_of(estate: *mut pg_sys::EState, does: impl Fn(*mut GuardState)) {
    find(|guard| {
        // SAFETY: those that are linked live.
        if unsafe { (*guard).estate == estate } {
            does(guard);
        }
        false
    });
}

/// The execution of a guard, made whole where it began light.
///
/// # Safety
/// `guard` is at work, and nobody else has this.
pub(super) unsafe fn execution<'g>(guard: *mut GuardState) -> &'g mut Execution {
    // SAFETY: by contract; one or the other is there until the guard ends.
    unsafe {
        if let Some(light) = (*guard).light.take() {
            (*guard).execution =
                Box::into_raw(Box::new(light.into_execution(&(*guard).orders, (*guard).estate)));
        }
        &mut *(*guard).execution
    }
}

/// The orders of a guard; written out, for a reference to what a raw pointer leads to should be seen.
///
/// # Safety
/// The guard lives.
#[inline]
pub(super) unsafe fn orders_of<'a>(guard: *const GuardState) -> &'a Orders {
    // SAFETY: by contract.
    unsafe { &(*guard).orders }
}
