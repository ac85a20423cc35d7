//! The rows that a guard has collected and has not handed on yet: row identities of a DELETE in runs of a
//! page, other rows packed, each up to work_mem; what no longer fits, in PostgreSQL's tuplestore.
//! Called by the guard's bare frames; owns nothing of Rust's.

use std::mem::{MaybeUninit, offset_of};

use crate::pg::pg_sys;

use super::identity::{self, identity};
use super::orders::Facts;
use super::packed::{self, Packed};
use super::pinned::Pinned;
use super::runs::Runs;
use crate::pg::slots::{clear, get_some_attributes, point};
use crate::pg::{compat, raw};

/// Empty where its `HEAD` is zeroed.
#[repr(C)]
pub struct Spool {
    identities: Runs,
    /// Identities are being handed on.
    replays: bool,
    pinned: Pinned,
    packed: Packed,
    /// What is handed on.
    slot: *mut pg_sys::TupleTableSlot,
    /// Where the columns of the input's own slot are, which is pointed elsewhere meanwhile; NULL where it is not.
    own_values: *mut pg_sys::Datum,
    own_nulls: *mut bool,
    store: *mut pg_sys::Tuplestorestate,
    store_slot: *mut pg_sys::TupleTableSlot,
    in_store: u64,
    blocks_on_disk: i64,
    /// The first rows stand here: statements of few ask for no memory.
    here: [MaybeUninit<u64>; HERE],
}

const HERE: usize = 64;

const TTS_FLAG_EMPTY: u16 = pg_sys::TTS_FLAG_EMPTY as u16;
/// Flags of a slot that does not stand as an identity was left in it.
const NOT_AS_LEFT: u16 = pg_sys::TTS_FLAG_SHOULDFREE as u16 | TTS_FLAG_EMPTY;

impl Spool {
    /// What is to be zeroed of it.
    pub const HEAD: usize = offset_of!(Spool, here);

    /// Rows of `child` are to be collected. What is handed on takes the input's own slot where nobody needs what is
    /// in it: that is virtual, and the input computes all of it anew for each row, or has a column for nothing but
    /// the identity.
    ///
    /// # Safety
    /// `child` is the state whose rows come, in `estate`, whose memory is current; no frame above owns anything.
    #[allow(ffi_unwind_calls, reason = "called by bare frames, which own nothing")]
    pub unsafe fn begin(
        &mut self,
        orders: &Facts,
        child: *mut pg_sys::PlanState,
        estate: *mut pg_sys::EState,
    ) {
        // SAFETY: by contract.
        unsafe {
            let own = (*child).ps_ResultTupleSlot;
            let projection = (*child).ps_ProjInfo;
            let projects = !projection.is_null() && (*projection).pi_state.resultslot == own;
            let is_good = !own.is_null()
                && std::ptr::eq((*own).tts_ops, &raw const pg_sys::TTSOpsVirtual)
                && (orders.tids_only || projects);
            if is_good {
                self.slot = own;
                (self.own_values, self.own_nulls) = ((*own).tts_values, (*own).tts_isnull);
            } else {
                self.slot = new_slot(child, estate);
            }
        }
    }

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
    /// It collects rows of `child` in `estate`; no frame above owns anything.
    pub unsafe fn keep(
        &mut self,
        orders: &Facts,
        child: *mut pg_sys::PlanState,
        estate: *mut pg_sys::EState,
        slot: *mut pg_sys::TupleTableSlot,
    ) {
        // SAFETY: by contract.
        unsafe {
            if !orders.tids_only {
                return self.keep_packed(child, estate, slot, false);
            }
            if self.store.is_null()
                && let Some(identity) = identity(slot, orders)
                && self.has_room(estate)
            {
                self.identities.push(identity);
                return;
            }
            self.store(child, estate, slot);
        }
    }

    /// Keeps a row of an input that brings more than identities; `again`, one that need not be handed on where all
    /// that were handed on before have been written.
    ///
    /// # Safety
    /// As `keep`.
    #[inline(always)]
    pub unsafe fn keep_packed(
        &mut self,
        child: *mut pg_sys::PlanState,
        estate: *mut pg_sys::EState,
        slot: *mut pg_sys::TupleTableSlot,
        again: bool,
    ) {
        // SAFETY: by contract.
        unsafe {
            if !self.store.is_null() || !packed::keep(&mut self.packed, slot, &mut self.here, estate, again) {
                self.store(child, estate, slot);
            }
        }
    }

    /// Keeps a row that there is no other room for.
    ///
    /// # Safety
    /// As `keep`.
    #[cold]
    #[allow(ffi_unwind_calls, reason = "called by bare frames, which own nothing")]
    unsafe fn store(
        &mut self,
        child: *mut pg_sys::PlanState,
        estate: *mut pg_sys::EState,
        slot: *mut pg_sys::TupleTableSlot,
    ) {
        // SAFETY: by contract.
        unsafe {
            if self.store.is_null() {
                let previous = pg_sys::CurrentMemoryContext;
                pg_sys::CurrentMemoryContext = (*estate).es_query_cxt;
                if !self.own_values.is_null() {
                    // The row is in that one.
                    self.own_values = std::ptr::null_mut();
                    self.slot = new_slot(child, estate);
                }
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
                let here = &mut *(&raw mut self.here).cast::<[MaybeUninit<u16>; HERE * 4]>();
                self.identities.make_room(here, most, (*estate).es_query_cxt)
            }
        }
    }

    /// Keeps the identity of a row of scans, which always have one.
    ///
    /// # Safety
    /// There is room; `slot` has the columns of `orders`.
    #[inline(always)]
    pub unsafe fn keep_identity(&mut self, slot: *mut pg_sys::TupleTableSlot, orders: &Facts) {
        // SAFETY: by contract.
        unsafe { self.identities.push(identity::of_scan(slot, orders)) };
    }

    /// All has been collected that is to be, and is handed on from here; whether there are identities.
    ///
    /// # Safety
    /// The execution that it belongs to goes on; no frame above owns anything.
    pub unsafe fn turn_to_reading(&mut self) -> bool {
        packed::turn_to_reading(&mut self.packed);
        self.replays = !self.identities.is_empty();
        if self.replays {
            // SAFETY: by contract.
            unsafe {
                self.identities.turn_to_reading();
                // So that `replay` prepares it.
                clear(self.slot);
            }
        }
        self.replays
    }

    /// The next collected identity of the same page, where the slot stands as it was left: a virtual row that
    /// points to the identity, with nothing to free. NULL where `replay` has to be asked.
    ///
    /// # Safety
    /// Identities are being handed on.
    #[inline(always)]
    pub unsafe fn next_identity(&mut self) -> *mut pg_sys::TupleTableSlot {
        // SAFETY: by contract; `replay` has prepared the slot when it gave the first.
        unsafe {
            if (*self.slot).tts_flags & NOT_AS_LEFT != 0 || !self.identities.step() {
                return std::ptr::null_mut();
            }
            self.slot
        }
    }

    /// The next collected row that is packed; NULL where `replay` has to be asked.
    ///
    /// # Safety
    /// Turned to reading.
    #[inline(always)]
    pub unsafe fn next_packed(&mut self) -> *mut pg_sys::TupleTableSlot {
        // SAFETY: by contract.
        unsafe { if packed::hand_on(&mut self.packed, self.slot) { self.slot } else { std::ptr::null_mut() } }
    }

    /// The same, where rows that came again are left out.
    ///
    /// # Safety
    /// As `next_packed`, of an execution in `estate`.
    #[inline(always)]
    pub unsafe fn next_once(&mut self, estate: *mut pg_sys::EState) -> *mut pg_sys::TupleTableSlot {
        // SAFETY: by contract.
        let is_there = unsafe { packed::hand_on_once(&mut self.packed, self.slot, estate) };
        if is_there { self.slot } else { std::ptr::null_mut() }
    }

    /// How many rows that came again were left out since this was asked.
    #[inline(always)]
    pub fn take_left_out(&mut self) -> u64 {
        packed::take_left_out(&mut self.packed)
    }

    /// The next collected row; NULL where they have all been handed on.
    ///
    /// # Safety
    /// Turned to reading; no frame above owns anything.
    #[allow(ffi_unwind_calls, reason = "a bare frame: it owns nothing and cannot panic")]
    pub unsafe fn replay(
        &mut self,
        orders: &Facts,
        estate: *mut pg_sys::EState,
    ) -> *mut pg_sys::TupleTableSlot {
        // SAFETY: by contract.
        unsafe {
            let slot = self.slot;
            if self.replays {
                if self.identities.step() || self.turn_page(orders, estate) {
                    self.show_identity(orders);
                    return slot;
                }
                self.replays = false;
                self.identities.clear();
            }
            let is_there = if orders.skips {
                packed::hand_on_once(&mut self.packed, slot, estate)
            } else {
                packed::hand_on(&mut self.packed, slot)
            };
            if is_there {
                return slot;
            }
            if !self.store.is_null() && raw::tuplestore_gettupleslot(self.store, true, false, self.store_slot)
            {
                // Compiled expressions above may know the input's kind of slot; a virtual one does for each.
                let (stored, columns) = (self.store_slot, (*(*self.store_slot).tts_tupleDescriptor).natts);
                get_some_attributes(stored, columns);
                point(slot, (*stored).tts_values, (*stored).tts_isnull);
                return slot;
            }
            self.release();
            if !self.own_values.is_null() {
                // More may come in it.
                ((*slot).tts_values, (*slot).tts_isnull) = (self.own_values, self.own_nulls);
            }
            std::ptr::null_mut()
        }
    }

    /// Has the slot point to the identity that was gone to.
    ///
    /// # Safety
    /// As `replay`.
    #[inline(always)]
    #[allow(ffi_unwind_calls, reason = "called by bare frames, which own nothing")]
    unsafe fn show_identity(&mut self, orders: &Facts) {
        // SAFETY: by contract.
        unsafe {
            let slot = self.slot;
            if (*slot).tts_flags & NOT_AS_LEFT != 0 {
                if (*slot).tts_flags & TTS_FLAG_EMPTY == 0 {
                    clear(slot);
                }
                let at = orders.ctid as usize - 1;
                *(*slot).tts_values.add(at) = pg_sys::Datum::from(&raw mut self.identities.tid);
                *(*slot).tts_isnull.add(at) = false;
                (*slot).tts_flags &= !TTS_FLAG_EMPTY;
                (*slot).tts_nvalid = (*(*slot).tts_tupleDescriptor).natts as pg_sys::AttrNumber;
            }
            if orders.tableoid > 0 {
                let at = orders.tableoid as usize - 1;
                *(*slot).tts_values.add(at) = pg_sys::Datum::from(self.identities.table);
                *(*slot).tts_isnull.add(at) = false;
            }
        }
    }

    /// Goes to the first row of the next run; not, where there is none.
    ///
    /// # Safety
    /// Identities are being handed on; no frame above owns anything.
    #[inline(always)]
    unsafe fn turn_page(&mut self, orders: &Facts, estate: *mut pg_sys::EState) -> bool {
        // SAFETY: by contract.
        unsafe {
            let rows = self.identities.next_run();
            self.pinned.go_to(orders, estate, self.identities.block(), rows);
            self.identities.step()
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
            self.pinned.let_go();
            let store = self.store;
            self.store = std::ptr::null_mut();
            if !store.is_null() {
                clear(self.store_slot);
                raw::tuplestore_end(store);
            }
        }
    }
}

/// A slot for what is handed on of the rows of `child`.
///
/// # Safety
/// As `Spool::begin`.
unsafe fn new_slot(
    child: *mut pg_sys::PlanState,
    estate: *mut pg_sys::EState,
) -> *mut pg_sys::TupleTableSlot {
    // SAFETY: by contract.
    #[allow(ffi_unwind_calls, reason = "called by bare frames, which own nothing")]
    unsafe {
        compat::alloc_table_slot(
            &raw mut (*estate).es_tupleTable,
            raw::ExecGetResultType(child),
            &raw const pg_sys::TTSOpsVirtual,
        )
    }
}
