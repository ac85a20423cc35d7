//! The sums: how many rows of each table the running client statement (or the transaction) has
//! modified, over all the statements below it.
//!
//! * summed.rs says what sums are of;
//! * free.rs counts writes that need no judging, one after the other;
//! * undone.rs gives back what a subtransaction has counted, where it is undone;
//! * learned.rs keeps what is known of a table's size beside its sum;
//! * written.rs knows what no sum has counted.

use rustc_hash::{FxBuildHasher, FxHashMap as HashMap};

use crate::pg::pg_sys;

use crate::levels::{self, Owner};
use crate::pg::backend;
use crate::pg::local::{Lent, Local};
use crate::settings::{self, SumOver};

mod free;
mod learned;
mod summed;
mod undone;
mod written;

use free::Free;
pub use free::{Joined, add_again, add_free, add_within, forget_all_of, free_until, left, may_add_again};
pub use learned::{
    Learned, learn_lowest, learn_size, learned, leave_behind, left_behind, note_gone, note_gone_elsewhere,
};
pub use summed::Summed;
pub use undone::{subtransaction_aborted, subtransaction_committed, subtransaction_started};
pub use written::Fresh;

/// A table in a sum.
type Key = (Owner, Summed);

/// Of what is known of a sum as a whole.
const NO_TABLE: Summed = Summed { relation: pg_sys::InvalidOid, only: false };

struct Entry {
    rows: u64,
    /// Of `rows`, those that are gone.
    deleted: u64,
    /// Of these, what was gone when a table was last given a new file, into which it did not come along.
    left_behind: u64,
    learned: Learned,
    /// A statement over the limit went through and was reported: once a sum is enough.
    reported: bool,
    /// Of `rows`, those that foreign keys reached.
    by_foreign_key: u64,
    /// What a session's own ceiling counts: those of who is not checked, and of commands that are not guarded, too.
    own: u64,
    /// Up to this sum a write of one row need not be judged.
    free: Free,
    /// The first of the open subtransactions that have counted some of it.
    undone_by: usize,
    /// Of the sum as a whole, in the entry of no table.
    kept: Kept,
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
struct Counts {
    rows: u64,
    deleted: u64,
    by_foreign_key: u64,
    own: u64,
}

type Counted = HashMap<Key, Counts>;

struct Ledger {
    sums: HashMap<Key, Entry>,
    /// For each open subtransaction, what was counted in it.
    undo: Vec<(pg_sys::SubTransactionId, Counted)>,
}

static LEDGER: Lent<Ledger> =
    Lent::new(Ledger { sums: HashMap::with_hasher(FxBuildHasher), undo: Vec::new() });
/// Whether there is a sum or an open subtransaction.
static IN_USE: Local<bool> = Local::new(false);

/// Asks the ledger, or changes what is in it.
fn look<R>(f: impl FnOnce(&mut Ledger) -> R) -> R {
    LEDGER.with(|ledger| {
        ledger.take_in();
        f(ledger)
    })
}

/// Changes the ledger in a way that may begin or end its use.
fn change<R>(f: impl FnOnce(&mut Ledger) -> R) -> R {
    look(|ledger| {
        let result = f(ledger);
        IN_USE.set(!ledger.sums.is_empty() || !ledger.undo.is_empty());
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
    let key = (owner(), of);
    change(|ledger| {
        let Ledger { sums, undo } = ledger;
        let entry = sums.entry(key).or_default();
        if let Some(last) = undo.len().checked_sub(1) {
            undo[last].1.entry(key).or_default().own += rows;
            entry.undone_by = entry.undone_by.min(last);
        }
        entry.own += rows;
    });
}

/// Whether anything is counted or could be given back: nearly every statement leaves it unused.
#[inline]
pub fn is_in_use() -> bool {
    IN_USE.get()
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

/// Notes the commands from `first` to before `end`, which have rewritten tables whole.
pub fn note_rewritten(first: pg_sys::CommandId, end: pg_sys::CommandId) {
    for command in first..end {
        note_written(None, Fresh::Rewritten, command);
    }
    leave_behind();
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
