//! Statements that are run by SPI, as any function in C runs them: with the caller's rights, inside its
//! transaction. An error goes on as it came, and gives SPI's memory back with its subtransaction.

use std::ffi::{CStr, CString};

use super::{frame, growing, pg_sys, raw};

/// Runs a statement; SPI's answer.
pub fn execute(text: &CStr) -> i32 {
    frame::call(|| {
        #[allow(ffi_unwind_calls, reason = "inside frame::call; the closure owns nothing")]
        // SAFETY: NUL-terminated; what is begun is ended.
        unsafe {
            raw::SPI_connect();
            let done = raw::SPI_execute(text.as_ptr(), false, 0);
            raw::SPI_finish();
            done
        }
    })
}

/// What the first column of a query holds, NULLs apart.
fn column(query: &CStr) -> Vec<CString> {
    let mut values = Vec::new();
    frame::call(|| {
        #[allow(ffi_unwind_calls, reason = "inside frame::call; the closure owns nothing")]
        // SAFETY: NUL-terminated.
        unsafe {
            raw::SPI_connect();
            raw::SPI_execute(query.as_ptr(), false, 0);
        }
    });
    // SAFETY: SPI's result, which is there until SPI_finish; a value is a NUL-terminated copy.
    unsafe {
        let table = pg_sys::SPI_tuptable;
        for at in 0..pg_sys::SPI_processed as usize {
            let value = pg_sys::SPI_getvalue(*(*table).vals.add(at), (*table).tupdesc, 1);
            if !value.is_null() {
                growing::push(&mut values, CStr::from_ptr(value).to_owned());
            }
        }
    }
    frame::call(|| {
        #[allow(ffi_unwind_calls, reason = "inside frame::call; the closure owns nothing")]
        // SAFETY: ends what was begun above.
        unsafe {
            raw::SPI_finish()
        }
    });
    values
}

/// The names of the session's prepared statements.
pub fn prepared_statements() -> Vec<CString> {
    column(c"SELECT name FROM pg_catalog.pg_prepared_statements")
}

/// DEALLOCATE; nothing where there is none of the name.
pub fn deallocate(name: &CStr) {
    // SAFETY: NUL-terminated.
    unsafe { pg_sys::DropPreparedStatement(name.as_ptr(), false) };
}
