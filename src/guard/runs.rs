//! Row identities in the order in which they came, in runs of rows of one page: ten bytes for a run, two
//! for a row of it. What a DELETE selects of a table that it scans takes little more than two bytes a row;
//! rows in no order take twelve. Called by spool.rs for the guard's bare frames; owns nothing of Rust's.

use crate::pg::{pg_sys, raw};

/// Zeroed, it is empty. It stays where it is.
#[repr(C)]
pub struct Runs {
    /// Runs, one behind another: a head, and then the place on its page of each row.
    units: *mut u16,
    used: usize,
    room: usize,
    /// Up to here rows can be kept: there is memory for one that begins a run, and a run counts no more.
    limit: usize,
    /// The run that grows: where its head stands, and of which page it is.
    head: usize,
    page: Page,
    /// The rows of the runs before.
    rows_before: u64,
    /// Where the next row to be handed on stands, and where its run ends.
    next: usize,
    end: usize,
    /// The row that is handed on.
    pub tid: pg_sys::ItemPointerData,
    pub table: pg_sys::Oid,
    here: [u16; HERE],
}

#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(C)]
struct Page {
    high: u16,
    low: u16,
    table: pg_sys::Oid,
}

/// No run grows: InvalidBlockNumber, and no table.
const NO_PAGE: Page = Page { high: u16::MAX, low: u16::MAX, table: pg_sys::InvalidOid };

/// A head: the page's block and table, in two units each, and how many rows follow.
const HEAD: usize = 5;

/// The units that stand here, and of the first piece of memory beside them: statements of few rows ask for none.
const HERE: usize = 64;
const FIRST: usize = 512;

impl Runs {
    pub fn is_empty(&self) -> bool {
        self.used == 0
    }

    /// How many rows there are.
    pub fn len(&self) -> u64 {
        self.rows_before + self.rows() as u64
    }

    /// The rows of the run that grows.
    fn rows(&self) -> usize {
        if self.used == 0 || self.page == NO_PAGE { 0 } else { self.used - self.head - HEAD }
    }

    /// Whether another row can be kept, whatever its page; not, where `make_room` has to be called.
    #[inline(always)]
    pub fn has_room(&self) -> bool {
        self.used < self.limit
    }

    /// Makes room for more rows, up to `most` bytes; not, where there is none.
    ///
    /// # Safety
    /// `context` lives as long as this; no frame above owns anything.
    #[cold]
    #[allow(ffi_unwind_calls, reason = "called by bare frames, which own nothing")]
    pub unsafe fn make_room(&mut self, most: usize, context: pg_sys::MemoryContext) -> bool {
        // SAFETY: by contract.
        unsafe {
            self.end_run();
            if self.units.is_null() {
                self.units = self.here.as_mut_ptr();
                self.room = HERE;
            } else if self.used + HEAD >= self.room {
                let most = (most / size_of::<u16>()).max(FIRST);
                if self.room >= most {
                    return false;
                }
                let room = (self.room * 2).clamp(FIRST, most);
                let bytes = room * size_of::<u16>();
                self.units = if self.room == HERE {
                    let units = raw::MemoryContextAllocHuge(context, bytes).cast::<u16>();
                    std::ptr::copy_nonoverlapping(self.units, units, self.used);
                    units
                } else {
                    raw::repalloc_huge(self.units.cast(), bytes).cast()
                };
                self.room = room;
            }
        }
        self.limit = self.room - HEAD;
        self.has_room()
    }

    /// Keeps a row.
    ///
    /// # Safety
    /// There is room.
    #[inline(always)]
    pub unsafe fn push(&mut self, tid: pg_sys::ItemPointerData, table: pg_sys::Oid) {
        let page = Page { high: tid.ip_blkid.bi_hi, low: tid.ip_blkid.bi_lo, table };
        // SAFETY: by contract.
        unsafe {
            if self.page != page {
                self.begin_run(page);
            }
            *self.units.add(self.used) = tid.ip_posid;
        }
        self.used += 1;
    }

    /// # Safety
    /// There is room.
    #[inline]
    unsafe fn begin_run(&mut self, page: Page) {
        // SAFETY: by contract.
        unsafe {
            self.end_run();
            self.page = page;
            self.head = self.used;
            self.units.add(self.head).cast::<Page>().write_unaligned(page);
        }
        self.used += HEAD;
        self.limit = (self.room - HEAD).min(self.used + usize::from(u16::MAX));
    }

    /// # Safety
    /// As kept.
    #[inline]
    unsafe fn end_run(&mut self) {
        let rows = self.rows();
        if rows > 0 {
            // SAFETY: by contract: the head stands where it has been put.
            unsafe { *self.units.add(self.head + HEAD - 1) = rows as u16 };
            self.rows_before += rows as u64;
        }
        self.page = NO_PAGE;
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
            (head.cast::<Page>().read_unaligned(), usize::from(*head.add(HEAD - 1)))
        };
        self.tid.ip_blkid = pg_sys::BlockIdData { bi_hi: page.high, bi_lo: page.low };
        self.table = page.table;
        self.next += HEAD;
        self.end = self.next + rows;
        rows
    }

    /// All have been handed on.
    pub fn clear(&mut self) {
        self.used = 0;
        self.end = 0;
    }

    /// The page of the row that is handed on.
    pub fn block(&self) -> pg_sys::BlockNumber {
        let block = self.tid.ip_blkid;
        u32::from(block.bi_hi) << 16 | u32::from(block.bi_lo)
    }
}
