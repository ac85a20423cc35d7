//! The executor's hooks: which statement runs inside which, what it has written, and whose sum that is.
//! Bare frames, as hooks.rs.

use core::ffi::c_int;

use crate::pg::pg_sys;
use pgrx::pg_sys::NodeTag;

use crate::engines::{self, running};
use crate::guard::{elsewhere, expected, late, passed_over, place, point};
use crate::keep::{follow, written};
use crate::pg::execution::Execution;
use crate::pg::local::Local;
use crate::pg::{frame, nodes, raw};
use crate::{ledger, levels, usual};

/// The query that has started last: its guards are in place, where it is a write. An abort forgets it, for another may
/// come to the same place.
static STARTED: Local<*mut pg_sys::QueryDesc> = Local::new(std::ptr::null_mut());

/// The same, where its end has nothing to be asked but whether it wrote more than a row.
static ALONE: Local<*mut pg_sys::QueryDesc> = Local::new(std::ptr::null_mut());

/// The query that has started last where it can write no row that was there: a SELECT, or an INSERT that only adds
/// rows.
static ADDS: Local<*mut pg_sys::QueryDesc> = Local::new(std::ptr::null_mut());

// The hooks that were there before, or what PostgreSQL runs without.
static mut NEXT_START: Start = raw::standard_ExecutorStart;
static mut NEXT_RUN: Run = raw::standard_ExecutorRun;
static mut NEXT_FINISH: Finish = raw::standard_ExecutorFinish;

type Start = unsafe extern "C-unwind" fn(*mut pg_sys::QueryDesc, c_int);
#[cfg(not(since_18))]
type Run = unsafe extern "C-unwind" fn(*mut pg_sys::QueryDesc, pg_sys::ScanDirection::Type, u64, bool);
#[cfg(since_18)]
type Run = unsafe extern "C-unwind" fn(*mut pg_sys::QueryDesc, pg_sys::ScanDirection::Type, u64);
type Finish = unsafe extern "C-unwind" fn(*mut pg_sys::QueryDesc);

/// # Safety
/// Called once, by `hooks::install`.
pub unsafe fn install() {
    // SAFETY: by contract, before any hook can run.
    unsafe {
        NEXT_START = pg_sys::ExecutorStart_hook.unwrap_or(NEXT_START);
        pg_sys::ExecutorStart_hook = Some(executor_start);
        NEXT_RUN = pg_sys::ExecutorRun_hook.unwrap_or(NEXT_RUN);
        pg_sys::ExecutorRun_hook = Some(executor_run);
        NEXT_FINISH = pg_sys::ExecutorFinish_hook.unwrap_or(NEXT_FINISH);
        pg_sys::ExecutorFinish_hook = Some(executor_finish);
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

/// What has started will not run.
pub(super) fn forget_started() {
    for last in [&STARTED, &ALONE, &ADDS] {
        last.set(std::ptr::null_mut());
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
        if place::is_alone(query) {
            // Nearly every one.
            STARTED.set(query);
            ALONE.set(query);
        } else {
            guard_started(query, true);
        }
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
            guard_started(query, is_clients_own);
        }
    }
}

/// Places the guards of a write that has started.
///
/// # Safety
/// As the hook. No frame above owns anything.
#[inline]
unsafe fn guard_started(query: *mut pg_sys::QueryDesc, is_clients_own: bool) {
    // SAFETY: by contract.
    unsafe {
        let is_bare = place::place(query) && (*query).operation != pg_sys::CmdType::CMD_MERGE;
        STARTED.set(query);
        ALONE.set(std::ptr::null_mut());
        if !is_bare {
            follow::watch_moves(query);
        } else if is_clients_own && point::is_alone(query) {
            ALONE.set(query);
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
    unsafe { NEXT_START(query, eflags) }
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
        NEXT_RUN(
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
        NEXT_RUN(
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
    unsafe { NEXT_FINISH(query) }
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
