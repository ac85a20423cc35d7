//! Every setting of safedelete; nothing else holds one. PostgreSQL writes the variables here;
//! lists are parsed once, when they are assigned. What is asked here is the settings' part alone;
//! what is in force for a table is policy.rs's to say. define.rs has a row of each for PostgreSQL.

pub mod ceiling;
mod define;
mod generation;
mod hooks;
mod list;

use safedelete_core::command::Commands;
use safedelete_core::keep::{self, Period};
use safedelete_core::limit::Bounds;
use safedelete_core::mode::Mode;
use safedelete_core::names::{self, TableName};
use safedelete_core::policy::Effective;

use crate::pg::guc::Text;
use crate::pg::local::Local;
use crate::pg::pg_sys;

pub use define::define;
pub use generation::{changed, forget_plans, generation};
use list::List;

/// Over what the rows of a table are summed: `safedelete.scope`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum SumOver {
    Statement = 0,
    Transaction = 1,
}

static MODE: Local<Mode> = Local::new(Mode::Enforce);
static REQUIRE_WHERE: Local<bool> = Local::new(true);
static MAX_ROWS: Local<i32> = Local::new(-1);
static MAX_FRACTION: Local<f64> = Local::new(0.5);
static MIN_ROWS: Local<i32> = Local::new(1000);
static SCOPE: Local<SumOver> = Local::new(SumOver::Statement);
static ALLOW_ROWS: Local<i32> = Local::new(0);
static OWN_MAX_ROWS: Local<i32> = Local::new(-1);
static REASON: Text = Text::new(c"");
static REQUIRE_REASON: Local<bool> = Local::new(false);
static EVENTS_MAX: Local<i32> = Local::new(1000);
static KEEP: List<Period> =
    List::new(c"", Period::OFF, |text| Period::parse(text).ok_or(keep::RANGE.to_owned()));
static KEEP_FROM: Local<i32> = Local::new(0);
static KEEP_MAX_ROWS: Local<i32> = Local::new(1_000_000);
static KEEP_NOTHING: Local<bool> = Local::new(false);

static COMMANDS: List<Commands> =
    List::new(c"delete, update, merge, truncate", Commands::DEFAULT, Commands::parse).in_plans();
pub static EXEMPT_TABLES: List<Vec<TableName>> =
    List::new(c"databasechangeloglock, knex_migrations_lock", Vec::new(), names::parse_tables).in_plans();
pub static BYPASS_ROLE: List<Vec<String>> = List::new(c"", Vec::new(), names::parse_roles);
pub static OVERRIDE_ROLE: List<Vec<String>> = List::new(c"", Vec::new(), names::parse_roles);
pub static POLICY_ROLE: List<Vec<String>> = List::new(c"", Vec::new(), names::parse_roles);

static ALLOW_ROWS_BY: Local<pg_sys::Oid> = Local::new(pg_sys::InvalidOid);
static REASON_BY: Local<pg_sys::Oid> = Local::new(pg_sys::InvalidOid);

#[inline]
pub fn mode() -> Mode {
    MODE.get()
}

/// Whether `mode` is off: asked of every statement that may write.
#[inline]
pub fn is_off() -> bool {
    MODE.get() == Mode::Off
}

/// What the settings say of a table that no policy speaks of.
pub fn effective() -> Effective {
    Effective {
        mode: mode(),
        commands: commands(),
        require_where: REQUIRE_WHERE.get(),
        bounds: bounds(),
        keep: keep(),
        keep_from: KEEP_FROM.get() as u64,
        may_override: true,
    }
}

pub fn scope() -> SumOver {
    SCOPE.get()
}

#[inline]
pub fn commands() -> Commands {
    COMMANDS.said.with(|commands| *commands)
}

/// `max_rows`, `max_fraction` and `min_rows`.
pub fn bounds() -> Bounds {
    Bounds {
        max_rows: u64::try_from(MAX_ROWS.get()).ok(),
        max_fraction: MAX_FRACTION.get(),
        min_rows: MIN_ROWS.get() as u64,
    }
}

/// `own_max_rows`, where the session has set it; only `mode` off ends it.
#[inline]
pub fn own_max_rows() -> Option<u64> {
    u64::try_from(OWN_MAX_ROWS.get()).ok().filter(|_| !is_off())
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
    REASON.get()
}

/// Whether a table stands in `exempt_tables`; its schema is asked for only where its name fits.
pub fn is_exempt(table: &str, schema: impl Fn() -> String) -> bool {
    let candidates = EXEMPT_TABLES.said.with(|entries| entries.iter().any(|e| e.may_match(table)));
    if !candidates {
        return false;
    }
    let schema = schema();
    EXEMPT_TABLES.said.with(|entries| entries.iter().any(|e| e.matches(&schema, table)))
}

/// How many events the ring keeps.
pub fn events_max() -> u64 {
    u64::try_from(EVENTS_MAX.get()).unwrap_or(0)
}

/// `keep`: how long the rows that a write takes are kept.
#[inline]
pub fn keep() -> Period {
    KEEP.said.with(|period| *period)
}

/// `keep_max_rows`: the most rows that a write may have to keep.
pub fn keep_max_rows() -> u64 {
    u64::try_from(KEEP_MAX_ROWS.get()).unwrap_or(0)
}

/// Whether the session keeps nothing of what it writes: it has said so, and why.
pub fn keeps_nothing() -> bool {
    KEEP_NOTHING.get() && !reason().trim().is_empty()
}
