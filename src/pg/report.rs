//! The only place that raises an error of our own, sends a WARNING or writes a LOG line, and the only one
//! that knows how a SQLSTATE is packed. A report is made by guarded code, frozen into PostgreSQL's
//! memory, and raised by a bare frame that owns nothing. What is worth one is decided elsewhere.

use core::ffi::{c_char, c_int};

use pgrx::PgLogLevel;
use safedelete_core::message::Report;

use super::{frame, pg_sys, raw, relations, text};

/// A report in palloc'd memory: plain pointers, so that raising it leaks nothing of Rust's.
#[derive(Clone, Copy)]
pub struct Frozen {
    sqlstate: c_int,
    message: *const c_char,
    detail: *const c_char,
    hint: *const c_char,
    schema: *const c_char,
    table: *const c_char,
}

/// PostgreSQL's MAKE_SQLSTATE: six bits a character.
pub fn pack(sqlstate: [u8; 5]) -> c_int {
    sqlstate.iter().rev().fold(0, |packed, c| packed << 6 | c_int::from(c.wrapping_sub(b'0') & 0x3f))
}

fn palloc_text(text: Option<&str>) -> *const c_char {
    text.map_or(std::ptr::null(), |text| text::to_server(text).as_ptr())
}

/// Freezes a report about a relation (`None`: it names none).
pub fn freeze(report: &Report, relation: Option<pg_sys::Oid>) -> Frozen {
    Frozen {
        sqlstate: pack(report.sqlstate),
        message: palloc_text(Some(&report.message)),
        detail: palloc_text(report.detail.as_deref()),
        hint: palloc_text(report.hint.as_deref()),
        schema: palloc_text(relation.map(relations::schema).as_deref()),
        table: palloc_text(relation.map(relations::name).as_deref()),
    }
}

/// Raises an error. For bare frames.
///
/// # Safety
/// No frame above may own anything: the error jumps over them.
#[cold]
#[allow(ffi_unwind_calls, reason = "raises an error; by contract no frame above owns anything")]
pub unsafe fn raise(frozen: &Frozen) {
    // SAFETY: by contract.
    unsafe { report(PgLogLevel::ERROR as c_int, frozen) }
}

/// Raises an error from guarded code: it unwinds to the frame that PostgreSQL has called.
pub fn raise_here(what: &Report) {
    let frozen = freeze(what, None);
    frame::call(|| {
        // SAFETY: inside frame::call; the closure owns nothing.
        unsafe { raise(&frozen) }
    });
}

/// # Safety
/// As for `raise` where `level` is ERROR.
#[allow(ffi_unwind_calls, reason = "PostgreSQL's own error reporting; see the contract")]
unsafe fn report(level: c_int, frozen: &Frozen) {
    // SAFETY: what ereport expands to, with palloc'd, NUL-terminated strings.
    unsafe {
        if !raw::errstart(level, std::ptr::null()) {
            return;
        }
        raw::errcode(frozen.sqlstate);
        raw::errmsg_internal(c"%s".as_ptr(), frozen.message);
        if !frozen.detail.is_null() {
            raw::errdetail_internal(c"%s".as_ptr(), frozen.detail);
        }
        if !frozen.hint.is_null() {
            raw::errhint(c"%s".as_ptr(), frozen.hint);
        }
        if !frozen.schema.is_null() {
            raw::err_generic_string(pg_sys::PG_DIAG_SCHEMA_NAME as c_int, frozen.schema);
        }
        if !frozen.table.is_null() {
            raw::err_generic_string(pg_sys::PG_DIAG_TABLE_NAME as c_int, frozen.table);
        }
        raw::errfinish(c"safedelete".as_ptr(), 0, c"safedelete".as_ptr());
    }
}

/// Sends a WARNING about a relation (`None`: about no statement).
pub fn warn(what: &Report, relation: Option<pg_sys::Oid>) {
    send(PgLogLevel::WARNING, &freeze(what, relation));
}

/// Sends a NOTICE about a relation, which a restored dump does not show.
pub fn notice(what: &Report, relation: pg_sys::Oid) {
    send(PgLogLevel::NOTICE, &freeze(what, Some(relation)));
}

/// Writes a LOG line.
pub fn log(line: &str) {
    log_frozen(&freeze(&Report::plain(*b"00000", line.to_owned(), None, None), None));
}

/// The same where it was frozen before.
pub fn log_frozen(line: &Frozen) {
    send(PgLogLevel::LOG, line);
}

/// Reports what is no error.
fn send(level: PgLogLevel, frozen: &Frozen) {
    frame::call(|| {
        // SAFETY: what is below ERROR returns.
        unsafe { report(level as c_int, frozen) }
    });
}
