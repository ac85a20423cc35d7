//! Rows of any width, packed into chunks of memory up to work_mem: what an UPDATE selects to write, and
//! a DELETE whose rows carry more than their identities. A row is its values as a slot holds them,
//! with what they point to behind them, so it is handed on by pointing the slot at it. A tuplestore
//! would form a tuple of each row and take it apart again. Called by spool.rs for the guard's bare
//! frames; owns nothing of Rust's.

use crate::pg::pg_sys;
use pgrx::varlena;
use std::mem::MaybeUninit;

use crate::pg::slots::{get_some_attributes, point};
use crate::pg::{compat, raw};

/// A piece of memory that rows are packed into, one after another. They follow its head.
#[repr(C)]
struct Chunk {
    next: *mut Chunk,
    /// Where its rows end, once no more are kept in it.
    end: *mut u8,
    /// With the head.
    size: usize,
}

/// The head of a row; its values, its NULL flags and what the values point to follow.
#[repr(C)]
struct Row {
    /// A multiple of 8, and whether it is a row that came `AGAIN`.
    size: usize,
}

const AGAIN: usize = 1;

/// Zeroed, it is empty.
#[repr(C)]
pub struct Packed {
    first: *mut Chunk,
    last: *mut Chunk,
    /// Where the next row goes in the last chunk, and where that ends.
    free: *mut u8,
    end: *mut u8,
    bytes: usize,
    pub rows: u64,
    /// The length of each column's type, as pg_type.typlen; 0 where it is passed by value.
    lengths: *mut i16,
    columns: usize,
    /// What every row takes for its values, without what they point to.
    head: usize,
    /// What every row takes, where no column's length varies; 0 where one's does.
    fixed: usize,
    /// The chunk that is handed on, where its next row stands, and where they end.
    reading: *mut Chunk,
    next: *mut u8,
    until: *mut u8,
    /// How many have been handed on that had not come before, where that is told.
    handed_on: u64,
    /// How many were left out since somebody took the number.
    left_out: u64,
}

/// PostgreSQL rounds small pieces of memory up to powers of two.
const FIRST_CHUNK: usize = 1024;
const LARGEST_CHUNK: usize = 1024 * 1024;

/// What a Datum is aligned to; MAXALIGN.
const fn aligned(size: usize) -> usize {
    size.next_multiple_of(8)
}

const TID: usize = size_of::<pg_sys::ItemPointerData>();

/// Keeps a row; not, where it does not fit into work_mem any more, or has a value that only PostgreSQL
/// knows how to copy. The first go to the memory that is lent `here`. `again`, it need not be handed on where all
/// that were handed on before have been written.
///
/// # Safety
/// `slot` holds a row, the same kind of row each time; `here` and the memory of `estate` live as long as `packed`;
/// no frame above owns anything.
#[inline(always)]
#[allow(ffi_unwind_calls, reason = "called by bare frames, which own nothing")]
pub unsafe fn keep(
    packed: &mut Packed,
    slot: *mut pg_sys::TupleTableSlot,
    here: &mut [MaybeUninit<u64>],
    estate: *mut pg_sys::EState,
    again: bool,
) -> bool {
    // SAFETY: by contract; the slot's arrays hold as many columns as its descriptor has.
    unsafe {
        let mut size = packed.fixed;
        if size == 0 {
            size = row_size(packed, slot, here, estate);
        }
        let columns = packed.columns;
        get_some_attributes(slot, columns as i32);
        if size > packed.end.addr() - packed.free.addr() && !add_chunk(packed, size, estate) {
            return false;
        }
        let row = packed.free;
        packed.free = row.add(size);
        packed.rows += 1;
        row.cast::<Row>().write(Row { size: size | (usize::from(again) * AGAIN) });
        let (values, nulls, lengths) = ((*slot).tts_values, (*slot).tts_isnull, packed.lengths);
        let own_values = row.add(size_of::<Row>()).cast::<pg_sys::Datum>();
        let own_nulls = own_values.add(columns).cast::<bool>();
        let mut data = row.add(packed.head);
        for i in 0..columns {
            let (mut value, is_null, length) = (*values.add(i), *nulls.add(i), *lengths.add(i));
            if length != 0 && !is_null {
                let from = value.cast_mut_ptr::<u8>();
                value = pg_sys::Datum::from(data);
                data = data.add(if length as usize == TID {
                    // Every row has one.
                    std::ptr::copy_nonoverlapping(from, data, TID);
                    aligned(TID)
                } else {
                    copy(from, data, length)
                });
            }
            own_nulls.add(i).write(is_null);
            own_values.add(i).write(value);
        }
        true
    }
}

/// Copies a value that is passed by reference; how much room it takes.
///
/// # Safety
/// It is of a type of that length, and `referred` knows how many bytes it has, for which there is room.
#[inline(never)]
unsafe fn copy(from: *mut u8, to: *mut u8, length: i16) -> usize {
    // SAFETY: by contract.
    unsafe {
        let bytes = referred(pg_sys::Datum::from(from), length).unwrap_or(0);
        std::ptr::copy_nonoverlapping(from, to, bytes);
        aligned(bytes)
    }
}

/// What a row takes whose size varies, or which is the first; more than there is where it cannot be kept.
///
/// # Safety
/// As `keep`.
#[inline(never)]
#[allow(ffi_unwind_calls, reason = "called by bare frames, which own nothing")]
unsafe fn row_size(
    packed: &mut Packed,
    slot: *mut pg_sys::TupleTableSlot,
    here: &mut [MaybeUninit<u64>],
    estate: *mut pg_sys::EState,
) -> usize {
    // SAFETY: by contract.
    unsafe {
        if packed.first.is_null() {
            learn(packed, (*slot).tts_tupleDescriptor, here, (*estate).es_query_cxt);
            if packed.fixed > 0 {
                return packed.fixed;
            }
        }
        get_some_attributes(slot, packed.columns as i32);
        let mut size = packed.head;
        for i in 0..packed.columns {
            let length = *packed.lengths.add(i);
            if length != 0 && !*(*slot).tts_isnull.add(i) {
                match referred(*(*slot).tts_values.add(i), length) {
                    Some(bytes) => size += aligned(bytes),
                    None => return usize::MAX,
                }
            }
        }
        size
    }
}

/// How many bytes a value has that is passed by reference, where they can be copied as they are.
///
/// # Safety
/// `value` is of a type of that length, and not NULL.
#[inline(always)]
#[allow(ffi_unwind_calls, reason = "called by bare frames, which own nothing")]
unsafe fn referred(value: pg_sys::Datum, length: i16) -> Option<usize> {
    if length > 0 {
        return Some(length as usize);
    }
    // SAFETY: by contract: a varlena, or a C string.
    unsafe {
        if length == -1 && varlena::varatt_is_1b_e(value.cast_mut_ptr()) {
            // Out of line, or expanded in memory that may go.
            return None;
        }
        Some(raw::datumGetSize(value, false, i32::from(length)))
    }
}

/// Begins another chunk that has room for `size` bytes; not, where that is more than work_mem has.
///
/// # Safety
/// As `keep`.
#[cold]
#[allow(ffi_unwind_calls, reason = "called by bare frames, which own nothing")]
unsafe fn add_chunk(packed: &mut Packed, size: usize, estate: *mut pg_sys::EState) -> bool {
    // SAFETY: by contract; the chunk is initialised before it is linked.
    unsafe {
        let most = (pg_sys::work_mem as usize).saturating_mul(1024);
        let twice = ((*packed.last).size * 2).clamp(FIRST_CHUNK, LARGEST_CHUNK);
        let room = twice.max(size.saturating_add(size_of::<Chunk>()));
        if packed.bytes.saturating_add(room) > most {
            return false;
        }
        let chunk = raw::MemoryContextAllocHuge((*estate).es_query_cxt, room).cast::<Chunk>();
        (*packed.last).end = packed.free;
        (*packed.last).next = chunk;
        begin(packed, chunk, room);
        packed.bytes += room;
        true
    }
}

/// # Safety
/// `chunk` has `size` bytes.
unsafe fn begin(packed: &mut Packed, chunk: *mut Chunk, size: usize) {
    // SAFETY: by contract.
    unsafe {
        chunk.write(Chunk { next: std::ptr::null_mut(), end: std::ptr::null_mut(), size });
        packed.free = chunk.add(1).cast();
        packed.end = chunk.cast::<u8>().add(size);
    }
    packed.last = chunk;
}

/// # Safety
/// As `keep`.
#[inline(never)]
#[allow(ffi_unwind_calls, reason = "called by bare frames, which own nothing")]
unsafe fn learn(
    packed: &mut Packed,
    descriptor: pg_sys::TupleDesc,
    here: &mut [MaybeUninit<u64>],
    context: pg_sys::MemoryContext,
) {
    // SAFETY: by contract.
    unsafe {
        let columns = (*descriptor).natts as usize;
        packed.columns = columns;
        packed.head = size_of::<Row>() + columns * size_of::<pg_sys::Datum>() + aligned(columns);
        let bytes = columns * size_of::<i16>();
        // A part of what is here, where that leaves enough.
        let part = if bytes < size_of_val(here) / 4 { bytes.div_ceil(size_of::<u64>()) } else { 0 };
        let (lengths, rest) = here.split_at_mut(part);
        packed.lengths = if part > 0 {
            lengths.as_mut_ptr().cast()
        } else {
            raw::MemoryContextAllocHuge(context, bytes.max(1)).cast()
        };
        packed.fixed = packed.head;
        for i in 0..columns {
            let length = compat::column_length(descriptor, i);
            *packed.lengths.add(i) = length;
            if length < 0 {
                packed.fixed = 0;
            } else if packed.fixed > 0 {
                packed.fixed += aligned(length as usize);
            }
        }
        packed.first = rest.as_mut_ptr().cast();
        begin(packed, packed.first, size_of_val(rest));
    }
}

/// Nothing is kept any more; what is there is handed on.
pub fn turn_to_reading(packed: &mut Packed) {
    // SAFETY: the last chunk, where there is one.
    if let Some(last) = unsafe { packed.last.as_mut() } {
        last.end = packed.free;
        packed.reading = packed.first;
        // SAFETY: the rows of a chunk follow its head.
        (packed.next, packed.until) = unsafe { (packed.first.add(1).cast(), (*packed.first).end) };
    }
}

/// Points the slot at the next row; not, where all have been handed on.
///
/// # Safety
/// `slot` is virtual and of the rows' kind; turned to reading.
#[inline(always)]
#[allow(ffi_unwind_calls, reason = "called by bare frames, which own nothing")]
pub unsafe fn hand_on(packed: &mut Packed, slot: *mut pg_sys::TupleTableSlot) -> bool {
    // SAFETY: by contract; rows stand where `keep` put them.
    unsafe {
        if packed.next == packed.until && !turn_chunk(packed) {
            return false;
        }
        let row = packed.next.cast::<Row>();
        packed.next = packed.next.add((*row).size & !AGAIN);
        let values = row.add(1).cast::<pg_sys::Datum>();
        point(slot, values, values.add(packed.columns).cast());
        true
    }
}

/// The same of rows of which some came again: these are left out where the statement has written as many rows as were
/// handed on, for each of those writes one, so theirs is among them.
///
/// # Safety
/// As `hand_on`, of an execution in `estate`.
#[inline(always)]
#[allow(ffi_unwind_calls, reason = "called by bare frames, which own nothing")]
pub unsafe fn hand_on_once(
    packed: &mut Packed,
    slot: *mut pg_sys::TupleTableSlot,
    estate: *const pg_sys::EState,
) -> bool {
    // SAFETY: by contract; rows stand where `keep` put them.
    unsafe {
        let written = (*estate).es_processed;
        while packed.next != packed.until || turn_chunk(packed) {
            let size = (*packed.next.cast::<Row>()).size;
            if size & AGAIN == 0 {
                packed.handed_on += 1;
                return hand_on(packed, slot);
            }
            if written != packed.handed_on {
                return hand_on(packed, slot);
            }
            packed.next = packed.next.add(size & !AGAIN);
            packed.left_out += 1;
        }
        false
    }
}

/// How many rows were left out since this was asked.
#[inline(always)]
pub fn take_left_out(packed: &mut Packed) -> u64 {
    std::mem::take(&mut packed.left_out)
}

/// Goes to the next chunk; not, where there is none.
///
/// # Safety
/// As `hand_on`.
#[cold]
unsafe fn turn_chunk(packed: &mut Packed) -> bool {
    // SAFETY: by contract; a chunk that is begun is given a row.
    unsafe {
        let Some(chunk) = packed.reading.as_ref() else { return false };
        packed.reading = chunk.next;
        let Some(next) = chunk.next.as_ref() else { return false };
        (packed.next, packed.until) = (chunk.next.add(1).cast(), next.end);
        true
    }
}
