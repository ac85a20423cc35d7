//! A setting that is a list: its text, which PostgreSQL keeps, and what it says, parsed when it is assigned.

use std::ffi::CStr;

use super::generation::{changed, forget_plans};
use crate::pg::guc::Text;
use crate::pg::local::Lent;

pub struct List<T> {
    pub(super) text: Text,
    pub(super) said: Lent<T>,
    parse: fn(&str) -> Result<T, String>,
    /// Cached plans are made for what it says.
    in_plans: bool,
}

impl<T: PartialEq> List<T> {
    /// `said` is what it says until PostgreSQL assigns the default; `parse` gives a DETAIL for what it refuses.
    pub const fn new(default: &'static CStr, said: T, parse: fn(&str) -> Result<T, String>) -> List<T> {
        List { text: Text::new(default), said: Lent::new(said), parse, in_plans: false }
    }

    pub const fn in_plans(mut self) -> List<T> {
        self.in_plans = true;
        self
    }

    /// Parses to refuse.
    pub fn check(&self, new: &str) -> Result<(), String> {
        (self.parse)(new).map(drop)
    }

    /// Parses again, and keeps the outcome.
    pub fn assign(&self, new: &str) {
        changed();
        let Ok(parsed) = (self.parse)(new) else { return };
        let differs = self.said.with(|said| std::mem::replace(said, parsed) != *said);
        if differs && self.in_plans {
            forget_plans();
        }
    }
}

/// A list's row in `SETTINGS`.
macro_rules! list {
    ($list:ident) => {{
        struct Hears;
        impl guc::Reader for Hears {
            fn check(new: &str) -> Result<(), String> {
                $list.check(new)
            }

            fn assign(new: &str) {
                $list.assign(new);
            }
        }
        Value::text::<Hears>(&$list.text, guc::LIST)
    }};
}
pub(super) use list;

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
