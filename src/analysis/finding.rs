//! What the analysis says of a statement.

use crate::pg::pg_sys;
use crate::pg::write::Write;
use crate::{rehearsal, settings};

/// Whether the rows a statement writes are restricted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Qualification {
    Qualified,
    /// No condition at all.
    NoWhere,
    /// The condition restricts nothing.
    MatchesEveryRow,
    /// The condition restricts nothing: a sub-select compares this column with itself.
    OuterColumn(i16),
    /// The condition restricts nothing: it compares this column with itself.
    ComparedWithItself(i16),
    /// The condition has parameters: the bound values decide at each execution.
    Deferred,
}

/// Whether every write is looked at, guarded or not: its rows count for a rehearsal, or for a session's own ceiling.
#[inline]
pub fn looks_at_all() -> bool {
    rehearsal::is_on() || settings::own_max_rows().is_some()
}

/// What the analysis found of one data-modifying part of a statement.
#[derive(Clone, Copy)]
pub struct Finding {
    pub write: Write,
    /// What is in force has it looked at; where not, parts with policies of their own may be.
    pub guarded: bool,
    /// So many rows are free, whatever the table's size.
    pub free: u64,
    pub qualification: Qualification,
    /// An UPDATE whose new values may hang on when they are computed.
    pub sets_volatile: bool,
    /// A view that is joined: its rows, which have no identity, are told apart by their values.
    pub joins_view: bool,
    /// The range table index that the kept conditions call the target by.
    pub target_index: i32,
    /// Where deferred, what `kept` makes: the conditions of each way to a row (one for DELETE and UPDATE, one
    /// for each action of MERGE), each of which must restrict.
    pub conditions: *mut pg_sys::List,
    /// What the statement itself says of its number of rows: what `expected::take` gives.
    pub expected: *mut pg_sys::List,
}

impl Finding {
    /// Of a qualified write that is guarded.
    #[inline]
    pub(super) fn of_keyed(write: Write, free: u64, target_index: i32) -> Finding {
        Finding {
            write,
            guarded: true,
            free,
            sets_volatile: false,
            joins_view: false,
            qualification: Qualification::Qualified,
            target_index,
            conditions: std::ptr::null_mut(),
            expected: std::ptr::null_mut(),
        }
    }
}
