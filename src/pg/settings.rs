//! PostgreSQL's own settings, changed for a while.

use std::ffi::CStr;

use super::{frame, pg_sys, raw};

/// Runs `f` with an empty search path, so that what it makes of names has their schemas. Temporary objects come last:
/// unnamed, they would be looked up before PostgreSQL's own types. An error puts the path back with the
/// (sub)transaction.
pub fn with_empty_search_path<T>(f: impl FnOnce() -> T) -> T {
    with(c"search_path", c"pg_catalog, pg_temp", f)
}

/// Runs `f` with another value of a setting that anybody may set. An error puts the old one back with the
/// (sub)transaction.
pub fn with<T>(name: &CStr, value: &CStr, f: impl FnOnce() -> T) -> T {
    let level = pg_sys::NewGUCNestLevel();
    frame::call(|| {
        #[allow(ffi_unwind_calls, reason = "inside frame::call; the closure owns nothing")]
        // SAFETY: NUL-terminated; what is given is copied.
        unsafe {
            raw::set_config_option(
                name.as_ptr(),
                value.as_ptr(),
                pg_sys::GucContext::PGC_USERSET,
                pg_sys::GucSource::PGC_S_SESSION,
                pg_sys::GucAction::GUC_ACTION_SAVE,
                true,
                0,
                false,
            )
        }
    });
    let value = f();
    // SAFETY: ends what was begun above.
    unsafe { pg_sys::AtEOXact_GUC(true, level) };
    value
}
