//! What is noted of a write that has been run, beside its count: that its command has written rows which no sum has
//! counted, or only the sum of one name of a tree, and what its new versions may be of. Counts and refuses nothing.

use super::measure;
use crate::analysis::target;
use crate::ledger::Fresh;
use crate::pg::write::Write;
use crate::pg::{frame, nodes, partition_keys, pg_sys};
use crate::{ledger, policy};
use pgrx::pg_sys::NodeTag;
use safedelete_core::command::Command;

/// Notes the command of a write that carries a guard which counts for nobody's sum, or for one name of a tree;
/// or that carries none.
///
/// # Safety
/// `query` has been run and is the current level; no frame above owns anything.
#[cold]
pub unsafe fn note(query: *mut pg_sys::QueryDesc, write: Write, guarded: bool) {
    // SAFETY: by contract; casts follow tags.
    unsafe {
        let command = (*(*query).estate).es_output_cid;
        let counts = guarded && measure::counts(query);
        frame::guarded(|| {
            let fresh = fresh_of(write, (*query).planstate.cast());
            if !counts {
                if !policy::of(write.relation).is_exempt() {
                    ledger::note_written(None, fresh, command);
                    note_gone(write, None);
                }
            } else if target::is_in_tree(write.relation) {
                ledger::note_written(Some(target::summed(write)), fresh, command);
            }
        });
    }
}

/// Notes what the data-modifying CTEs of a query have written with its command: for whom it was counted, if it
/// was. So what of that is nobody's sum counts when it is reached.
///
/// # Safety
/// As `note`, of a query that has such CTEs.
#[cold]
pub unsafe fn note_beside(query: *mut pg_sys::QueryDesc) {
    // SAFETY: by contract; the states of ModifyTables hold their plans.
    unsafe {
        let estate = (*query).estate;
        frame::guarded(|| {
            let beside = nodes::items::<pg_sys::PlanState>((*estate).es_auxmodifytables);
            for modify in beside.chain(std::iter::once((*query).planstate)) {
                if nodes::tag(modify) != NodeTag::T_ModifyTableState {
                    continue;
                }
                let plan = (*modify).plan.cast::<pg_sys::ModifyTable>();
                if let Some(write) = Write::of_plan((*(*query).plannedstmt).rtable, plan)
                    && !policy::of(write.relation).is_exempt()
                {
                    let of = measure::counts_at(modify).then(|| target::summed(write));
                    ledger::note_written(of, fresh_of(write, modify.cast()), (*estate).es_output_cid);
                    if of.is_none() {
                        note_gone(write, None);
                    }
                }
            }
        });
    }
}

/// Notes rows that no sum counts, or that it has inserted itself, where they are gone or may be.
pub fn note_gone(write: Write, rows: Option<u64>) {
    if matches!(write.command, Command::Delete | Command::Merge) {
        ledger::note_gone(target::summed(write), rows, target::is_in_tree(write.relation));
    }
}

/// What versions of a write's are that update none: an upsert moves no row, and a DELETE makes none.
pub fn fresh(write: Write) -> Fresh {
    match write.command {
        Command::Update if target::is_in_tree(write.relation) => Fresh::Moved(target::summed(write)),
        Command::Merge if target::is_in_tree(write.relation) => Fresh::Mixed,
        _ => Fresh::Inserted,
    }
}

/// The same of a write that has been run: nearly every MERGE has moved nothing, and of one that has inserted nothing
/// every version that updates none has moved.
///
/// # Safety
/// `modify` is its state.
unsafe fn fresh_of(write: Write, modify: *const pg_sys::ModifyTableState) -> Fresh {
    if write.command != Command::Merge {
        return fresh(write);
    }
    // SAFETY: by contract.
    unsafe {
        if (*modify).mt_merge_updated == 0.0 || !partition_keys::may_merge_move(modify) {
            Fresh::Inserted
        } else if (*modify).mt_merge_inserted == 0.0 {
            Fresh::Moved(target::summed(write))
        } else {
            Fresh::Mixed
        }
    }
}
