//! Where the majors' trees differ: queries, expressions, plans.

use pgrx::pg_sys::NodeTag;

use super::super::nodes::{self, Node, Nodes};
use super::super::pg_sys;

/// MERGE's join condition: a field of its own from 17 on, the join tree's condition before.
pub fn merge_condition(merge: Node<pg_sys::Query>) -> Option<Node> {
    #[cfg(not(since_17))]
    return merge.condition();
    #[cfg(since_17)]
    // SAFETY: an expression or NULL, as the header says.
    unsafe {
        Node::of(merge.mergeJoinCondition)
    }
}

/// Has MERGE, which is ours to change, join by another condition.
pub fn set_merge_condition(merge: Node<pg_sys::Query>, condition: Node) {
    #[cfg(not(since_17))]
    merge.set_condition(Some(condition));
    #[cfg(since_17)]
    // SAFETY: a Query that nobody else reads, by the contract of the handles.
    unsafe {
        (*merge.as_ptr()).mergeJoinCondition = condition.as_ptr();
    }
}

/// The conditions of MERGE's target that stand in the join tree: those of an updatable view, which
/// the rewriter puts there from 17 on.
pub fn merge_view_condition(merge: Node<pg_sys::Query>) -> Option<Node> {
    #[cfg(not(since_17))]
    {
        let _ = merge;
        None
    }
    #[cfg(since_17)]
    merge.condition()
}

/// Whether a MERGE action is one of WHEN NOT MATCHED BY SOURCE (from 17 on).
pub fn not_matched_by_source(action: Node<pg_sys::MergeAction>) -> bool {
    #[cfg(not(since_17))]
    {
        let _ = action;
        false
    }
    #[cfg(since_17)]
    return action.matchKind == pg_sys::MergeMatchKind::MERGE_WHEN_NOT_MATCHED_BY_SOURCE;
}

/// The parallel-safe identity of a plan's children beyond left and right tree.
///
/// # Safety
/// `plan` is a plan node.
pub unsafe fn children(plan: *mut pg_sys::Plan) -> Vec<*mut pg_sys::Plan> {
    // SAFETY: each cast follows the node's tag.
    unsafe {
        let list = match nodes::tag(plan) {
            NodeTag::T_Append => (*plan.cast::<pg_sys::Append>()).appendplans,
            NodeTag::T_MergeAppend => (*plan.cast::<pg_sys::MergeAppend>()).mergeplans,
            NodeTag::T_BitmapAnd => (*plan.cast::<pg_sys::BitmapAnd>()).bitmapplans,
            NodeTag::T_BitmapOr => (*plan.cast::<pg_sys::BitmapOr>()).bitmapplans,
            NodeTag::T_CustomScan => (*plan.cast::<pg_sys::CustomScan>()).custom_plans,
            _ => std::ptr::null_mut(),
        };
        let mut children: Vec<_> = nodes::items(list).collect();
        if let Some(scan) = nodes::cast::<pg_sys::SubqueryScan, _>(plan, NodeTag::T_SubqueryScan) {
            children.push((*scan).subplan);
        }
        children.extend([(*plan).lefttree, (*plan).righttree].into_iter().filter(|p| !p.is_null()));
        children
    }
}

/// What NEW stands for in a copy of a rule's condition on UPDATE, put in its place as CopyAndAddInvertedQual does.
/// `update` is what the rule is about, and calls its target `index`.
pub fn replace_new<'t>(condition: Node<'t>, update: Node<'t, pg_sys::Query>, index: i32) -> Node<'t> {
    let mut has_sublinks = false;
    let entry = update.rtable().number(index as u32).map_or(std::ptr::null_mut(), Node::as_ptr);
    // SAFETY: an expression and the target's entry; what is changed is copied.
    let replaced = unsafe {
        Node::of(pg_sys::ReplaceVarsFromTargetList(
            condition.as_ptr(),
            pg_sys::PRS2_NEW_VARNO as i32,
            0,
            entry,
            update.targetList().as_ptr(),
            #[cfg(since_18)]
            index,
            pg_sys::ReplaceVarsNoMatchOption::REPLACEVARS_CHANGE_VARNO,
            index,
            &mut has_sublinks,
        ))
    };
    replaced.unwrap_or(condition)
}

/// The permissions that a statement needs on an entry of its range table. 15 keeps a view's with the
/// entry of OLD in the view's query, once that has taken the view's place.
pub fn required_permissions(query: Node<pg_sys::Query>, entry: Node<pg_sys::RangeTblEntry>) -> u64 {
    #[cfg(not(since_16))]
    {
        let _ = query;
        let of_view = entry.subquery().and_then(|view| view.rtable().first());
        u64::from(entry.requiredPerms | of_view.map_or(0, |old| old.requiredPerms))
    }
    #[cfg(since_16)]
    // SAFETY: a list of RTEPermissionInfo; the index counts from 1, 0 is none.
    unsafe {
        let infos = Nodes::<pg_sys::RTEPermissionInfo>::of(query.rteperminfos);
        infos.number(entry.perminfoindex).map_or(0, |info| info.requiredPerms)
    }
}

/// The B-tree strategy of a row comparison.
pub fn row_compare_strategy(compare: &pg_sys::RowCompareExpr) -> u32 {
    #[cfg(since_18)]
    {
        compare.cmptype
    }
    #[cfg(not(since_18))]
    {
        compare.rctype
    }
}

/// What the columns of a range table entry for GROUP BY stand for (from 18 on); none of others.
pub fn group_expressions(entry: Node<pg_sys::RangeTblEntry>) -> Nodes {
    #[cfg(since_18)]
    let list =
        if entry.rtekind == pg_sys::RTEKind::RTE_GROUP { entry.groupexprs } else { std::ptr::null_mut() };
    #[cfg(not(since_18))]
    let (list, _) = (std::ptr::null_mut(), entry);
    // SAFETY: a list of expressions, as the header says.
    unsafe { Nodes::of(list) }
}

/// Whether a MERGE action is one of WHEN MATCHED.
pub fn is_matched(action: Node<pg_sys::MergeAction>) -> bool {
    #[cfg(not(since_17))]
    return action.matched;
    #[cfg(since_17)]
    return action.matchKind == pg_sys::MergeMatchKind::MERGE_WHEN_MATCHED;
}

/// A Query that is ours to change is no MERGE any more.
pub fn forget_merge(query: Node<pg_sys::Query>) {
    // SAFETY: a Query that nobody else reads, by the contract of the handles.
    unsafe {
        (*query.as_ptr()).mergeActionList = std::ptr::null_mut();
        #[cfg(since_17)]
        {
            (*query.as_ptr()).mergeJoinCondition = std::ptr::null_mut();
        }
    }
}

/// An entry of a range table that is ours to change needs no permissions of its own.
pub fn forget_permissions(entry: Node<pg_sys::RangeTblEntry>) {
    #[cfg(not(since_16))]
    let _ = entry;
    #[cfg(since_16)]
    // SAFETY: as above.
    unsafe {
        (*entry.as_ptr()).perminfoindex = 0;
    }
}

/// The columns that a plan sets of a table by UPDATE: system columns are negative.
///
/// # Safety
/// `entry` is of the range table of `plan`.
pub unsafe fn updated_columns(
    plan: *const pg_sys::PlannedStmt,
    entry: *mut pg_sys::RangeTblEntry,
) -> Vec<i16> {
    // SAFETY: by contract.
    unsafe {
        #[cfg(not(since_16))]
        let (set, _) = ((*entry).updatedCols, plan);
        #[cfg(since_16)]
        let set = match (*entry).perminfoindex as usize {
            0 => std::ptr::null_mut(),
            of => nodes::items::<pg_sys::RTEPermissionInfo>((*plan).permInfos)
                .nth(of - 1)
                .map_or(std::ptr::null_mut(), |asked| (*asked).updatedCols),
        };
        let mut columns = Vec::new();
        let mut member = pg_sys::bms_next_member(set, -1);
        while member >= 0 {
            columns.push((member + pg_sys::FirstLowInvalidHeapAttributeNumber) as i16);
            member = pg_sys::bms_next_member(set, member);
        }
        columns
    }
}
