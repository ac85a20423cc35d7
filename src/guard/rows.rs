//! Distinct target rows: a compressed set of (tableoid, ctid).

use pgrx::pg_sys;
use roaring::RoaringTreemap;
use rustc_hash::FxHashMap;

#[derive(Default)]
pub struct Rows(FxHashMap<pg_sys::Oid, RoaringTreemap>);

impl Rows {
    /// Adds a row; whether it was new.
    pub fn insert(&mut self, table: pg_sys::Oid, tid: pg_sys::ItemPointerData) -> bool {
        let block = u64::from(tid.ip_blkid.bi_hi) << 16 | u64::from(tid.ip_blkid.bi_lo);
        self.0.entry(table).or_default().insert(pack(block, u64::from(tid.ip_posid)))
    }
}

/// Dense for heap tables, whose line pointers are below 512 on pages of 8 kB; a table access
/// method may use any offset, and those go to a range of their own.
fn pack(block: u64, offset: u64) -> u64 {
    if offset < 512 { block << 9 | offset } else { 1 << 63 | block << 16 | offset }
}
