//! How many rows a table holds that a snapshot sees, counted page by page and no further than is asked
//! for. What counting leaves behind is nothing: no lock, no predicate lock, no statistics.

use core::ffi::c_int;

use safedelete_core::limit::Size;

use super::pg_sys;

use super::heap::Since;
use super::inheritance::members;
use super::relations::kind;
use super::sizes::{self, Look, Uncounted};
use super::{compat, frame, heap, raw, remote};

/// A count that can go on where it stopped. All of it is under one snapshot: that of the statement
/// that is judged, which stays active while it runs, or under the tables' locks.
pub struct Count {
    /// The tables that are left to count, the next one last.
    members: Vec<pg_sys::Oid>,
    place: Option<Place>,
    /// Rows of the tables before `place`, and of this one so far.
    before: u64,
    here: u64,
    /// Whether a part of it cannot be counted, and the estimated rows of that.
    is_estimated: bool,
    estimated: u64,
    pages: u64,
    sees: Sees,
    /// Rows that this transaction has deleted since then, which the snapshot does not see.
    since: Option<Since>,
    gone_before: u64,
    gone_here: u64,
    /// Only a heap tells of such rows.
    blind: bool,
    /// This transaction has given one of the tables a new file.
    is_renewed: bool,
    /// Foreign servers are asked with this role's user mappings; `None` where they are not asked.
    asks_as: Option<pg_sys::Oid>,
}

/// Which rows are counted.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sees {
    /// Those that the running statement sees.
    Snapshot,
    /// Those that are there now, its transaction's own among them.
    Now,
}

/// How far a table has been read.
#[derive(Clone, Copy)]
struct Place {
    /// The file, for another session may rewrite a partition that the statement does not lock.
    file: pg_sys::Oid,
    block: u32,
    /// Its pages when counting began: what is added since, the snapshot does not see.
    blocks: u32,
}

/// What became of reading on.
enum Read {
    Ended,
    Enough,
    /// Its rows have to be estimated.
    Uncountable,
}

/// Tables of up to so many pages are counted to the end, for the texts.
const FEW_PAGES: u64 = 8192;

/// The rows of tables that are taken whole, counted at least until there are `enough`.
pub fn for_texts(tables: Vec<pg_sys::Oid>, enough: u64) -> Size {
    let mut count = Count::of_whole(tables);
    count.go_on(enough, u64::MAX);
    count.go_on(u64::MAX, FEW_PAGES);
    count.size()
}

impl Count {
    /// A count of a table, with the tree below it or without, that has not begun.
    pub fn new(relation: pg_sys::Oid, only: bool) -> Count {
        // A partitioned table has no rows of its own, and an upsert names it as if alone.
        let alone = only && kind(relation) != pg_sys::RELKIND_PARTITIONED_TABLE;
        Count::of(if alone { vec![relation] } else { members(relation) }, Sees::Snapshot)
    }

    /// A count of tables that are about to go, whoever has written their rows.
    pub fn of_whole(tables: Vec<pg_sys::Oid>) -> Count {
        Count::of(tables, Sees::Now)
    }

    fn of(members: Vec<pg_sys::Oid>, sees: Sees) -> Count {
        Count {
            members,
            place: None,
            before: 0,
            here: 0,
            is_estimated: false,
            estimated: 0,
            pages: 0,
            sees,
            since: None,
            gone_before: 0,
            gone_here: 0,
            blind: false,
            is_renewed: false,
            asks_as: None,
        }
    }

    /// The same, which has foreign servers count as well: for a statement that runs.
    pub fn asking_as(self, role: pg_sys::Oid) -> Count {
        Count { asks_as: Some(role), ..self }
    }

    /// The same, which looks for rows as well that this transaction has deleted since then. Of a tree nobody knows
    /// whether they have moved within it.
    pub fn with_gone(self, since: Since) -> Count {
        let moved = since.moved && self.members.len() == 1;
        Count { since: Some(Since { moved, ..since }), ..self }
    }

    /// Of rows that this transaction has deleted, or may have moved to another partition: those found so far, and those
    /// `left_behind` where a table was given a new file. Where a table cannot tell, all that were deleted are gone.
    pub fn gone(&self, deleted: u64, movable: u64, left_behind: u64) -> u64 {
        let found = self.gone_before + self.gone_here;
        match (self.blind, self.is_renewed) {
            (true, _) => deleted,
            (false, true) => (deleted + movable).min(found + left_behind),
            (false, false) => (deleted + movable).min(found),
        }
    }

    /// Whether it sees nothing of what this transaction has deleted, wherever.
    pub fn is_blind(&self) -> bool {
        self.blind
    }

    /// The rows seen so far, and those estimated.
    pub fn rows(&self) -> u64 {
        (self.before + self.here).saturating_add(self.estimated)
    }

    pub fn has_ended(&self) -> bool {
        self.members.is_empty()
    }

    /// Whether a part of it could not be counted.
    pub fn is_estimated(&self) -> bool {
        self.is_estimated
    }

    /// The size that the count has come to.
    pub fn size(&self) -> Size {
        match (self.has_ended(), self.is_estimated()) {
            (false, _) => Size::AtLeast(self.rows()),
            (true, false) => Size::Exact(self.rows()),
            (true, true) => Size::About(self.rows()),
        }
    }

    /// The pages that were read.
    pub fn pages(&self) -> u64 {
        self.pages
    }

    /// Goes on until `rows` are seen, `pages` are read, or all is counted.
    pub fn go_on(&mut self, rows: u64, pages: u64) {
        while let Some(&relation) = self.members.last() {
            if self.rows() >= rows || self.pages >= pages {
                return;
            }
            let read = match kind(relation) {
                pg_sys::RELKIND_RELATION => {
                    self.read(relation, rows - self.rows() + self.here, pages - self.pages)
                }
                pg_sys::RELKIND_FOREIGN_TABLE if pages == u64::MAX => {
                    self.read_foreign(relation, rows - self.rows() + self.here)
                }
                pg_sys::RELKIND_FOREIGN_TABLE => Read::Uncountable,
                // A partitioned table has none of its own.
                _ => Read::Ended,
            };
            match read {
                Read::Enough => continue,
                Read::Ended => {}
                Read::Uncountable => {
                    (self.here, self.gone_here) = (0, 0);
                    self.is_estimated = true;
                    self.estimated += sizes::catalogued_size(relation).round() as u64;
                }
            }
            self.members.pop();
            self.before += std::mem::take(&mut self.here);
            self.gone_before += std::mem::take(&mut self.gone_here);
            self.place = None;
        }
    }

    /// Has a foreign table counted, from the beginning. What its server sees is not what our snapshot does, so
    /// the size is about that.
    fn read_foreign(&mut self, relation: pg_sys::Oid, enough: u64) -> Read {
        let Some(role) = self.asks_as else { return Read::Uncountable };
        // SAFETY: the relation is open and locked, and stays so until this returns.
        match sizes::with_open(relation, |opened| unsafe { remote::count(opened, role, enough) }) {
            Look::Has((rows, ended)) => {
                // It does not see what the statements before have deleted over there.
                self.blind = true;
                self.here = rows;
                self.is_estimated = true;
                if ended { Read::Ended } else { Read::Enough }
            }
            Look::Taken => Read::Uncountable,
            Look::Gone => Read::Ended,
        }
    }

    /// Reads on in a table until `here` is as many as `enough`.
    fn read(&mut self, relation: pg_sys::Oid, enough: u64, pages: u64) -> Read {
        let read = sizes::with_open(relation, |opened| {
            // SAFETY: the relation is open and locked, and stays so until this returns.
            unsafe {
                let _uncounted = Uncounted::new(opened);
                if heap::is_heap(opened) {
                    self.read_heap(opened, enough, pages)
                } else {
                    self.read_other(opened, enough)
                }
            }
        });
        match read {
            Look::Has(read) => read,
            Look::Taken => Read::Uncountable,
            Look::Gone => Read::Ended,
        }
    }

    /// # Safety
    /// `opened` is a heap, open and locked.
    unsafe fn read_heap(&mut self, opened: pg_sys::Relation, enough: u64, pages: u64) -> Read {
        // SAFETY: by contract.
        unsafe {
            let file = (*(*opened).rd_rel).relfilenode;
            let now = pg_sys::RelationGetNumberOfBlocksInFork(opened, pg_sys::ForkNumber::MAIN_FORKNUM);
            let mut place = match self.place {
                // VACUUM may have cut empty pages off.
                Some(place) if place.file == file => Place { blocks: place.blocks.min(now), ..place },
                _ => {
                    (self.here, self.gone_here) = (0, 0);
                    Place { file, block: 0, blocks: now }
                }
            };
            self.is_renewed |= compat::has_new_file(opened);
            let snapshot = self.snapshot();
            let to = u64::from(place.block).saturating_add(pages).min(place.blocks.into()) as u32;
            let (from, wanted) = (place.block, enough.saturating_sub(self.here));
            let seen = frame::call(|| heap::read_pages(opened, snapshot, self.since, from, to, wanted));
            self.pages += u64::from(seen.block.saturating_sub(from));
            self.here += seen.rows;
            self.gone_here += seen.gone;
            place.block = seen.block;
            self.place = Some(place);
            if place.block < place.blocks { Read::Enough } else { Read::Ended }
        }
    }

    /// Another access method's table, by its own scan: from the beginning, for a scan that is kept open
    /// would outlive what it hangs on.
    ///
    /// # Safety
    /// `opened` is a table, open and locked.
    unsafe fn read_other(&mut self, opened: pg_sys::Relation, enough: u64) -> Read {
        // SAFETY: by contract.
        unsafe {
            if self.sees == Sees::Snapshot && pg_sys::XactIsoLevel == pg_sys::XACT_SERIALIZABLE as c_int {
                // Its scan would take predicate locks, which no reader of ours may keep.
                return Read::Uncountable;
            }
            self.blind = true;
            let snapshot = self.snapshot();
            let (rows, ended) = frame::call(|| scan(opened, snapshot, enough));
            self.here = rows;
            if ended { Read::Ended } else { Read::Enough }
        }
    }

    /// The snapshot of the statement that runs sees rows that it has changed itself as they were.
    fn snapshot(&self) -> pg_sys::Snapshot {
        // Without one (no statement runs) what is committed counts. SnapshotSelf is not of MVCC, so that no
        // reader by it takes predicate locks.
        if self.sees == Sees::Snapshot && pg_sys::ActiveSnapshotSet() {
            pg_sys::GetActiveSnapshot()
        } else {
            &raw mut pg_sys::SnapshotSelfData
        }
    }
}

/// Counts the rows of a table by its own scan, up to `enough`; whether it came to an end.
///
/// # Safety
/// `opened` is a table, open and locked; runs in `frame::call` and owns nothing.
#[allow(ffi_unwind_calls, reason = "runs in frame::call and owns nothing")]
unsafe fn scan(opened: pg_sys::Relation, snapshot: pg_sys::Snapshot, enough: u64) -> (u64, bool) {
    use pg_sys::ScanOptions::{SO_ALLOW_PAGEMODE, SO_ALLOW_STRAT, SO_TYPE_SEQSCAN};
    // SAFETY: by contract; what table_beginscan_strat and its like do, of a complete access method.
    unsafe {
        let method = (*opened).rd_tableam;
        let (Some(begin), Some(next), Some(end)) =
            ((*method).scan_begin, (*method).scan_getnextslot, (*method).scan_end)
        else {
            return (0, true);
        };
        let none = std::ptr::null_mut();
        let slot = raw::table_slot_create(opened, none);
        let flags = SO_TYPE_SEQSCAN | SO_ALLOW_STRAT | SO_ALLOW_PAGEMODE;
        let scan = begin(opened, snapshot, 0, std::ptr::null_mut(), std::ptr::null_mut(), flags);
        let mut rows = 0;
        let mut ended = false;
        while rows < enough && !ended {
            if pg_sys::InterruptPending != 0 {
                raw::ProcessInterrupts();
            }
            ended = !next(scan, pg_sys::ScanDirection::ForwardScanDirection, slot);
            rows += u64::from(!ended);
        }
        end(scan);
        raw::ExecDropSingleTupleTableSlot(slot);
        (rows, ended)
    }
}
