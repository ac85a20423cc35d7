//! The planner hook: findings before planning, guards after it. Bare frames, as hooks.rs.

use core::ffi::{c_char, c_int};

use crate::pg::pg_sys;

use crate::analysis::known::{self, Keyed};
use crate::analysis::{self, Finding, expected};
use crate::engines;
use crate::guard::attach;
use crate::guard::elsewhere::{self, Prepared};
use crate::pg::nodes::Node;
use crate::pg::{backend, frame, raw};
use crate::usual::{self, Unusual};

/// The hook that was there before, or what PostgreSQL runs without.
static mut NEXT: Planner = raw::standard_planner;

#[cfg(not(since_19))]
type Planner = unsafe extern "C-unwind" fn(
    *mut pg_sys::Query,
    *const c_char,
    c_int,
    pg_sys::ParamListInfo,
) -> *mut pg_sys::PlannedStmt;
#[cfg(since_19)]
type Planner = unsafe extern "C-unwind" fn(
    *mut pg_sys::Query,
    *const c_char,
    c_int,
    pg_sys::ParamListInfo,
    *mut pg_sys::ExplainState,
) -> *mut pg_sys::PlannedStmt;

/// # Safety
/// Called once, by `hooks::install`.
pub unsafe fn install() {
    // SAFETY: by contract, before any hook can run.
    unsafe {
        NEXT = pg_sys::planner_hook.unwrap_or(NEXT);
        pg_sys::planner_hook = Some(planner);
    }
}

/// Findings on their way over the planner's frames: one by itself, several in PostgreSQL's memory,
/// so that an error in the planner leaks nothing.
#[derive(Clone, Copy)]
struct Carried {
    one: Option<Finding>,
    several: *mut Option<Finding>,
    count: usize,
    /// Where an engine plans one of them by itself: as many.
    elsewhere: *mut Option<Prepared>,
}

const NOTHING: Carried =
    Carried { one: None, several: std::ptr::null_mut(), count: 0, elsewhere: std::ptr::null_mut() };

/// Why this hook: it sees every statement's Query before planning and its plan after, whichever
/// way the statement came. It must not change the Query, nor the plan of what is not guarded.
unsafe extern "C-unwind" fn planner(
    parse: *mut pg_sys::Query,
    query_string: *const c_char,
    cursor_options: c_int,
    bound_params: pg_sys::ParamListInfo,
    #[cfg(since_19)] explain: *mut pg_sys::ExplainState,
) -> *mut pg_sys::PlannedStmt {
    #[cfg(not(since_19))]
    let explain = std::ptr::null_mut();
    // SAFETY: PostgreSQL's arguments, passed on as they came.
    unsafe {
        expected::look();
        if may_write(parse) {
            plan_write(&mut *parse, query_string, cursor_options, bound_params, explain)
        } else {
            // Nearly every statement.
            next_planner(parse, query_string, cursor_options, bound_params, explain)
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
    #[cfg_attr(not(since_19), expect(unused_variables, reason = "planners take it from 19 on"))]
    explain: *mut pg_sys::ExplainState,
) -> *mut pg_sys::PlannedStmt {
    // SAFETY: by contract.
    unsafe {
        NEXT(
            parse,
            query_string,
            cursor_options,
            bound_params,
            #[cfg(since_19)]
            explain,
        )
    }
}

/// # Safety
/// As the hook. No frame above owns anything.
#[inline(never)]
unsafe fn plan_write(
    parse: &mut pg_sys::Query,
    query_string: *const c_char,
    cursor_options: c_int,
    bound_params: pg_sys::ParamListInfo,
    explain: *mut pg_sys::ExplainState,
) -> *mut pg_sys::PlannedStmt {
    // SAFETY: by contract.
    unsafe {
        // Planning scribbles on the Query, so it is looked at before.
        if !usual::is([Unusual::Engine, Unusual::Scope, Unusual::Rehearsal, Unusual::OwnCeiling])
            && let Some(keyed) = Node::of(parse).and_then(known::glance)
        {
            // Nearly every write.
            let plan = next_planner(parse, query_string, cursor_options, bound_params, explain);
            if !attach::is_known_point_write(plan, &keyed) {
                attach_keyed(plan, keyed);
            }
            return plan;
        }
        // The same arguments: a jump.
        plan_at_length(parse, query_string, cursor_options, bound_params, explain)
    }
}

/// # Safety
/// As the hook. No frame above owns anything.
#[inline(never)]
unsafe fn attach_keyed(plan: *mut pg_sys::PlannedStmt, keyed: Keyed) {
    frame::guarded(|| {
        // SAFETY: the planner's plan.
        unsafe { attach::attach(plan, &[Some(keyed.finding())]) }
    });
}

/// # Safety
/// As the hook. No frame above owns anything.
#[inline(never)]
unsafe fn plan_at_length(
    parse: *mut pg_sys::Query,
    query_string: *const c_char,
    cursor_options: c_int,
    bound_params: pg_sys::ParamListInfo,
    explain: *mut pg_sys::ExplainState,
) -> *mut pg_sys::PlannedStmt {
    // SAFETY: by contract.
    unsafe {
        // What a glance has found is compared with what has come since.
        backend::take_in_changes();
        let query = Node::of(parse);
        if let Some(query) = query.filter(|_| !engines::may_be_here())
            && let Some(keyed) = known::look(query)
        {
            let plan = next_planner(parse, query_string, cursor_options, bound_params, explain);
            if usual::is([Unusual::Scope]) || !attach::is_point_write(plan, &keyed) {
                attach_keyed(plan, keyed);
            }
            return plan;
        }
        let mut carried = query.map_or(NOTHING, |query| frame::guarded(|| carry(query)));
        let given = elsewhere::given();
        if carried.count > 0 && engines::may_be_here() {
            let elsewhere =
                query.map_or(std::ptr::null_mut(), |query| frame::guarded(|| prepare(query, &carried)));
            carried.elsewhere = elsewhere;
        }
        let plan = next_planner(parse, query_string, cursor_options, bound_params, explain);
        if carried.count > 0 {
            frame::guarded(|| deliver(plan, carried, elsewhere::given() != given));
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
            pg_sys::CmdType::CMD_INSERT => {
                (*query).hasModifyingCTE
                    || !(*query).onConflict.is_null()
                    // It has the condition of the statement that fired the rule.
                    || (*query).querySource == pg_sys::QuerySource::QSRC_NON_INSTEAD_RULE
            }
            _ => (*query).hasModifyingCTE,
        }
    }
}

fn carry(query: Node<pg_sys::Query>) -> Carried {
    if analysis::is_planned_only(query) {
        return NOTHING;
    }
    if !query.hasModifyingCTE {
        let one = analysis::examine(query);
        return Carried { one, count: usize::from(one.is_some()), ..NOTHING };
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
        Carried { several: place, count, ..NOTHING }
    }
}

/// What is to be known of the writes that an engine plans by itself; NULL where there are none.
fn prepare(query: Node<pg_sys::Query>, carried: &Carried) -> *mut Option<Prepared> {
    let prepared: Vec<_> = if carried.several.is_null() {
        vec![carried.one.as_ref().and_then(|finding| elsewhere::prepare(query, query, finding))]
    } else {
        // SAFETY: `carry` filled it.
        let findings = unsafe { std::slice::from_raw_parts(carried.several, carried.count) };
        let writes = analysis::writes(query);
        let each = findings.iter().zip(writes);
        each.map(|(finding, write)| elsewhere::prepare(write, query, finding.as_ref()?)).collect()
    };
    if prepared.iter().all(Option::is_none) {
        return std::ptr::null_mut();
    }
    // SAFETY: palloc gives aligned memory of the size; what is prepared is plain data.
    unsafe {
        let place = pg_sys::palloc(size_of_val(prepared.as_slice())).cast::<Option<Prepared>>();
        std::ptr::copy_nonoverlapping(prepared.as_ptr(), place, prepared.len());
        place
    }
}

fn deliver(plan: *mut pg_sys::PlannedStmt, carried: Carried, planned_by_itself: bool) {
    // SAFETY: `carry` and `prepare` filled what is not NULL.
    unsafe {
        let findings = if carried.several.is_null() {
            std::slice::from_ref(&carried.one)
        } else {
            std::slice::from_raw_parts(carried.several, carried.count)
        };
        attach::attach(plan, findings);
        if !carried.elsewhere.is_null() {
            let prepared = std::slice::from_raw_parts(carried.elsewhere, carried.count);
            elsewhere::attach(plan, findings, prepared, planned_by_itself);
            pg_sys::pfree(carried.elsewhere.cast());
        }
        if !carried.several.is_null() {
            pg_sys::pfree(carried.several.cast());
        }
    }
}
