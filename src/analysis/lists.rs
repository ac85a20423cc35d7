//! `x op ANY (list)`. Of most operators it restricts whatever is listed. Not of `<>`, since every value
//! differs from one of two, and not of a flag's `=`, since a list may hold both values: those are read
//! as the OR that they stand for.

use crate::pg::pg_sys;
use pgrx::pg_sys::NodeTag;

use super::fold;
use super::premises::is_provable;
use crate::pg::local::Local;
use crate::pg::nodes;

const SLOTS: usize = 16;
/// So many ways to write one value (1.0, 1.00) are told from two.
const MOST_SPELLINGS: usize = 100;
/// Operators, and whether each restricts. An operator's negator and families do not change.
static OPERATORS: Local<[(pg_sys::Oid, bool); SLOTS]> = Local::new([(pg_sys::InvalidOid, false); SLOTS]);

fn slot(operator: pg_sys::Oid) -> usize {
    operator.to_u32() as usize % SLOTS
}

/// Whether an operator is known to restrict. For bare frames.
#[inline]
pub fn is_known_to_restrict(operator: pg_sys::Oid) -> bool {
    OPERATORS.at(slot(operator)) == (operator, true)
}

/// Whether `x op ANY (list)` restricts whatever is listed.
pub fn restricts(operator: pg_sys::Oid) -> bool {
    if is_known_to_restrict(operator) {
        return true;
    }
    let restricts = operator.to_u32() != pg_sys::BooleanEqualOperator && !is_inequality(operator);
    OPERATORS.put(slot(operator), (operator, restricts));
    restricts
}

fn is_inequality(operator: pg_sys::Oid) -> bool {
    // SAFETY: catalog cache look-ups.
    unsafe {
        let negator = pg_sys::get_negator(operator);
        negator != pg_sys::InvalidOid && !pg_sys::get_mergejoin_opfamilies(negator).is_null()
    }
}

/// The elements of an array that is a constant; `None` where it is not, or NULL.
struct Elements {
    of: pg_sys::Oid,
    values: Vec<*mut pg_sys::Node>,
    has_null: bool,
}

/// # Safety
/// `list` is an expression of an array.
unsafe fn elements(list: *mut pg_sys::Node) -> Option<Elements> {
    let list = nodes::cast::<pg_sys::Const, _>(list, NodeTag::T_Const)?;
    // SAFETY: the tag says Const; a constant that is not NULL is an array; makes nodes in the current
    // memory context.
    unsafe {
        let of = pg_sys::get_element_type((*list).consttype);
        if (*list).constisnull || of == pg_sys::InvalidOid {
            return None;
        }
        let (mut length, mut by_value, mut align) = (0, false, 0);
        pg_sys::get_typlenbyvalalign(of, &mut length, &mut by_value, &mut align);
        let length = i32::from(length);
        let array = pg_sys::pg_detoast_datum((*list).constvalue.cast_mut_ptr()).cast();
        let (mut values, mut nulls, mut count) = (std::ptr::null_mut(), std::ptr::null_mut(), 0);
        pg_sys::deconstruct_array(array, of, length, by_value, align, &mut values, &mut nulls, &mut count);
        let count = count as usize;
        let has_null = (0..count).any(|i| *nulls.add(i));
        let constant = |i| {
            pg_sys::makeConst(of, -1, (*list).constcollid, length, *values.add(i), false, by_value).cast()
        };
        let values = (0..count).filter(|i| !*nulls.add(*i)).map(constant).collect();
        Some(Elements { of, values, has_null })
    }
}

/// What a comparison with an empty list is, whatever is compared: ANY is false, ALL is true.
pub fn of_empty(op: *mut pg_sys::ScalarArrayOpExpr) -> Option<bool> {
    // SAFETY: a ScalarArrayOpExpr, whose second argument is an array.
    unsafe {
        let list = nodes::items::<pg_sys::Node>((*op).args).nth(1)?;
        let list = nodes::cast::<pg_sys::Const, _>(list, NodeTag::T_Const)?;
        (nodes::array_length(list) == Some(0)).then_some(!(*op).useOr)
    }
}

/// Whether a comparison with a list is never true, for the list has a NULL: ALL of it is false or NULL, and
/// so is NOT of ANY.
pub fn is_never_true(op: *mut pg_sys::ScalarArrayOpExpr, negated: bool) -> bool {
    // SAFETY: a ScalarArrayOpExpr, whose second argument is an array; each cast follows the node's tag.
    unsafe {
        let is_null = |node: *mut pg_sys::Node| {
            nodes::cast::<pg_sys::Const, _>(node, NodeTag::T_Const).is_some_and(|c| (*c).constisnull)
        };
        let holds_null = |list: *mut pg_sys::Node| match nodes::tag(list) {
            NodeTag::T_Const if !is_null(list) => {
                let list = (*list.cast::<pg_sys::Const>()).constvalue.cast_mut_ptr();
                pg_sys::array_contains_nulls(pg_sys::pg_detoast_datum(list).cast())
            }
            NodeTag::T_ArrayExpr => {
                let list = &*list.cast::<pg_sys::ArrayExpr>();
                !list.multidims && nodes::items::<pg_sys::Node>(list.elements).any(is_null)
            }
            _ => false,
        };
        (*op).useOr == negated
            && nodes::items::<pg_sys::Node>((*op).args).nth(1).is_some_and(holds_null)
            && pg_sys::op_strict((*op).opno)
    }
}

/// The arms of an OR, those of lists that stand for an OR among them.
pub fn arms(of: *mut pg_sys::List, root: *mut pg_sys::PlannerInfo) -> Vec<*mut pg_sys::Node> {
    let mut all = Vec::new();
    for arm in nodes::items::<pg_sys::Node>(of) {
        let list = nodes::cast::<pg_sys::ScalarArrayOpExpr, _>(arm, NodeTag::T_ScalarArrayOpExpr);
        let arm = list.and_then(as_or).map_or(arm, |or| fold(or, root));
        match nodes::cast::<pg_sys::BoolExpr, _>(arm, NodeTag::T_BoolExpr) {
            // SAFETY: the tag says BoolExpr.
            Some(or) if unsafe { (*or).boolop == pg_sys::BoolExprType::OR_EXPR } => {
                // SAFETY: as above.
                all.extend(nodes::items::<pg_sys::Node>(unsafe { (*or).args }));
            }
            _ => all.push(arm),
        }
    }
    all
}

/// The OR that ANY of a list of constants stands for, where its operator does not restrict by itself:
/// of each value of a flag; or of two values that differ, for everything differs from one of them.
pub fn as_or(op: *mut pg_sys::ScalarArrayOpExpr) -> Option<*mut pg_sys::Node> {
    // SAFETY: a ScalarArrayOpExpr, whose args are a scalar and an array; makes nodes in the current
    // memory context.
    unsafe {
        if !(*op).useOr || restricts((*op).opno) {
            return None;
        }
        let mut sides = nodes::items::<pg_sys::Node>((*op).args);
        let (scalar, list) = (sides.next()?, sides.next()?);
        let elements = elements(list)?;
        let compared = |left: *mut pg_sys::Node, right: *mut pg_sys::Node| -> *mut pg_sys::Node {
            let (left, right) = (left.cast(), right.cast());
            let (none, collation) = (pg_sys::InvalidOid, (*op).inputcollid);
            pg_sys::make_opclause((*op).opno, pg_sys::BOOLOID, false, left, right, none, collation).cast()
        };
        let first = elements.values.first().copied();
        let other = if (*op).opno.to_u32() == pg_sys::BooleanEqualOperator {
            let value = |node: *mut pg_sys::Node| (*node.cast::<pg_sys::Const>()).constvalue.value() != 0;
            elements.values.iter().copied().find(|node| Some(value(*node)) != first.map(value))
        } else {
            let (mut left, mut right) = (pg_sys::InvalidOid, pg_sys::InvalidOid);
            pg_sys::op_input_types((*op).opno, &mut left, &mut right);
            // PostgreSQL compares the elements with the column's values, not with each other.
            if left != right || left != elements.of || !is_provable(op.cast()) {
                return None;
            }
            let mut others = elements
                .values
                .iter()
                .copied()
                .filter(|node| first.is_some_and(|first| !pg_sys::equal(first.cast(), node.cast())));
            let differs = |node: &*mut pg_sys::Node| {
                first.is_some_and(|first| is_true(fold(compared(first, *node), std::ptr::null_mut())))
            };
            let other = others.by_ref().take(MOST_SPELLINGS).find(differs);
            if other.is_none() && others.next().is_some() {
                return None;
            }
            other
        };
        let null = elements.has_null.then(|| pg_sys::makeBoolConst(false, true));
        let values = first.into_iter().chain(other).map(|value| compared(scalar, value));
        let arms = nodes::list(values.chain(null));
        match nodes::length(arms) {
            0 => None,
            1 => nodes::items(arms).next(),
            _ => Some(pg_sys::makeBoolExpr(pg_sys::BoolExprType::OR_EXPR, arms, -1).cast()),
        }
    }
}

fn is_true(node: *mut pg_sys::Node) -> bool {
    nodes::cast::<pg_sys::Const, _>(node, NodeTag::T_Const)
        // SAFETY: the tag says Const, of a boolean.
        .is_some_and(|constant| unsafe { !(*constant).constisnull && (*constant).constvalue.value() != 0 })
}
