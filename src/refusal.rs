//! The only place that raises a refusal, sends a warning or writes a LOG line, and the only one
//! that knows how a SQLSTATE is packed. A report is made by guarded code, frozen into PostgreSQL's
//! memory, and raised by a bare frame that owns nothing.

use core::ffi::{c_char, c_int};

use pgrx::PgLogLevel;
use safedelete_core::event::Verdict;
use safedelete_core::log::{self, Circumstances};
use safedelete_core::message::Report;

use crate::pg::{frame, pg_sys, raw, relations, roles, text};
use crate::{record, settings};

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
    text.map_or(std::ptr::null(), |text| text::to_server(text))
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

/// Raises a refusal. For bare frames.
///
/// # Safety
/// No frame above may own anything: the error jumps over them.
#[cold]
#[allow(ffi_unwind_calls, reason = "raises an error; by contract no frame above owns anything")]
pub unsafe fn raise(frozen: &Frozen) {
    // SAFETY: by contract.
    unsafe { report(PgLogLevel::ERROR as c_int, frozen) }
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

/// What a report is about.
#[derive(Clone, Copy)]
pub enum About<'a> {
    Table(pg_sys::Oid),
    Database(&'a str),
}

impl About<'_> {
    fn table(self) -> Option<pg_sys::Oid> {
        match self {
            About::Table(table) => Some(table),
            About::Database(_) => None,
        }
    }

    fn name(self) -> String {
        match self {
            About::Table(table) => relations::full_name(table),
            About::Database(name) => name.to_owned(),
        }
    }
}

/// A refusal, kept and counted, ready to be raised.
pub fn refuse(what: &Report, about: About, role: pg_sys::Oid) -> Frozen {
    let circumstances = record::Circumstances { role, relation: &about.name() };
    record::event(Verdict::Refused, what.facts.as_deref(), &circumstances);
    freeze(what, about.table())
}

/// Tells of a statement that went through although a rule refuses it: one LOG line, and in mode
/// warn a WARNING to the client as well.
pub fn tell(verdict: Verdict, what: &Report, about: About, role: pg_sys::Oid) {
    if verdict == Verdict::Warned {
        send(PgLogLevel::WARNING, &freeze(what, about.table()));
    }
    let name = about.name();
    record::event(verdict, what.facts.as_deref(), &record::Circumstances { role, relation: &name });
    log(&with_circumstances(role, |who| log::log_line(verdict, what, &name, who)));
}

/// Sends a WARNING that is about no statement.
pub fn warn(what: &Report) {
    send(PgLogLevel::WARNING, &freeze(what, None));
}

/// The LOG lines of a policy that has changed, for a transaction that commits and for one that is prepared; they live
/// until it ends. `object` as in `table "public.events"`.
pub fn policy_lines(object: &str, label: Option<&str>, role: pg_sys::Oid) -> [Frozen; 2] {
    with_circumstances(role, |who| {
        [false, true].map(|prepared| {
            let line = Report::plain(*b"00000", log::policy_line(object, label, prepared, who), None, None);
            // SAFETY: a transaction runs, for a label is written in it; an error puts the old context back.
            unsafe {
                let context = pg_sys::CurrentMemoryContext;
                pg_sys::CurrentMemoryContext = pg_sys::TopTransactionContext;
                let frozen = freeze(&line, None);
                pg_sys::CurrentMemoryContext = context;
                frozen
            }
        })
    })
}

/// Who is at work, and why, as a LOG line names it.
fn with_circumstances<T>(role: pg_sys::Oid, line: impl FnOnce(&Circumstances) -> T) -> T {
    // SAFETY: reads backend variables and the catalog; the strings are NULL or NUL-terminated.
    let (session, application, database) = unsafe {
        (
            pg_sys::GetSessionUserId(),
            text::from_server(pg_sys::application_name),
            text::from_server(pg_sys::get_database_name(pg_sys::MyDatabaseId)),
        )
    };
    line(&Circumstances {
        database: database.as_deref().unwrap_or_default(),
        user: &roles::name(role),
        session_user: &roles::name(session),
        application: application.as_deref().unwrap_or_default(),
        reason: &settings::reason(),
        allow_rows: settings::allow_rows(),
    })
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
        // SAFETY: a LOG line and a WARNING return.
        unsafe { report(level as c_int, frozen) }
    });
}
