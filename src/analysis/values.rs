//! The new values of an UPDATE: whether they may hang on when they are computed. The guard collects
//! rows before the first is written; such values have to wait for theirs.

use crate::pg::nodes::{Kind, Node};
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

/// At a glance: constants, parameters, columns and arithmetic with them. No operator of PostgreSQL's own
/// is volatile.
#[inline]
fn are_plain(update: Node<pg_sys::Query>) -> bool {
    update.targetList().iter().all(|entry| entry.expr().is_none_or(|value| is_plain(value, 4)))
}

fn is_plain(node: Node, depth: u32) -> bool {
    match node.kind() {
        Kind::Const(_) | Kind::Var(_) => true,
        Kind::Param(param) => param.paramkind == pg_sys::ParamKind::PARAM_EXTERN,
        Kind::RelabelType(relabel) => relabel.arg().is_some_and(|inner| is_plain(inner, depth)),
        Kind::OpExpr(operation) => {
            depth > 0
                && operation.opno.to_u32() < pg_sys::FirstNormalObjectId
                && operation.args().iter().all(|argument| is_plain(argument, depth - 1))
        }
        _ => false,
    }
}
