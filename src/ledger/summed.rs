//! What sums are of.

use crate::pg::pg_sys;

/// What a sum is of: a table with the tree below it, or alone, as ONLY and most foreign keys name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Summed {
    pub relation: pg_sys::Oid,
    /// Not where there is nothing below: it is the same then.
    pub only: bool,
}
