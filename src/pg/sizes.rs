//! How large a table is by what PostgreSQL keeps of it: the planner's estimate, pg_class, the cumulative
//! statistics. `count.rs` has the count of the rows. No look waits for a lock, and locks that are
//! taken to look are given back at once.

use core::ffi::c_int;

use super::pg_sys;

use super::inheritance::members;
use super::relations::{catalogued, kind};
use super::{compat, heap};

/// About how many rows a table holds, as the planner reckons it: statistics scaled by the current
/// number of pages. A tree is the sum of its members. `None` for what has no size (a view).
pub fn size(relation: pg_sys::Oid, only: bool) -> Option<f64> {
    match kind(relation) {
        pg_sys::RELKIND_VIEW => return None,
        pg_sys::RELKIND_PARTITIONED_TABLE => {}
        _ if only => return Some(own_size(relation)),
        _ => {}
    }
    Some(members(relation).into_iter().map(own_size).sum())
}

/// The fewest rows that anything known makes of a table, without waiting for a lock: a count is not needed
/// where so many rows, and half of them, decide. `None` for what has no size (a view).
pub fn lowest(relation: pg_sys::Oid, only: bool) -> Option<u64> {
    match kind(relation) {
        pg_sys::RELKIND_VIEW => return None,
        pg_sys::RELKIND_PARTITIONED_TABLE => {}
        _ if only => return Some(own_lowest(relation)),
        _ => {}
    }
    Some(members(relation).into_iter().map(own_lowest).sum())
}

fn own_lowest(relation: pg_sys::Oid) -> u64 {
    if kind(relation) != pg_sys::RELKIND_RELATION {
        // What ANALYZE has found of a foreign table, at some time or never, rules nothing out.
        return 0;
    }
    let catalogued = catalogued(relation, |row| f64::from(row.reltuples));
    let Some(catalogued) = catalogued.filter(|rows| *rows >= 0.0) else {
        // Neither VACUUM nor ANALYZE has seen its file, which may be empty: the planner takes it for ten pages, and the
        // statistics may not know of a TRUNCATE yet.
        return 0;
    };
    let live = live_rows(relation).unwrap_or(0);
    let lowest = (own_size(relation).min(catalogued) as u64).min(live);
    lowest.saturating_sub(unsure_rows(relation).unwrap_or(lowest))
}

/// Rows that may have gone since VACUUM made the estimates, for nobody has told the statistics yet: as many
/// as fit on the pages that are not all-visible any more. `None` where that cannot be told.
fn unsure_rows(relation: pg_sys::Oid) -> Option<u64> {
    /// MaxHeapTuplesPerPage, of access/htup_details.h.
    const MOST_ON_A_PAGE: u64 = {
        let header = std::mem::offset_of!(pg_sys::PageHeaderData, pd_linp) as u64;
        let tuple = std::mem::offset_of!(pg_sys::HeapTupleHeaderData, t_bits) as u64;
        (pg_sys::BLCKSZ as u64 - header)
            / (tuple.next_multiple_of(8) + size_of::<pg_sys::ItemIdData>() as u64)
    };
    with_open(relation, |opened| {
        // SAFETY: the relation is open and locked; the map of a heap is read page by page.
        unsafe {
            if !heap::is_heap(opened) {
                return None;
            }
            let pages = pg_sys::RelationGetNumberOfBlocksInFork(opened, pg_sys::ForkNumber::MAIN_FORKNUM);
            let mut visible = 0;
            pg_sys::visibilitymap_count(opened, &mut visible, std::ptr::null_mut());
            Some(u64::from(pages.saturating_sub(visible)) * MOST_ON_A_PAGE)
        }
    })
    .value()
    .flatten()
}

/// What a table held where its statistics come from, if it was restored without its rows: they speak of rows, and
/// it has not one page. TRUNCATE, VACUUM and a rewrite leave no such statistics.
pub fn restored(relation: pg_sys::Oid) -> Option<u64> {
    if kind(relation) != pg_sys::RELKIND_RELATION {
        return None;
    }
    let rows = catalogued(relation, |row| row.reltuples).filter(|rows| *rows >= 1.0)?;
    let pages = with_open(relation, |opened| {
        // SAFETY: the relation is open and locked.
        unsafe { pg_sys::RelationGetNumberOfBlocksInFork(opened, pg_sys::ForkNumber::MAIN_FORKNUM) }
    });
    (pages.value() == Some(0)).then_some(rows as u64)
}

/// What came of looking into a relation.
pub enum Look<T> {
    Has(T),
    /// Another session holds it so strongly that it cannot be looked into now.
    Taken,
    Gone,
}

impl<T> Look<T> {
    fn value(self) -> Option<T> {
        match self {
            Look::Has(value) => Some(value),
            Look::Taken | Look::Gone => None,
        }
    }
}

/// What is read of a relation under a lock that is given back at once (a share lock kept into TRUNCATE's
/// exclusive one invites deadlock, and a statement that passes a partition over would not have it), and
/// that is not waited for: the statement must not wait where it would not without us.
pub fn with_open<T>(relation: pg_sys::Oid, read: impl FnOnce(pg_sys::Relation) -> T) -> Look<T> {
    let lock = pg_sys::AccessShareLock as pg_sys::LOCKMODE;
    // SAFETY: the relation is open and locked while it is read; an error gives both back with the
    // (sub)transaction.
    unsafe {
        if !pg_sys::ConditionalLockRelationOid(relation, lock) {
            return Look::Taken;
        }
        let opened = pg_sys::try_relation_open(relation, pg_sys::NoLock as c_int);
        if opened.is_null() {
            pg_sys::UnlockRelationOid(relation, lock);
            return Look::Gone;
        }
        let outcome = read(opened);
        pg_sys::relation_close(opened, lock);
        Look::Has(outcome)
    }
}

/// The rows that the cumulative statistics take for live, less those that this session has deleted and
/// not reported yet; `None` where they cannot tell.
fn live_rows(relation: pg_sys::Oid) -> Option<u64> {
    // SAFETY: reads backend variables and the statistics, whose entry is a copy.
    unsafe {
        let fetched = FetchedAlone::new()?;
        let entry = pg_sys::pgstat_fetch_stat_tabentry(relation);
        drop(fetched);
        if entry.is_null() {
            return None;
        }
        let live = compat::live_tuples(entry);
        pg_sys::pfree(entry.cast());
        let pending = pg_sys::find_tabstat_entry(relation);
        let deleted = if pending.is_null() { 0 } else { compat::pending_deletes(pending) };
        Some((live - deleted).max(0) as u64)
    }
}

/// While it lives, what is fetched of the statistics is fetched by itself: the session's own later look at
/// them is not to find what we saw.
struct FetchedAlone(c_int);

impl FetchedAlone {
    /// `None` where statistics are not kept, or are one snapshot, which would have to be taken.
    fn new() -> Option<FetchedAlone> {
        use pg_sys::PgStat_FetchConsistency::{
            PGSTAT_FETCH_CONSISTENCY_NONE, PGSTAT_FETCH_CONSISTENCY_SNAPSHOT,
        };
        // SAFETY: backend variables.
        unsafe {
            if !pg_sys::pgstat_track_counts
                || pg_sys::pgstat_fetch_consistency == PGSTAT_FETCH_CONSISTENCY_SNAPSHOT as c_int
            {
                return None;
            }
            let none = PGSTAT_FETCH_CONSISTENCY_NONE as c_int;
            let was = &raw mut pg_sys::pgstat_fetch_consistency;
            Some(FetchedAlone(std::ptr::replace(was, none)))
        }
    }
}

impl Drop for FetchedAlone {
    fn drop(&mut self) {
        // SAFETY: a backend variable.
        unsafe { pg_sys::pgstat_fetch_consistency = self.0 };
    }
}

/// One relation's own rows; 0 for a partitioned table, which has none.
fn own_size(relation: pg_sys::Oid) -> f64 {
    let kind = kind(relation);
    if !matches!(kind, pg_sys::RELKIND_RELATION | pg_sys::RELKIND_FOREIGN_TABLE) {
        return 0.0;
    }
    let estimate = with_open(relation, |opened| {
        let (mut pages, mut rows, mut visible) = (0, 0.0, 0.0);
        // SAFETY: the relation is open and locked.
        unsafe {
            pg_sys::estimate_rel_size(opened, std::ptr::null_mut(), &mut pages, &mut rows, &mut visible);
        }
        rows
    });
    match estimate.value() {
        None => catalogued_size(relation),
        Some(rows) if rows < 0.0 => unanalysed_foreign_size(relation),
        Some(rows) => rows,
    }
}

/// The last known size of a relation that another session holds so strongly that even its length
/// cannot be read now, or that lies elsewhere.
pub fn catalogued_size(relation: pg_sys::Oid) -> f64 {
    match catalogued(relation, |row| row.reltuples) {
        None => 0.0,
        Some(rows) if rows < 0.0 && kind(relation) == pg_sys::RELKIND_RELATION => {
            live_rows(relation).unwrap_or(0) as f64
        }
        Some(rows) if rows < 0.0 => unanalysed_foreign_size(relation),
        Some(rows) => f64::from(rows),
    }
}

/// What postgres_fdw assumes of a table without statistics: ten pages. The width is what
/// get_relation_data_width adds up, which opens the relation: that takes a lock that is not held here.
fn unanalysed_foreign_size(relation: pg_sys::Oid) -> f64 {
    let mut width = 0;
    let columns = catalogued(relation, |row| row.relnatts).unwrap_or(0);
    // SAFETY: catalog cache look-ups.
    unsafe {
        for column in 1..=columns {
            let (mut of, mut typmod, mut collation) = (pg_sys::InvalidOid, 0, pg_sys::InvalidOid);
            pg_sys::get_atttypetypmodcoll(relation, column, &mut of, &mut typmod, &mut collation);
            if of != pg_sys::InvalidOid {
                let known = pg_sys::get_attavgwidth(relation, column);
                width += if known > 0 { known } else { pg_sys::get_typavgwidth(of, typmod) };
            }
        }
    }
    (10.0 * f64::from(pg_sys::BLCKSZ)) / (f64::from(width) + 24.0)
}

/// While it lives, the scans of a relation are not counted in pg_stat_user_tables: they are not the
/// user's.
pub struct Uncounted {
    relation: pg_sys::Relation,
    enabled: bool,
    counts: *mut pg_sys::PgStat_TableStatus,
}

impl Uncounted {
    /// # Safety
    /// `relation` is open, and stays open for longer than the outcome lives.
    pub unsafe fn new(relation: pg_sys::Relation) -> Uncounted {
        // SAFETY: by contract.
        unsafe {
            let enabled = std::mem::replace(&mut (*relation).pgstat_enabled, false);
            let counts = std::mem::replace(&mut (*relation).pgstat_info, std::ptr::null_mut());
            Uncounted { relation, enabled, counts }
        }
    }
}

impl Drop for Uncounted {
    fn drop(&mut self) {
        // SAFETY: the relation is open: even an error closes it after this.
        unsafe {
            (*self.relation).pgstat_enabled = self.enabled;
            (*self.relation).pgstat_info = self.counts;
        }
    }
}
