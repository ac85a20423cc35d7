//! The sums, and what is kept beside each.

use rustc_hash::{FxBuildHasher, FxHashMap as HashMap};

use super::summed::Summed;
use crate::levels::{self, Owner};
use crate::pg::local::{Lent, Local};
use crate::pg::pg_sys;
use crate::settings::{self, SumOver};
use crate::usual::{self, Unusual};
use safedelete_core::command::Commands;
use safedelete_core::limit::Size;

/// A table in a sum.
pub(super) type Key = (Owner, Summed);

/// Of what is known of a sum as a whole.
pub(super) const NO_TABLE: Summed = Summed { relation: pg_sys::InvalidOid, only: false };

pub(super) struct Entry {
    pub(super) rows: u64,
    /// Of `rows`, those that are gone.
    pub(super) deleted: u64,
    /// Of `rows`, those of a part that may have moved to another one.
    pub(super) movable: u64,
    /// Of the deleted rows, what was gone when a table was last given a new file, into which it did not come along.
    pub(super) left_behind: u64,
    pub(super) learned: Learned,
    /// A statement over the limit went through and was reported: once a sum is enough.
    pub(super) reported: bool,
    /// Of `rows`, those that foreign keys reached.
    pub(super) by_foreign_key: u64,
    /// What a session's own ceiling counts: those of who is not checked, and of commands that are not guarded, too.
    pub(super) own: u64,
    /// Up to this sum a write of one row need not be judged.
    pub(super) free: Free,
    /// The first of the open subtransactions that have counted some of it.
    pub(super) undone_by: usize,
    /// Of the sum as a whole, in the entry of no table.
    pub(super) kept: Kept,
}

/// What is kept of what a sum writes.
#[derive(Clone, Copy, Default)]
pub struct Kept {
    /// The number of the event that it belongs to; 0 until there is one.
    pub event: u64,
    /// Whether that event has been told: a rule would have refused some of the sum.
    pub is_told: bool,
    /// How many rows.
    pub rows: u64,
}

impl Default for Entry {
    fn default() -> Entry {
        Entry {
            rows: 0,
            deleted: 0,
            movable: 0,
            left_behind: 0,
            learned: Learned::default(),
            reported: false,
            by_foreign_key: 0,
            own: 0,
            free: Free::default(),
            undone_by: usize::MAX,
            kept: Kept::default(),
        }
    }
}

/// What a subtransaction counted: as the fields of an entry.
#[derive(Default)]
pub(super) struct Counts {
    pub(super) rows: u64,
    pub(super) deleted: u64,
    pub(super) movable: u64,
    pub(super) by_foreign_key: u64,
    pub(super) own: u64,
}

pub(super) type Counted = HashMap<Key, Counts>;

pub(super) struct Ledger {
    pub(super) sums: HashMap<Key, Entry>,
    /// For each open subtransaction, what was counted in it.
    pub(super) undo: Vec<(pg_sys::SubTransactionId, Counted)>,
}

pub(super) static LEDGER: Lent<Ledger> =
    Lent::new(Ledger { sums: HashMap::with_hasher(FxBuildHasher), undo: Vec::new() });

/// Asks the ledger, or changes what is in it.
pub(super) fn look<R>(f: impl FnOnce(&mut Ledger) -> R) -> R {
    LEDGER.with(|ledger| {
        ledger.take_in();
        f(ledger)
    })
}

/// Changes the ledger in a way that may begin or end its use.
pub(super) fn change<R>(f: impl FnOnce(&mut Ledger) -> R) -> R {
    look(|ledger| {
        let result = f(ledger);
        usual::set(Unusual::Sums, !ledger.sums.is_empty() || !ledger.undo.is_empty());
        result
    })
}

/// The sum that counts now: the client statement's or the transaction's.
pub fn owner() -> Owner {
    match settings::scope() {
        SumOver::Statement => levels::owner(),
        SumOver::Transaction => Owner::TRANSACTION,
    }
}

/// The command at which the running sum began.
pub fn began() -> pg_sys::CommandId {
    if settings::scope() == SumOver::Transaction { 0 } else { levels::began() }
}

/// Whether anything is counted or could be given back: nearly every statement leaves it unused.
#[inline]
pub fn is_in_use() -> bool {
    usual::is([Unusual::Sums])
}

/// Up to which sum a write of one row by some commands need not be judged, as of a generation of the
/// settings.
#[derive(Clone, Copy, Default)]
pub(super) struct Free {
    pub(super) as_of: u32,
    pub(super) commands: Commands,
    pub(super) until: u64,
}

/// Rows that have been added write by write to the same sum, and are not in the ledger yet.
#[derive(Clone, Copy)]
pub(super) struct Run {
    pub(super) key: Key,
    /// As a write names the table that the sum is of.
    pub(super) named: Summed,
    pub(super) free: Free,
    pub(super) rows: u64,
    pub(super) deleted: u64,
    pub(super) by_foreign_key: u64,
    /// There is nothing else in the ledger.
    pub(super) is_all: bool,
}

pub(super) const NO_RUN: Run = {
    let free = Free { as_of: 0, commands: Commands::DEFAULT, until: 0 };
    Run {
        key: (Owner::TRANSACTION, NO_TABLE),
        named: NO_TABLE,
        free,
        rows: 0,
        deleted: 0,
        by_foreign_key: 0,
        is_all: false,
    }
};

pub(super) static RUN: Local<Run> = Local::new(NO_RUN);

/// What a sum has learned of its table's size.
#[derive(Clone, Copy, Default)]
pub struct Learned {
    /// What the lowest estimate says; `Some(None)` of what has no size.
    pub lowest: Option<Option<u64>>,
    /// By counting, with the rows that the sum had deleted before.
    pub size: Option<Size>,
    /// The subtransaction that counted: the rows that it has inserted go with it.
    pub(super) by: pg_sys::SubTransactionId,
}

impl Ledger {
    /// Takes in what has been added one by one; the next row comes here again.
    #[inline]
    pub(super) fn take_in(&mut self) {
        let run = RUN.get();
        if run.key.1 == NO_TABLE {
            return;
        }
        RUN.set(NO_RUN);
        // It was forgotten with its sum, or it begins one.
        let entry = if run.is_all {
            Some(self.sums.entry(run.key).or_default())
        } else {
            self.sums.get_mut(&run.key)
        };
        if let Some(entry) = entry {
            entry.rows += run.rows;
            entry.deleted += run.deleted;
            entry.by_foreign_key += run.by_foreign_key;
        }
    }
}

impl Entry {
    /// What is known of its table's size is known no more.
    pub(super) fn outdate(&mut self) {
        self.learned = Learned::default();
        // It was worked out from that.
        self.free = Free::default();
    }

    /// Its table has lost rows that are not of the sum.
    pub(super) fn lose(&mut self, rows: u64) {
        self.learned.size = self.learned.size.map(|size| size.minus(rows));
        self.learned.lowest = self.learned.lowest.map(|lowest| lowest.map(|most| most.saturating_sub(rows)));
        self.free = Free::default();
    }
}
