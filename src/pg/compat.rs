//! Where the majors of PostgreSQL differ, by the cfgs of build.rs; nothing else asks for a major.

use super::local::Local;
use super::pg_sys;
use pgrx::pg_sys::NodeTag;

use super::nodes::{self, Node, Nodes};
#[cfg(not(since_19))]
pub use super::pg_sys::Instrumentation as NodeInstrumentation;
#[cfg(since_19)]
pub use super::pg_sys::NodeInstrumentation;
use super::raw;

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

/// Whether column `index` (from 0) cannot hold NULL; 18 has NOT NULL constraints that are not
/// valid yet.
///
/// # Safety
/// `descriptor` is a relation's tuple descriptor and has the column.
pub unsafe fn column_is_not_null(descriptor: pg_sys::TupleDesc, index: usize) -> bool {
    // SAFETY: by contract.
    let attribute = unsafe { attribute(descriptor, index) };
    if attribute.attisdropped || !attribute.attnotnull {
        return false;
    }
    #[cfg(since_18)]
    // SAFETY: by contract; 'v' is ATTNULLABLE_VALID.
    unsafe {
        (*(*descriptor).compact_attrs.as_ptr().add(index)).attnullability == b'v' as core::ffi::c_char
    }
    #[cfg(not(since_18))]
    true
}

/// The length of a column's type, as pg_type.typlen; 0 where it is passed by value.
///
/// # Safety
/// `descriptor` has the column (from 0).
pub unsafe fn column_length(descriptor: pg_sys::TupleDesc, index: usize) -> i16 {
    // SAFETY: by contract.
    let attribute = unsafe { attribute(descriptor, index) };
    if attribute.attbyval { 0 } else { attribute.attlen }
}

/// The B-tree strategies of an operator, as a bit for each number.
pub fn btree_strategies(operator: pg_sys::Oid) -> u32 {
    let mut strategies = 0;
    #[cfg(not(since_18))]
    // SAFETY: a catalog cache look-up that gives a list of OpBtreeInterpretation.
    unsafe {
        for found in
            nodes::items::<pg_sys::OpBtreeInterpretation>(pg_sys::get_op_btree_interpretation(operator))
        {
            strategies |= 1 << (*found).strategy;
        }
    }
    #[cfg(since_18)]
    // SAFETY: a catalog cache look-up that gives a list of OpIndexInterpretation; CompareType
    // numbers the B-tree operators as B-tree strategies do, and 6 is "not equal".
    unsafe {
        for found in
            nodes::items::<pg_sys::OpIndexInterpretation>(pg_sys::get_op_index_interpretation(operator))
        {
            strategies |= 1 << (*found).cmptype;
        }
    }
    strategies
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

/// PostgreSQL's check that the current user may do what a plan does; its error where not. Raises: for
/// bare frames and `frame::call`.
///
/// # Safety
/// `plan` is a finished plan; no frame above owns anything.
#[allow(ffi_unwind_calls, reason = "see the contract")]
pub unsafe fn check_permissions(plan: *mut pg_sys::PlannedStmt) {
    #[cfg(not(since_16))]
    // SAFETY: by contract.
    unsafe {
        raw::ExecCheckRTPerms((*plan).rtable, true);
    }
    #[cfg(since_16)]
    // SAFETY: by contract.
    unsafe {
        raw::ExecCheckPermissions((*plan).rtable, (*plan).permInfos, true);
    }
}

/// The next number of a sort of int8. Raises: for bare frames.
///
/// # Safety
/// `sort` has been sorted; no frame above owns anything.
#[allow(ffi_unwind_calls, reason = "see the contract")]
pub unsafe fn next_sorted(sort: *mut pg_sys::Tuplesortstate) -> Option<u64> {
    let (mut value, mut is_null) = (pg_sys::Datum::null(), false);
    let nothing = std::ptr::null_mut();
    // SAFETY: by contract.
    let found = unsafe {
        raw::tuplesort_getdatum(
            sort,
            true,
            #[cfg(since_16)]
            false,
            &mut value,
            &mut is_null,
            nothing,
        )
    };
    found.then(|| value.value() as u64)
}

/// # Safety
/// `descriptor` has column `index` (from 0).
unsafe fn attribute<'a>(descriptor: pg_sys::TupleDesc, index: usize) -> &'a pg_sys::FormData_pg_attribute {
    #[cfg(since_18)]
    // SAFETY: by contract.
    unsafe {
        &*pg_sys::TupleDescAttr(descriptor, index as i32)
    }
    #[cfg(not(since_18))]
    // SAFETY: by contract.
    unsafe {
        &*(*descriptor).attrs.as_ptr().add(index)
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

/// The role that a running statement writes a relation as, if not the current user: the owner of the view that it
/// goes through. InvalidOid where it is the current user.
///
/// # Safety
/// `estate` is that of a started execution.
pub unsafe fn written_as(estate: *const pg_sys::EState, relation: pg_sys::Oid) -> pg_sys::Oid {
    let writes = u64::from(pg_sys::ACL_INSERT | pg_sys::ACL_UPDATE | pg_sys::ACL_DELETE);
    // SAFETY: by contract; lists of their nodes.
    unsafe {
        #[cfg(not(since_16))]
        let mut asked = nodes::items::<pg_sys::RangeTblEntry>((*estate).es_range_table);
        #[cfg(since_16)]
        let mut asked = nodes::items::<pg_sys::RTEPermissionInfo>((*estate).es_rteperminfos);
        let of = asked.find(|of| (**of).relid == relation && u64::from((**of).requiredPerms) & writes != 0);
        of.map_or(pg_sys::InvalidOid, |of| (*of).checkAsUser)
    }
}

/// The one relation that a made-up statement has named so far is read as `role`, and nobody is asked whether that may.
///
/// # Safety
/// `state` has one range table entry, of a relation; no frame above owns anything.
pub unsafe fn read_as(state: *mut pg_sys::ParseState, role: pg_sys::Oid) {
    // SAFETY: by contract.
    unsafe {
        #[cfg(not(since_16))]
        let mut asked = nodes::items::<pg_sys::RangeTblEntry>((*state).p_rtable);
        #[cfg(since_16)]
        let mut asked = nodes::items::<pg_sys::RTEPermissionInfo>((*state).p_rteperminfos);
        if let Some(of) = asked.next() {
            (*of).requiredPerms = 0;
            (*of).checkAsUser = role;
        }
    }
}

/// The B-tree strategy of a row comparison.
pub fn row_compare_strategy(compare: &pg_sys::RowCompareExpr) -> u32 {
    #[cfg(since_18)]
    {
        compare.cmptype as u32
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

/// The live rows of a table that the cumulative statistics tell.
///
/// # Safety
/// `entry` is an entry of a table.
pub unsafe fn live_tuples(entry: *mut pg_sys::PgStat_StatTabEntry) -> i64 {
    #[cfg(not(since_16))]
    // SAFETY: by contract.
    unsafe {
        (*entry).n_live_tuples
    }
    #[cfg(since_16)]
    // SAFETY: by contract.
    unsafe {
        (*entry).live_tuples
    }
}

/// The rows of a table that this session has deleted and not reported to the statistics yet, in
/// transactions that were rolled back, too. Frees the entry where it is a copy.
///
/// # Safety
/// `pending` is find_tabstat_entry's answer.
pub unsafe fn pending_deletes(pending: *mut pg_sys::PgStat_TableStatus) -> i64 {
    #[cfg(not(since_16))]
    // SAFETY: by contract; the open (sub)transactions' counts are beside.
    unsafe {
        let mut deleted = (*pending).t_counts.t_tuples_deleted;
        let mut transaction = (*pending).trans;
        while !transaction.is_null() {
            deleted += (*transaction).tuples_deleted;
            transaction = (*transaction).upper;
        }
        deleted
    }
    #[cfg(since_16)]
    // SAFETY: by contract; a copy that has the open (sub)transactions' counts.
    unsafe {
        let deleted = (*pending).counts.tuples_deleted;
        pg_sys::pfree(pending.cast());
        deleted
    }
}

/// The role that a row of pg_auth_members makes its member a member of: from 16 on not where it carries
/// ADMIN alone, as a role with CREATEROLE gets it of those that it makes.
///
/// # Safety
/// `tuple` is of the catalog cache AUTHMEMMEMROLE.
pub unsafe fn membership(tuple: pg_sys::HeapTuple) -> Option<pg_sys::Oid> {
    // SAFETY: by contract; the columns are not null.
    let column = |number: i16| unsafe {
        let mut is_null = false;
        let cache = pg_sys::SysCacheIdentifier::AUTHMEMMEMROLE as i32;
        pg_sys::SysCacheGetAttr(cache, tuple, number, &mut is_null).value()
    };
    #[cfg(not(since_16))]
    let (role, is_member) = (column(1), true);
    // After the row's own OID: role, member, grantor, and whether it carries ADMIN, INHERIT, SET.
    #[cfg(since_16)]
    let (role, is_member) = {
        let option = |number| column(number) as u8 != 0;
        (column(2), !option(5) || option(6) || option(7))
    };
    is_member.then(|| pg_sys::Oid::from(role as u32))
}

/// storage/lwlocknames.h: AddinShmemInitLock's place in MainLWLockArray, the same in 15 to 19.
pub const ADDIN_SHMEM_INIT_LOCK: usize = 21;

/// Memory for what a setting's check hook passes to its assign hook; NULL where there is none.
pub fn setting_extra(bytes: usize) -> *mut core::ffi::c_void {
    #[allow(ffi_unwind_calls, reason = "raises nothing below ERROR")]
    // SAFETY: PostgreSQL frees it.
    unsafe {
        #[cfg(not(since_16))]
        return raw::malloc(bytes);
        #[cfg(since_16)]
        raw::guc_malloc(pgrx::PgLogLevel::LOG as core::ffi::c_int, bytes)
    }
}

/// Whether this session holds a lock, in this mode itself.
pub fn holds_lock(tag: &pg_sys::LOCKTAG, mode: pg_sys::LOCKMODE) -> bool {
    #[cfg(not(since_17))]
    // SAFETY: looks into the table of the session's own locks.
    unsafe {
        pg_sys::LockHeldByMe(tag, mode)
    }
    #[cfg(since_17)]
    // SAFETY: as above.
    unsafe {
        pg_sys::LockHeldByMe(tag, mode, false)
    }
}

/// The fixed part of a row of pg_constraint, as far as it is read; catalog/pg_constraint.h.
#[repr(C)]
pub struct ConstraintForm {
    pub oid: pg_sys::Oid,
    conname: pg_sys::NameData,
    connamespace: pg_sys::Oid,
    pub contype: core::ffi::c_char,
    condeferrable: bool,
    condeferred: bool,
    #[cfg(since_18)]
    conenforced: bool,
    convalidated: bool,
    pub conrelid: pg_sys::Oid,
    contypid: pg_sys::Oid,
    conindid: pg_sys::Oid,
    pub conparentid: pg_sys::Oid,
    pub confrelid: pg_sys::Oid,
}

/// Whether the running transaction has inserted or updated rows of a table, or may have. Owns nothing.
///
/// # Safety
/// `relation` is open.
#[inline]
pub unsafe fn may_have_made(relation: pg_sys::Relation) -> bool {
    // SAFETY: by contract; the (sub)transactions' counts hang on the table's.
    unsafe {
        let statistics = (*relation).pgstat_info;
        if statistics.is_null() {
            // track_counts is off, or was.
            return true;
        }
        let mut open = (*statistics).trans;
        while !open.is_null() {
            if (*open).tuples_inserted + (*open).tuples_updated > 0 {
                return true;
            }
            open = (*open).upper;
        }
        false
    }
}

/// Whether the running transaction has given a table a new file. Owns nothing.
///
/// # Safety
/// `relation` is open.
pub unsafe fn has_new_file(relation: pg_sys::Relation) -> bool {
    // SAFETY: by contract. InvalidSubTransactionId is 0.
    unsafe {
        #[cfg(not(since_16))]
        let replaced = (*relation).rd_firstRelfilenodeSubid;
        #[cfg(since_16)]
        let replaced = (*relation).rd_firstRelfilelocatorSubid;
        replaced != 0
    }
}

/// An instrument for a plan's node.
pub fn instrument(options: core::ffi::c_int) -> *mut NodeInstrumentation {
    #[cfg(not(since_19))]
    // SAFETY: allocates.
    unsafe {
        pg_sys::InstrAlloc(1, options, false)
    }
    #[cfg(since_19)]
    // SAFETY: allocates.
    unsafe {
        pg_sys::InstrAllocNode(options, false)
    }
}

/// The origin of what this session replicates; 0 where it does not.
#[inline]
pub fn replication_origin() -> u16 {
    #[cfg(not(since_19))]
    // SAFETY: reads a backend variable.
    unsafe {
        pg_sys::replorigin_session_origin
    }
    #[cfg(since_19)]
    // SAFETY: reads a backend variable.
    unsafe {
        pg_sys::replorigin_xact_state.origin
    }
}

/// A slot that goes with the execution. Raises: for bare frames.
///
/// # Safety
/// `table` is the execution's list of slots; no frame above owns anything.
#[inline]
#[allow(ffi_unwind_calls, reason = "see the contract")]
pub unsafe fn alloc_table_slot(
    table: *mut *mut pg_sys::List,
    descriptor: pg_sys::TupleDesc,
    ops: *const pg_sys::TupleTableSlotOps,
) -> *mut pg_sys::TupleTableSlot {
    // SAFETY: by contract.
    unsafe {
        raw::ExecAllocTableSlot(
            table,
            descriptor,
            ops,
            #[cfg(since_19)]
            0,
        )
    }
}

/// The plan of a Query without parameters. Raises: for bare frames and `frame::call`.
///
/// # Safety
/// As pg_plan_query asks; no frame above owns anything.
#[allow(ffi_unwind_calls, reason = "see the contract")]
pub unsafe fn plan(
    query: *mut pg_sys::Query,
    text: *const core::ffi::c_char,
    options: core::ffi::c_int,
) -> *mut pg_sys::PlannedStmt {
    let nothing = std::ptr::null_mut();
    // SAFETY: by contract.
    unsafe {
        raw::pg_plan_query(
            query,
            text,
            options,
            nothing,
            #[cfg(since_19)]
            std::ptr::null_mut(),
        )
    }
}

/// Gives a made-up PlannerInfo a relation for each number that a tree's Vars have: from 19 on, constant folding
/// asks of a column whether it can be NULL, and looks its relation up. Of these it is told nothing.
///
/// # Safety
/// `root` is a PlannerInfo without relations.
pub unsafe fn give_relations(root: *mut pg_sys::PlannerInfo, tree: Node) {
    #[cfg(not(since_19))]
    let _ = (root, tree);
    #[cfg(since_19)]
    // SAFETY: by contract; palloc0 gives memory of the size.
    unsafe {
        let mut highest = 0;
        nodes::walk(tree, &mut |node: Node| {
            highest = node.as_a::<pg_sys::Var>().map_or(highest, |var| highest.max(var.varno));
            nodes::Walk::Into
        });
        let nothing = nodes::make::<pg_sys::RangeTblEntry>();
        (*nothing).rtekind = pg_sys::RTEKind::RTE_RESULT;
        let count = highest as usize + 1;
        let entries = pg_sys::palloc0(count * size_of_val(&nothing)).cast::<*mut pg_sys::RangeTblEntry>();
        std::slice::from_raw_parts_mut(entries, count).fill(nothing);
        (*root).simple_rte_array = entries;
        (*root).simple_rel_array_size = count as i32;
    }
}

#[cfg(not(since_19))]
type RelationHook = pg_sys::get_relation_info_hook_type;
#[cfg(since_19)]
type RelationHook = pg_sys::build_simple_rel_hook_type;

/// Told of each relation that the planner has looked into, and what it has found of it. Owns nothing.
type Found = unsafe fn(pg_sys::Oid, *mut pg_sys::RelOptInfo);

static PREVIOUS_RELATION_HOOK: Local<RelationHook> = Local::new(None);
static FOUND: Local<Option<Found>> = Local::new(None);

fn relation_hook() -> *mut RelationHook {
    #[cfg(not(since_19))]
    {
        &raw mut pg_sys::get_relation_info_hook
    }
    #[cfg(since_19)]
    {
        &raw mut pg_sys::build_simple_rel_hook
    }
}

/// From now on `found` is told of relations, until `forget_relations`.
pub fn tell_of_relations(found: Found) {
    FOUND.set(Some(found));
    // SAFETY: a backend variable.
    PREVIOUS_RELATION_HOOK.set(unsafe { relation_hook().replace(Some(relation_found)) });
}

pub fn forget_relations() {
    // SAFETY: a backend variable.
    unsafe { relation_hook().write(PREVIOUS_RELATION_HOOK.get()) };
    FOUND.set(None);
}

/// Why this hook: the planner asks here what is to be changed in what it has found of a table, before it makes anything
/// of its size.
#[cfg(not(since_19))]
#[allow(ffi_unwind_calls, reason = "a bare frame: it owns nothing and cannot panic")]
unsafe extern "C-unwind" fn relation_found(
    root: *mut pg_sys::PlannerInfo,
    relation: pg_sys::Oid,
    is_parent: bool,
    rel: *mut pg_sys::RelOptInfo,
) {
    // SAFETY: PostgreSQL's arguments, passed on as they came.
    unsafe {
        if let Some(previous) = PREVIOUS_RELATION_HOOK.get() {
            previous(root, relation, is_parent, rel);
        }
        if let Some(found) = FOUND.get().filter(|_| !is_parent) {
            found(relation, rel);
        }
    }
}

/// The same; a parent's entry stands for all below it.
#[cfg(since_19)]
#[allow(ffi_unwind_calls, reason = "a bare frame: it owns nothing and cannot panic")]
unsafe extern "C-unwind" fn relation_found(
    root: *mut pg_sys::PlannerInfo,
    rel: *mut pg_sys::RelOptInfo,
    entry: *mut pg_sys::RangeTblEntry,
) {
    // SAFETY: PostgreSQL's arguments, passed on as they came.
    unsafe {
        if let Some(previous) = PREVIOUS_RELATION_HOOK.get() {
            previous(root, rel, entry);
        }
        let is_table = (*entry).rtekind == pg_sys::RTEKind::RTE_RELATION && !(*entry).inh;
        if let Some(found) = FOUND.get().filter(|_| is_table) {
            found((*entry).relid, rel);
        }
    }
}
