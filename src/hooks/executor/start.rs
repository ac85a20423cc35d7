//! A query starts: its guards are placed.

use core::ffi::c_int;

use super::started::{ADDS, ALONE, STARTED, may_rewrite};
use crate::engines::{self, running};
use crate::guard::{elsewhere, late, place, point};
use crate::keep::follow;
use crate::pg::execution::Execution;
use crate::pg::{frame, pg_sys, portal, raw};
use crate::{ledger, levels, usual};

type Hook = unsafe extern "C-unwind" fn(*mut pg_sys::QueryDesc, c_int);

/// The hook that was there before, or what PostgreSQL runs without.
static mut NEXT: Hook = raw::standard_ExecutorStart;

/// # Safety
/// Called once, by `hooks::install`.
pub unsafe fn install() {
    // SAFETY: by contract, before any hook can run.
    unsafe {
        NEXT = pg_sys::ExecutorStart_hook.unwrap_or(NEXT);
        pg_sys::ExecutorStart_hook = Some(executor_start);
    }
}

/// Why this hook: a query has its states, and nothing has run: here guards are placed.
unsafe extern "C-unwind" fn executor_start(query: *mut pg_sys::QueryDesc, eflags: c_int) {
    // SAFETY: PostgreSQL's arguments, passed on as they came.
    unsafe {
        if may_rewrite(query) {
            return start_write(query, eflags);
        }
        STARTED.set(query);
        ADDS.set(query);
        // One that has been started and not run may have been at the same place.
        ALONE.set(std::ptr::null_mut());
        if ledger::is_in_use() {
            return start_beside_sums(query, eflags);
        }
        start_next(query, eflags);
    }
}

/// # Safety
/// As the hook. No frame above owns anything.
#[inline(never)]
unsafe fn start_beside_sums(query: *mut pg_sys::QueryDesc, eflags: c_int) {
    // SAFETY: by contract.
    unsafe {
        forget_starting(query);
        start_next(query, eflags);
    }
}

/// # Safety
/// As the hook. No frame above owns anything.
#[inline(never)]
unsafe fn start_write(query: *mut pg_sys::QueryDesc, eflags: c_int) {
    // SAFETY: by contract.
    unsafe {
        ADDS.set(std::ptr::null_mut());
        if !usual::starts_usual() || !levels::starts_fresh(Execution::of(query)) {
            return start_looking(query, eflags);
        }
        start_next(query, eflags);
        if !place::is_alone(query) {
            return guard_bound(query);
        }
        // Nearly every one.
        STARTED.set(query);
        ALONE.set(query);
    }
}

/// Places the guards of a write. What has changed since a Bind is taken in before.
///
/// # Safety
/// As the hook. No frame above owns anything.
#[inline(never)]
unsafe fn guard_bound(query: *mut pg_sys::QueryDesc) {
    // SAFETY: by contract.
    unsafe {
        if levels::current().is_outside() && !portal::is_hidden() {
            point::look_for_changes(query, true);
        }
        guard_started(query);
    }
}

/// Starts a write where something is otherwise, or may have changed unseen.
///
/// # Safety
/// As the hook. No frame above owns anything.
#[inline(never)]
unsafe fn start_looking(query: *mut pg_sys::QueryDesc, eflags: c_int) {
    // SAFETY: by contract.
    unsafe {
        let is_clients_own = levels::current().is_clients_own();
        point::look_for_changes(query, is_clients_own);
        if ledger::is_in_use() {
            forget_starting(query);
        }
        if engines::may_be_here() {
            start_beside_engine(query, eflags);
        } else {
            start_next(query, eflags);
            if is_clients_own && point::is_whole_statement(query) && place::is_alone(query) {
                STARTED.set(query);
                ALONE.set(query);
            } else {
                guard_started(query);
            }
        }
    }
}

/// Places the guards of a write that has started.
///
/// # Safety
/// As the hook. No frame above owns anything.
#[inline]
unsafe fn guard_started(query: *mut pg_sys::QueryDesc) {
    // SAFETY: by contract.
    unsafe {
        let is_bare = place::place(query) && (*query).operation != pg_sys::CmdType::CMD_MERGE;
        STARTED.set(query);
        ALONE.set(std::ptr::null_mut());
        if !is_bare {
            follow::watch_moves(query);
        }
    }
}

/// # Safety
/// As the hook. No frame above owns anything.
#[cold]
#[inline(never)]
unsafe fn start_beside_engine(query: *mut pg_sys::QueryDesc, eflags: c_int) {
    // SAFETY: by contract.
    unsafe {
        frame::guarded(|| running::note_writer(levels::owner_number()));
        let plan = (*query).plannedstmt;
        let late = late::prepare(query, |modify| place::place_on_input(modify));
        start_next(query, eflags);
        (*query).plannedstmt = plan;
        place::place_beside(query, late);
        elsewhere::start(query);
        STARTED.set(query);
        ALONE.set(std::ptr::null_mut());
        follow::watch_moves(query);
    }
}

/// # Safety
/// As the hook.
#[inline(always)]
#[allow(ffi_unwind_calls, reason = "called by bare frames, which own nothing")]
unsafe fn start_next(query: *mut pg_sys::QueryDesc, eflags: c_int) {
    // SAFETY: by contract; set once, before any hook can run.
    unsafe { NEXT(query, eflags) }
}

/// A statement that failed may have left a sum under the same portal's name.
///
/// # Safety
/// `query` is about to start; no frame above owns anything.
#[inline(never)]
unsafe fn forget_starting(query: *mut pg_sys::QueryDesc) {
    if !levels::current().is_outside() {
        return;
    }
    // SAFETY: as the caller says.
    let query = unsafe { Execution::of(query) };
    frame::guarded(|| levels::starting(query).into_iter().for_each(ledger::forget));
}
