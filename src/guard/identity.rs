//! Which row of which table a row of the input is for.

use super::orders::Orders;
use crate::pg::{pg_sys, raw};

/// A row identity.
#[derive(Clone, Copy)]
pub struct Identity {
    pub tid: pg_sys::ItemPointerData,
    pub table: pg_sys::Oid,
}

/// The identity of the target row in a row of the child; `None` where the row has none that could be told:
/// of a foreign table whose wrapper uses no ctid, or has written it already.
///
/// # Safety
/// `slot` holds a row that has the columns of `orders`.
#[inline(always)]
#[allow(ffi_unwind_calls, reason = "called by bare frames, which own nothing")]
pub unsafe fn identity(slot: *mut pg_sys::TupleTableSlot, orders: &Orders) -> Option<Identity> {
    // SAFETY: by contract; what slot_getattr does.
    unsafe {
        if orders.whole_row > 0 {
            return identity_by_values(slot, orders);
        }
        let last = orders.ctid.max(orders.tableoid);
        if i32::from((*slot).tts_nvalid) < last {
            raw::slot_getsomeattrs_int(slot, last);
        }
        let at = orders.ctid as usize - 1;
        if *(*slot).tts_isnull.add(at) {
            return None;
        }
        let tid = *(*(*slot).tts_values.add(at)).cast_mut_ptr::<pg_sys::ItemPointerData>();
        if tid.ip_posid == pg_sys::InvalidOffsetNumber {
            return None;
        }
        let table = if orders.tableoid > 0 {
            pg_sys::Oid::from((*(*slot).tts_values.add(orders.tableoid as usize - 1)).value() as u32)
        } else {
            pg_sys::InvalidOid
        };
        Some(Identity { tid, table })
    }
}

/// A view's row: a hash of its values in the place of a line pointer, above all that a heap's page has. Of
/// 100,000 rows two are taken for one with a probability of 1 to 30,000.
///
/// # Safety
/// As `identity`.
#[cold]
#[allow(ffi_unwind_calls, reason = "called by bare frames, which own nothing")]
unsafe fn identity_by_values(slot: *mut pg_sys::TupleTableSlot, orders: &Orders) -> Option<Identity> {
    // SAFETY: by contract; a whole row is a composite value, whose bytes follow from the row's.
    unsafe {
        if i32::from((*slot).tts_nvalid) < orders.whole_row {
            raw::slot_getsomeattrs_int(slot, orders.whole_row);
        }
        let at = orders.whole_row as usize - 1;
        if *(*slot).tts_isnull.add(at) {
            return None;
        }
        let row = (*(*slot).tts_values.add(at)).cast_mut_ptr::<pg_sys::varlena>();
        let hash =
            raw::hash_bytes_extended(pgrx::vardata_any(row).cast(), pgrx::varsize_any_exhdr(row) as i32, 0);
        let ip_blkid = pg_sys::BlockIdData { bi_hi: (hash >> 48) as u16, bi_lo: (hash >> 32) as u16 };
        let tid = pg_sys::ItemPointerData { ip_blkid, ip_posid: hash as u16 | 1 << 15 };
        Some(Identity { tid, table: pg_sys::InvalidOid })
    }
}

/// The relation that the target row of a row of the child is stored in; InvalidOid where the row has
/// none.
///
/// # Safety
/// `slot` holds a row that has the columns of `orders`.
#[allow(ffi_unwind_calls, reason = "called by bare frames, which own nothing")]
pub unsafe fn leaf(slot: *mut pg_sys::TupleTableSlot, orders: &Orders) -> pg_sys::Oid {
    if orders.tableoid == 0 {
        return orders.leaf;
    }
    // SAFETY: by contract; what slot_getattr does.
    unsafe {
        if i32::from((*slot).tts_nvalid) < orders.tableoid {
            raw::slot_getsomeattrs_int(slot, orders.tableoid);
        }
        let at = orders.tableoid as usize - 1;
        if *(*slot).tts_isnull.add(at) {
            return pg_sys::InvalidOid;
        }
        pg_sys::Oid::from((*(*slot).tts_values.add(at)).value() as u32)
    }
}
