//! Whether the input of a ModifyTable may bring a target row more than once: then rows are told apart by
//! their identities, which costs time and memory. Read from the finished plan; a node that is not
//! known here may repeat rows.

use crate::pg::pg_sys;
use pgrx::pg_sys::{JoinType, NodeTag};

use crate::pg::{compat, nodes};

/// # Safety
/// `modify` is a ModifyTable of a finished plan.
pub unsafe fn may_repeat(modify: *mut pg_sys::ModifyTable) -> bool {
    // SAFETY: by contract. The scans of an Append stand in the order of the result relations.
    unsafe {
        let mut targets: Vec<_> = nodes::integers((*modify).resultRelations).collect();
        targets.reverse();
        !gives_each_once((*modify).plan.lefttree, &mut targets)
    }
}

/// Whether a plan gives each row of `targets` once, and no other rows; those that it scans are taken
/// from the list, for a second scan would give their rows again.
///
/// # Safety
/// `plan` is a plan node.
unsafe fn gives_each_once(plan: *mut pg_sys::Plan, targets: &mut Vec<i32>) -> bool {
    // SAFETY: by contract; each cast follows the tag.
    unsafe {
        match nodes::tag(plan) {
            // A TidScan sorts its list and leaves out what comes twice; a bitmap is a set; amgettuple is
            // to give a row once, so index types that cannot (GIN) have bitmaps only.
            NodeTag::T_SeqScan
            | NodeTag::T_IndexScan
            | NodeTag::T_IndexOnlyScan
            | NodeTag::T_BitmapHeapScan
            | NodeTag::T_TidScan
            | NodeTag::T_TidRangeScan
            | NodeTag::T_ForeignScan => {
                // A foreign scan of a join has number 0.
                let scanned = (*plan.cast::<pg_sys::Scan>()).scanrelid as i32;
                let at = targets.iter().rposition(|target| *target == scanned);
                at.map(|at| targets.swap_remove(at)).is_some()
            }
            // Sets in a select list are a ProjectSet's.
            NodeTag::T_Append | NodeTag::T_MergeAppend | NodeTag::T_Result | NodeTag::T_Sort => {
                compat::children(plan).into_iter().all(|child| gives_each_once(child, targets))
            }
            NodeTag::T_NestLoop | NodeTag::T_HashJoin | NodeTag::T_MergeJoin => {
                // These stop at an outer row's first match.
                let join = &*plan.cast::<pg_sys::Join>();
                let once = match join.jointype {
                    JoinType::JOIN_SEMI | JoinType::JOIN_ANTI => true,
                    JoinType::JOIN_INNER => join.inner_unique,
                    _ => false,
                };
                once && gives_each_once((*plan).lefttree, targets)
            }
            _ => false,
        }
    }
}
