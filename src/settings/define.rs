//! The settings as PostgreSQL is told of them, a row each: name, texts, who sets it, within which range, and
//! the hooks that read lists and say when cached plans were made for another value.

use pg_sys::GucContext::{PGC_POSTMASTER, PGC_SUSET, PGC_USERSET};

use super::hooks::*;
use super::list::list;
use super::*;
use crate::pg::guc::{self, Setting, Value, words};
use crate::pg::pg_sys;

words!(Mode { c"off" => Off, c"log" => Log, c"warn" => Warn, c"enforce" => Enforce, });
words!(SumOver { c"statement" => Statement, c"transaction" => Transaction, });

static SETTINGS: &[Setting] = &[
    Setting {
        name: c"safedelete.mode",
        short: c"Sets what happens to a write that the rules refuse.",
        long: c"enforce raises an error; warn sends a WARNING and log writes a LOG line, and both let the write \
            through; off checks nothing.",
        context: PGC_SUSET,
        value: Value::words(&MODE, assign_mode),
    },
    Setting {
        name: c"safedelete.commands",
        short: c"Lists the commands that are guarded.",
        long: c"A list of delete, update, merge, truncate, drop and upsert (INSERT ... ON CONFLICT DO UPDATE).",
        context: PGC_SUSET,
        value: list!(COMMANDS),
    },
    Setting {
        name: c"safedelete.require_where",
        short: c"Requires a WHERE clause that restricts the rows of the table that is written.",
        long: c"It holds for DELETE, UPDATE, and the UPDATE and DELETE actions of MERGE.",
        context: PGC_SUSET,
        value: Value::Bool(&REQUIRE_WHERE, assign_bool),
    },
    Setting {
        name: c"safedelete.max_rows",
        short: c"Sets how many rows of one table a statement may modify.",
        long: c"-1 is no limit, 0 allows none.",
        context: PGC_SUSET,
        value: Value::int(&MAX_ROWS, (-1, i32::MAX), assign_max_rows),
    },
    Setting {
        name: c"safedelete.max_fraction",
        short: c"Sets how much of a table a statement may modify.",
        long: c"A part of the table's rows from 0 to 1; 1 is no limit.",
        context: PGC_SUSET,
        value: Value::Real(&MAX_FRACTION, (0.0, 1.0), assign_max_fraction),
    },
    Setting {
        name: c"safedelete.min_rows",
        short: c"Sets how many rows a statement may always modify, whatever part of the table they are.",
        long: c"It bounds safedelete.max_fraction, not safedelete.max_rows.",
        context: PGC_SUSET,
        value: Value::int(&MIN_ROWS, (0, i32::MAX), assign_min_rows),
    },
    Setting {
        name: c"safedelete.scope",
        short: c"Sets over what the modified rows of a table are summed.",
        long: c"statement: over one statement of the client and all it fires; transaction: over the transaction.",
        context: PGC_SUSET,
        value: Value::words(&SCOPE, assign_scope),
    },
    Setting {
        name: c"safedelete.exempt_tables",
        short: c"Lists the tables that are not guarded.",
        long: c"A list of name, schema.name or schema.*, for tools that purge their own bookkeeping.",
        context: PGC_SUSET,
        value: list!(EXEMPT_TABLES),
    },
    Setting {
        name: c"safedelete.bypass_role",
        short: c"Lists the roles whose members are not checked.",
        long: c"Membership counts, direct or not; a superuser is not a member by being a superuser. A name that is no \
            role is nobody.",
        context: PGC_SUSET,
        value: list!(BYPASS_ROLE),
    },
    Setting {
        name: c"safedelete.override_role",
        short: c"Lists the roles whose members may use safedelete.allow_rows.",
        long: c"An empty list allows any role.",
        context: PGC_SUSET,
        value: list!(OVERRIDE_ROLE),
    },
    Setting {
        name: c"safedelete.policy_role",
        short: c"Lists the roles whose members may write policy.",
        long: c"They need to own the table or schema as well, as SECURITY LABEL asks. Superusers may always.",
        context: PGC_SUSET,
        value: list!(POLICY_ROLE),
    },
    Setting {
        name: c"safedelete.allow_rows",
        short: c"Declares how many rows of a table statements may modify that the rules refuse.",
        long: c"0 is not used, -1 any number. Use SET LOCAL, so that it ends with the transaction.",
        context: PGC_USERSET,
        value: Value::declared_int::<AllowRows>(&ALLOW_ROWS, (-1, i32::MAX)),
    },
    Setting {
        name: c"safedelete.own_max_rows",
        short: c"Sets a ceiling of the session's own: how many rows of a table a statement may modify at the most.",
        long: c"-1 is none. It only tightens: no bypass, override or policy widens it.",
        context: PGC_USERSET,
        value: Value::int(&OWN_MAX_ROWS, (-1, i32::MAX), assign_own_max_rows),
    },
    Setting {
        name: c"safedelete.reason",
        short: c"Says why an override is used; it goes to the log.",
        long: c"Such as the number of a ticket.",
        context: PGC_USERSET,
        value: Value::declared_text::<Reason>(&REASON),
    },
    Setting {
        name: c"safedelete.require_reason",
        short: c"Ignores an override without a reason.",
        long: c"safedelete.allow_rows counts only where safedelete.reason is not empty.",
        context: PGC_SUSET,
        value: Value::Bool(&REQUIRE_REASON, assign_bool),
    },
    Setting {
        name: c"safedelete.keep",
        short: c"Sets how long the rows that a write takes are kept, to be given back by its event.",
        long: c"Such as 7 days. Empty keeps nothing. Tables that are there already take safedelete.keep_tables().",
        context: PGC_SUSET,
        value: list!(KEEP),
    },
    Setting {
        name: c"safedelete.keep_from",
        short: c"Sets of which writes the rows are kept: of those of at least so many rows.",
        long: c"0 is those that the rules would have refused: overridden, bypassed, warned of and logged ones.",
        context: PGC_SUSET,
        value: Value::int(&KEEP_FROM, (0, i32::MAX), assign_int),
    },
    Setting {
        name: c"safedelete.keep_max_rows",
        short: c"Sets how many rows a statement may have to keep at the most.",
        long: c"A write that would have to keep more is refused.",
        context: PGC_SUSET,
        value: Value::Int(&KEEP_MAX_ROWS, (0, i32::MAX), None, None),
    },
    Setting {
        name: c"safedelete.keep_nothing",
        short: c"Keeps nothing of what the session writes.",
        long: c"It counts only where safedelete.reason is not empty. Use SET LOCAL.",
        context: PGC_USERSET,
        value: Value::Bool(&KEEP_NOTHING, assign_bool),
    },
    Setting {
        name: c"safedelete.events_max",
        short: c"Sets how many events the ring in shared memory keeps.",
        long: c"About 2 kB each. It counts when the server starts, with safedelete in shared_preload_libraries.",
        context: PGC_POSTMASTER,
        value: Value::Int(&EVENTS_MAX, (0, 1_000_000), None, None),
    },
];

/// Defines every setting and reserves the prefix, so that a misspelt name is an error.
pub fn define() {
    guc::define(SETTINGS, c"safedelete");
}
