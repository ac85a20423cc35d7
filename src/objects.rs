//! TRUNCATE and DROP: deletes of every row, of each relation they reach, through CASCADE,
//! partitions, DROP SCHEMA, DROP OWNED and the like. PostgreSQL tells of each by its object access
//! hook; what it does for itself (a rewrite's old table) is marked internal and passes.
//!
//! These statements do not select rows, so the count is the table's: counted exactly where that is
//! cheap, or where an exact count can still let it pass, and else PostgreSQL's estimate. Locks
//! taken to look are given back at once.

use crate::pg::pg_sys;
use pgrx::pg_sys::NodeTag;
use rustc_hash::{FxHashMap, FxHashSet};
use safedelete_core::command::Command;
use safedelete_core::event::Verdict;
use safedelete_core::limit::{Budget, Size};
use safedelete_core::message::{self, Report};
use safedelete_core::mode::Mode;

use crate::guard::task::Task;
use crate::levels;
use crate::pg::local::Local;
use crate::pg::nodes;
use crate::pg::relations;
use crate::pg::sizes::{self, Wait};
use crate::pg::{text, trees};
use crate::refusal::{self, About, Frozen};
use crate::settings;
use crate::{authority, dry_run, exemption, policy};

/// Tables up to so many pages are counted whole.
const SMALL_PAGES: u32 = 128;
/// How far a larger one is read for rows that would make it too large.
const MOST_PAGES: u32 = 8192;

/// What the running TRUNCATE or DROP has met.
struct Running {
    /// Of which command: `Level::serial`.
    serial: u64,
    /// Judged already: the hook may come twice.
    judged: FxHashSet<pg_sys::Oid>,
    /// Rows of dropped tables, by the tables they inherit from, which go after their parts.
    dropped: FxHashMap<pg_sys::Oid, u64>,
}

static RUNNING: Local<Option<Running>> = Local::new(None);

fn running<T>(read: impl FnOnce(&mut Running) -> T) -> T {
    let serial = levels::serial();
    RUNNING.with(|running| {
        if running.as_ref().is_none_or(|running| running.serial != serial) {
            *running = None;
        }
        read(running.get_or_insert_with(|| Running {
            serial,
            judged: FxHashSet::default(),
            dropped: FxHashMap::default(),
        }))
    })
}

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
    if part != 0 {
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
    let kind = relations::kind(relation);
    let holds_rows = match kind {
        pg_sys::RELKIND_RELATION | pg_sys::RELKIND_PARTITIONED_TABLE => true,
        // Dropping a foreign table deletes nothing on its server.
        pg_sys::RELKIND_FOREIGN_TABLE => command == Command::Truncate,
        _ => false,
    };
    if !holds_rows
        || relations::is_exempt(relation)
        || !(is_judged(command, relation) || dry_run::is_on())
        || exemption::of_command()
        || (exemption::of_table(relation) && !dry_run::is_on())
        // The hook comes before PostgreSQL's own check, whose error comes first.
        || (command == Command::Truncate && !relations::may_truncate(relation))
        || !running(|running| running.judged.insert(relation))
    {
        return Ok(());
    }
    let named = named_tables();
    let ancestors = trees::ancestors(relation);
    let is_named =
        |table: pg_sys::Oid, with_tree: bool| named.iter().any(|n| n.0 == table && (n.1 || !with_tree));
    if command == Command::Truncate
        && kind == pg_sys::RELKIND_PARTITIONED_TABLE
        && is_named(relation, false)
        && !is_named(relation, true)
    {
        // PostgreSQL is going to refuse ONLY of a partitioned table.
        return Ok(());
    }
    // The table that the statement names counts, with the tree below it.
    let counts_above = !is_named(relation, false) && ancestors.iter().any(|above| is_named(*above, true));
    // A part counts by itself, too, where it has a policy of its own.
    let guarded = is_guarded(command, relation);
    let counts_for_itself =
        (guarded || dry_run::is_on()) && (!counts_above || (guarded && policy::has_own(relation)));
    // The tree's parts end here, before the foreign keys of the whole tree are looked up.
    if command == Command::Truncate && (!counts_for_itself || is_referenced(&named)) {
        return Ok(());
    }
    let tree = command == Command::Truncate
        && (kind == pg_sys::RELKIND_PARTITIONED_TABLE || is_named(relation, true));
    let members = if tree { trees::members(relation) } else { vec![relation] };
    let probe = Task::of_whole_table(command, relation, Size::Exact(0));
    let within = if dry_run::is_on() { None } else { Some(probe.surely_within_budget()) };
    let (mut rows, mut size) = rows_of(&members, within);
    if command == Command::Drop {
        let below = running(|running| {
            for above in &ancestors {
                *running.dropped.entry(*above).or_default() += rows;
            }
            running.dropped.get(&relation).copied().unwrap_or(0)
        });
        if !counts_for_itself {
            return Ok(());
        }
        rows += below;
        size = size.plus(below);
    }
    let task = Task::of_whole_table(command, relation, size);
    if guarded { task } else { task.unguarded() }.finish(rows, rows)
}

/// What would become of a TRUNCATE or DROP of these tables, which are `relation` with what goes with it;
/// and their size.
pub fn preview(
    command: Command,
    relation: pg_sys::Oid,
    members: &[pg_sys::Oid],
) -> (Option<(Verdict, Report)>, Size) {
    let within = Task::of_whole_table(command, relation, Size::Exact(0)).surely_within_budget();
    let (rows, size) = rows_of(members, Some(within));
    let guarded = is_guarded(command, relation) && !relations::is_exempt(relation);
    let outcome = if guarded { Task::of_whole_table(command, relation, size).preview(rows) } else { None };
    (outcome, size)
}

fn is_guarded(command: Command, relation: pg_sys::Oid) -> bool {
    policy::effective(relation).guards(command) && !exemption::of_table(relation)
}

/// Whether a command on a table is judged at all: for itself, or dropped for the sake of what it is
/// a part of.
fn is_judged(command: Command, relation: pg_sys::Oid) -> bool {
    policy::effective(relation).guards(command)
        || (command == Command::Drop
            && trees::ancestors(relation).iter().any(|above| policy::effective(*above).guards(command)))
}

/// The rows of some tables, and their size for the fraction: exact where they are small; else the
/// estimate, unless reading on shows that no more than `within` are there (dead rows are no rows).
/// Without a `within`, exact.
fn rows_of(members: &[pg_sys::Oid], within: Option<u64>) -> (u64, Size) {
    let pages: Vec<_> = members.iter().map(|member| sizes::pages(*member)).collect();
    let stored: u32 = pages.iter().flatten().fold(0, |sum, pages| sum.saturating_add(*pages));
    let (most, last_page) = match within {
        Some(within) if stored > SMALL_PAGES => (within, MOST_PAGES),
        _ => (u64::MAX - 1, u32::MAX),
    };
    let mut counted = 0;
    let mut ended = true;
    for (member, _) in members.iter().zip(&pages).filter(|(_, pages)| pages.is_some_and(|p| p > 0)) {
        let (rows, end) =
            sizes::count_rows(*member, most.saturating_sub(counted), last_page).unwrap_or((0, true));
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
        .filter_map(|(member, _)| sizes::size(*member, true, Wait::AsTheStatement))
        .sum();
    if ended && counted <= most {
        let rows = counted + foreign.round() as u64;
        return (rows, if foreign > 0.0 { Size::About(rows) } else { Size::Exact(rows) });
    }
    let estimate: f64 =
        members.iter().filter_map(|member| sizes::size(*member, true, Wait::AsTheStatement)).sum();
    let rows = (estimate.round() as u64).max(counted);
    (rows, Size::About(rows))
}

/// The tables that the running TRUNCATE or DROP TABLE names, and whether with the tree below.
fn named_tables() -> Vec<(pg_sys::Oid, bool)> {
    let statement = levels::utility();
    let look_up = |name: *mut pg_sys::RangeVar| {
        let flags = pg_sys::RVROption::RVR_MISSING_OK;
        // SAFETY: a RangeVar, looked up without locking.
        unsafe {
            pg_sys::RangeVarGetRelidExtended(name, pg_sys::NoLock as i32, flags, None, std::ptr::null_mut())
        }
    };
    // SAFETY: each cast follows the node's tag; TRUNCATE's relations are RangeVars, a DROP's objects
    // lists of names.
    unsafe {
        if let Some(truncate) = nodes::cast::<pg_sys::TruncateStmt, _>(statement, NodeTag::T_TruncateStmt) {
            return nodes::items::<pg_sys::RangeVar>((*truncate).relations)
                .map(|name| (look_up(name), (*name).inh))
                .collect();
        }
        if let Some(drop) = nodes::cast::<pg_sys::DropStmt, _>(statement, NodeTag::T_DropStmt)
            && (*drop).removeType == pg_sys::ObjectType::OBJECT_TABLE
        {
            return nodes::items::<pg_sys::List>((*drop).objects)
                .map(|name| (look_up(pg_sys::makeRangeVarFromNameList(name)), true))
                .collect();
        }
    }
    Vec::new()
}

/// Whether PostgreSQL is going to refuse the running TRUNCATE, for foreign keys refer to what it
/// names and it lacks CASCADE: that error comes first.
fn is_referenced(named: &[(pg_sys::Oid, bool)]) -> bool {
    let statement = levels::utility();
    let Some(truncate) = nodes::cast::<pg_sys::TruncateStmt, _>(statement, NodeTag::T_TruncateStmt) else {
        return false;
    };
    // SAFETY: the tag says TruncateStmt; heap_truncate_find_FKs reads pg_constraint.
    unsafe {
        if (*truncate).behavior == pg_sys::DropBehavior::DROP_CASCADE {
            return false;
        }
        let mut reached = std::ptr::null_mut();
        for (table, with_tree) in named {
            for member in if *with_tree { trees::members(*table) } else { vec![*table] } {
                reached = pg_sys::lappend_oid(reached, member);
            }
        }
        !pg_sys::heap_truncate_find_FKs(reached).is_null()
    }
}

/// Nobody counts another database's rows: only an unlimited budget fits.
fn drop_database(database: pg_sys::Oid) -> Result<(), Frozen> {
    if !settings::effective().guards(Command::Drop) {
        return Ok(());
    }
    // SAFETY: reads a backend variable. PostgreSQL refuses to drop the database it is in.
    if exemption::of_command() || database == unsafe { pg_sys::MyDatabaseId } {
        return Ok(());
    }
    // SAFETY: a catalog look-up that gives NULL where there is none.
    let name = text::from_server(unsafe { pg_sys::get_database_name(database) }).unwrap_or_default();
    let role = authority::role(false);
    let tell = |how| refusal::tell(how, &message::drop_database(&name, None), About::Database(&name), role);
    if authority::bypasses(role) {
        tell(Verdict::Bypassed);
        return Ok(());
    }
    match (authority::budget(role, None), settings::mode()) {
        (Ok(Some(Budget::Unlimited)), _) => tell(Verdict::Overridden),
        (_, Mode::Log) => tell(Verdict::Logged),
        (_, Mode::Warn) => tell(Verdict::Warned),
        (budget, _) => {
            return Err(refusal::refuse(
                &message::drop_database(&name, budget.err().as_ref()),
                About::Database(&name),
                role,
            ));
        }
    }
    Ok(())
}
