//! Finding and locking relations as a command does that is about to run, so that it waits as long,
//! for the same, and fails with PostgreSQL's own words. What is locked stays locked.

use super::nodes::{self, Node, Nodes};
use super::{compat, frame, growing, pg_sys, raw, relations};

/// What TRUNCATE and DROP take.
const EXCLUSIVE: pg_sys::LOCKMODE = pg_sys::AccessExclusiveLock as pg_sys::LOCKMODE;

/// Locks a relation as TRUNCATE and DROP do.
pub fn lock_exclusively(relation: pg_sys::Oid) {
    // SAFETY: waits, or raises what PostgreSQL raises.
    unsafe { pg_sys::LockRelationOid(relation, EXCLUSIVE) }
}

/// Locks a table as CREATE TRIGGER does: nobody else makes one there, or drops one, until the transaction ends.
pub fn lock_as_create_trigger(relation: pg_sys::Oid) {
    // SAFETY: waits, or raises what PostgreSQL raises.
    unsafe { pg_sys::LockRelationOid(relation, pg_sys::ShareRowExclusiveLock as pg_sys::LOCKMODE) }
}

/// Locks a relation as writes of its rows do: until the transaction ends it keeps its columns and indexes.
pub fn lock_for_writes(relation: pg_sys::Oid) {
    // SAFETY: waits, or raises what PostgreSQL raises.
    unsafe { pg_sys::LockRelationOid(relation, pg_sys::RowExclusiveLock as pg_sys::LOCKMODE) }
}

fn unlock(relation: pg_sys::Oid) {
    // SAFETY: gives back what `lock_exclusively` took.
    unsafe { pg_sys::UnlockRelationOid(relation, EXCLUSIVE) }
}

/// How many invalidations the backend has taken in.
pub fn invalidations() -> u64 {
    // SAFETY: reads a backend variable.
    unsafe { pg_sys::SharedInvalidMessageCounter }
}

/// The relation of a name, without a lock; InvalidOid where there is none. A name that may not be
/// looked up raises PostgreSQL's error.
pub fn find(name: Node<pg_sys::RangeVar>) -> pg_sys::Oid {
    let (lock, flags) = (pg_sys::NoLock as i32, pg_sys::RVROption::RVR_MISSING_OK);
    // SAFETY: a RangeVar.
    unsafe { pg_sys::RangeVarGetRelidExtended(name.as_ptr(), lock, flags, None, std::ptr::null_mut()) }
}

/// The same of a name in parts, as DROP lists them.
pub fn find_listed(name: Nodes) -> pg_sys::Oid {
    // SAFETY: a list of strings; an error where they are too many.
    unsafe { Node::of(pg_sys::makeRangeVarFromNameList(name.as_ptr())) }.map_or(pg_sys::InvalidOid, find)
}

/// The relation of a name, locked, as RangeVarGetRelidExtended goes about it: what comes while it
/// waits may change what the name means. Nothing is locked that `refuses` has a word against.
pub fn find_and_lock<T>(
    name: Node<pg_sys::RangeVar>,
    refuses: impl Fn(pg_sys::Oid) -> Result<(), T>,
) -> Result<pg_sys::Oid, T> {
    let mut locked = pg_sys::InvalidOid;
    loop {
        let before = invalidations();
        let found = find(name);
        let refused = refuses(found);
        if locked != pg_sys::InvalidOid && (found != locked || refused.is_err()) {
            unlock(locked);
            locked = pg_sys::InvalidOid;
        }
        refused?;
        if found == locked || found == pg_sys::InvalidOid {
            return Ok(found);
        }
        lock_exclusively(found);
        locked = found;
        if invalidations() == before {
            return Ok(found);
        }
    }
}

/// A table and everything that inherits from it, each locked, as PostgreSQL recurses; without the
/// temporary children of other sessions, which it passes over.
pub fn members(relation: pg_sys::Oid) -> Vec<pg_sys::Oid> {
    let list = frame::call(|| {
        #[allow(ffi_unwind_calls, reason = "inside frame::call; the closure owns nothing")]
        // SAFETY: reads pg_inherits, and waits for each lock.
        unsafe {
            raw::find_all_inheritors(relation, EXCLUSIVE, std::ptr::null_mut())
        }
    });
    // SAFETY: a list of OIDs.
    let mut members: Vec<_> = unsafe { nodes::oids(list) }.collect();
    members.retain(|member| {
        let passed_over = *member != relation && relations::is_other_temp(*member);
        if passed_over {
            unlock(*member);
        }
        !passed_over
    });
    members
}

/// An advisory lock that the session holds.
#[derive(Clone, Copy)]
pub struct Advisory {
    tag: pg_sys::LOCKTAG,
    mode: pg_sys::LOCKMODE,
}

impl PartialEq for Advisory {
    fn eq(&self, other: &Advisory) -> bool {
        let fields = |tag: &pg_sys::LOCKTAG| {
            (tag.locktag_field1, tag.locktag_field2, tag.locktag_field3, tag.locktag_field4, tag.locktag_type)
        };
        self.mode == other.mode && fields(&self.tag) == fields(&other.tag)
    }
}

impl Advisory {
    /// Those that the session holds, itself or for its transaction.
    pub fn held() -> Vec<Advisory> {
        // SAFETY: a palloc'd copy of what the server holds: so many locks.
        let all = unsafe {
            let data = &*pg_sys::GetLockStatusData();
            std::slice::from_raw_parts(data.locks, data.nelements as usize)
        };
        // SAFETY: reads a variable.
        let process = unsafe { pg_sys::MyProcPid };
        let is_advisory =
            |tag: &pg_sys::LOCKTAG| u32::from(tag.locktag_lockmethodid) == pg_sys::USER_LOCKMETHOD;
        let mut own = Vec::new();
        for held in all.iter().filter(|held| held.pid == process && is_advisory(&held.locktag)) {
            (1..=pg_sys::AccessExclusiveLock as i32)
                .filter(|mode| held.holdMask & (1 << mode) != 0)
                .for_each(|mode| growing::push(&mut own, Advisory { tag: held.locktag, mode }));
        }
        own
    }

    /// Gives back one that the session holds itself, as often as it was taken.
    pub fn release(self) {
        while compat::holds_lock(&self.tag, self.mode) {
            // SAFETY: a lock of the session's.
            if !unsafe { pg_sys::LockRelease(&self.tag, self.mode, true) } {
                break;
            }
        }
    }
}

/// What keeps PostgreSQL from taking a table whole.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// A query of this session has it open.
    Open,
    PendingTriggers,
}

/// What CheckTableNotInUse would refuse a locked table for.
pub fn use_in_this_session(relation: pg_sys::Oid) -> Option<Use> {
    let no_lock = pg_sys::NoLock as pg_sys::LOCKMODE;
    // SAFETY: the relation is locked; it is open while its entry is read.
    unsafe {
        let opened = pg_sys::try_relation_open(relation, no_lock);
        if opened.is_null() {
            return None;
        }
        let is_open = (*opened).rd_refcnt != if (*opened).rd_isnailed { 2 } else { 1 };
        pg_sys::relation_close(opened, no_lock);
        if is_open {
            Some(Use::Open)
        } else if pg_sys::AfterTriggerPendingOnRel(relation) {
            Some(Use::PendingTriggers)
        } else {
            None
        }
    }
}
