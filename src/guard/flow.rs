//! How rows come through the guard: collected or handed on, counted, judged when a count passes its
//! threshold. Bare frames, as place.rs; per row a function pointer call, an increment and a compare.

use crate::pg::pg_sys;
use safedelete_core::command::Command;
use safedelete_core::event::Counter;

use super::input::{is_new, next_row};
use super::orders::{Flow, Orders};
use super::slots::is_empty;
use super::state::{self, GuardState, Stage, orders_of};
use super::tally::{count_in_parts, note_made_in_parts, note_own};
use super::threshold::check;
use super::{beyond, direct, expected, identity, made, measure, point};
use crate::pg::report::{self, Frozen};
use crate::pg::{frame, raw};
use crate::record;

/// The next row of a guarded input.
#[allow(ffi_unwind_calls, reason = "a bare frame: it owns nothing and cannot panic")]
pub unsafe extern "C-unwind" fn execute(child: *mut pg_sys::PlanState) -> *mut pg_sys::TupleTableSlot {
    let guard = state::above(child);
    if guard.is_null() {
        return std::ptr::null_mut();
    }
    // SAFETY: a guard at work.
    unsafe {
        loop {
            match (*guard).stage {
                Stage::Count => return count_row(guard),
                Stage::Collect => collect(guard),
                Stage::Replay => {
                    if pg_sys::InterruptPending != 0 {
                        raw::ProcessInterrupts();
                    }
                    let slot = (*guard).spool.next_identity(&(*guard).orders);
                    if !slot.is_null() {
                        return slot;
                    }
                    let slot = (*guard).spool.replay(&(*guard).orders, (*guard).estate);
                    if !slot.is_null() {
                        return slot;
                    }
                    (*guard).stage = if (*guard).unfinished { Stage::Count } else { Stage::Done };
                }
                Stage::Done => return std::ptr::null_mut(),
            }
        }
    }
}

/// Counts one row and hands it on.
///
/// # Safety
/// As `execute`.
#[inline(always)]
unsafe fn count_row(guard: *mut GuardState) -> *mut pg_sys::TupleTableSlot {
    // SAFETY: by contract.
    unsafe {
        let kept_elsewhere = orders_of(guard).flow != Flow::Rows;
        if kept_elsewhere {
            measure::count(guard);
        }
        let slot = next_row(guard);
        if is_empty(slot) {
            count_beyond(guard);
            if kept_elsewhere {
                measure::count(guard);
                if (*guard).counts_parts {
                    measure::count_foreign_parts(guard);
                }
            }
            finish(guard);
            (*guard).stage = Stage::Done;
            measure::tell_parent(guard);
            return slot;
        }
        if kept_elsewhere {
            if !is_new(guard, slot) {
                return slot;
            }
            if (*guard).looks {
                (*guard).last_is_made = made::came(guard, slot);
                if (*guard).last_is_made.by_sum && matches!(orders_of(guard).flow, Flow::Direct { .. }) {
                    (*guard).made += 1;
                    return slot;
                }
            }
            (*guard).passed += 1;
            let upserts = orders_of(guard).write.command == Command::Upsert;
            if upserts && ((*guard).counts_parts || (*guard).looks) {
                (*guard).last_leaf = measure::partition_of(guard, slot);
            }
            if (*guard).counts_parts {
                let orders = &(*guard).orders;
                if !upserts {
                    (*guard).last_leaf = identity::leaf(slot, orders);
                }
                if matches!(orders.flow, Flow::Direct { .. }) {
                    // It came by, so it is written here, or was written there and is returned.
                    count_in_parts(guard, (*guard).last_leaf, 1);
                }
            }
        } else {
            count(guard, slot);
        }
        slot
    }
}

/// Counts a row, once where it is repeated.
///
/// # Safety
/// As `execute`; `slot` holds a row of the child.
#[inline(always)]
unsafe fn count(guard: *mut GuardState, slot: *mut pg_sys::TupleTableSlot) {
    // SAFETY: by contract.
    unsafe {
        if !is_new(guard, slot) {
            return;
        }
        if (*guard).looks {
            let made = made::came(guard, slot);
            note_own(guard, made, 1);
            if made.by_sum {
                (*guard).made += 1;
                (*guard).inserted += u64::from(made.inserted);
                // What began light has no ceiling of its own.
                if made.by_own || (*guard).execution.is_null() {
                    expected::check(guard);
                } else {
                    check(guard);
                }
                if (*guard).counts_parts && !made.inserted {
                    note_made_in_parts(guard, identity::leaf(slot, &(*guard).orders));
                }
                return;
            }
        }
        (*guard).count += 1;
        if (*guard).count > (*guard).threshold {
            check(guard);
        }
        if (*guard).counts_parts {
            count_in_parts(guard, identity::leaf(slot, &(*guard).orders), 1);
        }
    }
}

/// The input has ended: rows that there was no room to tell apart.
///
/// # Safety
/// As `execute`.
unsafe fn count_beyond(guard: *mut GuardState) {
    // SAFETY: by contract.
    unsafe {
        if (*guard).beyond.is_null() {
            return;
        }
        beyond::count(guard);
        if orders_of(guard).flow == Flow::Rows && (*guard).count > (*guard).threshold {
            check(guard);
        }
    }
}

/// The input has ended and all is counted.
///
/// # Safety
/// As `execute`.
#[allow(ffi_unwind_calls, reason = "called by bare frames, which own nothing")]
unsafe fn finish(guard: *mut GuardState) {
    // SAFETY: as in `check`.
    unsafe {
        let refused: Option<Frozen> = frame::guarded(|| {
            let (count, deleted) = ((*guard).count, measure::deleted(guard));
            if let Some(light) = &(*guard).light
                && light.finish(orders_of(guard).write.command, count, deleted)
            {
                return None;
            }
            let execution = state::execution(guard);
            execution.task.note_sent(direct::sent(guard));
            let met = execution.task.meets(count + (*guard).made);
            met.and_then(|()| execution.finish(count, deleted)).err()
        });
        if let Some(frozen) = refused {
            report::raise(&frozen);
        }
        if (*guard).inserted > 0 {
            frame::guarded(|| point::note_gone(orders_of(guard).write, Some((*guard).inserted)));
        }
    }
}

/// Pulls and keeps rows of any kind.
///
/// # Safety
/// As `execute`.
unsafe fn collect_rows(guard: *mut GuardState) {
    // SAFETY: by contract. The spool belongs to the execution, whatever memory is current now.
    unsafe {
        let (child, estate) = ((*guard).child, (*guard).estate);
        loop {
            let slot = next_row(guard);
            if is_empty(slot) {
                return;
            }
            count(guard, slot);
            (*guard).spool.keep(&(*guard).orders, child, estate, slot);
            if (*guard).threshold == u64::MAX && !(*guard).counts_parts {
                (*guard).unfinished = true;
                return;
            }
        }
    }
}

/// The tight loop for what a DELETE of one table gives: identities, each once. Whether it has come to
/// an end; not, where the spool takes no more of them.
///
/// # Safety
/// As `execute`; `orders` are the guard's.
#[allow(ffi_unwind_calls, reason = "a bare frame: it owns nothing and cannot panic")]
unsafe fn collect_identities(guard: *mut GuardState, orders: &Orders) -> bool {
    // SAFETY: by contract; the input has the columns that the orders name.
    unsafe {
        let estate = (*guard).estate;
        let last = orders.ctid.max(orders.tableoid);
        loop {
            if !(*guard).spool.has_room(estate) {
                return false;
            }
            let slot = next_row(guard);
            if is_empty(slot) {
                return true;
            }
            if i32::from((*slot).tts_nvalid) < last {
                raw::slot_getsomeattrs_int(slot, last);
            }
            (*guard).spool.keep_identity(slot, orders);
            (*guard).count += 1;
            if (*guard).count > (*guard).threshold {
                check(guard);
                if (*guard).threshold == u64::MAX {
                    (*guard).unfinished = true;
                    return true;
                }
            }
        }
    }
}

/// Pulls the input until it ends, or until any number of rows is known to be allowed.
///
/// # Safety
/// As `execute`.
#[allow(ffi_unwind_calls, reason = "a bare frame: it owns nothing and cannot panic")]
unsafe fn collect(guard: *mut GuardState) {
    // SAFETY: by contract.
    unsafe {
        (*guard).unfinished = false;
        let orders = &(*guard).orders;
        let are_identities = orders.tids_only && !orders.repeats && !(*guard).counts_parts && !(*guard).looks;
        if !are_identities || !collect_identities(guard, orders) {
            collect_rows(guard);
        }
        if !(*guard).unfinished {
            count_beyond(guard);
            // The sum holds these rows before a trigger of the first can write more.
            finish(guard);
        }
        frame::guarded(|| {
            let (rows, bytes) = (*guard).spool.totals();
            record::count(Counter::RowsSpooled, rows);
            if bytes > 0 {
                record::count(Counter::SpoolBytes, bytes);
            }
        });
        (*guard).stage = Stage::Replay;
    }
}
