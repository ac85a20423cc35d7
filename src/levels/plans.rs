//! What the plan of a started query tells of the levels below it: whether it fires anything, and what it reads.

use crate::pg::execution::Execution;
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
        && query.range_table().iter().all(|entry| entry.relid == pg_sys::InvalidOid)
}

/// Whether a query writes a table that has triggers, foreign keys' among them. Those of a partitioned
/// table and of partitions that rows are routed to are not the first result relation's.
#[inline]
pub fn may_fire_triggers(query: Execution) -> bool {
    let Some((modify, result)) = query.modify() else {
        // Writable CTEs, or another extension's plan.
        return query.operation() != pg_sys::CmdType::CMD_SELECT || query.statement().hasModifyingCTE;
    };
    modify.mt_nrels > 1
        || !result.ri_TrigDesc.is_null()
        || !std::ptr::eq(modify.rootResultRelInfo, modify.resultRelInfo)
        || !modify.mt_partition_tuple_routing.is_null()
        || query.statement().hasModifyingCTE
}
