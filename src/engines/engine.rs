//! What an engine tells of its tables. What it does not tell is as in PostgreSQL: an engine is as large as what it
//! does otherwise.

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
    fn runs(&self, _relation: pg_sys::Oid) -> bool {
        false
    }

    /// All rows of a table, as the running statement sees them, where PostgreSQL's own count does not find them all
    /// ([`Engine::counts`]).
    fn count(&self, _relation: pg_sys::Oid, _only: bool) -> u64 {
        0
    }

    /// Whether PostgreSQL's own count of a table does not find all of its rows.
    fn counts(&self, _relation: pg_sys::Oid) -> bool {
        false
    }

    /// The setting under which its table's rows are counted.
    fn counts_under(&self, _relation: pg_sys::Oid) -> Option<Setting> {
        None
    }

    /// Whether what is inserted into a table goes to its parts, although PostgreSQL does not say so.
    fn routes_inserts(&self, _relation: pg_sys::Oid) -> bool {
        false
    }

    /// The table that a relation is a part of, which the engine made.
    fn whole(&self, _part: pg_sys::Oid) -> Option<pg_sys::Oid> {
        None
    }

    /// Whether a relation is the engine's inner one: not judged by itself below a statement that is judged, or in a
    /// session of the engine's, but where a client names it.
    fn hides(&self, _relation: pg_sys::Oid) -> bool {
        false
    }

    /// The table that loses rows when the engine drops a part of it; `None` where a part is judged by itself.
    fn goes_with(&self, _part: pg_sys::Oid) -> Option<pg_sys::Oid> {
        None
    }

    /// The part whose rows an inner relation holds packed, and a query of how many they are.
    fn packed(&self, _relation: pg_sys::Oid) -> Option<(pg_sys::Oid, String)> {
        None
    }

    /// A query of the nodes where this library is not; `None` where all rows are in this server.
    fn unguarded_nodes(&self) -> Option<&'static core::ffi::CStr> {
        None
    }

    /// Whether this session is the engine's own, opened for a statement that another node judges.
    fn is_own_session(&self) -> bool {
        false
    }

    /// Whether a function is the engine's, and what it truncates and drops its own work.
    fn is_own_function(&self, _function: pg_sys::Oid) -> bool {
        false
    }

    /// Whether a plan node of this name is the engine's, which runs a whole statement.
    fn is_own_node(&self, _name: &core::ffi::CStr) -> bool {
        false
    }

    /// Whether a plan node of this name is the engine's, and runs the ModifyTable below it.
    fn wraps_writes(&self, _name: &core::ffi::CStr) -> bool {
        false
    }

    /// Whether such a node starts the ModifyTable's input late.
    fn starts_inputs_late(&self) -> bool {
        false
    }
}
