//! The rows that a guard has collected and has not handed on yet: row identities of a DELETE in runs of a
//! page, other rows packed, each up to work_mem; what no longer fits, in PostgreSQL's tuplestore.
//! Called by the guard's bare frames; owns nothing of Rust's.

use crate::pg::pg_sys;

use super::node::GuardState;
use super::orders::Orders;
use super::packed::{self, Packed};
use super::runs::Runs;
use crate::pg::raw;

#[repr(C)]
pub struct Spool {
    identities: Runs,
    /// Identities are being handed on.
    replays: bool,
    /// The heap that all identities are of, if it is one, and the page of it that is kept in memory.
    heap: pg_sys::Relation,
    pinned: pg_sys::Buffer,
    packed: Packed,
    /// For identities and packed rows.
    pub slot: *mut pg_sys::TupleTableSlot,
    store: *mut pg_sys::Tuplestorestate,
    store_slot: *mut pg_sys::TupleTableSlot,
    in_store: u64,
    blocks_on_disk: i64,
}

impl Spool {
    /// The rows that were kept, and the bytes of them that went to disk.
    pub fn totals(&self) -> (u64, u64) {
        (
            self.identities.len() + self.packed.rows + self.in_store,
            self.blocks_on_disk as u64 * u64::from(pg_sys::BLCKSZ),
        )
    }
}

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

/// Keeps a row of the input.
///
/// # Safety
/// `guard` collects in `estate`.
#[inline(always)]
#[allow(ffi_unwind_calls, reason = "called by bare frames, which own nothing")]
pub unsafe fn keep(guard: *mut GuardState, estate: *mut pg_sys::EState, slot: *mut pg_sys::TupleTableSlot) {
    // SAFETY: by contract.
    unsafe {
        if (*guard).spool.store.is_null() {
            if let Some(orders) = &(*guard).orders
                && orders.tids_only
            {
                if let Some(identity) = identity(slot, orders)
                    && has_room(guard, estate)
                {
                    (*guard).spool.identities.push(identity.tid, identity.table);
                    return;
                }
            } else if packed::keep(&mut (*guard).spool.packed, slot, (*estate).es_query_cxt) {
                return;
            }
        }
        if (*guard).spool.store.is_null() {
            let previous = pg_sys::CurrentMemoryContext;
            pg_sys::CurrentMemoryContext = (*estate).es_query_cxt;
            (*guard).spool.store_slot = raw::ExecAllocTableSlot(
                &raw mut (*estate).es_tupleTable,
                raw::ExecGetResultType((*guard).scan.ss.ps.lefttree),
                &raw const pg_sys::TTSOpsMinimalTuple,
            );
            (*guard).spool.store = raw::tuplestore_begin_heap(false, false, pg_sys::work_mem);
            pg_sys::CurrentMemoryContext = previous;
        }
        let written = pg_sys::pgBufferUsage.temp_blks_written;
        raw::tuplestore_puttupleslot((*guard).spool.store, slot);
        (*guard).spool.in_store += 1;
        (*guard).spool.blocks_on_disk += pg_sys::pgBufferUsage.temp_blks_written - written;
    }
}

/// Whether another identity can be kept.
///
/// # Safety
/// `guard` collects in `estate`, identities alone so far.
#[inline(always)]
pub unsafe fn has_room(guard: *mut GuardState, estate: *mut pg_sys::EState) -> bool {
    // SAFETY: by contract.
    unsafe {
        (*guard).spool.identities.has_room() || {
            let most = (pg_sys::work_mem as usize).saturating_mul(1024);
            (*guard).spool.identities.make_room(most, (*estate).es_query_cxt)
        }
    }
}

/// Keeps the identity of a row of scans, which always have one.
///
/// # Safety
/// There is room; `slot` has the columns of `orders`.
#[inline(always)]
pub unsafe fn keep_identity(guard: *mut GuardState, slot: *mut pg_sys::TupleTableSlot, orders: &Orders) {
    // SAFETY: by contract.
    unsafe {
        let values = (*slot).tts_values;
        let tid = *(*values.add(orders.ctid as usize - 1)).cast_mut_ptr::<pg_sys::ItemPointerData>();
        let table = if orders.tableoid > 0 {
            pg_sys::Oid::from((*values.add(orders.tableoid as usize - 1)).value() as u32)
        } else {
            pg_sys::InvalidOid
        };
        (*guard).spool.identities.push(tid, table);
    }
}

/// The next collected identity where the slot stands as it was left: a virtual row that points to the
/// identity, with nothing to free. NULL where not, or where they have all been handed on.
///
/// # Safety
/// `guard` runs, with its child.
#[inline(always)]
pub unsafe fn next_identity(guard: *mut GuardState) -> *mut pg_sys::TupleTableSlot {
    // SAFETY: by contract; `replay` has prepared the slot when it gave the first.
    unsafe {
        let spool = &mut (*guard).spool;
        let owns = (pg_sys::TTS_FLAG_SHOULDFREE | pg_sys::TTS_FLAG_EMPTY) as u16;
        if !spool.replays || (*spool.slot).tts_flags & owns != 0 {
            return std::ptr::null_mut();
        }
        if !spool.identities.step() {
            let Some(orders) = &(*guard).orders else { return std::ptr::null_mut() };
            if !turn_page(spool) {
                return std::ptr::null_mut();
            }
            if orders.tableoid > 0 {
                let at = orders.tableoid as usize - 1;
                *(*spool.slot).tts_values.add(at) = pg_sys::Datum::from(spool.identities.table);
            }
        }
        spool.slot
    }
}

/// The next collected row; NULL where they have all been handed on.
///
/// # Safety
/// `guard` runs, with its child.
#[inline(always)]
#[allow(ffi_unwind_calls, reason = "a bare frame: it owns nothing and cannot panic")]
pub unsafe fn replay(guard: *mut GuardState) -> *mut pg_sys::TupleTableSlot {
    // SAFETY: by contract.
    unsafe {
        if !(*guard).spool.identities.is_empty() {
            let spool = &mut (*guard).spool;
            if !spool.replays {
                spool.replays = true;
                spool.identities.turn_to_reading();
                find_heap(guard);
            }
            let slot = spool.slot;
            if (spool.identities.step() || turn_page(spool))
                && let (Some(orders), Some(ops)) = (&(*guard).orders, ((*slot).tts_ops).as_ref())
            {
                if let Some(clear) = ops.clear {
                    clear(slot);
                }
                let at = orders.ctid as usize - 1;
                *(*slot).tts_values.add(at) = pg_sys::Datum::from(&raw mut spool.identities.tid);
                *(*slot).tts_isnull.add(at) = false;
                if orders.tableoid > 0 {
                    let at = orders.tableoid as usize - 1;
                    *(*slot).tts_values.add(at) = pg_sys::Datum::from(spool.identities.table);
                    *(*slot).tts_isnull.add(at) = false;
                }
                return raw::ExecStoreVirtualTuple(slot);
            }
            spool.replays = false;
            spool.identities.clear();
        }
        if packed::hand_on(&mut (*guard).spool.packed, (*guard).spool.slot) {
            return (*guard).spool.slot;
        }
        if !(*guard).spool.store.is_null()
            && raw::tuplestore_gettupleslot((*guard).spool.store, true, false, (*guard).spool.store_slot)
        {
            return (*guard).spool.store_slot;
        }
        release(guard);
        std::ptr::null_mut()
    }
}

/// Where identities of a single heap are handed on, a page is kept pinned for as long as rows of it
/// come, as the scan would have kept it without the guard: heap_delete pins it anew for each.
///
/// # Safety
/// As `replay`.
#[allow(ffi_unwind_calls, reason = "called by bare frames, which own nothing")]
unsafe fn find_heap(guard: *mut GuardState) {
    // SAFETY: by contract; the ModifyTable above has opened what it writes.
    unsafe {
        let Some(orders) = &(*guard).orders else { return };
        if orders.tableoid > 0 {
            return;
        }
        let estate = (*guard).scan.ss.ps.state;
        for i in 0..(*estate).es_range_table_size as usize {
            let relation = *(*estate).es_relations.add(i);
            if !relation.is_null()
                && (*relation).rd_id == orders.leaf
                && std::ptr::eq((*relation).rd_tableam, raw::GetHeapamTableAmRoutine())
            {
                (*guard).spool.heap = relation;
                return;
            }
        }
    }
}

/// How many rows of a page make a pin worth its while.
const WORTH_A_PIN: usize = 8;

/// Goes to the first row of the next run, and pins its page where enough others follow; not, where there
/// is none.
///
/// # Safety
/// Identities are being handed on.
#[inline(never)]
#[allow(ffi_unwind_calls, reason = "called by bare frames, which own nothing")]
unsafe fn turn_page(spool: &mut Spool) -> bool {
    // SAFETY: by contract; rows that were selected are on pages that exist.
    unsafe {
        unpin(spool);
        let rows = spool.identities.next_run();
        if rows >= WORTH_A_PIN && !spool.heap.is_null() {
            spool.pinned = raw::ReadBuffer(spool.heap, spool.identities.block());
        }
        spool.identities.step()
    }
}

/// # Safety
/// The pin is this execution's.
#[allow(ffi_unwind_calls, reason = "called by bare frames, which own nothing")]
unsafe fn unpin(spool: &mut Spool) {
    let pinned = std::mem::replace(&mut spool.pinned, pg_sys::InvalidBuffer as pg_sys::Buffer);
    if pinned != pg_sys::InvalidBuffer as pg_sys::Buffer {
        // SAFETY: by contract.
        unsafe { raw::ReleaseBuffer(pinned) };
    }
}

/// Lets the last page go and ends the tuplestore: a forgotten one leaks its temporary file.
///
/// # Safety
/// `guard` runs, with its child.
#[allow(ffi_unwind_calls, reason = "called by bare frames, which own nothing")]
pub unsafe fn release(guard: *mut GuardState) {
    // SAFETY: by contract; the slot may point into the store's memory no more.
    unsafe {
        unpin(&mut (*guard).spool);
        let store = (*guard).spool.store;
        (*guard).spool.store = std::ptr::null_mut();
        if !store.is_null() {
            let slot = (*guard).spool.store_slot;
            if let Some(ops) = (*slot).tts_ops.as_ref()
                && let Some(clear) = ops.clear
            {
                clear(slot);
            }
            raw::tuplestore_end(store);
        }
    }
}
