//! `x op ANY (list)`. Of most operators it restricts whatever is listed. Not of `<>`, since every value
//! differs from one of two, and not of a flag's `=`, since a list may hold both values: those are read
//! as the OR that they stand for.

use super::evaluable::is_provable;
use crate::pg::local::Local;
use crate::pg::nodes::expressions::{self, Root};
use crate::pg::nodes::{Kind, Node, Nodes};
use crate::pg::{operators, pg_sys};

type Listed<'t> = Node<'t, pg_sys::ScalarArrayOpExpr>;

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
    let restricts = operator.to_u32() != pg_sys::BooleanEqualOperator && !operators::is_inequality(operator);
    OPERATORS.put(slot(operator), (operator, restricts));
    restricts
}

/// What a comparison with an empty list is, whatever is compared: ANY is false, ALL is true.
pub fn of_empty(op: Listed) -> Option<bool> {
    (op.constant_list()?.len() == Some(0)).then_some(!op.useOr)
}

/// Whether a comparison with a list is never true, for the list has a NULL: ALL of it is false or NULL, and
/// so is NOT of ANY.
pub fn is_never_true(op: Listed, negated: bool) -> bool {
    let is_null = |node: Node| node.as_a::<pg_sys::Const>().is_some_and(|constant| constant.constisnull);
    let holds_null = || match (op.constant_list(), op.args().get(1).map(Node::kind)) {
        (Some(list), _) => list.holds_null(),
        (_, Some(Kind::ArrayExpr(list))) => !list.multidims && list.elements().iter().any(is_null),
        _ => false,
    };
    op.useOr == negated && holds_null() && pg_sys::op_strict(op.opno)
}

/// The arms of an OR, those of lists that stand for an OR among them.
pub fn arms<'t>(of: Nodes<'t>, root: Option<Root<'t>>) -> Vec<Node<'t>> {
    let mut all = Vec::new();
    for arm in of.iter() {
        let arm = arm.as_a().and_then(as_or).map_or(arm, |or| or.folded(root));
        match arm.kind() {
            Kind::BoolExpr(or) if or.boolop == pg_sys::BoolExprType::OR_EXPR => all.extend(or.args().iter()),
            _ => all.push(arm),
        }
    }
    all
}

/// The OR that ANY of a list of constants stands for, where its operator does not restrict by itself:
/// of each value of a flag; or of two values that differ, for everything differs from one of them.
pub fn as_or<'t>(op: Listed<'t>) -> Option<Node<'t>> {
    if !op.useOr || restricts(op.opno) {
        return None;
    }
    let scalar = op.args().first()?;
    let elements = op.constant_list()?.elements()?;
    let compared =
        |left: Node<'t>, right: Node<'t>| expressions::comparison(op.opno, left, right, op.inputcollid);
    let first = elements.values.first().copied();
    let other = if op.opno.to_u32() == pg_sys::BooleanEqualOperator {
        elements.values.iter().copied().find(|value| Some(is_true(*value)) != first.map(is_true))
    } else {
        let (left, right) = operators::input_types(op.opno);
        // PostgreSQL compares the elements with the column's values, not with each other.
        if left != right || left != elements.of || !is_provable(op.any()) {
            return None;
        }
        let mut others =
            elements.values.iter().copied().filter(|value| first.is_some_and(|first| !first.equals(*value)));
        let differs =
            |value: &Node<'t>| first.is_some_and(|first| is_true(compared(first, *value).folded(None)));
        let other = others.by_ref().take(MOST_SPELLINGS).find(differs);
        if other.is_none() && others.next().is_some() {
            return None;
        }
        other
    };
    let null = elements.has_null.then(|| expressions::constant_condition(None));
    let values = first.into_iter().chain(other).map(|value| compared(scalar, value));
    let arms: Nodes = values.chain(null).collect();
    match arms.len() {
        0 | 1 => arms.first(),
        _ => Some(expressions::boolean(pg_sys::BoolExprType::OR_EXPR, arms)),
    }
}

/// A constant of a boolean that is true.
fn is_true(node: Node) -> bool {
    node.as_a::<pg_sys::Const>()
        .is_some_and(|constant| !constant.constisnull && constant.constvalue.value() != 0)
}
