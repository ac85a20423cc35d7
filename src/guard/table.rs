//! The size of the table that a write is judged by, as far as the verdict hangs on it. Estimates only say
//! that no count is needed; what counting tells is kept beside the sum, for the statements after.

use crate::pg::pg_sys;
use safedelete_core::limit::{Bounds, Size};

use super::given;
use crate::analysis::target;
use crate::engines;
use crate::ledger::{self, Summed};
use crate::pg::count::Count;
use crate::pg::heap::Since;
use crate::pg::inheritance;
use crate::pg::relations;
use crate::pg::sizes;
use crate::pg::write::Write;

/// A table of so many pages is counted where that only makes a text better.
const CHEAP_PAGES: u64 = 128;

pub struct Table {
    relation: pg_sys::Oid,
    only: bool,
    of: Summed,
    /// What the sum had deleted, or collected to delete, before the statement began: as far as these rows are
    /// gone, its snapshot does not see them.
    deleted_before: u64,
    /// Likewise those that may have moved to another partition.
    movable_before: u64,
    /// What each foreign scan of the running statement has had its server delete, as far as is told: the server has
    /// deleted all when the first row is, and does not count them any more.
    sent: Vec<u64>,
    /// Which of them had begun when the count did.
    begun: Vec<bool>,
    /// With whose user mappings foreign servers are asked, if not the current user's.
    role: pg_sys::Oid,
    /// TRUNCATE and DROP: the size that their count is taken for.
    whole: Option<Size>,
    count: Option<Count>,
    /// An engine has counted it for this statement, or no count would find what is gone.
    by_engine: bool,
    /// Nothing runs, so nothing is counted that is not cheap.
    previews: bool,
    /// A count of this statement's is asked for once.
    is_point_write: bool,
}

/// What a table's size says of a count.
pub enum Answer {
    /// It has none: a view.
    NoSize,
    /// Up to so many rows no count is needed.
    Within(u64),
    /// The size: known as far as it decides.
    Size(Size),
}

impl Table {
    pub fn new(write: Write) -> Table {
        let Write { relation, only, .. } = write;
        let of = target::summed(write);
        Table {
            relation,
            only,
            of,
            deleted_before: ledger::deleted(of),
            movable_before: if target::is_in_tree(relation) { ledger::movable(of) } else { 0 },
            sent: Vec::new(),
            begun: Vec::new(),
            role: pg_sys::InvalidOid,
            whole: None,
            count: None,
            by_engine: false,
            previews: false,
            is_point_write: false,
        }
    }

    /// The table of a write whose rows have joined the sum.
    pub fn joined(self, deleted: u64) -> Table {
        let deleted_before = self.deleted_before.saturating_sub(deleted);
        Table { deleted_before, is_point_write: true, ..self }
    }

    /// The table of a write that is made as `role`.
    pub fn written_as(self, role: pg_sys::Oid) -> Table {
        Table { role, ..self }
    }

    /// Foreign servers have deleted so many rows for the running statement, scan by scan.
    pub fn note_sent(&mut self, rows: Vec<u64>) {
        self.sent = rows;
    }

    fn has_sent(&self) -> bool {
        self.sent.iter().any(|rows| *rows > 0)
    }

    /// A table that is taken whole.
    pub fn of_size(self, size: Size) -> Table {
        Table { whole: Some(size.plus(self.deleted_before)), ..self }
    }

    /// So many rows of this statement's are gone already.
    pub fn has_deleted(&mut self, rows: u64) {
        self.deleted_before = self.deleted_before.saturating_add(rows);
    }

    /// A table whose size has been learned, and is not to be found out again.
    pub fn learned(self) -> Table {
        Table { by_engine: true, ..self }
    }

    /// The size that an engine counts.
    fn by_engine(&mut self) -> Option<Size> {
        let size = Size::Exact(engines::count(self.relation, self.only)?).plus(self.deleted_before);
        self.by_engine = true;
        ledger::learn_size(self.of, size);
        Some(size)
    }

    /// What its rows are summed for.
    pub fn of(&self) -> Summed {
        self.of
    }

    pub fn is_taken_whole(&self) -> bool {
        self.whole.is_some()
    }

    /// Nothing runs: what is said of it is the estimate, where counting is not cheap.
    pub fn preview(&mut self) {
        self.previews = true;
    }

    /// Whether `bounds` allow `sum` rows, as far as that hangs on the table's size.
    pub fn allows(&mut self, bounds: &Bounds, sum: u64) -> Answer {
        if let Some(size) = self.whole {
            return Answer::Size(size);
        }
        if self.previews {
            return cheap(self.relation, self.only).map_or(Answer::NoSize, Answer::Size);
        }
        let learned = ledger::learned(self.of);
        // While a foreign server deletes, the size is what it has now and what is gone.
        if !self.has_sent()
            && let Some(size) = learned.size
            && (size.is_final() || bounds.limit(Some(size)).is_none_or(|limit| limit.rows >= sum))
        {
            return Answer::Size(size);
        }
        let lowest = learned.lowest.unwrap_or_else(|| {
            let lowest = sizes::lowest(self.relation, self.only);
            ledger::learn_lowest(self.of, lowest);
            lowest
        });
        let Some(lowest) = lowest else { return Answer::NoSize };
        let half = bounds.share(lowest) / 2;
        if sum <= half {
            return Answer::Within(half);
        }
        if let Some(size) = self.by_engine() {
            return Answer::Size(size);
        }
        let wanted = bounds.table_for(sum);
        if wanted == u64::MAX {
            // No table is large enough, so its size decides nothing.
            return Answer::Size(self.cheap_size().unwrap_or(Size::AtLeast(sum)));
        }
        // Somewhat further than need be, so as not to be asked for each row. A count of another statement's
        // cannot go on under this one's snapshot: where there was one, or is to be, this goes twice as far.
        let begins_anew = self.is_point_write || (self.count.is_none() && learned.size.is_some());
        let further = if begins_anew { sum } else { sum / 10 + 100 };
        Answer::Size(self.count_to(bounds.table_for(sum.saturating_add(further)).max(wanted)))
    }

    /// Counts until the table is known to hold `rows`, with those that the sum had deleted before.
    fn count_to(&mut self, rows: u64) -> Size {
        // A count that goes on when another server has deleted would not know whether it had been asked before.
        let begun: Vec<bool> = self.sent.iter().map(|rows| *rows > 0).collect();
        let kept = self.count.take().filter(|count| count.has_ended() || self.begun == begun);
        let mut count = kept.unwrap_or_else(|| {
            self.begun = begun;
            self.new_count().asking_as(self.role)
        });
        // Those that are gone may be found on the way.
        while !count.has_ended() && count.rows().saturating_add(self.gone(&count)) < rows {
            count.go_on(rows - self.gone(&count), u64::MAX);
        }
        let (size, is_blind) = (self.size_of(&count), count.is_blind());
        self.count = Some(count);
        if self.has_sent() && is_blind {
            let unseen = self.sent.iter().zip(&self.begun).filter(|(_, begun)| **begun).map(|(rows, _)| rows);
            return size.plus(unseen.sum());
        }
        ledger::learn_size(self.of, size);
        size
    }

    /// The size by this statement's own snapshot, where another statement of the sum has counted; `None`
    /// where this one has.
    pub fn recount(&mut self) -> Option<Size> {
        if self.whole.is_some()
            || self.by_engine
            || self.previews
            || self.count.as_ref().is_some_and(Count::has_ended)
        {
            return None;
        }
        self.by_engine().or_else(|| Some(self.count_to(u64::MAX)))
    }

    /// The size, counted to the end.
    pub fn size(&mut self) -> Option<Size> {
        if self.whole.is_some() {
            return self.whole;
        }
        let known = ledger::learned(self.of).size.filter(|size| size.is_final());
        known
            .or_else(|| self.by_engine())
            .or_else(|| relations::has_size(self.relation).then(|| self.count_to(u64::MAX)))
    }

    /// The size, where it is known or cheaply counted to the end.
    pub fn cheap_size(&mut self) -> Option<Size> {
        if self.whole.is_some() {
            return self.whole;
        }
        let known = ledger::learned(self.of).size.filter(|size| size.is_final());
        known.or_else(|| self.by_engine()).or_else(|| {
            let mut count = self.new_count();
            count.go_on(u64::MAX, CHEAP_PAGES);
            let has_ended = relations::has_size(self.relation) && count.has_ended();
            has_ended.then(|| self.size_of(&count))
        })
    }

    /// What a count has come to, with those of the deleted rows that are gone.
    fn size_of(&self, count: &Count) -> Size {
        count.size().plus(self.gone(count))
    }

    /// Of the rows that the sum has taken from the table, those that a count does not see.
    fn gone(&self, count: &Count) -> u64 {
        let deleted = self.deleted_before;
        // Of these, what a new file does not have.
        let left_behind = if deleted == 0 { 0 } else { ledger::left_behind(self.of) };
        count.gone(deleted, self.movable_before, left_behind)
    }

    /// A count for the sum.
    fn new_count(&self) -> Count {
        let count = Count::new(self.relation, self.only);
        if self.deleted_before + self.movable_before == 0 {
            return count;
        }
        count.with_gone(Since {
            command: ledger::began(),
            of: (self.of.relation, self.of.only),
            were_there: ledger::were_there,
            is_nobodys: ledger::is_nobodys,
            moved: self.movable_before > 0,
        })
    }

    /// What was counted for this statement, and the pages that were read.
    pub fn counted(&self) -> Option<(Size, u64)> {
        let count = self.count.as_ref()?;
        Some((self.size_of(count), count.pages()))
    }
}

/// The size of a table of few pages, and of a larger one the planner's estimate; `None` for what has none.
pub fn cheap(relation: pg_sys::Oid, only: bool) -> Option<Size> {
    if !relations::has_size(relation) {
        return None;
    }
    let tables = if only { vec![relation] } else { inheritance::members(relation) };
    if let Some((rows, rest)) = given::among(&tables) {
        let rest = rest.into_iter().filter_map(|table| of_itself(table, true));
        return Some(rest.fold(Size::About(rows), Size::and));
    }
    of_itself(relation, only)
}

/// The same, whatever is given.
fn of_itself(relation: pg_sys::Oid, only: bool) -> Option<Size> {
    if let Some(rows) = engines::count(relation, only) {
        return Some(Size::Exact(rows));
    }
    let mut count = Count::new(relation, only);
    count.go_on(u64::MAX, CHEAP_PAGES);
    if count.has_ended() {
        return Some(count.size());
    }
    sizes::size(relation, only).map(|rows| Size::About(rows.round() as u64))
}
