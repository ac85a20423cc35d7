//! Which row of which table a row of the input is for.

use super::orders::Facts;
use crate::pg::slots::get_some_attributes;
use crate::pg::{pg_sys, raw};

/// A row identity, in words.
#[derive(Clone, Copy)]
pub struct Identity {
    pub table: pg_sys::Oid,
    /// As an ItemPointerData has it: the high half first.
    block: u32,
    pub offset: u16,
}

impl Identity {
    #[inline(always)]
    pub fn new(tid: pg_sys::ItemPointerData, table: pg_sys::Oid) -> Identity {
        let block = u32::from(tid.ip_blkid.bi_hi) | u32::from(tid.ip_blkid.bi_lo) << 16;
        Identity { table, block, offset: tid.ip_posid }
    }

    pub fn tid(self) -> pg_sys::ItemPointerData {
        let ip_blkid = pg_sys::BlockIdData { bi_hi: self.block as u16, bi_lo: (self.block >> 16) as u16 };
        pg_sys::ItemPointerData { ip_blkid, ip_posid: self.offset }
    }

    /// A number for the page, by which it is told from others of the table.
    #[inline(always)]
    pub fn block(self) -> u32 {
        self.block.rotate_left(16)
    }
}

/// The identity of the target row in a row of the child; `None` where the row has none that could be told:
/// of a foreign table whose wrapper uses no ctid, or has written it already.
///
/// # Safety
/// `slot` holds a row that has the columns of `orders`.
#[inline(always)]
#[allow(ffi_unwind_calls, reason = "called by bare frames, which own nothing")]
pub unsafe fn identity(slot: *mut pg_sys::TupleTableSlot, orders: &Facts) -> Option<Identity> {
    // SAFETY: by contract; what slot_getattr does.
    unsafe {
        let identity = if orders.whole_row > 0 {
            identity_by_values(slot, orders.whole_row)
        } else {
            let last = orders.ctid.max(orders.tableoid);
            get_some_attributes(slot, last);
            if *(*slot).tts_isnull.add(orders.ctid as usize - 1) {
                return None;
            }
            of_scan(slot, orders)
        };
        (identity.offset != pg_sys::InvalidOffsetNumber).then_some(identity)
    }
}

/// The same of a row that has one.
///
/// # Safety
/// `slot` has got at the columns of `orders`.
#[inline(always)]
pub unsafe fn of_scan(slot: *mut pg_sys::TupleTableSlot, orders: &Facts) -> Identity {
    // SAFETY: by contract.
    unsafe {
        let values = (*slot).tts_values;
        let tid = *(*values.add(orders.ctid as usize - 1)).cast_mut_ptr::<pg_sys::ItemPointerData>();
        let table = if orders.tableoid > 0 {
            pg_sys::Oid::from((*values.add(orders.tableoid as usize - 1)).value() as u32)
        } else {
            pg_sys::InvalidOid
        };
        Identity::new(tid, table)
    }
}

/// A view's row: a hash of its values in the place of a line pointer, above all that a heap's page has. Of
/// 100,000 rows two are taken for one with a probability of 1 to 30,000. InvalidOffsetNumber where it is NULL.
///
/// # Safety
/// As `identity`.
#[cold]
#[allow(ffi_unwind_calls, reason = "called by bare frames, which own nothing")]
unsafe fn identity_by_values(slot: *mut pg_sys::TupleTableSlot, whole_row: i32) -> Identity {
    // SAFETY: by contract; a whole row is a composite value, whose bytes follow from the row's.
    unsafe {
        get_some_attributes(slot, whole_row);
        let table = pg_sys::InvalidOid;
        let at = whole_row as usize - 1;
        if *(*slot).tts_isnull.add(at) {
            return Identity { table, block: 0, offset: pg_sys::InvalidOffsetNumber };
        }
        let row = (*(*slot).tts_values.add(at)).cast_mut_ptr::<pg_sys::varlena>();
        let hash =
            raw::hash_bytes_extended(pgrx::vardata_any(row).cast(), pgrx::varsize_any_exhdr(row) as i32, 0);
        Identity { table, block: (hash >> 32) as u32, offset: hash as u16 | 1 << 15 }
    }
}

/// The relation that the target row of a row of the child is stored in; InvalidOid where the row has
/// none.
///
/// # Safety
/// `slot` holds a row that has the columns of `orders`.
#[allow(ffi_unwind_calls, reason = "called by bare frames, which own nothing")]
pub unsafe fn leaf(slot: *mut pg_sys::TupleTableSlot, orders: &Facts) -> pg_sys::Oid {
    if orders.tableoid == 0 {
        return orders.leaf;
    }
    // SAFETY: by contract; what slot_getattr does.
    unsafe {
        get_some_attributes(slot, orders.tableoid);
        let at = orders.tableoid as usize - 1;
        if *(*slot).tts_isnull.add(at) {
            return pg_sys::InvalidOid;
        }
        pg_sys::Oid::from((*(*slot).tts_values.add(at)).value() as u32)
    }
}
