//! What a subtransaction that is rolled back leaves behind in PostgreSQL, as far as a dry run can take it
//! back: advisory locks of the session, statements that were prepared.

use std::ffi::{CStr, CString};

use crate::pg::{compat, growing, pg_sys, spi};

/// What the session had before.
pub struct Leftovers {
    locks: Vec<Lock>,
    prepared: Vec<CString>,
}

/// A lock of the session's own.
#[derive(Clone, Copy)]
struct Lock {
    tag: pg_sys::LOCKTAG,
    mode: pg_sys::LOCKMODE,
}

impl PartialEq for Lock {
    fn eq(&self, other: &Lock) -> bool {
        let fields = |tag: &pg_sys::LOCKTAG| {
            (tag.locktag_field1, tag.locktag_field2, tag.locktag_field3, tag.locktag_field4, tag.locktag_type)
        };
        self.mode == other.mode && fields(&self.tag) == fields(&other.tag)
    }
}

impl Leftovers {
    pub fn before() -> Leftovers {
        Leftovers { locks: advisory_locks(), prepared: prepared_statements() }
    }

    /// Takes back what has come since. Locks of a transaction are gone with it, so those that are there are
    /// the session's.
    pub fn take_back(&self) {
        for lock in advisory_locks().into_iter().filter(|lock| !self.locks.contains(lock)) {
            // Taken as often as it was taken.
            while compat::holds_lock(&lock.tag, lock.mode) {
                // SAFETY: a lock of the session's.
                if !unsafe { pg_sys::LockRelease(&lock.tag, lock.mode, true) } {
                    break;
                }
            }
        }
        self.deallocate_all();
    }

    /// DEALLOCATE ALL, of what has come since.
    pub fn deallocate_all(&self) {
        for name in prepared_statements().into_iter().filter(|name| !self.has_prepared(name)) {
            // SAFETY: NUL-terminated; no error where it is missing.
            unsafe { pg_sys::DropPreparedStatement(name.as_ptr(), false) };
        }
    }

    /// Whether a statement of this name was there before.
    pub fn has_prepared(&self, name: &CStr) -> bool {
        self.prepared.iter().any(|before| before.as_c_str() == name)
    }
}

/// The advisory locks that the session holds, itself or for its transaction.
fn advisory_locks() -> Vec<Lock> {
    let mut locks = Vec::new();
    // SAFETY: a palloc'd copy of what the server holds.
    unsafe {
        let data = pg_sys::GetLockStatusData();
        for at in 0..(*data).nelements as usize {
            let held = &*(*data).locks.add(at);
            if held.pid != pg_sys::MyProcPid
                || u32::from(held.locktag.locktag_lockmethodid) != pg_sys::USER_LOCKMETHOD
            {
                continue;
            }
            let modes =
                (1..=pg_sys::AccessExclusiveLock as i32).filter(|mode| held.holdMask & (1 << mode) != 0);
            for mode in modes {
                growing::push(&mut locks, Lock { tag: held.locktag, mode });
            }
        }
    }
    locks
}

/// The names of the session's prepared statements.
fn prepared_statements() -> Vec<CString> {
    spi::column(c"SELECT name FROM pg_catalog.pg_prepared_statements")
}
