//! An execution of a query, as the executor's hooks are given it.

use std::ffi::CStr;

use pgrx::pg_sys::NodeTag;

use super::nodes::{self, Nodes};
use super::write::Write;
use super::{pg_sys, trigger};

/// A handle on a QueryDesc, to be handed about while a hook of ours has it. What it gives are values, and
/// nodes that live as long.
#[derive(Clone, Copy)]
pub struct Execution(*const pg_sys::QueryDesc);

impl Execution {
    /// # Safety
    /// The executor has passed `query` to a hook of ours; no copy of the handle outlives that call.
    #[inline]
    pub unsafe fn of(query: *const pg_sys::QueryDesc) -> Execution {
        Execution(query)
    }

    #[inline]
    fn desc(&self) -> &pg_sys::QueryDesc {
        // SAFETY: `of` has been promised that it lives. PostgreSQL changes it only while it runs itself, and
        // nobody keeps the reference until then.
        unsafe { &*self.0 }
    }

    #[inline]
    pub fn operation(self) -> pg_sys::CmdType::Type {
        self.desc().operation
    }

    #[inline]
    pub fn statement(&self) -> &pg_sys::PlannedStmt {
        // SAFETY: CreateQueryDesc is given a plan, which lives as long.
        unsafe { &*self.desc().plannedstmt }
    }

    pub fn range_table(&self) -> Nodes<'_, pg_sys::RangeTblEntry> {
        // SAFETY: a plan's range table.
        unsafe { Nodes::of(self.statement().rtable) }
    }

    /// What runs its main ModifyTable, and the first of the relations that it writes, once it has started; `None`
    /// where the topmost node is another.
    #[inline]
    pub fn modify(&self) -> Option<(&pg_sys::ModifyTableState, &pg_sys::ResultRelInfo)> {
        // SAFETY: NULL or the topmost node's state; the cast follows the tag. A ModifyTable has a result relation
        // while it runs.
        unsafe {
            let state = nodes::cast::<pg_sys::ModifyTableState, _>(
                self.desc().planstate,
                NodeTag::T_ModifyTableState,
            )?;
            Some((&*state, &*(*state).resultRelInfo))
        }
    }

    /// Whether its main ModifyTable writes one table, whose triggers are all internal and of names that begin so.
    #[inline]
    pub fn fires_only(self, prefix: &CStr) -> bool {
        let Some((modify, result)) = self.modify() else { return false };
        modify.mt_nrels == 1
            && std::ptr::eq(modify.rootResultRelInfo, modify.resultRelInfo)
            && modify.mt_partition_tuple_routing.is_null()
            && !self.statement().hasModifyingCTE
            // SAFETY: NULL, or the executor's copy, which lives as long.
            && unsafe { trigger::are_all_own(result.ri_TrigDesc, prefix) }
    }

    /// What its main ModifyTable writes.
    pub fn written(&self) -> Option<Write> {
        let statement = self.statement();
        // SAFETY: the cast follows the tag, of the statement's plan.
        unsafe {
            let modify = nodes::cast::<pg_sys::ModifyTable, _>(statement.planTree, NodeTag::T_ModifyTable)?;
            Write::of_plan(statement.rtable, modify)
        }
    }

    /// How it was started: EXEC_FLAG_….
    pub fn flags(self) -> i32 {
        // SAFETY: NULL, or the executor's own state until it ends.
        unsafe { self.desc().estate.as_ref() }.map_or(0, |estate| estate.es_top_eflags)
    }

    /// The command up to which it sees the transaction's own rows.
    #[inline]
    pub fn saw(self) -> pg_sys::CommandId {
        // SAFETY: NULL, or a snapshot that is registered for as long.
        unsafe { self.desc().snapshot.as_ref() }.map_or(0, |snapshot| snapshot.curcid)
    }

    /// What tells it from others that run at the same time.
    pub fn address(self) -> usize {
        self.0.addr()
    }
}

/// The relations that a query writes and has opened, but for partitions that rows are routed to.
///
/// # Safety
/// The query runs in `estate`.
#[inline]
pub unsafe fn written(estate: *const pg_sys::EState) -> impl Iterator<Item = pg_sys::Relation> {
    // SAFETY: by contract.
    unsafe {
        let opened = nodes::items::<pg_sys::ResultRelInfo>((*estate).es_opened_result_relations);
        opened.map(|result| (*result).ri_RelationDesc).filter(|relation| !relation.is_null())
    }
}
