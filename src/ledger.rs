//! The sums: how many rows of each table the running client statement (or the transaction) has
//! modified, over all the statements below it. What a subtransaction undoes is given back. What is
//! learned of a table's size is kept beside its sum, so that it is read once.

use rustc_hash::{FxBuildHasher, FxHashMap as HashMap};

use crate::pg::pg_sys;
use safedelete_core::command::{Command, Commands};
use safedelete_core::limit::Size;

use crate::levels::{self, Owner};
use crate::pg::backend;
use crate::pg::local::{Lent, Local};
use crate::settings::{self, SumOver};

mod summed;
mod written;

pub use summed::Summed;
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

/// Up to which sum a write of one row by some commands need not be judged, as of a generation of the
/// settings.
#[derive(Clone, Copy, Default)]
struct Free {
    as_of: u32,
    commands: Commands,
    until: u64,
}

/// What a sum has learned of its table's size.
#[derive(Clone, Copy, Default)]
pub struct Learned {
    /// What the lowest estimate says; `Some(None)` of what has no size.
    pub lowest: Option<Option<u64>>,
    /// By counting, with the rows that the sum had deleted before.
    pub size: Option<Size>,
    /// The subtransaction that counted: the rows that it has inserted go with it.
    by: pg_sys::SubTransactionId,
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

/// Rows that have been added write by write to the same sum, and are not in the ledger yet.
#[derive(Clone, Copy)]
struct Run {
    key: Key,
    /// As a write names the table that the sum is of.
    named: Summed,
    free: Free,
    rows: u64,
    deleted: u64,
    by_foreign_key: u64,
    /// There is nothing else in the ledger.
    is_all: bool,
}

const NO_RUN: Run = {
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

static RUN: Local<Run> = Local::new(NO_RUN);

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
    IN_USE.set(true);
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

impl Entry {
    /// What is known of its table's size is known no more.
    fn outdate(&mut self) {
        self.learned = Learned::default();
        // It was worked out from that.
        self.free = Free::default();
    }

    /// Its table has lost rows that are not of the sum.
    fn lose(&mut self, rows: u64) {
        self.learned.size = self.learned.size.map(|size| size.minus(rows));
        self.learned.lowest = self.learned.lowest.map(|lowest| lowest.map(|most| most.saturating_sub(rows)));
        self.free = Free::default();
    }

    /// Up to which sum writes by a command need not be judged.
    fn free_for(&self, command: Command, joined: &Joined) -> u64 {
        let Free { as_of, commands, until } = self.free;
        let holds = as_of == settings::generation() && commands.contains(command);
        if holds { until.max(joined.within) } else { joined.within }
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

/// Tables have been given new files: what the sums had deleted of theirs cannot be found any more.
pub fn leave_behind() {
    if is_in_use() {
        look(|ledger| ledger.sums.values_mut().for_each(|entry| entry.left_behind = entry.deleted));
    }
}

/// Of the rows that the sum has deleted, those that a new file does not have.
pub fn left_behind(of: Summed) -> u64 {
    let key = (owner(), of);
    look(|ledger| ledger.sums.get(&key).map_or(0, |entry| entry.left_behind.min(entry.deleted)))
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

/// Rows are gone that are not of the sum: of a command that is not guarded, or of a role that is not checked. How
/// many, where that is known.
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

/// The same at a glance, for bare frames: whether all that there was has been this statement's.
#[inline]
pub fn forget_all_of(owner: impl FnOnce() -> Option<Owner>) -> bool {
    let run = RUN.get();
    let is_its = run.is_all && owner() == Some(run.key.0);
    if is_its {
        RUN.set(NO_RUN);
        IN_USE.set(false);
    }
    is_its
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
    /// Takes in what has been added one by one; the next row comes here again.
    #[inline]
    fn take_in(&mut self) {
        let run = RUN.get();
        if run.free.until == 0 {
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

    /// A subtransaction's counts become its parent's.
    fn keep(&mut self, own: pg_sys::SubTransactionId) {
        while let Some((id, counted)) = self.undo.pop() {
            let last = self.undo.len().wrapping_sub(1);
            if let Some((_, parent)) = self.undo.last_mut() {
                for (key, counts) in counted {
                    let into = parent.entry(key).or_default();
                    into.rows += counts.rows;
                    into.deleted += counts.deleted;
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
