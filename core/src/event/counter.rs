//! What is counted of events.

use super::Verdict;
use crate::message::Rule;

/// What is counted of each database. The number is the place among the columns of `safedelete.stats`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Counter {
    /// Statements that ran with a guard node.
    Guarded = 0,
    RefusedWhere = 1,
    RefusedRows = 2,
    Warned = 3,
    Logged = 4,
    Overridden = 5,
    Bypassed = 6,
    /// Rows that guards have collected before the first was written.
    RowsSpooled = 7,
    /// Of what they collected, bytes that went to disk.
    SpoolBytes = 8,
    /// By `own_max_rows`.
    RefusedOwn = 9,
    /// By `exactly` or `at_most`.
    RefusedExpected = 10,
}

impl Counter {
    pub const ALL: [Counter; 11] = [
        Counter::Guarded,
        Counter::RefusedWhere,
        Counter::RefusedRows,
        Counter::Warned,
        Counter::Logged,
        Counter::Overridden,
        Counter::Bypassed,
        Counter::RowsSpooled,
        Counter::SpoolBytes,
        Counter::RefusedOwn,
        Counter::RefusedExpected,
    ];
    /// Those that stand before the time since when they count, among the columns.
    pub const FIRST: usize = 9;

    /// What an event counts as.
    pub fn of(verdict: Verdict, rule: Option<Rule>) -> Option<Counter> {
        match (verdict, rule) {
            (Verdict::Refused, Some(Rule::Where)) => Some(Counter::RefusedWhere),
            (Verdict::Refused, Some(Rule::Own)) => Some(Counter::RefusedOwn),
            (Verdict::Refused, Some(Rule::Exactly | Rule::AtMost)) => Some(Counter::RefusedExpected),
            (Verdict::Refused, Some(Rule::Rows) | None) => Some(Counter::RefusedRows),
            (Verdict::Warned, _) => Some(Counter::Warned),
            (Verdict::Logged, _) => Some(Counter::Logged),
            (Verdict::Overridden, _) => Some(Counter::Overridden),
            (Verdict::Bypassed, _) => Some(Counter::Bypassed),
            (Verdict::Policy | Verdict::Restored | Verdict::Forgotten, _) => None,
        }
    }
}
