//! What the triggers do when a statement has written: nothing, nearly always.

use safedelete_core::command::Command;
use safedelete_core::keep;
use safedelete_core::message::{Report, SQLSTATE_NOT_READY};
use safedelete_core::mode::Mode;
use safedelete_core::policy::Effective;

use super::store::{self, Write};
use crate::authority::Writer;
use crate::ledger::Kept;
use crate::pg::backend;
use crate::pg::local::Local;
use crate::pg::rows::{self, Whole};
use crate::pg::trigger::{self, Fired};
use crate::pg::{frame, growing, pg_sys, relations, together};
use crate::policy::{self, InForce};
use crate::settings::{self, SumOver};
use crate::{exemption, ledger, levels, record, rehearsal};

/// The command of the statement whose triggers fire.
static COMMAND: Local<pg_sys::CommandId> = Local::new(0);

/// The triggers of a statement are about to fire, of this command; gives that of the statement around it, to be given
/// back to [`fired`]. After an error the next one says its own. For bare frames.
#[inline]
pub fn about_to_fire(command: pg_sys::CommandId) -> pg_sys::CommandId {
    let outer = COMMAND.get();
    COMMAND.set(command);
    outer
}

/// They have.
#[inline]
pub fn fired(outer: pg_sys::CommandId) {
    COMMAND.set(outer);
}

/// Runs `f`, whose statements' triggers fire together when all have run, as those of one statement (pg/together.rs).
pub fn together<T: Copy>(f: impl FnOnce() -> T) -> T {
    let (outer, around) = (levels::enter_utility(None, None, false), about_to_fire(backend::command_id()));
    let value = together::together(f);
    fired(around);
    levels::leave_utility(outer);
    value
}

/// A statement has written a table, or (TRUNCATE) is about to empty it.
pub fn keep(fired: Fired) -> Result<(), Report> {
    let Some(command) = fired.command() else { return Ok(()) };
    let table = fired.table();
    let in_force = policy::of(table);
    let effective = in_force.effective();
    if effective.keep.is_off() || in_force.is_exempt() || rehearsal::is_on() || exemption::of_firing() {
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

/// Whether what comes after in the same sum may go over a limit and through, or come to `keep_from` rows: then what
/// came before has to be there. A statement of the client's that runs no other has been judged whole by now, with its
/// foreign keys' first actions.
fn may_yet_be_due(fired: Fired, in_force: &InForce, effective: &Effective) -> bool {
    let more_may_come = !levels::is_whole_statement() || settings::scope() == SumOver::Transaction;
    if more_may_come && effective.keep_from > 0 {
        return true;
    }
    let children = fired.acted_upon();
    if below(&children).into_iter().any(keeps_from_a_number) {
        return true;
    }
    if effective.mode == Mode::Off {
        // The rules would refuse nothing.
        return false;
    }
    let may_be_told =
        more_may_come || children.into_iter().any(|child| !trigger::acted_upon(child).is_empty());
    may_be_told && !Writer::now(false).may_be_refused(effective.mode, in_force)
}

/// Tables, and all that foreign keys reach from them.
fn below(children: &[pg_sys::Oid]) -> Vec<pg_sys::Oid> {
    let mut reached = children.to_vec();
    let mut at = 0;
    while let Some(table) = reached.get(at).copied() {
        at += 1;
        for child in trigger::acted_upon(table) {
            if !reached.contains(&child) {
                growing::push(&mut reached, child);
            }
        }
    }
    reached
}

fn keeps_from_a_number(table: pg_sys::Oid) -> bool {
    let effective = policy::of(table).effective();
    !effective.keep.is_off() && effective.keep_from > 0
}

fn put_away(fired: Fired, command: Command, kept: Kept, effective: &Effective) -> Result<(), Report> {
    let (table, most) = (fired.table(), settings::keep_max_rows());
    let whole = command == Command::Truncate;
    let too_many = |rows| Err(keep::too_many(command, &relations::name(table), rows, most));
    let expected = kept.rows.saturating_add(if whole { 0 } else { fired.rows() });
    if expected > most {
        return too_many(expected);
    }
    if command == Command::Update && !fired.has_pairs() {
        let why = "A row that was to move to another partition has been dropped by a trigger there.";
        return Err(keep::cannot(command, &relations::name(table), why));
    }
    if fired.moved().is_unclear {
        let why = "It writes the table more than once, and which rows MERGE has moved to another partition is unclear.";
        return Err(keep::cannot(command, &relations::name(table), why));
    }
    let rows = rows::in_one_form(|| {
        let by = if whole { backend::command_id() } else { COMMAND.get() };
        let mut write = Write::begin(fired, kept, command.tag(), by, effective.keep);
        if whole {
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
        fired.each_row(|row, now| {
            frame::check_for_interrupts();
            write.put(row, now);
        });
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
