//! The executor's hooks: which statement runs inside which, what it has written, and whose sum that is.
//! Bare frames, as hooks.rs.

use core::ffi::c_int;

use crate::pg::pg_sys;
use pgrx::pg_sys::NodeTag;

use crate::guard::{measure, point};
use crate::pg::{frame, nodes, raw};
use crate::{ledger, levels};

static mut PREVIOUS_START: pg_sys::ExecutorStart_hook_type = None;
static mut PREVIOUS_RUN: pg_sys::ExecutorRun_hook_type = None;
static mut PREVIOUS_FINISH: pg_sys::ExecutorFinish_hook_type = None;

/// # Safety
/// Called once, by `hooks::install`.
pub unsafe fn install() {
    // SAFETY: by contract, before any hook can run.
    unsafe {
        PREVIOUS_START = pg_sys::ExecutorStart_hook;
        pg_sys::ExecutorStart_hook = Some(executor_start);
        PREVIOUS_RUN = pg_sys::ExecutorRun_hook;
        pg_sys::ExecutorRun_hook = Some(executor_run);
        PREVIOUS_FINISH = pg_sys::ExecutorFinish_hook;
        pg_sys::ExecutorFinish_hook = Some(executor_finish);
    }
}

/// Why this hook: a guard cannot see the ModifyTable above it, and MERGE's and upsert's counts are
/// there.
unsafe extern "C-unwind" fn executor_start(query: *mut pg_sys::QueryDesc, eflags: c_int) {
    // SAFETY: PostgreSQL's arguments, passed on as they came.
    unsafe {
        if may_rewrite(query) {
            return start_write(query, eflags);
        }
        if ledger::is_in_use() {
            forget_starting(query);
        }
        start_next(query, eflags);
    }
}

/// # Safety
/// As the hook. No frame above owns anything.
#[inline(never)]
unsafe fn start_write(query: *mut pg_sys::QueryDesc, eflags: c_int) {
    // SAFETY: by contract.
    unsafe {
        point::look_for_changes(query);
        if ledger::is_in_use() {
            forget_starting(query);
        }
        start_next(query, eflags);
        measure::adopt(query);
    }
}

/// # Safety
/// As the hook.
#[inline(always)]
#[allow(ffi_unwind_calls, reason = "called by bare frames, which own nothing")]
unsafe fn start_next(query: *mut pg_sys::QueryDesc, eflags: c_int) {
    // SAFETY: by contract.
    unsafe {
        match PREVIOUS_START {
            Some(previous) => previous(query, eflags),
            None => raw::standard_ExecutorStart(query, eflags),
        }
    }
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
    frame::guarded(|| {
        // SAFETY: by contract.
        if let Some(owner) = unsafe { levels::starting(query) } {
            ledger::forget(owner);
        }
    });
}

/// # Safety
/// `query` is about to start, or has.
#[inline]
unsafe fn writes(query: *mut pg_sys::QueryDesc) -> bool {
    // SAFETY: by contract.
    unsafe { (*query).operation != pg_sys::CmdType::CMD_SELECT || (*(*query).plannedstmt).hasModifyingCTE }
}

/// Whether a query can write rows that were there.
///
/// # Safety
/// `query` is about to start.
#[inline]
unsafe fn may_rewrite(query: *mut pg_sys::QueryDesc) -> bool {
    // SAFETY: by contract; the cast follows the tag.
    unsafe {
        let plan = (*query).plannedstmt;
        match (*query).operation {
            pg_sys::CmdType::CMD_SELECT => (*plan).hasModifyingCTE,
            pg_sys::CmdType::CMD_INSERT => {
                let modify = (*plan).planTree.cast::<pg_sys::ModifyTable>();
                (*plan).hasModifyingCTE
                    || nodes::tag(modify) != NodeTag::T_ModifyTable
                    || (*modify).onConflictAction == pg_sys::OnConflictAction::ONCONFLICT_UPDATE
            }
            _ => true,
        }
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
        let outer = levels::enter_query(query);
        let run = PREVIOUS_RUN.unwrap_or(raw::standard_ExecutorRun);
        run(
            query,
            direction,
            count,
            #[cfg(not(since_18))]
            once,
        );
        levels::leave(outer);
    }
}

/// Why this hook: AFTER triggers, foreign keys' among them, fire here, and a write without a guard
/// below another statement is counted before they do.
unsafe extern "C-unwind" fn executor_finish(query: *mut pg_sys::QueryDesc) {
    // SAFETY: PostgreSQL's argument, passed on as it came.
    unsafe {
        if writes(query) {
            return finish_write(query);
        }
        // Nothing fires.
        finish_next(query);
        if ledger::is_in_use() {
            forget_ended(query);
        }
    }
}

/// # Safety
/// As the hook. No frame above owns anything.
#[inline(never)]
unsafe fn finish_write(query: *mut pg_sys::QueryDesc) {
    // SAFETY: by contract.
    unsafe {
        if levels::may_fire_triggers(query) {
            fire_and_finish(query);
        } else {
            point::account_alone(query);
            finish_next(query);
        }
        if ledger::is_in_use() {
            forget_ended(query);
        }
    }
}

/// # Safety
/// As the hook. No frame above owns anything.
#[inline(never)]
unsafe fn fire_and_finish(query: *mut pg_sys::QueryDesc) {
    // SAFETY: by contract.
    unsafe {
        let outer = levels::enter_query(query);
        let background = levels::about_to_fire(query);
        point::account(query, true);
        finish_next(query);
        levels::fired(background);
        levels::leave(outer);
    }
}

/// # Safety
/// As the hook.
#[inline(always)]
#[allow(ffi_unwind_calls, reason = "called by bare frames, which own nothing")]
unsafe fn finish_next(query: *mut pg_sys::QueryDesc) {
    // SAFETY: by contract.
    unsafe {
        match PREVIOUS_FINISH {
            Some(previous) => previous(query),
            None => raw::standard_ExecutorFinish(query),
        }
    }
}

/// The sum of a statement of the client goes with it.
///
/// # Safety
/// `query` has finished; no frame above owns anything.
#[inline(never)]
unsafe fn forget_ended(query: *mut pg_sys::QueryDesc) {
    if !levels::current().is_outside() {
        return;
    }
    frame::guarded(|| {
        // SAFETY: by contract.
        if let Some(owner) = unsafe { levels::ended(query) } {
            ledger::forget(owner);
        }
    });
}
