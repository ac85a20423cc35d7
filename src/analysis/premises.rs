//! The table's own constraints as premises: the valid CHECKs that can only be true (a CHECK also passes
//! where it is NULL), and NOT NULL of the columns that they and the condition name.
//!
//! Folding and proving evaluate functions, and of a CHECK constraint PostgreSQL would evaluate nothing for
//! the statement: a function in it is its author's, and may be forbidden to the role, raise an error or do
//! what it likes. So only what is made of built-in immutable functions over built-in types is a premise.

use core::ffi::c_void;
use std::cell::OnceCell;

use crate::pg::pg_sys;
use pgrx::pg_sys::NodeTag;

use super::effort::{Effort, Size};
use super::fold;
use super::nulls::is_null_only_for_null;
use super::prover::{implied_by, negated, null_test};
use super::target::{Check, Target};
use crate::pg::{frame, nodes, raw};

/// Something that is true of every row of the table.
struct Premise {
    node: *mut pg_sys::Node,
    columns: Vec<i16>,
    size: Size,
}

/// What the table's constraints say, each read when a condition on its columns is.
pub struct Premises(Vec<OnceCell<Vec<Premise>>>);

impl Premises {
    pub fn of(target: &Target) -> Premises {
        Premises(target.checks().iter().map(|_| OnceCell::new()).collect())
    }

    /// Whether the constraints make a condition, or NOT of it, true for every row.
    pub fn imply(&self, condition: *mut pg_sys::Node, not: bool, target: &Target, effort: &Effort) -> bool {
        let Some(size) = effort.size(condition) else { return false };
        let Some(columns) = columns_of(condition, target) else { return false };
        // A constraint on other columns says nothing of these.
        let checks = target.checks().iter().zip(&self.0);
        let checks = checks.filter(|(check, _)| check.columns.iter().any(|c| columns.contains(c)));
        let said = checks.flat_map(|(check, said)| said.get_or_init(|| premises(check, target, effort)));
        let about: Vec<_> = said.filter(|said| said.columns.iter().any(|c| columns.contains(c))).collect();
        if about.is_empty() || !is_provable(condition) {
            return false;
        }
        let all = about.iter().fold(Size { nodes: 1, depth: 1 }, |all, premise| Size {
            nodes: all.nodes + premise.size.nodes,
            depth: all.depth.max(premise.size.depth + 1),
        });
        if !effort.afford_proof(size, all) {
            return false;
        }
        let known = columns.iter().filter(|column| **column > 0 && target.is_not_null(**column));
        let known = known.map(|column| null_test(*column, target, pg_sys::NullTestType::IS_NOT_NULL));
        let premises = nodes::list(about.iter().map(|premise| premise.node).chain(known));
        implied_by(if not { negated(condition) } else { condition }, premises)
    }
}

/// What a constraint says that can only be true: a CHECK also passes where it is NULL.
fn premises(check: &Check, target: &Target, effort: &Effort) -> Vec<Premise> {
    let Some(expression) = target.expression(check) else { return Vec::new() };
    let expression = fold(expression, std::ptr::null_mut());
    // SAFETY: an immutable boolean expression; make_ands_implicit only takes it apart.
    let parts = unsafe { pg_sys::make_ands_implicit(pg_sys::canonicalize_qual(expression.cast(), true)) };
    let premise = |node| {
        let columns = columns_of(node, target)?;
        let is_true = columns.iter().all(|c| target.is_not_null(*c)) && is_null_only_for_null(node, target);
        Some(Premise { node, columns, size: effort.size(node).filter(|_| is_true)? })
    };
    nodes::items::<pg_sys::Node>(parts).filter_map(premise).collect()
}

/// The columns of the target that a condition names, each once; `None` where it names anything else.
fn columns_of(condition: *mut pg_sys::Node, target: &Target) -> Option<Vec<i16>> {
    // SAFETY: only reads the tree.
    unsafe {
        if pg_sys::contain_subplans(condition) || pg_sys::contain_mutable_functions(condition) {
            return None;
        }
        let vars = nodes::items::<pg_sys::Node>(pg_sys::pull_var_clause(condition, 0));
        let mut columns = vars.map(|var| target.column(var, 0)).collect::<Option<Vec<_>>>()?;
        columns.sort_unstable();
        columns.dedup();
        Some(columns)
    }
}

/// Whether evaluating an expression, or any part of it, runs only built-in immutable functions, over types
/// that bring none of their own. What is not understood is not.
pub fn is_evaluable(node: *mut pg_sys::Node) -> bool {
    !finds(node, refuses)
}

/// Whether a proof about an expression runs built-in operators alone. It compares constants by operators of
/// the families of those that it finds, and evaluates nothing else.
pub fn is_provable(node: *mut pg_sys::Node) -> bool {
    !finds(node, has_foreign_operator)
}

fn finds(node: *mut pg_sys::Node, walker: raw::Walker) -> bool {
    frame::call(|| {
        #[allow(ffi_unwind_calls, reason = "inside frame::call; the closure owns nothing")]
        // SAFETY: the walkers only read the tree.
        unsafe {
            walker(node, std::ptr::null_mut())
        }
    })
}

/// True for what is not to be evaluated.
#[allow(ffi_unwind_calls, reason = "a bare frame: it owns nothing and cannot panic")]
unsafe extern "C-unwind" fn refuses(node: *mut pg_sys::Node, context: *mut c_void) -> bool {
    // SAFETY: a node or NULL.
    unsafe {
        let is_plain = match nodes::tag(node) {
            NodeTag::T_Invalid => return false,
            NodeTag::T_List
            | NodeTag::T_BoolExpr
            | NodeTag::T_NullTest
            | NodeTag::T_BooleanTest
            | NodeTag::T_CaseWhen => true,
            NodeTag::T_Var
            | NodeTag::T_Const
            | NodeTag::T_OpExpr
            | NodeTag::T_FuncExpr
            | NodeTag::T_ScalarArrayOpExpr
            | NodeTag::T_DistinctExpr
            | NodeTag::T_NullIfExpr
            | NodeTag::T_RelabelType
            | NodeTag::T_CollateExpr
            | NodeTag::T_CoerceViaIO
            | NodeTag::T_ArrayExpr
            | NodeTag::T_ArrayCoerceExpr
            | NodeTag::T_CaseExpr
            | NodeTag::T_CaseTestExpr
            | NodeTag::T_CoalesceExpr
            | NodeTag::T_MinMaxExpr => brings_no_functions(raw::exprType(node)),
            _ => false,
        };
        !is_plain
            || raw::check_functions_in_node(node, is_not_evaluable, context)
            || raw::expression_tree_walker(node, refuses, context)
    }
}

/// True for an operator of somebody's, or over a type of somebody's.
#[allow(ffi_unwind_calls, reason = "a bare frame: it owns nothing and cannot panic")]
unsafe extern "C-unwind" fn has_foreign_operator(node: *mut pg_sys::Node, context: *mut c_void) -> bool {
    // SAFETY: a node or NULL; DistinctExpr and NullIfExpr are OpExprs by another tag.
    unsafe {
        let arguments = match nodes::tag(node) {
            NodeTag::T_Invalid => return false,
            NodeTag::T_OpExpr | NodeTag::T_DistinctExpr | NodeTag::T_NullIfExpr => {
                (*node.cast::<pg_sys::OpExpr>()).args
            }
            NodeTag::T_ScalarArrayOpExpr => (*node.cast::<pg_sys::ScalarArrayOpExpr>()).args,
            _ => std::ptr::null_mut(),
        };
        if !arguments.is_null() {
            let mut types = nodes::items::<pg_sys::Node>(arguments).map(|node| raw::exprType(node));
            if raw::check_functions_in_node(node, is_foreign, context)
                || types.any(|kind| !brings_no_functions(kind))
            {
                return true;
            }
        }
        raw::expression_tree_walker(node, has_foreign_operator, context)
    }
}

fn is_built_in(function: pg_sys::Oid) -> bool {
    function.to_u32() < pg_sys::FirstGenbkiObjectId
}

unsafe extern "C-unwind" fn is_foreign(function: pg_sys::Oid, _: *mut c_void) -> bool {
    !is_built_in(function)
}

/// Whether a function is anything but built in and immutable.
#[allow(ffi_unwind_calls, reason = "a bare frame: it owns nothing and cannot panic")]
unsafe extern "C-unwind" fn is_not_evaluable(function: pg_sys::Oid, _: *mut c_void) -> bool {
    // SAFETY: a catalog cache look-up.
    !is_built_in(function) || unsafe { raw::func_volatile(function) } as u8 != pg_sys::PROVOLATILE_IMMUTABLE
}

/// Whether a type's own functions are built in: those of its operators, which arrays and ranges reach
/// through it, too.
///
/// # Safety
/// A type's OID; no frame above owns anything.
#[allow(ffi_unwind_calls, reason = "see the contract")]
unsafe fn brings_no_functions(kind: pg_sys::Oid) -> bool {
    // SAFETY: catalog cache look-ups.
    unsafe {
        let base = raw::getBaseType(kind);
        let element = raw::get_element_type(base);
        let base = if element == pg_sys::InvalidOid { base } else { raw::getBaseType(element) };
        match raw::get_typtype(base) as u8 {
            pg_sys::TYPTYPE_ENUM => true,
            pg_sys::TYPTYPE_BASE | pg_sys::TYPTYPE_RANGE | pg_sys::TYPTYPE_MULTIRANGE => {
                base.to_u32() < pg_sys::FirstGenbkiObjectId
            }
            _ => false,
        }
    }
}
