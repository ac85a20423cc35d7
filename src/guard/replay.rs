//! Hands on the rows that a guard has collected. Bare frames, as place.rs; per row a function pointer call.

use super::flow::{collect, count_row, end, turn_to};
use super::state::{GuardState, Stage, orders_of};
use crate::pg::{pg_sys, raw};

/// Collects the input, and hands on the first row.
///
/// # Safety
/// As `execute`.
pub unsafe fn collect_first(guard: *mut GuardState) -> *mut pg_sys::TupleTableSlot {
    // SAFETY: by contract.
    unsafe {
        collect(guard);
        let are_identities = (*guard).spool.turn_to_reading();
        let next = match are_identities {
            true => next_identity,
            false if orders_of(guard).skips => next_once,
            false => next_packed,
        };
        turn_to(guard, Stage::Replay, next);
        replay(guard)
    }
}

/// Hands on a collected identity.
///
/// # Safety
/// As `execute`.
unsafe fn next_identity(guard: *mut GuardState) -> *mut pg_sys::TupleTableSlot {
    // SAFETY: by contract.
    unsafe {
        if pg_sys::InterruptPending == 0 {
            let slot = (*guard).spool.next_identity();
            if !slot.is_null() {
                return slot;
            }
        }
        replay(guard)
    }
}

/// Hands on a collected row.
///
/// # Safety
/// As `execute`.
unsafe fn next_packed(guard: *mut GuardState) -> *mut pg_sys::TupleTableSlot {
    // SAFETY: by contract.
    unsafe {
        if pg_sys::InterruptPending == 0 {
            let slot = (*guard).spool.next_packed();
            if !slot.is_null() {
                return slot;
            }
        }
        replay(guard)
    }
}

/// Hands on a collected row, and none that came again for what is deleted.
///
/// # Safety
/// As `execute`.
unsafe fn next_once(guard: *mut GuardState) -> *mut pg_sys::TupleTableSlot {
    // SAFETY: by contract.
    unsafe {
        if pg_sys::InterruptPending == 0 {
            let slot = (*guard).spool.next_once((*guard).estate);
            note_left_out(guard);
            if !slot.is_null() {
                return slot;
            }
        }
        replay(guard)
    }
}

/// Rows that are not handed on came from the input all the same: EXPLAIN ANALYZE shows them, and whoever else has it
/// instrumented.
///
/// # Safety
/// As `execute`.
#[inline(always)]
unsafe fn note_left_out(guard: *mut GuardState) {
    // SAFETY: by contract; NULL or the state's instrument, which counts the rows of our function's calls.
    unsafe {
        let left_out = (*guard).spool.take_left_out();
        if left_out > 0
            && let Some(instrument) = (*(*guard).child).instrument.as_mut()
        {
            instrument.tuplecount += left_out as f64;
        }
    }
}

/// Hands on a collected row of any kind; after the last one, what is left of the input.
///
/// # Safety
/// As `execute`.
#[inline(never)]
#[allow(ffi_unwind_calls, reason = "called by bare frames, which own nothing")]
unsafe fn replay(guard: *mut GuardState) -> *mut pg_sys::TupleTableSlot {
    // SAFETY: by contract.
    unsafe {
        if pg_sys::InterruptPending != 0 {
            raw::ProcessInterrupts();
        }
        let slot = (*guard).spool.replay(&(*guard).orders, (*guard).estate);
        note_left_out(guard);
        if !slot.is_null() {
            return slot;
        }
        if (*guard).unfinished {
            turn_to(guard, Stage::Count, count_row);
            return count_row(guard);
        }
        end(guard)
    }
}
