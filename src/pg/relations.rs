//! What the guard asks of the catalogs: names, kinds, sizes.

use std::ffi::CStr;

use pgrx::pg_sys;

use super::text::{from_server as text, of_setting, to_server};
use super::{nodes, raw};
use crate::pg::frame;

/// A relation's name; its OID where it is gone.
pub fn name(relation: pg_sys::Oid) -> String {
    // SAFETY: a catalog cache look-up that gives NULL where there is none.
    text(unsafe { pg_sys::get_rel_name(relation) }).unwrap_or_else(|| relation.to_u32().to_string())
}

/// A relation's name, and its schema's, as list settings are read.
pub fn name_as_in_settings(relation: pg_sys::Oid) -> String {
    // SAFETY: a catalog cache look-up that gives NULL where there is none.
    as_in_settings(unsafe { pg_sys::get_rel_name(relation) })
}

pub fn schema_as_in_settings(relation: pg_sys::Oid) -> String {
    // SAFETY: as above.
    as_in_settings(unsafe { pg_sys::get_namespace_name(pg_sys::get_rel_namespace(relation)) })
}

fn as_in_settings(name: *const core::ffi::c_char) -> String {
    // SAFETY: NULL or a NUL-terminated name.
    if name.is_null() { String::new() } else { of_setting(unsafe { CStr::from_ptr(name) }) }
}

/// The name of a relation's schema.
pub fn schema(relation: pg_sys::Oid) -> String {
    // SAFETY: as above.
    text(unsafe { pg_sys::get_namespace_name(pg_sys::get_rel_namespace(relation)) }).unwrap_or_default()
}

/// The schema of a relation; InvalidOid where the relation is gone.
pub fn schema_oid(relation: pg_sys::Oid) -> pg_sys::Oid {
    // SAFETY: a catalog cache look-up.
    unsafe { pg_sys::get_rel_namespace(relation) }
}

/// A schema's name; its OID where it is gone.
pub fn schema_name(schema: pg_sys::Oid) -> String {
    // SAFETY: as above.
    text(unsafe { pg_sys::get_namespace_name(schema) }).unwrap_or_else(|| schema.to_u32().to_string())
}

/// A relation's name with its schema's, as messages give names: unquoted.
pub fn full_name(relation: pg_sys::Oid) -> String {
    format!("{}.{}", schema(relation), name(relation))
}

/// A relation's name with its schema's, quoted where SQL needs it.
pub fn qualified_name(relation: pg_sys::Oid) -> String {
    format!("{}.{}", quoted_name(&schema(relation)), quoted_name(&name(relation)))
}

/// A relation's name as regclass shows it: with its schema's where the search path does not find it.
pub fn visible_name(relation: pg_sys::Oid) -> String {
    // SAFETY: a catalog look-up.
    if unsafe { pg_sys::RelationIsVisible(relation) } {
        quoted_name(&name(relation))
    } else {
        qualified_name(relation)
    }
}

/// A name, quoted where SQL needs it.
pub fn quoted_name(name: &str) -> String {
    // SAFETY: a NUL-terminated name; gives it back or a palloc'd copy.
    text(unsafe { pg_sys::quote_identifier(to_server(name)) }).unwrap_or_default()
}

/// The name of a column.
pub fn column(relation: pg_sys::Oid, attribute: i16) -> String {
    // SAFETY: as above; missing_ok.
    text(unsafe { pg_sys::get_attname(relation, attribute, true) }).unwrap_or_default()
}

pub fn kind(relation: pg_sys::Oid) -> u8 {
    // SAFETY: a catalog cache look-up that gives 0 where there is none.
    unsafe { pg_sys::get_rel_relkind(relation) as u8 }
}

/// Whether a relation is never guarded: temporary tables, system catalogs and what initdb made,
/// materialized views (nothing of their own), and kinds that hold no rows.
pub fn is_exempt(relation: pg_sys::Oid) -> bool {
    if relation.to_u32() < pg_sys::FirstNormalObjectId {
        return true;
    }
    // SAFETY: catalog cache look-ups.
    let persistence = unsafe { pg_sys::get_rel_persistence(relation) } as u8;
    persistence == pg_sys::RELPERSISTENCE_TEMP
        || !matches!(
            kind(relation),
            pg_sys::RELKIND_RELATION
                | pg_sys::RELKIND_PARTITIONED_TABLE
                | pg_sys::RELKIND_FOREIGN_TABLE
                | pg_sys::RELKIND_VIEW
        )
}

/// How long a size estimate may wait for a lock.
#[derive(Clone, Copy, PartialEq)]
pub enum Wait {
    /// Not at all: the statement runs, and must not wait where it would not without us.
    Never,
    /// As long as the statement itself would: it is about to lock the relation more strongly.
    AsTheStatement,
}

/// About how many rows a table holds, as the planner reckons it: statistics scaled by the current
/// number of pages. A tree is the sum of its members. `None` for what has no size (a view).
pub fn size(relation: pg_sys::Oid, only: bool, wait: Wait) -> Option<f64> {
    match kind(relation) {
        pg_sys::RELKIND_VIEW => return None,
        pg_sys::RELKIND_PARTITIONED_TABLE => {}
        _ if only => return Some(own_size(relation, wait)),
        _ => {}
    }
    Some(members(relation).into_iter().map(|member| own_size(member, wait)).sum())
}

/// A relation and everything that inherits from it, without locking any of it.
pub fn members(relation: pg_sys::Oid) -> Vec<pg_sys::Oid> {
    let list = frame::call(|| {
        #[allow(ffi_unwind_calls, reason = "inside frame::call; the closure owns nothing")]
        // SAFETY: reads pg_inherits under its own lock.
        unsafe {
            raw::find_all_inheritors(relation, pg_sys::NoLock as i32, std::ptr::null_mut())
        }
    });
    nodes::oids(list).collect()
}

/// One relation's own rows; 0 for a partitioned table, which has none.
fn own_size(relation: pg_sys::Oid, wait: Wait) -> f64 {
    let kind = kind(relation);
    if !matches!(kind, pg_sys::RELKIND_RELATION | pg_sys::RELKIND_FOREIGN_TABLE) {
        return 0.0;
    }
    let lock = pg_sys::AccessShareLock as pg_sys::LOCKMODE;
    // SAFETY: the relation is open and locked while it is read, and the lock is given back at
    // once: a share lock kept into TRUNCATE's exclusive one invites deadlock.
    unsafe {
        match wait {
            Wait::AsTheStatement => pg_sys::LockRelationOid(relation, lock),
            Wait::Never => {
                if !pg_sys::ConditionalLockRelationOid(relation, lock) {
                    return catalogued_size(relation);
                }
            }
        }
        let opened = pg_sys::try_relation_open(relation, pg_sys::NoLock as i32);
        if opened.is_null() {
            pg_sys::UnlockRelationOid(relation, lock);
            return 0.0;
        }
        let (mut pages, mut rows, mut visible) = (0, 0.0, 0.0);
        pg_sys::estimate_rel_size(opened, std::ptr::null_mut(), &mut pages, &mut rows, &mut visible);
        pg_sys::relation_close(opened, lock);
        if rows < 0.0 { unanalysed_foreign_size(relation) } else { rows }
    }
}

/// The last known size of a relation that another session holds so strongly that even its length
/// cannot be read now.
fn catalogued_size(relation: pg_sys::Oid) -> f64 {
    // SAFETY: a catalog cache look-up, released below.
    unsafe {
        let tuple = pg_sys::SearchSysCache1(pg_sys::SysCacheIdentifier::RELOID as i32, relation.into());
        if tuple.is_null() {
            return 0.0;
        }
        let rows = (*pg_sys::GETSTRUCT(tuple).cast::<pg_sys::FormData_pg_class>()).reltuples;
        pg_sys::ReleaseSysCache(tuple);
        if rows < 0.0 { unanalysed_foreign_size(relation) } else { f64::from(rows) }
    }
}

/// What postgres_fdw assumes of a table without statistics: ten pages.
fn unanalysed_foreign_size(relation: pg_sys::Oid) -> f64 {
    // SAFETY: reads the catalog's column widths.
    let width = unsafe { pg_sys::get_relation_data_width(relation, std::ptr::null_mut()) };
    (10.0 * f64::from(pg_sys::BLCKSZ)) / (f64::from(width.max(0)) + 24.0)
}

/// The number of pages of a table; `None` where it has none of its own (a foreign table).
///
/// Waits for the relation's lock as the statement that is about to take it whole would.
pub fn pages(relation: pg_sys::Oid) -> Option<u32> {
    if kind(relation) != pg_sys::RELKIND_RELATION {
        return None;
    }
    with_open(relation, |opened| {
        // SAFETY: the relation is open.
        unsafe { pg_sys::RelationGetNumberOfBlocksInFork(opened, pg_sys::ForkNumber::MAIN_FORKNUM) }
    })
}

/// The rows of a table that a new snapshot sees, counted up to one more than `most` or to the end
/// of page `last_page`; whether the count came to an end.
pub fn count_rows(relation: pg_sys::Oid, most: u64, last_page: u32) -> Option<(u64, bool)> {
    with_open(relation, |opened| {
        // SAFETY: the relation is open and locked while it is scanned, the snapshot registered; an
        // error gives both back with the transaction.
        unsafe {
            let snapshot = pg_sys::RegisterSnapshot(pg_sys::GetLatestSnapshot());
            let slot = pg_sys::table_slot_create(opened, std::ptr::null_mut());
            // Not synchronized with other scans: the first pages are asked for.
            let scan = pg_sys::table_beginscan_strat(opened, snapshot, 0, std::ptr::null_mut(), true, false);
            let mut rows = 0;
            let ended = loop {
                if !pg_sys::table_scan_getnextslot(scan, pg_sys::ScanDirection::ForwardScanDirection, slot) {
                    break true;
                }
                rows += 1;
                let block = &(*slot).tts_tid.ip_blkid;
                let block = u32::from(block.bi_hi) << 16 | u32::from(block.bi_lo);
                if rows > most || block > last_page {
                    break false;
                }
            };
            pg_sys::table_endscan(scan);
            pg_sys::ExecDropSingleTupleTableSlot(slot);
            pg_sys::UnregisterSnapshot(snapshot);
            (rows, ended)
        }
    })
}

/// Opens a relation under a share lock that is given back at once; `None` where it is gone.
fn with_open<T>(relation: pg_sys::Oid, read: impl FnOnce(pg_sys::Relation) -> T) -> Option<T> {
    let lock = pg_sys::AccessShareLock as pg_sys::LOCKMODE;
    // SAFETY: what is opened is closed; an error gives lock and relation back with the transaction.
    unsafe {
        pg_sys::LockRelationOid(relation, lock);
        let opened = pg_sys::try_relation_open(relation, pg_sys::NoLock as i32);
        if opened.is_null() {
            pg_sys::UnlockRelationOid(relation, lock);
            return None;
        }
        let outcome = read(opened);
        pg_sys::relation_close(opened, lock);
        Some(outcome)
    }
}

/// Whether foreign keys write other tables when this one's rows go, or when they change.
pub fn has_cascades(relation: pg_sys::Oid, on_delete: bool) -> bool {
    let actions = if on_delete {
        [pg_sys::F_RI_FKEY_CASCADE_DEL, pg_sys::F_RI_FKEY_SETNULL_DEL, pg_sys::F_RI_FKEY_SETDEFAULT_DEL]
    } else {
        [pg_sys::F_RI_FKEY_CASCADE_UPD, pg_sys::F_RI_FKEY_SETNULL_UPD, pg_sys::F_RI_FKEY_SETDEFAULT_UPD]
    };
    // SAFETY: the statement holds a lock on its target; the entry is open while it is read.
    unsafe {
        let opened = pg_sys::relation_open(relation, pg_sys::NoLock as i32);
        let triggers = (*opened).trigdesc;
        let found = !triggers.is_null()
            && (0..(*triggers).numtriggers as usize)
                .any(|i| actions.contains(&(*(*triggers).triggers.add(i)).tgfoid.to_u32()));
        pg_sys::relation_close(opened, pg_sys::NoLock as i32);
        found
    }
}

/// The tables that a table inherits from, directly or not.
pub fn ancestors(relation: pg_sys::Oid) -> Vec<pg_sys::Oid> {
    let mut found = Vec::new();
    let mut pending = vec![relation];
    while let Some(child) = pending.pop() {
        for parent in parents(child) {
            if !found.contains(&parent) {
                found.push(parent);
                pending.push(parent);
            }
        }
    }
    found
}

/// The partitioned tables that a relation is a partition of, upward.
pub fn partition_parents(relation: pg_sys::Oid) -> Vec<pg_sys::Oid> {
    let mut found = Vec::new();
    let mut child = relation;
    // SAFETY: a catalog cache look-up.
    while unsafe { pg_sys::get_rel_relispartition(child) } {
        let Some(parent) = parents(child).first().copied() else { break };
        found.push(parent);
        child = parent;
    }
    found
}

/// catalog/pg_inherits.h, which pgrx does not bind; the same in 15 to 18.
mod pg_inherits {
    use pgrx::pg_sys;

    pub const RELATION: u32 = 2611;
    pub const RELID_SEQNO_INDEX: u32 = 2680;
    pub const INHRELID: i16 = 1;

    #[repr(C)]
    pub struct Form {
        pub inhrelid: pg_sys::Oid,
        pub inhparent: pg_sys::Oid,
    }
}

fn parents(relation: pg_sys::Oid) -> Vec<pg_sys::Oid> {
    let mut parents = Vec::new();
    // SAFETY: a scan of pg_inherits by its index on the child; all is closed again.
    unsafe {
        let catalog = pg_sys::table_open(pg_inherits::RELATION.into(), pg_sys::AccessShareLock as i32);
        let mut key: pg_sys::ScanKeyData = std::mem::zeroed();
        pg_sys::ScanKeyInit(
            &mut key,
            pg_inherits::INHRELID,
            pg_sys::BTEqualStrategyNumber as u16,
            pg_sys::F_OIDEQ.into(),
            relation.into(),
        );
        let index = pg_inherits::RELID_SEQNO_INDEX.into();
        let scan = pg_sys::systable_beginscan(catalog, index, true, std::ptr::null_mut(), 1, &mut key);
        loop {
            let tuple = pg_sys::systable_getnext(scan);
            if tuple.is_null() {
                break;
            }
            parents.push((*pg_sys::GETSTRUCT(tuple).cast::<pg_inherits::Form>()).inhparent);
        }
        pg_sys::systable_endscan(scan);
        pg_sys::table_close(catalog, pg_sys::AccessShareLock as i32);
    }
    parents
}

/// The tables with foreign keys to these, that are not among them; `None` where there are none.
pub fn referring_tables(tables: &[pg_sys::Oid]) -> Option<Vec<pg_sys::Oid>> {
    // SAFETY: reads pg_constraint.
    let found = unsafe { pg_sys::heap_truncate_find_FKs(nodes::oid_list(tables)) };
    let more: Vec<_> = nodes::oids(found).filter(|table| !tables.contains(table)).collect();
    (!more.is_empty()).then_some(more)
}

/// The tables of a schema that hold rows.
pub fn tables_of_schema(schema: pg_sys::Oid) -> Vec<pg_sys::Oid> {
    let mut found = Vec::new();
    // SAFETY: a scan of pg_class; all is closed again.
    unsafe {
        let catalog = pg_sys::table_open(pg_sys::RelationRelationId, pg_sys::AccessShareLock as i32);
        let mut key: pg_sys::ScanKeyData = std::mem::zeroed();
        pg_sys::ScanKeyInit(
            &mut key,
            pg_sys::Anum_pg_class_relnamespace as i16,
            pg_sys::BTEqualStrategyNumber as u16,
            pg_sys::F_OIDEQ.into(),
            schema.into(),
        );
        let none = std::ptr::null_mut();
        let scan = pg_sys::systable_beginscan(catalog, pg_sys::InvalidOid, false, none, 1, &mut key);
        loop {
            let tuple = pg_sys::systable_getnext(scan);
            if tuple.is_null() {
                break;
            }
            let form = &*pg_sys::GETSTRUCT(tuple).cast::<pg_sys::FormData_pg_class>();
            if form.relkind as u8 == pg_sys::RELKIND_RELATION {
                found.push(form.oid);
            }
        }
        pg_sys::systable_endscan(scan);
        pg_sys::table_close(catalog, pg_sys::AccessShareLock as i32);
    }
    found
}

/// A function's name with its schema's, quoted where SQL needs it, and parentheses.
pub fn function_name(function: pg_sys::Oid) -> String {
    // SAFETY: catalog cache look-ups.
    let (schema, name) = unsafe {
        (
            text(pg_sys::get_namespace_name(pg_sys::get_func_namespace(function))),
            text(pg_sys::get_func_name(function)),
        )
    };
    format!("{}.{}()", quoted_name(&schema.unwrap_or_default()), quoted_name(&name.unwrap_or_default()))
}

/// catalog/pg_language.dat, whose OIDs pgrx does not bind; the same in 15 to 18.
const INTERNAL_LANGUAGE: u32 = 12;
const C_LANGUAGE: u32 = 13;

/// Whether a function may write by SQL: volatile, and not one of PostgreSQL's or another library's in C.
pub fn may_run_sql(function: pg_sys::Oid) -> bool {
    // SAFETY: a catalog cache look-up, released below.
    unsafe {
        let tuple = pg_sys::SearchSysCache1(pg_sys::SysCacheIdentifier::PROCOID as i32, function.into());
        if tuple.is_null() {
            return false;
        }
        let form = &*pg_sys::GETSTRUCT(tuple).cast::<pg_sys::FormData_pg_proc>();
        let writes = form.provolatile as u8 == pg_sys::PROVOLATILE_VOLATILE
            && form.prolang != INTERNAL_LANGUAGE.into()
            && form.prolang != C_LANGUAGE.into();
        pg_sys::ReleaseSysCache(tuple);
        writes
    }
}

/// Whether the current user may truncate a table.
pub fn may_truncate(relation: pg_sys::Oid) -> bool {
    // SAFETY: a catalog cache look-up.
    unsafe {
        pg_sys::pg_class_aclcheck(relation, pg_sys::GetUserId(), pg_sys::ACL_TRUNCATE as pg_sys::AclMode)
            == pg_sys::AclResult::ACLCHECK_OK
    }
}
