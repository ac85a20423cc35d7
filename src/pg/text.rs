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

/// A text of PostgreSQL's, taken in hand; `None` for NULL.
///
/// # Safety
/// NULL or NUL-terminated, and there, as it is, for `'t`.
pub unsafe fn at<'t>(text: *const c_char) -> Option<&'t CStr> {
    // SAFETY: by contract.
    (!text.is_null()).then(|| unsafe { CStr::from_ptr(text) })
}

/// A text of the database's.
pub fn from_server(text: &CStr) -> String {
    if text.to_bytes().is_ascii() || is_utf8() {
        return owned(text);
    }
    let converted = stop(|| {
        // SAFETY: of this length; gives a palloc'd text, or its argument.
        unsafe { CStr::from_ptr(pg_sys::pg_server_to_any(text.as_ptr(), text.count_bytes() as i32, UTF8)) }
    });
    owned(converted.unwrap_or(text))
}

/// The beginning of a text of the database's, which may be as long as a statement is.
pub fn beginning_from_server(text: &CStr, bytes: usize) -> String {
    let (text, limit) = (text.to_bytes(), bytes as i32);
    // SAFETY: of this length; cut at a character's boundary.
    let length = unsafe { pg_sys::pg_mbcliplen(text.as_ptr().cast(), text.len() as i32, limit) as usize };
    from_server(copy(&text[..length]))
}

/// A text in the current memory context. A NUL, which it cannot have, becomes a blank.
pub fn copy<'t>(text: &[u8]) -> &'t CStr {
    // SAFETY: as long as asked for, and NUL-terminated, without a NUL before.
    unsafe {
        let copy = pg_sys::palloc(text.len() + 1).cast::<u8>();
        for (at, byte) in text.iter().enumerate() {
            *copy.add(at) = if *byte == 0 { b' ' } else { *byte };
        }
        *copy.add(text.len()) = 0;
        CStr::from_bytes_with_nul_unchecked(std::slice::from_raw_parts(copy, text.len() + 1))
    }
}

/// How many characters a text of the database's has.
pub fn characters(text: &[u8]) -> usize {
    // SAFETY: of this length; no text is longer than 1 GB.
    unsafe { pg_sys::pg_mbstrlen_with_len(text.as_ptr().cast(), text.len() as i32) as usize }
}

/// How many bytes its first so many characters are.
pub fn bytes_of(text: &[u8], characters: i32) -> usize {
    // SAFETY: as above.
    unsafe { pg_sys::pg_mbcharcliplen(text.as_ptr().cast(), text.len() as i32, characters) as usize }
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

/// A text for the database, in the current memory context. What its encoding lacks becomes a question mark.
pub fn to_server<'t>(text: &str) -> &'t CStr {
    let own = copy(text.as_bytes());
    if text.is_ascii() || is_utf8() {
        return own;
    }
    // SAFETY: UTF-8 of this length; gives a palloc'd text, or its argument.
    stop(|| unsafe { CStr::from_ptr(pg_sys::pg_any_to_server(own.as_ptr(), text.len() as i32, UTF8)) })
        .unwrap_or_else(|_| copy(text.replace(|c: char| !c.is_ascii(), "?").as_bytes()))
}
