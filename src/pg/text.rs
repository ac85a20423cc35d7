//! Texts between Rust, which has UTF-8, and the database, which may have another encoding.

use std::ffi::CStr;

use core::ffi::c_char;

use super::pg_sys;

use super::frame;
use super::stopped::stop;

const UTF8: i32 = pg_sys::pg_enc::PG_UTF8 as i32;
const SQL_ASCII: i32 = pg_sys::pg_enc::PG_SQL_ASCII as i32;

/// Whether the database's texts are UTF-8, or bytes of which it knows no more.
fn is_utf8() -> bool {
    matches!(pg_sys::GetDatabaseEncoding(), UTF8 | SQL_ASCII)
}

/// A text of the database's, or nothing for NULL.
pub fn from_server(text: *const c_char) -> Option<String> {
    if text.is_null() {
        return None;
    }
    // SAFETY: PostgreSQL's strings are NUL-terminated.
    let bytes = unsafe { CStr::from_ptr(text) };
    if bytes.to_bytes().is_ascii() || is_utf8() {
        return Some(owned(bytes));
    }
    let converted = stop(|| {
        // SAFETY: as above; gives a palloc'd text.
        unsafe { CStr::from_ptr(pg_sys::pg_server_to_any(text, bytes.count_bytes() as i32, UTF8)) }
    });
    Some(owned(converted.unwrap_or(bytes)))
}

/// The same of a name in a tree.
pub fn of(text: Option<&CStr>) -> Option<String> {
    text.and_then(|text| from_server(text.as_ptr()))
}

/// The beginning of a text of the database's, which may be as long as a statement is.
pub fn beginning_from_server(text: *const c_char, bytes: usize) -> Option<String> {
    if text.is_null() {
        return None;
    }
    // SAFETY: PostgreSQL's strings are NUL-terminated, and none is read behind its end; what is cut, at a
    // character's boundary, is copied.
    unsafe {
        let length = (0..bytes).find(|at| *text.add(*at) == 0).unwrap_or(bytes);
        let cut = pg_sys::pg_mbcliplen(text, length as i32, length as i32) as usize;
        let copy = pg_sys::palloc(cut + 1).cast::<c_char>();
        copy.copy_from_nonoverlapping(text, cut);
        *copy.add(cut) = 0;
        from_server(copy)
    }
}

/// A text of Rust's own. As long as what a user has written, so its memory is asked for in a way that may
/// fail.
fn owned(bytes: &CStr) -> String {
    let mut text = String::new();
    for chunk in bytes.to_bytes().utf8_chunks() {
        let lost = if chunk.invalid().is_empty() { "" } else { "\u{fffd}" };
        if text.try_reserve(chunk.valid().len() + lost.len()).is_err() {
            frame::out_of_memory();
        }
        text.push_str(chunk.valid());
        text.push_str(lost);
    }
    text
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
        // SAFETY: as long as asked for, and NUL-terminated.
        unsafe {
            let copy = pg_sys::palloc(text.len() + 1).cast::<u8>();
            for (at, byte) in text.bytes().enumerate() {
                *copy.add(at) = if byte == 0 { b' ' } else { byte };
            }
            *copy.add(text.len()) = 0;
            copy.cast::<c_char>()
        }
    };
    let copy = palloc(text);
    if text.is_ascii() || is_utf8() {
        return copy;
    }
    // SAFETY: a NUL-terminated UTF-8 text.
    stop(|| unsafe { pg_sys::pg_any_to_server(copy, text.len() as i32, UTF8) })
        .unwrap_or_else(|_| palloc(&text.replace(|c: char| !c.is_ascii(), "?")))
}
