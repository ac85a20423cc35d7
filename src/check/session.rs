//! The settings that a script sets for itself, while it is checked: a migration that declares a budget
//! is judged with it. Only those that the guard's verdict hangs on are followed: safedelete's own,
//! search_path and the role. All is undone when the check ends.
//!
//! A script counts as one transaction, as migration tools run it, unless it says BEGIN itself.

use std::collections::HashMap;

use pgrx::pg_sys;

use crate::pg::attempt::{Failure, attempt};
use crate::pg::{frame, raw, text};

pub struct Session {
    whole: i32,
    /// Between BEGIN and COMMIT: its level, and its settings that COMMIT keeps.
    transaction: Option<(i32, Vec<*mut pg_sys::VariableSetStmt>)>,
    /// PREPARE's statements by name.
    pub prepared: HashMap<String, *mut pg_sys::Node>,
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
        Session { whole: new_level(), transaction: None, prepared: HashMap::new() }
    }

    pub fn end(self) {
        end_level(self.whole);
    }

    /// BEGIN, COMMIT and ROLLBACK of the script.
    pub fn transaction(&mut self, kind: pg_sys::TransactionStmtKind::Type) {
        use pg_sys::TransactionStmtKind::*;
        match kind {
            TRANS_STMT_BEGIN | TRANS_STMT_START if self.transaction.is_none() => {
                self.transaction = Some((new_level(), Vec::new()));
            }
            TRANS_STMT_COMMIT | TRANS_STMT_ROLLBACK => {
                if let Some((level, kept)) = self.transaction.take() {
                    end_level(level);
                    if kind == TRANS_STMT_COMMIT {
                        kept.into_iter().for_each(apply);
                    }
                }
            }
            _ => {}
        }
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
        let name = text::from_server(unsafe { (*statement).name }).unwrap_or_default();
        let followed = name.starts_with("safedelete.") || matches!(name.as_str(), "search_path" | "role");
        if !followed {
            return Ok(());
        }
        // Tried first where an error can be stopped; what is tried is rolled back.
        attempt(|| apply(statement)).map_err(Failure::unless_interrupted)?;
        apply(statement);
        // SAFETY: by contract.
        let is_local = unsafe { (*statement).is_local };
        if let Some((_, kept)) = &mut self.transaction
            && !is_local
        {
            kept.push(statement);
        }
        Ok(())
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
