//! Walks over trees, by PostgreSQL's walkers (nodeFuncs.c). A visitor is guarded code like any other: what it
//! raises, panics among it, passes PostgreSQL's walkers as an error does and goes on above them.

use core::ffi::c_void;

use pgrx::pg_sys::NodeTag;

use super::super::{frame, pg_sys, raw};
use super::Node;

/// Where a walk goes from a node.
#[derive(Clone, Copy)]
pub enum Walk {
    /// To what is below it; from a Query, to all that is in it.
    Into,
    Past,
    Stop,
}

/// What a walk shows its nodes, each before those below it.
pub trait Visitor<'t> {
    fn enter(&mut self, node: Node<'t>) -> Walk;

    /// After those below a node that was gone into.
    fn leave(&mut self, _: Node<'t>) {}
}

impl<'t, F: FnMut(Node<'t>) -> Walk> Visitor<'t> for F {
    fn enter(&mut self, node: Node<'t>) -> Walk {
        self(node)
    }
}

/// Walks over a node and what is below it. Whether the visitor has stopped the walk.
pub fn walk<'t, V: Visitor<'t>>(root: Node<'t>, visitor: &mut V) -> bool {
    let context: *mut V = visitor;
    // SAFETY: a node of a tree that stays for 't; the visitor is borrowed until the walk has ended.
    frame::call(|| unsafe { step::<V>(root.as_ptr(), context.cast()) })
}

/// A bare frame, called by PostgreSQL's walkers.
///
/// # Safety
/// `node` is NULL or of a tree that stays for 't, `visitor` a V that nobody else borrows.
#[allow(ffi_unwind_calls, reason = "a bare frame: it owns nothing and cannot panic")]
unsafe extern "C-unwind" fn step<'t, V: Visitor<'t>>(node: *mut pg_sys::Node, visitor: *mut c_void) -> bool {
    // SAFETY: by contract; the visitor is borrowed for no longer than it takes one step.
    unsafe {
        let Some(node) = Node::<'t>::of(node) else { return false };
        let own = visitor.cast::<V>();
        match frame::guarded(|| (*own).enter(node)) {
            Walk::Stop => return true,
            Walk::Past => return false,
            Walk::Into => {}
        }
        let stopped = match node.tag() {
            NodeTag::T_Query => raw::query_tree_walker(node.as_ptr().cast(), step::<V>, visitor, 0),
            NodeTag::T_IntList | NodeTag::T_OidList => false,
            _ => raw::expression_tree_walker(node.as_ptr(), step::<V>, visitor),
        };
        if !stopped {
            frame::guarded(|| (*own).leave(node));
        }
        stopped
    }
}

/// Whether `is` holds of a function that a node calls by itself, as operators and casts do, too.
pub fn calls<F: FnMut(pg_sys::Oid) -> bool>(node: Node, mut is: F) -> bool {
    let context: *mut F = &mut is;
    frame::call(|| {
        #[allow(ffi_unwind_calls, reason = "inside frame::call; the closure owns nothing")]
        // SAFETY: a node; `is` stays until the call has ended.
        unsafe {
            raw::check_functions_in_node(node.as_ptr(), check::<F>, context.cast())
        }
    })
}

/// A bare frame, called by check_functions_in_node.
///
/// # Safety
/// `is` is an F that nobody else borrows.
unsafe extern "C-unwind" fn check<F: FnMut(pg_sys::Oid) -> bool>(
    function: pg_sys::Oid,
    is: *mut c_void,
) -> bool {
    // SAFETY: by contract.
    frame::guarded(|| unsafe { (*is.cast::<F>())(function) })
}
