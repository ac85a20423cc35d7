//! Running what may fail, and going on: an internal subtransaction that is rolled back whatever
//! happens, with PostgreSQL's error as a value. Errors that are not about what was run (a cancel, a
//! shutdown, too little memory) are never a value: they go on.

use std::any::Any;
use std::borrow::Cow;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use super::frame::Held;
use super::{frame, memory, pg_sys, raw, text};

/// An error that was stopped.
pub struct Failure {
    /// A copy, whole; NULL where there was no memory for one.
    error: *mut pg_sys::ErrorData,
    pub sqlstate: [u8; 5],
    /// Cut at 4 kB: a value in it may be as long as a statement is.
    pub message: Cow<'static, str>,
    pub hint: Option<String>,
    /// Where in the text, in characters from 1; 0 where nowhere.
    pub position: i32,
}

/// Runs `f` in a subtransaction that is rolled back; gives its value, or the error it ended in. Where
/// PostgreSQL cannot start one (a parallel operation on 15 and 16), its error goes on.
pub fn attempt<T>(f: impl FnOnce() -> T) -> Result<T, Failure> {
    if memory::is_short() {
        frame::out_of_memory();
    }
    // SAFETY: as PL/pgSQL's exception blocks do it: what the subtransaction changed of these is put
    // back after it.
    let (memory, owner) = unsafe { (pg_sys::CurrentMemoryContext, pg_sys::CurrentResourceOwner) };
    frame::call(|| {
        #[allow(ffi_unwind_calls, reason = "inside frame::call; the closure owns nothing")]
        // SAFETY: PostgreSQL allows it inside a function.
        unsafe {
            raw::BeginInternalSubTransaction(std::ptr::null());
        }
    });
    // What is made goes to the caller's memory.
    // SAFETY: the context is alive.
    unsafe { pg_sys::CurrentMemoryContext = memory };
    let stopped = run(f);
    frame::call(|| {
        #[allow(ffi_unwind_calls, reason = "inside frame::call; the closure owns nothing")]
        // SAFETY: ends what was begun above.
        unsafe {
            raw::RollbackAndReleaseCurrentSubTransaction();
        }
    });
    // SAFETY: both are older than the subtransaction.
    unsafe {
        pg_sys::CurrentMemoryContext = memory;
        pg_sys::CurrentResourceOwner = owner;
    }
    of(stopped)
}

/// Runs `f`, which holds nothing of PostgreSQL's that an error would have to give back; its value, or
/// the error it ended in.
pub fn stop<T>(f: impl FnOnce() -> T) -> Result<T, Failure> {
    of(run(f))
}

/// What has ended `f`.
enum Stopped {
    Error(Failure),
    /// A panic of Rust's, or memory that ran out.
    Unwinding(Box<dyn Any + Send>),
}

fn run<T>(f: impl FnOnce() -> T) -> Result<T, Stopped> {
    let held = Held::now();
    // SAFETY: reads a backend variable.
    let memory = unsafe { pg_sys::CurrentMemoryContext };
    catch_unwind(AssertUnwindSafe(f)).map_err(|payload| {
        if !frame::is_postgres_error(&*payload) {
            return Stopped::Unwinding(payload);
        }
        let failure = take_error(memory);
        held.restore();
        Stopped::Error(failure)
    })
}

fn of<T>(outcome: Result<T, Stopped>) -> Result<T, Failure> {
    match outcome {
        Ok(_) if memory::has_run_out() => frame::out_of_memory(),
        Ok(value) => Ok(value),
        Err(Stopped::Error(failure)) if failure.is_of_the_session() => failure.throw_on(),
        Err(Stopped::Error(failure)) => Err(failure),
        Err(Stopped::Unwinding(payload)) => resume_unwind(payload),
    }
}

/// Takes the error from PostgreSQL's error stack, which is empty then.
fn take_error(memory: pg_sys::MemoryContext) -> Failure {
    // SAFETY: there is an error on the stack; CopyErrorData wants another memory than ErrorContext. It may
    // find none: then its own error is flushed with the first.
    let error = unsafe {
        pg_sys::CurrentMemoryContext = memory;
        #[allow(ffi_unwind_calls, reason = "inside frame::caught; the closure owns nothing")]
        let copy = frame::caught(|| raw::CopyErrorData());
        raw::forget_errors();
        copy.unwrap_or(std::ptr::null_mut())
    };
    if error.is_null() {
        return Failure {
            error,
            sqlstate: *b"53200",
            message: Cow::Borrowed("out of memory"),
            hint: None,
            position: 0,
        };
    }
    // SAFETY: a copy of an error; its strings are NULL or NUL-terminated.
    unsafe {
        Failure {
            error,
            sqlstate: unpack((*error).sqlerrcode),
            message: text::beginning_from_server((*error).message, 4096).unwrap_or_default().into(),
            hint: text::from_server((*error).hint),
            position: (*error).cursorpos,
        }
    }
}

impl Failure {
    /// Whether the error is not about what was run: class 57 (operator intervention) and 53 (insufficient
    /// resources).
    fn is_of_the_session(&self) -> bool {
        matches!(&self.sqlstate[..2], b"57" | b"53")
    }

    /// Throws the error on, as it came.
    pub fn throw_on(self) -> ! {
        if !self.error.is_null() {
            let error = self.error;
            frame::caught(|| {
                #[allow(ffi_unwind_calls, reason = "inside frame::caught; the closure owns nothing")]
                // SAFETY: a copy of an error, thrown whole.
                unsafe {
                    raw::ReThrowError(error)
                }
            });
            frame::go_on();
        }
        frame::out_of_memory()
    }
}

/// The five letters of a packed SQLSTATE; see `report::pack`.
fn unpack(packed: i32) -> [u8; 5] {
    std::array::from_fn(|i| ((packed >> (6 * i)) & 0x3f) as u8 + b'0')
}
