//! Backend-local state. A backend has one thread, so cells are enough: values that are copied in and out,
//! and values that are lent to one function at a time.

use std::cell::{Cell, RefCell};
use std::panic::resume_unwind;

/// A value that is copied in and out.
pub struct Local<T>(Cell<T>);

// SAFETY: a PostgreSQL backend runs extension code on its main thread only, so no two threads ever see
// the cell.
unsafe impl<T> Sync for Local<T> {}

impl<T> Local<T> {
    pub const fn new(value: T) -> Self {
        Local(Cell::new(value))
    }

    pub fn set(&self, new: T) {
        self.0.set(new);
    }

    /// Where the value is, for C code that keeps the address.
    pub const fn as_ptr(&self) -> *mut T {
        self.0.as_ptr()
    }
}

impl<T: Copy> Local<T> {
    #[inline]
    pub fn get(&self) -> T {
        self.0.get()
    }
}

impl<T: Copy, const N: usize> Local<[T; N]> {
    #[inline]
    pub fn at(&self, index: usize) -> T {
        self.cells()[index].get()
    }

    pub fn put(&self, index: usize, new: T) {
        self.cells()[index].set(new);
    }

    #[inline]
    fn cells(&self) -> &[Cell<T>] {
        let cells: &Cell<[T]> = &self.0;
        cells.as_slice_of_cells()
    }
}

/// A value that is lent to one function at a time. What runs meanwhile must not come back for it: it must not
/// call PostgreSQL code that can come back to us.
pub struct Lent<T>(RefCell<T>);

// SAFETY: as for `Local`.
unsafe impl<T> Sync for Lent<T> {}

impl<T> Lent<T> {
    pub const fn new(value: T) -> Self {
        Lent(RefCell::new(value))
    }

    /// Runs `f` on the value. For guarded code: where it is lent already, which would be a fault of ours, the
    /// statement ends with an error.
    #[inline]
    pub fn with<R>(&self, f: impl FnOnce(&mut T) -> R) -> R {
        match self.0.try_borrow_mut() {
            Ok(mut value) => f(&mut value),
            Err(_) => lent_twice(),
        }
    }

    /// The same for bare frames; `None` where it is lent already.
    #[inline]
    pub fn try_with<R>(&self, f: impl FnOnce(&mut T) -> R) -> Option<R> {
        self.0.try_borrow_mut().ok().map(|mut value| f(&mut value))
    }
}

#[cold]
fn lent_twice() -> ! {
    resume_unwind(Box::new("a value of the session's is used while it changes"))
}
