//! `safedelete.dry_run`: runs statements in a subtransaction that is rolled back, and notes what they,
//! their foreign keys and their triggers would write. While it runs, every write carries a guard
//! node, point writes and tables that are not guarded among them, and nothing is refused: what
//! would be is noted.

use std::ffi::CStr;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use crate::pg::pg_sys;
use safedelete_core::message::{Report, SQLSTATE_NOT_READY, SQLSTATE_NOT_SUPPORTED};

use crate::check::script::{Part, Statement};
use crate::pg::attempt::attempt;
use crate::pg::nodes::Node;
use crate::pg::spi;
use crate::rehearsal::{self, Note};
use crate::{ledger, levels, settings};

mod leftovers;

use leftovers::Leftovers;

/// Runs a script and rolls it back; what it wrote, in the order in which it first wrote.
///
/// # Errors
/// 55000 inside another dry run, 0A000 for transaction control. An error of a statement's own goes on as
/// it came, after the rollback.
pub fn run(text: &CStr) -> Result<Vec<Note>, Report> {
    if rehearsal::is_on() {
        let message = "dry_run cannot run inside another dry_run".to_owned();
        return Err(Report::plain(SQLSTATE_NOT_READY, message, None, None));
    }
    let script = Part::whole(text)?;
    for statement in script.statements() {
        refuse_transaction_control(statement.node, statement.place.line)?;
    }
    let leftovers = Leftovers::before();
    let mut notes = Vec::new();
    // However it ends, by a cancel too, what it has left is taken back.
    let ended = catch_unwind(AssertUnwindSafe(|| {
        attempt(|| {
            let running = Running::begin();
            let done = script
                .statements()
                .try_for_each(|statement| execute(&statement, &leftovers))
                .map(|()| run_deferred());
            notes = running.end();
            done
        })
    }));
    let outcome = match ended {
        Ok(outcome) => outcome,
        Err(unwinding) => {
            // That it cannot be taken back either is no news.
            let _ = catch_unwind(AssertUnwindSafe(|| leftovers.take_back()));
            resume_unwind(unwinding)
        }
    };
    leftovers.take_back();
    match outcome {
        Ok(done) => done.map(|()| notes),
        Err(failure) => failure.throw_on(),
    }
}

/// A dry run that goes on: however it ends, by an error's unwinding too, nothing of it stays.
struct Running;

impl Running {
    fn begin() -> Running {
        rehearsal::begin();
        // Cached plans of functions lack the nodes that count.
        settings::forget_plans();
        Running
    }

    fn end(self) -> Vec<Note> {
        rehearsal::end()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        rehearsal::end();
        // And those that were made meanwhile have too many.
        settings::forget_plans();
    }
}

/// Fires what the statements have deferred to the end of the transaction. Inside a transaction block it
/// would fire what the caller has deferred as well, so there it does not.
fn run_deferred() {
    if pg_sys::IsTransactionBlock() {
        return;
    }
    let outer = levels::enter_as_clients();
    spi::execute(c"SET CONSTRAINTS ALL IMMEDIATE");
    ledger::forget(levels::owner());
    levels::leave_as_clients(&outer);
}

/// Runs one statement as the client would. DEALLOCATE of what is not the dry run's own does nothing.
fn execute(statement: &Statement, leftovers: &Leftovers) -> Result<(), Report> {
    if let Some(deallocate) = statement.node.as_a::<pg_sys::DeallocateStmt>() {
        match deallocate.name() {
            // ALL.
            None => {
                leftovers.deallocate_all();
                return Ok(());
            }
            Some(name) if leftovers.has_prepared(name) => return Ok(()),
            Some(_) => {}
        }
    }
    let text = statement.source.alone();
    let line = statement.place.line;
    let outer = levels::enter_as_clients();
    let done = spi::execute(text);
    ledger::forget(levels::owner());
    levels::leave_as_clients(&outer);
    if done < 0 {
        let detail = format!("The statement on line {line} needs the client, as COPY FROM STDIN does.");
        let message = "dry_run cannot run this statement".to_owned();
        return Err(Report::plain(SQLSTATE_NOT_SUPPORTED, message, Some(detail), None));
    }
    Ok(())
}

fn refuse_transaction_control(statement: Node, line: usize) -> Result<(), Report> {
    if !statement.is_a::<pg_sys::TransactionStmt>() {
        return Ok(());
    }
    Err(Report::plain(
        SQLSTATE_NOT_SUPPORTED,
        "dry_run cannot run transaction control".to_owned(),
        Some(format!(
            "There is a transaction command on line {line}; dry_run runs all statements in one subtransaction."
        )),
        Some("Leave BEGIN, COMMIT, ROLLBACK and savepoints out.".to_owned()),
    ))
}
