//! What is never guarded, whatever the settings: what PostgreSQL writes itself, and tables that
//! `exempt_tables` names. Kinds of relations that are never guarded `relations::is_exempt` knows; `policy`
//! asks both, for everybody.
//!
//! Exempt is a write, never a process: the statements of an extension's script, those of pg_upgrade's
//! restore, what a replaying worker runs of another origin's commands, and logical replication's own
//! TRUNCATE (it writes rows past the executor). A trigger, or a function of somebody's table, that runs
//! below any of these is guarded. `levels` hands on what is exempt from statement to statement.

use crate::pg::pg_sys;

use crate::engines;
use crate::levels;
use crate::pg::{backend, relations};
use crate::settings;

/// Whether a relation is emptied or dropped for PostgreSQL itself: by one of its statements, or by an
/// apply worker outside of any (ExecuteTruncateGuts, ExecuteTruncate).
pub fn of_command() -> bool {
    let level = levels::current();
    if !level.is_outside() {
        // A session of an engine's does what a node has judged; functions that it calls do not.
        return level.is_postgres()
            || level.is_engines()
            || (level.depth() == 1 && engines::is_own_session());
    }
    applies() && backend::trigger_depth() == 0
}

fn applies() -> bool {
    pg_sys::IsLogicalWorker() || (backend::is_background_worker() && backend::replays())
}

/// Whether what a trigger has been fired for is written so.
pub fn of_firing() -> bool {
    let level = levels::current();
    level.is_postgres() || (level.is_outside() && applies() && backend::trigger_depth() == 1)
}

/// A table of `exempt_tables`.
pub fn of_table(relation: pg_sys::Oid) -> bool {
    !settings::EXEMPT_TABLES.is_empty()
        && settings::is_exempt(&relations::name_as_in_settings(relation), || {
            relations::schema_as_in_settings(relation)
        })
}
