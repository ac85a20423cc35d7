//! What the triggers do when a statement has written: nothing, nearly always.

use safedelete_core::command::Command;
use safedelete_core::keep;
use safedelete_core::message::{Report, SQLSTATE_NOT_READY};
use safedelete_core::policy::Effective;

use super::store::{self, Write};
use crate::authority::Writer;
use crate::ledger::Kept;
use crate::pg::rows::{self, Whole};
use crate::pg::trigger::{self, Fired};
use crate::pg::{frame, pg_sys, relations};
use crate::policy::{self, InForce};
use crate::settings::{self, SumOver};
use crate::{ledger, levels, record, rehearsal};

/// A statement has written a table, or (TRUNCATE) is about to empty it.
pub fn keep(fired: Fired) -> Result<(), Report> {
    let Some(command) = fired.command() else { return Ok(()) };
    let table = fired.table();
    let in_force = policy::of(table);
    let effective = in_force.effective();
    if effective.keep.is_off()
        || in_force.is_exempt()
        || rehearsal::is_on()
        || levels::current().is_postgres()
    {
        return Ok(());
    }
    let kept = ledger::kept();
    let whole = command == Command::Truncate;
    // Its partitions hold what a partitioned table does, and TRUNCATE fires theirs.
    let is_empty = if whole {
        relations::kind(table) != pg_sys::RELKIND_RELATION || count(fired, 1) == 0
    } else {
        fired.rows() == 0
    };
    if is_empty {
        return Ok(());
    }
    let many = || {
        let rows = if whole { count(fired, effective.keep_from) } else { fired.rows() };
        rows >= effective.keep_from
    };
    let is_due =
        kept.is_told || (effective.keep_from > 0 && many()) || may_yet_be_due(fired, &in_force, &effective);
    if !is_due || settings::keeps_nothing() {
        return Ok(());
    }
    put_away(fired, command, numbered(kept)?, &effective)
}

/// The number of what is kept of the running sum.
fn numbered(kept: Kept) -> Result<Kept, Report> {
    if kept.event > 0 {
        return Ok(kept);
    }
    store::number_after_those_kept();
    let Some(event) = record::reserve() else {
        return Err(Report::plain(
            SQLSTATE_NOT_READY,
            "safedelete must be loaded via shared_preload_libraries to keep rows".to_owned(),
            Some("What is kept has the number of an event.".to_owned()),
            None,
        ));
    };
    let kept = Kept { event, ..kept };
    ledger::set_kept(kept);
    Ok(kept)
}

/// Whether what comes after in the same sum may go over a limit and through: then what came before has to be there.
/// A statement of the client's that runs no other has been judged whole by now, with its foreign keys' first actions.
fn may_yet_be_due(fired: Fired, in_force: &InForce, effective: &Effective) -> bool {
    let more_may_come = !levels::is_whole_statement()
        || settings::scope() == SumOver::Transaction
        || trigger::acted_upon(fired.table()).into_iter().any(|child| !trigger::acted_upon(child).is_empty());
    more_may_come && !Writer::now(false).may_be_refused(effective.mode, in_force)
}

fn put_away(fired: Fired, command: Command, kept: Kept, effective: &Effective) -> Result<(), Report> {
    let (table, most) = (fired.table(), settings::keep_max_rows());
    let too_many = |rows| Err(keep::too_many(command, &relations::name(table), rows, most));
    let expected = kept.rows.saturating_add(if command == Command::Truncate { 0 } else { fired.rows() });
    if expected > most {
        return too_many(expected);
    }
    if command == Command::Update && !fired.has_pairs() {
        let why = "A row that was to move to another partition has been dropped by a trigger there.";
        return Err(keep::cannot(command, &relations::name(table), why));
    }
    let rows = rows::in_one_form(|| {
        let mut write = Write::begin(fired, kept, command.tag(), effective.keep);
        if command == Command::Truncate {
            // SAFETY: TRUNCATE has locked its tables before it fires their triggers.
            let mut whole = unsafe { Whole::of(fired.relation()) };
            let mut count = kept.rows;
            while let Some(row) = whole.next() {
                frame::check_for_interrupts();
                count += 1;
                if count > most {
                    return Err(count);
                }
                write.put(row, None);
            }
            whole.end();
            return Ok(write.end());
        }
        let Some(mut old) = fired.old_rows() else { return Ok(0) };
        let mut new = fired.new_rows();
        while let Some(row) = old.next() {
            frame::check_for_interrupts();
            let now = new.as_mut().and_then(|new| new.next());
            write.put(row, now);
        }
        old.end();
        if let Some(new) = new {
            new.end();
        }
        Ok(write.end())
    });
    match rows {
        Ok(rows) => {
            ledger::set_kept(Kept { rows: kept.rows + rows, ..ledger::kept() });
            store::purge();
            Ok(())
        }
        Err(count) => too_many(count),
    }
}

/// The rows of a table, counted up to so many.
fn count(fired: Fired, enough: u64) -> u64 {
    // SAFETY: TRUNCATE has locked its tables before it fires their triggers.
    let mut whole = unsafe { Whole::of(fired.relation()) };
    let mut rows = 0;
    while rows < enough && whole.next().is_some() {
        frame::check_for_interrupts();
        rows += 1;
    }
    whole.end();
    rows
}
