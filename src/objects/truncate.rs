//! TRUNCATE is judged before it runs, under its locks. The object access hook is the net below: it
//! judges what was not foreseen (a name that has come to mean another table, a library that
//! truncates by itself).

use std::rc::Rc;

use crate::pg::pg_sys;
use rustc_hash::FxHashSet;
use safedelete_core::command::Command;

use super::reach::{self, Reach};
use super::running::{self, Outlook};
use super::whole;
use crate::guard::beside::Beside;
use crate::pg::nodes::Node;
use crate::pg::report::Frozen;
use crate::pg::{backend, count, inheritance, locks, relations};
use crate::{engines, exemption, policy, rehearsal};

/// A TRUNCATE is about to run.
pub fn prepare(truncate: Node<pg_sys::TruncateStmt>) -> Result<(), Frozen> {
    if exemption::of_command() {
        return Ok(());
    }
    // As standard_ProcessUtility does.
    let reach = if backend::refuses_writes() { None } else { reach::of(truncate, true).ok() };
    let Some(reach) = reach else {
        running::with(|running| running.outlook = Outlook::Refused);
        return Ok(());
    };
    running::with(|running| {
        running.outlook = Outlook::Judged;
        for table in reach.named.iter().flat_map(|(_, members)| members).chain(&reach.cascaded) {
            running.judge(*table);
        }
    });
    judge(&reach)
}

/// A TRUNCATE has run. If PostgreSQL was expected to refuse it, and did not, it is judged now.
pub fn settle() -> Result<(), Frozen> {
    let postponed = running::with(|running| std::mem::take(&mut running.postponed));
    running::end();
    postponed
        .into_iter()
        .try_for_each(|(table, size)| whole::finish(Command::Truncate, table, size, Beside::Unknown))
}

fn judge(reach: &Reach) -> Result<(), Frozen> {
    let mut judged = FxHashSet::default();
    let roots = roots(reach);
    let counted = roots.iter().filter(|(table, _)| whole::is_counted(Command::Truncate, *table));
    let counted: Rc<[_]> = counted.cloned().collect();
    for (table, members) in roots {
        let parts: Vec<_> = members
            .iter()
            .copied()
            .filter(|member| *member != table && policy::of(*member).has_own())
            .collect();
        if judged.insert(table) && whole::is_counted(Command::Truncate, table) {
            whole::judge(Command::Truncate, table, members, Beside::Tables(counted.clone()))?;
        }
        // A part that has a policy of its own counts by itself, too.
        for part in parts {
            if judged.insert(part)
                && whole::holds_rows(Command::Truncate, part)
                && policy::of(part).guards(Command::Truncate)
            {
                whole::judge(
                    Command::Truncate,
                    part,
                    with_partitions(part),
                    Beside::Tables(counted.clone()),
                )?;
            }
        }
    }
    Ok(())
}

/// The tables that are judged, each with what counts with it: those that the statement names, and those
/// that CASCADE adds, a partitioned one with its partitions.
fn roots(reach: &Reach) -> Vec<(pg_sys::Oid, Vec<pg_sys::Oid>)> {
    let cascaded: FxHashSet<_> = reach.cascaded.iter().copied().collect();
    let is_below = |table: &pg_sys::Oid| {
        inheritance::partition_parents(*table).iter().any(|above| cascaded.contains(above))
    };
    let added = reach.cascaded.iter().filter(|table| !is_below(table));
    reach.named.iter().cloned().chain(added.map(|table| (*table, with_partitions(*table)))).collect()
}

/// A table, and its partitions.
fn with_partitions(table: pg_sys::Oid) -> Vec<pg_sys::Oid> {
    if relations::kind(table) == pg_sys::RELKIND_PARTITIONED_TABLE {
        inheritance::members(table)
    } else {
        vec![table]
    }
}

/// An engine empties what holds rows of a part packed, before PostgreSQL empties the part. With a whole that was
/// judged, they were counted.
fn judge_packed(part: pg_sys::Oid, rows: u64) -> Result<(), Frozen> {
    let is_judged = engines::whole(part).is_some_and(|of| running::with(|running| running.is_judged(of)));
    if is_judged || !whole::is_counted(Command::Truncate, part) {
        return Ok(());
    }
    let own = count::for_texts(vec![part], u64::MAX);
    whole::finish(Command::Truncate, part, own.plus(rows), Beside::Unknown)
}

/// PostgreSQL tells of a table that is about to be emptied: one that is named, before it is locked and
/// before the user's privileges are looked at.
pub fn accessed(table: pg_sys::Oid) -> Result<(), Frozen> {
    if exemption::of_command() {
        return Ok(());
    }
    if let Some((part, rows)) = engines::packed(table) {
        return judge_packed(part, rows);
    }
    if !whole::is_counted(Command::Truncate, table) {
        return Ok(());
    }
    let above: FxHashSet<_> = inheritance::ancestors(table).into_iter().collect();
    let partition_of = inheritance::partition_parents(table);
    let (is_new, outlook, is_below, is_partition) = running::with(|running| {
        let is_below = above.iter().any(|above| running.is_judged(*above));
        let is_partition = partition_of.iter().any(|above| running.is_judged(*above));
        (running.judge(table), running.outlook, is_below, is_partition)
    });
    if !is_new {
        return Ok(());
    }
    // Of what goes with a table that is named, PostgreSQL asks for no privileges.
    if !is_below && !relations::may_truncate(table) {
        running::with(|running| running.forget(table));
        return Ok(());
    }
    if is_partition && (rehearsal::is_on() || !policy::of(table).has_own()) {
        return Ok(());
    }
    locks::lock_exclusively(table);
    let members = with_partitions(table);
    if outlook == Outlook::Refused {
        let enough = whole::enough(Command::Truncate, table);
        let size = whole::count_now(Command::Truncate, members, enough);
        running::with(|running| running.postponed.push((table, size)));
        return Ok(());
    }
    whole::judge(Command::Truncate, table, members, Beside::Unknown)
}
