//! A query finishes: what it has written is counted before what it has fired runs.

use super::started::{ADDS, ALONE, may_rewrite, writes};
use crate::guard::{expected, passed_over, place, point};
use crate::keep::written;
use crate::pg::execution::Execution;
use crate::pg::{frame, pg_sys, raw};
use crate::{ledger, levels};

type Hook = unsafe extern "C-unwind" fn(*mut pg_sys::QueryDesc);

/// The hook that was there before, or what PostgreSQL runs without.
static mut NEXT: Hook = raw::standard_ExecutorFinish;

/// # Safety
/// Called once, by `hooks::install`.
pub unsafe fn install() {
    // SAFETY: by contract, before any hook can run.
    unsafe {
        NEXT = pg_sys::ExecutorFinish_hook.unwrap_or(NEXT);
        pg_sys::ExecutorFinish_hook = Some(executor_finish);
    }
}

/// Why this hook: AFTER triggers, foreign keys' among them, fire here, and a write without a guard
/// below another statement is counted before they do.
unsafe extern "C-unwind" fn executor_finish(query: *mut pg_sys::QueryDesc) {
    // SAFETY: PostgreSQL's argument, passed on as it came.
    unsafe {
        if ALONE.get() == query && (*(*query).estate).es_processed <= 1 && !ledger::is_in_use() {
            // Nearly every write.
            ALONE.set(std::ptr::null_mut());
            return finish_next(query);
        }
        // Nothing fires for what reads.
        if (!writes(query) && !ledger::is_in_use()) || adds_alone(query) {
            return finish_next(query);
        }
        finish_at_length(query);
    }
}

/// # Safety
/// As the hook. No frame above owns anything.
#[inline(never)]
unsafe fn finish_at_length(query: *mut pg_sys::QueryDesc) {
    // SAFETY: by contract.
    unsafe {
        if writes(query) {
            return finish_write(query);
        }
        finish_next(query);
        forget_ended(query);
    }
}

/// Whether a query only adds rows, and nobody has to know.
///
/// # Safety
/// As the hook.
#[inline(always)]
unsafe fn adds_alone(query: *mut pg_sys::QueryDesc) -> bool {
    // SAFETY: by contract.
    let fires = || levels::may_fire_triggers(unsafe { Execution::of(query) });
    ADDS.get() == query && !ledger::is_in_use() && !expected::is_awaited() && !fires()
}

/// # Safety
/// As the hook. No frame above owns anything.
#[inline(never)]
unsafe fn finish_write(query: *mut pg_sys::QueryDesc) {
    // SAFETY: by contract.
    unsafe {
        if expected::is_awaited() {
            settle(query);
        }
        if levels::may_fire_triggers(Execution::of(query)) {
            fire_and_finish(query);
        } else {
            // An INSERT counts for nothing.
            if may_rewrite(query) {
                point::account_alone(query);
            }
            finish_next(query);
        }
        place::release(query);
        if levels::current().is_explaining() {
            place::show(query);
        }
        if ledger::is_in_use() {
            forget_ended(query);
        }
    }
}

/// Before a trigger fires for it.
///
/// # Safety
/// As the hook. No frame above owns anything.
#[cold]
unsafe fn settle(query: *mut pg_sys::QueryDesc) {
    // SAFETY: as the caller says.
    unsafe {
        let outer = levels::enter_query(Execution::of(query));
        passed_over::settle(query);
        levels::leave(outer);
    }
    if levels::current().is_outside() {
        expected::stop_awaiting();
    }
}

/// # Safety
/// As the hook. No frame above owns anything.
#[inline(never)]
unsafe fn fire_and_finish(query: *mut pg_sys::QueryDesc) {
    // SAFETY: by contract.
    unsafe {
        let execution = Execution::of(query);
        let accounted = point::has_nothing_to_account(query);
        let outer = levels::enter_query(execution);
        let background = levels::about_to_fire(execution);
        if !accounted {
            point::account_before_triggers(query);
        }
        let around = written::about_to_fire((*(*query).estate).es_output_cid);
        finish_next(query);
        written::fired(around);
        levels::fired(background);
        levels::leave(outer);
    }
}

/// # Safety
/// As the hook.
#[inline(always)]
#[allow(ffi_unwind_calls, reason = "called by bare frames, which own nothing")]
unsafe fn finish_next(query: *mut pg_sys::QueryDesc) {
    // SAFETY: by contract; set once, before any hook can run.
    unsafe { NEXT(query) }
}

/// The sum of a statement of the client goes with it.
///
/// # Safety
/// `query` has finished; no frame above owns anything.
#[inline(never)]
unsafe fn forget_ended(query: *mut pg_sys::QueryDesc) {
    // SAFETY: as the caller says.
    let query = unsafe { Execution::of(query) };
    if !levels::current().is_outside() || ledger::forget_all_of(|| levels::usually_ended(query)) {
        return;
    }
    frame::guarded(|| levels::ended(query).into_iter().for_each(ledger::forget));
}
