//! Statements that are run by SPI, as any function in C runs them: with the caller's rights, inside its
//! transaction. An error goes on as it came, and gives SPI's memory back with its subtransaction.

use core::ffi::{c_char, c_int};
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

/// What the first column of a query holds, NULLs apart; whether it sees what the running statement sees, or what that
/// has done as well.
pub fn column(query: &CStr, read_only: bool) -> Vec<CString> {
    let mut values = Vec::new();
    frame::call(|| {
        #[allow(ffi_unwind_calls, reason = "inside frame::call; the closure owns nothing")]
        // SAFETY: NUL-terminated.
        unsafe {
            raw::SPI_connect();
            raw::SPI_execute(query.as_ptr(), read_only, 0);
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
    column(c"SELECT name FROM pg_catalog.pg_prepared_statements", false)
}

/// DEALLOCATE; nothing where there is none of the name.
pub fn deallocate(name: &CStr) {
    // SAFETY: NUL-terminated.
    unsafe { pg_sys::DropPreparedStatement(name.as_ptr(), false) };
}

/// The number in the first row and column of a query, with the parameters of a statement; 0 where there is none. It
/// sees what the running statement sees.
pub fn number(query: &CStr, parameters: pg_sys::ParamListInfo) -> u64 {
    value(query, parameters).and_then(|value| value.to_str().ok()?.parse().ok()).unwrap_or(0)
}

/// The same of a text.
pub fn value(query: &CStr, parameters: pg_sys::ParamListInfo) -> Option<CString> {
    // SAFETY: NULL, or a statement's parameters.
    let count = unsafe { parameters.as_ref() }.map_or(0, |all| all.numParams.max(0) as usize);
    let mut types = vec![pg_sys::TEXTOID; count];
    let mut values = vec![pg_sys::Datum::from(0); count];
    let mut nulls = vec![b'n' as c_char; count];
    for at in 0..count {
        let Some(value) = parameter(parameters, at) else { continue };
        types[at] = value.ptype;
        values[at] = value.value;
        nulls[at] = if value.isnull { b'n' } else { b' ' } as c_char;
    }
    let (types, values, nulls) = (types.as_mut_ptr(), values.as_mut_ptr(), nulls.as_ptr());
    frame::call(|| {
        #[allow(ffi_unwind_calls, reason = "inside frame::call; the closure owns nothing")]
        // SAFETY: NUL-terminated; as many values as are counted.
        unsafe {
            raw::SPI_connect();
            raw::SPI_execute_with_args(query.as_ptr(), count as c_int, types, values, nulls, true, 0);
        }
    });
    let mut found = None;
    // SAFETY: SPI's result, which is there until SPI_finish; a value is NUL-terminated.
    unsafe {
        if pg_sys::SPI_processed > 0 && !pg_sys::SPI_tuptable.is_null() {
            let table = pg_sys::SPI_tuptable;
            let value = pg_sys::SPI_getvalue(*(*table).vals, (*table).tupdesc, 1);
            if !value.is_null() {
                found = Some(CStr::from_ptr(value).to_owned());
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
    found
}

/// A parameter of a statement, from 0; `None` where it has no type, and so no use.
fn parameter(parameters: pg_sys::ParamListInfo, at: usize) -> Option<pg_sys::ParamExternData> {
    // SAFETY: a statement's parameters, as many as it says; what fetches one may run other people's code.
    let value = unsafe {
        match (*parameters).paramFetch {
            Some(fetch) => frame::call(|| {
                let mut space = std::mem::zeroed();
                #[allow(ffi_unwind_calls, reason = "inside frame::call; the closure owns nothing")]
                *fetch(parameters, at as c_int + 1, false, &mut space)
            }),
            None => *(*parameters).params.as_ptr().add(at),
        }
    };
    (value.ptype != pg_sys::InvalidOid).then_some(value)
}
