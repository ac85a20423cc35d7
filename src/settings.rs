//! Every setting of safedelete; nothing else holds one. PostgreSQL writes the variables here;
//! lists are parsed once, when they are assigned. All but three are PGC_SUSET: an ordinary role
//! cannot loosen the guard by SET, set_config, ALTER ROLE or a function's SET clause.

use std::ffi::{CStr, CString};

use pgrx::{GucContext, GucFlags, GucRegistry, GucSetting, PostgresGucEnum, pg_sys};
use safedelete_core::command::Commands;
use safedelete_core::limit::Bounds;
use safedelete_core::names::{self, TableName};

use crate::pg::local::Local;
use crate::pg::raw;

/// `safedelete.mode`
#[derive(Clone, Copy, Debug, PartialEq, Eq, PostgresGucEnum)]
pub enum Mode {
    #[name = c"off"]
    Off,
    #[name = c"log"]
    Log,
    #[name = c"warn"]
    Warn,
    #[name = c"enforce"]
    Enforce,
}

/// `safedelete.scope`
#[derive(Clone, Copy, Debug, PartialEq, Eq, PostgresGucEnum)]
pub enum Scope {
    #[name = c"statement"]
    Statement,
    #[name = c"transaction"]
    Transaction,
}

static MODE: GucSetting<Mode> = GucSetting::<Mode>::new(Mode::Enforce);
static SCOPE: GucSetting<Scope> = GucSetting::<Scope>::new(Scope::Statement);
static REQUIRE_WHERE: GucSetting<bool> = GucSetting::<bool>::new(true);
static MAX_ROWS: GucSetting<i32> = GucSetting::<i32>::new(-1);
static MAX_FRACTION: GucSetting<f64> = GucSetting::<f64>::new(0.5);
static MIN_ROWS: GucSetting<i32> = GucSetting::<i32>::new(100);
static ALLOW_ROWS: GucSetting<i32> = GucSetting::<i32>::new(0);
static REQUIRE_REASON: GucSetting<bool> = GucSetting::<bool>::new(false);
static REASON: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(Some(c""));
static COMMANDS: GucSetting<Option<CString>> =
    GucSetting::<Option<CString>>::new(Some(c"delete, update, merge, truncate"));
static EXEMPT_TABLES: GucSetting<Option<CString>> =
    GucSetting::<Option<CString>>::new(Some(c"databasechangeloglock"));
static BYPASS_ROLE: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(Some(c""));
static OVERRIDE_ROLE: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(Some(c""));

static PARSED_COMMANDS: Local<Commands> = Local::new(Commands::DEFAULT);
static PARSED_EXEMPT_TABLES: Local<Vec<TableName>> = Local::new(Vec::new());
static PARSED_BYPASS_ROLE: Local<Vec<String>> = Local::new(Vec::new());
static PARSED_OVERRIDE_ROLE: Local<Vec<String>> = Local::new(Vec::new());

pub fn mode() -> Mode {
    MODE.get()
}

/// Whether `mode` is off: asked of every statement that may write.
#[inline]
pub fn is_off() -> bool {
    // SAFETY: reads a backend variable.
    unsafe { *MODE.as_ptr() == Mode::Off as i32 }
}

pub fn scope() -> Scope {
    // SAFETY: reads a backend variable, on the way of every counted row.
    if unsafe { *SCOPE.as_ptr() } == Scope::Transaction as i32 {
        Scope::Transaction
    } else {
        Scope::Statement
    }
}

pub fn require_where() -> bool {
    REQUIRE_WHERE.get()
}

pub fn commands() -> Commands {
    PARSED_COMMANDS.get()
}

/// `max_rows`, `max_fraction` and `min_rows`.
pub fn bounds() -> Bounds {
    // SAFETY: reads backend variables, on the way of every write.
    unsafe {
        Bounds {
            max_rows: u64::try_from(*MAX_ROWS.as_ptr()).ok(),
            max_fraction: *MAX_FRACTION.as_ptr(),
            min_rows: *MIN_ROWS.as_ptr() as u64,
        }
    }
}

/// `allow_rows` as set: 0 not used, -1 any number.
pub fn allow_rows() -> i32 {
    ALLOW_ROWS.get()
}

pub fn require_reason() -> bool {
    REQUIRE_REASON.get()
}

/// `reason`; empty where none is given.
pub fn reason() -> String {
    REASON.get().map(|reason| reason.to_string_lossy().into_owned()).unwrap_or_default()
}

/// Whether a table stands in `exempt_tables`; its schema is asked for only where its name fits.
pub fn is_exempt(table: &str, schema: impl Fn() -> String) -> bool {
    let candidates = PARSED_EXEMPT_TABLES.with(|entries| entries.iter().any(|e| e.may_match(table)));
    if !candidates {
        return false;
    }
    let schema = schema();
    PARSED_EXEMPT_TABLES.with(|entries| entries.iter().any(|e| e.matches(&schema, table)))
}

pub fn has_exempt_tables() -> bool {
    PARSED_EXEMPT_TABLES.with(|entries| !entries.is_empty())
}

pub fn bypass_roles() -> Vec<String> {
    PARSED_BYPASS_ROLE.with(|roles| roles.clone())
}

pub fn has_bypass_roles() -> bool {
    PARSED_BYPASS_ROLE.with(|roles| !roles.is_empty())
}

pub fn override_roles() -> Vec<String> {
    PARSED_OVERRIDE_ROLE.with(|roles| roles.clone())
}

/// Counts the changes of settings, so that what was worked out from them can be kept until then.
static GENERATION: Local<u32> = Local::new(1);

pub fn generation() -> u32 {
    GENERATION.get()
}

fn changed() {
    GENERATION.with(|generation| *generation = generation.wrapping_add(1));
}

/// Cached plans were made for the old value: they carry guards, or lack them.
pub fn forget_plans() {
    #[allow(ffi_unwind_calls, reason = "marks cached plans stale; it raises nothing")]
    // SAFETY: only walks the backend's lists of cached plans.
    unsafe {
        raw::ResetPlanCache();
    }
}

unsafe extern "C-unwind" fn assign_mode(new: i32, _: *mut core::ffi::c_void) {
    // SAFETY: PostgreSQL assigns the variable after this hook, so it still holds the old value.
    let old = unsafe { *MODE.as_ptr() };
    changed();
    let off = Mode::Off as i32;
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

/// Point writes are guarded only where not a single row is free.
fn bounds_changed(before: Bounds, after: Bounds) {
    changed();
    if (before.surely_within() == 0) != (after.surely_within() == 0) {
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

unsafe extern "C-unwind" fn assign_int(_: i32, _: *mut core::ffi::c_void) {
    changed();
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
    unsafe { CStr::from_ptr(value) }.to_string_lossy().into_owned()
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
            crate::pg::frame::guarded(|| {
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
            crate::pg::frame::guarded(|| {
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

/// Defines every setting and reserves the prefix, so that a misspelt name is an error.
pub fn define() {
    let flags = GucFlags::default();
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
            flags,
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
            flags,
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
            flags,
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
            flags,
            Some(check_override),
            Some(assign_override),
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
            None,
            Some(assign_int),
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
    GucRegistry::define_string_guc(
        c"safedelete.reason",
        c"Says why an override is used; it goes to the log.",
        c"Such as the number of a ticket.",
        &REASON,
        GucContext::Userset,
        flags,
    );
    // SAFETY: a NUL-terminated prefix; drops what was set under unknown names, with a warning.
    unsafe { pg_sys::MarkGUCPrefixReserved(c"safedelete".as_ptr()) };
}
