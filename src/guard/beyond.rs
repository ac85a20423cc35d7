//! Rows to be told apart for which `rows` has no room in its half of work_mem: they go to a sort of
//! PostgreSQL's, which has the other half and then the disk, and are counted when the input has ended.
//! Until then a guard counts the rows in memory alone: that may refuse, and a refusal for the others comes
//! at the end. Called by the guard's bare frames; owns nothing of Rust's.

use core::ffi::c_int;

use super::identity::Identity;
use super::orders::{Facts, Flow};
use super::rows::Came;
use super::state::GuardState;
use super::tally::count_in_parts;
use crate::pg::{compat, frame, pg_sys, raw};

/// Whether a row has come by before for which there was no room.
///
/// # Safety
/// `guard` tells rows apart; no frame above owns anything.
#[cold]
#[allow(ffi_unwind_calls, reason = "called by bare frames, which own nothing")]
pub unsafe fn came(guard: *mut GuardState, identity: Identity) -> Came {
    // SAFETY: by contract; what it has started with lives as long as the guard.
    unsafe {
        let most = (pg_sys::work_mem as usize).saturating_mul(1024 / 2);
        let came = frame::guarded(|| {
            let rows = (*(*guard).execution).distinct.as_mut();
            match rows.map(|rows| rows.add(identity, most)) {
                Some(Some(came)) => came,
                Some(None) => frame::out_of_memory(),
                None => Came::First,
            }
        });
        if let Came::Beyond(key) = came {
            put(guard, key);
        }
        came
    }
}

/// # Safety
/// As `came`.
#[allow(ffi_unwind_calls, reason = "called by bare frames, which own nothing")]
unsafe fn put(guard: *mut GuardState, key: u64) {
    // SAFETY: by contract. The sort belongs to the execution, whatever memory is current now.
    unsafe {
        if (*guard).beyond.is_null() {
            let previous = pg_sys::CurrentMemoryContext;
            pg_sys::CurrentMemoryContext = (*(*guard).estate).es_query_cxt;
            (*guard).beyond = raw::tuplesort_begin_datum(
                pg_sys::INT8OID,
                pg_sys::Oid::from(pg_sys::Int8LessOperator),
                pg_sys::InvalidOid,
                false,
                (pg_sys::work_mem / 2).max(64),
                std::ptr::null_mut(),
                pg_sys::TUPLESORT_NONE as c_int,
            );
            pg_sys::CurrentMemoryContext = previous;
        }
        raw::tuplesort_putdatum((*guard).beyond, pg_sys::Datum::from(key), false);
    }
}

/// Counts them: the input has ended.
///
/// # Safety
/// As `came`.
#[inline]
pub unsafe fn count(guard: *mut GuardState) {
    // SAFETY: by contract.
    unsafe {
        if !(*guard).beyond.is_null() {
            count_sorted(guard);
        }
    }
}

/// # Safety
/// There are such rows; as `came`.
#[cold]
#[allow(ffi_unwind_calls, reason = "called by bare frames, which own nothing")]
unsafe fn count_sorted(guard: *mut GuardState) {
    // SAFETY: by contract.
    unsafe {
        let sort = (*guard).beyond;
        raw::tuplesort_performsort(sort);
        // Those of a table come together.
        let (mut last, mut rows) = (0, 0);
        while let Some(key) = compat::next_sorted(sort) {
            if rows > 0 && key >> 48 != last >> 48 {
                add(guard, last, rows);
                rows = 0;
            }
            if rows == 0 || key != last {
                rows += 1;
            }
            last = key;
            if pg_sys::InterruptPending != 0 {
                raw::ProcessInterrupts();
            }
        }
        if rows > 0 {
            add(guard, last, rows);
        }
        release(guard);
    }
}

/// Adds rows of the table of `key` to the counts.
///
/// # Safety
/// As `came`.
unsafe fn add(guard: *mut GuardState, key: u64, rows: u64) {
    // SAFETY: by contract.
    unsafe {
        let Facts { flow, tableoid, leaf, .. } = *(*guard).orders;
        if flow == Flow::Rows {
            (*guard).count += rows;
        } else {
            (*guard).passed += rows;
        }
        if (*guard).counts_parts {
            let leaf = if tableoid == 0 {
                leaf
            } else {
                frame::guarded(|| {
                    let distinct = (*(*guard).execution).distinct.as_ref();
                    distinct.map_or(pg_sys::InvalidOid, |rows| rows.table_of(key))
                })
            };
            count_in_parts(guard, leaf, rows);
        }
    }
}

/// Ends the sort: a forgotten one keeps its temporary file until the transaction ends.
///
/// # Safety
/// As `came`.
#[allow(ffi_unwind_calls, reason = "called by bare frames, which own nothing")]
pub unsafe fn release(guard: *mut GuardState) {
    // SAFETY: by contract.
    unsafe {
        let sort = std::mem::replace(&mut (*guard).beyond, std::ptr::null_mut());
        if !sort.is_null() {
            raw::tuplesort_end(sort);
        }
    }
}
