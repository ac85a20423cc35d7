//! Whether the input of a guard has volatile functions, in conditions, joins or what it reads from:
//! PostgreSQL would run them between the writes, the guard runs them before the first. Asked by
//! EXPLAIN alone.

use crate::pg::pg_sys;
use pgrx::pg_sys::NodeTag;

use crate::pg::compat;
use crate::pg::nodes::{self, Kind, Node, Walk};

/// `input` is a guard's, and `given` what is evaluated of its rows when they are handed on.
///
/// # Safety
/// A node of `statement` and NULL or the target list of one.
pub unsafe fn is_input(
    input: *mut pg_sys::Plan,
    given: *mut pg_sys::List,
    statement: *mut pg_sys::PlannedStmt,
    target_lists: bool,
) -> bool {
    // SAFETY: by contract.
    unsafe {
        let mut pending = vec![input];
        // Sub-selects and CTEs, but those that write, and those that run row by row.
        let own = sub_selects_of(given, statement);
        for (i, subplan) in nodes::items::<pg_sys::Plan>((*statement).subplans).enumerate() {
            if !own.contains(&(i as i32 + 1)) {
                pending.push(subplan);
            }
        }
        while let Some(plan) = pending.pop() {
            if plan.is_null() || nodes::tag(plan) == NodeTag::T_ModifyTable {
                continue;
            }
            if target_lists && is_volatile((*plan).targetlist)
                || is_volatile((*plan).qual)
                || own_expressions(plan).into_iter().any(|list| is_volatile(list))
            {
                return true;
            }
            pending.extend(compat::children(plan));
        }
        false
    }
}

/// The sub-selects that a target list runs, by the number of their plan.
///
/// # Safety
/// As `is_input`.
unsafe fn sub_selects_of(given: *mut pg_sys::List, statement: *mut pg_sys::PlannedStmt) -> Vec<i32> {
    let mut found = Found { plans: Vec::new(), parameters: Vec::new() };
    // SAFETY: by contract; a plan's target list, and the sub-plans of its statement.
    unsafe {
        if let Some(columns) = Node::of(given.cast()) {
            nodes::walk(columns, &mut |node: Node| {
                match node.kind() {
                    Kind::SubPlan(plan) => found.plans.push(plan.plan_id),
                    Kind::Param(param) => found.parameters.push(param.paramid),
                    _ => {}
                }
                Walk::Into
            });
        }
        // Those that run once, when their value is first asked for, stand at the top of their level.
        let mut tops: Vec<_> = nodes::items::<pg_sys::Plan>((*statement).subplans).collect();
        tops.push((*statement).planTree);
        for top in tops.into_iter().filter(|top| !top.is_null()) {
            for once in nodes::items::<pg_sys::SubPlan>((*top).initPlan) {
                if nodes::integers((*once).setParam).any(|set| found.parameters.contains(&set)) {
                    found.plans.push((*once).plan_id);
                }
            }
        }
    }
    found.plans
}

struct Found {
    plans: Vec<i32>,
    parameters: Vec<i32>,
}

/// # Safety
/// `expressions` is NULL or an expression, or a list of such.
unsafe fn is_volatile<T>(expressions: *mut T) -> bool {
    // SAFETY: by contract.
    unsafe { pg_sys::contain_volatile_functions(expressions.cast()) }
}

/// What a node evaluates beside its target list and its condition.
///
/// # Safety
/// `plan` is a plan node.
unsafe fn own_expressions(plan: *mut pg_sys::Plan) -> [*mut pg_sys::Node; 2] {
    let nothing = std::ptr::null_mut();
    // SAFETY: by contract; each cast follows the tag.
    unsafe {
        match nodes::tag(plan) {
            NodeTag::T_NestLoop => [(*plan.cast::<pg_sys::Join>()).joinqual.cast(), nothing],
            NodeTag::T_HashJoin => {
                let join = plan.cast::<pg_sys::HashJoin>();
                [(*join).join.joinqual.cast(), (*join).hashclauses.cast()]
            }
            NodeTag::T_MergeJoin => {
                let join = plan.cast::<pg_sys::MergeJoin>();
                [(*join).join.joinqual.cast(), (*join).mergeclauses.cast()]
            }
            NodeTag::T_Result => [(*plan.cast::<pg_sys::Result>()).resconstantqual, nothing],
            NodeTag::T_FunctionScan => [(*plan.cast::<pg_sys::FunctionScan>()).functions.cast(), nothing],
            NodeTag::T_ValuesScan => [(*plan.cast::<pg_sys::ValuesScan>()).values_lists.cast(), nothing],
            NodeTag::T_TableFuncScan => [(*plan.cast::<pg_sys::TableFuncScan>()).tablefunc.cast(), nothing],
            NodeTag::T_SampleScan => [(*plan.cast::<pg_sys::SampleScan>()).tablesample.cast(), nothing],
            NodeTag::T_ForeignScan => [(*plan.cast::<pg_sys::ForeignScan>()).fdw_exprs.cast(), nothing],
            NodeTag::T_CustomScan => [(*plan.cast::<pg_sys::CustomScan>()).custom_exprs.cast(), nothing],
            _ => [nothing, nothing],
        }
    }
}
