//! The table's own constraints as premises: the valid CHECKs that can only be true (a CHECK also passes
//! where it is NULL), and NOT NULL of the columns that they and the condition name.
//!
//! Folding and proving evaluate functions, and of a CHECK constraint PostgreSQL would evaluate nothing for
//! the statement: a function in it is its author's, and may be forbidden to the role, raise an error or do
//! what it likes. So only what is made of built-in immutable functions over built-in types is a premise.

use std::cell::OnceCell;

use pgrx::pg_sys::NodeTag;

use super::effort::{Effort, Size};
use super::nulls::is_null_only_for_null;
use super::prover::{columns_of, null_test};
use super::target::{Check, Target};
use crate::pg::nodes::expressions::implied_by;
use crate::pg::nodes::{self, Kind, Node, Walk};
use crate::pg::pg_sys;

/// Something that is true of every row of the table.
struct Premise<'t> {
    node: Node<'t>,
    columns: Vec<i16>,
    size: Size,
}

/// What the table's constraints say, each read when a condition on its columns is.
pub struct Premises<'t>(Vec<OnceCell<Vec<Premise<'t>>>>);

impl<'t> Premises<'t> {
    pub fn of(target: &Target) -> Premises<'t> {
        Premises(target.checks().iter().map(|_| OnceCell::new()).collect())
    }

    /// Whether the constraints make a condition, or NOT of it, true for every row.
    pub fn imply(&self, condition: Node<'t>, not: bool, target: &Target, effort: &Effort) -> bool {
        let Some(size) = effort.size(condition) else { return false };
        let Some(columns) = immutable_columns(condition, target) else { return false };
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
        let premises = about.iter().map(|premise| premise.node).chain(known);
        implied_by(if not { condition.negated() } else { condition }, premises)
    }
}

/// What a constraint says that can only be true: a CHECK also passes where it is NULL.
fn premises<'t>(check: &Check, target: &Target, effort: &Effort) -> Vec<Premise<'t>> {
    let Some(expression) = target.expression(check) else { return Vec::new() };
    let premise = |node| {
        let columns = immutable_columns(node, target)?;
        let is_true = columns.iter().all(|c| target.is_not_null(*c)) && is_null_only_for_null(node, target);
        Some(Premise { node, columns, size: effort.size(node).filter(|_| is_true)? })
    };
    expression.folded(None).parts_of_check().iter().filter_map(premise).collect()
}

/// The columns of the target that a condition names; `None` where it names or calls anything that varies
/// beside.
fn immutable_columns(condition: Node, target: &Target) -> Option<Vec<i16>> {
    if condition.has_sub_selects() || condition.is_mutable() {
        return None;
    }
    columns_of(condition, 0, target)
}

/// Whether evaluating an expression, or any part of it, runs only built-in immutable functions, over types
/// that bring none of their own. What is not understood is not.
pub fn is_evaluable(node: Node) -> bool {
    !nodes::walk(node, &mut |node: Node| if is_evaluable_by_itself(node) { Walk::Into } else { Walk::Stop })
}

/// Whether a proof about an expression runs built-in operators alone. It compares constants by operators of
/// the families of those that it finds, and evaluates nothing else.
pub fn is_provable(node: Node) -> bool {
    !nodes::walk(node, &mut |node: Node| {
        // An operator of somebody's, or over a type of somebody's.
        let arguments = match node.kind() {
            Kind::OpExpr(op) | Kind::DistinctExpr(op) | Kind::NullIfExpr(op) => op.args(),
            Kind::ScalarArrayOpExpr(op) => op.args(),
            _ => return Walk::Into,
        };
        let is_foreign = nodes::calls(node, |function| !is_built_in(function))
            || arguments.iter().any(|argument| !brings_no_functions(argument.type_of()));
        if is_foreign { Walk::Stop } else { Walk::Into }
    })
}

fn is_evaluable_by_itself(node: Node) -> bool {
    let is_plain = match node.tag() {
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
        | NodeTag::T_MinMaxExpr => brings_no_functions(node.type_of()),
        _ => false,
    };
    let is_immutable = |function| pg_sys::func_volatile(function) as u8 == pg_sys::PROVOLATILE_IMMUTABLE;
    is_plain && !nodes::calls(node, |function| !is_built_in(function) || !is_immutable(function))
}

fn is_built_in(function: pg_sys::Oid) -> bool {
    function.to_u32() < pg_sys::FirstGenbkiObjectId
}

/// Whether a type's own functions are built in: those of its operators, which arrays and ranges reach
/// through it, too.
fn brings_no_functions(kind: pg_sys::Oid) -> bool {
    let base = pg_sys::getBaseType(kind);
    let element = pg_sys::get_element_type(base);
    let base = if element == pg_sys::InvalidOid { base } else { pg_sys::getBaseType(element) };
    match pg_sys::get_typtype(base) as u8 {
        pg_sys::TYPTYPE_ENUM => true,
        pg_sys::TYPTYPE_BASE | pg_sys::TYPTYPE_RANGE | pg_sys::TYPTYPE_MULTIRANGE => {
            base.to_u32() < pg_sys::FirstGenbkiObjectId
        }
        _ => false,
    }
}
