//! A statement that is looked at while it runs, in a copy: C code may go on in the same subtransaction after an error
//! that it has swallowed, and free what it runs.

use super::nodes::Node;
use super::{pg_sys, raw};

/// A copy, in memory of its own, which goes with the running subtransaction at the latest. For bare frames.
#[derive(Clone, Copy)]
pub struct Copied {
    node: Node<'static>,
    memory: pg_sys::MemoryContext,
}

impl Copied {
    /// Raises where memory runs out.
    ///
    /// # Safety
    /// No frame above owns anything.
    #[cold]
    #[allow(ffi_unwind_calls, reason = "see the contract")]
    pub unsafe fn of(node: Node) -> Option<Copied> {
        // SAFETY: a node, which can be copied; the current memory is put back, by an error, too.
        unsafe {
            let most = pg_sys::ALLOCSET_DEFAULT_MAXSIZE as usize;
            let name = c"safedelete names".as_ptr();
            let memory =
                raw::AllocSetContextCreateInternal(pg_sys::CurTransactionContext, name, 0, 1024, most);
            let previous = pg_sys::CurrentMemoryContext;
            pg_sys::CurrentMemoryContext = memory;
            let node = Node::of(raw::copyObjectImpl(node.as_ptr().cast()).cast());
            pg_sys::CurrentMemoryContext = previous;
            Some(Copied { node: node?, memory })
        }
    }

    /// # Safety
    /// It has not been given back, and for `'t` will not be; its subtransaction is open.
    pub unsafe fn node<'t>(self) -> Node<'t> {
        self.node
    }

    /// Nobody looks at the copy any more.
    ///
    /// # Safety
    /// As for `node`, for the last time.
    pub unsafe fn give_back(self) {
        #[allow(ffi_unwind_calls, reason = "raises nothing")]
        // SAFETY: `of` has made it.
        unsafe {
            raw::MemoryContextDelete(self.memory)
        };
    }
}
