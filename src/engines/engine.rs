//! What an engine tells of its tables.

use super::running::Setting;
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

    /// Whether PostgreSQL's own count of a table does not find all of its rows.
    fn counts(&self, relation: pg_sys::Oid) -> bool;

    /// All rows of such a table, as the running statement sees them.
    fn count(&self, relation: pg_sys::Oid, only: bool) -> u64;

    /// The setting under which its table's rows are counted.
    fn counts_under(&self, relation: pg_sys::Oid) -> Option<Setting>;

    /// Whether what is inserted into a table goes to its parts, although PostgreSQL does not say so.
    fn routes_inserts(&self, relation: pg_sys::Oid) -> bool;

    /// The table that a relation is a part of, which the engine made.
    fn whole(&self, part: pg_sys::Oid) -> Option<pg_sys::Oid>;

    /// Whether a relation is the engine's inner one: not judged by itself below a statement that is judged, or in a
    /// session of the engine's, but where a client names it.
    fn hides(&self, relation: pg_sys::Oid) -> bool;

    /// The table that loses rows when the engine drops a part of it; `None` where a part is judged by itself.
    fn goes_with(&self, part: pg_sys::Oid) -> Option<pg_sys::Oid>;

    /// The part whose rows an inner relation holds packed, and a query of how many they are.
    fn packed(&self, relation: pg_sys::Oid) -> Option<(pg_sys::Oid, String)>;

    /// A query of the nodes where this library is not; `None` where all rows are in this server.
    fn unguarded_nodes(&self) -> Option<&'static std::ffi::CStr>;

    /// Whether this session is the engine's own, opened for a statement that another node judges.
    fn is_own_session(&self) -> bool;

    /// Whether a function is the engine's, and what it writes its own work.
    fn is_own_function(&self, function: pg_sys::Oid) -> bool;

    /// Whether a plan node of this name is the engine's, which runs a whole statement.
    fn is_own_node(&self, name: &core::ffi::CStr) -> bool;

    /// Whether a plan node of this name is the engine's, and runs the ModifyTable below it.
    fn wraps_writes(&self, name: &core::ffi::CStr) -> bool;

    /// Whether such a node starts the ModifyTable's input late.
    fn starts_inputs_late(&self) -> bool;
}
