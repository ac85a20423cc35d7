//! What the statements of a level leave for those below: which table the write names that fires triggers, and
//! whose it is; which utility command runs. Only utility commands and such writes change it.

use super::outermost::Owner;
use super::plans;
use crate::pg::copied::Copied;
use crate::pg::execution::Execution;
use crate::pg::local::Local;
use crate::pg::nodes::Node;
use crate::pg::write::Write;
use crate::pg::{pg_sys, roles};

#[derive(Clone, Copy)]
pub struct Background {
    /// What the statement of this level writes, for the DETAIL of its cascades.
    writes: Option<Write>,
    /// The role that the statement of this level runs as; its foreign-key actions are judged by it.
    role: pg_sys::Oid,
    /// The innermost utility command, where it is DROP TABLE or DROP SCHEMA.
    utility: Option<Copied>,
    serial: u64,
}

static CURRENT: Local<Background> = Local::new(Background::NONE);

impl Background {
    pub(super) const NONE: Background =
        Background { writes: None, role: pg_sys::InvalidOid, utility: None, serial: 0 };

    /// A utility command has come to its end, and nobody looks at its copy any more.
    pub(super) fn give_back(self) {
        // SAFETY: the command's own. An error that skips this gives the memory back with its subtransaction, and
        // this value goes with the level.
        self.utility.into_iter().for_each(|copy| unsafe { copy.give_back() });
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
pub(super) fn utility<'t>() -> Option<Node<'t>> {
    // SAFETY: it is given back when the command ends, or with the subtransaction, whose abort puts the level back
    // that was current before.
    CURRENT.get().utility.map(|copy| unsafe { copy.node() })
}

/// Keeps in mind what a query writes, for its triggers, foreign keys' among them, are about to fire: a started
/// write, and the current level. Give the outcome to [`fired`].
pub fn about_to_fire(query: Execution) -> Option<Background> {
    // A foreign key's action stays under the statement that fired it.
    if plans::is_referential(query.flags()) {
        return None;
    }
    let outer = CURRENT.get();
    CURRENT.set(Background { writes: query.written(), role: roles::current().0, ..outer });
    Some(outer)
}

/// The triggers have fired.
pub fn fired(outer: Option<Background>) {
    if let Some(outer) = outer {
        CURRENT.set(outer);
    }
}

/// What `f` judges goes with what a statement writes, and is the same user's. An error puts back what was.
pub fn as_cascade_of<T>(write: Write, f: impl FnOnce() -> T) -> T {
    let outer = CURRENT.get();
    CURRENT.set(Background { writes: Some(write), role: roles::current().0, ..outer });
    let done = f();
    CURRENT.set(outer);
    done
}

/// A utility command begins; DROP TABLE and DROP SCHEMA are kept.
pub(super) fn enter(utility: Option<Copied>, serial: Owner) {
    let role = roles::current().0;
    CURRENT.set(Background { writes: None, role, utility, serial: serial.number() });
}
