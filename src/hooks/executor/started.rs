//! Which query has started last, and how its end is to be asked; what a query can write.

use crate::pg::pg_sys;
use pgrx::pg_sys::NodeTag;

use crate::pg::local::Local;
use crate::pg::nodes;

/// The query that has started last: its guards are in place, where it is a write. An abort forgets it, for another may
/// come to the same place.
pub(super) static STARTED: Local<*mut pg_sys::QueryDesc> = Local::new(std::ptr::null_mut());

/// The same, where its end has nothing to be asked but whether it wrote more than a row.
pub(super) static ALONE: Local<*mut pg_sys::QueryDesc> = Local::new(std::ptr::null_mut());

/// The query that has started last where it can write no row that was there: a SELECT, or an INSERT that only adds
/// rows.
pub(super) static ADDS: Local<*mut pg_sys::QueryDesc> = Local::new(std::ptr::null_mut());

/// What has started will not run.
pub fn forget_started() {
    for last in [&STARTED, &ALONE, &ADDS] {
        last.set(std::ptr::null_mut());
    }
}

/// # Safety
/// `query` is about to start, or has.
#[inline]
pub(super) unsafe fn writes(query: *mut pg_sys::QueryDesc) -> bool {
    // SAFETY: by contract.
    unsafe { (*query).operation != pg_sys::CmdType::CMD_SELECT || (*(*query).plannedstmt).hasModifyingCTE }
}

/// Whether a query can write rows that were there.
///
/// # Safety
/// `query` is about to start.
#[inline]
pub(super) unsafe fn may_rewrite(query: *mut pg_sys::QueryDesc) -> bool {
    // SAFETY: by contract; the cast follows the tag.
    unsafe {
        let plan = (*query).plannedstmt;
        match (*query).operation {
            pg_sys::CmdType::CMD_SELECT => (*plan).hasModifyingCTE,
            pg_sys::CmdType::CMD_INSERT => {
                let modify = (*plan).planTree.cast::<pg_sys::ModifyTable>();
                (*plan).hasModifyingCTE
                    || nodes::tag(modify) != NodeTag::T_ModifyTable
                    || (*modify).onConflictAction == pg_sys::OnConflictAction::ONCONFLICT_UPDATE
            }
            _ => true,
        }
    }
}
