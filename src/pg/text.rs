//! Texts between Rust, which has UTF-8, and the database, which may have another encoding.

use std::ffi::{CStr, CString};

use core::ffi::c_char;

use super::pg_sys;

use super::attempt::stop;

const UTF8: i32 = pg_sys::pg_enc::PG_UTF8 as i32;
const SQL_ASCII: i32 = pg_sys::pg_enc::PG_SQL_ASCII as i32;

/// Whether the database's texts are UTF-8, or bytes of which it knows no more.
fn is_utf8() -> bool {
    // SAFETY: reads a backend variable.
    matches!(unsafe { pg_sys::GetDatabaseEncoding() }, UTF8 | SQL_ASCII)
}

/// A text of the database's, or nothing for NULL.
pub fn from_server(text: *const c_char) -> Option<String> {
    if text.is_null() {
        return None;
    }
    // SAFETY: PostgreSQL's strings are NUL-terminated.
    let bytes = unsafe { CStr::from_ptr(text) };
    if bytes.to_bytes().is_ascii() || is_utf8() {
        return Some(bytes.to_string_lossy().into_owned());
    }
    let converted = stop(|| {
        // SAFETY: as above; gives a palloc'd text.
        unsafe { CStr::from_ptr(pg_sys::pg_server_to_any(text, bytes.count_bytes() as i32, UTF8)).to_owned() }
    });
    Some(converted.as_deref().unwrap_or(bytes).to_string_lossy().into_owned())
}

/// A list setting's text. It may be read before the session knows its encoding, so bytes that are not
/// UTF-8 stand for themselves, each as a character; names that are compared with it are read alike.
pub fn of_setting(text: &CStr) -> String {
    match text.to_str() {
        Ok(text) => text.to_owned(),
        Err(_) => text.to_bytes().iter().map(|byte| char::from(*byte)).collect(),
    }
}

/// A name from a list setting, as the database spells it.
pub fn setting_to_server(name: &str) -> Vec<u8> {
    if name.is_ascii() || is_utf8() {
        return name.as_bytes().to_vec();
    }
    name.chars().map(|c| u8::try_from(c).unwrap_or(b'?')).collect()
}

/// A text for the database, palloc'd. What its encoding lacks becomes a question mark.
pub fn to_server(text: &str) -> *mut c_char {
    let palloc = |text: &str| {
        let text = CString::new(text.replace('\0', " ")).unwrap_or_default();
        // SAFETY: a NUL-terminated string, copied.
        unsafe { pg_sys::pstrdup(text.as_ptr()) }
    };
    let copy = palloc(text);
    if text.is_ascii() || is_utf8() {
        return copy;
    }
    // SAFETY: a NUL-terminated UTF-8 text.
    stop(|| unsafe { pg_sys::pg_any_to_server(copy, text.len() as i32, UTF8) })
        .unwrap_or_else(|_| palloc(&text.replace(|c: char| !c.is_ascii(), "?")))
}
