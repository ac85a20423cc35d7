//! How Rust and PostgreSQL's error handling meet. PostgreSQL raises an error by a long jump;
//! Rust cleans up by unwinding. Two functions keep the two apart and the error whole:
//!
//! * [`guarded`] is how a bare frame (hooks.rs, guard/node.rs) runs our code: a Rust panic becomes
//!   an ERROR, and an error of PostgreSQL's that [`call`] stopped is thrown on, untouched.
//! * [`call`] is how our code runs PostgreSQL functions that may run other people's code
//!   (constant folding evaluates functions): the jump is stopped here, the error stays where
//!   PostgreSQL keeps it, Rust unwinds, and [`guarded`] lets it go on.
//!
//! pgrx's own boundary copies an error out and raises a new one, which loses CONTEXT, cursor
//! position, and the schema, table and constraint fields; it serves catalog look-ups here, where
//! an error means a broken catalog.

use std::mem::MaybeUninit;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use cee_scape::call_with_sigsetjmp;
use pgrx::pg_sys;

use super::{memory, raw};

/// The unwinding of an error that PostgreSQL still holds on its own error stack.
struct PostgresError;

/// Whether an unwinding is that of an error that PostgreSQL still holds.
pub fn is_postgres_error(payload: &(dyn std::any::Any + Send)) -> bool {
    payload.is::<PostgresError>()
}

/// Runs `f` for a bare frame. `T` is `Copy` so that the caller's frame stays free of destructors.
/// Raises 53200 where memory has run out.
pub fn guarded<T: Copy>(f: impl FnOnce() -> T) -> T {
    undisturbed(|| {
        let value = f();
        if memory::has_run_out() {
            out_of_memory();
        }
        value
    })
}

/// Raises 53200, from guarded code.
#[cold]
pub fn out_of_memory() {
    memory::recover();
    pgrx::ereport!(
        ERROR,
        pgrx::PgSqlErrorCode::ERRCODE_OUT_OF_MEMORY,
        "out of memory",
        "The guard of a statement found no memory."
    );
}

/// As [`guarded`], for callbacks that must not raise an error: one that memory is short of waits.
pub fn undisturbed<T: Copy>(f: impl FnOnce() -> T) -> T {
    let stopped = || match catch_unwind(AssertUnwindSafe(f)) {
        Ok(value) => Some(value),
        Err(payload) if payload.is::<PostgresError>() => None,
        Err(payload) => resume_unwind(payload),
    };
    // SAFETY: bare frames only call us, so every frame above is free of destructors; a panic that
    // comes through is pgrx's to turn into an ERROR.
    match unsafe { pg_sys::panic::pgrx_extern_c_guard(stopped) } {
        Some(value) => value,
        // SAFETY: the error is on PostgreSQL's error stack, where `call` left it.
        None => unsafe { raw::throw_on() },
    }
}

/// Runs `f`, which calls a function of [`raw`] and owns nothing, inside guarded code.
pub fn call<T: Copy>(f: impl FnOnce() -> T) -> T {
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
            return result.assume_init();
        }
        pg_sys::CurrentMemoryContext = memory;
    }
    resume_unwind(Box::new(PostgresError))
}
