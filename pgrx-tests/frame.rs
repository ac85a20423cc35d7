//! The frame rule: an error passes our frames whole, what Rust owns there is dropped, and the backend goes on.

use core::ffi::CStr;
use std::rc::Rc;

use pgrx::pg_sys::errcodes::PgSqlErrorCode::{ERRCODE_INTERNAL_ERROR, ERRCODE_OUT_OF_MEMORY};
use pgrx::prelude::*;

use crate::pg::local::Lent;
use crate::pg::{frame, pg_sys};

/// Runs `f` in a frame as hooks do, and takes what comes out of it off PostgreSQL's error stack.
fn error_of(f: &dyn Fn()) -> (i32, String) {
    let held = frame::Held::now();
    assert!(frame::caught(|| frame::guarded(f)).is_none(), "there is no error");
    // SAFETY: there is an error, whose copy is made in the memory context from before it.
    unsafe {
        let error = pgrx::pg_sys::CopyErrorData();
        pgrx::pg_sys::FlushErrorState();
        held.restore();
        ((*error).sqlerrcode, CStr::from_ptr((*error).message).to_string_lossy().into_owned())
    }
}

/// An error of PostgreSQL's.
fn raise() {
    pg_sys::relation_open(pg_sys::Oid::INVALID, pg_sys::AccessShareLock as i32);
}

fn raised() -> (i32, String) {
    (ERRCODE_INTERNAL_ERROR as i32, "could not open relation with OID 0".to_owned())
}

#[pg_extern]
fn test_an_error_passes_and_drops_what_rust_owns() {
    let owned = Rc::new(());
    let told = error_of(&|| {
        let _here = Box::new([owned.clone(), owned.clone()]);
        raise();
    });
    assert_eq!((told, Rc::strong_count(&owned)), (raised(), 1));
}

#[pg_extern]
fn test_an_error_of_an_inner_frame_passes_the_outer() {
    let owned = Rc::new(());
    let told = error_of(&|| {
        let _outer = owned.clone();
        frame::call(|| {
            frame::guarded(|| {
                let _inner = owned.clone();
                raise();
            });
        });
    });
    assert_eq!((told, Rc::strong_count(&owned)), (raised(), 1));
}

#[pg_extern]
fn test_a_panic_is_an_error_and_drops_what_rust_owns() {
    let owned = Rc::new(());
    let told = error_of(&|| {
        let _here = owned.clone();
        panic!("of ours");
    });
    assert_eq!(told, (ERRCODE_INTERNAL_ERROR as i32, "of ours".to_owned()));
    assert_eq!(Rc::strong_count(&owned), 1);
}

#[pg_extern]
fn test_memory_that_has_run_out_is_an_error() {
    let told = error_of(&|| frame::out_of_memory());
    assert_eq!(told, (ERRCODE_OUT_OF_MEMORY as i32, "out of memory".to_owned()));
}

#[pg_extern]
fn test_what_is_caught_leaves_no_trace() {
    // SAFETY: reads backend variables.
    let (context, held) = unsafe { (pg_sys::CurrentMemoryContext, pg_sys::InterruptHoldoffCount) };
    for _ in 0..20 {
        assert_eq!(error_of(&raise), raised());
    }
    // SAFETY: as above.
    assert_eq!(unsafe { (pg_sys::CurrentMemoryContext, pg_sys::InterruptHoldoffCount) }, (context, held));
}

#[pg_extern]
fn test_a_value_is_lent_once_and_given_back_by_an_error() {
    let lent = Lent::new(1);
    let (_, twice) = error_of(&|| lent.with(|_| lent.with(|_| ())));
    assert!(twice.contains("is used while it changes"), "{twice}");
    let told = error_of(&|| {
        lent.with(|value| {
            *value = 2;
            raise();
        });
    });
    assert_eq!((told, lent.with(|value| *value)), (raised(), 2));
}
