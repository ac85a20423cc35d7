//! Backend-local state. A backend has one thread, so a cell is enough; what is asked of callers
//! is not to hold the borrow across a call into PostgreSQL, which may come back to us.

use std::cell::UnsafeCell;

pub struct Local<T>(UnsafeCell<T>);

// SAFETY: a PostgreSQL backend runs extension code on its main thread only (pgrx checks it at
// every guarded call), so no two threads ever see the cell.
unsafe impl<T> Sync for Local<T> {}

impl<T> Local<T> {
    pub const fn new(value: T) -> Self {
        Local(UnsafeCell::new(value))
    }

    /// Runs `f` on the value. `f` must not call PostgreSQL code that can raise an error or call
    /// back into this library.
    pub fn with<R>(&self, f: impl FnOnce(&mut T) -> R) -> R {
        // SAFETY: one thread (above), and by the contract no second borrow while `f` runs.
        f(unsafe { &mut *self.0.get() })
    }
}

impl<T: Copy> Local<T> {
    pub fn get(&self) -> T {
        self.with(|value| *value)
    }

    pub fn set(&self, new: T) {
        self.with(|value| *value = new);
    }
}
