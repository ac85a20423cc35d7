//! What is never guarded, whatever the settings: processes that replay or maintain, and tables
//! that `exempt_tables` names. Kinds of relations that are never guarded are left out earlier, by
//! analysis and objects (`relations::is_exempt`).

use crate::pg::pg_sys;

use crate::pg::relations;
use crate::settings;

/// Binary upgrade, an extension's script, autovacuum, and logical replication's apply workers:
/// PostgreSQL's own, and background workers that replay another origin's changes (pglogical).
pub fn of_process() -> bool {
    // SAFETY: reads backend variables.
    unsafe {
        pg_sys::IsBinaryUpgrade
            || pg_sys::creating_extension
            || pg_sys::MyBackendType == pg_sys::BackendType::B_AUTOVAC_WORKER
            || (pg_sys::MyBackendType == pg_sys::BackendType::B_BG_WORKER
                && (pg_sys::IsLogicalWorker() || pg_sys::replorigin_session_origin != 0))
    }
}

/// A table of `exempt_tables`.
pub fn of_table(relation: pg_sys::Oid) -> bool {
    settings::has_exempt_tables()
        && settings::is_exempt(&relations::name_as_in_settings(relation), || {
            relations::schema_as_in_settings(relation)
        })
}
