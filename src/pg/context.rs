//! Memory contexts of our own: what is palloc'd while one is current goes when it is emptied.

use core::ffi::CStr;

use super::pg_sys;

pub struct Context(pg_sys::MemoryContext);

impl Context {
    /// A child of the current context, which ends it where an error keeps us from doing so.
    pub fn new(name: &'static CStr) -> Context {
        // ALLOCSET_DEFAULT_SIZES
        Context::of_blocks(name, 8 * 1024, 8 * 1024 * 1024)
    }

    /// As [`Context::new`], for little.
    pub fn small(name: &'static CStr) -> Context {
        // ALLOCSET_SMALL_SIZES
        Context::of_blocks(name, 1024, 8 * 1024)
    }

    fn of_blocks(name: &'static CStr, first: usize, largest: usize) -> Context {
        // SAFETY: the name is a constant.
        Context(unsafe {
            let parent = pg_sys::CurrentMemoryContext;
            pg_sys::AllocSetContextCreateInternal(parent, name.as_ptr(), 0, first, largest)
        })
    }

    /// Takes back all that was palloc'd in it.
    pub fn empty(&mut self) {
        // SAFETY: alive, and nothing points into it but what borrows it.
        unsafe { pg_sys::MemoryContextReset(self.0) };
    }

    /// Runs `f` with the context as the current one. What it gives is `'static`, so no handle of a node that is
    /// made in the context leaves it.
    pub fn within<T: 'static>(&self, f: impl FnOnce() -> T) -> T {
        let _back = Back::from(self.0);
        f()
    }

    /// Runs `f` with the context that the context was made in.
    pub fn outside<T>(&self, f: impl FnOnce() -> T) -> T {
        // SAFETY: alive, and so is its parent.
        let _back = Back::from(unsafe { (*self.0).parent });
        f()
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        // An error that goes on may have parts in it until it is told: CopyErrorData copies the names of
        // files and functions, which ReThrowError takes as they are. The parent ends it then.
        if !std::thread::panicking() {
            // SAFETY: alive, for its parent is: the current context of whoever holds the value.
            unsafe { pg_sys::MemoryContextDelete(self.0) };
        }
    }
}

/// Runs `f` with memory that lives as long as the transaction; one runs.
pub fn of_transaction<T>(f: impl FnOnce() -> T) -> T {
    // SAFETY: a transaction has it.
    let _back = Back::from(unsafe { pg_sys::TopTransactionContext });
    f()
}

/// The context that was current before.
struct Back(pg_sys::MemoryContext);

impl Back {
    /// Makes another context the current one, which outlives the value.
    fn from(other: pg_sys::MemoryContext) -> Back {
        // SAFETY: both are alive.
        unsafe {
            let back = Back(pg_sys::CurrentMemoryContext);
            pg_sys::CurrentMemoryContext = other;
            back
        }
    }
}

impl Drop for Back {
    fn drop(&mut self) {
        // SAFETY: it outlives the call of `within` or `outside`.
        unsafe { pg_sys::CurrentMemoryContext = self.0 };
    }
}
