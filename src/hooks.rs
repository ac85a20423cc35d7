//! The hooks: bare frames of a few lines. Each calls our guarded code for decisions and passes on
//! to the previous hook, or PostgreSQL's own function, exactly once on every path that returns.
//! Nothing here owns anything or can panic, so PostgreSQL's errors pass through untouched.

use core::ffi::{c_char, c_int, c_void};

use pgrx::pg_sys;
use pgrx::pg_sys::NodeTag;

use crate::analysis::{self, Finding, known};
use crate::guard::{attach, measure, point, unique};
use crate::pg::{frame, nodes, raw};
use crate::{ledger, levels, objects, policy, refusal, settings};

static mut PREVIOUS_PLANNER: pg_sys::planner_hook_type = None;
static mut PREVIOUS_START: pg_sys::ExecutorStart_hook_type = None;
static mut PREVIOUS_RUN: pg_sys::ExecutorRun_hook_type = None;
static mut PREVIOUS_FINISH: pg_sys::ExecutorFinish_hook_type = None;
static mut PREVIOUS_UTILITY: pg_sys::ProcessUtility_hook_type = None;
static mut PREVIOUS_ACCESS: pg_sys::object_access_hook_type = None;

/// Installs every hook and callback.
pub fn install() {
    // SAFETY: called once, by _PG_init, before any hook can run.
    unsafe {
        PREVIOUS_PLANNER = pg_sys::planner_hook;
        pg_sys::planner_hook = Some(planner);
        PREVIOUS_START = pg_sys::ExecutorStart_hook;
        pg_sys::ExecutorStart_hook = Some(executor_start);
        PREVIOUS_RUN = pg_sys::ExecutorRun_hook;
        pg_sys::ExecutorRun_hook = Some(executor_run);
        PREVIOUS_FINISH = pg_sys::ExecutorFinish_hook;
        pg_sys::ExecutorFinish_hook = Some(executor_finish);
        PREVIOUS_UTILITY = pg_sys::ProcessUtility_hook;
        pg_sys::ProcessUtility_hook = Some(process_utility);
        PREVIOUS_ACCESS = pg_sys::object_access_hook;
        pg_sys::object_access_hook = Some(object_access);
        pg_sys::RegisterXactCallback(Some(ledger::transaction_event), std::ptr::null_mut());
        pg_sys::RegisterSubXactCallback(Some(ledger::subtransaction_event), std::ptr::null_mut());
        pg_sys::CacheRegisterRelcacheCallback(Some(relation_changed), pg_sys::Datum::from(0));
        let namespaces = pg_sys::SysCacheIdentifier::NAMESPACEOID as c_int;
        pg_sys::CacheRegisterSyscacheCallback(namespaces, Some(schema_changed), pg_sys::Datum::from(0));
    }
}

/// Findings on their way over the planner's frames: one by itself, several in PostgreSQL's memory,
/// so that an error in the planner leaks nothing.
#[derive(Clone, Copy)]
struct Carried {
    one: Option<Finding>,
    several: *mut Option<Finding>,
    count: usize,
}

const NOTHING: Carried = Carried { one: None, several: std::ptr::null_mut(), count: 0 };

/// Why this hook: it sees every statement's Query before planning and its plan after, whichever
/// way the statement came. It must not change the Query, nor the plan of what is not guarded.
unsafe extern "C-unwind" fn planner(
    parse: *mut pg_sys::Query,
    query_string: *const c_char,
    cursor_options: c_int,
    bound_params: pg_sys::ParamListInfo,
) -> *mut pg_sys::PlannedStmt {
    // SAFETY: PostgreSQL's arguments, passed on as they came.
    unsafe {
        if may_write(parse) {
            plan_write(parse, query_string, cursor_options, bound_params)
        } else {
            // Nearly every statement.
            next_planner(parse, query_string, cursor_options, bound_params)
        }
    }
}

/// # Safety
/// As the hook.
#[inline(always)]
#[allow(ffi_unwind_calls, reason = "called by bare frames, which own nothing")]
unsafe fn next_planner(
    parse: *mut pg_sys::Query,
    query_string: *const c_char,
    cursor_options: c_int,
    bound_params: pg_sys::ParamListInfo,
) -> *mut pg_sys::PlannedStmt {
    // SAFETY: by contract.
    unsafe {
        match PREVIOUS_PLANNER {
            Some(previous) => previous(parse, query_string, cursor_options, bound_params),
            None => raw::standard_planner(parse, query_string, cursor_options, bound_params),
        }
    }
}

/// # Safety
/// As the hook. No frame above owns anything.
#[inline(never)]
unsafe fn plan_write(
    parse: *mut pg_sys::Query,
    query_string: *const c_char,
    cursor_options: c_int,
    bound_params: pg_sys::ParamListInfo,
) -> *mut pg_sys::PlannedStmt {
    // SAFETY: by contract.
    unsafe {
        // Planning scribbles on the Query, so it is looked at before.
        if let Some(finding) = known::glance(parse) {
            let plan = next_planner(parse, query_string, cursor_options, bound_params);
            if !attach::is_known_point_write(plan) {
                frame::guarded(|| attach::attach(plan, &[Some(finding)]));
            }
            return plan;
        }
        let carried = frame::guarded(|| carry(parse));
        let plan = next_planner(parse, query_string, cursor_options, bound_params);
        if carried.count > 0 {
            frame::guarded(|| deliver(plan, carried));
        }
        plan
    }
}

/// Whether a Query can write rows that were there.
#[inline]
unsafe fn may_write(query: *mut pg_sys::Query) -> bool {
    // SAFETY: the planner's Query.
    unsafe {
        match (*query).commandType {
            pg_sys::CmdType::CMD_DELETE | pg_sys::CmdType::CMD_UPDATE | pg_sys::CmdType::CMD_MERGE => true,
            pg_sys::CmdType::CMD_INSERT => (*query).hasModifyingCTE || !(*query).onConflict.is_null(),
            _ => (*query).hasModifyingCTE,
        }
    }
}

fn carry(query: *mut pg_sys::Query) -> Carried {
    // SAFETY: the planner's Query.
    if unsafe { !(*query).hasModifyingCTE } {
        // SAFETY: as above; `may_write` has seen that it modifies data.
        let one = unsafe { analysis::examine(query) };
        return Carried { one, several: std::ptr::null_mut(), count: usize::from(one.is_some()) };
    }
    let findings = analysis::analyse(query);
    if findings.iter().all(Option::is_none) {
        return NOTHING;
    }
    let count = findings.len();
    // SAFETY: palloc gives aligned memory of the size; Finding is plain data.
    unsafe {
        let place = pg_sys::palloc(count * size_of::<Option<Finding>>()).cast::<Option<Finding>>();
        std::ptr::copy_nonoverlapping(findings.as_ptr(), place, count);
        Carried { one: None, several: place, count }
    }
}

fn deliver(plan: *mut pg_sys::PlannedStmt, carried: Carried) {
    // SAFETY: `carry` filled it.
    unsafe {
        if carried.several.is_null() {
            attach::attach(plan, std::slice::from_ref(&carried.one));
        } else {
            attach::attach(plan, std::slice::from_raw_parts(carried.several, carried.count));
            pg_sys::pfree(carried.several.cast());
        }
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
#[cfg(not(feature = "pg18"))]
#[allow(ffi_unwind_calls, reason = "a bare frame: it owns nothing and cannot panic")]
unsafe extern "C-unwind" fn executor_run(
    query: *mut pg_sys::QueryDesc,
    direction: pg_sys::ScanDirection::Type,
    count: u64,
    execute_once: bool,
) {
    // SAFETY: PostgreSQL's arguments, passed on as they came.
    unsafe {
        let outer = levels::enter_query();
        match PREVIOUS_RUN {
            Some(previous) => previous(query, direction, count, execute_once),
            None => raw::standard_ExecutorRun(query, direction, count, execute_once),
        }
        levels::leave(outer);
    }
}

/// Why this hook: what a statement runs below itself belongs to its sum.
#[cfg(feature = "pg18")]
#[allow(ffi_unwind_calls, reason = "a bare frame: it owns nothing and cannot panic")]
unsafe extern "C-unwind" fn executor_run(
    query: *mut pg_sys::QueryDesc,
    direction: pg_sys::ScanDirection::Type,
    count: u64,
) {
    // SAFETY: PostgreSQL's arguments, passed on as they came.
    unsafe {
        let outer = levels::enter_query();
        match PREVIOUS_RUN {
            Some(previous) => previous(query, direction, count),
            None => raw::standard_ExecutorRun(query, direction, count),
        }
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
        let outer = levels::enter_query();
        let background = levels::about_to_fire(query);
        point::account(query);
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

/// Why this hook: DO, CALL, EXECUTE, EXPLAIN ANALYZE, COPY and the rest are client statements too,
/// and TRUNCATE's ONLY stands in the statement alone.
#[allow(ffi_unwind_calls, reason = "a bare frame: it owns nothing and cannot panic")]
#[allow(clippy::too_many_arguments, reason = "PostgreSQL's signature")]
unsafe extern "C-unwind" fn process_utility(
    statement: *mut pg_sys::PlannedStmt,
    query_string: *const c_char,
    read_only_tree: bool,
    context: pg_sys::ProcessUtilityContext::Type,
    params: pg_sys::ParamListInfo,
    environment: *mut pg_sys::QueryEnvironment,
    destination: *mut pg_sys::DestReceiver,
    completion: *mut pg_sys::QueryCompletion,
) {
    // SAFETY: PostgreSQL's arguments, passed on as they came.
    unsafe {
        let utility = (*statement).utilityStmt;
        let outer = levels::enter_utility(utility, is_explain_analyze(utility));
        match PREVIOUS_UTILITY {
            Some(previous) => previous(
                statement,
                query_string,
                read_only_tree,
                context,
                params,
                environment,
                destination,
                completion,
            ),
            None => raw::standard_ProcessUtility(
                statement,
                query_string,
                read_only_tree,
                context,
                params,
                environment,
                destination,
                completion,
            ),
        }
        let own = levels::current().owner;
        levels::leave_utility(outer);
        if ledger::is_in_use() && levels::current().is_outside() {
            frame::guarded(|| ledger::forget(own));
        }
    }
}

/// Whether a utility command is EXPLAIN with ANALYZE, which runs its statement.
unsafe fn is_explain_analyze(utility: *mut pg_sys::Node) -> bool {
    // SAFETY: a statement node; an EXPLAIN's options are DefElems.
    unsafe {
        nodes::tag(utility) == NodeTag::T_ExplainStmt && {
            let options = (*utility.cast::<pg_sys::ExplainStmt>()).options;
            frame::guarded(|| {
                nodes::items::<pg_sys::DefElem>(options)
                    .filter(|option| core::ffi::CStr::from_ptr((**option).defname) == c"analyze")
                    .any(|option| pg_sys::defGetBoolean(option))
            })
        }
    }
}

/// Why this hook: it alone sees every relation that TRUNCATE and DROP reach.
#[allow(ffi_unwind_calls, reason = "a bare frame: it owns nothing and cannot panic")]
unsafe extern "C-unwind" fn object_access(
    access: pg_sys::ObjectAccessType::Type,
    class: pg_sys::Oid,
    object: pg_sys::Oid,
    part: c_int,
    argument: *mut c_void,
) {
    // SAFETY: PostgreSQL's arguments, passed on as they came.
    unsafe {
        if let Some(previous) = PREVIOUS_ACCESS {
            previous(access, class, object, part, argument);
        }
        if matches!(access, pg_sys::ObjectAccessType::OAT_TRUNCATE | pg_sys::ObjectAccessType::OAT_DROP) {
            let refused = frame::guarded(|| objects::accessed(access, class, object, part, argument).err());
            if let Some(frozen) = refused {
                refusal::raise(&frozen);
            }
        }
    }
}

/// Why this callback: what is kept of relations and indexes goes when they change.
unsafe extern "C-unwind" fn relation_changed(_: pg_sys::Datum, relation: pg_sys::Oid) {
    frame::undisturbed(|| {
        settings::changed();
        analysis::target::forget(relation);
        policy::forget(relation);
        unique::forget(relation);
    });
}

/// Why this callback: a schema's policy may have changed, and every table of it may be meant.
unsafe extern "C-unwind" fn schema_changed(_: pg_sys::Datum, _: c_int, _: u32) {
    frame::undisturbed(|| {
        settings::changed();
        analysis::target::forget(pg_sys::InvalidOid);
        policy::forget(pg_sys::InvalidOid);
    });
}
