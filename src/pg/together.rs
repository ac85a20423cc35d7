//! Statements whose AFTER triggers fire together, foreign keys' checks and actions among them, once all have run: as if
//! they were one, in the way in which COPY collects its own, and foreign keys' queries those of the statement around.

use core::ffi::{CStr, c_char};

use super::local::Local;
use super::{frame, pg_sys, raw};

/// Whether statements run together.
static RUNNING: Local<bool> = Local::new(false);

struct Ends(bool);

impl Drop for Ends {
    fn drop(&mut self) {
        RUNNING.set(self.0);
    }
}

/// While it lives, the session is a replica.
struct Replica(core::ffi::c_int);

impl Replica {
    fn begin() -> Replica {
        // SAFETY: a backend variable, which `drop` sets back.
        unsafe {
            let role = pg_sys::SessionReplicationRole;
            pg_sys::SessionReplicationRole = pg_sys::SESSION_REPLICATION_ROLE_REPLICA as core::ffi::c_int;
            Replica(role)
        }
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        // SAFETY: as above.
        unsafe { pg_sys::SessionReplicationRole = self.0 };
    }
}

/// Runs `f`, whose statements run together by [`run`], and then fires their triggers. An error leaves what was
/// collected to the end of its subtransaction.
pub fn together<T: Copy>(f: impl FnOnce() -> T) -> T {
    frame::call(|| {
        #[allow(ffi_unwind_calls, reason = "inside frame::call; the closure owns nothing")]
        // SAFETY: inside a transaction; ended below.
        unsafe {
            raw::AfterTriggerBeginQuery();
        }
    });
    let ends = Ends(RUNNING.get());
    RUNNING.set(true);
    let value = f();
    drop(ends);
    frame::call(|| {
        #[allow(ffi_unwind_calls, reason = "inside frame::call; the closure owns nothing")]
        // SAFETY: begun above. Without an EState, it makes one.
        unsafe {
            raw::AfterTriggerEndQuery(std::ptr::null_mut());
        }
    });
    value
}

/// Runs a statement that gives one row, with the parameters that it is written for; the row, in the caller's memory.
/// Its triggers fire with those of the others, or at once. `None` outside of [`together`], and for what the statement
/// itself runs.
///
/// Rules that do not hold in replicas can be left aside: they are no part of a statement that is analysed in one. What
/// is analysed is PostgreSQL's own; nothing of the user's runs before the plan is made. It stays so, for nothing but
/// SPI knows of the plan, and invalidations look for saved ones.
pub fn run<const N: usize>(
    statement: &CStr,
    fires: bool,
    passes_rules: bool,
    mut types: [pg_sys::Oid; N],
    parameters: [Option<pg_sys::Datum>; N],
) -> Option<pg_sys::Datum> {
    if !RUNNING.get() {
        return None;
    }
    // Who may have a statement run so are not the triggers that this one fires.
    let _ends = Ends(RUNNING.get());
    RUNNING.set(false);
    let mut nulls = parameters.map(|parameter| if parameter.is_none() { b'n' } else { b' ' } as c_char);
    let mut values = parameters.map(|parameter| parameter.unwrap_or(pg_sys::Datum::from(0)));
    let (text, types) = (statement.as_ptr(), types.as_mut_ptr());
    let (values, nulls) = (values.as_mut_ptr(), nulls.as_mut_ptr());
    let replica = passes_rules.then(Replica::begin);
    let plan = frame::call(|| {
        #[allow(ffi_unwind_calls, reason = "inside frame::call; the closure owns nothing")]
        // SAFETY: NUL-terminated, with as many types as are counted; an error's subtransaction ends what is begun.
        unsafe {
            raw::SPI_connect();
            raw::SPI_prepare(text, N as i32, types)
        }
    });
    drop(replica);
    frame::call(|| {
        #[allow(ffi_unwind_calls, reason = "inside frame::call; the closure owns nothing")]
        // SAFETY: prepared above, with as many values and flags as are counted; what is begun is ended, but by an
        // error, whose subtransaction ends it.
        unsafe {
            let none = std::ptr::null_mut();
            raw::SPI_execute_snapshot(plan, values, nulls, none, none, false, fires, 0);
            let found = pg_sys::SPI_tuptable;
            let row = if pg_sys::SPI_processed == 0 || found.is_null() {
                std::ptr::null_mut()
            } else {
                raw::SPI_returntuple(*(*found).vals, (*found).tupdesc)
            };
            raw::SPI_finish();
            (!row.is_null()).then(|| raw::HeapTupleHeaderGetDatum(row))
        }
    })
}
