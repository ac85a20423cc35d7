//! The settings that a script sets for itself, while it is checked: a migration that declares a budget
//! is judged with it. Only those that the guard's verdict hangs on are followed: safedelete's own,
//! search_path and the role. All is undone when the check ends.
//!
//! A script counts as one transaction, as migration tools run it, unless it says BEGIN itself.

use std::collections::HashMap;

use crate::pg::pg_sys;

use crate::pg::attempt::{Failure, attempt};
use crate::pg::context::Context;
use crate::pg::nodes::{Node, Nodes};
use crate::pg::{growing, guc, text};

/// What the script creates, by name.
#[derive(Clone, Copy, PartialEq)]
pub enum Created {
    Table,
    /// Never guarded.
    TemporaryTable,
    View,
}

/// Part of a script that is needed after its statement, in memory of its own.
struct Kept<T: 'static> {
    copy: Node<'static, T>,
    _memory: Context,
}

impl<T> Kept<T> {
    fn node(&self) -> Node<'_, T> {
        self.copy
    }
}

/// Settings since BEGIN or SAVEPOINT: the last of each name, local or not.
struct NestLevel {
    nest: guc::NestLevel,
    savepoint: Option<String>,
    set: Vec<Kept<pg_sys::VariableSetStmt>>,
}

pub struct Session {
    whole: guc::NestLevel,
    /// Empty outside BEGIN and COMMIT.
    levels: Vec<NestLevel>,
    prepared: HashMap<String, Kept<pg_sys::PrepareStmt>>,
    created: HashMap<String, Created>,
    may_have_dropped: bool,
    /// Above that of what is kept.
    memory: Context,
}

impl Session {
    pub fn begin() -> Session {
        Session {
            whole: guc::NestLevel::begin(),
            levels: Vec::new(),
            prepared: HashMap::new(),
            created: HashMap::new(),
            may_have_dropped: false,
            memory: Context::new(c"safedelete session of a script"),
        }
    }

    pub fn end(self) {
        self.whole.undo();
    }

    /// BEGIN, COMMIT, ROLLBACK and savepoints of the script.
    pub fn transaction(&mut self, statement: Node<pg_sys::TransactionStmt>) {
        use pg_sys::TransactionStmtKind::*;
        let (kind, name) = (statement.kind, statement.savepoint_name().map(text::from_server));
        match kind {
            TRANS_STMT_BEGIN | TRANS_STMT_START if self.levels.is_empty() => self.push(None),
            TRANS_STMT_SAVEPOINT if !self.levels.is_empty() => self.push(name),
            TRANS_STMT_ROLLBACK_TO => {
                self.pop_to(&name);
                self.push(name);
            }
            TRANS_STMT_RELEASE => {
                let kept = self.pop_to(&name);
                kept.into_iter().for_each(|statement| self.apply(statement));
            }
            TRANS_STMT_COMMIT | TRANS_STMT_ROLLBACK => {
                let levels = std::mem::take(&mut self.levels);
                if let Some(first) = levels.first() {
                    first.nest.undo();
                }
                if kind == TRANS_STMT_COMMIT {
                    let kept = levels.into_iter().flat_map(|level| level.set);
                    let lasting = kept.filter(|statement| !statement.node().is_local);
                    lasting.for_each(|statement| self.apply(statement));
                }
            }
            _ => {}
        }
    }

    fn push(&mut self, savepoint: Option<String>) {
        growing::push(
            &mut self.levels,
            NestLevel { nest: guc::NestLevel::begin(), savepoint, set: Vec::new() },
        );
    }

    /// Undoes what was set since a savepoint; gives it.
    fn pop_to(&mut self, savepoint: &Option<String>) -> Vec<Kept<pg_sys::VariableSetStmt>> {
        let Some(at) = self.levels.iter().rposition(|level| level.savepoint == *savepoint) else {
            return Vec::new();
        };
        self.levels[at].nest.undo();
        self.levels.drain(at..).flat_map(|level| level.set).collect()
    }

    /// A table or a view that the script creates.
    pub fn creates(&mut self, name: Option<Node<pg_sys::RangeVar>>, view: bool) {
        let Some(name) = name else { return };
        let (table, persistence) = (name.relname().map(text::from_server), name.relpersistence as u8);
        let kind = match (view, persistence) {
            (true, _) => Created::View,
            (false, pg_sys::RELPERSISTENCE_TEMP) => Created::TemporaryTable,
            _ => Created::Table,
        };
        growing::insert(&mut self.created, table.unwrap_or_default(), kind);
    }

    /// What the script has created by this name.
    pub fn created(&self, name: &str) -> Option<Created> {
        self.created.get(name).copied()
    }

    /// A statement of the script has been judged.
    pub fn note(&mut self, statement: Node) {
        use pg_sys::NodeTag::*;
        self.may_have_dropped |= !matches!(
            statement.tag(),
            T_SelectStmt
                | T_InsertStmt
                | T_DeleteStmt
                | T_UpdateStmt
                | T_MergeStmt
                | T_TruncateStmt
                | T_TransactionStmt
                | T_VariableSetStmt
                | T_CreateStmt
        );
    }

    /// Whether what is in the catalogs may be gone when the script comes here: another statement than the usual ones
    /// has been before.
    pub fn may_have_dropped(&self) -> bool {
        self.may_have_dropped
    }

    pub fn prepare(&mut self, statement: Node<pg_sys::PrepareStmt>) {
        let name = statement.name().map(text::from_server).unwrap_or_default();
        let kept = self.keep(statement);
        growing::insert(&mut self.prepared, name, kept);
    }

    /// A statement that the script has prepared, and the types that it declares.
    pub fn prepared(&self, name: &str) -> Option<(Node<'_>, Nodes<'_, pg_sys::TypeName>)> {
        let statement = self.prepared.get(name)?.node();
        Some((statement.query()?, statement.argtypes()))
    }

    /// DEALLOCATE; `None` is ALL.
    pub fn deallocate(&mut self, name: Option<&str>) {
        match name {
            Some(name) => drop(self.prepared.remove(name)),
            None => self.prepared.clear(),
        }
    }

    fn keep<T>(&self, node: Node<T>) -> Kept<T> {
        let memory = self.memory.within(|| Context::small(c"safedelete statement of a script"));
        let copy = memory.within(|| node.copy());
        Kept { copy, _memory: memory }
    }

    /// DISCARD ALL resets every setting.
    pub fn discard(&mut self) {
        pg_sys::ResetAllOptions();
    }

    /// SET and RESET.
    ///
    /// # Errors
    /// What PostgreSQL says of it.
    pub fn set(&mut self, statement: Node<pg_sys::VariableSetStmt>) -> Result<(), Failure> {
        // RESET ALL has no name.
        let name = statement.name().map(text::from_server).unwrap_or_default();
        let all = statement.kind == pg_sys::VariableSetKind::VAR_RESET_ALL;
        let followed = name.starts_with("safedelete.")
            || matches!(name.as_str(), "search_path" | "role" | "session_authorization");
        if !followed && !all {
            return Ok(());
        }
        // Tried first where an error can be stopped; what is tried is rolled back.
        attempt(|| statement.apply())?;
        if self.levels.is_empty() {
            statement.apply();
        } else {
            self.apply(self.keep(statement));
        }
        Ok(())
    }

    fn apply(&mut self, statement: Kept<pg_sys::VariableSetStmt>) {
        statement.node().apply();
        if let Some(level) = self.levels.last_mut() {
            level.set.retain(|earlier| !earlier.is_superseded_by(&statement));
            level.set.push(statement);
        }
    }
}

impl Kept<pg_sys::VariableSetStmt> {
    /// Whether a later statement sets the same, for as long.
    fn is_superseded_by(&self, later: &Self) -> bool {
        let (own, later) = (self.node(), later.node());
        // RESET ALL has no name.
        own.is_local == later.is_local && own.name() == later.name()
    }
}
