//! The settings that a script sets for itself, while it is checked: a migration that declares a budget
//! is judged with it. Only those that the guard's verdict hangs on are followed: safedelete's own,
//! search_path and the role. All is undone when the check ends.
//!
//! A script counts as one transaction, as migration tools run it, unless it says BEGIN itself.

use std::collections::HashMap;

use crate::pg::pg_sys;
use pgrx::pg_sys::NodeTag;

use crate::pg::attempt::{Failure, attempt};
use crate::pg::{frame, nodes, raw, text};

/// What the script creates, by name.
#[derive(Clone, Copy, PartialEq)]
pub enum Created {
    Table,
    /// Never guarded.
    TemporaryTable,
    View,
}

/// Settings since BEGIN or SAVEPOINT.
struct Level {
    nest: i32,
    savepoint: Option<String>,
    set: Vec<*mut pg_sys::VariableSetStmt>,
}

pub struct Session {
    whole: i32,
    /// Empty outside BEGIN and COMMIT.
    levels: Vec<Level>,
    /// PREPARE's statements by name, with the types that they declare.
    pub prepared: HashMap<String, (*mut pg_sys::Node, *mut pg_sys::List)>,
    pub created: HashMap<String, Created>,
}

fn new_level() -> i32 {
    // SAFETY: as a function with SET clauses begins; an error undoes it with the transaction.
    unsafe { pg_sys::NewGUCNestLevel() }
}

/// Undoes what was set since `new_level`.
fn end_level(level: i32) {
    // SAFETY: ends what `new_level` has begun.
    unsafe { pg_sys::AtEOXact_GUC(false, level) }
}

impl Session {
    pub fn begin() -> Session {
        Session { whole: new_level(), levels: Vec::new(), prepared: HashMap::new(), created: HashMap::new() }
    }

    pub fn end(self) {
        end_level(self.whole);
    }

    /// BEGIN, COMMIT, ROLLBACK and savepoints of the script.
    ///
    /// # Safety
    /// `statement` is of the script.
    pub unsafe fn transaction(&mut self, statement: *mut pg_sys::TransactionStmt) {
        use pg_sys::TransactionStmtKind::*;
        // SAFETY: by contract.
        let (kind, name) = unsafe { ((*statement).kind, text::from_server((*statement).savepoint_name)) };
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
                let kept: Vec<_> = self.levels.iter().flat_map(|level| level.set.clone()).collect();
                if let Some(first) = self.levels.first() {
                    end_level(first.nest);
                }
                self.levels.clear();
                if kind == TRANS_STMT_COMMIT {
                    // SAFETY: a statement of the script.
                    let lasting = kept.into_iter().filter(|statement| unsafe { !(**statement).is_local });
                    lasting.for_each(|statement| self.apply(statement));
                }
            }
            _ => {}
        }
    }

    fn push(&mut self, savepoint: Option<String>) {
        self.levels.push(Level { nest: new_level(), savepoint, set: Vec::new() });
    }

    /// Undoes what was set since a savepoint; gives it.
    fn pop_to(&mut self, savepoint: &Option<String>) -> Vec<*mut pg_sys::VariableSetStmt> {
        let Some(at) = self.levels.iter().rposition(|level| level.savepoint == *savepoint) else {
            return Vec::new();
        };
        end_level(self.levels[at].nest);
        self.levels.drain(at..).flat_map(|level| level.set).collect()
    }

    /// A table or a view that the script creates.
    ///
    /// # Safety
    /// `statement` is CREATE TABLE, CREATE TABLE AS or CREATE VIEW.
    pub unsafe fn creates(&mut self, statement: *mut pg_sys::Node) {
        // SAFETY: by contract; each cast follows the tag.
        let (name, view) = unsafe {
            match nodes::tag(statement) {
                NodeTag::T_CreateStmt => ((*statement.cast::<pg_sys::CreateStmt>()).relation, false),
                NodeTag::T_ViewStmt => ((*statement.cast::<pg_sys::ViewStmt>()).view, true),
                _ => ((*(*statement.cast::<pg_sys::CreateTableAsStmt>()).into).rel, false),
            }
        };
        // SAFETY: a RangeVar.
        let (table, persistence) =
            unsafe { (text::from_server((*name).relname), (*name).relpersistence as u8) };
        let kind = match (view, persistence) {
            (true, _) => Created::View,
            (false, pg_sys::RELPERSISTENCE_TEMP) => Created::TemporaryTable,
            _ => Created::Table,
        };
        self.created.insert(table.unwrap_or_default(), kind);
    }

    /// DISCARD ALL resets every setting.
    pub fn discard(&mut self) {
        // SAFETY: as RESET ALL; undone with the level.
        unsafe { pg_sys::ResetAllOptions() };
    }

    /// SET and RESET.
    ///
    /// # Errors
    /// What PostgreSQL says of it.
    ///
    /// # Safety
    /// `statement` is of the script.
    pub unsafe fn set(&mut self, statement: *mut pg_sys::VariableSetStmt) -> Result<(), Failure> {
        // SAFETY: by contract; RESET ALL has no name.
        let (name, all) = unsafe {
            let all = (*statement).kind == pg_sys::VariableSetKind::VAR_RESET_ALL;
            (text::from_server((*statement).name).unwrap_or_default(), all)
        };
        let followed = name.starts_with("safedelete.")
            || matches!(name.as_str(), "search_path" | "role" | "session_authorization");
        if !followed && !all {
            return Ok(());
        }
        // Tried first where an error can be stopped; what is tried is rolled back.
        attempt(|| apply(statement))?;
        self.apply(statement);
        Ok(())
    }

    fn apply(&mut self, statement: *mut pg_sys::VariableSetStmt) {
        apply(statement);
        if let Some(level) = self.levels.last_mut() {
            level.set.push(statement);
        }
    }
}

fn apply(statement: *mut pg_sys::VariableSetStmt) {
    frame::call(|| {
        #[allow(ffi_unwind_calls, reason = "inside frame::call; the closure owns nothing")]
        // SAFETY: a statement of the script.
        unsafe {
            raw::ExecSetVariableStmt(statement, false)
        }
    });
}
