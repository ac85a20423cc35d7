//! A setting that is a list: its text, which PostgreSQL keeps, and what it says, parsed when it is assigned.

use std::ffi::{CStr, CString, c_char};

use super::generation::{changed, forget_plans};
use crate::pg::local::{Lent, Local};
use crate::pg::{frame, pg_sys, text};

pub struct List<T> {
    pub(super) text: Local<*mut c_char>,
    pub(super) said: Lent<T>,
    parse: fn(&str) -> Result<T, String>,
    /// Cached plans are made for what it says.
    in_plans: bool,
}

impl<T: PartialEq> List<T> {
    /// `said` is what it says until PostgreSQL assigns the default; `parse` gives a DETAIL for what it refuses.
    pub const fn new(default: &'static CStr, said: T, parse: fn(&str) -> Result<T, String>) -> List<T> {
        let text = Local::new(default.as_ptr().cast_mut());
        List { text, said: Lent::new(said), parse, in_plans: false }
    }

    pub const fn in_plans(mut self) -> List<T> {
        self.in_plans = true;
        self
    }

    /// The check hook: parses to refuse.
    ///
    /// # Safety
    /// `new` is what PostgreSQL passes to it: where the proposed text is.
    pub unsafe fn check(&self, new: *mut *mut c_char) -> bool {
        frame::undisturbed(false, || {
            // SAFETY: as the caller says.
            let parsed = (self.parse)(&unsafe { value_text(*new) });
            parsed.map_err(|detail| explain_bad_value(&detail)).is_ok()
        })
    }

    /// The assign hook, which must not fail: parses again, and keeps the outcome.
    ///
    /// # Safety
    /// `new` is what PostgreSQL passes to it: a text that `check` has passed.
    pub unsafe fn assign(&self, new: *const c_char) {
        frame::undisturbed((), || {
            changed();
            // SAFETY: as the caller says.
            let Ok(parsed) = (self.parse)(&unsafe { value_text(new) }) else { return };
            let differs = self.said.with(|said| std::mem::replace(said, parsed) != *said);
            if differs && self.in_plans {
                forget_plans();
            }
        })
    }
}

impl<T> List<Vec<T>> {
    pub fn is_empty(&self) -> bool {
        self.said.with(|entries| entries.is_empty())
    }
}

impl List<Vec<String>> {
    pub fn names(&self) -> Vec<String> {
        self.said.with(|names| names.clone())
    }
}

/// The text of a string setting's value.
///
/// # Safety
/// `value` is NULL or NUL-terminated.
unsafe fn value_text(value: *const c_char) -> String {
    if value.is_null() {
        return String::new();
    }
    // SAFETY: as the caller says.
    text::of_setting(unsafe { CStr::from_ptr(value) })
}

/// Leaves DETAIL for PostgreSQL's "invalid value for parameter".
fn explain_bad_value(detail: &str) {
    let Ok(detail) = CString::new(detail) else { return };
    // SAFETY: what the macro GUC_check_errdetail does; ErrorContext lives until the report is out.
    unsafe {
        pg_sys::GUC_check_errdetail_string =
            pg_sys::MemoryContextStrdup(pg_sys::ErrorContext, detail.as_ptr());
    }
}
