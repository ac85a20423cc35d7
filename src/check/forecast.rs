//! What `check` says of a statement.

use safedelete_core::event;
use safedelete_core::limit::Budget;
use safedelete_core::message::{Report, Rule};

use crate::pg::attempt::Failure;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Ok,
    Refused,
    Unknown,
}

impl Outcome {
    pub fn word(self) -> &'static str {
        match self {
            Outcome::Ok => "ok",
            Outcome::Refused => "refused",
            Outcome::Unknown => "unknown",
        }
    }
}

impl From<event::Verdict> for Outcome {
    /// What goes through is ok, whatever lets it.
    fn from(verdict: event::Verdict) -> Outcome {
        if verdict == event::Verdict::Refused { Outcome::Refused } else { Outcome::Ok }
    }
}

/// What is found of a statement, or of one of the writes in it.
#[derive(Clone, Debug)]
pub struct Forecast {
    pub command: String,
    pub relation: Option<String>,
    pub outcome: Outcome,
    pub rule: Option<Rule>,
    pub sqlstate: Option<[u8; 5]>,
    pub message: Option<String>,
    pub detail: Option<String>,
    pub hint: Option<String>,
    pub estimated_rows: Option<f64>,
    pub table_rows: Option<u64>,
    /// The budget that counts for the write, and the reason that goes with it.
    pub declared: Option<(Budget, String)>,
}

impl Forecast {
    pub fn ok(command: &str) -> Forecast {
        Forecast {
            command: command.to_owned(),
            relation: None,
            outcome: Outcome::Ok,
            rule: None,
            sqlstate: None,
            message: None,
            detail: None,
            hint: None,
            estimated_rows: None,
            table_rows: None,
            declared: None,
        }
    }

    pub fn unknown(command: &str, reason: &str) -> Forecast {
        Forecast { outcome: Outcome::Unknown, message: Some(reason.to_owned()), ..Forecast::ok(command) }
    }

    /// Of a statement that ends in an error.
    pub fn failed(command: &str, failure: &Failure) -> Forecast {
        Forecast {
            sqlstate: Some(failure.sqlstate),
            hint: failure.hint.clone(),
            ..Forecast::unknown(command, &failure.message)
        }
    }

    /// The same, with what a rule has to say.
    pub fn told(self, outcome: Outcome, report: Report) -> Forecast {
        Forecast {
            outcome,
            rule: report.facts.map(|facts| facts.rule),
            sqlstate: Some(report.sqlstate),
            message: Some(report.message),
            detail: report.detail,
            hint: report.hint,
            ..self
        }
    }
}
