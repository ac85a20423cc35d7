//! What may be evaluated here, and what a proof may be tried of: nothing runs that PostgreSQL would not run.

use pgrx::pg_sys::NodeTag;

use crate::pg::nodes::{self, Kind, Node, Walk};
use crate::pg::pg_sys;

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
