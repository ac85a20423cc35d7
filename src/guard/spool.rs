//! The rows that a guard has collected and has not handed on yet: row identities of a DELETE in runs of a
//! page, other rows packed, each up to work_mem; what no longer fits, in PostgreSQL's tuplestore.
//! Called by the guard's bare frames; owns nothing of Rust's.

use crate::pg::pg_sys;

use super::identity::identity;
use super::orders::Orders;
use super::packed::{self, Packed};
use super::runs::Runs;
use super::slots::{clear, point};
use crate::pg::{compat, heap, raw};

#[repr(C)]
pub struct Spool {
    identities: Runs,
    /// Identities are being handed on.
    replays: bool,
    /// The heap that all identities are of, if it is one, and the page of it that is kept in memory.
    heap: pg_sys::Relation,
    pinned: pg_sys::Buffer,
    packed: Packed,
    /// What is handed on.
    pub slot: *mut pg_sys::TupleTableSlot,
    store: *mut pg_sys::Tuplestorestate,
    store_slot: *mut pg_sys::TupleTableSlot,
    in_store: u64,
    blocks_on_disk: i64,
}

/// How many rows of a page make a pin worth its while.
const WORTH_A_PIN: usize = 8;

impl Spool {
    /// The rows that were kept, and the bytes of them that went to disk.
    pub fn totals(&self) -> (u64, u64) {
        (
            self.identities.len() + self.packed.rows + self.in_store,
            self.blocks_on_disk as u64 * u64::from(pg_sys::BLCKSZ),
        )
    }

    /// Keeps a row of the input.
    ///
    /// # Safety
    /// It collects rows of `child` in `estate`.
    #[inline(always)]
    #[allow(ffi_unwind_calls, reason = "called by bare frames, which own nothing")]
    pub unsafe fn keep(
        &mut self,
        orders: &Orders,
        child: *mut pg_sys::PlanState,
        estate: *mut pg_sys::EState,
        slot: *mut pg_sys::TupleTableSlot,
    ) {
        // SAFETY: by contract.
        unsafe {
            if self.store.is_null() {
                if orders.tids_only {
                    if let Some(identity) = identity(slot, orders)
                        && self.has_room(estate)
                    {
                        self.identities.push(identity.tid, identity.table);
                        return;
                    }
                } else if packed::keep(&mut self.packed, slot, (*estate).es_query_cxt) {
                    return;
                }
            }
            if self.store.is_null() {
                let previous = pg_sys::CurrentMemoryContext;
                pg_sys::CurrentMemoryContext = (*estate).es_query_cxt;
                // The input's own slot may have been good for identities.
                self.slot = compat::alloc_table_slot(
                    &raw mut (*estate).es_tupleTable,
                    raw::ExecGetResultType(child),
                    &raw const pg_sys::TTSOpsVirtual,
                );
                self.store_slot = compat::alloc_table_slot(
                    &raw mut (*estate).es_tupleTable,
                    raw::ExecGetResultType(child),
                    &raw const pg_sys::TTSOpsMinimalTuple,
                );
                self.store = raw::tuplestore_begin_heap(false, false, pg_sys::work_mem);
                pg_sys::CurrentMemoryContext = previous;
            }
            let written = pg_sys::pgBufferUsage.temp_blks_written;
            raw::tuplestore_puttupleslot(self.store, slot);
            self.in_store += 1;
            self.blocks_on_disk += pg_sys::pgBufferUsage.temp_blks_written - written;
        }
    }

    /// Whether another identity can be kept.
    ///
    /// # Safety
    /// It collects in `estate`, identities alone so far.
    #[inline(always)]
    pub unsafe fn has_room(&mut self, estate: *mut pg_sys::EState) -> bool {
        // SAFETY: by contract.
        unsafe {
            self.identities.has_room() || {
                let most = (pg_sys::work_mem as usize).saturating_mul(1024);
                self.identities.make_room(most, (*estate).es_query_cxt)
            }
        }
    }

    /// Keeps the identity of a row of scans, which always have one.
    ///
    /// # Safety
    /// There is room; `slot` has the columns of `orders`.
    #[inline(always)]
    pub unsafe fn keep_identity(&mut self, slot: *mut pg_sys::TupleTableSlot, orders: &Orders) {
        // SAFETY: by contract.
        unsafe {
            let values = (*slot).tts_values;
            let tid = *(*values.add(orders.ctid as usize - 1)).cast_mut_ptr::<pg_sys::ItemPointerData>();
            let table = if orders.tableoid > 0 {
                pg_sys::Oid::from((*values.add(orders.tableoid as usize - 1)).value() as u32)
            } else {
                pg_sys::InvalidOid
            };
            self.identities.push(tid, table);
        }
    }

    /// The next collected identity where the slot stands as it was left: a virtual row that points to the
    /// identity, with nothing to free. NULL where not, or where they have all been handed on.
    ///
    /// # Safety
    /// The execution that it belongs to goes on, by `orders`.
    #[inline(always)]
    pub unsafe fn next_identity(&mut self, orders: &Orders) -> *mut pg_sys::TupleTableSlot {
        // SAFETY: by contract; `replay` has prepared the slot when it gave the first.
        unsafe {
            let owns = (pg_sys::TTS_FLAG_SHOULDFREE | pg_sys::TTS_FLAG_EMPTY) as u16;
            if !self.replays || (*self.slot).tts_flags & owns != 0 {
                return std::ptr::null_mut();
            }
            if !self.identities.step() {
                if !self.turn_page() {
                    return std::ptr::null_mut();
                }
                if orders.tableoid > 0 {
                    let at = orders.tableoid as usize - 1;
                    *(*self.slot).tts_values.add(at) = pg_sys::Datum::from(self.identities.table);
                }
            }
            self.slot
        }
    }

    /// The next collected row; NULL where they have all been handed on.
    ///
    /// # Safety
    /// The execution that it belongs to goes on, by `orders`.
    #[inline(always)]
    #[allow(ffi_unwind_calls, reason = "a bare frame: it owns nothing and cannot panic")]
    pub unsafe fn replay(
        &mut self,
        orders: &Orders,
        estate: *mut pg_sys::EState,
    ) -> *mut pg_sys::TupleTableSlot {
        // SAFETY: by contract.
        unsafe {
            if !self.identities.is_empty() {
                if !self.replays {
                    self.replays = true;
                    self.identities.turn_to_reading();
                    self.find_heap(orders, estate);
                }
                let slot = self.slot;
                if self.identities.step() || self.turn_page() {
                    clear(slot);
                    let at = orders.ctid as usize - 1;
                    *(*slot).tts_values.add(at) = pg_sys::Datum::from(&raw mut self.identities.tid);
                    *(*slot).tts_isnull.add(at) = false;
                    if orders.tableoid > 0 {
                        let at = orders.tableoid as usize - 1;
                        *(*slot).tts_values.add(at) = pg_sys::Datum::from(self.identities.table);
                        *(*slot).tts_isnull.add(at) = false;
                    }
                    return raw::ExecStoreVirtualTuple(slot);
                }
                self.replays = false;
                self.identities.clear();
            }
            if packed::hand_on(&mut self.packed, self.slot) {
                return self.slot;
            }
            if !self.store.is_null() && raw::tuplestore_gettupleslot(self.store, true, false, self.store_slot)
            {
                // Compiled expressions above may know the input's kind of slot; a virtual one does for each.
                let (stored, columns) = (self.store_slot, (*(*self.store_slot).tts_tupleDescriptor).natts);
                raw::slot_getsomeattrs_int(stored, columns);
                point(self.slot, (*stored).tts_values, (*stored).tts_isnull);
                return self.slot;
            }
            self.release();
            std::ptr::null_mut()
        }
    }

    /// Where identities of a single heap are handed on, a page is kept pinned for as long as rows of it
    /// come, as the scan would have kept it without the guard: heap_delete pins it anew for each.
    ///
    /// # Safety
    /// As `replay`.
    #[allow(ffi_unwind_calls, reason = "called by bare frames, which own nothing")]
    unsafe fn find_heap(&mut self, orders: &Orders, estate: *mut pg_sys::EState) {
        // SAFETY: by contract; the ModifyTable above has opened what it writes.
        unsafe {
            if orders.tableoid > 0 {
                return;
            }
            for i in 0..(*estate).es_range_table_size as usize {
                let relation = *(*estate).es_relations.add(i);
                if !relation.is_null() && (*relation).rd_id == orders.leaf && heap::is_heap(relation) {
                    self.heap = relation;
                    return;
                }
            }
        }
    }

    /// Goes to the first row of the next run, and pins its page where enough others follow; not, where there
    /// is none.
    ///
    /// # Safety
    /// Identities are being handed on.
    #[inline(never)]
    #[allow(ffi_unwind_calls, reason = "called by bare frames, which own nothing")]
    unsafe fn turn_page(&mut self) -> bool {
        // SAFETY: by contract; rows that were selected are on pages that exist.
        unsafe {
            self.unpin();
            let rows = self.identities.next_run();
            if rows >= WORTH_A_PIN && !self.heap.is_null() {
                self.pinned = raw::ReadBuffer(self.heap, self.identities.block());
            }
            self.identities.step()
        }
    }

    /// # Safety
    /// The pin is this execution's.
    #[allow(ffi_unwind_calls, reason = "called by bare frames, which own nothing")]
    unsafe fn unpin(&mut self) {
        let pinned = std::mem::replace(&mut self.pinned, pg_sys::InvalidBuffer as pg_sys::Buffer);
        if pinned != pg_sys::InvalidBuffer as pg_sys::Buffer {
            // SAFETY: by contract.
            unsafe { raw::ReleaseBuffer(pinned) };
        }
    }

    /// Lets the last page go and ends the tuplestore: a forgotten one leaks its temporary file.
    ///
    /// # Safety
    /// The execution that it belongs to has not ended.
    #[allow(ffi_unwind_calls, reason = "called by bare frames, which own nothing")]
    pub unsafe fn release(&mut self) {
        // SAFETY: by contract; the slot may point into the store's memory no more.
        unsafe {
            self.unpin();
            let store = self.store;
            self.store = std::ptr::null_mut();
            if !store.is_null() {
                clear(self.store_slot);
                raw::tuplestore_end(store);
            }
        }
    }
}
