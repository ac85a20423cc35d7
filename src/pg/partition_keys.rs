//! Whether rows can move from one partition to another.

use super::nodes::{self, Node, Walk};
use super::{frame, pg_sys, raw};

/// Whether a MERGE may have moved a row: it sets a column that the constraint of its partition speaks of, or a
/// trigger may have.
///
/// # Safety
/// `modify` is of a MERGE that has been run, and not ended.
pub unsafe fn may_merge_move(modify: *const pg_sys::ModifyTableState) -> bool {
    // SAFETY: by contract; the lists have an element for each result relation, by their place in the range table,
    // and what is not opened was not written.
    unsafe {
        let plan = (*modify).ps.plan.cast::<pg_sys::ModifyTable>();
        let opened = (*(*modify).ps.state).es_relations;
        let actions = nodes::items::<pg_sys::List>((*plan).mergeActionLists);
        let mut of_each = nodes::integers((*plan).resultRelations).zip(actions);
        of_each.any(|(index, actions)| {
            let relation = *opened.add(index as usize - 1);
            if relation.is_null() || !(*(*relation).rd_rel).relispartition {
                return false;
            }
            (*relation).trigdesc.as_ref().is_some_and(|triggers| triggers.trig_update_before_row) || {
                let columns = nodes::items::<pg_sys::MergeAction>(actions)
                    .filter(|action| (**action).commandType == pg_sys::CmdType::CMD_UPDATE)
                    .flat_map(|action| nodes::integers((*action).updateColnos));
                sets_key(relation, columns)
            }
        })
    }
}

/// Whether one of these columns decides which partition a row of `relation` belongs to.
///
/// # Safety
/// `relation` is an open partition.
unsafe fn sets_key(relation: pg_sys::Relation, columns: impl Iterator<Item = i32>) -> bool {
    let columns: Vec<_> = columns.collect();
    let constraint = frame::call(|| {
        #[allow(ffi_unwind_calls, reason = "inside frame::call; the closure owns nothing")]
        // SAFETY: what ExecPartitionCheck looks at: of this partition, and those that it is in.
        unsafe {
            raw::RelationGetPartitionQual(relation)
        }
    });
    // SAFETY: a tree that has just been made.
    let constraint: Option<Node> = unsafe { Node::of(constraint.cast()) };
    constraint.is_some_and(|constraint| {
        nodes::walk(constraint, &mut |node: Node| match node.as_a::<pg_sys::Var>() {
            // Column 0 is the row itself.
            Some(var) if var.varattno == 0 || columns.contains(&var.varattno.into()) => Walk::Stop,
            _ => Walk::Into,
        })
    })
}
