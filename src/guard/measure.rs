//! Counts that are kept elsewhere: what MERGE and upserts write only the ModifyTable above knows, and
//! what a foreign server writes by itself only the foreign scan. Called by the guard's bare frames
//! as rows pass.

use crate::pg::pg_sys;
use pgrx::pg_sys::NodeTag;
use safedelete_core::command::Command;

use super::orders::{Flow, Orders};
use super::state::{self, GuardState, Made, Stage, orders_of};
use super::tally::{count_in_parts, count_more, note_made_in_parts, note_own};
use super::threshold::check;
use super::{direct, made};
use crate::pg::write::Write;
use crate::pg::{nodes, raw};

/// The partition that a row of an INSERT goes to, as the ModifyTable above is about to find it;
/// InvalidOid where the table has none. An error is the one that PostgreSQL would raise next.
///
/// # Safety
/// `guard` runs; `slot` is a row for its parent; no frame above owns anything.
#[allow(ffi_unwind_calls, reason = "called by bare frames, which own nothing")]
pub unsafe fn partition_of(guard: *mut GuardState, slot: *mut pg_sys::TupleTableSlot) -> pg_sys::Oid {
    // SAFETY: by contract; the parent has been started.
    unsafe {
        let parent = (*guard).parent;
        if (*parent).mt_partition_tuple_routing.is_null() {
            return pg_sys::InvalidOid;
        }
        let leaf = raw::ExecFindPartition(
            parent,
            (*parent).rootResultRelInfo,
            (*parent).mt_partition_tuple_routing,
            slot,
            (*guard).estate,
        );
        (*(*leaf).ri_RelationDesc).rd_id
    }
}

/// Of the rows counted, those that the statement deletes.
///
/// # Safety
/// `guard` runs.
pub unsafe fn deleted(guard: *mut GuardState) -> u64 {
    // SAFETY: by contract; the parent outlives its input.
    unsafe {
        match orders_of(guard).write {
            Write { command: Command::Merge, .. } => merge_deleted(guard) as u64 - (*guard).inserted,
            write => write.deletes((*guard).count + (*guard).made - (*guard).inserted),
        }
    }
}

/// How many rows a MERGE has deleted.
///
/// # Safety
/// `guard` runs.
unsafe fn merge_deleted(guard: *mut GuardState) -> f64 {
    // SAFETY: the parent outlives its input.
    unsafe {
        let parent = (*guard).parent;
        if !(*guard).runs_elsewhere {
            return (*parent).mt_merge_deleted;
        }
        // TimescaleDB sets it to 1 with each row. It is asked after each, so what is there is one more.
        if (*guard).stage != Stage::Done {
            (*guard).deleted += (*parent).mt_merge_deleted;
            (*parent).mt_merge_deleted = 0.0;
        }
        (*guard).deleted
    }
}

/// Gives the parent its count of deleted rows back, which EXPLAIN shows.
///
/// # Safety
/// `guard` is done.
#[inline]
pub unsafe fn tell_parent(guard: *mut GuardState) {
    // SAFETY: as above.
    unsafe {
        if (*guard).runs_elsewhere && (*guard).deleted > 0.0 {
            (*(*guard).parent).mt_merge_deleted = (*guard).deleted;
        }
    }
}

/// Reads the count that the parent or the foreign servers keep.
///
/// # Safety
/// `guard` runs, with its child.
pub unsafe fn count(guard: *mut GuardState) {
    // SAFETY: the parent outlives its input; an upsert's parent has an instrument.
    unsafe {
        let parent = (*guard).parent;
        let direct = matches!(orders_of(guard).flow, Flow::Direct { .. });
        let count = if direct {
            direct_count(guard)
        } else if (*parent).operation == pg_sys::CmdType::CMD_MERGE {
            (*parent).mt_merge_updated + merge_deleted(guard)
        } else {
            let instrument = (*parent).ps.instrument;
            if instrument.is_null() {
                (*guard).passed as f64
            } else {
                (*instrument).ntuples2 - (*instrument).nfiltered1
            }
        };
        let spared = if direct { 0 } else { (*guard).made };
        let more = (count as u64).saturating_sub((*guard).count + spared);
        if more > 0 && (*guard).looks && !direct {
            let made = last_was_made(guard);
            let deleted = merge_deleted(guard) as u64;
            let before = std::mem::replace(&mut (*guard).deleted_before, deleted);
            note_own(guard, made, more);
            if made.by_sum {
                (*guard).made += more;
                if made.inserted {
                    (*guard).inserted += deleted - before;
                }
                if (*guard).counts_parts && !made.inserted {
                    note_made_in_parts(guard, (*guard).last_leaf);
                }
                if !made.by_own {
                    check(guard);
                }
                return;
            }
        }
        (*guard).count += more;
        if (*guard).count > (*guard).threshold {
            check(guard);
        }
        if (*guard).counts_parts && more > 0 && !direct {
            // What the last row that passed has come to.
            count_in_parts(guard, (*guard).last_leaf, more);
        }
    }
}

/// Who has counted the row before that was written last.
///
/// # Safety
/// `guard` runs below a parent that has written one.
unsafe fn last_was_made(guard: *mut GuardState) -> Made {
    // SAFETY: by contract.
    unsafe {
        if orders_of(guard).write.command == Command::Upsert {
            made::was_upserted(guard)
        } else {
            (*guard).last_is_made
        }
    }
}

/// Counts for the parts that have policies of their own what foreign servers have written by
/// themselves; rows that they return came by and are counted.
///
/// # Safety
/// `guard` has run, with its child.
pub unsafe fn count_foreign_parts(guard: *mut GuardState) {
    // SAFETY: by contract; a foreign scan that writes names its result relation.
    unsafe {
        if orders_of(guard).flow != (Flow::Direct { returning: false }) {
            return;
        }
        let mut i = 0;
        while i < nodes::length((*guard).direct) {
            let scan = direct::scan(guard, i);
            if let Some(table) = direct::written_table(guard, scan) {
                count_in_parts(guard, table, direct::written_by(scan) as u64);
            }
            i += 1;
        }
    }
}

/// # Safety
/// `guard` runs, with its child.
unsafe fn direct_count(guard: *mut GuardState) -> f64 {
    // SAFETY: `settle` gave the scans instruments.
    unsafe {
        let mut count = (*guard).passed as f64;
        if orders_of(guard).flow == (Flow::Direct { returning: false }) {
            let mut i = 0;
            while i < nodes::length((*guard).direct) {
                count += direct::written_by(direct::scan(guard, i));
                i += 1;
            }
        }
        count
    }
}

/// Whether a guard has counted all that a query has written, and its sum knows it as nearly every sum does. For a
/// bare frame.
///
/// # Safety
/// `query` may change rows that were there, and has been run.
#[inline]
pub unsafe fn has_counted(query: *mut pg_sys::QueryDesc) -> bool {
    // SAFETY: by contract; casts follow tags.
    unsafe {
        let (modify, estate) = ((*query).planstate, (*query).estate);
        if nodes::tag(modify) != NodeTag::T_ModifyTableState
            || !Orders::may_be_in((*modify).plan.cast())
            || !(*estate).es_auxmodifytables.is_null()
        {
            return false;
        }
        let guard = state::below(modify.cast());
        !guard.is_null() && (*guard).is_known && (*estate).es_processed <= (*guard).count + (*guard).made
    }
}

/// Whether the guard of a query's main ModifyTable counts for its sum.
///
/// # Safety
/// `query` has been run.
pub unsafe fn counts(query: *mut pg_sys::QueryDesc) -> bool {
    // SAFETY: by contract.
    unsafe { counts_at((*query).planstate) }
}

/// The same of one ModifyTable of a query.
///
/// # Safety
/// `modify` is the state of a plan that has run.
pub unsafe fn counts_at(modify: *mut pg_sys::PlanState) -> bool {
    // SAFETY: by contract; casts follow tags.
    unsafe {
        if nodes::tag(modify) != NodeTag::T_ModifyTableState {
            return false;
        }
        let guard = state::below(modify.cast());
        !guard.is_null() && ((*guard).execution.is_null() || (*(*guard).execution).task.joins_sum())
    }
}

/// Counts what a DELETE or UPDATE has written beyond what its guard has counted. A guard counts at least
/// what is written, so there is nothing, but where a node of another extension hid a foreign scan
/// that wrote. Called by the ExecutorFinish hook.
///
/// # Safety
/// `query` is a DELETE or UPDATE and has run; no frame above owns anything.
#[inline]
#[allow(ffi_unwind_calls, reason = "called by bare frames, which own nothing")]
pub unsafe fn count_rest(query: *mut pg_sys::QueryDesc) {
    // SAFETY: by contract; casts follow tags.
    unsafe {
        let guard = state::below(main_of(query));
        // A view's triggers are called again for a row that comes again.
        if !guard.is_null() && orders_of(guard).whole_row == 0 {
            let rest = (*(*query).estate).es_processed.saturating_sub((*guard).count + (*guard).made);
            if rest > 0 {
                count_more(guard, rest);
            }
        }
    }
}

/// The ModifyTable that sets the command tag, and below which other extensions' nodes it stands; NULL where there
/// is none.
///
/// # Safety
/// `query` has started; no frame above owns anything.
#[inline]
pub unsafe fn main_of(query: *mut pg_sys::QueryDesc) -> *mut pg_sys::ModifyTableState {
    let mut found: *mut pg_sys::PlanState = std::ptr::null_mut();
    // SAFETY: by contract.
    unsafe {
        if (*query).operation != pg_sys::CmdType::CMD_SELECT {
            find_main((*query).planstate, (&raw mut found).cast());
        }
    }
    found.cast()
}

/// The ModifyTable that a state is, or has below it as another extension's; NULL where it has none.
///
/// # Safety
/// `state` has started; no frame above owns anything.
pub unsafe fn modify_of(state: *mut pg_sys::PlanState) -> *mut pg_sys::ModifyTableState {
    let mut found: *mut pg_sys::PlanState = std::ptr::null_mut();
    // SAFETY: by contract.
    unsafe { find_any(state, (&raw mut found).cast()) };
    found.cast()
}

/// A bare frame, as `find_main`.
#[allow(ffi_unwind_calls, reason = "a bare frame: it owns nothing and cannot panic")]
unsafe extern "C-unwind" fn find_any(state: *mut pg_sys::PlanState, found: *mut core::ffi::c_void) -> bool {
    // SAFETY: NULL or a plan state; the cast follows the tag.
    unsafe {
        if nodes::tag(state) == NodeTag::T_ModifyTableState {
            *found.cast::<*mut pg_sys::PlanState>() = state;
            return true;
        }
        nodes::tag(state) == NodeTag::T_CustomScanState && raw::planstate_tree_walker(state, find_any, found)
    }
}

/// A bare frame: planstate_tree_walker calls it for what another extension has put above the main
/// ModifyTable.
#[allow(ffi_unwind_calls, reason = "a bare frame: it owns nothing and cannot panic")]
unsafe extern "C-unwind" fn find_main(state: *mut pg_sys::PlanState, found: *mut core::ffi::c_void) -> bool {
    // SAFETY: NULL or a plan state; casts follow tags.
    unsafe {
        if nodes::tag(state) == NodeTag::T_ModifyTableState {
            if !(*state.cast::<pg_sys::ModifyTableState>()).canSetTag {
                return false;
            }
            *found.cast::<*mut pg_sys::PlanState>() = state;
            return true;
        }
        !state.is_null() && raw::planstate_tree_walker(state, find_main, found)
    }
}
