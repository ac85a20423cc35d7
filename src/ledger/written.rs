//! Which of the transaction's commands have written rows that a sum has not counted: by a command that is
//! not guarded, by a role that is not checked, or for another name of the same tree. Versions of theirs are
//! rows that were there, as far as that sum knows. All others that are no older than the sum it has counted,
//! or they were inserted.

use super::summed::Summed;
use crate::levels::Owner;
use crate::pg::local::Lent;
use crate::pg::pg_sys;

/// What versions of a command's are that update no other one.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Fresh {
    /// New rows.
    Inserted,
    /// Rows that were there, moved to another partition of a table.
    Moved(Summed),
    /// Of either kind, as a MERGE's.
    Mixed,
    /// Rows of a table that was rewritten whole.
    Rewritten,
}

/// Commands in a row, of one statement of the client's.
struct Written {
    owner: Owner,
    /// For what they were counted, if they were.
    of: Option<Summed>,
    fresh: Fresh,
    first: pg_sys::CommandId,
    last: pg_sys::CommandId,
}

struct Notes {
    /// In the order of commands, which a transaction numbers.
    written: Vec<Written>,
    /// How many of them end with a statement of the client's, and not with the transaction.
    of_statements: usize,
}

static NOTES: Lent<Notes> = Lent::new(Notes { written: Vec::new(), of_statements: 0 });

/// Notes a command that has written rows: for nobody's sum, or for one name of a tree.
pub(super) fn note(owner: Owner, of: Option<Summed>, fresh: Fresh, command: pg_sys::CommandId) {
    NOTES.with(|Notes { written, of_statements }| {
        let mut at = written.len();
        if let Some(last) = written.last_mut() {
            if last.owner == owner
                && (last.of, last.fresh) == (of, fresh)
                && (last.last..=last.last.saturating_add(1)).contains(&command)
            {
                last.last = command;
                return;
            }
            // What runs below a statement is noted before it.
            at = written.partition_point(|one| one.first <= command);
        }
        if written.try_reserve(1).is_ok() {
            written.insert(at, Written { owner, of, fresh, first: command, last: command });
            *of_statements += usize::from(owner != Owner::TRANSACTION);
        }
    });
}

/// What is noted of a command, the newest first.
fn noted_of(written: &[Written], command: pg_sys::CommandId) -> impl Iterator<Item = &Written> {
    let until = written.partition_point(|one| one.first <= command);
    written[..until].iter().rev().take_while(move |one| one.last >= command)
}

/// Whether a sum has not counted what a command wrote, as a version that updates another one or as one that
/// updates none. Owns and allocates nothing.
pub(super) fn is_uncounted(owner: Owner, of: Summed, command: pg_sys::CommandId, updates: bool) -> bool {
    let uncounted = NOTES.try_with(|Notes { written, .. }| {
        let noted = noted_of(written, command);
        let mut noted = noted.filter(|one| updates || one.fresh != Fresh::Inserted).peekable();
        noted.peek().is_some() && !noted.any(|one| one.owner == owner && one.of == Some(of))
    });
    // Then it counts.
    uncounted != Some(false)
}

/// Whether nothing that a command wrote is of a sum. Owns and allocates nothing.
pub(super) fn is_nobodys(command: pg_sys::CommandId) -> bool {
    let nobodys = NOTES.try_with(|Notes { written, .. }| {
        let mut noted = noted_of(written, command).peekable();
        noted.peek().is_some() && noted.all(|one| one.of.is_none())
    });
    nobodys == Some(true)
}

/// Whether versions of a command's that update no other are of rows that a table held before. Owns and allocates
/// nothing.
pub(super) fn were_there(of: Summed, command: pg_sys::CommandId) -> bool {
    is_noted(command, |fresh| matches!(fresh, Fresh::Rewritten) || fresh == Fresh::Moved(of))
}

/// Whether a command has rewritten a table whole. Owns and allocates nothing.
pub(super) fn has_rewritten(command: pg_sys::CommandId) -> bool {
    is_noted(command, |fresh| fresh == Fresh::Rewritten)
}

/// Whether versions of a command's that update no other may be of rows that were there.
pub(super) fn may_have_copied(command: pg_sys::CommandId) -> bool {
    is_noted(command, |fresh| fresh != Fresh::Inserted)
}

/// Whether a command is noted as such; yes, where that cannot be told. Owns and allocates nothing.
fn is_noted(command: pg_sys::CommandId, such: impl Fn(Fresh) -> bool) -> bool {
    let noted = NOTES.try_with(|Notes { written, .. }| noted_of(written, command).any(|one| such(one.fresh)));
    noted != Some(false)
}

/// A statement of the client's has ended.
pub(super) fn forget(owner: Owner) {
    NOTES.with(|Notes { written, of_statements }| {
        // A transaction that is a sum may have many of its own, and as many statements.
        if *of_statements > 0 {
            written.retain(|one| one.owner != owner);
            *of_statements = written.iter().filter(|one| one.owner != Owner::TRANSACTION).count();
        }
    });
}

pub(super) fn clear() {
    NOTES.with(|notes| *notes = Notes { written: Vec::new(), of_statements: 0 });
}
