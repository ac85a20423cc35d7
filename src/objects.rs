//! TRUNCATE and DROP: deletes of every row, of each table they reach, through CASCADE, partitions,
//! DROP SCHEMA, DROP OWNED and the like.
//!
//! PostgreSQL tells of each relation by its object access hook. For DROP that is late enough: every
//! lock is held, and every dependency looked at. For TRUNCATE it is too early: a table that the
//! statement names is told of before it is locked, before the user's privileges on it are looked at,
//! and before the next name of the list is. So TRUNCATE is judged before it runs, by the utility
//! hook:
//!
//! * reach.rs finds what it will take as PostgreSQL finds it, with PostgreSQL's locks, and stops
//!   without a word where PostgreSQL is going to refuse;
//! * truncate.rs judges what was found, and what the hook tells of beyond it;
//! * dropping.rs judges what is dropped, database.rs a whole database;
//! * whole.rs judges one table that goes whole;
//! * running.rs keeps what a running command has met.
//!
//! What PostgreSQL does for itself (a rewrite's old table) is marked internal and passes.

mod database;
pub mod dropping;
pub mod reach;
mod running;
pub mod truncate;
pub mod whole;

use crate::pg::pg_sys;

use crate::pg::report::Frozen;

/// A relation is about to be emptied or dropped.
///
/// # Safety
/// `argument` is the object access hook's.
pub unsafe fn accessed(
    access: pg_sys::ObjectAccessType::Type,
    class: pg_sys::Oid,
    object: pg_sys::Oid,
    part: i32,
    argument: *mut core::ffi::c_void,
) -> Result<(), Frozen> {
    if part != 0 {
        return Ok(());
    }
    match (access, class) {
        (pg_sys::ObjectAccessType::OAT_TRUNCATE, pg_sys::RelationRelationId) => truncate::accessed(object),
        (pg_sys::ObjectAccessType::OAT_DROP, class) => {
            // SAFETY: the argument of OAT_DROP, which has one.
            let flags = unsafe {
                argument.cast::<pg_sys::ObjectAccessDrop>().as_ref().map_or(0, |argument| argument.dropflags)
            };
            if flags & pg_sys::PERFORM_DELETION_INTERNAL as i32 != 0 {
                return Ok(());
            }
            match class {
                pg_sys::RelationRelationId => dropping::accessed(object),
                pg_sys::DatabaseRelationId => database::dropped(object),
                _ => Ok(()),
            }
        }
        _ => Ok(()),
    }
}
