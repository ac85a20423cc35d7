//! One table that goes whole: counted, and judged as a DELETE of all its rows is.

use crate::pg::pg_sys;
use safedelete_core::command::Command;
use safedelete_core::event::Verdict;
use safedelete_core::limit::Size;
use safedelete_core::message::Report;

use crate::analysis::target;
use crate::engines;
use crate::guard::beside::Beside;
use crate::guard::given;
use crate::guard::made;
use crate::guard::task::{Task, own_ceiling};
use crate::ledger;
use crate::levels;
use crate::pg::attempt::attempt;
use crate::pg::count::{self, Count};
use crate::pg::report::Frozen;
use crate::pg::write::Write;
use crate::pg::{inheritance, relations};
use crate::{policy, rehearsal};

/// Whether a relation of this kind has rows that the command takes.
pub fn holds_rows(command: Command, relation: pg_sys::Oid) -> bool {
    match relations::kind(relation) {
        pg_sys::RELKIND_RELATION | pg_sys::RELKIND_PARTITIONED_TABLE => {
            // What an engine does to its parts below a command that was judged.
            !relations::is_exempt(relation)
                && !(levels::current().depth() > 1 && engines::is_hidden_part(relation))
        }
        // Dropping a foreign table deletes nothing on its server.
        pg_sys::RELKIND_FOREIGN_TABLE => command == Command::Truncate,
        _ => false,
    }
}

/// Whether anybody asks how many rows of a table go.
pub fn is_counted(command: Command, relation: pg_sys::Oid) -> bool {
    let ceiling = command == Command::Truncate && own_ceiling(relation).is_some();
    holds_rows(command, relation) && (ceiling || policy::of(relation).guards(command) || rehearsal::is_on())
}

/// How many rows have to be counted of what goes with a table, to know whether it may go.
pub fn enough(command: Command, relation: pg_sys::Oid) -> u64 {
    enough_of(Write { command, relation, only: true })
}

fn enough_of(write: Write) -> u64 {
    if rehearsal::is_on() {
        return u64::MAX;
    }
    Task::of_whole_table(write, Size::Exact(0)).surely_within_budget().saturating_add(1)
}

/// Judges a table that goes with `members`, which are itself and what goes with it.
pub fn judge(
    command: Command,
    relation: pg_sys::Oid,
    members: Vec<pg_sys::Oid>,
    beside: Beside,
) -> Result<(), Frozen> {
    let write = Write { command, relation, only: members.len() == 1 };
    let made = made::among(&members, target::summed(write));
    let enough = if made.is_some() { u64::MAX } else { enough_of(write) };
    let size = count_now(command, members, enough);
    finish_with(write, size, made.unwrap_or_default(), beside)
}

/// The rows of tables that are about to go, counted at least until there are `enough`. Those that are on foreign
/// servers are counted over there, unless that fails: a role may be allowed to truncate over there and not to read.
pub fn count_now(command: Command, members: Vec<pg_sys::Oid>, enough: u64) -> Size {
    let is_foreign = |table: &pg_sys::Oid| relations::kind(*table) == pg_sys::RELKIND_FOREIGN_TABLE;
    if command == Command::Truncate
        && members.iter().any(is_foreign)
        && let Ok(size) = attempt(|| {
            let mut count = Count::of_whole(members.clone()).asking_as(pg_sys::InvalidOid);
            count.go_on(enough, u64::MAX);
            count.size()
        })
    {
        return size;
    }
    count(members, enough)
}

/// Judges a table of which so many rows go.
pub fn finish(command: Command, relation: pg_sys::Oid, size: Size, beside: Beside) -> Result<(), Frozen> {
    finish_with(Write { command, relation, only: true }, size, (0, 0), beside)
}

/// Judges a table of which parts go one by one, so many rows now.
pub fn finish_part(command: Command, relation: pg_sys::Oid, rows: u64) -> Result<(), Frozen> {
    let write = Write { command, relation, only: false };
    let task = Task::new(write, policy::of(relation), false);
    let task = if policy::of(relation).guards(command) { task } else { task.unguarded() };
    let of = target::summed(write);
    if task.first_threshold() < rows && ledger::learned(of).size.is_none() {
        // What is dropped is found by no later count: one count serves the sum.
        let gone = ledger::deleted(of);
        ledger::learn_size(of, count(inheritance::members(relation), u64::MAX).plus(gone));
    }
    task.of_learned().join_sum(rows, rows).map(drop)
}

/// The same, where the sum has made some of the rows, and inserted some of these: it has counted them, or they were not
/// there.
fn finish_with(write: Write, size: Size, (made, inserted): (u64, u64), beside: Beside) -> Result<(), Frozen> {
    let task = Task::of_whole_table(write, size).beside(beside);
    let mut task = if policy::of(write.relation).guards(write.command) { task } else { task.unguarded() };
    task.join_sum(size.rows().saturating_sub(made), size.rows().saturating_sub(inserted))?;
    ledger::note_gone(target::summed(write), Some(inserted), target::is_in_tree(write.relation));
    Ok(())
}

/// What would become of a TRUNCATE or DROP of these tables, which are `relation` with what goes with it;
/// and their size.
pub fn preview(
    command: Command,
    relation: pg_sys::Oid,
    members: Vec<pg_sys::Oid>,
) -> (Option<(Verdict, Report)>, Size) {
    let write = Write { command, relation, only: members.len() == 1 };
    let size = match given::among(&members) {
        Some((rows, rest)) => count(rest, u64::MAX).and(Size::About(rows)),
        None => count(members, enough_of(write)),
    };
    let task = || Task::of_whole_table(write, size);
    let outcome = if policy::of(relation).guards(command) {
        task().preview(size.rows())
    } else if is_counted(command, relation) {
        task().unguarded().preview(size.rows())
    } else {
        None
    };
    (outcome, size)
}

/// The rows of some tables, counted at least until there are `enough`.
pub fn count(members: Vec<pg_sys::Oid>, enough: u64) -> Size {
    // The first is what counts with all below it.
    if let Some(rows) = members.first().and_then(|table| engines::count(*table, false)) {
        return Size::Exact(rows);
    }
    count::for_texts(members, enough)
}
