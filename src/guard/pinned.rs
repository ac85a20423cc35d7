//! The page of a heap whose rows are handed on, kept pinned for as long, as the scan would have kept it without the
//! guard: heap_delete pins it anew for each.

use crate::pg::pg_sys;

use super::orders::Facts;
use crate::pg::{execution, heap, raw};

/// None where it is zeroed.
pub struct Pinned {
    page: pg_sys::Buffer,
}

const NO_PAGE: pg_sys::Buffer = pg_sys::InvalidBuffer as pg_sys::Buffer;

/// How many rows of a page make a pin worth its while.
const WORTH_IT: usize = 8;

impl Pinned {
    /// Goes to another page, of which so many rows are to come.
    ///
    /// # Safety
    /// The rows have been selected by the execution in `estate`; no frame above owns anything.
    #[inline(always)]
    pub unsafe fn go_to(
        &mut self,
        orders: &Facts,
        estate: *mut pg_sys::EState,
        block: pg_sys::BlockNumber,
        rows: usize,
    ) {
        if rows >= WORTH_IT || self.page != NO_PAGE {
            // SAFETY: by contract.
            unsafe { self.turn(orders, estate, block, rows) }
        }
    }

    /// # Safety
    /// As `go_to`.
    #[inline(never)]
    #[allow(ffi_unwind_calls, reason = "called by bare frames, which own nothing")]
    unsafe fn turn(
        &mut self,
        orders: &Facts,
        estate: *mut pg_sys::EState,
        block: pg_sys::BlockNumber,
        rows: usize,
    ) {
        // SAFETY: by contract; rows that were selected are on pages that exist.
        unsafe {
            self.let_go();
            if rows >= WORTH_IT && orders.tableoid == 0 {
                let relation = execution::written(estate).find(|relation| (**relation).rd_id == orders.leaf);
                if let Some(heap) = relation.filter(|relation| heap::is_heap(*relation)) {
                    self.page = raw::ReadBuffer(heap, block);
                }
            }
        }
    }

    /// # Safety
    /// The pin is of an execution that has not ended; no frame above owns anything.
    #[allow(ffi_unwind_calls, reason = "called by bare frames, which own nothing")]
    pub unsafe fn let_go(&mut self) {
        let page = std::mem::replace(&mut self.page, NO_PAGE);
        if page != NO_PAGE {
            // SAFETY: by contract.
            unsafe { raw::ReleaseBuffer(page) };
        }
    }
}
