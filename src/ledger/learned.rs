//! What a sum has learned of its table's size, kept beside it so that it is read once, for as long as it holds.

use super::summed::Summed;
use super::sums::{Entry, Learned, change, is_in_use, look, owner};
use crate::pg::pg_sys;
use safedelete_core::limit::Size;

/// What the sum has learned of the table's size.
pub fn learned(of: Summed) -> Learned {
    let key = (owner(), of);
    look(|ledger| ledger.sums.get(&key).map_or_else(Learned::default, |entry| entry.learned))
}

/// Keeps what the lowest estimate of the table's size is.
pub fn learn_lowest(of: Summed, lowest: Option<u64>) {
    learn(of, |learned| learned.lowest = Some(lowest));
}

/// Keeps what counting has told of the table's size.
pub fn learn_size(of: Summed, size: Size) {
    let by = pg_sys::GetCurrentSubTransactionId();
    learn(of, |learned| (learned.size, learned.by) = (Some(size), by));
}

fn learn(of: Summed, keep: impl FnOnce(&mut Learned)) {
    let key = (owner(), of);
    change(|ledger| keep(&mut ledger.sums.entry(key).or_default().learned));
}

/// Tables have been given new files: what the sums had deleted of theirs cannot be found any more.
pub fn leave_behind() {
    if is_in_use() {
        look(|ledger| ledger.sums.values_mut().for_each(|entry| entry.left_behind = entry.deleted));
    }
}

/// A table may have come to an end, or left the tree that it was in: what is known of sizes is known no more.
pub fn outdate_sizes() {
    if is_in_use() {
        look(|ledger| ledger.sums.values_mut().for_each(Entry::outdate));
    }
}

/// Of the rows that the sum has deleted, those that a new file does not have.
pub fn left_behind(of: Summed) -> u64 {
    let key = (owner(), of);
    look(|ledger| ledger.sums.get(&key).map_or(0, |entry| entry.left_behind.min(entry.deleted)))
}

/// Rows are gone that are not of the sum: by a command that is not guarded, or a role that is not checked, or rows that
/// it has inserted itself. How many, where that is known.
pub fn note_gone(of: Summed, rows: Option<u64>, in_tree: bool) {
    if rows == Some(0) || !is_in_use() {
        return;
    }
    let owner = owner();
    look(|ledger| {
        for ((_, other), entry) in ledger.sums.iter_mut().filter(|((own, _), _)| *own == owner) {
            match rows {
                Some(rows) if *other == of => entry.lose(rows),
                // By other names of its tree it is smaller, too.
                _ if *other == of || in_tree => entry.outdate(),
                _ => {}
            }
        }
    });
}

/// What the sum of one name of a tree has deleted is gone for the other names.
pub fn note_gone_elsewhere(of: Summed) {
    let owner = owner();
    look(|ledger| {
        let others = ledger.sums.iter_mut().filter(|((own, other), _)| *own == owner && *other != of);
        others.for_each(|(_, entry)| entry.outdate());
    });
}
