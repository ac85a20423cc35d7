//! How Rust and PostgreSQL's error handling meet. PostgreSQL raises an error by a long jump;
//! Rust cleans up by unwinding. Three functions keep the two apart and the error whole:
//!
//! * [`guarded`] is how a bare frame (hooks.rs, guard/place.rs) runs our code: a Rust panic becomes
//!   an ERROR, and an error of PostgreSQL's that [`call`] stopped is thrown on, untouched.
//! * [`call`] is how our code runs a function of PostgreSQL's: the jump is stopped here, the error stays
//!   where PostgreSQL keeps it, Rust unwinds, and [`guarded`] lets it go on. `pg_sys` calls every
//!   function through it.
//! * [`undisturbed`] is for callbacks that must not raise an error, such as the end of a transaction.
//!
//! Nothing here needs memory: an error of PostgreSQL's is never copied, and ours are raised from frames
//! that own nothing, with texts that are there already.

use core::ffi::{c_char, c_int};
use std::any::Any;
use std::mem::MaybeUninit;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use cee_scape::call_with_sigsetjmp;
use pgrx::PgLogLevel;
use pgrx::pg_sys;
use pgrx::pg_sys::panic::{CaughtError, ErrorReportWithLevel};

use super::local::Local;
use super::{memory, raw};

/// The unwinding of an error that PostgreSQL still holds on its own error stack.
struct PostgresError;

/// The unwinding after memory has run out, with no error on PostgreSQL's stack.
struct OutOfMemory;

/// How guarded code ended that gave no value.
#[derive(Clone, Copy)]
enum End {
    /// An error, on PostgreSQL's error stack.
    Error,
    OutOfMemory,
    /// [`PANIC`] tells.
    Panic,
}

/// Whether an unwinding is that of an error that PostgreSQL still holds.
pub fn is_postgres_error(payload: &(dyn Any + Send)) -> bool {
    payload.is::<PostgresError>() || is_of_pgrx(payload)
}

/// An error that pgrx's boundary has stopped: it keeps what PostgreSQL holds as [`call`] does, beside a copy.
fn is_of_pgrx(payload: &(dyn Any + Send)) -> bool {
    matches!(payload.downcast_ref(), Some(CaughtError::PostgresError(_)))
}

/// Runs `f` for a bare frame. `T` is `Copy` so that the caller's frame stays free of destructors.
/// Raises 53200 where memory has run out.
pub fn guarded<T: Copy>(f: impl FnOnce() -> T) -> T {
    match run(f) {
        Ok(value) if !memory::has_run_out() => value,
        Ok(_) => raise(End::OutOfMemory),
        Err(end) => raise(end),
    }
}

/// As [`guarded`], for callbacks in which an error does harm: PostgreSQL meets one at the end of a
/// transaction by ending that transaction once more, until it ends every backend. Memory that has run out
/// waits for the next `guarded`. What else comes out of `f` should not: it is told as a WARNING, and
/// `otherwise` is the value.
pub fn undisturbed<T: Copy>(otherwise: T, f: impl FnOnce() -> T) -> T {
    let held = Held::now();
    match run(f) {
        Ok(value) => value,
        Err(end) => {
            swallow(end);
            held.restore();
            otherwise
        }
    }
}

/// Raises 53200, from guarded code.
#[cold]
pub fn out_of_memory() -> ! {
    resume_unwind(Box::new(OutOfMemory))
}

/// Runs `f`, which calls a function of PostgreSQL's and owns nothing, inside guarded code.
pub fn call<T: Copy>(f: impl FnOnce() -> T) -> T {
    match caught(f) {
        Some(value) => value,
        None => go_on(),
    }
}

/// Lets the error that PostgreSQL holds go on, from guarded code.
#[cold]
pub fn go_on() -> ! {
    resume_unwind(Box::new(PostgresError))
}

/// As [`call`]; `None` where PostgreSQL raised an error, which is on its error stack then.
pub fn caught<T: Copy>(f: impl FnOnce() -> T) -> Option<T> {
    let mut result = MaybeUninit::uninit();
    // SAFETY: the saved state is put back on both ways out, as PG_TRY does; `f` owns nothing, so
    // the jump over its frame skips no destructor.
    unsafe {
        let handler = pg_sys::PG_exception_stack;
        let context = pg_sys::error_context_stack;
        let memory = pg_sys::CurrentMemoryContext;
        let jumped = call_with_sigsetjmp(false, |environment| {
            pg_sys::PG_exception_stack = environment as *const _ as *mut _;
            result.write(f());
            0
        });
        pg_sys::PG_exception_stack = handler;
        pg_sys::error_context_stack = context;
        if jumped == 0 {
            return Some(result.assume_init());
        }
        pg_sys::CurrentMemoryContext = memory;
    }
    None
}

/// CHECK_FOR_INTERRUPTS(), from guarded code.
pub fn check_for_interrupts() {
    // SAFETY: reads a backend variable, which a signal handler sets.
    if unsafe { std::ptr::read_volatile(&raw const pg_sys::InterruptPending) } != 0 {
        call(|| {
            #[allow(ffi_unwind_calls, reason = "inside `call`; the closure owns nothing")]
            // SAFETY: lets a cancel through.
            unsafe {
                raw::ProcessInterrupts();
            }
        });
    }
}

/// The counters that hold interrupts back, which an error sets to zero: whoever swallows one has to put
/// them back, for whoever has raised them will lower them.
#[derive(Clone, Copy)]
pub struct Held(u32, u32);

impl Held {
    pub fn now() -> Held {
        // SAFETY: reads backend variables.
        unsafe { Held(pg_sys::InterruptHoldoffCount, pg_sys::QueryCancelHoldoffCount) }
    }

    pub fn restore(self) {
        // SAFETY: writes backend variables; they were so when `now` was called, and whoever called us has
        // not lowered them since.
        unsafe { (pg_sys::InterruptHoldoffCount, pg_sys::QueryCancelHoldoffCount) = (self.0, self.1) };
    }
}

fn run<T: Copy>(f: impl FnOnce() -> T) -> Result<T, End> {
    catch_unwind(AssertUnwindSafe(f)).map_err(end)
}

#[cold]
fn end(payload: Box<dyn Any + Send>) -> End {
    if is_postgres_error(&*payload) {
        return End::Error;
    }
    if payload.is::<OutOfMemory>() {
        return End::OutOfMemory;
    }
    let mut panic = PANIC.get();
    panic.tell(&*payload);
    PANIC.set(panic);
    End::Panic
}

/// Raises an error, from a frame that owns nothing.
#[cold]
fn raise(end: End) -> ! {
    // SAFETY: bare frames only call us, so every frame above is free of destructors. The error is on
    // PostgreSQL's stack, where `call` left it, or is made as ereport makes one; ERROR does not return.
    #[allow(ffi_unwind_calls, reason = "raises an error; no frame above owns anything")]
    unsafe {
        match end {
            End::Error => raw::throw_on(),
            End::OutOfMemory => {
                memory::recover();
                raw::errstart(PgLogLevel::ERROR as c_int, std::ptr::null());
                raw::errcode(pg_sys::errcodes::PgSqlErrorCode::ERRCODE_OUT_OF_MEMORY as c_int);
                raw::errmsg_internal(c"out of memory".as_ptr());
                raw::errdetail_internal(c"The guard of a statement found no memory.".as_ptr());
                raw::errfinish(c"safedelete".as_ptr(), 0, c"safedelete".as_ptr());
            }
            End::Panic => report_panic(PgLogLevel::ERROR),
        }
        std::hint::unreachable_unchecked()
    }
}

#[cold]
fn swallow(end: End) {
    match end {
        End::OutOfMemory => return,
        // SAFETY: the error is ours to swallow.
        End::Error => unsafe { raw::forget_errors() },
        End::Panic => {}
    }
    let told = caught(|| {
        // SAFETY: a WARNING returns; the closure owns nothing.
        #[allow(ffi_unwind_calls, reason = "inside frame::caught; the closure owns nothing")]
        unsafe {
            if matches!(end, End::Panic) {
                report_panic(PgLogLevel::WARNING);
            }
        }
    });
    if told.is_none() {
        // SAFETY: as above.
        unsafe { raw::forget_errors() };
    }
}

/// # Safety
/// No frame above may own anything that an error would have to give back.
#[allow(ffi_unwind_calls, reason = "PostgreSQL's own error reporting; see the contract")]
unsafe fn report_panic(level: PgLogLevel) {
    let panic = PANIC.as_ptr();
    // SAFETY: what ereport expands to; the texts are NUL-terminated, and stay where they are.
    unsafe {
        if raw::errstart(level as c_int, std::ptr::null()) {
            raw::errcode((*panic).sqlstate);
            raw::errmsg_internal(c"%s".as_ptr(), (&raw const (*panic).text).cast::<c_char>());
            raw::errfinish((&raw const (*panic).file).cast(), (*panic).line, c"safedelete".as_ptr());
        }
    }
}

/// The last panic, in memory that is always there.
#[derive(Clone, Copy)]
struct Panic {
    sqlstate: c_int,
    text: [u8; 512],
    file: [u8; 128],
    line: c_int,
}

static PANIC: Local<Panic> = Local::new(Panic { sqlstate: 0, text: [0; 512], file: [0; 128], line: 0 });

impl Panic {
    fn tell(&mut self, payload: &(dyn Any + Send)) {
        let internal = pg_sys::errcodes::PgSqlErrorCode::ERRCODE_INTERNAL_ERROR as c_int;
        let of_pgrx = |report: &ErrorReportWithLevel| report.sql_error_code() as c_int;
        let (sqlstate, text) = if let Some(text) = payload.downcast_ref::<&str>() {
            (internal, *text)
        } else if let Some(text) = payload.downcast_ref::<String>() {
            (internal, text.as_str())
        } else if let Some(report) = payload.downcast_ref::<ErrorReportWithLevel>() {
            (of_pgrx(report), report.message())
        } else {
            match payload.downcast_ref::<CaughtError>() {
                Some(CaughtError::PostgresError(report) | CaughtError::ErrorReport(report)) => {
                    (of_pgrx(report), report.message())
                }
                Some(CaughtError::RustPanic { ereport, .. }) => (internal, ereport.message()),
                None => (internal, "panicked"),
            }
        };
        self.sqlstate = sqlstate;
        keep(&mut self.text, text);
    }
}

/// Copies a text into a place of a fixed size, cut where need be, and ends it.
fn keep(place: &mut [u8], text: &str) {
    let length = text.floor_char_boundary(place.len() - 1);
    place[..length].copy_from_slice(&text.as_bytes()[..length]);
    place[length] = 0;
}

/// Has panics kept for [`guarded`] to raise, instead of printed.
pub fn keep_panics() {
    std::panic::set_hook(Box::new(|info| {
        let (file, line) = info.location().map_or(("", 0), |place| (place.file(), place.line()));
        let mut panic = PANIC.get();
        keep(&mut panic.file, file);
        panic.line = line as c_int;
        PANIC.set(panic);
    }));
}
