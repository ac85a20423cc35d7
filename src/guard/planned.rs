//! Reads of a finished plan what it writes: its ModifyTables, their relations, and whether these are the named table
//! alone.

use crate::analysis::Finding;
use crate::pg::firing::{Events, Happens};
use crate::pg::nodes::{self, Node, Nodes};
use crate::pg::relcache::Opened;
use crate::pg::write::Write;
use crate::pg::{compat, inheritance, pg_sys, raw};
use crate::policy;
use pgrx::pg_sys::NodeTag;
use safedelete_core::command::Command;

/// The ModifyTables of a plan: those of data-modifying CTEs in their order, and the main one last.
///
/// # Safety
/// `plan` is a finished plan.
pub unsafe fn modify_tables(plan: *mut pg_sys::PlannedStmt) -> Vec<*mut pg_sys::ModifyTable> {
    let mut found = Vec::new();
    // SAFETY: by contract.
    unsafe {
        // SS_process_ctes plans the CTEs of the top level in their order, before any sub-select.
        for subplan in nodes::items::<pg_sys::Plan>((*plan).subplans) {
            find_modify_tables(subplan, &mut found);
        }
        find_modify_tables((*plan).planTree, &mut found);
    }
    found
}

/// The ModifyTable of a plan that sets the command tag.
///
/// # Safety
/// `plan` is a finished plan.
pub unsafe fn main_modify_table(plan: *mut pg_sys::PlannedStmt) -> Option<*mut pg_sys::ModifyTable> {
    // SAFETY: by contract.
    unsafe { modify_tables(plan).into_iter().rfind(|modify| (**modify).canSetTag) }
}

/// # Safety
/// `plan` is NULL or a plan node.
unsafe fn find_modify_tables(plan: *mut pg_sys::Plan, found: &mut Vec<*mut pg_sys::ModifyTable>) {
    // A ModifyTable is the top of its plan; other extensions may put nodes of their own above it.
    // SAFETY: by contract.
    if let Some(modify) = unsafe { nodes::cast(plan, NodeTag::T_ModifyTable) } {
        found.push(modify);
    } else if !plan.is_null() {
        // SAFETY: by contract.
        for child in unsafe { compat::children(plan) } {
            // SAFETY: a plan node's children.
            unsafe { find_modify_tables(child, found) };
        }
    }
}

/// The relations that a ModifyTable writes. Partitions that the planner ruled out are not among them,
/// and INSERT finds its partitions while it runs.
///
/// # Safety
/// `modify` is of `plan`.
pub unsafe fn leaves(
    plan: *mut pg_sys::PlannedStmt,
    modify: *mut pg_sys::ModifyTable,
) -> impl Iterator<Item = pg_sys::Oid> {
    // SAFETY: by contract.
    unsafe { written(plan, modify) }.map(|entry| entry.relid)
}

/// What happens to the relation that a ModifyTable names.
///
/// # Safety
/// `modify` is of `plan`, whose relations are locked.
pub unsafe fn happens(plan: *const pg_sys::PlannedStmt, modify: *mut pg_sys::ModifyTable) -> Option<Happens> {
    // SAFETY: by contract.
    unsafe {
        let entry = nodes::range_table_entry((*plan).rtable, (*modify).nominalRelation)?;
        let table = (*entry).relid;
        let events =
            Write::of_plan((*plan).rtable, modify).map_or(Events::INSERT, |write| Events::of(write.command));
        // What is generated of others is set with them.
        let is_known = Opened::shared(table).is_some_and(|opened| !opened.has_generated());
        let columns = is_known.then(|| compat::updated_columns(plan, entry));
        Some(Happens { table, only: !(*entry).inh, events, columns })
    }
}

/// Whether a foreign table is among the relations that a ModifyTable writes.
///
/// # Safety
/// `modify` is of `plan`.
pub unsafe fn writes_foreign(plan: *mut pg_sys::PlannedStmt, modify: *mut pg_sys::ModifyTable) -> bool {
    // SAFETY: by contract.
    unsafe { written(plan, modify) }.any(|entry| entry.relkind == pg_sys::RELKIND_FOREIGN_TABLE as i8)
}

/// The range table entries that a ModifyTable writes.
///
/// # Safety
/// `modify` is of `plan`.
unsafe fn written<'t>(
    plan: *mut pg_sys::PlannedStmt,
    modify: *mut pg_sys::ModifyTable,
) -> impl Iterator<Item = Node<'t, pg_sys::RangeTblEntry>> {
    // SAFETY: by contract.
    let (table, written) = unsafe { (Nodes::of((*plan).rtable), nodes::integers((*modify).resultRelations)) };
    written.filter_map(move |index| table.number(index as u32))
}

/// Whether the named table is the only one that is written.
///
/// # Safety
/// `modify` is a ModifyTable.
#[inline]
pub unsafe fn writes_named_alone(modify: *mut pg_sys::ModifyTable) -> bool {
    // SAFETY: by contract.
    unsafe {
        let written = (*modify).resultRelations;
        nodes::length(written) == 1 && (*(*written).elements).int_value as u32 == (*modify).nominalRelation
    }
}

/// Parts of the target that have policies of their own and may be written: they are counted by
/// themselves, too. The plan hangs on the leaves, so it is made anew when a policy changes.
///
/// # Safety
/// `modify` is of `plan`.
pub unsafe fn parts_with_policy(
    plan: *mut pg_sys::PlannedStmt,
    modify: *mut pg_sys::ModifyTable,
    finding: &Finding,
) -> Vec<pg_sys::Oid> {
    // SAFETY: by contract.
    unsafe {
        let written = if finding.write.command == Command::Upsert && finding.guarded {
            // Which partition a row goes to is found while it runs. Asked only where the table itself
            // has upserts guarded: looking through the tree is not free.
            inheritance::members(finding.write.relation)
        } else if writes_named_alone(modify) {
            return Vec::new();
        } else {
            leaves(plan, modify).collect()
        };
        let mut parts = Vec::new();
        for leaf in written {
            for part in policy::labelled_below(leaf, finding.write.relation) {
                if !parts.contains(&part) && policy::of(part).guards(finding.write.command) {
                    parts.push(part);
                }
            }
        }
        parts
    }
}

/// The place of a junk column of this name, from 1; 0 where there is none.
///
/// # Safety
/// `plan` is a plan node.
#[allow(ffi_unwind_calls, reason = "raises nothing")]
pub unsafe fn junk(plan: *mut pg_sys::Plan, name: &core::ffi::CStr) -> i32 {
    // SAFETY: a plan's target list holds TargetEntries.
    unsafe { i32::from(raw::ExecFindJunkAttributeInTlist((*plan).targetlist, name.as_ptr())) }
}

/// The highest plan_node_id of a plan.
///
/// # Safety
/// `plan` is a finished plan.
pub unsafe fn highest_id(plan: *mut pg_sys::PlannedStmt) -> i32 {
    // SAFETY: by contract.
    unsafe {
        let mut pending: Vec<_> = nodes::items::<pg_sys::Plan>((*plan).subplans).collect();
        pending.push((*plan).planTree);
        let mut highest = 0;
        while let Some(node) = pending.pop() {
            if !node.is_null() {
                highest = highest.max((*node).plan_node_id);
                pending.extend(compat::children(node));
            }
        }
        highest
    }
}
