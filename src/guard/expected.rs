//! What a statement expects of its own number of rows (analysis/expected.rs), at execution: the numbers, once,
//! and the error where they are not met. Bare frames, as place.rs.

use crate::pg::pg_sys;
use pgrx::pg_sys::NodeTag;
use safedelete_core::expectation::{self, BadNumber, Expectation, Selected, Word};

use super::beyond;
use super::input::count_to_the_end;
use super::measure;
use super::orders::{Flow, Orders};
use super::slots;
use super::state::{self, GuardState, Stage};
use crate::analysis::expected;
use crate::pg::local::Local;
use crate::pg::nodes::{self, Node};
use crate::pg::report::{self, Frozen};
use crate::pg::{frame, raw};

/// Whether a statement that runs, or has failed, expects rows.
static AWAITED: Local<bool> = Local::new(false);

/// Whether [`settle`] may have something to say. For bare frames.
#[inline(always)]
pub fn is_awaited() -> bool {
    AWAITED.get()
}

/// No statement runs any more.
pub fn stop_awaiting() {
    AWAITED.set(false);
}

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

/// The numbers, as PostgreSQL evaluates a condition that hangs on no row: once, before the first. Raises 22023 for
/// what is no number of rows.
///
/// # Safety
/// `modify` has started and carries `orders`; the memory is its execution's; no frame above owns anything.
#[allow(ffi_unwind_calls, reason = "called by a bare frame, which owns nothing")]
pub unsafe fn evaluate(orders: &Orders, modify: *mut pg_sys::ModifyTableState) -> Option<Expectation> {
    // SAFETY: by contract.
    unsafe {
        if orders.expected.is_null() {
            return None;
        }
        let mut expectation = Expectation::default();
        for said in nodes::items::<pg_sys::TargetEntry>(orders.expected) {
            let Some(word) = Node::of(said).and_then(expected::word_of) else { continue };
            let (value, is_null) = number((*said).expr, modify);
            let bad = if is_null {
                Some(BadNumber::Null)
            } else if value < 0 {
                Some(BadNumber::Negative)
            } else {
                None
            };
            if let Some(why) = bad {
                frame::guarded(|| report::raise_here(&expectation::bad_number(word, why)));
            }
            expectation = expectation.and(word, value as u64);
        }
        AWAITED.set(AWAITED.get() || expectation.least() > 0);
        Some(expectation)
    }
}

/// # Safety
/// `argument` is ready to be run; as `evaluate`.
#[allow(ffi_unwind_calls, reason = "called by a bare frame, which owns nothing")]
unsafe fn number(argument: *mut pg_sys::Expr, modify: *mut pg_sys::ModifyTableState) -> (i64, bool) {
    // SAFETY: by contract; the cast follows the tag.
    unsafe {
        if let Some(known) = nodes::cast::<pg_sys::Const, _>(argument, NodeTag::T_Const) {
            return ((*known).constvalue.value() as i64, (*known).constisnull);
        }
        let ps = &raw mut (*modify).ps;
        let mut is_null = false;
        let state = raw::ExecInitExpr(argument, ps);
        let value = slots::evaluate(state, raw::CreateExprContext((*ps).state), &mut is_null);
        (value.value() as i64, is_null)
    }
}

/// Raises the error of an expectation that the rows counted so far break.
///
/// # Safety
/// `guard` runs; no frame above owns anything.
#[cold]
#[allow(ffi_unwind_calls, reason = "called by bare frames, which own nothing")]
pub unsafe fn check(guard: *mut GuardState) {
    // SAFETY: by contract; what it has started with lives as long as the guard.
    unsafe {
        if (*guard).execution.is_null() {
            // It began light: nothing is expected.
            return;
        }
        let task = &raw mut (*(*guard).execution).task;
        let Some(unmet) = (*task).breaks((*guard).count + (*guard).made) else { return };
        let selected = if unmet.word == Word::Exactly && (*guard).stage == Stage::Collect {
            // Nothing is written yet, and the number tells how far off it is.
            (*guard).threshold = u64::MAX;
            count_to_the_end(guard);
            beyond::count(guard);
            Selected::Rows((*guard).count + (*guard).made)
        } else {
            Selected::More(unmet.expected)
        };
        let frozen = frame::guarded(|| (*task).refuse_unmet(unmet, selected));
        report::raise(&frozen);
    }
}
