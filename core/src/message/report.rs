//! A report: what raises, warns or is logged, its SQLSTATE, and which rule it is of.

use crate::command::Command;

/// SQLSTATE of rule `where` (cardinality_violation, which PostgREST answers with 400).
pub const SQLSTATE_WHERE: [u8; 5] = *b"21000";
/// SQLSTATE of rule `rows`.
pub const SQLSTATE_ROWS: [u8; 5] = *b"SD001";
/// SQLSTATE of an expectation that is not met.
pub const SQLSTATE_EXPECTATION: [u8; 5] = *b"SD002";
/// invalid_parameter_value: a policy or an argument that cannot be read.
pub const SQLSTATE_INVALID: [u8; 5] = *b"22023";
/// insufficient_privilege
pub const SQLSTATE_NOT_ALLOWED: [u8; 5] = *b"42501";
/// feature_not_supported: a policy on what can have none.
pub const SQLSTATE_NOT_SUPPORTED: [u8; 5] = *b"0A000";
/// warning
pub const SQLSTATE_WARNING: [u8; 5] = *b"01000";

/// needs preloading
pub const SQLSTATE_NOT_READY: [u8; 5] = *b"55000";

/// The two rules, a session's own ceiling, and a statement's own expectations. The numbers are those of events,
/// which outlive the library (`event.rs`): a new one takes the next, and none is used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Rule {
    Where = 0,
    Rows = 1,
    /// `own_max_rows`
    Own = 2,
    Exactly = 3,
    AtMost = 4,
}

impl Rule {
    pub const ALL: [Rule; 5] = [Rule::Where, Rule::Rows, Rule::Own, Rule::Exactly, Rule::AtMost];

    pub fn word(self) -> &'static str {
        match self {
            Rule::Where => "where",
            Rule::Rows => "rows",
            Rule::Own => "own",
            Rule::Exactly => "exactly",
            Rule::AtMost => "at_most",
        }
    }

    /// The rule that `rule as u64` numbers.
    pub fn from_code(code: u64) -> Option<Rule> {
        Rule::ALL.into_iter().find(|rule| *rule as u64 == code)
    }
}

/// What a report of a rule is about, for those who count and keep them.
#[derive(Clone, Debug, PartialEq)]
pub struct Facts {
    pub rule: Rule,
    pub command: Command,
    pub rows: Option<u64>,
    pub limit: Option<u64>,
    pub limit_source: String,
}

/// What raises, warns or is logged: an error report without a level.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    pub sqlstate: [u8; 5],
    pub message: String,
    pub detail: Option<String>,
    pub hint: Option<String>,
    /// Of a rule's report.
    pub facts: Option<Box<Facts>>,
}

impl Report {
    /// A report that is no rule's.
    pub fn plain(sqlstate: [u8; 5], message: String, detail: Option<String>, hint: Option<String>) -> Report {
        Report { sqlstate, message, detail, hint, facts: None }
    }

    /// The same, now that the rows are known.
    pub fn of_rows(mut self, rows: u64) -> Report {
        if let Some(facts) = &mut self.facts {
            facts.rows = Some(rows);
        }
        self
    }
}
