//! Stopping an error of PostgreSQL's: Rust has unwound, the error stack is emptied, and the error is a value.
//! Those that are not about what was run (a cancel, a shutdown, too little memory) go on.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use super::frame::Held;
use super::{frame, memory, pg_sys, raw};

/// An error that was stopped.
pub struct Stopped {
    /// A copy, whole; NULL where there was no memory for one.
    error: *mut pg_sys::ErrorData,
}

/// Runs `f`, which holds nothing of PostgreSQL's that an error would have to give back; its value, or
/// the error it ended in.
pub fn stop<T>(f: impl FnOnce() -> T) -> Result<T, Stopped> {
    of(run(f))
}

/// What has ended `f`.
pub enum Ended {
    Error(Stopped),
    /// A panic of Rust's, or memory that ran out.
    Unwinding(Box<dyn Any + Send>),
}

/// Runs `f`; what comes of it is for [`of`] to say, when the caller has put back what `f` has left.
pub fn run<T>(f: impl FnOnce() -> T) -> Result<T, Ended> {
    let held = Held::now();
    // SAFETY: reads a backend variable.
    let memory = unsafe { pg_sys::CurrentMemoryContext };
    catch_unwind(AssertUnwindSafe(f)).map_err(|payload| {
        if !frame::is_postgres_error(&*payload) {
            return Ended::Unwinding(payload);
        }
        let stopped = take_error(memory);
        held.restore();
        Ended::Error(stopped)
    })
}

/// The value, or the error where it is about what was run.
pub fn of<T>(outcome: Result<T, Ended>) -> Result<T, Stopped> {
    match outcome {
        Ok(_) if memory::has_run_out() => frame::out_of_memory(),
        Ok(value) => Ok(value),
        Err(Ended::Error(stopped)) if stopped.is_of_the_session() => stopped.throw_on(),
        Err(Ended::Error(stopped)) => Err(stopped),
        Err(Ended::Unwinding(payload)) => resume_unwind(payload),
    }
}

/// Takes the error from PostgreSQL's error stack, which is empty then.
fn take_error(memory: pg_sys::MemoryContext) -> Stopped {
    // SAFETY: there is an error on the stack; CopyErrorData wants another memory than ErrorContext. It may
    // find none: then its own error is flushed with the first.
    let error = unsafe {
        pg_sys::CurrentMemoryContext = memory;
        #[allow(ffi_unwind_calls, reason = "inside frame::caught; the closure owns nothing")]
        let copy = frame::caught(|| raw::CopyErrorData());
        raw::forget_errors();
        copy.unwrap_or(std::ptr::null_mut())
    };
    Stopped { error }
}

impl Stopped {
    /// A copy, whole; where there was no memory for one, the error goes on.
    pub fn error(&self) -> *mut pg_sys::ErrorData {
        self.error
    }

    pub fn sqlstate(&self) -> [u8; 5] {
        // SAFETY: NULL or a copy of an error.
        unsafe { self.error.as_ref() }.map_or(*b"53200", |error| unpack(error.sqlerrcode))
    }

    /// Whether the error is not about what was run: class 57 (operator intervention) and 53 (insufficient
    /// resources).
    fn is_of_the_session(&self) -> bool {
        matches!(&self.sqlstate()[..2], b"57" | b"53")
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
