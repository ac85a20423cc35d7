//! What the statements of a level leave for those below: which table the write names that fires triggers, and
//! whose it is; which utility command runs. Only utility commands and such writes change it.

use pgrx::pg_sys::NodeTag;

use super::outermost::Owner;
use super::plans;
use crate::pg::execution::Execution;
use crate::pg::local::Local;
use crate::pg::write::Write;
use crate::pg::{nodes, pg_sys, raw, roles};

#[derive(Clone, Copy)]
pub struct Background {
    /// What the statement of this level writes, for the DETAIL of its cascades.
    writes: Option<Write>,
    /// The role that the statement of this level runs as; its foreign-key actions are judged by it.
    role: pg_sys::Oid,
    /// The innermost utility command, where it is DROP TABLE or DROP SCHEMA: a copy, for C code may go on in
    /// the same subtransaction after an error that it has swallowed, and the level with it.
    utility: *mut pg_sys::Node,
    /// The memory of the copy.
    memory: pg_sys::MemoryContext,
    serial: u64,
}

static CURRENT: Local<Background> = Local::new(Background::NONE);

impl Background {
    pub(super) const NONE: Background = Background {
        writes: None,
        role: pg_sys::InvalidOid,
        utility: std::ptr::null_mut(),
        memory: std::ptr::null_mut(),
        serial: 0,
    };

    /// A utility command has come to its end, and nobody looks at its copy any more.
    pub(super) fn give_back(self) {
        if !self.memory.is_null() {
            #[allow(ffi_unwind_calls, reason = "raises nothing")]
            // SAFETY: `copy` has made it. An error that skips this gives the memory back with its parent, and
            // this value goes with the level.
            unsafe {
                raw::MemoryContextDelete(self.memory)
            };
        }
    }
}

pub(super) fn current() -> Background {
    CURRENT.get()
}

pub(super) fn go_back(to: Background) {
    CURRENT.set(to);
}

/// What the statement of this level writes.
pub fn writes() -> Option<Write> {
    CURRENT.get().writes
}

/// A number for each run of a utility command.
pub fn serial() -> u64 {
    CURRENT.get().serial
}

/// The role whose verdict a foreign-key action inherits.
pub fn firing_role() -> pg_sys::Oid {
    match CURRENT.get().role {
        // A deferred action at COMMIT: the session's role.
        pg_sys::InvalidOid => pg_sys::GetOuterUserId(),
        role => role,
    }
}

/// The innermost utility command, where it is DROP TABLE or DROP SCHEMA.
pub(super) fn utility() -> *mut pg_sys::Node {
    CURRENT.get().utility
}

/// Keeps in mind what a query writes, for its triggers, foreign keys' among them, are about to fire: a started
/// write, and the current level. Give the outcome to [`fired`].
pub fn about_to_fire(query: Execution) -> Option<Background> {
    // A foreign key's action stays under the statement that fired it.
    if plans::is_referential(query.flags()) {
        return None;
    }
    let outer = CURRENT.get();
    CURRENT.set(Background { writes: plans::written(query), role: roles::current().0, ..outer });
    Some(outer)
}

/// The triggers have fired.
pub fn fired(outer: Option<Background>) {
    if let Some(outer) = outer {
        CURRENT.set(outer);
    }
}

/// A utility command begins.
///
/// # Safety
/// `utility` is NULL or a statement; no frame above owns anything.
pub(super) unsafe fn enter(utility: *mut pg_sys::Node, serial: Owner) {
    // SAFETY: the cast follows the tag, of a statement, and the copy is of one, too.
    let (utility, memory) = unsafe {
        let names_tables = match nodes::tag(utility) {
            NodeTag::T_DropStmt => {
                let names = (*utility.cast::<pg_sys::DropStmt>()).removeType;
                matches!(names, pg_sys::ObjectType::OBJECT_TABLE | pg_sys::ObjectType::OBJECT_SCHEMA)
            }
            _ => false,
        };
        if names_tables { copy(utility) } else { (std::ptr::null_mut(), std::ptr::null_mut()) }
    };
    let role = roles::current().0;
    CURRENT.set(Background { writes: None, role, utility, memory, serial: serial.number() });
}

/// A copy of DROP TABLE or DROP SCHEMA, whose names are looked at while it runs, and its memory.
///
/// # Safety
/// As `enter`, of a statement.
#[cold]
#[allow(ffi_unwind_calls, reason = "called by a bare frame, which owns nothing")]
unsafe fn copy(utility: *mut pg_sys::Node) -> (*mut pg_sys::Node, pg_sys::MemoryContext) {
    // SAFETY: a statement is a node that can be copied; the current memory is put back. The copy lives as long
    // as the subtransaction at most, whose abort puts the level back that was current before.
    unsafe {
        let most = pg_sys::ALLOCSET_DEFAULT_MAXSIZE as usize;
        let name = c"safedelete names".as_ptr();
        let memory = raw::AllocSetContextCreateInternal(pg_sys::CurTransactionContext, name, 0, 1024, most);
        let previous = pg_sys::CurrentMemoryContext;
        pg_sys::CurrentMemoryContext = memory;
        let copy = raw::copyObjectImpl(utility.cast());
        pg_sys::CurrentMemoryContext = previous;
        (copy.cast(), memory)
    }
}
