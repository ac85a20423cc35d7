//! Where an expression is NULL. The prover speaks of rows for which its premises are true; these questions
//! say what that leaves out.

use super::target::Target;
use crate::pg::nodes::{Kind, Node, Nodes};
use crate::pg::{compat, operators, pg_sys};

/// NULL tests, IS TRUE and its kin, and IS DISTINCT FROM are true or false, never NULL.
pub fn is_two_valued(node: Node) -> bool {
    match node.kind() {
        Kind::BoolExpr(expression) => expression.args().iter().all(is_two_valued),
        Kind::NullTest(_) | Kind::BooleanTest(_) | Kind::DistinctExpr(_) => true,
        _ => false,
    }
}

/// Whether an expression is NULL only where a column it names is NULL: comparisons and the like of
/// built-in types do not make NULL out of values. Functions that may are not on the list.
pub fn is_null_only_for_null(node: Node, target: &Target) -> bool {
    let all = |list: Nodes| list.iter().all(|node| is_null_only_for_null(node, target));
    let is_plain = |operator| compares(operator) || makes_values(pg_sys::get_opcode(operator), operator);
    match node.kind() {
        Kind::Const(constant) => !constant.constisnull,
        Kind::Var(_) => target.column(node, 0).is_some_and(|attribute| attribute != 0),
        Kind::NullTest(_) | Kind::BooleanTest(_) | Kind::DistinctExpr(_) | Kind::SQLValueFunction(_) => true,
        Kind::RelabelType(relabel) => relabel.arg().is_some_and(|inner| is_null_only_for_null(inner, target)),
        Kind::BoolExpr(expression) => all(expression.args()),
        Kind::OpExpr(op) => is_plain(op.opno) && all(op.args()),
        Kind::FuncExpr(function) => makes_values(function.funcid, function.funcid) && all(function.args()),
        Kind::ScalarArrayOpExpr(op) => {
            is_plain(op.opno)
                && op.constant_list().is_some_and(|list| !list.is_null() && !list.holds_null())
                && all(op.args())
        }
        _ => false,
    }
}

/// Whether a built-in operator is a comparison of some B-tree operator family, which never makes NULL
/// out of values, whatever their type.
fn compares(operator: pg_sys::Oid) -> bool {
    operator.to_u32() < pg_sys::FirstGenbkiObjectId && compat::btree_strategies(operator) != 0
}

/// Whether a strict built-in function over plain scalar types gives a value for values.
fn makes_values(function: pg_sys::Oid, own: pg_sys::Oid) -> bool {
    if own.to_u32() >= pg_sys::FirstGenbkiObjectId || function == pg_sys::InvalidOid {
        return false;
    }
    let (result, arguments) = operators::signature(function);
    let scalar = |t: pg_sys::Oid| {
        matches!(
            t,
            pg_sys::BOOLOID
                | pg_sys::INT2OID
                | pg_sys::INT4OID
                | pg_sys::INT8OID
                | pg_sys::FLOAT4OID
                | pg_sys::FLOAT8OID
                | pg_sys::NUMERICOID
                | pg_sys::TEXTOID
                | pg_sys::VARCHAROID
                | pg_sys::BPCHAROID
                | pg_sys::NAMEOID
                | pg_sys::CHAROID
                | pg_sys::BYTEAOID
                | pg_sys::UUIDOID
                | pg_sys::OIDOID
                | pg_sys::DATEOID
                | pg_sys::TIMEOID
                | pg_sys::TIMESTAMPOID
                | pg_sys::TIMESTAMPTZOID
                | pg_sys::INTERVALOID
        )
    };
    // date_part of an infinity, substring by pattern and their like give NULL; comparisons and
    // arithmetic do not.
    let dated = |t: &pg_sys::Oid| {
        matches!(
            *t,
            pg_sys::DATEOID
                | pg_sys::TIMEOID
                | pg_sys::TIMESTAMPOID
                | pg_sys::TIMESTAMPTZOID
                | pg_sys::INTERVALOID
        )
    };
    let text = matches!(
        own.to_u32(),
        pg_sys::F_LOWER_TEXT
            | pg_sys::F_UPPER_TEXT
            | pg_sys::F_BTRIM_TEXT
            | pg_sys::F_LTRIM_TEXT
            | pg_sys::F_RTRIM_TEXT
    );
    let plain = result == pg_sys::BOOLOID
        || text
        || (matches!(
            result,
            pg_sys::INT2OID
                | pg_sys::INT4OID
                | pg_sys::INT8OID
                | pg_sys::FLOAT4OID
                | pg_sys::FLOAT8OID
                | pg_sys::NUMERICOID
        ) && !arguments.iter().any(dated));
    plain && pg_sys::func_strict(function) && arguments.iter().all(|t| scalar(*t))
}
