//! The sums: how many rows of each table the running client statement (or the transaction) has
//! modified, over all the statements below it.
//!
//! * summed.rs says what sums are of; sums.rs holds them;
//! * free.rs counts writes that need no judging, one after the other;
//! * undone.rs gives back what a subtransaction has counted, where it is undone;
//! * learned.rs keeps what is known of a table's size beside its sum;
//! * written.rs knows what no sum has counted.

use crate::pg::pg_sys;

use crate::levels::{self, Owner};
use crate::pg::backend;

mod free;
mod learned;
mod summed;
mod sums;
mod undone;
mod written;

pub use free::{Joined, add_again, add_free, add_within, forget_all_of, free_until, left, may_add_again};
pub use learned::{
    learn_lowest, learn_size, learned, leave_behind, left_behind, note_gone, note_gone_elsewhere,
    outdate_sizes,
};
pub use summed::Summed;
use sums::{Counts, Entry, Ledger, NO_TABLE, change, look};
pub use sums::{Kept, began, is_in_use, owner};
pub use undone::{subtransaction_aborted, subtransaction_committed, subtransaction_started};
pub use written::Fresh;

/// The rows counted so far.
pub fn sum(of: Summed) -> u64 {
    let key = (owner(), of);
    look(|ledger| ledger.sums.get(&key).map_or(0, |entry| entry.rows))
}

/// The rows that the sum has deleted so far.
#[inline]
pub fn deleted(of: Summed) -> u64 {
    if !is_in_use() {
        return 0;
    }
    let key = (owner(), of);
    look(|ledger| ledger.sums.get(&key).map_or(0, |entry| entry.deleted))
}

/// Counts rows, `deleted` of which are gone; gives the new sum.
pub fn add(of: Summed, rows: u64, deleted: u64, by_foreign_key: bool) -> u64 {
    let key = (owner(), of);
    let referential = if by_foreign_key { rows } else { 0 };
    change(|ledger| {
        let Ledger { sums, undo } = ledger;
        let entry = sums.entry(key).or_default();
        if rows + deleted > 0
            && let Some(last) = undo.len().checked_sub(1)
        {
            let counted = undo[last].1.entry(key).or_default();
            counted.rows += rows;
            counted.deleted += deleted;
            counted.by_foreign_key += referential;
            entry.undone_by = entry.undone_by.min(last);
        }
        entry.rows += rows;
        entry.deleted += deleted;
        entry.by_foreign_key += referential;
        entry.rows
    })
}

/// The rows that a session's own ceiling has counted.
pub fn own(of: Summed) -> u64 {
    let key = (owner(), of);
    look(|ledger| ledger.sums.get(&key).map_or(0, |entry| entry.own))
}

/// Counts rows for a session's own ceiling.
pub fn add_own(of: Summed, rows: u64) {
    count(of, |counts| counts.own += rows, |entry| entry.own += rows);
}

/// Of the rows counted so far, those of a part that may have moved to another one.
pub fn movable(of: Summed) -> u64 {
    let key = (owner(), of);
    look(|ledger| ledger.sums.get(&key).map_or(0, |entry| entry.movable))
}

/// Counts rows of a part that may move to another one.
pub fn add_movable(of: Summed, rows: u64) {
    count(of, |counts| counts.movable += rows, |entry| entry.movable += rows);
}

/// Counts something of a sum, and for the subtransaction that may undo it.
fn count<T>(of: Summed, undone: impl FnOnce(&mut Counts), counted: impl FnOnce(&mut Entry) -> T) -> T {
    let key = (owner(), of);
    change(|ledger| {
        let Ledger { sums, undo } = ledger;
        let entry = sums.entry(key).or_default();
        if let Some(last) = undo.len().checked_sub(1) {
            undone(undo[last].1.entry(key).or_default());
            entry.undone_by = entry.undone_by.min(last);
        }
        counted(entry)
    })
}

/// Notes that a command has written rows that were there, and that nobody's sum has counted, or only the
/// one of this name of a tree.
pub fn note_written(of: Option<Summed>, fresh: Fresh, command: pg_sys::CommandId) {
    let owner = owner();
    // So that it is forgotten with its statement.
    change(|ledger| {
        ledger.sums.entry((owner, of.unwrap_or(NO_TABLE))).or_default();
    });
    written::note(owner, of, fresh, command);
}

/// What is kept of what the running sum writes.
pub fn kept() -> Kept {
    if !is_in_use() {
        return Kept::default();
    }
    let key = (owner(), NO_TABLE);
    look(|ledger| ledger.sums.get(&key).map_or_else(Kept::default, |entry| entry.kept))
}

/// The same from now on.
pub fn set_kept(kept: Kept) {
    let key = (owner(), NO_TABLE);
    change(|ledger| ledger.sums.entry(key).or_default().kept = kept);
}

/// Notes the commands from `first` to before `end` of an ALTER TABLE, which may have rewritten tables whole, or taken
/// one out of a tree.
pub fn note_altered(first: pg_sys::CommandId, end: pg_sys::CommandId) {
    for command in first..end {
        note_written(None, Fresh::Rewritten, command);
    }
    leave_behind();
    outdate_sizes();
}

/// Whether a version of a command's that updates no other may be of a row that was there all the same: moved, or
/// rewritten. Owns and allocates nothing.
pub fn may_have_copied(command: pg_sys::CommandId) -> bool {
    written::may_have_copied(command)
}

/// Whether nothing that a command of the transaction wrote is of a sum. Owns and allocates nothing.
pub fn is_nobodys(command: pg_sys::CommandId) -> bool {
    written::is_nobodys(command)
}

/// Whether versions of a command's that update no other are of rows that a table, alone or with all below it, held
/// before. Owns and allocates nothing.
pub fn were_there((relation, only): (pg_sys::Oid, bool), command: pg_sys::CommandId) -> bool {
    written::were_there(Summed { relation, only }, command)
}

/// Whether a command of the transaction has rewritten a table whole. Owns and allocates nothing.
pub fn has_rewritten(command: pg_sys::CommandId) -> bool {
    written::has_rewritten(command)
}

/// Whether the sum has not counted what a command of its own wrote, as a version that updates another one or as
/// one that updates none. Owns and allocates nothing.
pub fn is_uncounted(of: Summed, command: pg_sys::CommandId, updates: bool) -> bool {
    written::is_uncounted(owner(), of, command, updates)
}

/// Whether this is the first report of a table in the client's statement.
pub fn report_once(relation: pg_sys::Oid) -> bool {
    let key = (levels::owner(), Summed { relation, only: false });
    change(|ledger| {
        let entry = ledger.sums.entry(key).or_default();
        !std::mem::replace(&mut entry.reported, true)
    })
}

/// The rows that foreign keys reached, by table, in the sum that runs; sorted by table.
pub fn reached_by_foreign_keys() -> Vec<(pg_sys::Oid, u64)> {
    let owner = owner();
    let mut reached: Vec<_> = look(|ledger| {
        ledger
            .sums
            .iter()
            .filter(|((own, _), entry)| *own == owner && entry.by_foreign_key > 0)
            .map(|((_, of), entry)| (of.relation, entry.by_foreign_key))
            .collect()
    });
    reached.sort_unstable_by_key(|(relation, _)| relation.to_u32());
    reached
}

/// A client statement begins or ends: its sum is no more.
pub fn forget(owner: Owner) {
    written::forget(owner);
    let keeps_snapshot = backend::keeps_one_snapshot();
    change(|ledger| {
        let Ledger { sums, undo } = ledger;
        sums.retain(|key, entry| {
            if key.0 == Owner::TRANSACTION && !keeps_snapshot {
                // The next statement sees what other sessions have committed.
                entry.outdate();
            }
            if key.0 != owner {
                return true;
            }
            for (_, counted) in undo.iter_mut().skip(entry.undone_by) {
                counted.remove(key);
            }
            false
        });
    });
}

/// The transaction has ended.
pub fn clear() {
    written::clear();
    change(|ledger| {
        ledger.sums.clear();
        ledger.undo.clear();
    });
}
