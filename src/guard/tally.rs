//! Counts that are the parts' or the sum's, told to the execution; a refusal is raised. Bare frames, as place.rs.

use super::direct;
use super::state::{self, GuardState, Made, orders_of};
use crate::pg::frame;
use crate::pg::pg_sys;
use crate::pg::report::{self, Frozen};

/// Counts rows that are stored in `leaf` for the parts that have policies of their own.
///
/// # Safety
/// `guard` runs; no frame above owns anything.
#[cold]
#[allow(ffi_unwind_calls, reason = "called by bare frames, which own nothing")]
pub unsafe fn count_in_parts(guard: *mut GuardState, leaf: pg_sys::Oid, rows: u64) {
    // SAFETY: by contract; what it has started with lives as long as the guard.
    unsafe {
        let refused: Option<Frozen> = frame::guarded(|| {
            let parts = (*guard).execution.as_mut()?.parts.as_mut()?;
            parts.count(leaf, rows, || direct::sent_from(guard)).err()
        });
        if let Some(frozen) = refused {
            report::raise(&frozen);
        }
    }
}

/// Notes a row that is stored in `leaf` and that the sum had counted before.
///
/// # Safety
/// As `count_in_parts`.
#[cold]
pub unsafe fn note_made_in_parts(guard: *mut GuardState, leaf: pg_sys::Oid) {
    // SAFETY: by contract; what it has started with lives as long as the guard.
    unsafe {
        frame::guarded(|| {
            let execution = (*guard).execution;
            if !execution.is_null()
                && let Some(parts) = (*execution).parts.as_mut()
            {
                parts.note_made(leaf);
            }
        });
    }
}

/// Notes whether the session's own ceiling counts rows otherwise than the sum does.
///
/// # Safety
/// `guard` runs.
#[inline]
pub unsafe fn note_own(guard: *mut GuardState, made: Made, rows: u64) {
    if made.by_sum == made.by_own {
        return;
    }
    // SAFETY: by contract; what it has started with lives as long as the guard.
    unsafe {
        if let Some(execution) = (*guard).execution.as_mut() {
            execution.task.note_own(made.by_sum, rows);
        }
    }
}

/// Counts what has been written beyond what came by: see `measure::count_rest`.
///
/// # Safety
/// The guard has run and has a task; no frame above owns anything.
#[cold]
#[allow(ffi_unwind_calls, reason = "called by bare frames, which own nothing")]
pub unsafe fn count_more(guard: *mut GuardState, rows: u64) {
    // SAFETY: by contract; what it has started with lives as long as the guard.
    unsafe {
        (*guard).count += rows;
        let deleted = orders_of(guard).write.deletes(rows);
        if let Some(frozen) = frame::guarded(|| state::execution(guard).task.join_sum(rows, deleted).err()) {
            report::raise(&frozen);
        }
    }
}
