//! Reading catalogs that PostgreSQL keeps no cache of, and the layouts that pgrx does not bind.

use std::marker::PhantomData;

use super::{compat, pg_sys};

/// What a column of a catalog has to equal.
pub struct Key<'v> {
    column: i16,
    equals: u32,
    value: pg_sys::Datum,
    lives: PhantomData<&'v ()>,
}

impl<'v> Key<'v> {
    pub fn oid(column: i16, value: pg_sys::Oid) -> Key<'v> {
        Key { column, equals: pg_sys::F_OIDEQ, value: value.into(), lives: PhantomData }
    }

    pub fn bigint(column: i16, value: i64) -> Key<'v> {
        Key { column, equals: pg_sys::F_INT8EQ, value: value.into(), lives: PhantomData }
    }

    pub fn name(column: i16, value: &'v pg_sys::NameData) -> Key<'v> {
        let value = std::ptr::from_ref(value).cast_mut().into();
        Key { column, equals: pg_sys::F_NAMEEQ, value, lives: PhantomData }
    }
}

/// Calls `read` with the rows of a catalog that an extension made, by an index of it; no rows where either is gone.
///
/// # Safety
/// As `scan`.
pub unsafe fn scan_by<Form>(catalog: pg_sys::Oid, index: pg_sys::Oid, key: &Key, read: impl FnMut(&Form)) {
    if catalog != pg_sys::InvalidOid && index != pg_sys::InvalidOid {
        // SAFETY: by contract.
        unsafe { scan_keyed(catalog, Some(index), std::slice::from_ref(key), std::ptr::null_mut(), read) }
    }
}

/// Calls `read` with the rows of a catalog of which two columns are these, by an index.
///
/// # Safety
/// As `scan`; the index begins with the columns.
pub unsafe fn scan_by_two<Form>(
    catalog: pg_sys::Oid,
    index: pg_sys::Oid,
    keys: [(i16, pg_sys::Oid); 2],
    read: impl FnMut(&Form),
) {
    let keys = keys.map(|(column, value)| Key::oid(column, value));
    // SAFETY: by contract.
    unsafe { scan_keyed(catalog, Some(index), &keys, std::ptr::null_mut(), read) }
}

/// The same, with the rows that the running statement has deleted.
///
/// # Safety
/// As `scan`.
pub unsafe fn scan_as_it_was<Form>(
    catalog: pg_sys::Oid,
    index: pg_sys::Oid,
    key: &Key,
    read: impl FnMut(&Form),
) {
    if catalog != pg_sys::InvalidOid && index != pg_sys::InvalidOid && pg_sys::ActiveSnapshotSet() {
        // SAFETY: by contract; a snapshot that stays active while this runs.
        unsafe {
            scan_keyed(catalog, Some(index), std::slice::from_ref(key), pg_sys::GetActiveSnapshot(), read)
        }
    }
}

/// Calls `read` with the rows of a catalog of which column `column` is `value`, by `index` where one is
/// given, or with all rows.
///
/// # Safety
/// `Form` is the layout of the catalog's rows; `index` has the column as its first.
pub unsafe fn scan<Form>(
    catalog: pg_sys::Oid,
    index: Option<pg_sys::Oid>,
    key: Option<(i16, pg_sys::Oid)>,
    read: impl FnMut(&Form),
) {
    let key = key.map(|(column, value)| Key::oid(column, value));
    // SAFETY: by contract.
    unsafe { scan_keyed(catalog, index, key.as_slice(), std::ptr::null_mut(), read) }
}

/// # Safety
/// As `scan`.
unsafe fn scan_keyed<Form>(
    catalog: pg_sys::Oid,
    index: Option<pg_sys::Oid>,
    keys: &[Key],
    snapshot: pg_sys::Snapshot,
    mut read: impl FnMut(&Form),
) {
    let mut scan_keys = [const { std::mem::MaybeUninit::<pg_sys::ScanKeyData>::uninit() }; 2];
    let count = keys.len().min(scan_keys.len()) as i32;
    for (scan_key, Key { column, equals: by, value, .. }) in scan_keys.iter_mut().zip(keys) {
        // SAFETY: ScanKeyInit fills the whole key.
        unsafe {
            let equals = pg_sys::BTEqualStrategyNumber as u16;
            pg_sys::ScanKeyInit(scan_key.as_mut_ptr(), *column, equals, (*by).into(), *value);
        }
    }
    let by = index.unwrap_or(pg_sys::InvalidOid);
    let lock = pg_sys::AccessShareLock as pg_sys::LOCKMODE;
    // SAFETY: a catalog; as many keys were filled as are counted. A row is the catalog's, whose fixed part
    // is a Form by contract, and stays until the next. An error gives scan and lock back with the
    // (sub)transaction.
    unsafe {
        let relation = pg_sys::table_open(catalog, lock);
        let keys = scan_keys.as_mut_ptr().cast();
        let scan = pg_sys::systable_beginscan(relation, by, index.is_some(), snapshot, count, keys);
        loop {
            let tuple = pg_sys::systable_getnext(scan);
            if tuple.is_null() {
                break;
            }
            read(&*pg_sys::GETSTRUCT(tuple).cast::<Form>());
        }
        pg_sys::systable_endscan(scan);
        pg_sys::table_close(relation, lock);
    }
}

/// catalog/pg_inherits.h; the same in 15 to 19.
pub mod pg_inherits {
    use super::super::pg_sys;

    pub const RELATION: u32 = 2611;
    pub const RELID_SEQNO_INDEX: u32 = 2680;
    pub const INHRELID: i16 = 1;

    #[repr(C)]
    pub struct Form {
        pub inhrelid: pg_sys::Oid,
        pub inhparent: pg_sys::Oid,
    }
}

/// catalog/pg_constraint.h
pub mod pg_constraint {
    pub use super::compat::ConstraintForm as Form;

    pub const RELATION: u32 = 2606;
    pub const FOREIGN: u8 = b'f';
}

/// catalog/pg_depend.h; the same in 15 to 19.
pub mod pg_depend {
    pub const RELATION: u32 = 2608;
    pub const DEPENDER_INDEX: u32 = 2673;
    pub const REFERENCE_INDEX: u32 = 2674;
    pub const CLASSID: i16 = 1;
    pub const OBJID: i16 = 2;
    pub const REFCLASSID: i16 = 4;
    pub const REFOBJID: i16 = 5;
}
