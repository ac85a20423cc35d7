//! Running what may fail, and going on: an internal subtransaction that is rolled back whatever
//! happens, with PostgreSQL's error as a value.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use pgrx::pg_sys;
use pgrx::pg_sys::panic::CaughtError;

use super::{frame, raw, text};

/// An error that was stopped.
pub struct Failure {
    /// PostgreSQL's own, whole; NULL where it was stopped by pgrx's boundary.
    error: *mut pg_sys::ErrorData,
    pub sqlstate: [u8; 5],
    pub message: String,
    pub hint: Option<String>,
    /// Where in the text, in characters from 1; 0 where nowhere.
    pub position: i32,
}

/// Runs `f` in a subtransaction that is rolled back; gives its value, or the error it ended in. Where
/// PostgreSQL cannot start one (a parallel operation on 15 and 16), its error goes on.
pub fn attempt<T>(f: impl FnOnce() -> T) -> Result<T, Failure> {
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
    // A panic of Rust's, too, goes on only when the subtransaction is gone.
    let outcome = catch_unwind(AssertUnwindSafe(|| stop(f)));
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
    outcome.unwrap_or_else(|panic| resume_unwind(panic))
}

/// Runs `f`, which holds nothing of PostgreSQL's that an error would have to give back; its value, or
/// the error it ended in.
pub fn stop<T>(f: impl FnOnce() -> T) -> Result<T, Failure> {
    // SAFETY: reads a backend variable.
    let memory = unsafe { pg_sys::CurrentMemoryContext };
    match catch_unwind(AssertUnwindSafe(f)) {
        Ok(value) => Ok(value),
        Err(payload) if frame::is_postgres_error(&*payload) => Err(take_error(memory)),
        Err(payload) => match payload.downcast::<CaughtError>() {
            Ok(caught) => match *caught {
                CaughtError::PostgresError(report) | CaughtError::ErrorReport(report) => Err(Failure {
                    error: std::ptr::null_mut(),
                    sqlstate: unpack(report.sql_error_code() as i32),
                    message: report.message().to_owned(),
                    hint: report.hint().map(str::to_owned),
                    position: 0,
                }),
                panic => resume_unwind(Box::new(panic)),
            },
            Err(payload) => resume_unwind(payload),
        },
    }
}

/// Takes the error from PostgreSQL's error stack.
fn take_error(memory: pg_sys::MemoryContext) -> Failure {
    // SAFETY: there is an error on the stack; CopyErrorData wants another memory than ErrorContext.
    unsafe {
        pg_sys::CurrentMemoryContext = memory;
        let error = pg_sys::CopyErrorData();
        pg_sys::FlushErrorState();
        Failure {
            error,
            sqlstate: unpack((*error).sqlerrcode),
            message: text::from_server((*error).message).unwrap_or_default(),
            hint: text::from_server((*error).hint),
            position: (*error).cursorpos,
        }
    }
}

impl Failure {
    /// A cancel, a shutdown and the like are not the statement's: they go on.
    pub fn unless_interrupted(self) -> Failure {
        // Class 57 (operator intervention), and out of memory and disk (53).
        if matches!(&self.sqlstate[..2], b"57" | b"53") {
            self.throw_on()
        }
        self
    }

    /// Throws the error on, as it came.
    pub fn throw_on(self) -> ! {
        if self.error.is_null() {
            // Stopped by pgrx's boundary: a broken catalog, or an error of our own.
            pgrx::error!("{}", self.message);
        }
        frame::call(|| {
            #[allow(ffi_unwind_calls, reason = "inside frame::call; the closure owns nothing")]
            // SAFETY: a copy of an error, thrown whole.
            unsafe {
                raw::ReThrowError(self.error)
            }
        });
        unreachable_after_throw()
    }
}

#[cold]
fn unreachable_after_throw() -> ! {
    pgrx::error!("safedelete: an error was not thrown on");
}

/// The five letters of a packed SQLSTATE; see `refusal::pack`.
fn unpack(packed: i32) -> [u8; 5] {
    std::array::from_fn(|i| ((packed >> (6 * i)) & 0x3f) as u8 + b'0')
}
