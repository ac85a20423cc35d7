//! What hears of the settings' values, lists apart. PostgreSQL assigns the variable after the assign hook, which so
//! still sees the old value.

use std::ffi::c_void;

use super::*;
use crate::pg::guc::Declared;
use crate::usual::{self, Unusual};

/// A setting has another value: what was worked out from the old one is, too, and so are plans where
/// `in_plans`: they carry a guard, or lack one, that those made from now on will not, or will.
fn assigned(in_plans: bool) {
    changed();
    if in_plans {
        forget_plans();
    }
}

pub extern "C-unwind" fn assign_bool(_: bool, _: *mut c_void) {
    changed();
}

pub extern "C-unwind" fn assign_int(_: i32, _: *mut c_void) {
    changed();
}

pub extern "C-unwind" fn assign_mode(new: i32, _: *mut c_void) {
    assigned(is_off() != (new == Mode::Off as i32));
}

pub extern "C-unwind" fn assign_scope(new: i32, _: *mut c_void) {
    usual::set(Unusual::Scope, new != SumOver::Statement as i32);
    assigned(new != scope() as i32);
}

// Writes of a few rows by key are guarded only where so many are not free: a policy may have set what
// the other settings would say of that, so each bound counts by itself.

pub extern "C-unwind" fn assign_max_rows(new: i32, _: *mut c_void) {
    assigned(new != MAX_ROWS.get());
}

pub extern "C-unwind" fn assign_min_rows(new: i32, _: *mut c_void) {
    assigned(new != MIN_ROWS.get());
}

pub extern "C-unwind" fn assign_max_fraction(new: f64, _: *mut c_void) {
    assigned((new >= 1.0) != (MAX_FRACTION.get() >= 1.0));
}

pub extern "C-unwind" fn assign_own_max_rows(new: i32, _: *mut c_void) {
    // Every write carries a guard where it is set.
    let (is_set, was_set) = (new >= 0, OWN_MAX_ROWS.get() >= 0);
    usual::set(Unusual::OwnCeiling, is_set);
    assigned(is_set != was_set);
    if is_set != was_set {
        ceiling::changes(is_set);
    }
}

pub struct AllowRows;

impl Declared for AllowRows {
    fn declared(by: pg_sys::Oid) {
        changed();
        ALLOW_ROWS_BY.set(by);
    }
}

pub struct Reason;

impl Declared for Reason {
    fn declared(by: pg_sys::Oid) {
        REASON_BY.set(by);
    }
}
