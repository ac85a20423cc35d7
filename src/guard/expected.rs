//! What a statement expects of its own number of rows (analysis/expected.rs), at execution: the numbers, once,
//! and the error where they are not met. Bare frames, as place.rs.

use crate::pg::pg_sys;
use pgrx::pg_sys::NodeTag;
use safedelete_core::expectation::{self, BadNumber, Expectation, Selected, Word};

use super::beyond;
use super::input::count_to_the_end;
use super::orders::Orders;
use super::state::{GuardState, Stage};
use crate::analysis::expected;
use crate::pg::local::Local;
use crate::pg::nodes::{self, Node};
use crate::pg::report;
use crate::pg::{frame, raw, slots};

/// Whether a statement that runs, or has failed, expects rows.
static AWAITED: Local<bool> = Local::new(false);

/// Whether `passed_over::settle` may have something to say. For bare frames.
#[inline(always)]
pub fn is_awaited() -> bool {
    AWAITED.get()
}

/// No statement runs any more.
pub fn stop_awaiting() {
    AWAITED.set(false);
}

/// The numbers, as PostgreSQL evaluates a condition that hangs on no row: once, before the first. Raises 22023 for
/// what is no number of rows.
///
/// # Safety
/// `ps` is the state of a node that has started, of a plan that carries `orders`; the memory is its execution's; no
/// frame above owns anything.
#[allow(ffi_unwind_calls, reason = "called by a bare frame, which owns nothing")]
pub unsafe fn evaluate(orders: &Orders, ps: *mut pg_sys::PlanState) -> Option<Expectation> {
    // SAFETY: by contract.
    unsafe {
        if orders.expected.is_null() {
            return None;
        }
        let mut expectation = Expectation::default();
        for said in nodes::items::<pg_sys::TargetEntry>(orders.expected) {
            let Some(word) = Node::of(said).and_then(expected::word_of) else { continue };
            let (value, is_null) = number((*said).expr, ps);
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
unsafe fn number(argument: *mut pg_sys::Expr, ps: *mut pg_sys::PlanState) -> (i64, bool) {
    // SAFETY: by contract; the cast follows the tag.
    unsafe {
        if let Some(known) = nodes::cast::<pg_sys::Const, _>(argument, NodeTag::T_Const) {
            return ((*known).constvalue.value() as i64, (*known).constisnull);
        }
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
