//! Statements of an engine's that run, one inside another, and the queries by which rows are counted through it.

use std::ffi::CStr;

use crate::pg::local::Local;
use crate::pg::{attempt, backend, pg_sys, raw, relations, roles, settings, spi, text};

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

/// Which client statements have written in this transaction, as far as one and several.
#[derive(Clone, Copy)]
struct Writers {
    transaction: pg_sys::TimestampTz,
    first: u64,
    are_several: bool,
}

static WRITERS: Local<Writers> = Local::new(Writers { transaction: 0, first: 0, are_several: false });

/// A statement of `owner`'s is about to write. Owns and allocates nothing.
pub fn note_writer(owner: u64) {
    let transaction = backend::transaction_start();
    let known = WRITERS.get();
    let new = if known.transaction == transaction {
        Writers { are_several: known.are_several || known.first != owner, ..known }
    } else {
        Writers { transaction, first: owner, are_several: false }
    };
    WRITERS.set(new);
}

/// Whether all that this transaction has written belongs to the statement that has noted itself last.
pub fn is_only_writer() -> bool {
    let known = WRITERS.get();
    known.transaction == backend::transaction_start() && !known.are_several
}

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

/// A setting under which an engine asks, and its value.
pub type Setting = (&'static CStr, &'static CStr);

fn under<T>(setting: Option<Setting>, f: impl FnOnce() -> T) -> T {
    match setting {
        Some((name, value)) => settings::with(name, value, f),
        None => f(),
    }
}

/// All rows of a table, as a query of the running statement's sees them.
pub fn count(relation: pg_sys::Oid, only: bool, setting: Option<Setting>) -> u64 {
    let only = if only { "ONLY " } else { "" };
    let text = format!("SELECT pg_catalog.count(*) FROM {only}{}", relations::qualified_name(relation));
    let text = text::to_server(&text);
    under(setting, || {
        if relations::may_count(relation) {
            return ask(text);
        }
        roles::acting_as(relations::owner(relation), || ask(text))
    })
}

/// The number that a query of an engine's gives, which no role has to be allowed to ask.
pub fn number(query: &str) -> u64 {
    roles::acting_as(roles::bootstrap(), || spi::number(text::to_server(query), std::ptr::null_mut()))
}

/// What a query of an engine's finds; nothing where it fails.
pub fn texts(query: &CStr) -> Vec<String> {
    let found = attempt::keep(|| spi::column(query, false)).unwrap_or_default();
    found.into_iter().map(|found| text::from_server(&found)).collect()
}

/// The relations that a query of an engine's finds, of those that are still there.
pub fn relations(query: &str) -> Vec<pg_sys::Oid> {
    let found = roles::acting_as(roles::bootstrap(), || spi::column(text::to_server(query), true));
    let found =
        found.into_iter().filter_map(|oid| oid.to_str().ok()?.parse::<u32>().ok().map(pg_sys::Oid::from));
    found.filter(|relation| relations::owner(*relation) != pg_sys::InvalidOid).collect()
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
pub fn try_to_ask(text: &CStr, parameters: pg_sys::ParamListInfo, setting: Option<Setting>) -> Option<u64> {
    under(setting, || attempt::keep(|| spi::number(text, parameters)).ok())
}

/// The text that such a query gives.
pub fn try_to_read(
    text: &CStr,
    parameters: pg_sys::ParamListInfo,
    setting: Option<Setting>,
) -> Option<String> {
    let read = || attempt::keep(|| spi::value(text, parameters)).ok().flatten();
    under(setting, read).map(|value| text::from_server(&value))
}
