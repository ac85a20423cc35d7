//! Row identities in the order in which they came, in runs of rows of one page: twelve bytes for a run, two
//! for a row of it. What a DELETE selects of a table that it scans takes little more than two bytes a row;
//! rows in no order take fourteen. Called by spool.rs for the guard's bare frames; owns nothing of Rust's.

use std::mem::MaybeUninit;

use super::identity::Identity;
use crate::pg::{pg_sys, raw};

/// Zeroed, it is empty. It stays where it is.
#[repr(C)]
pub struct Runs {
    /// Runs, one behind another: a head, and then the place on its page of each row.
    units: *mut u16,
    used: usize,
    /// Up to here rows can be kept: there is memory for one that begins a run.
    limit: usize,
    /// The run that grows, where there is one: of which page it is, and where its rows begin.
    page: Page,
    rows: usize,
    runs: usize,
    /// Where the next row to be handed on stands, and where its run ends.
    next: usize,
    end: usize,
    /// The row that is handed on.
    pub tid: pg_sys::ItemPointerData,
    pub table: pg_sys::Oid,
}

/// A page's block, and its table.
type Page = u64;

/// No run grows: InvalidBlockNumber, of no table.
const NO_PAGE: Page = u32::MAX as Page;

/// The units of a head, which stands before the rows of a run: the page, and how many rows.
const HEAD: usize = 6;
const ROWS_AT: usize = 4;

/// The units of the first piece of memory of its own: statements of few rows ask for none.
const FIRST: usize = 512;

impl Runs {
    pub fn is_empty(&self) -> bool {
        self.used == 0
    }

    /// How many rows there are.
    pub fn len(&self) -> u64 {
        (self.used - self.runs * HEAD) as u64
    }

    /// Whether another row can be kept, whatever its page; not, where `make_room` has to be called.
    #[inline(always)]
    pub fn has_room(&self) -> bool {
        self.used < self.limit
    }

    /// Makes room for more rows: first the units that are lent `here`, then up to `most` bytes; not, where there
    /// is none.
    ///
    /// # Safety
    /// `context` lives as long as this, and so do the units; no frame above owns anything.
    #[cold]
    #[allow(ffi_unwind_calls, reason = "called by bare frames, which own nothing")]
    pub unsafe fn make_room(
        &mut self,
        here: &mut [MaybeUninit<u16>],
        most: usize,
        context: pg_sys::MemoryContext,
    ) -> bool {
        // SAFETY: by contract.
        unsafe {
            if self.units.is_null() {
                self.units = here.as_mut_ptr().cast();
                self.limit = here.len() - HEAD;
                self.page = NO_PAGE;
                return true;
            }
            // A head has 32 bits for the rows.
            let (had, most) = (self.limit + HEAD, (most / size_of::<u16>()).clamp(FIRST, u32::MAX as usize));
            if had >= most {
                return false;
            }
            let room = (had * 2).clamp(FIRST, most);
            let bytes = room * size_of::<u16>();
            self.units = if std::ptr::eq(self.units, here.as_ptr().cast()) {
                let units = raw::MemoryContextAllocHuge(context, bytes).cast::<u16>();
                std::ptr::copy_nonoverlapping(self.units, units, self.used);
                units
            } else {
                raw::repalloc_huge(self.units.cast(), bytes).cast()
            };
            self.limit = room - HEAD;
        }
        true
    }

    /// Keeps a row.
    ///
    /// # Safety
    /// There is room.
    #[inline(always)]
    pub unsafe fn push(&mut self, row: Identity) {
        let page = Page::from(row.block()) | Page::from(row.table.to_u32()) << 32;
        // SAFETY: by contract.
        unsafe {
            if self.page != page {
                self.begin_run(page);
            }
            *self.units.add(self.used) = row.offset;
        }
        self.used += 1;
    }

    /// # Safety
    /// There is room.
    #[inline]
    unsafe fn begin_run(&mut self, page: Page) {
        // SAFETY: by contract.
        unsafe { self.end_run() };
        self.page = page;
        self.used += HEAD;
        self.rows = self.used;
        self.runs += 1;
    }

    /// Writes the head of the run that grows, if one does.
    ///
    /// # Safety
    /// As kept.
    #[inline]
    unsafe fn end_run(&mut self) {
        if self.rows > 0 {
            // SAFETY: by contract: it has been left out before the rows.
            unsafe {
                let head = self.units.add(self.rows - HEAD);
                head.cast::<Page>().write_unaligned(self.page);
                head.add(ROWS_AT).cast::<u32>().write_unaligned((self.used - self.rows) as u32);
            }
        }
    }

    /// Nothing is kept any more; what is there is handed on.
    ///
    /// # Safety
    /// As kept.
    pub unsafe fn turn_to_reading(&mut self) {
        // SAFETY: by contract.
        unsafe { self.end_run() };
        self.next = 0;
        self.end = 0;
    }

    /// Goes to the next row of the run; not, where it has none.
    ///
    /// # Safety
    /// Turned to reading.
    #[inline(always)]
    pub unsafe fn step(&mut self) -> bool {
        if self.next >= self.end {
            return false;
        }
        // SAFETY: by contract; the run has another row.
        self.tid.ip_posid = unsafe { *self.units.add(self.next) };
        self.next += 1;
        true
    }

    /// Goes to the next run; how many rows it has, or 0 where there is none.
    ///
    /// # Safety
    /// Turned to reading.
    #[inline]
    pub unsafe fn next_run(&mut self) -> usize {
        if self.next >= self.used {
            return 0;
        }
        // SAFETY: by contract; a head stands here.
        let (page, rows) = unsafe {
            let head = self.units.add(self.next);
            (head.cast::<Page>().read_unaligned(), head.add(ROWS_AT).cast::<u32>().read_unaligned() as usize)
        };
        self.tid.ip_blkid = pg_sys::BlockIdData { bi_hi: (page >> 16) as u16, bi_lo: page as u16 };
        self.table = pg_sys::Oid::from((page >> 32) as u32);
        self.next += HEAD;
        self.end = self.next + rows;
        rows
    }

    /// All have been handed on.
    pub fn clear(&mut self) {
        self.used = 0;
        self.runs = 0;
        self.end = 0;
    }

    /// The page of the row that is handed on.
    #[inline]
    pub fn block(&self) -> pg_sys::BlockNumber {
        let block = self.tid.ip_blkid;
        u32::from(block.bi_hi) << 16 | u32::from(block.bi_lo)
    }
}
