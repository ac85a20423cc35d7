//! Every setting of safedelete; nothing else holds one. PostgreSQL writes the variables here;
//! lists are parsed once, when they are assigned. What is asked here is the settings' part alone;
//! what is in force for a table is policy.rs's to say.

mod define;

use std::ffi::CString;

use pgrx::{GucSetting, PostgresGucEnum};
use safedelete_core::command::Commands;
use safedelete_core::limit::Bounds;
use safedelete_core::mode::Mode;
use safedelete_core::names::TableName;
use safedelete_core::policy::Effective;

use crate::pg::local::{Lent, Local};
use crate::pg::{pg_sys, raw, text};

pub use define::define;

/// `safedelete.mode`, in the order of `Mode::ALL`.
#[derive(Clone, Copy, Debug, PostgresGucEnum)]
enum ModeValue {
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

static MODE: GucSetting<ModeValue> = GucSetting::<ModeValue>::new(ModeValue::Enforce);
static SCOPE: GucSetting<Scope> = GucSetting::<Scope>::new(Scope::Statement);
static REQUIRE_WHERE: GucSetting<bool> = GucSetting::<bool>::new(true);
static MAX_ROWS: GucSetting<i32> = GucSetting::<i32>::new(-1);
static MAX_FRACTION: GucSetting<f64> = GucSetting::<f64>::new(0.5);
static MIN_ROWS: GucSetting<i32> = GucSetting::<i32>::new(1000);
static ALLOW_ROWS: GucSetting<i32> = GucSetting::<i32>::new(0);
static REQUIRE_REASON: GucSetting<bool> = GucSetting::<bool>::new(false);
static REASON: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(Some(c""));
static COMMANDS: GucSetting<Option<CString>> =
    GucSetting::<Option<CString>>::new(Some(c"delete, update, merge, truncate"));
static EXEMPT_TABLES: GucSetting<Option<CString>> =
    GucSetting::<Option<CString>>::new(Some(c"databasechangeloglock, knex_migrations_lock"));
static BYPASS_ROLE: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(Some(c""));
static OVERRIDE_ROLE: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(Some(c""));

static POLICY_ROLE: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(Some(c""));

static EVENTS_MAX: GucSetting<i32> = GucSetting::<i32>::new(1000);

static ALLOW_ROWS_BY: Local<pg_sys::Oid> = Local::new(pg_sys::InvalidOid);
static REASON_BY: Local<pg_sys::Oid> = Local::new(pg_sys::InvalidOid);

static PARSED_COMMANDS: Lent<Commands> = Lent::new(Commands::DEFAULT);
static PARSED_EXEMPT_TABLES: Lent<Vec<TableName>> = Lent::new(Vec::new());
static PARSED_BYPASS_ROLE: Lent<Vec<String>> = Lent::new(Vec::new());
static PARSED_OVERRIDE_ROLE: Lent<Vec<String>> = Lent::new(Vec::new());
static PARSED_POLICY_ROLE: Lent<Vec<String>> = Lent::new(Vec::new());

pub fn mode() -> Mode {
    match MODE.get() {
        ModeValue::Off => Mode::Off,
        ModeValue::Log => Mode::Log,
        ModeValue::Warn => Mode::Warn,
        ModeValue::Enforce => Mode::Enforce,
    }
}

/// Whether `mode` is off: asked of every statement that may write.
#[inline]
pub fn is_off() -> bool {
    // SAFETY: reads a backend variable.
    unsafe { *MODE.as_ptr() == ModeValue::Off as i32 }
}

/// What the settings say of a table that no policy speaks of.
pub fn effective() -> Effective {
    Effective {
        mode: mode(),
        commands: commands(),
        require_where: require_where(),
        bounds: bounds(),
        may_override: true,
    }
}

pub fn scope() -> Scope {
    // SAFETY: reads a backend variable, on the way of every counted row.
    if unsafe { *SCOPE.as_ptr() } == Scope::Transaction as i32 {
        Scope::Transaction
    } else {
        Scope::Statement
    }
}

fn require_where() -> bool {
    REQUIRE_WHERE.get()
}

#[inline]
pub fn commands() -> Commands {
    PARSED_COMMANDS.with(|commands| *commands)
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

/// The role that declared `allow_rows` by SET; InvalidOid where it came with the session, from its start,
/// its role, its database or the configuration.
pub fn allow_rows_declared_by() -> pg_sys::Oid {
    ALLOW_ROWS_BY.get()
}

/// Likewise of `reason`.
pub fn reason_declared_by() -> pg_sys::Oid {
    REASON_BY.get()
}

pub fn require_reason() -> bool {
    REQUIRE_REASON.get()
}

/// `reason`; empty where none is given.
pub fn reason() -> String {
    REASON.get().and_then(|reason| text::from_server(reason.as_ptr())).unwrap_or_default()
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

/// How many events the ring keeps.
pub fn events_max() -> u64 {
    u64::try_from(EVENTS_MAX.get()).unwrap_or(0)
}

/// Roles whose members may write policy.
pub fn policy_roles() -> Vec<String> {
    PARSED_POLICY_ROLE.with(|roles| roles.clone())
}

pub fn has_bypass_roles() -> bool {
    PARSED_BYPASS_ROLE.with(|roles| !roles.is_empty())
}

pub fn has_override_roles() -> bool {
    PARSED_OVERRIDE_ROLE.with(|roles| !roles.is_empty())
}

pub fn override_roles() -> Vec<String> {
    PARSED_OVERRIDE_ROLE.with(|roles| roles.clone())
}

/// Counts the changes of settings and policies, so that what was worked out from them can be kept
/// until then.
static GENERATION: Local<u32> = Local::new(1);

pub fn generation() -> u32 {
    GENERATION.get()
}

pub fn changed() {
    GENERATION.set(GENERATION.get().wrapping_add(1));
}

/// Cached plans were made for the old value: they carry guards, or lack them.
pub fn forget_plans() {
    #[allow(ffi_unwind_calls, reason = "marks cached plans stale; it raises nothing")]
    // SAFETY: only walks the backend's lists of cached plans.
    unsafe {
        raw::ResetPlanCache();
    }
}
