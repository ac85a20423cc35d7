//! Rust's memory. Where the system has none left Rust aborts the process, and the postmaster then ends
//! every backend of the server. So a reserve is kept: when memory runs out it is given back, the code
//! that asked goes on with it, and `frame::guarded` raises PostgreSQL's error (53200) when that code
//! returns. What can grow without bounds asks for memory in a way that may fail.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicBool, AtomicPtr, Ordering};

struct Reserving;

#[global_allocator]
static ALLOCATOR: Reserving = Reserving;

/// Enough for what a statement needs of Rust's memory; more than what malloc takes from its heap, so
/// that it goes back to the system. Never touched, it takes none of the machine's memory.
const RESERVE: Layout = Layout::new::<[u8; 256 * 1024]>();

static KEPT: AtomicPtr<u8> = AtomicPtr::new(std::ptr::null_mut());
static EXHAUSTED: AtomicBool = AtomicBool::new(false);

// SAFETY: the system's allocator, asked once more where it fails.
unsafe impl GlobalAlloc for Reserving {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: by the trait's contract.
        unsafe { or_with_reserve(System.alloc(layout), || System.alloc(layout)) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: by the trait's contract.
        unsafe { or_with_reserve(System.alloc_zeroed(layout), || System.alloc_zeroed(layout)) }
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: by the trait's contract; a realloc that fails leaves `place` as it was.
        unsafe {
            or_with_reserve(System.realloc(place, layout, size), || System.realloc(place, layout, size))
        }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        // SAFETY: by the trait's contract.
        unsafe { System.dealloc(place, layout) }
    }
}

#[inline(always)]
fn or_with_reserve(given: *mut u8, again: impl FnOnce() -> *mut u8) -> *mut u8 {
    if !given.is_null() {
        return given;
    }
    give_back_reserve();
    again()
}

#[cold]
fn give_back_reserve() {
    EXHAUSTED.store(true, Ordering::Relaxed);
    let kept = KEPT.swap(std::ptr::null_mut(), Ordering::Relaxed);
    if !kept.is_null() {
        // SAFETY: `keep_reserve` allocated it with this layout.
        unsafe { System.dealloc(kept, RESERVE) };
    }
}

/// Sets memory aside, where there is some and none has been.
pub fn keep_reserve() {
    if KEPT.load(Ordering::Relaxed).is_null() {
        // SAFETY: the layout has a size.
        KEPT.store(unsafe { System.alloc(RESERVE) }, Ordering::Relaxed);
    }
}

/// Whether memory has run out, and nobody has been told.
#[inline(always)]
pub fn has_run_out() -> bool {
    EXHAUSTED.load(Ordering::Relaxed)
}

/// An error tells of it, or another has ended what asked for too much. Where there is no reserve yet, for
/// its memory is still in use, the end of the transaction makes it.
pub fn recover() {
    EXHAUSTED.store(false, Ordering::Relaxed);
    keep_reserve();
}
