//! What the process is and where it stands: PostgreSQL's variables, and functions that read one and cannot
//! raise an error.

use core::ffi::CStr;

use super::{compat, pg_sys, raw, text};

/// Whether pg_upgrade restores a schema.
pub fn is_binary_upgrade() -> bool {
    // SAFETY: reads a variable that is set when the process starts.
    unsafe { pg_sys::IsBinaryUpgrade }
}

/// Whether shared_preload_libraries are being loaded.
pub fn is_preloading() -> bool {
    // SAFETY: reads a variable.
    unsafe { pg_sys::process_shared_preload_libraries_in_progress }
}

/// Whether nothing is to be written here and now: the transaction only reads, the server recovers, or workers run.
pub fn refuses_writes() -> bool {
    // SAFETY: reads a variable.
    let only_reads = unsafe { pg_sys::XactReadOnly };
    only_reads || pg_sys::RecoveryInProgress() || pg_sys::IsInParallelMode()
}

/// Whether this is a background worker, parallel workers and logical replication's among them.
pub fn is_background_worker() -> bool {
    // SAFETY: as above.
    unsafe { pg_sys::MyBackendType == pg_sys::BackendType::B_BG_WORKER }
}

/// Whether this is a client's.
pub fn is_clients() -> bool {
    // SAFETY: as above.
    unsafe { pg_sys::MyBackendType == pg_sys::BackendType::B_BACKEND }
}

/// Whether what is written here is marked as another origin's.
pub fn replays() -> bool {
    compat::replication_origin() != 0
}

/// Whether the script of CREATE or ALTER EXTENSION runs.
pub fn creates_extension() -> bool {
    // SAFETY: reads a variable.
    unsafe { pg_sys::creating_extension }
}

/// Whether a message of the client's with a text is at work: all but a function call of the protocol.
#[inline]
pub fn has_query_text() -> bool {
    // SAFETY: reads a variable.
    unsafe { !pg_sys::debug_query_string.is_null() }
}

/// When the transaction began.
pub fn transaction_start() -> pg_sys::TimestampTz {
    #[allow(ffi_unwind_calls, reason = "reads a variable")]
    // SAFETY: see the reason.
    unsafe {
        raw::GetCurrentTransactionStartTimestamp()
    }
}

/// Whether a setting of this name is defined, or given a value.
pub fn has_setting(name: &CStr) -> bool {
    #[allow(ffi_unwind_calls, reason = "raises nothing where the setting may be missing")]
    // SAFETY: NUL-terminated; see the reason.
    unsafe {
        !raw::GetConfigOption(name.as_ptr(), true, false).is_null()
    }
}

/// Whether the client gave itself a name that begins so when it connected.
pub fn connected_as(beginnings: &[&[u8]]) -> bool {
    #[allow(
        ffi_unwind_calls,
        reason = "raises nothing of a setting of PostgreSQL's own that anybody may read"
    )]
    // SAFETY: see the reason. What the session goes back to by RESET is what it was started with, NUL-terminated.
    unsafe {
        let name = raw::GetConfigOptionResetString(c"application_name".as_ptr());
        if name.is_null() {
            return false;
        }
        let name = CStr::from_ptr(name).to_bytes();
        beginnings.iter().any(|beginning| name.starts_with(beginning))
    }
}

/// Whether the session has such a name now.
pub fn is_called(beginning: &[u8]) -> bool {
    // SAFETY: reads a variable: NULL or a text that lives until it is set anew.
    unsafe { text::at(pg_sys::application_name) }.is_some_and(|name| name.to_bytes().starts_with(beginning))
}

/// How many callbacks tell an error's context, one below another, as far as one and two.
pub fn error_contexts() -> usize {
    // SAFETY: NULL or the innermost callback, which is on the stack of whoever runs.
    match unsafe { pg_sys::error_context_stack.as_ref() } {
        None => 0,
        Some(innermost) if innermost.previous.is_null() => 1,
        Some(_) => 2,
    }
}

/// Whether memory is taken from the message's own context.
pub fn is_in_message_context() -> bool {
    // SAFETY: reads variables.
    unsafe { pg_sys::CurrentMemoryContext == pg_sys::MessageContext }
}

/// How many triggers are running, one below another.
pub fn trigger_depth() -> i32 {
    #[allow(ffi_unwind_calls, reason = "reads a variable and no argument")]
    // SAFETY: see the reason.
    unsafe {
        raw::pg_trigger_depth(std::ptr::null_mut()).value() as i32
    }
}

/// The number of the transaction's running command.
#[inline]
pub fn command_id() -> pg_sys::CommandId {
    #[allow(ffi_unwind_calls, reason = "raises nothing where the number is not to be used")]
    // SAFETY: see the reason.
    unsafe {
        raw::GetCurrentCommandId(false)
    }
}

/// Whether a transaction is open, and not about to end.
pub fn is_in_transaction() -> bool {
    #[allow(ffi_unwind_calls, reason = "reads the transaction's state")]
    // SAFETY: see the reason.
    unsafe {
        raw::IsTransactionState()
    }
}

/// Whether a transaction block is open.
#[inline]
pub fn is_transaction_block() -> bool {
    #[allow(ffi_unwind_calls, reason = "reads the transaction's state")]
    // SAFETY: see the reason.
    unsafe {
        raw::IsTransactionBlock()
    }
}

/// Takes in what other sessions have changed, unless the transaction has begun with the client's message that is at
/// work, a single statement. PostgreSQL does so whenever it locks a relation, but not for a lock that the transaction
/// holds already.
///
/// # Safety
/// No frame above owns anything.
#[allow(ffi_unwind_calls, reason = "called by bare frames, which own nothing")]
pub unsafe fn take_in_changes() {
    // SAFETY: by contract; it reads the transaction's state.
    unsafe {
        if is_transaction_block() || raw::GetCurrentTransactionStartTimestamp() != statement_start() {
            raw::AcceptInvalidationMessages();
        }
    }
}

pub fn database() -> pg_sys::Oid {
    // SAFETY: reads a variable.
    unsafe { pg_sys::MyDatabaseId }
}

/// The name of a database; `None` where there is none.
pub fn database_name(database: pg_sys::Oid) -> Option<String> {
    pg_sys::get_database_name(database).map(text::from_server)
}

pub fn application_name() -> Option<String> {
    // SAFETY: reads a variable: NULL or a text that lives until it is set anew.
    unsafe { text::at(pg_sys::application_name) }.map(text::from_server)
}

/// The beginning of the client's message.
pub fn query_text(bytes: usize) -> Option<String> {
    // SAFETY: reads a variable: NULL or a text that lives as long as the message is at work.
    unsafe { text::at(pg_sys::debug_query_string) }.map(|text| text::beginning_from_server(text, bytes))
}

/// When the running statement's message came.
pub fn statement_start() -> pg_sys::TimestampTz {
    #[allow(ffi_unwind_calls, reason = "reads a variable")]
    // SAFETY: see the reason.
    unsafe {
        raw::GetCurrentStatementStartTimestamp()
    }
}

/// Whether the transaction sees one snapshot throughout.
pub fn keeps_one_snapshot() -> bool {
    // SAFETY: reads a backend variable.
    unsafe { pg_sys::XactIsoLevel >= pg_sys::XACT_REPEATABLE_READ as i32 }
}
