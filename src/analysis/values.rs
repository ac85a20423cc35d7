//! The new values of an UPDATE: whether they may hang on when they are computed. The guard collects
//! rows before the first is written; such values have to wait for theirs.

use crate::pg::pg_sys;
use pgrx::pg_sys::NodeTag;

use crate::pg::{frame, nodes, raw};

/// For guarded code.
///
/// # Safety
/// `query` is an UPDATE.
pub unsafe fn hang_on_time(query: *mut pg_sys::Query) -> bool {
    // SAFETY: by contract.
    unsafe { !are_plain(query) && frame::call(|| are_volatile(query)) }
}

/// Whether there are volatile functions in them, or in their sub-selects.
///
/// # Safety
/// `query` is an UPDATE; no frame above owns anything.
#[inline]
#[allow(ffi_unwind_calls, reason = "called by bare frames and in frame::call")]
pub unsafe fn are_volatile(query: *mut pg_sys::Query) -> bool {
    // SAFETY: by contract.
    unsafe { !are_plain(query) && raw::contain_volatile_functions((*query).targetList.cast()) }
}

/// At a glance: constants, parameters, columns and arithmetic with them. No operator of PostgreSQL's own
/// is volatile.
///
/// # Safety
/// `query` is an UPDATE.
#[inline]
unsafe fn are_plain(query: *mut pg_sys::Query) -> bool {
    // SAFETY: by contract: its target list holds TargetEntries.
    unsafe {
        let list = (*query).targetList;
        let mut i = 0;
        while i < nodes::length(list) {
            let entry = (*(*list).elements.add(i)).ptr_value.cast::<pg_sys::TargetEntry>();
            if !is_plain((*entry).expr.cast(), 4) {
                return false;
            }
            i += 1;
        }
        true
    }
}

/// # Safety
/// `node` is an expression.
unsafe fn is_plain(node: *mut pg_sys::Node, depth: u32) -> bool {
    // SAFETY: by contract; casts follow tags.
    unsafe {
        match nodes::tag(node) {
            NodeTag::T_Const | NodeTag::T_Var => true,
            NodeTag::T_Param => (*node.cast::<pg_sys::Param>()).paramkind == pg_sys::ParamKind::PARAM_EXTERN,
            NodeTag::T_RelabelType => is_plain((*node.cast::<pg_sys::RelabelType>()).arg.cast(), depth),
            NodeTag::T_OpExpr => {
                let operation = node.cast::<pg_sys::OpExpr>();
                let list = (*operation).args;
                if depth == 0 || (*operation).opno.to_u32() >= pg_sys::FirstNormalObjectId {
                    return false;
                }
                let mut i = 0;
                while i < nodes::length(list) {
                    if !is_plain((*(*list).elements.add(i)).ptr_value.cast(), depth - 1) {
                        return false;
                    }
                    i += 1;
                }
                true
            }
            _ => false,
        }
    }
}
