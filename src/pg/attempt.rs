//! Running what may fail, and going on: an internal subtransaction that is rolled back if it fails (or whatever
//! happens), with PostgreSQL's error as a value. Errors that are not about what was run (a cancel, a
//! shutdown, too little memory) are never a value: they go on.

use super::stopped::{self, Stopped};
use super::{frame, memory, pg_sys, raw, text};

/// An error that was stopped.
pub struct Failure {
    stopped: Stopped,
    pub sqlstate: [u8; 5],
    /// Cut at 4 kB: a value in it may be as long as a statement is.
    pub message: String,
    pub hint: Option<String>,
    /// Where in the text, in characters from 1; 0 where nowhere.
    pub position: i32,
}

/// Runs `f` in a subtransaction that is rolled back; gives its value, or the error it ended in. Where
/// PostgreSQL cannot start one (a parallel operation on 15 and 16), its error goes on.
pub fn attempt<T>(f: impl FnOnce() -> T) -> Result<T, Failure> {
    within(f, false)
}

/// Runs `f` in a subtransaction that is rolled back if it fails; else it stays.
pub fn keep<T>(f: impl FnOnce() -> T) -> Result<T, Failure> {
    within(f, true)
}

fn within<T>(f: impl FnOnce() -> T, keeps: bool) -> Result<T, Failure> {
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
    let outcome = stopped::run(f);
    let keeps = keeps && outcome.is_ok();
    frame::call(|| {
        #[allow(ffi_unwind_calls, reason = "inside frame::call; the closure owns nothing")]
        // SAFETY: ends what was begun above.
        unsafe {
            if keeps {
                raw::ReleaseCurrentSubTransaction();
            } else {
                raw::RollbackAndReleaseCurrentSubTransaction();
            }
        }
    });
    // SAFETY: both are older than the subtransaction.
    unsafe {
        pg_sys::CurrentMemoryContext = memory;
        pg_sys::CurrentResourceOwner = owner;
    }
    stopped::of(outcome).map_err(Failure::of)
}

/// Runs `f`, which holds nothing of PostgreSQL's that an error would have to give back; its value, or
/// the error it ended in.
pub fn stop<T>(f: impl FnOnce() -> T) -> Result<T, Failure> {
    stopped::stop(f).map_err(Failure::of)
}

impl Failure {
    fn of(stopped: Stopped) -> Failure {
        let error = stopped.error();
        // SAFETY: a copy of an error (without one it would have gone on); its strings are NULL or
        // NUL-terminated.
        unsafe {
            Failure {
                sqlstate: stopped.sqlstate(),
                message: text::at((*error).message)
                    .map(|message| text::beginning_from_server(message, 4096))
                    .unwrap_or_default(),
                hint: text::at((*error).hint).map(text::from_server),
                position: (*error).cursorpos,
                stopped,
            }
        }
    }

    /// Throws the error on, as it came.
    pub fn throw_on(self) -> ! {
        self.stopped.throw_on()
    }
}
