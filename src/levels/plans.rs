//! What the plan of a started query tells of the levels below it: whether it fires anything, and what it reads.

use crate::engines;
use crate::pg::execution::Execution;
use crate::pg::nodes::{Kind, Node, Walk, walk};
use crate::pg::{pg_sys, relations, roles};
use pgrx::pg_sys::NodeTag;

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

/// Whether a query calls a function of an engine's, and nothing else that may write: what it runs is the engine's own
/// work.
#[cold]
pub(super) fn is_engines(query: Execution) -> bool {
    if query.operation() != pg_sys::CmdType::CMD_SELECT {
        return false;
    }
    let mut calls = Calls::default();
    let mut plan = query.statement().planTree;
    // SAFETY: a plan's nodes, whose target lists are expressions.
    unsafe {
        while let Some(node) = plan.as_ref() {
            if let Some(list) = Node::of(node.targetlist.cast::<pg_sys::Node>()) {
                calls.look_at(list);
            }
            plan = node.lefttree;
        }
    }
    calls.are_engines()
}

/// The same of CALL.
#[cold]
pub(super) fn calls_engine(utility: Node) -> bool {
    let mut calls = Calls::default();
    if utility.tag() == NodeTag::T_CallStmt {
        // SAFETY: the cast follows the tag; parse analysis has made the call.
        let call = unsafe { Node::of((*utility.as_ptr().cast::<pg_sys::CallStmt>()).funcexpr) };
        if let Some(call) = call {
            calls.look_at(call.any());
        }
    }
    calls.are_engines()
}

/// The functions that expressions call.
#[derive(Default)]
struct Calls {
    engines: bool,
    others: bool,
}

impl Calls {
    fn look_at(&mut self, expressions: Node) {
        let Some(engine) = engines::here() else { return };
        walk(expressions, &mut |node: Node| {
            if let Kind::FuncExpr(call) = node.kind() {
                if engine.is_own_function(call.funcid) {
                    self.engines = true;
                } else if relations::may_run_sql(call.funcid) {
                    self.others = true;
                }
            }
            Walk::Into
        });
    }

    fn are_engines(&self) -> bool {
        self.engines && !self.others
    }
}

/// Whether a query writes a table that has triggers, foreign keys' among them. Those of a partitioned
/// table and of partitions that rows are routed to are not the first result relation's.
#[inline(always)]
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
