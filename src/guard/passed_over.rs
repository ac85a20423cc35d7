//! What `exactly` says of rows that were counted and then not written, when a statement has run. Bare frames, as
//! place.rs.

use crate::pg::pg_sys;

use super::measure;
use super::orders::Flow;
use super::state::{self, Stage};
use crate::pg::report::{self, Frozen};
use crate::pg::{frame, nodes};

/// The rows of a DELETE or UPDATE are counted before they are locked. Under READ COMMITTED it passes over those that
/// another transaction has meanwhile deleted, or changed so that the condition holds no more: then it has not written
/// what it is to write, although it found it. A BEFORE trigger may pass over rows as well, which is its author's
/// will: with one, only the look at a changed row tells.
///
/// # Safety
/// `query` is a write that has run; no frame above owns anything.
#[cold]
#[inline(never)]
#[allow(ffi_unwind_calls, reason = "called by a bare frame, which owns nothing")]
pub unsafe fn settle(query: *mut pg_sys::QueryDesc) {
    // SAFETY: by contract; casts follow tags. What a guard has started with lives as long as the guard.
    unsafe {
        let modify = measure::main_of(query);
        let guard = state::below(modify);
        if guard.is_null() || (*guard).execution.is_null() {
            return;
        }
        let task = &raw mut (*(*guard).execution).task;
        let found = || (*guard).count + (*guard).made;
        let facts = *(*guard).orders;
        let broken: Option<Frozen> = match facts.flow {
            Flow::Rows if facts.whole_row == 0 => {
                let (found, written) = (found(), (*(*query).estate).es_processed);
                if written >= found || passes_over(modify, (*query).estate) {
                    return;
                }
                frame::guarded(|| (*task).missed(found, written))
            }
            // Whoever runs it wanted no more of the rows that it returns, so its input has not ended.
            Flow::Parent if (*guard).stage == Stage::Count => {
                measure::count(guard);
                frame::guarded(|| (*task).meets(found()).err())
            }
            _ => return,
        };
        if let Some(frozen) = broken {
            report::raise(&frozen);
        }
    }
}

/// Whether rows may not have been written because a BEFORE trigger, or another server, did not want them to be.
///
/// # Safety
/// `modify` has run in `estate`.
unsafe fn passes_over(modify: *mut pg_sys::ModifyTableState, estate: *mut pg_sys::EState) -> bool {
    let is_willed = |result: *mut pg_sys::ResultRelInfo| {
        // SAFETY: an open result relation.
        unsafe {
            let triggers = (*result).ri_TrigDesc.as_ref();
            !(*result).ri_FdwRoutine.is_null()
                || triggers.is_some_and(|triggers| {
                    triggers.trig_update_before_row
                        || triggers.trig_delete_before_row
                        || triggers.trig_insert_before_row
                })
        }
    };
    // SAFETY: by contract.
    unsafe {
        let opened = nodes::items((*estate).es_opened_result_relations);
        let routed = nodes::items((*estate).es_tuple_routing_result_relations);
        (*modify).mt_epqstate.recheckestate.is_null() && opened.chain(routed).any(is_willed)
    }
}
