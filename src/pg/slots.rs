//! What PostgreSQL's inline functions do with a slot, and with an expression of a row.

use super::{pg_sys, raw};

/// # Safety
/// `slot` is NULL or a slot.
#[inline(always)]
pub unsafe fn is_empty(slot: *mut pg_sys::TupleTableSlot) -> bool {
    // SAFETY: by contract.
    slot.is_null() || unsafe { (*slot).tts_flags as u32 & pg_sys::TTS_FLAG_EMPTY != 0 }
}

/// As slot_getsomeattrs: the first columns of a slot's row stand in its arrays. A virtual slot, which has all of them,
/// may not be asked for them.
///
/// # Safety
/// `slot` holds a row of at least so many columns; no frame above owns anything, or this is inside `frame::call`.
#[inline(always)]
#[allow(ffi_unwind_calls, reason = "called by bare frames, which own nothing")]
pub unsafe fn get_some_attributes(slot: *mut pg_sys::TupleTableSlot, columns: i32) {
    // SAFETY: by contract.
    unsafe {
        if i32::from((*slot).tts_nvalid) < columns {
            raw::slot_getsomeattrs_int(slot, columns);
        }
    }
}

/// # Safety
/// `slot` is a slot.
#[inline(always)]
#[allow(ffi_unwind_calls, reason = "called by bare frames, which own nothing")]
pub unsafe fn clear(slot: *mut pg_sys::TupleTableSlot) {
    // SAFETY: every kind of slot has the function.
    unsafe {
        if let Some(clear) = (*(*slot).tts_ops).clear {
            clear(slot);
        }
    }
}

/// Has a slot hold a row whose columns stand elsewhere, which has to stay as it is for as long.
///
/// # Safety
/// `slot` is virtual, of a fixed descriptor; the arrays have its columns.
#[inline(always)]
pub unsafe fn point(slot: *mut pg_sys::TupleTableSlot, values: *mut pg_sys::Datum, nulls: *mut bool) {
    // SAFETY: by contract; such a slot never frees its arrays, so they may be pointed elsewhere.
    unsafe {
        if (*slot).tts_flags & pg_sys::TTS_FLAG_SHOULDFREE as u16 != 0 {
            // Somebody has materialized the row before.
            clear(slot);
        }
        (*slot).tts_values = values;
        (*slot).tts_isnull = nulls;
        (*slot).tts_flags &= !(pg_sys::TTS_FLAG_EMPTY as u16);
        (*slot).tts_nvalid = (*(*slot).tts_tupleDescriptor).natts as pg_sys::AttrNumber;
    }
}

/// What ExecEvalExprSwitchContext does: the value of an expression, made in the memory of the row.
///
/// # Safety
/// `state` is an expression's state and `context` is its own; no frame above owns anything.
#[inline(always)]
#[allow(ffi_unwind_calls, reason = "called by bare frames, which own nothing")]
pub unsafe fn evaluate(
    state: *mut pg_sys::ExprState,
    context: *mut pg_sys::ExprContext,
    is_null: &mut bool,
) -> pg_sys::Datum {
    // SAFETY: as the caller says; ExecInitExpr and ExecBuildProjectionInfo set the function.
    unsafe {
        let Some(evaluate) = (*state).evalfunc else { return pg_sys::Datum::from(0) };
        let previous = pg_sys::CurrentMemoryContext;
        pg_sys::CurrentMemoryContext = (*context).ecxt_per_tuple_memory;
        let value = evaluate(state, context, is_null);
        pg_sys::CurrentMemoryContext = previous;
        value
    }
}
