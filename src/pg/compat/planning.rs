//! Where the majors' planners differ: how one is called, and what it tells of relations.

use super::super::local::Local;
#[cfg(since_19)]
use super::super::nodes;
use super::super::nodes::Node;
use super::super::{pg_sys, raw};

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
