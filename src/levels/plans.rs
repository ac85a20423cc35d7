//! What the plan of a started query tells of the levels below it: what it writes, and whether that fires
//! anything.

use pgrx::pg_sys::NodeTag;

use crate::pg::execution::Execution;
use crate::pg::nodes::{self, Nodes};
use crate::pg::write::Write;
use crate::pg::{pg_sys, roles};

/// Whether a query is a foreign-key trigger's own: such triggers alone run a write that fires no
/// triggers (SPI_execute_snapshot, whose caller collects the events) under SECURITY_NOFORCE_RLS.
/// A trigger function that runs below them inherits the flag, but fires triggers.
pub fn is_referential(eflags: i32) -> bool {
    eflags & pg_sys::EXEC_FLAG_SKIP_TRIGGERS as i32 != 0 && roles::current().1
}

/// Whether a query is of functions alone (`SELECT migrate()`): what they write is the statement's. Below
/// any other there are triggers and functions that belong to somebody's table.
#[cold]
pub(super) fn reads_no_relation(query: Execution) -> bool {
    query.operation() == pg_sys::CmdType::CMD_SELECT
        // SAFETY: a range table holds RangeTblEntries, which live as long as the plan.
        && unsafe { Nodes::<pg_sys::RangeTblEntry>::of(query.statement().rtable) }
            .iter()
            .all(|entry| entry.relid == pg_sys::InvalidOid)
}

/// Whether a query writes a table that has triggers, foreign keys' among them. Those of a partitioned
/// table and of partitions that rows are routed to are not the first result relation's.
#[inline]
pub fn may_fire_triggers(query: Execution) -> bool {
    let state = query.state();
    // SAFETY: a query's state is a node.
    if unsafe { nodes::tag(state) } != NodeTag::T_ModifyTableState {
        // Writable CTEs, or another extension's plan.
        return query.operation() != pg_sys::CmdType::CMD_SELECT || query.statement().hasModifyingCTE;
    }
    // SAFETY: the cast follows the tag; a ModifyTable has a result relation while it runs.
    let (modify, result) = unsafe {
        let modify = &*state.cast::<pg_sys::ModifyTableState>();
        (modify, &*modify.resultRelInfo)
    };
    modify.mt_nrels > 1
        || !result.ri_TrigDesc.is_null()
        || !std::ptr::eq(modify.rootResultRelInfo, modify.resultRelInfo)
        || !modify.mt_partition_tuple_routing.is_null()
        || query.statement().hasModifyingCTE
}

/// What a query's main ModifyTable writes.
pub(super) fn written(query: Execution) -> Option<Write> {
    let statement = query.statement();
    // SAFETY: the cast follows the tag, of the statement's plan.
    unsafe {
        let modify = nodes::cast::<pg_sys::ModifyTable, _>(statement.planTree, NodeTag::T_ModifyTable)?;
        Write::of_plan(statement.rtable, modify)
    }
}
