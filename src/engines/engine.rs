//! What an engine tells of its tables.

use crate::pg::pg_sys;

/// What an engine tells of its tables.
pub trait Engine: Sync {
    /// A setting that its library defines.
    fn setting(&self) -> &'static core::ffi::CStr;

    /// Whether the extension is in this database.
    fn is_here(&self) -> bool;

    /// Forgets what is kept of a relation, or (InvalidOid) of all. Raises nothing.
    fn forget(&self, relation: pg_sys::Oid);

    /// Whether it plans and runs the writes of a table by itself, so that no ModifyTable shows them.
    fn runs(&self, relation: pg_sys::Oid) -> bool;

    /// The name that a table's rows are counted by, through the engine; `None` where PostgreSQL's own count finds
    /// them all.
    fn counts(&self, relation: pg_sys::Oid) -> bool;

    /// The table that a relation is a part of, which the engine made.
    fn whole(&self, part: pg_sys::Oid) -> Option<pg_sys::Oid>;

    /// Whether the table's policy, and not its own, is what a part is judged by.
    fn hides_parts(&self) -> bool;

    /// Whether this session is the engine's own, opened for a statement that another node judges.
    fn is_own_session(&self) -> bool;

    /// Whether a function is the engine's, and what it writes its own work.
    fn is_own_function(&self, function: pg_sys::Oid) -> bool;

    /// Whether a plan node of this name is the engine's, which runs a whole statement.
    fn is_own_node(&self, name: &core::ffi::CStr) -> bool;
}
