//! The hooks: bare frames of a few lines. Each calls our guarded code for decisions and passes on
//! to the previous hook, or PostgreSQL's own function, exactly once on every path that returns.
//! Nothing here owns anything or can panic, so PostgreSQL's errors pass through untouched.

mod executor;
mod planner;
mod transaction;

use core::ffi::{c_char, c_int, c_void};

use crate::pg::pg_sys;
use pgrx::pg_sys::NodeTag;

use crate::analysis;
use crate::guard::unique;
use crate::pg::copied::Copied;
use crate::pg::nodes::Node;
use crate::pg::{backend, frame, raw, report, roles};
use crate::{engines, keep, ledger, levels, objects, policy, settings};

// The hook that was there before, or what PostgreSQL runs without.
static mut NEXT_UTILITY: Utility = raw::standard_ProcessUtility;
static mut PREVIOUS_ACCESS: pg_sys::object_access_hook_type = None;

type Utility = unsafe extern "C-unwind" fn(
    *mut pg_sys::PlannedStmt,
    *const c_char,
    bool,
    pg_sys::ProcessUtilityContext::Type,
    pg_sys::ParamListInfo,
    *mut pg_sys::QueryEnvironment,
    *mut pg_sys::DestReceiver,
    *mut pg_sys::QueryCompletion,
);

/// Installs every hook and callback.
pub fn install() {
    // SAFETY: called once, by _PG_init, before any hook can run.
    unsafe {
        planner::install();
        executor::install();
        transaction::install();
        NEXT_UTILITY = pg_sys::ProcessUtility_hook.unwrap_or(NEXT_UTILITY);
        pg_sys::ProcessUtility_hook = Some(process_utility);
        let previous = pg_sys::object_access_hook;
        PREVIOUS_ACCESS = previous;
        // Where another listens as well, there is no short way.
        pg_sys::object_access_hook = Some(if previous.is_some() { accessed } else { object_access });
        pg_sys::CacheRegisterRelcacheCallback(Some(relation_changed), pg_sys::Datum::from(0));
        let namespaces = pg_sys::SysCacheIdentifier::NAMESPACEOID as c_int;
        pg_sys::CacheRegisterSyscacheCallback(namespaces, Some(schema_changed), pg_sys::Datum::from(0));
        for cache in [
            pg_sys::SysCacheIdentifier::AUTHMEMROLEMEM,
            pg_sys::SysCacheIdentifier::AUTHNAME,
            pg_sys::SysCacheIdentifier::DATABASEOID,
        ] {
            let none = pg_sys::Datum::from(0);
            pg_sys::CacheRegisterSyscacheCallback(cache as c_int, Some(roles_changed), none);
        }
    }
}

/// Why this hook: DO, CALL, EXECUTE, EXPLAIN ANALYZE, COPY and the rest are client statements too,
/// and TRUNCATE is judged before it runs (objects.rs says why).
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
        // There always is one.
        let is_execute = (*(*statement).utilityStmt).type_ == NodeTag::T_ExecuteStmt;
        if !is_execute || !levels::enter_first_execute() {
            // The same arguments: a jump.
            return run_at_length(
                statement,
                query_string,
                read_only_tree,
                context,
                params,
                environment,
                destination,
                completion,
            );
        }
        // Prepared statements, of those that do not use the protocol's.
        NEXT_UTILITY(
            statement,
            query_string,
            read_only_tree,
            context,
            params,
            environment,
            destination,
            completion,
        );
        executed();
    }
}

/// Ends what `levels::enter_clients_execute` began.
#[inline]
fn executed() {
    if ledger::is_in_use() {
        forget_own(levels::own_sum());
    }
    levels::leave_clients_execute();
}

/// Runs EXECUTE where its plan may be older than what other sessions have changed, or any other utility command.
///
/// # Safety
/// As the hook. No frame above owns anything.
#[inline(never)]
#[allow(ffi_unwind_calls, reason = "a bare frame: it owns nothing and cannot panic")]
#[allow(clippy::too_many_arguments, reason = "PostgreSQL's signature")]
unsafe extern "C-unwind" fn run_at_length(
    statement: *mut pg_sys::PlannedStmt,
    query_string: *const c_char,
    read_only_tree: bool,
    context: pg_sys::ProcessUtilityContext::Type,
    params: pg_sys::ParamListInfo,
    environment: *mut pg_sys::QueryEnvironment,
    destination: *mut pg_sys::DestReceiver,
    completion: *mut pg_sys::QueryCompletion,
) {
    // SAFETY: as the caller says.
    unsafe {
        let is_execute = (*(*statement).utilityStmt).type_ == NodeTag::T_ExecuteStmt;
        if is_execute && levels::current().is_outside() {
            raw::AcceptInvalidationMessages();
        }
        let is_entered = is_execute && levels::enter_clients_execute();
        let next: Utility = if is_entered { NEXT_UTILITY } else { run_utility };
        next(statement, query_string, read_only_tree, context, params, environment, destination, completion);
        if is_entered {
            executed();
        }
    }
}

/// Runs a utility command as a level.
///
/// # Safety
/// As the hook. No frame above owns anything.
#[inline(never)]
#[allow(ffi_unwind_calls, reason = "a bare frame: it owns nothing and cannot panic")]
#[allow(clippy::too_many_arguments, reason = "PostgreSQL's signature")]
unsafe extern "C-unwind" fn run_utility(
    statement: *mut pg_sys::PlannedStmt,
    query_string: *const c_char,
    read_only_tree: bool,
    context: pg_sys::ProcessUtilityContext::Type,
    params: pg_sys::ParamListInfo,
    environment: *mut pg_sys::QueryEnvironment,
    destination: *mut pg_sys::DestReceiver,
    completion: *mut pg_sys::QueryCompletion,
) {
    // SAFETY: as the caller says.
    unsafe {
        let utility = Node::of((*statement).utilityStmt);
        let kept = utility.filter(|utility| levels::keeps(*utility)).and_then(|utility| Copied::of(utility));
        let outer = levels::enter_utility(utility, kept, utility.is_some_and(is_explain_analyze));
        let truncate = utility.and_then(|utility| utility.as_a::<pg_sys::TruncateStmt>());
        if let Some(truncate) = truncate
            && let Some(frozen) = frame::guarded(|| objects::truncate::prepare(truncate).err())
        {
            report::raise(&frozen);
        }
        if engines::may_be_here()
            && let Some(drop) = utility.and_then(|utility| utility.as_a::<pg_sys::DropStmt>())
        {
            frame::guarded(|| objects::dropping::prepare(drop));
        }
        let first = backend::command_id();
        NEXT_UTILITY(
            statement,
            query_string,
            read_only_tree,
            context,
            params,
            environment,
            destination,
            completion,
        );
        let end = backend::command_id();
        let counts = !settings::is_off() || policy::in_use();
        if counts && end > first && utility.is_some_and(|utility| utility.tag() == NodeTag::T_AlterTableStmt)
        {
            // Rows of a table that is rewritten look as if they were inserted.
            frame::guarded(|| ledger::note_altered(first, end));
        }
        if truncate.is_some() {
            if let Some(frozen) = frame::guarded(|| objects::truncate::settle().err()) {
                report::raise(&frozen);
            }
            frame::guarded(ledger::leave_behind);
        }
        if let Some(utility) = utility.filter(|utility| keep::follow::may_concern(*utility))
            && let Some(frozen) = frame::guarded(|| keep::follow::after(utility).err())
        {
            report::raise(&frozen);
        }
        let own = levels::own_sum();
        levels::leave_utility(outer);
        if ledger::is_in_use() {
            forget_own(own);
        }
        if engines::may_be_here() && levels::current().is_outside() {
            // What an engine's hook has done for the command before this.
            frame::guarded(|| ledger::forget(levels::owner()));
        }
    }
}

/// The sum of a utility command of the client's goes with it.
#[inline]
fn forget_own(own: Option<levels::Owner>) {
    if !ledger::forget_all_of(|| own)
        && let Some(own) = own
    {
        frame::guarded(|| ledger::forget(own));
    }
}

/// Whether a utility command is EXPLAIN with ANALYZE, which runs its statement.
fn is_explain_analyze(utility: Node) -> bool {
    utility
        .as_a::<pg_sys::ExplainStmt>()
        .is_some_and(|explain| frame::guarded(|| explain.has_option(c"analyze")))
}

/// Why this hook: it alone sees every relation that DROP reaches, TRUNCATE however it is run, and that the
/// protocol calls a function.
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
        let is_usual = access == pg_sys::ObjectAccessType::OAT_FUNCTION_EXECUTE && backend::has_query_text();
        if !is_usual {
            accessed(access, class, object, part, argument);
        }
    }
}

/// The same at length.
///
/// # Safety
/// As the hook. No frame above owns anything.
#[inline(never)]
#[allow(ffi_unwind_calls, reason = "a bare frame: it owns nothing and cannot panic")]
unsafe extern "C-unwind" fn accessed(
    access: pg_sys::ObjectAccessType::Type,
    class: pg_sys::Oid,
    object: pg_sys::Oid,
    part: c_int,
    argument: *mut c_void,
) {
    // SAFETY: as the caller says.
    unsafe {
        if let Some(previous) = PREVIOUS_ACCESS {
            previous(access, class, object, part, argument);
        }
        if access == pg_sys::ObjectAccessType::OAT_FUNCTION_EXECUTE {
            if !backend::has_query_text()
                && let Some(before) = levels::function_called()
                && ledger::is_in_use()
            {
                frame::guarded(|| ledger::forget(before));
            }
            return;
        }
        if matches!(access, pg_sys::ObjectAccessType::OAT_TRUNCATE | pg_sys::ObjectAccessType::OAT_DROP) {
            let refused = frame::guarded(|| objects::accessed(access, class, object, part, argument).err());
            if let Some(frozen) = refused {
                report::raise(&frozen);
            }
        }
    }
}

/// Why this callback: what is kept of relations and indexes goes when they change.
unsafe extern "C-unwind" fn relation_changed(_: pg_sys::Datum, relation: pg_sys::Oid) {
    frame::undisturbed((), || {
        settings::changed();
        engines::forget(relation);
        analysis::target::forget(relation);
        policy::forget(relation);
        unique::forget(relation);
    });
}

/// Why this callback: a schema's policy may have changed, and every table of it may be meant.
unsafe extern "C-unwind" fn schema_changed(_: pg_sys::Datum, _: c_int, _: u32) {
    frame::undisturbed((), || {
        settings::changed();
        analysis::target::forget(pg_sys::InvalidOid);
        policy::forget(pg_sys::InvalidOid);
    });
}

/// Why this callback: who is a member of what may have changed, or what a role is called.
unsafe extern "C-unwind" fn roles_changed(_: pg_sys::Datum, _: c_int, _: u32) {
    frame::undisturbed((), roles::changed);
}
