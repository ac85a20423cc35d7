//! TimescaleDB.

use super::engine::Engine;
use crate::pg::pg_sys;

pub struct TimescaleDb;

impl Engine for TimescaleDb {
    fn setting(&self) -> &'static core::ffi::CStr {
        c"timescaledb.disable_load"
    }

    fn is_here(&self) -> bool {
        false
    }

    fn forget(&self, _: pg_sys::Oid) {}

    fn runs(&self, _: pg_sys::Oid) -> bool {
        false
    }

    fn counts(&self, _: pg_sys::Oid) -> bool {
        false
    }

    fn whole(&self, _: pg_sys::Oid) -> Option<pg_sys::Oid> {
        None
    }

    fn hides_parts(&self) -> bool {
        false
    }

    fn is_own_session(&self) -> bool {
        false
    }

    fn is_own_function(&self, _: pg_sys::Oid) -> bool {
        false
    }

    fn is_own_node(&self, _: &core::ffi::CStr) -> bool {
        false
    }
}
