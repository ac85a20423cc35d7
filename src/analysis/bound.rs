//! Judging a condition with the values that are bound to its parameters, at an execution.
//!
//! With the values in it folding evaluates what PostgreSQL evaluates for a custom plan, but for a generic
//! one only at a row, if it comes to one: `id > 10 / $1` with 0 bound is no error on an empty table. So
//! what may raise an error is judged in a subtransaction that is rolled back, and an error counts as a
//! condition that restricts: PostgreSQL will raise it, or no row gets that far.

use core::ffi::c_void;

use crate::pg::pg_sys;
use pgrx::pg_sys::NodeTag;

use super::target::Target;
use super::{Place, Qualification, highest_parameter, judge, read_kept};
use crate::pg::context::Context;
use crate::pg::{attempt, frame, nodes, raw};

/// Judges kept conditions with the values that are bound now.
///
/// # Safety
/// `conditions` is a finding's, `parameters` the execution's.
pub unsafe fn judge_bound(
    relation: pg_sys::Oid,
    only: bool,
    index: i32,
    conditions: *mut pg_sys::List,
    parameters: pg_sys::ParamListInfo,
) -> Qualification {
    let target = Target::at(Place { relation, only, index });
    Context::new(c"safedelete analysis").within(|| {
        // SAFETY: `parameters` is NULL or the execution's.
        let root = unsafe { planner_info_with(parameters, highest_parameter(conditions)) };
        let verdict = || judge(std::ptr::null_mut(), &target, &read_kept(conditions, root), root);
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
unsafe fn planner_info_with(parameters: pg_sys::ParamListInfo, highest: i32) -> *mut pg_sys::PlannerInfo {
    if parameters.is_null() {
        return std::ptr::null_mut();
    }
    // SAFETY: makes nodes in the current memory context; a parameter is fetched as
    // eval_const_expressions fetches it.
    unsafe {
        let count = highest.min((*parameters).numParams).max(0);
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
        let global = pg_sys::palloc0(size_of::<pg_sys::PlannerGlobal>()).cast::<pg_sys::PlannerGlobal>();
        (*global).type_ = NodeTag::T_PlannerGlobal;
        (*global).boundParams = constants;
        let root = pg_sys::palloc0(size_of::<pg_sys::PlannerInfo>()).cast::<pg_sys::PlannerInfo>();
        (*root).type_ = NodeTag::T_PlannerInfo;
        (*root).glob = global;
        root
    }
}

/// What is known of an expression while its arguments are walked.
struct Evaluated {
    /// Nothing in it varies with a row: folding evaluates it, once values are bound.
    constant: bool,
    may_raise: bool,
}

/// Whether folding conditions, once values are bound, evaluates what may raise an error.
fn may_raise(conditions: *mut pg_sys::List) -> bool {
    let mut evaluated = Evaluated { constant: true, may_raise: false };
    let context: *mut Evaluated = &mut evaluated;
    frame::call(|| {
        #[allow(ffi_unwind_calls, reason = "inside frame::call; the closure owns nothing")]
        // SAFETY: the walker only reads the tree and writes `evaluated`.
        unsafe {
            evaluation(conditions.cast(), context.cast())
        }
    });
    evaluated.may_raise
}

#[allow(ffi_unwind_calls, reason = "a bare frame: it owns nothing and cannot panic")]
unsafe extern "C-unwind" fn evaluation(node: *mut pg_sys::Node, context: *mut c_void) -> bool {
    // SAFETY: a node or NULL; `context` is the Evaluated of the node around.
    unsafe {
        let around = &mut *context.cast::<Evaluated>();
        let mut own = Evaluated { constant: true, may_raise: false };
        let inside: *mut Evaluated = &mut own;
        let harmless = match nodes::tag(node) {
            NodeTag::T_Invalid | NodeTag::T_IntList | NodeTag::T_Const | NodeTag::T_Param => return false,
            NodeTag::T_Var | NodeTag::T_CurrentOfExpr => {
                around.constant = false;
                return false;
            }
            NodeTag::T_Query => {
                raw::query_tree_walker(node.cast(), evaluation, inside.cast(), 0);
                around.constant = false;
                around.may_raise |= (*inside).may_raise;
                return (*inside).may_raise;
            }
            NodeTag::T_List
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
            | NodeTag::T_FuncExpr => {
                !raw::check_functions_in_node(node, is_not_leakproof, std::ptr::null_mut())
            }
            _ => false,
        };
        raw::expression_tree_walker(node, evaluation, inside.cast());
        let own = &*inside;
        around.constant &= own.constant;
        around.may_raise |= own.may_raise || (own.constant && !harmless);
        around.may_raise
    }
}

/// Leakproof functions raise no errors that depend on their arguments.
#[allow(ffi_unwind_calls, reason = "a bare frame: it owns nothing and cannot panic")]
unsafe extern "C-unwind" fn is_not_leakproof(function: pg_sys::Oid, _: *mut c_void) -> bool {
    // SAFETY: a catalog cache look-up.
    !unsafe { raw::get_func_leakproof(function) }
}
