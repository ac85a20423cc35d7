//! `x op ANY (list)`. Of most operators it restricts whatever is listed. Not of `<>`, since every value
//! differs from one of two, and not of a flag's `=`, since a list may hold both values: those are read
//! as the OR that they stand for.

use pgrx::pg_sys;
use pgrx::pg_sys::NodeTag;

use crate::pg::local::Local;
use crate::pg::nodes;

const SLOTS: usize = 16;
/// Operators, and whether each restricts. An operator's negator and families do not change.
static OPERATORS: Local<[(pg_sys::Oid, bool); SLOTS]> = Local::new([(pg_sys::InvalidOid, false); SLOTS]);

fn slot(operator: pg_sys::Oid) -> usize {
    operator.to_u32() as usize % SLOTS
}

/// Whether an operator is known to restrict. For bare frames.
#[inline]
pub fn is_known_to_restrict(operator: pg_sys::Oid) -> bool {
    OPERATORS.with(|operators| operators[slot(operator)] == (operator, true))
}

/// Whether `x op ANY (list)` restricts whatever is listed.
pub fn restricts(operator: pg_sys::Oid) -> bool {
    if is_known_to_restrict(operator) {
        return true;
    }
    let restricts = operator.to_u32() != pg_sys::BooleanEqualOperator && !is_inequality(operator);
    OPERATORS.with(|operators| operators[slot(operator)] = (operator, restricts));
    restricts
}

fn is_inequality(operator: pg_sys::Oid) -> bool {
    // SAFETY: catalog cache look-ups.
    unsafe {
        let negator = pg_sys::get_negator(operator);
        negator != pg_sys::InvalidOid && !pg_sys::get_mergejoin_opfamilies(negator).is_null()
    }
}

/// The OR that a list of constants stands for, where its operator does not restrict by itself. An arm
/// for each of the first `most` elements: if those cover every row, so do all.
pub fn as_or(op: *mut pg_sys::ScalarArrayOpExpr, most: usize) -> Option<*mut pg_sys::Node> {
    // SAFETY: a ScalarArrayOpExpr, whose args are a scalar and an array; makes nodes in the current
    // memory context.
    unsafe {
        if !(*op).useOr || restricts((*op).opno) {
            return None;
        }
        let mut sides = nodes::items::<pg_sys::Node>((*op).args);
        let (scalar, list) = (sides.next()?, sides.next()?);
        let list = nodes::cast::<pg_sys::Const, _>(list, NodeTag::T_Const)?;
        let element = pg_sys::get_element_type((*list).consttype);
        if (*list).constisnull || element == pg_sys::InvalidOid {
            return None;
        }
        let (mut length, mut by_value, mut align) = (0, false, 0);
        pg_sys::get_typlenbyvalalign(element, &mut length, &mut by_value, &mut align);
        let array = pg_sys::pg_detoast_datum((*list).constvalue.cast_mut_ptr()).cast();
        let (mut values, mut nulls, mut count) = (std::ptr::null_mut(), std::ptr::null_mut(), 0);
        pg_sys::deconstruct_array(
            array,
            element,
            i32::from(length),
            by_value,
            align,
            &mut values,
            &mut nulls,
            &mut count,
        );
        let arm = |i: usize| {
            let value = pg_sys::makeConst(
                element,
                -1,
                (*list).constcollid,
                i32::from(length),
                *values.add(i),
                *nulls.add(i),
                by_value,
            );
            let result = pg_sys::BOOLOID;
            pg_sys::make_opclause(
                (*op).opno,
                result,
                false,
                scalar.cast(),
                value.cast(),
                pg_sys::InvalidOid,
                (*op).inputcollid,
            )
        };
        let arms = nodes::list((0..(count as usize).min(most)).map(arm));
        match nodes::length(arms) {
            0 => Some(pg_sys::makeBoolConst(false, false)),
            1 => nodes::items(arms).next(),
            _ => Some(pg_sys::makeBoolExpr(pg_sys::BoolExprType::OR_EXPR, arms, -1).cast()),
        }
    }
}
