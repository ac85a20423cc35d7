//! `safedelete.check`: what the guard would say of a script, without running it. Each statement is
//! analysed as PostgreSQL would analyse it, in a subtransaction that is rolled back, and judged by
//! the guard's own analysis, with the caller's settings, policy and role. Decides how a script is
//! read; every verdict is analysis's, policy's and the guard's.
//!
//! * script.rs splits the script into statements;
//! * session.rs follows the settings that a script sets for itself;
//! * statement.rs judges one statement, whole.rs those that take tables whole;
//! * body.rs looks into what a statement carries along: DO blocks, function bodies;
//! * plpgsql.rs has PL/pgSQL's own parser take a block apart, layouts.rs says how that looks;
//! * form.rs judges by the bare parse tree what cannot be analysed.

mod body;
mod form;
mod layouts;
mod plpgsql;
pub mod script;
mod session;
mod statement;
mod whole;

use std::ffi::CStr;

use safedelete_core::event;
use safedelete_core::message::{Report, Rule};

use crate::pg::context::Context;
use crate::pg::{frame, pg_sys, raw};
use script::{Script, Statement};
use session::Session;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Ok,
    Refused,
    Unknown,
}

impl Verdict {
    pub fn word(self) -> &'static str {
        match self {
            Verdict::Ok => "ok",
            Verdict::Refused => "refused",
            Verdict::Unknown => "unknown",
        }
    }
}

impl From<event::Verdict> for Verdict {
    /// What goes through is ok, whatever lets it.
    fn from(verdict: event::Verdict) -> Verdict {
        if verdict == event::Verdict::Refused { Verdict::Refused } else { Verdict::Ok }
    }
}

/// What is found of a statement, or of one of the writes in it.
#[derive(Clone, Debug)]
pub struct Finding {
    pub command: String,
    pub relation: Option<String>,
    pub verdict: Verdict,
    pub rule: Option<Rule>,
    pub sqlstate: Option<[u8; 5]>,
    pub message: Option<String>,
    pub detail: Option<String>,
    pub hint: Option<String>,
    pub estimated_rows: Option<f64>,
    pub table_rows: Option<u64>,
}

impl Finding {
    pub fn ok(command: &str) -> Finding {
        Finding {
            command: command.to_owned(),
            relation: None,
            verdict: Verdict::Ok,
            rule: None,
            sqlstate: None,
            message: None,
            detail: None,
            hint: None,
            estimated_rows: None,
            table_rows: None,
        }
    }

    pub fn unknown(command: &str, reason: &str) -> Finding {
        Finding { verdict: Verdict::Unknown, message: Some(reason.to_owned()), ..Finding::ok(command) }
    }

    /// The same, with what a rule has to say.
    pub fn told(self, verdict: Verdict, report: Report) -> Finding {
        Finding {
            verdict,
            rule: report.facts.map(|facts| facts.rule),
            sqlstate: Some(report.sqlstate),
            message: Some(report.message),
            detail: report.detail,
            hint: report.hint,
            ..self
        }
    }
}

/// A finding with the statement it belongs to.
pub struct Row {
    pub statement: usize,
    pub line: usize,
    pub finding: Finding,
}

/// Checks a script, and tells of each statement as it comes; what is told may use the current memory
/// context, which is emptied after each.
///
/// # Errors
/// A syntax error, after the statements before it have been told.
pub fn check(text: &CStr, mut tell: impl FnMut(Row)) -> Result<(), Report> {
    let mut session = Session::begin();
    let mut script = Script::new(text);
    let mut memory = Context::new(c"safedelete statement");
    while let Some(part) = script.next()? {
        for Statement { node, number, line, source } in part.statements() {
            check_for_interrupts();
            memory.within(|| {
                for finding in statement::judge(&mut session, node, source) {
                    tell(Row { statement: number, line, finding });
                }
            });
            memory.empty();
        }
    }
    session.end();
    Ok(())
}

/// CHECK_FOR_INTERRUPTS().
fn check_for_interrupts() {
    frame::call(|| {
        #[allow(ffi_unwind_calls, reason = "inside frame::call; the closure owns nothing")]
        // SAFETY: reads a backend variable; ProcessInterrupts may raise a cancel.
        unsafe {
            if pg_sys::InterruptPending != 0 {
                raw::ProcessInterrupts();
            }
        }
    });
}
