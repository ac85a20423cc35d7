//! What a statement expects of its own number of rows (analysis/expected.rs), at execution: the numbers, once,
//! and the error where they are not met. Bare frames, as node.rs.

use crate::pg::pg_sys;
use safedelete_core::expectation::{self, BadNumber, Expectation, Selected, Word};

use super::beyond;
use super::input::count_to_the_end;
use super::slots;
use super::state::{GuardState, Stage};
use crate::analysis::expected;
use crate::pg::nodes::{self, Node};
use crate::pg::report;
use crate::pg::{frame, raw};

/// The numbers, as PostgreSQL evaluates a condition that hangs on no row: once, before the first. Raises 22023 for
/// what is no number of rows.
///
/// # Safety
/// `guard` is about to start; no frame above owns anything.
#[allow(ffi_unwind_calls, reason = "called by a bare frame, which owns nothing")]
pub unsafe fn evaluate(guard: *mut GuardState) -> Option<Expectation> {
    // SAFETY: by contract; ExecInitCustomScan has made the expression context.
    unsafe {
        let ps = &raw mut (*guard).scan.ss.ps;
        let calls = (*(*ps).plan.cast::<pg_sys::CustomScan>()).custom_exprs;
        if calls.is_null() {
            return None;
        }
        let mut expectation = Expectation::default();
        let mut i = 0;
        while i < nodes::length(calls) {
            let call = (*(*calls).elements.add(i)).ptr_value.cast::<pg_sys::FuncExpr>();
            i += 1;
            let Some(word) = frame::guarded(|| expected::word(Node::of(call)?)) else { continue };
            let argument = (*(*(*call).args).elements).ptr_value.cast::<pg_sys::Expr>();
            let state = raw::ExecInitExpr(argument, ps);
            let mut is_null = false;
            let value = slots::evaluate(state, (*ps).ps_ExprContext, &mut is_null).value() as i64;
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
        Some(expectation)
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
