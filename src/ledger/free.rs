//! Writes of few rows that need no judging up to a sum: counted without a look into the ledger, one after the other.

use super::summed::Summed;
use super::sums::{Entry, Free, Key, LEDGER, NO_RUN, RUN, Run, is_in_use, look, owner};
use crate::levels::Owner;
use crate::settings;
use crate::usual::{self, Unusual};
use safedelete_core::command::{Command, Commands};

/// Counts a write of few rows where it need not be judged; whether it was counted. The next of one row that names
/// the table like that may go on by [`add_again`]. Owns and allocates nothing, so bare frames may call it.
pub fn add_free(command: Command, named: Summed, of: Summed, rows: u64, deleted: u64) -> bool {
    let key = (owner(), of);
    let as_of = settings::generation();
    let free = LEDGER.try_with(|ledger| {
        ledger.take_in();
        let entry = ledger.sums.get_mut(&key)?;
        let free = entry.free;
        let sum = entry.rows + rows;
        if !ledger.undo.is_empty()
            || free.as_of != as_of
            || sum > free.until
            || !free.commands.contains(command)
        {
            return None;
        }
        entry.rows = sum;
        entry.deleted += deleted;
        Some(Free { until: free.until - sum, ..free })
    });
    let Some(Some(free)) = free else { return false };
    RUN.set(Run { key, named, free, ..NO_RUN });
    true
}

/// A sum that a guarded write joins, as far as bare frames know it.
#[derive(Clone, Copy)]
pub struct Joined {
    pub of: Summed,
    /// As a write of one row may name the table to be counted by [`add_again`]; `None` where more has to be kept.
    pub named: Option<Summed>,
    /// Where it may be counted so, these are the commands that need not be judged up to `within`.
    pub commands: Commands,
    pub within: u64,
}

/// How many rows a guarded write may have before it has to be judged. Owns and allocates nothing.
#[inline]
pub fn left(joined: &Joined, command: Command) -> u64 {
    if !is_in_use() {
        return joined.within;
    }
    let key = (owner(), joined.of);
    let run = RUN.get();
    if run.key == key && run.is_free(command) {
        return run.free.until - run.rows;
    }
    let left = LEDGER.try_with(|ledger| {
        ledger.take_in();
        ledger
            .sums
            .get(&key)
            .map_or(joined.within, |entry| entry.free_for(command, joined).saturating_sub(entry.rows))
    });
    left.unwrap_or(0)
}

/// Counts a guarded write's rows where they need not be judged; whether they were counted. For bare frames.
#[inline]
pub fn add_within(joined: &Joined, command: Command, rows: u64, deleted: u64, by_foreign_key: bool) -> bool {
    let key = (owner(), joined.of);
    let by_foreign_key = if by_foreign_key { rows } else { 0 };
    let run = RUN.get();
    if is_in_use() {
        if run.key == key && run.is_free(command) && rows <= run.free.until - run.rows {
            RUN.set(Run {
                rows: run.rows + rows,
                deleted: run.deleted + deleted,
                by_foreign_key: run.by_foreign_key + by_foreign_key,
                ..run
            });
            return true;
        }
        return add_to_sum(key, joined, command, rows, deleted, by_foreign_key);
    }
    if rows > joined.within || joined.within == 0 {
        return false;
    }
    let free = Free { as_of: settings::generation(), commands: joined.commands, until: joined.within };
    let named = joined.named.unwrap_or(NO_RUN.named);
    RUN.set(Run { key, named, free, rows, deleted, by_foreign_key, is_all: true });
    usual::set(Unusual::Sums, true);
    true
}

/// The same, of a sum among others; the next write may go on without.
#[inline(never)]
fn add_to_sum(
    key: Key,
    joined: &Joined,
    command: Command,
    rows: u64,
    deleted: u64,
    by_foreign_key: u64,
) -> bool {
    let free = LEDGER.try_with(|ledger| {
        ledger.take_in();
        let entry = ledger.sums.get_mut(&key)?;
        let until = entry.free_for(command, joined);
        let sum = entry.rows + rows;
        if !ledger.undo.is_empty() || sum > until {
            return None;
        }
        entry.rows = sum;
        entry.deleted += deleted;
        entry.by_foreign_key += by_foreign_key;
        Some(Free { as_of: settings::generation(), commands: joined.commands, until: until - sum })
    });
    let Some(Some(free)) = free else { return false };
    let named = joined.named.unwrap_or(NO_RUN.named);
    RUN.set(Run { key, named, free, ..NO_RUN });
    true
}

impl Run {
    #[inline]
    fn is_free(&self, command: Command) -> bool {
        self.free.as_of == settings::generation() && self.free.commands.contains(command)
    }
}

/// Whether a write of one row can be counted by [`add_again`], for what sum.
#[inline]
pub fn may_add_again(command: Command, named: Summed) -> Option<Summed> {
    let run = RUN.get();
    let again = run.named == named
        && run.rows < run.free.until
        && run.free.as_of == settings::generation()
        && run.free.commands.contains(command)
        && run.key.0 == owner();
    again.then_some(run.key.1)
}

/// Counts a row once more for the same sum.
#[inline]
pub fn add_again(is_deleted: bool) {
    let run = RUN.get();
    RUN.set(Run { rows: run.rows + 1, deleted: run.deleted + u64::from(is_deleted), ..run });
}

/// Writes of one row by these commands need not be judged up to this sum.
pub fn free_until(of: Summed, commands: Commands, sum: u64) {
    let key = (owner(), of);
    let free = Free { as_of: settings::generation(), commands, until: sum };
    look(|ledger| {
        if let Some(entry) = ledger.sums.get_mut(&key) {
            entry.free = free;
        }
    });
}

/// The same at a glance, for bare frames: whether all that there was has been this statement's.
#[inline]
pub fn forget_all_of(owner: impl FnOnce() -> Option<Owner>) -> bool {
    let run = RUN.get();
    let is_its = run.is_all && owner() == Some(run.key.0);
    if is_its {
        RUN.set(NO_RUN);
        usual::set(Unusual::Sums, false);
    }
    is_its
}

impl Entry {
    /// Up to which sum writes by a command need not be judged.
    fn free_for(&self, command: Command, joined: &Joined) -> u64 {
        let Free { as_of, commands, until } = self.free;
        let holds = as_of == settings::generation() && commands.contains(command);
        if holds { until.max(joined.within) } else { joined.within }
    }
}
