//! Distinct target rows: a set of (tableoid, ctid), as a bitmap for each page. Adding a row to it is
//! for bare frames: it allocates nothing, for room is made before.

use crate::pg::pg_sys;
use rustc_hash::{FxHashMap, FxHashSet};

/// A line pointer is a bit; on pages of 8 kB heap tables have up to 291.
const WORDS: usize = 5;
const OFFSETS: usize = WORDS * 64;

#[derive(Default)]
pub struct Rows {
    pages: FxHashMap<(pg_sys::Oid, u32), [u64; WORDS]>,
    /// Of larger pages, and of table access methods that number rows in their own way.
    others: FxHashSet<(pg_sys::Oid, u32, u16)>,
}

impl Rows {
    /// Whether a row can be added as it is; not, where `make_room` has to be called first.
    #[inline]
    pub fn has_room(&self) -> bool {
        self.pages.len() < self.pages.capacity() && self.others.len() < self.others.capacity()
    }

    /// Makes room for more rows; not, where memory has run out.
    pub fn make_room(&mut self) -> bool {
        self.pages.try_reserve(self.pages.len().max(16)).is_ok()
            && self.others.try_reserve(self.others.len().max(1)).is_ok()
    }

    /// Adds a row, for which there is room; whether it was new.
    #[inline]
    pub fn insert(&mut self, table: pg_sys::Oid, tid: pg_sys::ItemPointerData) -> bool {
        let block = u32::from(tid.ip_blkid.bi_hi) << 16 | u32::from(tid.ip_blkid.bi_lo);
        let offset = usize::from(tid.ip_posid);
        if offset >= OFFSETS {
            return self.others.insert((table, block, tid.ip_posid));
        }
        let word = &mut self.pages.entry((table, block)).or_default()[offset / 64];
        let before = *word;
        *word |= 1 << (offset % 64);
        *word != before
    }
}
