//! Rust's memory. Where the system has none left Rust aborts the process, and the postmaster then ends
//! every backend of the server. So a reserve is kept: when the system gives no more, what is asked for comes
//! from the reserve, the code that asked goes on, and `frame::guarded` raises PostgreSQL's error (53200)
//! when that code returns. Nobody else can use the reserve up in the meantime. What can grow without bounds
//! asks for memory in a way that may fail, or is PostgreSQL's.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::UnsafeCell;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

struct Reserving;

#[global_allocator]
static ALLOCATOR: Reserving = Reserving;

/// Enough for what a statement needs of Rust's memory. Never touched, it takes none of the machine's.
const SIZE: usize = 256 * 1024;

#[repr(align(16))]
struct Reserve(UnsafeCell<[u8; SIZE]>);

// SAFETY: a PostgreSQL backend runs extension code on its main thread only.
unsafe impl Sync for Reserve {}

static RESERVE: Reserve = Reserve(UnsafeCell::new([0; SIZE]));
/// How much of the reserve is given away, from its start. It is whole again when all is given back.
static USED: AtomicUsize = AtomicUsize::new(0);
static GIVEN: AtomicUsize = AtomicUsize::new(0);
static EXHAUSTED: AtomicBool = AtomicBool::new(false);

// SAFETY: the system's allocator, and where that gives nothing, parts of the reserve that do not overlap.
unsafe impl GlobalAlloc for Reserving {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: by the trait's contract.
        let place = unsafe { System.alloc(layout) };
        if place.is_null() { from_reserve(layout) } else { place }
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: by the trait's contract.
        let place = unsafe { System.alloc_zeroed(layout) };
        if place.is_null() { zeroed(from_reserve(layout), layout) } else { place }
    }

    #[inline]
    unsafe fn realloc(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if !is_of_reserve(place) {
            // SAFETY: by the trait's contract; a realloc that fails leaves `place` as it was.
            let again = unsafe { System.realloc(place, layout, size) };
            if !again.is_null() {
                return again;
            }
        }
        // SAFETY: by the trait's contract.
        unsafe { moved(place, layout, size) }
    }

    #[inline]
    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        if is_of_reserve(place) {
            give_back();
        } else {
            // SAFETY: by the trait's contract; the system's.
            unsafe { System.dealloc(place, layout) }
        }
    }
}

#[inline]
fn is_of_reserve(place: *mut u8) -> bool {
    place.addr().wrapping_sub(RESERVE.0.get().addr()) < SIZE
}

/// A part of the reserve, or NULL where it is too small.
#[cold]
fn from_reserve(layout: Layout) -> *mut u8 {
    EXHAUSTED.store(true, Ordering::Relaxed);
    let start = RESERVE.0.get().cast::<u8>();
    let used = USED.load(Ordering::Relaxed);
    let begin = (start.addr() + used).next_multiple_of(layout.align()) - start.addr();
    let Some(end) = begin.checked_add(layout.size()).filter(|end| *end <= SIZE) else {
        return std::ptr::null_mut();
    };
    USED.store(end, Ordering::Relaxed);
    GIVEN.fetch_add(1, Ordering::Relaxed);
    start.wrapping_add(begin)
}

#[cold]
fn zeroed(place: *mut u8, layout: Layout) -> *mut u8 {
    if !place.is_null() {
        // SAFETY: `from_reserve` gave as much.
        unsafe { place.write_bytes(0, layout.size()) };
    }
    place
}

#[cold]
fn give_back() {
    if GIVEN.fetch_sub(1, Ordering::Relaxed) == 1 {
        USED.store(0, Ordering::Relaxed);
    }
}

/// Another place for what stands in `place`.
///
/// # Safety
/// As for GlobalAlloc::realloc.
#[cold]
unsafe fn moved(place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
    // SAFETY: by contract; the old and the new place do not overlap.
    unsafe {
        let again = ALLOCATOR.alloc(Layout::from_size_align_unchecked(size, layout.align()));
        if !again.is_null() {
            again.copy_from_nonoverlapping(place, layout.size().min(size));
            ALLOCATOR.dealloc(place, layout);
        }
        again
    }
}

/// Whether the system has not even as much as starting a subtransaction may take. PostgreSQL ends the session
/// where it finds none in the middle of that.
pub fn is_short() -> bool {
    const ENOUGH: Layout = Layout::new::<[u8; 96 * 1024]>();
    // SAFETY: the layout has a size; what was given is given back.
    unsafe {
        let place = System.alloc(ENOUGH);
        if !place.is_null() {
            // Otherwise the compiler may do without both.
            System.dealloc(std::hint::black_box(place), ENOUGH);
        }
        place.is_null()
    }
}

/// Whether memory has run out, and nobody has been told.
#[inline(always)]
pub fn has_run_out() -> bool {
    EXHAUSTED.load(Ordering::Relaxed)
}

/// An error tells of it, or another has ended what asked for too much.
pub fn recover() {
    EXHAUSTED.store(false, Ordering::Relaxed);
}
