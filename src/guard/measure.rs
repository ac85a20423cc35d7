//! Counts that are kept elsewhere: what MERGE and upserts write only the ModifyTable above knows, and
//! what a foreign server writes by itself only the foreign scan. Called by the guard's bare frames
//! as rows pass.

use core::ffi::c_int;

use crate::pg::pg_sys;
use pgrx::pg_sys::NodeTag;
use safedelete_core::command::Command;

use super::flow::{check, count_in_parts};
use super::node::{GuardState, Stage, as_guard};
use super::orders::{Flow, Orders};
use crate::pg::{frame, nodes, raw};

/// Tells the guards of a started query which ModifyTable is above them: only it knows what MERGE
/// and upserts write. Called by the ExecutorStart hook, since a plan state has no way up.
///
/// # Safety
/// `query` has been started.
#[inline]
pub unsafe fn adopt(query: *mut pg_sys::QueryDesc) {
    // SAFETY: by contract; casts follow tags. The secondary ModifyTables (CTEs) are listed.
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
        adopt_from(state);
        let mut i = 0;
        while i < nodes::length(secondary) {
            adopt_from((*(*secondary).elements.add(i)).ptr_value.cast());
            i += 1;
        }
    }
}

/// # Safety
/// `state` is NULL or a plan state.
unsafe fn adopt_from(state: *mut pg_sys::PlanState) {
    // SAFETY: by contract; casts follow tags.
    unsafe {
        if nodes::tag(state) == NodeTag::T_ModifyTableState {
            let modify = state.cast::<pg_sys::ModifyTableState>();
            let guard = as_guard((*modify).ps.lefttree);
            if guard.is_null() || (*guard).stage != Stage::Count {
                return;
            }
            if let Some(Orders { flow: Flow::Parent, command, .. }) = (*guard).orders {
                (*guard).parent = modify;
                if command == Command::Upsert && (*modify).ps.instrument.is_null() {
                    // InstrCountTuples2 counts the conflicts, where there is an instrument.
                    (*modify).ps.instrument = frame::guarded(|| {
                        // It lives as long as the execution; a caller's memory may live longer.
                        let previous = pg_sys::CurrentMemoryContext;
                        pg_sys::CurrentMemoryContext = (*(*modify).ps.state).es_query_cxt;
                        let instrument = pg_sys::InstrAlloc(1, 0, false);
                        pg_sys::CurrentMemoryContext = previous;
                        instrument
                    });
                }
            }
        } else if nodes::tag(state) == NodeTag::T_CustomScanState {
            let list = (*state.cast::<pg_sys::CustomScanState>()).custom_ps;
            let mut i = 0;
            while i < nodes::length(list) {
                adopt_from((*(*list).elements.add(i)).ptr_value.cast());
                i += 1;
            }
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

/// Gives the scans that write on a foreign server an instrument: the server's count is added to it.
///
/// # Safety
/// `state` is NULL or a plan state.
pub unsafe fn instrument_direct(state: *mut pg_sys::PlanState) {
    // SAFETY: by contract.
    unsafe {
        each_direct(state, &mut |scan| {
            if (*scan).instrument.is_null() {
                (*scan).instrument =
                    pg_sys::InstrAlloc(1, pg_sys::InstrumentOption::INSTRUMENT_ROWS as c_int, false);
            }
        });
    }
}

/// Visits the foreign scans that write, which stand at the top or below an Append.
///
/// # Safety
/// `state` is NULL or a plan state.
unsafe fn each_direct(state: *mut pg_sys::PlanState, visit: &mut dyn FnMut(*mut pg_sys::PlanState)) {
    // SAFETY: by contract; casts follow tags.
    unsafe {
        match nodes::tag(state) {
            NodeTag::T_ForeignScanState => {
                let plan = (*state).plan.cast::<pg_sys::ForeignScan>();
                if (*plan).operation != pg_sys::CmdType::CMD_SELECT {
                    visit(state);
                }
            }
            NodeTag::T_AppendState => {
                let append = state.cast::<pg_sys::AppendState>();
                for i in 0..(*append).as_nplans as usize {
                    each_direct(*(*append).appendplans.add(i), visit);
                }
            }
            _ => {}
        }
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
            Some(Orders { command: Command::Delete, .. }) => (*guard).count,
            Some(Orders { command: Command::Merge, .. }) if !(*guard).parent.is_null() => {
                (*(*guard).parent).mt_merge_deleted as u64
            }
            _ => 0,
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
            // Another extension's plan, whose ModifyTable was not found: nobody can tell.
            0.0
        } else if (*parent).operation == pg_sys::CmdType::CMD_MERGE {
            (*parent).mt_merge_updated + (*parent).mt_merge_deleted
        } else {
            let instrument = (*parent).ps.instrument;
            if instrument.is_null() { 0.0 } else { (*instrument).ntuples2 - (*instrument).nfiltered1 }
        };
        let more = (count as u64).saturating_sub((*guard).count);
        (*guard).count = count as u64;
        if (*guard).count > (*guard).threshold {
            check(guard);
        }
        if (*guard).counts_parts && more > 0 && !direct {
            // What the last row that passed has come to.
            count_in_parts(guard, (*guard).last_leaf, more);
        }
    }
}

/// Counts for the parts that have policies of their own what foreign servers have written by
/// themselves; rows that they return came by and are counted.
///
/// # Safety
/// `guard` has run, with its child.
#[allow(ffi_unwind_calls, reason = "called by bare frames, which own nothing")]
pub unsafe fn count_foreign_parts(guard: *mut GuardState) {
    // SAFETY: by contract; a foreign scan that writes names its result relation.
    unsafe {
        if !matches!((*guard).orders, Some(Orders { flow: Flow::Direct { returning: false }, .. })) {
            return;
        }
        let mut skip = 0;
        loop {
            let found = frame::guarded(|| {
                let mut left: u32 = skip;
                let mut found = None;
                each_direct((*guard).scan.ss.ps.lefttree, &mut |scan| {
                    if left == 0 && found.is_none() {
                        let plan = (*scan).plan.cast::<pg_sys::ForeignScan>();
                        let table = (*(*guard).scan.ss.ps.state).es_range_table;
                        let entry = nodes::range_table_entry(table, (*plan).resultRelation);
                        found = entry.map(|entry| ((*entry).relid, written_by(scan)));
                    }
                    left = left.saturating_sub(1);
                });
                found
            });
            let Some((relation, rows)) = found else { return };
            count_in_parts(guard, relation, rows as u64);
            skip += 1;
        }
    }
}

/// # Safety
/// `scan` is a foreign scan's state.
unsafe fn written_by(scan: *mut pg_sys::PlanState) -> f64 {
    // SAFETY: by contract; `settle` gave it an instrument.
    unsafe {
        let instrument = (*scan).instrument;
        if instrument.is_null() { 0.0 } else { (*instrument).tuplecount + (*instrument).ntuples }
    }
}

/// # Safety
/// `guard` runs, with its child.
unsafe fn direct_count(guard: *mut GuardState) -> f64 {
    // SAFETY: `settle` gave the scans instruments.
    unsafe {
        let passed = (*guard).passed as f64;
        if let Some(Orders { flow: Flow::Direct { returning: true }, .. }) = (*guard).orders {
            return passed;
        }
        passed
            + frame::guarded(|| {
                let mut written = 0.0;
                each_direct((*guard).scan.ss.ps.lefttree, &mut |scan| written += written_by(scan));
                written
            })
    }
}
