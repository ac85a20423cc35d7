//! What a subtransaction has counted: given back where it is undone, and its parent's where it is not.

use rustc_hash::FxHashMap as HashMap;

use super::sums::{Ledger, change};
use crate::pg::pg_sys;

pub fn subtransaction_started(own: pg_sys::SubTransactionId) {
    change(|ledger| ledger.undo.push((own, HashMap::default())));
}

pub fn subtransaction_committed(own: pg_sys::SubTransactionId) {
    change(|ledger| ledger.keep(own));
}

pub fn subtransaction_aborted(own: pg_sys::SubTransactionId) {
    change(|ledger| ledger.give_back(own));
}

impl Ledger {
    /// A subtransaction's counts become its parent's.
    fn keep(&mut self, own: pg_sys::SubTransactionId) {
        while let Some((id, counted)) = self.undo.pop() {
            let last = self.undo.len().wrapping_sub(1);
            if let Some((_, parent)) = self.undo.last_mut() {
                for (key, counts) in counted {
                    let into = parent.entry(key).or_default();
                    into.rows += counts.rows;
                    into.deleted += counts.deleted;
                    into.movable += counts.movable;
                    into.by_foreign_key += counts.by_foreign_key;
                    into.own += counts.own;
                    if let Some(entry) = self.sums.get_mut(&key) {
                        entry.undone_by = entry.undone_by.min(last);
                    }
                }
            }
            if id == own {
                return;
            }
        }
    }

    /// A subtransaction's counts, and those of the ones inside it, are undone.
    fn give_back(&mut self, own: pg_sys::SubTransactionId) {
        // Those inside it have higher numbers.
        for entry in self.sums.values_mut() {
            if entry.learned.by >= own {
                entry.outdate();
            }
        }
        while let Some((id, counted)) = self.undo.pop() {
            for (key, counts) in counted {
                if let Some(entry) = self.sums.get_mut(&key) {
                    entry.rows = entry.rows.saturating_sub(counts.rows);
                    entry.deleted = entry.deleted.saturating_sub(counts.deleted);
                    entry.movable = entry.movable.saturating_sub(counts.movable);
                    entry.by_foreign_key = entry.by_foreign_key.saturating_sub(counts.by_foreign_key);
                    entry.own = entry.own.saturating_sub(counts.own);
                }
            }
            if id == own {
                return;
            }
        }
    }
}
