//! The head of what is kept in shared memory.

use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering};

use super::stats::Stats;

/// The head of the shared memory; the ring's slots follow it.
#[repr(C)]
pub struct Memory {
    /// How many slots the ring has.
    pub(super) slots: u64,
    /// How many events have been written, ever.
    pub(super) written: AtomicU64,
    /// The number of the newest; those that a file brought have theirs.
    pub(super) last_id: AtomicU64,
    pub(super) stats: Stats,
}

pub(super) static MEMORY: AtomicPtr<Memory> = AtomicPtr::new(std::ptr::null_mut());

impl Memory {
    pub fn stats(&self) -> &Stats {
        &self.stats
    }
}

/// The shared memory; `None` where the library was not preloaded.
#[inline]
pub fn memory() -> Option<&'static Memory> {
    // SAFETY: set once, by `startup`, to memory that lives as long as the server and holds atomics.
    unsafe { MEMORY.load(Ordering::Relaxed).as_ref() }
}
