//! What `check` says of a statement.

use safedelete_core::event;
use safedelete_core::message::{Report, Rule};

use crate::pg::attempt::Failure;

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

    /// Of a statement that ends in an error.
    pub fn failed(command: &str, failure: &Failure) -> Finding {
        Finding {
            sqlstate: Some(failure.sqlstate),
            hint: failure.hint.clone(),
            ..Finding::unknown(command, &failure.message)
        }
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
