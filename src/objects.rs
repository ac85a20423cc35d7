//! TRUNCATE and DROP: deletes of every row, of each relation they reach, through CASCADE,
//! partitions, DROP SCHEMA, DROP OWNED and the like. PostgreSQL tells of each by its object access
//! hook; what it does for itself (a rewrite's old table) is marked internal and passes.
//!
//! These statements do not select rows, so the count is the table's: counted exactly where that is
//! cheap, or where an exact count can still let it pass, and else PostgreSQL's estimate. Locks
//! taken to look are given back at once.

use pgrx::pg_sys;
use pgrx::pg_sys::NodeTag;
use rustc_hash::FxHashMap;
use safedelete_core::command::Command;
use safedelete_core::limit::Budget;
use safedelete_core::message::{self, LetThrough};

use crate::guard::task::Task;
use crate::levels::{self, Owner};
use crate::pg::local::Local;
use crate::pg::nodes;
use crate::pg::relations::{self, Wait};
use crate::refusal::{self, Frozen};
use crate::settings::{self, Mode};
use crate::{authority, exemption};

/// Tables up to so many pages are counted whole.
const SMALL_PAGES: u32 = 128;
/// How far a larger one is read for rows that would make it too large.
const MOST_PAGES: u32 = 8192;

/// Rows that a DROP took from partitions, by the tables above them, which go after their parts.
static DROPPED: Local<Option<(Owner, FxHashMap<pg_sys::Oid, u64>)>> = Local::new(None);

/// A relation is about to be emptied or dropped.
///
/// # Safety
/// `argument` is the object access hook's.
pub unsafe fn accessed(
    access: pg_sys::ObjectAccessType::Type,
    class: pg_sys::Oid,
    object: pg_sys::Oid,
    part: i32,
    argument: *mut core::ffi::c_void,
) -> Result<(), Frozen> {
    let command = match access {
        pg_sys::ObjectAccessType::OAT_TRUNCATE => Command::Truncate,
        pg_sys::ObjectAccessType::OAT_DROP => Command::Drop,
        _ => return Ok(()),
    };
    if settings::mode() == Mode::Off || !settings::commands().contains(command) || part != 0 {
        return Ok(());
    }
    if command == Command::Drop && !argument.is_null() {
        // SAFETY: the argument of OAT_DROP.
        let flags = unsafe { (*argument.cast::<pg_sys::ObjectAccessDrop>()).dropflags };
        if flags & pg_sys::PERFORM_DELETION_INTERNAL as i32 != 0 {
            return Ok(());
        }
    }
    match class {
        pg_sys::RelationRelationId => take_whole(command, object),
        pg_sys::DatabaseRelationId if command == Command::Drop => drop_database(object),
        _ => Ok(()),
    }
}

fn take_whole(command: Command, relation: pg_sys::Oid) -> Result<(), Frozen> {
    let holds_rows = matches!(
        relations::kind(relation),
        pg_sys::RELKIND_RELATION | pg_sys::RELKIND_PARTITIONED_TABLE | pg_sys::RELKIND_FOREIGN_TABLE
    );
    if !holds_rows
        || relations::is_exempt(relation)
        || exemption::of_process()
        || exemption::of_table(relation)
        // The hook comes before PostgreSQL's own check, whose error comes first.
        || (command == Command::Truncate && !relations::may_truncate(relation))
    {
        return Ok(());
    }
    let only = command == Command::Drop || names_only(relation);
    let members = if only { vec![relation] } else { relations::members(relation) };
    let dropped = if command == Command::Drop { dropped_below(relation) } else { 0 };
    let within = Task::of_whole_table(command, relation, 0.0).surely_within();
    let (rows, size) = rows_of(&members, within);
    let (rows, size) = (rows + dropped, size + dropped as f64);
    if command == Command::Drop {
        note_dropped(relation, rows - dropped);
    }
    Task::of_whole_table(command, relation, size).take_whole(rows)
}

/// The rows of some tables, and their size for the fraction: exact where they are small; else the
/// estimate, unless reading on shows that no more than `within` are there (dead rows are no rows).
fn rows_of(members: &[pg_sys::Oid], within: u64) -> (u64, f64) {
    let pages: Vec<_> = members.iter().map(|member| relations::pages(*member)).collect();
    let stored: u32 = pages.iter().flatten().fold(0, |sum, pages| sum.saturating_add(*pages));
    let (most, last_page) = if stored <= SMALL_PAGES { (u64::MAX - 1, u32::MAX) } else { (within, MOST_PAGES) };
    let mut counted = 0;
    let mut ended = true;
    for (member, _) in members.iter().zip(&pages).filter(|(_, pages)| pages.is_some_and(|p| p > 0)) {
        let (rows, end) = relations::count_rows(*member, most.saturating_sub(counted), last_page).unwrap_or((0, true));
        counted += rows;
        ended &= end;
        if counted > most {
            break;
        }
    }
    let kinds = members.iter().map(|member| relations::kind(*member));
    let foreign: f64 = members
        .iter()
        .zip(kinds)
        .filter(|(_, kind)| *kind == pg_sys::RELKIND_FOREIGN_TABLE)
        .filter_map(|(member, _)| relations::size(*member, true, Wait::AsTheStatement))
        .sum();
    if ended && counted <= most {
        let rows = counted as f64 + foreign.round();
        return (rows as u64, rows);
    }
    let estimate: f64 =
        members.iter().filter_map(|member| relations::size(*member, true, Wait::AsTheStatement)).sum();
    ((estimate.round() as u64).max(counted), estimate.max(counted as f64))
}

/// Whether the running TRUNCATE names a table with ONLY, or does not name it but reaches it.
fn names_only(relation: pg_sys::Oid) -> bool {
    let statement = levels::current().utility;
    let Some(statement) = nodes::cast::<pg_sys::TruncateStmt, _>(statement, NodeTag::T_TruncateStmt) else {
        return false;
    };
    // SAFETY: the tag says TruncateStmt; its relations are RangeVars.
    unsafe {
        nodes::items::<pg_sys::RangeVar>((*statement).relations)
            .filter(|named| !(**named).inh)
            .any(|named| {
                let flags = pg_sys::RVROption::RVR_MISSING_OK;
                pg_sys::RangeVarGetRelidExtended(named, pg_sys::NoLock as i32, flags, None, std::ptr::null_mut())
                    == relation
            })
    }
}

fn note_dropped(relation: pg_sys::Oid, rows: u64) {
    let ancestors = relations::partition_ancestors(relation);
    let owner = levels::current().owner;
    DROPPED.with(|dropped| {
        if dropped.as_ref().is_none_or(|(own, _)| *own != owner) {
            *dropped = Some((owner, FxHashMap::default()));
        }
        if let Some((_, below)) = dropped {
            for ancestor in ancestors {
                *below.entry(ancestor).or_default() += rows;
            }
        }
    });
}

fn dropped_below(relation: pg_sys::Oid) -> u64 {
    let owner = levels::current().owner;
    DROPPED.with(|dropped| match dropped {
        Some((own, below)) if *own == owner => below.get(&relation).copied().unwrap_or(0),
        _ => 0,
    })
}

/// Nobody counts another database's rows: only an unlimited budget fits.
fn drop_database(database: pg_sys::Oid) -> Result<(), Frozen> {
    // SAFETY: reads a backend variable. PostgreSQL refuses to drop the database it is in.
    if exemption::of_process() || database == unsafe { pg_sys::MyDatabaseId } {
        return Ok(());
    }
    // SAFETY: a catalog look-up that gives NULL where there is none.
    let name = relations::text(unsafe { pg_sys::get_database_name(database) }).unwrap_or_default();
    let role = authority::role(false);
    let tell = |how| refusal::tell(how, &message::drop_database(&name, None), None, None, role);
    if authority::bypasses(role) {
        tell(LetThrough::Bypass);
        return Ok(());
    }
    match (authority::budget(role), settings::mode()) {
        (Ok(Some(Budget::Unlimited)), _) => tell(LetThrough::Override),
        (_, Mode::Log) => tell(LetThrough::Logged),
        (_, Mode::Warn) => tell(LetThrough::Warned),
        (budget, _) => {
            return Err(refusal::freeze(&message::drop_database(&name, budget.err().as_ref()), None));
        }
    }
    Ok(())
}
