//! Counts that are kept elsewhere: what MERGE and upserts write only the ModifyTable above knows, and
//! what a foreign server writes by itself only the foreign scan. Called by the guard's bare frames
//! as rows pass.

use crate::pg::pg_sys;
use pgrx::pg_sys::NodeTag;
use safedelete_core::command::Command;

use super::made::Made;
use super::orders::{Flow, Orders};
use super::state::{GuardState, Stage, as_guard};
use super::tally::{count_in_parts, count_more, note_own};
use super::threshold::check;
use super::{direct, made};
use crate::pg::write::Write;
use crate::pg::{compat, frame, nodes, raw};

/// Tells the guards of a started query which ModifyTable is above them: only it knows what MERGE
/// and upserts write. Called by the ExecutorStart hook, since a plan state has no way up.
///
/// # Safety
/// `query` has been started; no frame above owns anything.
#[inline]
pub unsafe fn adopt(query: *mut pg_sys::QueryDesc) {
    // SAFETY: by contract. A ModifyTable that does not set the tag is listed, wherever it stands.
    unsafe {
        let state = (*query).planstate;
        let secondary = (*(*query).estate).es_auxmodifytables;
        let is_bare = nodes::tag(state) == NodeTag::T_ModifyTableState
            && nodes::tag((*state).lefttree) != NodeTag::T_CustomScanState
            && nodes::length(secondary) == 0;
        if is_bare {
            // Nearly every write.
            return;
        }
        adopt_all(query);
    }
}

/// # Safety
/// As `adopt`.
#[inline(never)]
unsafe fn adopt_all(query: *mut pg_sys::QueryDesc) {
    // SAFETY: as the caller says.
    unsafe {
        let state = (*query).planstate;
        let secondary = (*(*query).estate).es_auxmodifytables;
        if (*query).operation != pg_sys::CmdType::CMD_SELECT {
            adopt_from(state, std::ptr::null_mut());
        }
        let mut i = 0;
        while i < nodes::length(secondary) {
            adopt_from((*(*secondary).elements.add(i)).ptr_value.cast(), std::ptr::null_mut());
            i += 1;
        }
    }
}

/// A bare frame: planstate_tree_walker calls it for what other extensions have put a ModifyTable below.
#[allow(ffi_unwind_calls, reason = "a bare frame: it owns nothing and cannot panic")]
unsafe extern "C-unwind" fn adopt_from(
    state: *mut pg_sys::PlanState,
    nothing: *mut core::ffi::c_void,
) -> bool {
    // SAFETY: NULL or a plan state; casts follow tags.
    unsafe {
        if nodes::tag(state) == NodeTag::T_ModifyTableState {
            become_parent(state.cast());
            return false;
        }
        !state.is_null() && raw::planstate_tree_walker(state, adopt_from, nothing)
    }
}

/// # Safety
/// `modify` has been started; no frame above owns anything.
unsafe fn become_parent(modify: *mut pg_sys::ModifyTableState) {
    // SAFETY: by contract.
    unsafe {
        let guard = as_guard((*modify).ps.lefttree);
        if guard.is_null() || (*guard).stage != Stage::Count {
            return;
        }
        let Some(Orders { flow: Flow::Parent, write, .. }) = (*guard).orders else { return };
        (*guard).parent = modify;
        if write.command == Command::Upsert && (*modify).ps.instrument.is_null() {
            // InstrCountTuples2 counts the conflicts, where there is an instrument.
            (*modify).ps.instrument = frame::guarded(|| {
                // It lives as long as the execution; a caller's memory may live longer.
                let previous = pg_sys::CurrentMemoryContext;
                pg_sys::CurrentMemoryContext = (*(*modify).ps.state).es_query_cxt;
                let instrument = compat::instrument(0);
                pg_sys::CurrentMemoryContext = previous;
                instrument
            });
        }
    }
}

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
        if parent.is_null() || (*parent).mt_partition_tuple_routing.is_null() {
            return pg_sys::InvalidOid;
        }
        let leaf = raw::ExecFindPartition(
            parent,
            (*parent).rootResultRelInfo,
            (*parent).mt_partition_tuple_routing,
            slot,
            (*guard).scan.ss.ps.state,
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
        match &(*guard).orders {
            Some(Orders { write: Write { command: Command::Merge, .. }, .. })
                if !(*guard).parent.is_null() =>
            {
                (*(*guard).parent).mt_merge_deleted as u64
            }
            Some(orders) => orders.write.deletes((*guard).count + (*guard).made),
            None => 0,
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
        let direct = matches!((*guard).orders, Some(Orders { flow: Flow::Direct { .. }, .. }));
        let count = if direct {
            direct_count(guard)
        } else if parent.is_null() {
            // Below a node that hides its children: at most every row that came by is written.
            (*guard).passed as f64
        } else if (*parent).operation == pg_sys::CmdType::CMD_MERGE {
            (*parent).mt_merge_updated + (*parent).mt_merge_deleted
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
            note_own(guard, made, more);
            if made.by_sum {
                (*guard).made += more;
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
        match (*guard).orders {
            Some(Orders { write: Write { command: Command::Upsert, .. }, .. })
                if !(*guard).parent.is_null() =>
            {
                made::was_upserted(guard)
            }
            _ => (*guard).last_is_made,
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
        if !matches!((*guard).orders, Some(Orders { flow: Flow::Direct { returning: false }, .. })) {
            return;
        }
        let table = (*(*guard).scan.ss.ps.state).es_range_table;
        let mut i = 0;
        while i < nodes::length((*guard).direct) {
            let scan = direct::scan(guard, i);
            let plan = (*scan).plan.cast::<pg_sys::ForeignScan>();
            let at = (*plan).resultRelation as usize;
            if at > 0 && at <= nodes::length(table) {
                let entry = (*(*table).elements.add(at - 1)).ptr_value.cast::<pg_sys::RangeTblEntry>();
                count_in_parts(guard, (*entry).relid, direct::written_by(scan) as u64);
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
        if matches!((*guard).orders, Some(Orders { flow: Flow::Direct { returning: false }, .. })) {
            let mut i = 0;
            while i < nodes::length((*guard).direct) {
                count += direct::written_by(direct::scan(guard, i));
                i += 1;
            }
        }
        count
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
        let guard = as_guard((*modify).lefttree);
        !guard.is_null() && !(*guard).execution.is_null() && (*(*guard).execution).task.joins_sum()
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
        let modify = main(query);
        if modify.is_null() {
            return;
        }
        let guard = as_guard((*modify).ps.lefttree);
        // A view's triggers are called again for a row that comes again.
        let again = !guard.is_null() && matches!((*guard).orders, Some(Orders { whole_row: 1.., .. }));
        if !guard.is_null() && !again && !(*guard).execution.is_null() {
            let rest = (*(*query).estate).es_processed.saturating_sub((*guard).count + (*guard).made);
            if rest > 0 {
                count_more(guard, rest);
            }
        }
    }
}

/// The main ModifyTable of a query, wherever it stands; NULL where it has none.
///
/// # Safety
/// As `count_rest`.
#[allow(ffi_unwind_calls, reason = "called by bare frames, which own nothing")]
pub unsafe fn main(query: *mut pg_sys::QueryDesc) -> *mut pg_sys::ModifyTableState {
    // SAFETY: by contract; casts follow tags.
    unsafe {
        let modify = (*query).planstate;
        if nodes::tag(modify) == NodeTag::T_ModifyTableState {
            return modify.cast();
        }
        let mut found: *mut pg_sys::PlanState = std::ptr::null_mut();
        find_main(modify, (&raw mut found).cast());
        found.cast()
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
