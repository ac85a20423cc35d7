//! What a subtransaction that is rolled back leaves behind in PostgreSQL, as far as a dry run can take it
//! back: advisory locks of the session, statements that were prepared.

use std::ffi::{CStr, CString};

use crate::pg::locks::Advisory;
use crate::pg::spi;

/// What the session had before.
pub struct Leftovers {
    locks: Vec<Advisory>,
    prepared: Vec<CString>,
}

impl Leftovers {
    pub fn before() -> Leftovers {
        Leftovers { locks: Advisory::held(), prepared: spi::prepared_statements() }
    }

    /// Takes back what has come since. Locks of a transaction are gone with it, so those that are there are
    /// the session's.
    pub fn take_back(&self) {
        let since = Advisory::held().into_iter().filter(|lock| !self.locks.contains(lock));
        since.for_each(Advisory::release);
        self.deallocate_all();
    }

    /// DEALLOCATE ALL, of what has come since.
    pub fn deallocate_all(&self) {
        let since = spi::prepared_statements().into_iter().filter(|name| !self.has_prepared(name));
        since.for_each(|name| spi::deallocate(&name));
    }

    /// Whether a statement of this name was there before.
    pub fn has_prepared(&self, name: &CStr) -> bool {
        self.prepared.iter().any(|before| before.as_c_str() == name)
    }
}
