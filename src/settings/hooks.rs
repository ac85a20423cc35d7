//! The settings' check and assign hooks: bare frames. PostgreSQL assigns the variable after the assign hook,
//! which so still sees the old value.

use std::ffi::{c_char, c_void};

use super::*;
use crate::pg::{compat, roles};

/// What a check hook may leave for the assign hook of the same value.
type Extra = *mut *mut c_void;
type Source = pg_sys::GucSource::Type;

/// A setting has another value: what was worked out from the old one is, too, and so are plans where
/// `in_plans`: they carry a guard, or lack one, that those made from now on will not, or will.
fn assigned(in_plans: bool) {
    changed();
    if in_plans {
        forget_plans();
    }
}

pub unsafe extern "C-unwind" fn assign_bool(_: bool, _: *mut c_void) {
    changed();
}

pub unsafe extern "C-unwind" fn assign_mode(new: i32, _: *mut c_void) {
    assigned(is_off() != (new == Mode::Off as i32));
}

pub unsafe extern "C-unwind" fn assign_scope(new: i32, _: *mut c_void) {
    assigned(new != scope() as i32);
}

// Writes of a few rows by key are guarded only where so many are not free: a policy may have set what
// the other settings would say of that, so each bound counts by itself.

pub unsafe extern "C-unwind" fn assign_max_rows(new: i32, _: *mut c_void) {
    assigned(new != MAX_ROWS.get());
}

pub unsafe extern "C-unwind" fn assign_min_rows(new: i32, _: *mut c_void) {
    assigned(new != MIN_ROWS.get());
}

pub unsafe extern "C-unwind" fn assign_max_fraction(new: f64, _: *mut c_void) {
    assigned((new >= 1.0) != (MAX_FRACTION.get() >= 1.0));
}

pub unsafe extern "C-unwind" fn assign_own_max_rows(new: i32, _: *mut c_void) {
    // Every write carries a guard where it is set.
    let (is_set, was_set) = (new >= 0, OWN_MAX_ROWS.get() >= 0);
    assigned(is_set != was_set);
    if is_set != was_set {
        ceiling::changes(is_set);
    }
}

pub unsafe extern "C-unwind" fn check_allow_rows(_: *mut i32, extra: Extra, source: Source) -> bool {
    // SAFETY: PostgreSQL's arguments.
    unsafe { pass_declarer(extra, source) }
}

pub unsafe extern "C-unwind" fn assign_allow_rows(_: i32, extra: *mut c_void) {
    changed();
    // SAFETY: what the check hook has passed.
    ALLOW_ROWS_BY.set(unsafe { declarer(extra) });
}

pub unsafe extern "C-unwind" fn check_reason(_: *mut *mut c_char, extra: Extra, source: Source) -> bool {
    // SAFETY: PostgreSQL's arguments.
    unsafe { pass_declarer(extra, source) }
}

pub unsafe extern "C-unwind" fn assign_reason(_: *const c_char, extra: *mut c_void) {
    // SAFETY: what the check hook has passed.
    REASON_BY.set(unsafe { declarer(extra) });
}

pub unsafe extern "C-unwind" fn check_commands(new: *mut *mut c_char, _: Extra, _: Source) -> bool {
    // SAFETY: PostgreSQL's arguments.
    unsafe { COMMANDS.check(new) }
}

pub unsafe extern "C-unwind" fn assign_commands(new: *const c_char, _: *mut c_void) {
    // SAFETY: PostgreSQL's arguments.
    unsafe { COMMANDS.assign(new) }
}

pub unsafe extern "C-unwind" fn check_exempt_tables(new: *mut *mut c_char, _: Extra, _: Source) -> bool {
    // SAFETY: PostgreSQL's arguments.
    unsafe { EXEMPT_TABLES.check(new) }
}

pub unsafe extern "C-unwind" fn assign_exempt_tables(new: *const c_char, _: *mut c_void) {
    // SAFETY: PostgreSQL's arguments.
    unsafe { EXEMPT_TABLES.assign(new) }
}

/// Every list of roles is read alike.
pub unsafe extern "C-unwind" fn check_roles(new: *mut *mut c_char, _: Extra, _: Source) -> bool {
    // SAFETY: PostgreSQL's arguments.
    unsafe { BYPASS_ROLE.check(new) }
}

pub unsafe extern "C-unwind" fn assign_bypass_role(new: *const c_char, _: *mut c_void) {
    // SAFETY: PostgreSQL's arguments.
    unsafe { BYPASS_ROLE.assign(new) }
}

pub unsafe extern "C-unwind" fn assign_override_role(new: *const c_char, _: *mut c_void) {
    // SAFETY: PostgreSQL's arguments.
    unsafe { OVERRIDE_ROLE.assign(new) }
}

pub unsafe extern "C-unwind" fn assign_policy_role(new: *const c_char, _: *mut c_void) {
    // SAFETY: PostgreSQL's arguments.
    unsafe { POLICY_ROLE.assign(new) }
}

/// Passes on who declares a setting, to be kept beside its value by PostgreSQL itself, so that the end of a
/// transaction or function brings both back. Not, where there is no memory.
///
/// # Safety
/// `extra` is what PostgreSQL passes to a check hook.
unsafe fn pass_declarer(extra: Extra, source: Source) -> bool {
    if source != pg_sys::GucSource::PGC_S_SESSION {
        return true;
    }
    let place = compat::setting_extra(size_of::<pg_sys::Oid>()).cast::<pg_sys::Oid>();
    if place.is_null() {
        return false;
    }
    // SAFETY: PostgreSQL passes where the extra belongs; the place has room for an Oid. SET runs as a user.
    unsafe {
        *place = roles::current().0;
        *extra = place.cast();
    }
    true
}

/// # Safety
/// `extra` is NULL or what `pass_declarer` has made.
unsafe fn declarer(extra: *mut c_void) -> pg_sys::Oid {
    // SAFETY: as the caller says.
    if extra.is_null() { pg_sys::InvalidOid } else { unsafe { *extra.cast::<pg_sys::Oid>() } }
}
