//! How rows come through the node: collected or handed on, counted, judged when a count passes its
//! threshold. Bare frames, as node.rs; per row a function pointer call, an increment and a compare.

use crate::pg::pg_sys;
use safedelete_core::command::Command;
use safedelete_core::event::Counter;

use super::input::{is_new, next_row};
use super::orders::{Flow, Orders};
use super::slots::{self, clear, fill, is_empty};
use super::state::{GuardState, Stage};
use super::tally::{count_in_parts, note_made_in_parts, note_own};
use super::threshold::check;
use super::{beyond, direct, expected, identity, made, measure};
use crate::pg::report::{self, Frozen};
use crate::pg::{frame, raw};
use crate::record;

pub unsafe extern "C-unwind" fn execute(node: *mut pg_sys::CustomScanState) -> *mut pg_sys::TupleTableSlot {
    let guard = node.cast::<GuardState>();
    // SAFETY: a state that `create` made and `begin` started.
    unsafe {
        let slot = next(guard);
        if (*guard).projects && !is_empty(slot) { project(guard, slot) } else { slot }
    }
}

/// # Safety
/// As `execute`.
#[inline(always)]
unsafe fn next(guard: *mut GuardState) -> *mut pg_sys::TupleTableSlot {
    // SAFETY: by contract.
    unsafe {
        loop {
            match (*guard).stage {
                Stage::Pass => return next_row((*guard).scan.ss.ps.lefttree),
                Stage::Count => return count_row(guard),
                Stage::Collect => collect(guard),
                Stage::Replay => {
                    let slot = (*guard).spool.next_identity((*guard).orders.as_ref());
                    if !slot.is_null() {
                        return slot;
                    }
                    let slot = (*guard).spool.replay((*guard).orders.as_ref(), (*guard).scan.ss.ps.state);
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

/// Evaluates the node's target list for a row of the child, as ExecProject does.
///
/// # Safety
/// As `execute`; `slot` holds a row of the child.
#[inline(never)]
#[allow(ffi_unwind_calls, reason = "called by a bare frame, which owns nothing")]
unsafe fn project(guard: *mut GuardState, slot: *mut pg_sys::TupleTableSlot) -> *mut pg_sys::TupleTableSlot {
    // SAFETY: by contract; ExecInitCustomScan has compiled the target list for a virtual row of the
    // child's columns.
    unsafe {
        let ps = &mut (*guard).scan.ss.ps;
        let (context, projection) = (ps.ps_ExprContext, ps.ps_ProjInfo);
        let mut row = slot;
        if !std::ptr::eq((*slot).tts_ops, &raw const pg_sys::TTSOpsVirtual) {
            // A virtual row that points to the same values.
            row = (*guard).scan.ss.ss_ScanTupleSlot;
            let columns = (*(*row).tts_tupleDescriptor).natts;
            if i32::from((*slot).tts_nvalid) < columns {
                raw::slot_getsomeattrs_int(slot, columns);
            }
            clear(row);
            std::ptr::copy_nonoverlapping((*slot).tts_values, (*row).tts_values, columns as usize);
            std::ptr::copy_nonoverlapping((*slot).tts_isnull, (*row).tts_isnull, columns as usize);
            fill(row);
        }
        raw::MemoryContextReset((*context).ecxt_per_tuple_memory);
        (*context).ecxt_scantuple = row;
        let state = &raw mut (*projection).pi_state;
        let result = (*state).resultslot;
        clear(result);
        slots::evaluate(state, context, &mut false);
        fill(result);
        result
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
        let kept_elsewhere = !matches!((*guard).orders, Some(Orders { flow: Flow::Rows, .. }));
        if kept_elsewhere {
            measure::count(guard);
        }
        let slot = next_row((*guard).scan.ss.ps.lefttree);
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
            return slot;
        }
        if kept_elsewhere {
            if !is_new(guard, slot) {
                return slot;
            }
            if (*guard).looks {
                (*guard).last_is_made = made::came(guard, slot);
                if (*guard).last_is_made.by_sum
                    && matches!((*guard).orders, Some(Orders { flow: Flow::Direct { .. }, .. }))
                {
                    (*guard).made += 1;
                    return slot;
                }
            }
            (*guard).passed += 1;
            if (*guard).counts_parts
                && let Some(orders) = &(*guard).orders
            {
                (*guard).last_leaf = if orders.write.command == Command::Upsert {
                    measure::partition_of(guard, slot)
                } else {
                    identity::leaf(slot, orders)
                };
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
                if made.by_own {
                    expected::check(guard)
                } else {
                    check(guard)
                }
                if (*guard).counts_parts
                    && let Some(orders) = &(*guard).orders
                {
                    note_made_in_parts(guard, identity::leaf(slot, orders));
                }
                return;
            }
        }
        (*guard).count += 1;
        if (*guard).count > (*guard).threshold {
            check(guard);
        }
        if (*guard).counts_parts
            && let Some(orders) = &(*guard).orders
        {
            count_in_parts(guard, identity::leaf(slot, orders), 1);
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
        if matches!((*guard).orders, Some(Orders { flow: Flow::Rows, .. }))
            && (*guard).count > (*guard).threshold
        {
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
            let execution = (*guard).execution;
            if execution.is_null() {
                return None;
            }
            (*execution).task.note_sent(direct::sent(guard));
            let met = (*execution).task.meets((*guard).count + (*guard).made);
            met.and_then(|()| (*execution).finish((*guard).count, measure::deleted(guard))).err()
        });
        if let Some(frozen) = refused {
            report::raise(&frozen);
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
        let child = (*guard).scan.ss.ps.lefttree;
        let estate = (*guard).scan.ss.ps.state;
        loop {
            let slot = next_row(child);
            if is_empty(slot) {
                return;
            }
            count(guard, slot);
            (*guard).spool.keep((*guard).orders.as_ref(), child, estate, slot);
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
        let child = (*guard).scan.ss.ps.lefttree;
        let estate = (*guard).scan.ss.ps.state;
        let last = orders.ctid.max(orders.tableoid);
        loop {
            if !(*guard).spool.has_room(estate) {
                return false;
            }
            let slot = next_row(child);
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
        let ended = match &(*guard).orders {
            Some(orders)
                if orders.tids_only && !orders.repeats && !(*guard).counts_parts && !(*guard).looks =>
            {
                collect_identities(guard, orders)
            }
            _ => false,
        };
        if !ended {
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
            record::count(Counter::SpoolBytes, bytes);
        });
        (*guard).stage = Stage::Replay;
    }
}
