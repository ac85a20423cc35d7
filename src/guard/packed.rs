//! Rows of any width, packed into chunks of memory up to work_mem: what an UPDATE selects to write, and
//! a DELETE whose rows carry more than their identities. A row is its values as a slot holds them,
//! with what they point to behind them, so it is handed on by pointing the slot at it. A tuplestore
//! would form a tuple of each row and take it apart again. Called by spool.rs for the guard's bare
//! frames; owns nothing of Rust's.

use crate::pg::pg_sys;
use pgrx::varlena;

use super::slots::point;
use crate::pg::{compat, raw};

/// A piece of memory that rows are packed into, one after another.
#[repr(C)]
struct Chunk {
    next: *mut Chunk,
    used: usize,
    size: usize,
}

/// The head of a row; its values, its NULL flags and what the values point to follow.
#[repr(C)]
struct Row {
    size: usize,
}

#[repr(C)]
pub struct Packed {
    first: *mut Chunk,
    last: *mut Chunk,
    bytes: usize,
    pub rows: u64,
    /// The length of each column's type, as pg_type.typlen; 0 where it is passed by value.
    lengths: *mut i16,
    columns: usize,
    /// What every row takes, where no column's length varies; 0 where one's does.
    fixed: usize,
    /// Where the next row to be handed on stands.
    reading: *mut Chunk,
    offset: usize,
}

const FIRST_CHUNK: usize = 1024;
const LARGEST_CHUNK: usize = 1024 * 1024;

/// What a Datum is aligned to; MAXALIGN.
const fn aligned(size: usize) -> usize {
    size.next_multiple_of(8)
}

const TID: usize = size_of::<pg_sys::ItemPointerData>();

/// What a row takes for its values, without what they point to.
#[inline(always)]
const fn head(columns: usize) -> usize {
    size_of::<Row>() + columns * size_of::<pg_sys::Datum>() + aligned(columns)
}

/// Keeps a row; not, where it does not fit into work_mem any more, or has a value that only PostgreSQL
/// knows how to copy.
///
/// # Safety
/// `slot` holds a row, the same kind of row each time; `context` lives as long as `packed`.
#[inline]
#[allow(ffi_unwind_calls, reason = "called by bare frames, which own nothing")]
pub unsafe fn keep(
    packed: &mut Packed,
    slot: *mut pg_sys::TupleTableSlot,
    context: pg_sys::MemoryContext,
) -> bool {
    // SAFETY: by contract; the slot's arrays hold as many columns as its descriptor has.
    unsafe {
        if packed.lengths.is_null() {
            learn(packed, (*slot).tts_tupleDescriptor, context);
        }
        let columns = packed.columns;
        if usize::from((*slot).tts_nvalid as u16) < columns {
            raw::slot_getsomeattrs_int(slot, columns as i32);
        }
        let (values, nulls) = ((*slot).tts_values, (*slot).tts_isnull);
        let mut size = packed.fixed;
        if size == 0 {
            size = head(columns);
            for i in 0..columns {
                let length = *packed.lengths.add(i);
                if length != 0 && !*nulls.add(i) {
                    size += match referred(*values.add(i), length) {
                        Some(bytes) => aligned(bytes),
                        None => return false,
                    };
                }
            }
        }
        let Some(row) = place(packed, size, context) else { return false };
        (*row).size = size;
        let own_values = row.add(1).cast::<pg_sys::Datum>();
        let own_nulls = own_values.add(columns).cast::<bool>();
        let mut data = row.cast::<u8>().add(head(columns));
        for i in 0..columns {
            let (value, is_null) = (*values.add(i), *nulls.add(i));
            let length = *packed.lengths.add(i);
            *own_nulls.add(i) = is_null;
            *own_values.add(i) = value;
            if length != 0 && !is_null {
                let from = value.cast_mut_ptr::<u8>();
                let mut bytes = TID;
                if length as usize == TID {
                    // Every row has one.
                    std::ptr::copy_nonoverlapping(from, data, TID);
                } else {
                    bytes = referred(value, length).unwrap_or(0);
                    std::ptr::copy_nonoverlapping(from, data, bytes);
                }
                *own_values.add(i) = pg_sys::Datum::from(data);
                data = data.add(aligned(bytes));
            }
        }
        packed.rows += 1;
        true
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

/// Room for a row, in chunks up to work_mem.
///
/// # Safety
/// As `keep`.
#[inline(always)]
unsafe fn place(packed: &mut Packed, size: usize, context: pg_sys::MemoryContext) -> Option<*mut Row> {
    // SAFETY: by contract; a chunk's rows follow its head.
    unsafe {
        let mut chunk = packed.last;
        if chunk.is_null() || (*chunk).size - (*chunk).used < size {
            chunk = add_chunk(packed, size, context)?;
        }
        let row = chunk.add(1).cast::<u8>().add((*chunk).used).cast::<Row>();
        (*chunk).used += size;
        Some(row)
    }
}

/// # Safety
/// As `keep`.
#[inline(never)]
#[allow(ffi_unwind_calls, reason = "called by bare frames, which own nothing")]
unsafe fn add_chunk(packed: &mut Packed, size: usize, context: pg_sys::MemoryContext) -> Option<*mut Chunk> {
    // SAFETY: by contract; the chunk is initialised before it is linked.
    unsafe {
        let most = (pg_sys::work_mem as usize).saturating_mul(1024);
        let twice =
            if packed.last.is_null() { FIRST_CHUNK } else { ((*packed.last).size * 2).min(LARGEST_CHUNK) };
        let room = twice.max(size);
        if packed.bytes.saturating_add(room) > most {
            return None;
        }
        let chunk = raw::MemoryContextAllocHuge(context, size_of::<Chunk>() + room).cast::<Chunk>();
        chunk.write(Chunk { next: std::ptr::null_mut(), used: 0, size: room });
        if packed.last.is_null() {
            packed.first = chunk;
            packed.reading = chunk;
        } else {
            (*packed.last).next = chunk;
        }
        packed.last = chunk;
        packed.bytes += room;
        Some(chunk)
    }
}

/// # Safety
/// As `keep`.
#[inline(never)]
#[allow(ffi_unwind_calls, reason = "called by bare frames, which own nothing")]
unsafe fn learn(packed: &mut Packed, descriptor: pg_sys::TupleDesc, context: pg_sys::MemoryContext) {
    // SAFETY: by contract.
    unsafe {
        packed.columns = (*descriptor).natts as usize;
        let bytes = packed.columns.max(1) * size_of::<i16>();
        packed.lengths = raw::MemoryContextAllocHuge(context, bytes).cast();
        packed.fixed = head(packed.columns);
        for i in 0..packed.columns {
            let length = compat::column_length(descriptor, i);
            *packed.lengths.add(i) = length;
            if length < 0 {
                packed.fixed = 0;
            } else if packed.fixed > 0 {
                packed.fixed += aligned(length as usize);
            }
        }
    }
}

/// Points the slot at the next row; not, where all have been handed on.
///
/// # Safety
/// `slot` is virtual and of the rows' kind.
#[inline]
#[allow(ffi_unwind_calls, reason = "called by bare frames, which own nothing")]
pub unsafe fn hand_on(packed: &mut Packed, slot: *mut pg_sys::TupleTableSlot) -> bool {
    // SAFETY: by contract; rows stand where `keep` put them.
    unsafe {
        let mut chunk = packed.reading;
        if chunk.is_null() {
            return false;
        }
        if packed.offset >= (*chunk).used {
            chunk = (*chunk).next;
            packed.reading = chunk;
            packed.offset = 0;
            if chunk.is_null() {
                return false;
            }
        }
        let row = chunk.add(1).cast::<u8>().add(packed.offset).cast::<Row>();
        packed.offset += (*row).size;
        let values = row.add(1).cast::<pg_sys::Datum>();
        point(slot, values, values.add(packed.columns).cast());
        true
    }
}
