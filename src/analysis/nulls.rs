//! Where an expression is NULL. The prover speaks of rows for which its premises are true; these questions
//! say what that leaves out.

use crate::pg::pg_sys;
use pgrx::pg_sys::NodeTag;

use super::target::Target;
use crate::pg::{compat, nodes};

/// NULL tests, IS TRUE and its kin, and IS DISTINCT FROM are true or false, never NULL.
pub fn is_two_valued(node: *mut pg_sys::Node) -> bool {
    if let Some(expression) = nodes::cast::<pg_sys::BoolExpr, _>(node, NodeTag::T_BoolExpr) {
        // SAFETY: the tag says BoolExpr.
        return nodes::items(unsafe { (*expression).args }).all(is_two_valued);
    }
    matches!(nodes::tag(node), NodeTag::T_NullTest | NodeTag::T_BooleanTest | NodeTag::T_DistinctExpr)
}

/// Whether an expression is NULL only where a column it names is NULL: comparisons and the like of
/// built-in types do not make NULL out of values. Functions that may are not on the list.
pub fn is_null_only_for_null(node: *mut pg_sys::Node, target: &Target) -> bool {
    let all = |list| nodes::items::<pg_sys::Node>(list).all(|n| is_null_only_for_null(n, target));
    // SAFETY: each cast follows the node's tag.
    unsafe {
        match nodes::tag(node) {
            NodeTag::T_Const => !(*node.cast::<pg_sys::Const>()).constisnull,
            NodeTag::T_Var => target.column(node, 0).is_some_and(|attribute| attribute != 0),
            NodeTag::T_NullTest | NodeTag::T_BooleanTest | NodeTag::T_DistinctExpr => true,
            NodeTag::T_SQLValueFunction => true,
            NodeTag::T_RelabelType => {
                is_null_only_for_null((*node.cast::<pg_sys::RelabelType>()).arg.cast(), target)
            }
            NodeTag::T_BoolExpr => all((*node.cast::<pg_sys::BoolExpr>()).args),
            NodeTag::T_OpExpr => {
                let op = node.cast::<pg_sys::OpExpr>();
                let function = pg_sys::get_opcode((*op).opno);
                (compares((*op).opno) || makes_values(function, (*op).opno)) && all((*op).args)
            }
            NodeTag::T_FuncExpr => {
                let function = node.cast::<pg_sys::FuncExpr>();
                makes_values((*function).funcid, (*function).funcid) && all((*function).args)
            }
            NodeTag::T_ScalarArrayOpExpr => {
                let op = node.cast::<pg_sys::ScalarArrayOpExpr>();
                let array = nodes::items::<pg_sys::Node>((*op).args).nth(1).unwrap_or(std::ptr::null_mut());
                (compares((*op).opno) || makes_values(pg_sys::get_opcode((*op).opno), (*op).opno))
                    && !may_hold_null(array)
                    && all((*op).args)
            }
            _ => false,
        }
    }
}

fn may_hold_null(array: *mut pg_sys::Node) -> bool {
    match nodes::cast::<pg_sys::Const, _>(array, NodeTag::T_Const) {
        // SAFETY: the tag says Const; a non-null constant of an array type, which may be toasted.
        Some(constant) => unsafe {
            (*constant).constisnull || {
                let array = pg_sys::pg_detoast_datum((*constant).constvalue.cast_mut_ptr());
                pg_sys::array_contains_nulls(array.cast())
            }
        },
        None => true,
    }
}

/// Whether a built-in operator is a comparison of some B-tree operator family, which never makes NULL
/// out of values, whatever their type.
fn compares(operator: pg_sys::Oid) -> bool {
    operator.to_u32() < pg_sys::FirstGenbkiObjectId && compat::btree_strategies(operator) != 0
}

/// Whether a strict built-in function over plain scalar types gives a value for values.
///
/// # Safety
/// `function` is a function's OID.
unsafe fn makes_values(function: pg_sys::Oid, own: pg_sys::Oid) -> bool {
    if own.to_u32() >= pg_sys::FirstGenbkiObjectId || function == pg_sys::InvalidOid {
        return false;
    }
    // SAFETY: catalog cache look-ups of a function that exists.
    unsafe {
        let (mut types, mut count) = (std::ptr::null_mut(), 0);
        let result = pg_sys::get_func_signature(function, &mut types, &mut count);
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
        let arguments = std::slice::from_raw_parts(types, count.max(0) as usize);
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
}
