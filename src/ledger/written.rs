//! Which of the transaction's commands have written rows that a sum has not counted: by a command that is
//! not guarded, by a role that is not checked, or for another name of the same tree. Versions of theirs are
//! rows that were there, as far as that sum knows. All others that are no older than the sum it has counted,
//! or they were inserted.

use super::summed::Summed;
use crate::levels::Owner;
use crate::pg::local::Lent;
use crate::pg::pg_sys;

/// Commands in a row, of one statement of the client's.
struct Written {
    owner: Owner,
    /// For what they were counted, if they were.
    of: Option<Summed>,
    first: pg_sys::CommandId,
    last: pg_sys::CommandId,
}

/// In the order of commands, which a transaction numbers.
static WRITTEN: Lent<Vec<Written>> = Lent::new(Vec::new());

/// Notes a command that has written rows: for nobody's sum, or for one name of a tree.
pub(super) fn note(owner: Owner, of: Option<Summed>, command: pg_sys::CommandId) {
    WRITTEN.with(|written| {
        let mut at = written.len();
        if let Some(last) = written.last_mut() {
            if last.owner == owner
                && last.of == of
                && (last.last..=last.last.saturating_add(1)).contains(&command)
            {
                last.last = command;
                return;
            }
            // What runs below a statement is noted before it.
            at = written.partition_point(|one| one.first <= command);
        }
        if written.try_reserve(1).is_ok() {
            written.insert(at, Written { owner, of, first: command, last: command });
        }
    });
}

/// Whether a sum has not counted what a command wrote. Owns and allocates nothing.
pub(super) fn is_uncounted(owner: Owner, of: Summed, command: pg_sys::CommandId) -> bool {
    let uncounted = WRITTEN.try_with(|written| {
        let until = written.partition_point(|one| one.first <= command);
        let mut noted = written[..until].iter().rev().take_while(|one| one.last >= command).peekable();
        noted.peek().is_some() && !noted.any(|one| one.owner == owner && one.of == Some(of))
    });
    // Then it counts.
    uncounted != Some(false)
}

/// A statement of the client's has ended.
pub(super) fn forget(owner: Owner) {
    WRITTEN.with(|written| written.retain(|one| one.owner != owner));
}

pub(super) fn clear() {
    WRITTEN.with(|written| *written = Vec::new());
}
