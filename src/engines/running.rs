//! Statements of an engine's that run, one inside another, and the queries by which rows are counted through it.

use std::ffi::CStr;

use crate::pg::local::Local;
use crate::pg::{attempt, backend, pg_sys, raw, relations, roles, spi, text};

/// A statement that runs. It lives in the memory of its execution, and is forgotten with it.
#[repr(C)]
pub struct Running {
    outer: *mut Running,
    callback: pg_sys::MemoryContextCallback,
    /// What it is found by.
    pub state: *mut pg_sys::PlanState,
    /// The engine is at work for it.
    pub works: bool,
}

static INNERMOST: Local<*mut Running> = Local::new(std::ptr::null_mut());

/// Whether an engine is at work. Owns and allocates nothing.
pub fn is_any() -> bool {
    let mut next = INNERMOST.get();
    // SAFETY: each lives until `forget` takes it out.
    while let Some(running) = unsafe { next.as_ref() } {
        if running.works {
            return true;
        }
        next = running.outer;
    }
    false
}

/// The running statement of a plan state; NULL where there is none.
pub fn of(state: *mut pg_sys::PlanState) -> *mut Running {
    let mut next = INNERMOST.get();
    // SAFETY: as above.
    while let Some(running) = unsafe { next.as_ref() } {
        if running.state == state {
            return next;
        }
        next = running.outer;
    }
    std::ptr::null_mut()
}

/// Notes a statement that is about to run, until its memory goes.
///
/// # Safety
/// `running` is zeroed memory of `context`, and nothing of PostgreSQL's refers to it but by this; no frame above
/// owns anything.
#[allow(ffi_unwind_calls, reason = "called by a bare frame, which owns nothing")]
pub unsafe fn note(running: *mut Running, state: *mut pg_sys::PlanState, context: pg_sys::MemoryContext) {
    // SAFETY: by contract.
    unsafe {
        (*running).state = state;
        (*running).callback.func = Some(forget);
        (*running).callback.arg = running.cast();
        raw::MemoryContextRegisterResetCallback(context, &raw mut (*running).callback);
        (*running).outer = INNERMOST.get();
        INNERMOST.set(running);
    }
}

unsafe extern "C-unwind" fn forget(running: *mut core::ffi::c_void) {
    let running = running.cast::<Running>();
    // SAFETY: the list's members live; this one is about to go.
    unsafe {
        let mut at = INNERMOST.as_ptr();
        while !(*at).is_null() {
            if *at == running {
                *at = (*running).outer;
                return;
            }
            at = &raw mut (**at).outer;
        }
    }
}

/// All rows of a table, as a query of the running statement's sees them.
pub fn count(relation: pg_sys::Oid, only: bool) -> u64 {
    let only = if only { "ONLY " } else { "" };
    let text = format!("SELECT pg_catalog.count(*) FROM {only}{}", relations::qualified_name(relation));
    let text = text::to_server(&text);
    if relations::may_select(relation) {
        return ask(text);
    }
    roles::acting_as(relations::owner(relation), || ask(text))
}

/// The number that a query gives, of its own. Outside of a transaction block it is asked inside of a subtransaction,
/// which the engine takes for one: what it writes on other nodes afterwards can then be undone.
fn ask(text: &CStr) -> u64 {
    let none = std::ptr::null_mut();
    if backend::is_transaction_block() {
        return spi::number(text, none);
    }
    match attempt::keep(|| spi::number(text, none)) {
        Ok(number) => number,
        Err(failure) => failure.throw_on(),
    }
}

/// The number that a query of a statement's conditions gives; `None` where it fails: so will the statement, with an
/// error of its own, or the engine runs it where it cannot run the query.
pub fn try_to_ask(text: &CStr, parameters: pg_sys::ParamListInfo) -> Option<u64> {
    attempt::keep(|| spi::number(text, parameters)).ok()
}
