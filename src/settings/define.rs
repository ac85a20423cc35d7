//! Defines the settings for PostgreSQL: names, texts, who sets them, and the hooks that read lists and
//! say when cached plans were made for another value. All but two are PGC_SUSET: an ordinary role
//! cannot loosen the guard by SET, set_config, ALTER ROLE or a function's SET clause.

use std::ffi::{CStr, CString};

use pgrx::{GucContext, GucFlags, GucRegistry};
use safedelete_core::command::Commands;
use safedelete_core::limit::Bounds;
use safedelete_core::names;

use super::*;
use crate::pg::{compat, pg_sys, roles, text};

unsafe extern "C-unwind" fn assign_mode(new: i32, _: *mut core::ffi::c_void) {
    // SAFETY: PostgreSQL assigns the variable after this hook, so it still holds the old value.
    let old = unsafe { *MODE.as_ptr() };
    changed();
    let off = ModeValue::Off as i32;
    if (old == off) != (new == off) {
        forget_plans();
    }
}

unsafe extern "C-unwind" fn assign_scope(new: i32, _: *mut core::ffi::c_void) {
    changed();
    // SAFETY: as in assign_mode.
    if unsafe { *SCOPE.as_ptr() } != new {
        forget_plans();
    }
}

/// Writes of a few rows by key are guarded only where so many are not free: a policy may have set what
/// the other settings would say of that, so each counts by itself.
fn bounds_changed(before: Bounds, after: Bounds) {
    changed();
    let decides = |bounds: &Bounds| (bounds.max_rows, bounds.min_rows, bounds.max_fraction >= 1.0);
    if decides(&before) != decides(&after) {
        forget_plans();
    }
}

unsafe extern "C-unwind" fn assign_max_rows(new: i32, _: *mut core::ffi::c_void) {
    let before = bounds();
    bounds_changed(before, Bounds { max_rows: u64::try_from(new).ok(), ..before });
}

unsafe extern "C-unwind" fn assign_min_rows(new: i32, _: *mut core::ffi::c_void) {
    let before = bounds();
    bounds_changed(before, Bounds { min_rows: new as u64, ..before });
}

unsafe extern "C-unwind" fn assign_max_fraction(new: f64, _: *mut core::ffi::c_void) {
    let before = bounds();
    bounds_changed(before, Bounds { max_fraction: new, ..before });
}

/// Passes on who declares a setting, to be kept beside its value by PostgreSQL itself, so that the end of a
/// transaction or function brings both back. Not, where there is no memory.
unsafe fn pass_declarer(extra: *mut *mut core::ffi::c_void, source: pg_sys::GucSource::Type) -> bool {
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
unsafe fn declarer(extra: *mut core::ffi::c_void) -> pg_sys::Oid {
    // SAFETY: by contract.
    if extra.is_null() { pg_sys::InvalidOid } else { unsafe { *extra.cast::<pg_sys::Oid>() } }
}

unsafe extern "C-unwind" fn check_allow_rows(
    _: *mut i32,
    extra: *mut *mut core::ffi::c_void,
    source: pg_sys::GucSource::Type,
) -> bool {
    // SAFETY: PostgreSQL's arguments.
    unsafe { pass_declarer(extra, source) }
}

unsafe extern "C-unwind" fn assign_allow_rows(_: i32, extra: *mut core::ffi::c_void) {
    changed();
    // SAFETY: what the check hook has passed.
    ALLOW_ROWS_BY.set(unsafe { declarer(extra) });
}

unsafe extern "C-unwind" fn check_reason(
    _: *mut *mut core::ffi::c_char,
    extra: *mut *mut core::ffi::c_void,
    source: pg_sys::GucSource::Type,
) -> bool {
    // SAFETY: PostgreSQL's arguments.
    unsafe { pass_declarer(extra, source) }
}

unsafe extern "C-unwind" fn assign_reason(_: *const core::ffi::c_char, extra: *mut core::ffi::c_void) {
    // SAFETY: what the check hook has passed.
    REASON_BY.set(unsafe { declarer(extra) });
}

unsafe extern "C-unwind" fn assign_bool(_: bool, _: *mut core::ffi::c_void) {
    changed();
}

/// Leaves DETAIL for PostgreSQL's "invalid value for parameter".
fn explain_bad_value(detail: &str) {
    let Ok(detail) = CString::new(detail) else { return };
    // SAFETY: what the macro GUC_check_errdetail does; ErrorContext lives until the report is out.
    unsafe {
        pg_sys::GUC_check_errdetail_string =
            pg_sys::MemoryContextStrdup(pg_sys::ErrorContext, detail.as_ptr());
    }
}

/// The text of a string setting's value.
///
/// # Safety
/// `value` is NULL or NUL-terminated.
unsafe fn value_text(value: *const core::ffi::c_char) -> String {
    if value.is_null() {
        return String::new();
    }
    // SAFETY: by contract.
    text::of_setting(unsafe { CStr::from_ptr(value) })
}

/// Makes the check and assign hooks of a list setting. The check hook parses to refuse; the assign
/// hook, which must not fail, parses again and keeps the outcome.
macro_rules! list_hooks {
    ($check:ident, $assign:ident, $parse:expr, $into:ident, $changed:expr) => {
        unsafe extern "C-unwind" fn $check(
            new: *mut *mut core::ffi::c_char,
            _: *mut *mut core::ffi::c_void,
            _: pg_sys::GucSource::Type,
        ) -> bool {
            crate::pg::frame::undisturbed(false, || {
                // SAFETY: PostgreSQL passes the address of the proposed value.
                match $parse(&unsafe { value_text(*new) }) {
                    Ok(_) => true,
                    Err(detail) => {
                        explain_bad_value(&detail);
                        false
                    }
                }
            })
        }

        unsafe extern "C-unwind" fn $assign(new: *const core::ffi::c_char, _: *mut core::ffi::c_void) {
            crate::pg::frame::undisturbed((), || {
                changed();
                // SAFETY: PostgreSQL passes the new value, which the check hook has passed.
                if let Ok(parsed) = $parse(&unsafe { value_text(new) }) {
                    let changed = $into.with(|current| {
                        let changed = *current != parsed;
                        *current = parsed;
                        changed
                    });
                    if changed && $changed {
                        forget_plans();
                    }
                }
            })
        }
    };
}

fn parse_commands(list: &str) -> Result<Commands, String> {
    Commands::parse(list)
        .map_err(|word| format!("\"{word}\" is none of delete, update, merge, truncate, drop, upsert."))
}

list_hooks!(check_commands, assign_commands, parse_commands, PARSED_COMMANDS, true);
list_hooks!(check_exempt, assign_exempt, names::parse_tables, PARSED_EXEMPT_TABLES, true);
list_hooks!(check_bypass, assign_bypass, names::parse_roles, PARSED_BYPASS_ROLE, false);
list_hooks!(check_override, assign_override, names::parse_roles, PARSED_OVERRIDE_ROLE, false);
list_hooks!(check_policy, assign_policy, names::parse_roles, PARSED_POLICY_ROLE, false);

/// Defines every setting and reserves the prefix, so that a misspelt name is an error.
pub fn define() {
    let flags = GucFlags::default();
    // SET takes `a, b` for a list as well as 'a, b'.
    let list = GucFlags::from_bits_retain(pg_sys::GUC_LIST_INPUT as i32);
    // SAFETY: the hooks are bare frames: they run their Rust inside frame::guarded.
    unsafe {
        GucRegistry::define_enum_guc_with_hooks(
            c"safedelete.mode",
            c"Sets what happens to a write that the rules refuse.",
            c"enforce raises an error; warn sends a WARNING and log writes a LOG line, and both let the write through; off checks nothing.",
            &MODE,
            GucContext::Suset,
            flags,
            None,
            Some(assign_mode),
            None,
        );
        GucRegistry::define_enum_guc_with_hooks(
            c"safedelete.scope",
            c"Sets over what the modified rows of a table are summed.",
            c"statement: over one statement of the client and all it fires; transaction: over the transaction.",
            &SCOPE,
            GucContext::Suset,
            flags,
            None,
            Some(assign_scope),
            None,
        );
        GucRegistry::define_int_guc_with_hooks(
            c"safedelete.max_rows",
            c"Sets how many rows of one table a statement may modify.",
            c"-1 is no limit, 0 allows none.",
            &MAX_ROWS,
            -1,
            i32::MAX,
            GucContext::Suset,
            flags,
            None,
            Some(assign_max_rows),
            None,
        );
        GucRegistry::define_string_guc_with_hooks(
            c"safedelete.commands",
            c"Lists the commands that are guarded.",
            c"A list of delete, update, merge, truncate, drop and upsert (INSERT ... ON CONFLICT DO UPDATE).",
            &COMMANDS,
            GucContext::Suset,
            list,
            Some(check_commands),
            Some(assign_commands),
            None,
        );
        GucRegistry::define_string_guc_with_hooks(
            c"safedelete.exempt_tables",
            c"Lists the tables that are not guarded.",
            c"A list of name, schema.name or schema.*, for tools that purge their own bookkeeping.",
            &EXEMPT_TABLES,
            GucContext::Suset,
            list,
            Some(check_exempt),
            Some(assign_exempt),
            None,
        );
        GucRegistry::define_string_guc_with_hooks(
            c"safedelete.bypass_role",
            c"Lists the roles whose members are not checked.",
            c"Membership counts, direct or not; a superuser is not a member by being a superuser. A name that is no role is nobody.",
            &BYPASS_ROLE,
            GucContext::Suset,
            list,
            Some(check_bypass),
            Some(assign_bypass),
            None,
        );
        GucRegistry::define_string_guc_with_hooks(
            c"safedelete.override_role",
            c"Lists the roles whose members may use safedelete.allow_rows.",
            c"An empty list allows any role.",
            &OVERRIDE_ROLE,
            GucContext::Suset,
            list,
            Some(check_override),
            Some(assign_override),
            None,
        );
        GucRegistry::define_string_guc_with_hooks(
            c"safedelete.policy_role",
            c"Lists the roles whose members may write policy.",
            c"They need to own the table or schema as well, as SECURITY LABEL asks. Superusers may always.",
            &POLICY_ROLE,
            GucContext::Suset,
            list,
            Some(check_policy),
            Some(assign_policy),
            None,
        );
    }
    GucRegistry::define_bool_guc(
        c"safedelete.require_where",
        c"Requires a WHERE clause that restricts the rows of the table that is written.",
        c"It holds for DELETE, UPDATE, and the UPDATE and DELETE actions of MERGE.",
        &REQUIRE_WHERE,
        GucContext::Suset,
        flags,
    );
    GucRegistry::define_float_guc_with_hooks(
        c"safedelete.max_fraction",
        c"Sets how much of a table a statement may modify.",
        c"A part of the table's rows from 0 to 1; 1 is no limit.",
        &MAX_FRACTION,
        0.0,
        1.0,
        GucContext::Suset,
        flags,
        None,
        Some(assign_max_fraction),
        None,
    );
    // SAFETY: the hook is a bare frame.
    unsafe {
        GucRegistry::define_int_guc_with_hooks(
            c"safedelete.min_rows",
            c"Sets how many rows a statement may always modify, whatever part of the table they are.",
            c"It bounds safedelete.max_fraction, not safedelete.max_rows.",
            &MIN_ROWS,
            0,
            i32::MAX,
            GucContext::Suset,
            flags,
            None,
            Some(assign_min_rows),
            None,
        );
    }
    // SAFETY: the hook is a bare frame.
    unsafe {
        GucRegistry::define_int_guc_with_hooks(
            c"safedelete.allow_rows",
            c"Declares how many rows of a table statements may modify that the rules refuse.",
            c"0 is not used, -1 any number. Use SET LOCAL, so that it ends with the transaction.",
            &ALLOW_ROWS,
            -1,
            i32::MAX,
            GucContext::Userset,
            flags,
            Some(check_allow_rows),
            Some(assign_allow_rows),
            None,
        );
    }
    // SAFETY: the hook is a bare frame.
    unsafe {
        GucRegistry::define_bool_guc_with_hooks(
            c"safedelete.require_reason",
            c"Ignores an override without a reason.",
            c"safedelete.allow_rows counts only where safedelete.reason is not empty.",
            &REQUIRE_REASON,
            GucContext::Suset,
            flags,
            None,
            Some(assign_bool),
            None,
        );
    }
    // SAFETY: reads a backend variable.
    let preloading = unsafe { pg_sys::process_shared_preload_libraries_in_progress };
    GucRegistry::define_int_guc(
        c"safedelete.events_max",
        c"Sets how many events the ring in shared memory keeps.",
        c"About 2 kB each. It counts when the server starts, with safedelete in shared_preload_libraries.",
        &EVENTS_MAX,
        0,
        1_000_000,
        // Where the library comes later, a postmaster's setting could not be defined any more.
        if preloading { GucContext::Postmaster } else { GucContext::Sighup },
        flags,
    );
    // SAFETY: the hooks are bare frames.
    unsafe {
        GucRegistry::define_string_guc_with_hooks(
            c"safedelete.reason",
            c"Says why an override is used; it goes to the log.",
            c"Such as the number of a ticket.",
            &REASON,
            GucContext::Userset,
            flags,
            Some(check_reason),
            Some(assign_reason),
            None,
        );
    }
    // SAFETY: a NUL-terminated prefix; drops what was set under unknown names, with a warning.
    unsafe { pg_sys::MarkGUCPrefixReserved(c"safedelete".as_ptr()) };
}
