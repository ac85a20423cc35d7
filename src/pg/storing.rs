//! Writing to a table of the extension's own as PostgreSQL writes to catalogs: whoever's statement it is, no
//! privilege, trigger or rule comes between. Its columns have no constraints but NOT NULL, which the writer keeps.

use std::ffi::CStr;

use super::context::Context;
use super::{pg_sys, relations};

/// A table that is being written to.
pub struct Table {
    relation: pg_sys::Relation,
    indexes: pg_sys::CatalogIndexState,
    memory: Context,
}

/// The relation of a name in the extension's schema; InvalidOid where there is none.
pub fn find(name: &CStr) -> pg_sys::Oid {
    let Some(schema) = relations::schema_of_name(c"safedelete") else { return pg_sys::InvalidOid };
    // SAFETY: NUL-terminated.
    unsafe { pg_sys::get_relname_relid(name.as_ptr(), schema) }
}

impl Table {
    /// Opens it; an error gives it back with the transaction.
    pub fn open(name: &CStr) -> Table {
        let lock = pg_sys::RowExclusiveLock as i32;
        let memory = Context::new(c"safedelete kept rows");
        // SAFETY: a relation of the extension's, or PostgreSQL's error.
        unsafe {
            let relation = pg_sys::table_open(find(name), lock);
            let indexes = pg_sys::CatalogOpenIndexes(relation);
            Table { relation, indexes, memory }
        }
    }

    /// Where the values of the next row may be made: given back when it has been written.
    pub fn memory(&self) -> &Context {
        &self.memory
    }

    /// Writes a row, of a value for each column (`None`: NULL), made in memory that is given back after it. Not many
    /// at once: CatalogTuplesMultiInsertWithInfo loses where a row went whose values are moved out of line.
    pub fn put<const N: usize>(&mut self, values: impl FnOnce() -> [Option<pg_sys::Datum>; N]) {
        let (relation, indexes) = (self.relation, self.indexes);
        self.memory.within(|| {
            let values = values();
            let mut nulls = values.map(|value| value.is_none());
            let mut values = values.map(|value| value.unwrap_or(pg_sys::Datum::from(0)));
            // SAFETY: as many values and flags as the table has columns, by the caller's N; all is open.
            unsafe {
                let tuple =
                    pg_sys::heap_form_tuple((*relation).rd_att, values.as_mut_ptr(), nulls.as_mut_ptr());
                pg_sys::CatalogTupleInsertWithInfo(relation, tuple, indexes);
            }
        });
        self.memory.empty();
    }

    /// Closes it; the lock stays until the transaction ends.
    pub fn close(self) {
        // SAFETY: what `open` has opened.
        unsafe {
            pg_sys::CatalogCloseIndexes(self.indexes);
            pg_sys::table_close(self.relation, pg_sys::NoLock as i32);
        }
    }
}

/// The largest value of a bigint, which is the table's first column and never NULL, by an index of that column alone;
/// 0 where there is none.
pub fn largest(table: &CStr, index: &CStr) -> i64 {
    let (table, index) = (find(table), find(index));
    if table == pg_sys::InvalidOid || index == pg_sys::InvalidOid {
        return 0;
    }
    let lock = pg_sys::AccessShareLock as i32;
    // SAFETY: both are the extension's; the newest snapshot is taken and given back by the scan.
    unsafe {
        let opened = pg_sys::table_open(table, lock);
        let by = pg_sys::index_open(index, lock);
        let none = std::ptr::null_mut();
        let scan = pg_sys::systable_beginscan_ordered(opened, by, none, 0, std::ptr::null_mut());
        let tuple = pg_sys::systable_getnext_ordered(scan, pg_sys::ScanDirection::BackwardScanDirection);
        let value = if tuple.is_null() { 0 } else { *pg_sys::GETSTRUCT(tuple).cast::<i64>() };
        pg_sys::systable_endscan_ordered(scan);
        pg_sys::index_close(by, lock);
        pg_sys::table_close(opened, lock);
        value
    }
}
