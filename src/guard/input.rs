//! The rows of a guard's input: the next, and whether it has come by before. Bare frames, as place.rs.

use super::rows::Came;
use super::state::{GuardState, orders_of};
use super::{beyond, identity};
use crate::pg::pg_sys;
use crate::pg::slots::is_empty;

/// The next row of the child, by its own function.
///
/// # Safety
/// `guard` runs; no frame above owns anything.
#[inline(always)]
#[allow(ffi_unwind_calls, reason = "called by bare frames, which own nothing")]
pub unsafe fn next_row(guard: *mut GuardState) -> *mut pg_sys::TupleTableSlot {
    // SAFETY: by contract; every plan state has the function.
    unsafe {
        match (*guard).pull {
            Some(next) => next((*guard).child),
            None => std::ptr::null_mut(),
        }
    }
}

/// Whether a row has come by before, as far as that is known.
///
/// # Safety
/// `guard` runs; `slot` holds a row of the child; no frame above owns anything.
#[inline(always)]
pub unsafe fn came(guard: *mut GuardState, slot: *mut pg_sys::TupleTableSlot) -> Came {
    // SAFETY: by contract; what it has started with lives as long as the guard.
    unsafe {
        if !orders_of(guard).repeats {
            return Came::First;
        }
        let Some(identity) = identity::identity(slot, &(*guard).orders) else { return Came::First };
        let Some(rows) = &mut (*(*guard).execution).distinct else { return Came::First };
        if let Some(is_new) = rows.insert_again(identity) {
            return Came::told(is_new);
        }
        if rows.has_room() {
            return Came::told(rows.insert(identity));
        }
        beyond::came(guard, identity)
    }
}

/// Whether a row is known not to have come by before.
///
/// # Safety
/// As `came`.
#[inline(always)]
pub unsafe fn is_new(guard: *mut GuardState, slot: *mut pg_sys::TupleTableSlot) -> bool {
    // SAFETY: by contract.
    unsafe { came(guard, slot) == Came::First }
}

/// Counts what is left of the input, and keeps none of it.
///
/// # Safety
/// `guard` runs; no frame above owns anything.
pub unsafe fn count_to_the_end(guard: *mut GuardState) {
    // SAFETY: by contract.
    unsafe {
        loop {
            let slot = next_row(guard);
            if is_empty(slot) {
                return;
            }
            if is_new(guard, slot) {
                (*guard).count += 1;
            }
        }
    }
}
