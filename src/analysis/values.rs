//! The new values of an UPDATE: whether they may hang on when they are computed. The guard collects
//! rows before the first is written; such values have to wait for theirs.

use crate::pg::nodes::{Node, Nodes};
use crate::pg::{frame, pg_sys, raw};

/// For guarded code.
pub fn hang_on_time(update: Node<pg_sys::Query>) -> bool {
    // SAFETY: inside frame::call; the closure owns nothing.
    !are_plain(update) && frame::call(|| unsafe { are_volatile(update) })
}

/// Whether there are volatile functions in them, or in their sub-selects.
///
/// # Safety
/// No frame above owns anything.
#[inline]
#[allow(ffi_unwind_calls, reason = "called by bare frames and in frame::call")]
pub unsafe fn are_volatile(update: Node<pg_sys::Query>) -> bool {
    // SAFETY: a list of expressions, which is only read.
    !are_plain(update) && unsafe { raw::contain_volatile_functions(update.targetList().as_ptr().cast()) }
}

/// Whether they are constants, parameters and columns, or an operator of PostgreSQL's own has two of these: nearly
/// every one. Calls nothing.
#[inline(always)]
pub fn are_of_leaves(update: Node<pg_sys::Query>) -> bool {
    let mut values = update.targetList().iter().filter_map(|entry| entry.expr());
    values.all(|value| is_leaf(value) || is_of_leaves(value))
}

/// At a glance: constants, parameters, columns and arithmetic with them. No operator of PostgreSQL's own
/// is volatile.
#[inline]
fn are_plain(update: Node<pg_sys::Query>) -> bool {
    let mut values = update.targetList().iter().filter_map(|entry| entry.expr());
    values.all(|value| is_plain(value, 4))
}

/// `column + 1`.
#[inline(always)]
fn is_of_leaves(node: Node) -> bool {
    let pair = operands(node).and_then(Nodes::pair);
    pair.is_some_and(|(left, right)| is_leaf(left) && is_leaf(right))
}

/// Those of an operator of PostgreSQL's own.
#[inline(always)]
fn operands(node: Node) -> Option<Nodes> {
    let operation = node.as_a::<pg_sys::OpExpr>()?;
    (operation.opno.to_u32() < pg_sys::FirstNormalObjectId).then(|| operation.args())
}

#[inline(always)]
fn is_leaf(node: Node) -> bool {
    node.is_a::<pg_sys::Var>() || node.is_plain_value()
}

fn is_plain(node: Node, depth: u32) -> bool {
    if let Some(operands) = operands(node) {
        return depth > 0 && operands.iter().all(|operand| is_leaf(operand) || is_plain(operand, depth - 1));
    }
    match node.as_a::<pg_sys::RelabelType>() {
        Some(relabel) => relabel.arg().is_some_and(|inner| is_plain(inner, depth)),
        None => is_leaf(node),
    }
}
