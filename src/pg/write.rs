//! What a statement writes, read off its Query before it is planned or off its plan. The one place where
//! PostgreSQL's kind of a statement becomes a command.

use safedelete_core::command::Command;

use super::nodes::{self, Node};
use super::pg_sys;

/// What a statement, or a part of one, writes of what was there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Write {
    pub command: Command,
    /// The relation that it names.
    pub relation: pg_sys::Oid,
    /// `ONLY`, or a table that PostgreSQL treats so.
    pub only: bool,
}

impl Write {
    /// What a Query writes; `None` where it changes no row that was there. Owns and allocates nothing, so bare
    /// frames may call it.
    #[inline]
    pub fn of_query(query: Node<pg_sys::Query>) -> Option<Write> {
        let none = pg_sys::OnConflictAction::ONCONFLICT_NONE;
        let command = command(query.commandType, || query.onConflict().map_or(none, |c| c.action))?;
        let entry = query.rtable().number(query.resultRelation as u32)?;
        Some(Write { command, relation: entry.relid, only: !entry.inh })
    }

    /// What a ModifyTable of a plan writes; likewise.
    ///
    /// # Safety
    /// `modify` is of a plan whose range table is `rtable`.
    #[inline]
    pub unsafe fn of_plan(rtable: *const pg_sys::List, modify: *mut pg_sys::ModifyTable) -> Option<Write> {
        // SAFETY: by contract.
        unsafe {
            let command = command((*modify).operation, || (*modify).onConflictAction)?;
            let entry = nodes::range_table_entry(rtable, (*modify).nominalRelation)?;
            Some(Write { command, relation: (*entry).relid, only: !(*entry).inh })
        }
    }

    /// How many of so many rows are gone from the table, where the command alone says so.
    #[inline]
    pub fn deletes(self, rows: u64) -> u64 {
        if self.command == Command::Delete { rows } else { 0 }
    }
}

/// The command of a statement that changes rows that were there: an INSERT does where it updates them on conflict.
#[inline]
fn command(
    kind: pg_sys::CmdType::Type,
    on_conflict: impl FnOnce() -> pg_sys::OnConflictAction::Type,
) -> Option<Command> {
    match kind {
        pg_sys::CmdType::CMD_DELETE => Some(Command::Delete),
        pg_sys::CmdType::CMD_UPDATE => Some(Command::Update),
        pg_sys::CmdType::CMD_MERGE => Some(Command::Merge),
        pg_sys::CmdType::CMD_INSERT => {
            (on_conflict() == pg_sys::OnConflictAction::ONCONFLICT_UPDATE).then_some(Command::Upsert)
        }
        _ => None,
    }
}
