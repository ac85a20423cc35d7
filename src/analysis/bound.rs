//! Judging a condition with the values that are bound to its parameters, at an execution.
//!
//! With the values in it folding evaluates what PostgreSQL evaluates for a custom plan, but for a generic
//! one only at a row, if it comes to one: `id > 10 / $1` with 0 bound is no error on an empty table. So
//! what may raise an error is judged in a subtransaction that is rolled back, and an error counts as a
//! condition that restricts: PostgreSQL will raise it, or no row gets that far.

use pgrx::pg_sys::NodeTag;

use super::finding::Qualification;
use super::parameters::highest_parameter;
use super::target::{Place, Target};
use super::way::{judge, read_kept};
use crate::pg::context::Context;
use crate::pg::nodes::expressions::Root;
use crate::pg::nodes::{self, Node, Nodes, Visitor, Walk};
use crate::pg::write::Write;
use crate::pg::{attempt, compat, frame, pg_sys};

/// Judges kept conditions, which call what is written `index`, with the values that are bound now.
///
/// # Safety
/// `conditions` is a finding's, `parameters` the execution's.
pub unsafe fn judge_bound(
    write: Write,
    index: i32,
    conditions: *mut pg_sys::List,
    parameters: pg_sys::ParamListInfo,
) -> Qualification {
    let target = Target::at(Place { relation: write.relation, only: write.only, index });
    // SAFETY: by contract.
    let kept = unsafe { Nodes::of(conditions) };
    let Some(conditions) = kept.as_node() else { return Qualification::NoWhere };
    Context::new(c"safedelete analysis").within(|| {
        // SAFETY: `parameters` is NULL or the execution's.
        let root = unsafe { planner_info_with(parameters, conditions) };
        let verdict = || judge(None, &target, &read_kept(kept, root), root);
        if may_raise(conditions) {
            attempt::attempt(verdict).unwrap_or(Qualification::Qualified)
        } else {
            verdict()
        }
    })
}

/// A PlannerInfo that tells constant folding the bound values, as the planner's own does for a
/// custom plan.
///
/// # Safety
/// `parameters` is NULL or an execution's parameter list.
unsafe fn planner_info_with<'t>(parameters: pg_sys::ParamListInfo, conditions: Node) -> Option<Root<'t>> {
    if parameters.is_null() {
        return None;
    }
    // SAFETY: makes nodes in the current memory context; a parameter is fetched as
    // eval_const_expressions fetches it.
    unsafe {
        let count = highest_parameter(conditions).min((*parameters).numParams).max(0);
        let constants = pg_sys::makeParamList(count);
        for i in 0..count {
            let into = (*constants).params.as_mut_ptr().add(i as usize);
            let mut work = std::mem::zeroed();
            let from = match (*parameters).paramFetch {
                Some(fetch) => frame::call(|| {
                    #[allow(ffi_unwind_calls, reason = "inside frame::call; the closure owns nothing")]
                    fetch(parameters, i + 1, true, &mut work)
                }),
                None => (*parameters).params.as_mut_ptr().add(i as usize),
            };
            *into = *from;
            // A SQL function does not mark its arguments so, since it keeps the plan; this
            // judgement is for one execution.
            (*into).pflags |= pg_sys::PARAM_FLAG_CONST as u16;
        }
        let global = nodes::make::<pg_sys::PlannerGlobal>();
        (*global).boundParams = constants;
        let root = nodes::make::<pg_sys::PlannerInfo>();
        (*root).glob = global;
        compat::give_relations(root, conditions);
        Node::of(root)
    }
}

/// Whether folding conditions, once values are bound, evaluates what may raise an error.
fn may_raise(conditions: Node) -> bool {
    let mut evaluated = Evaluated { around: vec![Part { constant: true, may_raise: false }] };
    nodes::walk(conditions, &mut evaluated);
    evaluated.around.first().is_some_and(|all| all.may_raise)
}

/// The expressions around the one that a walk has come to, each with what is known of its arguments so far.
struct Evaluated {
    around: Vec<Part>,
}

struct Part {
    /// Nothing in it varies with a row: folding evaluates it, once values are bound.
    constant: bool,
    may_raise: bool,
}

impl<'t> Visitor<'t> for Evaluated {
    fn enter(&mut self, node: Node<'t>) -> Walk {
        match node.tag() {
            NodeTag::T_Const | NodeTag::T_Param => return Walk::Past,
            NodeTag::T_Var | NodeTag::T_CurrentOfExpr => {
                if let Some(around) = self.around.last_mut() {
                    around.constant = false;
                }
                return Walk::Past;
            }
            _ => {}
        }
        self.around.push(Part { constant: true, may_raise: false });
        Walk::Into
    }

    fn leave(&mut self, node: Node<'t>) {
        let (Some(own), Some(around)) = (self.around.pop(), self.around.last_mut()) else { return };
        let is_query = node.is_a::<pg_sys::Query>();
        around.constant &= own.constant && !is_query;
        around.may_raise |= own.may_raise || (own.constant && !is_query && !is_harmless(node));
    }
}

/// Whether evaluating an expression, its arguments apart, raises no error.
fn is_harmless(node: Node) -> bool {
    match node.tag() {
        NodeTag::T_IntList
        | NodeTag::T_List
        | NodeTag::T_BoolExpr
        | NodeTag::T_NullTest
        | NodeTag::T_BooleanTest
        | NodeTag::T_RelabelType
        | NodeTag::T_CollateExpr
        | NodeTag::T_CoalesceExpr
        | NodeTag::T_CaseExpr
        | NodeTag::T_CaseWhen
        | NodeTag::T_CaseTestExpr
        | NodeTag::T_ArrayExpr => true,
        NodeTag::T_OpExpr
        | NodeTag::T_DistinctExpr
        | NodeTag::T_NullIfExpr
        | NodeTag::T_ScalarArrayOpExpr
        // Leakproof functions raise no errors that depend on their arguments.
        | NodeTag::T_FuncExpr => !nodes::calls(node, |function| !pg_sys::get_func_leakproof(function)),
        _ => false,
    }
}
