//! A query runs: as a level.

use super::started::{ADDS, ALONE, STARTED, may_rewrite};
use crate::guard::place;
use crate::levels;
use crate::pg::execution::Execution;
use crate::pg::{pg_sys, raw};

#[cfg(not(since_18))]
type Hook = unsafe extern "C-unwind" fn(*mut pg_sys::QueryDesc, pg_sys::ScanDirection::Type, u64, bool);
#[cfg(since_18)]
type Hook = unsafe extern "C-unwind" fn(*mut pg_sys::QueryDesc, pg_sys::ScanDirection::Type, u64);

/// The hook that was there before, or what PostgreSQL runs without.
static mut NEXT: Hook = raw::standard_ExecutorRun;

/// # Safety
/// Called once, by `hooks::install`.
pub unsafe fn install() {
    // SAFETY: by contract, before any hook can run.
    unsafe {
        NEXT = pg_sys::ExecutorRun_hook.unwrap_or(NEXT);
        pg_sys::ExecutorRun_hook = Some(executor_run);
    }
}

/// Why this hook: what a statement runs below itself belongs to its sum.
#[allow(ffi_unwind_calls, reason = "a bare frame: it owns nothing and cannot panic")]
unsafe extern "C-unwind" fn executor_run(
    query: *mut pg_sys::QueryDesc,
    direction: pg_sys::ScanDirection::Type,
    count: u64,
    #[cfg(not(since_18))] once: bool,
) {
    // SAFETY: PostgreSQL's arguments, passed on as they came.
    unsafe {
        let outer = levels::current();
        let is_placed = STARTED.get() == query || !may_rewrite(query);
        if !is_placed || !levels::enter_usual(Execution::of(query)) {
            // The same arguments: a jump.
            return run_at_length(
                query,
                direction,
                count,
                #[cfg(not(since_18))]
                once,
            );
        }
        STARTED.set(std::ptr::null_mut());
        NEXT(
            query,
            direction,
            count,
            #[cfg(not(since_18))]
            once,
        );
        levels::leave(outer);
    }
}

/// Runs a query of which it takes more to say whose it is, or whose guards may not be in place: another extension has
/// started it without us, or others have started since.
///
/// # Safety
/// As the hook. No frame above owns anything.
#[inline(never)]
#[allow(ffi_unwind_calls, reason = "a bare frame: it owns nothing and cannot panic")]
unsafe extern "C-unwind" fn run_at_length(
    query: *mut pg_sys::QueryDesc,
    direction: pg_sys::ScanDirection::Type,
    count: u64,
    #[cfg(not(since_18))] once: bool,
) {
    // SAFETY: by contract.
    unsafe {
        if STARTED.get() != query && may_rewrite(query) {
            ALONE.set(std::ptr::null_mut());
            ADDS.set(std::ptr::null_mut());
            place::place(query);
        }
        STARTED.set(std::ptr::null_mut());
        let outer = levels::enter_query(Execution::of(query));
        NEXT(
            query,
            direction,
            count,
            #[cfg(not(since_18))]
            once,
        );
        levels::leave(outer);
    }
}
