//! What the running TRUNCATE or DROP has met. Commands run inside one another (a trigger of TRUNCATE
//! may truncate), and an error leaves them without a word, so what is kept carries the command's
//! number and depth, and what is found to be over is let go.

use std::rc::Rc;

use crate::pg::pg_sys;
use rustc_hash::{FxHashMap, FxHashSet};
use safedelete_core::limit::Size;

use crate::levels;
use crate::pg::local::Lent;

/// What is known before a command's first relation is told of.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub enum Outlook {
    /// Nothing.
    #[default]
    Unknown,
    /// PostgreSQL is going to refuse the command.
    Refused,
    /// The command has been judged.
    Judged,
}

/// What a DROP TABLE names.
#[derive(Default)]
pub struct Named {
    pub tables: FxHashSet<pg_sys::Oid>,
    /// The one table that it names, or that is in the schemas it names.
    pub only: Option<pg_sys::Oid>,
    /// PostgreSQL is going to refuse to drop one of them.
    pub is_in_use: bool,
}

#[derive(Default)]
pub struct Running {
    depth: u32,
    /// Of which command: `levels::serial`.
    serial: u64,
    pub outlook: Outlook,
    /// Relations that have been judged: the hook may come twice.
    judged: FxHashSet<pg_sys::Oid>,
    /// Rows of dropped tables, by the tables they inherit from, which go after their parts.
    pub dropped: FxHashMap<pg_sys::Oid, Size>,
    /// The sizes of tables that an engine has counted before the command began.
    pub counted: FxHashMap<pg_sys::Oid, Size>,
    /// What a DROP names; `None` until its first table is told of.
    pub named: Option<Rc<Named>>,
    /// Tables and their sizes, to be judged should PostgreSQL not refuse the command after all.
    pub postponed: Vec<(pg_sys::Oid, Size)>,
}

static RUNNING: Lent<Vec<Running>> = Lent::new(Vec::new());

/// Calls `use_it` with what the running command has met. It must not call PostgreSQL.
pub fn with<T>(use_it: impl FnOnce(&mut Running) -> T) -> T {
    let (depth, serial) = (levels::current().depth(), levels::serial());
    RUNNING.with(|commands| {
        // What is as deep or deeper, and another, is over.
        let over =
            |command: &Running| command.depth > depth || (command.depth == depth && command.serial != serial);
        while commands.last().is_some_and(over) {
            commands.pop();
        }
        if commands.last().is_none_or(|command| command.depth < depth) {
            commands.push(Running { depth, serial, ..Running::default() });
        }
        match commands.last_mut() {
            Some(command) => use_it(command),
            None => use_it(&mut Running::default()),
        }
    })
}

impl Running {
    /// Marks a relation as judged; whether it was not.
    pub fn judge(&mut self, relation: pg_sys::Oid) -> bool {
        self.judged.insert(relation)
    }

    pub fn is_judged(&self, relation: pg_sys::Oid) -> bool {
        self.judged.contains(&relation)
    }

    /// What was marked has not been judged.
    pub fn forget(&mut self, relation: pg_sys::Oid) {
        self.judged.remove(&relation);
    }
}

/// The running command is over.
pub fn end() {
    with(|_| ());
    RUNNING.with(Vec::pop);
}
