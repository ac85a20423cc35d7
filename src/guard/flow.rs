//! How rows come through the guard: collected or handed on, counted, judged when a count passes its
//! threshold. Bare frames, as place.rs; per row a function pointer call, an increment and a compare.

use crate::pg::pg_sys;
use safedelete_core::command::Command;
use safedelete_core::event::Counter;

use super::input::{came, is_new, next_row};
use super::orders::Flow;
use super::rows::Came;
use super::state::{self, GuardState, Stage, Step, orders_of};
use super::tally::{count_in_parts, note_made_in_parts, note_own};
use super::threshold::check;
use super::{beyond, direct, expected, identity, made, measure, noted};
use crate::pg::frame;
use crate::pg::report::{self, Frozen};
use crate::pg::slots::{get_some_attributes, is_empty};
use crate::record;

/// The next row of a guarded input.
#[allow(ffi_unwind_calls, reason = "a bare frame: it owns nothing and cannot panic")]
pub unsafe extern "C-unwind" fn execute(child: *mut pg_sys::PlanState) -> *mut pg_sys::TupleTableSlot {
    let guard = state::above(child);
    // SAFETY: a guard at work, which has a step.
    unsafe {
        match guard.as_ref().and_then(|guard| guard.step) {
            Some(step) => step(guard),
            None => std::ptr::null_mut(),
        }
    }
}

/// What becomes of the next row.
///
/// # Safety
/// `guard` is placed.
pub unsafe fn turn_to(guard: *mut GuardState, stage: Stage, step: Step) {
    // SAFETY: by contract.
    unsafe { ((*guard).stage, (*guard).step) = (stage, Some(step)) };
}

/// The input has ended.
///
/// # Safety
/// As `execute`.
pub unsafe fn end(guard: *mut GuardState) -> *mut pg_sys::TupleTableSlot {
    // SAFETY: by contract.
    unsafe { turn_to(guard, Stage::Done, |_| std::ptr::null_mut()) };
    std::ptr::null_mut()
}

/// Counts one row and hands it on.
///
/// # Safety
/// As `execute`.
pub unsafe fn count_row(guard: *mut GuardState) -> *mut pg_sys::TupleTableSlot {
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
            let nothing = end(guard);
            measure::tell_parent(guard);
            return nothing;
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
        let (count, deleted) = ((*guard).count, measure::deleted(guard));
        let light = &(*guard).light;
        let has_joined =
            light.as_ref().is_some_and(|light| light.finish(orders_of(guard).write.command, count, deleted));
        if !has_joined {
            let refused: Option<Frozen> = frame::guarded(|| {
                let execution = state::execution(guard);
                execution.task.note_sent(direct::sent(guard));
                if let Some(parts) = &mut execution.parts {
                    parts.note_sent(&direct::sent_from(guard));
                }
                let met = execution.task.meets(count + (*guard).made);
                met.and_then(|()| execution.finish(count, deleted)).err()
            });
            if let Some(frozen) = refused {
                report::raise(&frozen);
            }
        }
        if (*guard).inserted > 0 {
            frame::guarded(|| noted::note_gone(orders_of(guard).write, Some((*guard).inserted)));
        }
    }
}

/// Pulls and keeps rows of any kind, which parts count by themselves or the sum may have made.
///
/// # Safety
/// As `execute`.
#[inline(never)]
unsafe fn collect_with_care(guard: *mut GuardState) {
    // SAFETY: by contract. The spool belongs to the execution, whatever memory is current now.
    unsafe {
        let (child, estate) = ((*guard).child, (*guard).estate);
        while (*guard).counts_parts || (*guard).threshold != u64::MAX {
            let slot = next_row(guard);
            if is_empty(slot) {
                return;
            }
            count(guard, slot);
            (*guard).spool.keep(&(*guard).orders, child, estate, slot);
        }
        (*guard).unfinished = true;
    }
}

/// Pulls and keeps rows that are just counted, of an input that brings more than their identities.
///
/// # Safety
/// As `execute`.
#[inline(never)]
unsafe fn collect_rows<const REPEATS: bool>(guard: *mut GuardState) {
    // SAFETY: as above.
    unsafe {
        let (child, estate) = ((*guard).child, (*guard).estate);
        let skips = REPEATS && orders_of(guard).skips;
        while (*guard).threshold != u64::MAX {
            let slot = next_row(guard);
            if is_empty(slot) {
                return;
            }
            let came = if REPEATS { came(guard, slot) } else { Came::First };
            if came == Came::First {
                (*guard).count += 1;
                if (*guard).count > (*guard).threshold {
                    check(guard);
                }
            }
            (*guard).spool.keep_packed(child, estate, slot, skips && came == Came::Again);
        }
        (*guard).unfinished = true;
    }
}

/// The tight loop for what a DELETE of one table gives: identities, each once. It comes to an end where the input
/// does, or the spool takes no more of them.
///
/// # Safety
/// As `execute`; the rows are identities.
#[inline(never)]
#[allow(ffi_unwind_calls, reason = "a bare frame: it owns nothing and cannot panic")]
unsafe fn collect_identities(guard: *mut GuardState) {
    // SAFETY: by contract; the input has the columns that the orders name.
    unsafe {
        let (orders, estate) = (*(*guard).orders, (*guard).estate);
        let last = orders.ctid.max(orders.tableoid);
        while (*guard).threshold != u64::MAX {
            if !(*guard).spool.has_room(estate) {
                return collect_with_care(guard);
            }
            let slot = next_row(guard);
            if is_empty(slot) {
                return;
            }
            get_some_attributes(slot, last);
            (*guard).spool.keep_identity(slot, &orders);
            (*guard).count += 1;
            if (*guard).count > (*guard).threshold {
                check(guard);
            }
        }
        (*guard).unfinished = true;
    }
}

/// Pulls the input until it ends, or until any number of rows is known to be allowed.
///
/// # Safety
/// As `execute`.
#[allow(ffi_unwind_calls, reason = "a bare frame: it owns nothing and cannot panic")]
pub unsafe fn collect(guard: *mut GuardState) {
    // SAFETY: by contract.
    unsafe {
        let orders = &(*guard).orders;
        if (*guard).counts_parts || (*guard).looks {
            collect_with_care(guard);
        } else if orders.tids_only {
            if orders.repeats { collect_with_care(guard) } else { collect_identities(guard) }
        } else if orders.repeats {
            collect_rows::<true>(guard);
        } else {
            collect_rows::<false>(guard);
        }
        if !(*guard).unfinished {
            count_beyond(guard);
            // The sum holds these rows before a trigger of the first can write more.
            finish(guard);
        }
        let (rows, bytes) = (*guard).spool.totals();
        record::count_at_once(Counter::RowsSpooled, rows);
        if bytes > 0 {
            record::count_at_once(Counter::SpoolBytes, bytes);
        }
    }
}
