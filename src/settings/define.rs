//! The settings as PostgreSQL is told of them, a row each: name, texts, who sets it, within which range, and
//! the hooks that read lists and say when cached plans were made for another value.

use std::ffi::{CStr, c_char, c_int};
use std::ptr::null_mut;

use pg_sys::GucContext::{self, PGC_POSTMASTER, PGC_SIGHUP, PGC_SUSET, PGC_USERSET};

use super::hooks::*;
use super::*;
use crate::pg::pg_sys;

struct Setting {
    name: &'static CStr,
    /// What pg_settings shows: in one sentence, and beyond it.
    short: &'static CStr,
    long: &'static CStr,
    /// PGC_SUSET unless an ordinary role may loosen by it as well as tighten: SET, set_config, ALTER ROLE and
    /// a function's SET clause are anyone's.
    context: GucContext::Type,
    value: Value,
}

/// The variable, from where to where it goes, and the check and assign hooks, where there are any.
enum Value {
    Bool(&'static Local<bool>, pg_sys::GucBoolAssignHook),
    Int(&'static Local<i32>, (c_int, c_int), pg_sys::GucIntCheckHook, pg_sys::GucIntAssignHook),
    Real(&'static Local<f64>, (f64, f64), pg_sys::GucRealAssignHook),
    /// PostgreSQL writes a word's number to the variable, which is an enum of as many bytes.
    Enum(*mut c_int, *const pg_sys::config_enum_entry, pg_sys::GucEnumAssignHook),
    String(&'static Local<*mut c_char>, c_int, pg_sys::GucStringCheckHook, pg_sys::GucStringAssignHook),
}

/// SET takes `a, b` for a list as well as 'a, b'.
const LIST: c_int = pg_sys::GUC_LIST_INPUT as c_int;

/// The words of an enum setting and their numbers, of which the last is none.
struct Words<const N: usize>([pg_sys::config_enum_entry; N]);

// SAFETY: addresses of what lives as long as the library, and of variables that a backend's one thread uses.
unsafe impl Sync for Setting {}
// SAFETY: as above.
unsafe impl<const N: usize> Sync for Words<N> {}

const fn word(name: &'static CStr, val: c_int) -> pg_sys::config_enum_entry {
    pg_sys::config_enum_entry { name: name.as_ptr(), val, hidden: false }
}

const END: pg_sys::config_enum_entry = pg_sys::config_enum_entry { name: null_mut(), val: 0, hidden: false };

static MODES: Words<5> = Words([
    word(c"off", Mode::Off as c_int),
    word(c"log", Mode::Log as c_int),
    word(c"warn", Mode::Warn as c_int),
    word(c"enforce", Mode::Enforce as c_int),
    END,
]);

static SCOPES: Words<3> = Words([
    word(c"statement", SumOver::Statement as c_int),
    word(c"transaction", SumOver::Transaction as c_int),
    END,
]);

static SETTINGS: &[Setting] = &[
    Setting {
        name: c"safedelete.mode",
        short: c"Sets what happens to a write that the rules refuse.",
        long: c"enforce raises an error; warn sends a WARNING and log writes a LOG line, and both let the write \
            through; off checks nothing.",
        context: PGC_SUSET,
        value: Value::Enum(MODE.as_ptr().cast(), MODES.0.as_ptr(), Some(assign_mode)),
    },
    Setting {
        name: c"safedelete.commands",
        short: c"Lists the commands that are guarded.",
        long: c"A list of delete, update, merge, truncate, drop and upsert (INSERT ... ON CONFLICT DO UPDATE).",
        context: PGC_SUSET,
        value: Value::String(&COMMANDS.text, LIST, Some(check_commands), Some(assign_commands)),
    },
    Setting {
        name: c"safedelete.require_where",
        short: c"Requires a WHERE clause that restricts the rows of the table that is written.",
        long: c"It holds for DELETE, UPDATE, and the UPDATE and DELETE actions of MERGE.",
        context: PGC_SUSET,
        value: Value::Bool(&REQUIRE_WHERE, Some(assign_bool)),
    },
    Setting {
        name: c"safedelete.max_rows",
        short: c"Sets how many rows of one table a statement may modify.",
        long: c"-1 is no limit, 0 allows none.",
        context: PGC_SUSET,
        value: Value::Int(&MAX_ROWS, (-1, i32::MAX), None, Some(assign_max_rows)),
    },
    Setting {
        name: c"safedelete.max_fraction",
        short: c"Sets how much of a table a statement may modify.",
        long: c"A part of the table's rows from 0 to 1; 1 is no limit.",
        context: PGC_SUSET,
        value: Value::Real(&MAX_FRACTION, (0.0, 1.0), Some(assign_max_fraction)),
    },
    Setting {
        name: c"safedelete.min_rows",
        short: c"Sets how many rows a statement may always modify, whatever part of the table they are.",
        long: c"It bounds safedelete.max_fraction, not safedelete.max_rows.",
        context: PGC_SUSET,
        value: Value::Int(&MIN_ROWS, (0, i32::MAX), None, Some(assign_min_rows)),
    },
    Setting {
        name: c"safedelete.scope",
        short: c"Sets over what the modified rows of a table are summed.",
        long: c"statement: over one statement of the client and all it fires; transaction: over the transaction.",
        context: PGC_SUSET,
        value: Value::Enum(SCOPE.as_ptr().cast(), SCOPES.0.as_ptr(), Some(assign_scope)),
    },
    Setting {
        name: c"safedelete.exempt_tables",
        short: c"Lists the tables that are not guarded.",
        long: c"A list of name, schema.name or schema.*, for tools that purge their own bookkeeping.",
        context: PGC_SUSET,
        value: Value::String(&EXEMPT_TABLES.text, LIST, Some(check_exempt_tables), Some(assign_exempt_tables)),
    },
    Setting {
        name: c"safedelete.bypass_role",
        short: c"Lists the roles whose members are not checked.",
        long: c"Membership counts, direct or not; a superuser is not a member by being a superuser. A name that is no \
            role is nobody.",
        context: PGC_SUSET,
        value: Value::String(&BYPASS_ROLE.text, LIST, Some(check_roles), Some(assign_bypass_role)),
    },
    Setting {
        name: c"safedelete.override_role",
        short: c"Lists the roles whose members may use safedelete.allow_rows.",
        long: c"An empty list allows any role.",
        context: PGC_SUSET,
        value: Value::String(&OVERRIDE_ROLE.text, LIST, Some(check_roles), Some(assign_override_role)),
    },
    Setting {
        name: c"safedelete.policy_role",
        short: c"Lists the roles whose members may write policy.",
        long: c"They need to own the table or schema as well, as SECURITY LABEL asks. Superusers may always.",
        context: PGC_SUSET,
        value: Value::String(&POLICY_ROLE.text, LIST, Some(check_roles), Some(assign_policy_role)),
    },
    Setting {
        name: c"safedelete.allow_rows",
        short: c"Declares how many rows of a table statements may modify that the rules refuse.",
        long: c"0 is not used, -1 any number. Use SET LOCAL, so that it ends with the transaction.",
        context: PGC_USERSET,
        value: Value::Int(&ALLOW_ROWS, (-1, i32::MAX), Some(check_allow_rows), Some(assign_allow_rows)),
    },
    Setting {
        name: c"safedelete.own_max_rows",
        short: c"Sets a ceiling of the session's own: how many rows of a table a statement may modify at the most.",
        long: c"-1 is none. It only tightens: no bypass, override or policy widens it.",
        context: PGC_USERSET,
        value: Value::Int(&OWN_MAX_ROWS, (-1, i32::MAX), None, Some(assign_own_max_rows)),
    },
    Setting {
        name: c"safedelete.reason",
        short: c"Says why an override is used; it goes to the log.",
        long: c"Such as the number of a ticket.",
        context: PGC_USERSET,
        value: Value::String(&REASON, 0, Some(check_reason), Some(assign_reason)),
    },
    Setting {
        name: c"safedelete.require_reason",
        short: c"Ignores an override without a reason.",
        long: c"safedelete.allow_rows counts only where safedelete.reason is not empty.",
        context: PGC_SUSET,
        value: Value::Bool(&REQUIRE_REASON, Some(assign_bool)),
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
    for setting in SETTINGS {
        setting.define();
    }
    // SAFETY: a NUL-terminated prefix; drops what was set under unknown names, with a warning.
    unsafe { pg_sys::MarkGUCPrefixReserved(c"safedelete".as_ptr()) };
}

impl Setting {
    fn define(&self) {
        let (name, short, long) = (self.name.as_ptr(), self.short.as_ptr(), self.long.as_ptr());
        // SAFETY: reads a backend variable.
        let preloading = unsafe { pg_sys::process_shared_preload_libraries_in_progress };
        let context = match self.context {
            // Where the library comes later, a postmaster's setting could not be defined any more.
            PGC_POSTMASTER if !preloading => PGC_SIGHUP,
            context => context,
        };
        // SAFETY: names, texts, variables and words live as long as the library, and so do the hooks, which
        // are bare frames. An enum's variable has an int's size, and each number of its words is a value of it.
        unsafe {
            match self.value {
                Value::Bool(of, assign) => {
                    let (at, boot) = (of.as_ptr(), of.get());
                    pg_sys::DefineCustomBoolVariable(
                        name, short, long, at, boot, context, 0, None, assign, None,
                    );
                }
                Value::Int(of, (min, max), check, assign) => {
                    let (at, boot) = (of.as_ptr(), of.get());
                    pg_sys::DefineCustomIntVariable(
                        name, short, long, at, boot, min, max, context, 0, check, assign, None,
                    );
                }
                Value::Real(of, (min, max), assign) => {
                    let (at, boot) = (of.as_ptr(), of.get());
                    pg_sys::DefineCustomRealVariable(
                        name, short, long, at, boot, min, max, context, 0, None, assign, None,
                    );
                }
                Value::Enum(at, words, assign) => {
                    pg_sys::DefineCustomEnumVariable(
                        name, short, long, at, *at, words, context, 0, None, assign, None,
                    );
                }
                Value::String(of, flags, check, assign) => {
                    let (at, boot) = (of.as_ptr(), of.get());
                    pg_sys::DefineCustomStringVariable(
                        name, short, long, at, boot, context, flags, check, assign, None,
                    );
                }
            }
        }
    }
}
