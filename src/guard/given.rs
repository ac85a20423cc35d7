//! Sizes that `check` was given for tables of another database, or that restored statistics tell of a table
//! without its rows. They are in force while `check` runs, which is where nothing runs: the guard itself asks for
//! none of them. The planner takes them for the tables' own, so that its estimates are those of the other database.

use crate::pg::pg_sys;
use safedelete_core::sizes::Sizes;

use crate::pg::local::Lent;
use crate::pg::{compat, frame, nodes, relations, sizes};

static GIVEN: Lent<Option<Sizes>> = Lent::new(None);

/// While it lives, sizes are in force.
pub struct InForce(());

impl InForce {
    /// `None` where they are already, for an outer `check`.
    pub fn begin(sizes: Sizes) -> Option<InForce> {
        if GIVEN.with(|given| given.is_some()) {
            return None;
        }
        GIVEN.with(|given| *given = Some(sizes));
        compat::tell_of_relations(found);
        Some(InForce(()))
    }
}

impl Drop for InForce {
    fn drop(&mut self) {
        compat::forget_relations();
        GIVEN.with(|given| *given = None);
    }
}

/// Told of a table by the planner, which knows its size and its indexes' by then.
///
/// # Safety
/// A bare frame. `rel` is the planner's, filled in.
unsafe fn found(relation: pg_sys::Oid, rel: *mut pg_sys::RelOptInfo) {
    frame::guarded(|| {
        if let Some(rows) = own_rows(relation) {
            // SAFETY: by contract.
            unsafe { resize(rel, rows as f64) };
        }
    });
}

/// About how many rows of an index or a table are on a page: it decides costs, and no number of rows.
const ROWS_A_PAGE: f64 = 100.0;

/// # Safety
/// `found` is a table's, filled in.
unsafe fn resize(found: *mut pg_sys::RelOptInfo, rows: f64) {
    let pages = (rows / ROWS_A_PAGE).ceil().clamp(1.0, f64::from(u32::MAX - 1)) as u32;
    // SAFETY: by contract; the list holds IndexOptInfos.
    unsafe {
        (*found).tuples = rows;
        (*found).pages = pages;
        for index in nodes::items::<pg_sys::IndexOptInfo>((*found).indexlist) {
            (*index).tuples = rows;
            (*index).pages = pages;
        }
    }
}

/// What is given of some tables together, and those of which nothing is; `None` where nothing is given of any.
pub fn among(tables: &[pg_sys::Oid]) -> Option<(u64, Vec<pg_sys::Oid>)> {
    if !GIVEN.with(|given| given.is_some()) {
        return None;
    }
    let (mut rows, mut rest) = (None::<u64>, Vec::new());
    for table in tables {
        match own_rows(*table) {
            Some(own) => rows = Some(rows.unwrap_or(0).saturating_add(own)),
            // It has no rows of its own.
            None if relations::kind(*table) == pg_sys::RELKIND_PARTITIONED_TABLE => {}
            None => rest.push(*table),
        }
    }
    rows.map(|rows| (rows, rest))
}

/// What is given of one table's own rows, or was restored.
fn own_rows(relation: pg_sys::Oid) -> Option<u64> {
    let (schema, table) = (relations::schema(relation), relations::name(relation));
    let given = GIVEN.with(|given| given.as_ref().and_then(|given| given.rows(&schema, &table)));
    given.or_else(|| sizes::restored(relation))
}
