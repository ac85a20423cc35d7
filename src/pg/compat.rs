//! Where the majors of PostgreSQL differ, by the cfgs of build.rs; nothing else asks for a major.

mod planning;
mod trees;

use super::nodes;
#[cfg(not(since_19))]
pub use super::pg_sys::Instrumentation as NodeInstrumentation;
#[cfg(since_19)]
pub use super::pg_sys::NodeInstrumentation;
use super::{pg_sys, raw};
pub use planning::*;
pub use trees::*;

/// Whether column `index` (from 0) cannot hold NULL; 18 has NOT NULL constraints that are not
/// valid yet.
///
/// # Safety
/// `descriptor` is a relation's tuple descriptor and has the column.
pub unsafe fn column_is_not_null(descriptor: pg_sys::TupleDesc, index: usize) -> bool {
    // SAFETY: by contract.
    let attribute = unsafe { attribute(descriptor, index) };
    if attribute.attisdropped || !attribute.attnotnull {
        return false;
    }
    #[cfg(since_18)]
    // SAFETY: by contract; 'v' is ATTNULLABLE_VALID.
    unsafe {
        (*(*descriptor).compact_attrs.as_ptr().add(index)).attnullability == b'v' as core::ffi::c_char
    }
    #[cfg(not(since_18))]
    true
}

/// The length of a column's type, as pg_type.typlen; 0 where it is passed by value.
///
/// # Safety
/// `descriptor` has the column (from 0).
pub unsafe fn column_length(descriptor: pg_sys::TupleDesc, index: usize) -> i16 {
    // SAFETY: by contract.
    let attribute = unsafe { attribute(descriptor, index) };
    if attribute.attbyval { 0 } else { attribute.attlen }
}

/// The B-tree strategies of an operator, as a bit for each number.
pub fn btree_strategies(operator: pg_sys::Oid) -> u32 {
    let mut strategies = 0;
    #[cfg(not(since_18))]
    // SAFETY: a catalog cache look-up that gives a list of OpBtreeInterpretation.
    unsafe {
        for found in
            nodes::items::<pg_sys::OpBtreeInterpretation>(pg_sys::get_op_btree_interpretation(operator))
        {
            strategies |= 1 << (*found).strategy;
        }
    }
    #[cfg(since_18)]
    // SAFETY: a catalog cache look-up that gives a list of OpIndexInterpretation; CompareType
    // numbers the B-tree operators as B-tree strategies do, and 6 is "not equal".
    unsafe {
        for found in
            nodes::items::<pg_sys::OpIndexInterpretation>(pg_sys::get_op_index_interpretation(operator))
        {
            strategies |= 1 << (*found).cmptype;
        }
    }
    strategies
}

/// PostgreSQL's check that the current user may do what a plan does; its error where not. Raises: for
/// bare frames and `frame::call`.
///
/// # Safety
/// `plan` is a finished plan; no frame above owns anything.
#[allow(ffi_unwind_calls, reason = "see the contract")]
pub unsafe fn check_permissions(plan: *mut pg_sys::PlannedStmt) {
    #[cfg(not(since_16))]
    // SAFETY: by contract.
    unsafe {
        raw::ExecCheckRTPerms((*plan).rtable, true);
    }
    #[cfg(since_16)]
    // SAFETY: by contract.
    unsafe {
        raw::ExecCheckPermissions((*plan).rtable, (*plan).permInfos, true);
    }
}

/// The next number of a sort of int8. Raises: for bare frames.
///
/// # Safety
/// `sort` has been sorted; no frame above owns anything.
#[allow(ffi_unwind_calls, reason = "see the contract")]
pub unsafe fn next_sorted(sort: *mut pg_sys::Tuplesortstate) -> Option<u64> {
    let (mut value, mut is_null) = (pg_sys::Datum::null(), false);
    let nothing = std::ptr::null_mut();
    // SAFETY: by contract.
    let found = unsafe {
        raw::tuplesort_getdatum(
            sort,
            true,
            #[cfg(since_16)]
            false,
            &mut value,
            &mut is_null,
            nothing,
        )
    };
    found.then(|| value.value() as u64)
}

/// # Safety
/// `descriptor` has column `index` (from 0).
pub unsafe fn attribute<'a>(
    descriptor: pg_sys::TupleDesc,
    index: usize,
) -> &'a pg_sys::FormData_pg_attribute {
    #[cfg(since_18)]
    // SAFETY: by contract.
    unsafe {
        &*pg_sys::TupleDescAttr(descriptor, index as i32)
    }
    #[cfg(not(since_18))]
    // SAFETY: by contract.
    unsafe {
        &*(*descriptor).attrs.as_ptr().add(index)
    }
}

/// The role that a running statement writes a relation as, if not the current user: the owner of the view that it
/// goes through. InvalidOid where it is the current user.
///
/// # Safety
/// `estate` is that of a started execution.
pub unsafe fn written_as(estate: *const pg_sys::EState, relation: pg_sys::Oid) -> pg_sys::Oid {
    let writes = u64::from(pg_sys::ACL_INSERT | pg_sys::ACL_UPDATE | pg_sys::ACL_DELETE);
    // SAFETY: by contract; lists of their nodes.
    unsafe {
        #[cfg(not(since_16))]
        let mut asked = nodes::items::<pg_sys::RangeTblEntry>((*estate).es_range_table);
        #[cfg(since_16)]
        let mut asked = nodes::items::<pg_sys::RTEPermissionInfo>((*estate).es_rteperminfos);
        #[allow(clippy::useless_conversion, reason = "u32 before 16")]
        let of = asked.find(|of| (**of).relid == relation && u64::from((**of).requiredPerms) & writes != 0);
        of.map_or(pg_sys::InvalidOid, |of| (*of).checkAsUser)
    }
}

/// The one relation that a made-up statement has named so far is read as `role`.
///
/// # Safety
/// `state` has one range table entry, of a relation; no frame above owns anything.
pub unsafe fn read_as(state: *mut pg_sys::ParseState, role: pg_sys::Oid) {
    // SAFETY: by contract.
    unsafe {
        #[cfg(not(since_16))]
        let mut asked = nodes::items::<pg_sys::RangeTblEntry>((*state).p_rtable);
        #[cfg(since_16)]
        let mut asked = nodes::items::<pg_sys::RTEPermissionInfo>((*state).p_rteperminfos);
        if let Some(of) = asked.next() {
            (*of).checkAsUser = role;
        }
    }
}

/// Nobody is asked whether a plan's relations may be read. The planner has taken from there as whom they are.
///
/// # Safety
/// `plan` is of a statement that the caller has made.
pub unsafe fn ask_nobody(plan: *mut pg_sys::PlannedStmt) {
    // SAFETY: by contract: the plan's own range table.
    unsafe {
        for entry in nodes::items::<pg_sys::RangeTblEntry>((*plan).rtable) {
            #[cfg(not(since_16))]
            {
                (*entry).requiredPerms = 0;
            }
            #[cfg(since_16)]
            {
                (*entry).perminfoindex = 0;
            }
        }
        #[cfg(since_16)]
        {
            (*plan).permInfos = std::ptr::null_mut();
        }
    }
}

/// The live rows of a table that the cumulative statistics tell.
///
/// # Safety
/// `entry` is an entry of a table.
pub unsafe fn live_tuples(entry: *mut pg_sys::PgStat_StatTabEntry) -> i64 {
    #[cfg(not(since_16))]
    // SAFETY: by contract.
    unsafe {
        (*entry).n_live_tuples
    }
    #[cfg(since_16)]
    // SAFETY: by contract.
    unsafe {
        (*entry).live_tuples
    }
}

/// The rows of a table that this session has deleted and not reported to the statistics yet, in
/// transactions that were rolled back, too. Frees the entry where it is a copy.
///
/// # Safety
/// `pending` is find_tabstat_entry's answer.
pub unsafe fn pending_deletes(pending: *mut pg_sys::PgStat_TableStatus) -> i64 {
    #[cfg(not(since_16))]
    // SAFETY: by contract.
    let counted = unsafe { (*pending).t_counts.t_tuples_deleted };
    #[cfg(since_16)]
    // SAFETY: by contract.
    let counted = unsafe { (*pending).counts.tuples_deleted };
    #[cfg(not(since_17))]
    // SAFETY: by contract; it is the entry itself, and the open (sub)transactions' counts are beside.
    unsafe {
        let mut deleted = counted;
        let mut transaction = (*pending).trans;
        while !transaction.is_null() {
            deleted += (*transaction).tuples_deleted;
            transaction = (*transaction).upper;
        }
        deleted
    }
    #[cfg(since_17)]
    // SAFETY: by contract; a copy that has the open (sub)transactions' counts.
    unsafe {
        pg_sys::pfree(pending.cast());
        counted
    }
}

/// The role that a row of pg_auth_members makes its member a member of: from 16 on not where it carries
/// ADMIN alone, as a role with CREATEROLE gets it of those that it makes.
///
/// # Safety
/// `tuple` is of the catalog cache AUTHMEMMEMROLE.
pub unsafe fn membership(tuple: pg_sys::HeapTuple) -> Option<pg_sys::Oid> {
    // SAFETY: by contract; the columns are not null.
    let column = |number: i16| unsafe {
        let mut is_null = false;
        let cache = pg_sys::SysCacheIdentifier::AUTHMEMMEMROLE as i32;
        pg_sys::SysCacheGetAttr(cache, tuple, number, &mut is_null).value()
    };
    #[cfg(not(since_16))]
    let (role, is_member) = (column(1), true);
    // After the row's own OID: role, member, grantor, and whether it carries ADMIN, INHERIT, SET.
    #[cfg(since_16)]
    let (role, is_member) = {
        let option = |number| column(number) as u8 != 0;
        (column(2), !option(5) || option(6) || option(7))
    };
    is_member.then(|| pg_sys::Oid::from(role as u32))
}

/// storage/lwlocknames.h: AddinShmemInitLock's place in MainLWLockArray, the same in 15 to 19.
pub const ADDIN_SHMEM_INIT_LOCK: usize = 21;

/// Memory for what a setting's check hook passes to its assign hook; NULL where there is none.
pub fn setting_extra(bytes: usize) -> *mut core::ffi::c_void {
    #[allow(ffi_unwind_calls, reason = "raises nothing below ERROR")]
    // SAFETY: PostgreSQL frees it.
    unsafe {
        #[cfg(not(since_16))]
        return raw::malloc(bytes);
        #[cfg(since_16)]
        raw::guc_malloc(pgrx::PgLogLevel::LOG as core::ffi::c_int, bytes)
    }
}

/// Whether this session holds a lock, in this mode itself.
pub fn holds_lock(tag: &pg_sys::LOCKTAG, mode: pg_sys::LOCKMODE) -> bool {
    #[cfg(not(since_17))]
    // SAFETY: looks into the table of the session's own locks.
    unsafe {
        pg_sys::LockHeldByMe(tag, mode)
    }
    #[cfg(since_17)]
    // SAFETY: as above.
    unsafe {
        pg_sys::LockHeldByMe(tag, mode, false)
    }
}

/// The fixed part of a row of pg_constraint, as far as it is read; catalog/pg_constraint.h.
#[repr(C)]
pub struct ConstraintForm {
    pub oid: pg_sys::Oid,
    conname: pg_sys::NameData,
    connamespace: pg_sys::Oid,
    pub contype: core::ffi::c_char,
    condeferrable: bool,
    condeferred: bool,
    #[cfg(since_18)]
    conenforced: bool,
    convalidated: bool,
    pub conrelid: pg_sys::Oid,
    contypid: pg_sys::Oid,
    conindid: pg_sys::Oid,
    pub conparentid: pg_sys::Oid,
    pub confrelid: pg_sys::Oid,
}

/// Whether the running transaction has inserted or updated rows of a table, or may have. Owns nothing.
///
/// # Safety
/// `relation` is open; no frame above owns anything.
#[inline]
#[allow(ffi_unwind_calls, reason = "called by bare frames, and by frame::call")]
pub unsafe fn may_have_made(relation: pg_sys::Relation) -> bool {
    // SAFETY: by contract; the (sub)transactions' counts hang on the table's.
    unsafe {
        if (*relation).pgstat_info.is_null() {
            if !(*relation).pgstat_enabled {
                // track_counts is off, or was.
                return true;
            }
            // Nothing has been counted since the relation was opened anew, or its counts were handed over.
            raw::pgstat_assoc_relation(relation);
        }
        let mut open = (*(*relation).pgstat_info).trans;
        while !open.is_null() {
            if (*open).tuples_inserted + (*open).tuples_updated > 0 {
                return true;
            }
            open = (*open).upper;
        }
        false
    }
}

/// Whether the running transaction has given a table a new file. Owns nothing.
///
/// # Safety
/// `relation` is open.
pub unsafe fn has_new_file(relation: pg_sys::Relation) -> bool {
    // SAFETY: by contract. InvalidSubTransactionId is 0.
    unsafe {
        #[cfg(not(since_16))]
        let replaced = (*relation).rd_firstRelfilenodeSubid;
        #[cfg(since_16)]
        let replaced = (*relation).rd_firstRelfilelocatorSubid;
        replaced != 0
    }
}

/// An instrument for a plan's node.
pub fn instrument(options: core::ffi::c_int) -> *mut NodeInstrumentation {
    #[cfg(not(since_19))]
    // SAFETY: allocates.
    unsafe {
        pg_sys::InstrAlloc(1, options, false)
    }
    #[cfg(since_19)]
    // SAFETY: allocates.
    unsafe {
        pg_sys::InstrAllocNode(options, false)
    }
}

/// The origin of what this session replicates; 0 where it does not.
#[inline]
pub fn replication_origin() -> u16 {
    #[cfg(not(since_19))]
    // SAFETY: reads a backend variable.
    unsafe {
        pg_sys::replorigin_session_origin
    }
    #[cfg(since_19)]
    // SAFETY: reads a backend variable.
    unsafe {
        pg_sys::replorigin_xact_state.origin
    }
}

/// A slot that goes with the execution. Raises: for bare frames.
///
/// # Safety
/// `table` is the execution's list of slots; no frame above owns anything.
#[inline]
#[allow(ffi_unwind_calls, reason = "see the contract")]
pub unsafe fn alloc_table_slot(
    table: *mut *mut pg_sys::List,
    descriptor: pg_sys::TupleDesc,
    ops: *const pg_sys::TupleTableSlotOps,
) -> *mut pg_sys::TupleTableSlot {
    // SAFETY: by contract.
    unsafe {
        raw::ExecAllocTableSlot(
            table,
            descriptor,
            ops,
            #[cfg(since_19)]
            0,
        )
    }
}

/// Begins to read a table from its beginning to its end.
///
/// # Safety
/// `relation` is open and locked, `snapshot` registered.
pub unsafe fn begin_scan(relation: pg_sys::Relation, snapshot: pg_sys::Snapshot) -> pg_sys::TableScanDesc {
    let none = std::ptr::null_mut();
    #[cfg(not(since_19))]
    // SAFETY: by contract.
    unsafe {
        pg_sys::table_beginscan(relation, snapshot, 0, none)
    }
    #[cfg(since_19)]
    // SAFETY: by contract.
    unsafe {
        pg_sys::table_beginscan(relation, snapshot, 0, none, 0)
    }
}
