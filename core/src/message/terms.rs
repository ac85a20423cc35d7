//! What bounds a write, in words: in DETAILs, in EXPLAIN and in the record.

use crate::limit::{Bounds, Limit, Size, Source};

/// What bounds a write of one table, and for what a policy says, the object that has the policy
/// (as `table "public.events"`).
#[derive(Clone, Debug, PartialEq)]
pub struct Terms {
    pub bounds: Bounds,
    pub max_rows: Option<String>,
    pub max_fraction: Option<String>,
    pub min_rows: Option<String>,
}

impl Terms {
    /// What the settings say.
    pub fn of_settings(bounds: Bounds) -> Terms {
        Terms { bounds, max_rows: None, max_fraction: None, min_rows: None }
    }

    fn max_rows(&self) -> String {
        named("max_rows", self.max_rows.as_deref())
    }

    fn max_fraction(&self) -> String {
        named("max_fraction", self.max_fraction.as_deref())
    }

    fn min_rows(&self) -> String {
        named("min_rows", self.min_rows.as_deref())
    }
}

/// A setting's name, or a policy's key.
fn named(key: &str, policy_on: Option<&str>) -> String {
    match policy_on {
        None => format!("safedelete.{key}"),
        Some(object) => format!("{key} of the policy on {object}"),
    }
}

pub(crate) fn rows(count: u64) -> String {
    if count == 1 { "1 row".to_owned() } else { format!("{count} rows") }
}

/// What a table holds, as the messages put it.
fn held(table: Size) -> String {
    match table {
        Size::Exact(count) => rows(count),
        Size::AtLeast(count) => format!("at least {}", rows(count)),
        Size::About(count) => format!("about {}", rows(count)),
    }
}

/// The clause of a DETAIL that says where a limit comes from.
pub(super) fn source_clause(limit: &Limit, terms: &Terms) -> String {
    match limit.source {
        Source::MaxRows => format!("{} is {}", terms.max_rows(), limit.rows),
        Source::Fraction { table } => format!(
            "{} is {} and the table holds {}",
            terms.max_fraction(),
            terms.bounds.max_fraction,
            held(table)
        ),
        Source::MinRows { table } => format!(
            "{} is {}, the table holds {} and {} is {}",
            terms.max_fraction(),
            terms.bounds.max_fraction,
            held(table),
            terms.min_rows(),
            limit.rows
        ),
        Source::AllowRows => format!("safedelete.allow_rows is {}", limit.rows),
    }
}

/// EXPLAIN's form of a session's own ceiling.
pub fn explain_own(most: u64) -> String {
    format!("{} (own_max_rows)", rows(most))
}

/// What a table holds, as EXPLAIN and reports give it.
pub fn explain_size(table: Size) -> String {
    held(table).trim_end_matches(" rows").trim_end_matches(" row").to_owned()
}

/// The short form of where a limit comes from, for EXPLAIN and the record.
pub fn explain_source(limit: &Limit, terms: &Terms) -> String {
    let share = |table| format!("max_fraction {} of {}", terms.bounds.max_fraction, explain_size(table));
    let (source, policy_on) = match limit.source {
        Source::MaxRows => ("max_rows".to_owned(), &terms.max_rows),
        Source::Fraction { table } => (share(table), &terms.max_fraction),
        Source::MinRows { table } => (format!("min_rows, {}", share(table)), &terms.min_rows),
        Source::AllowRows => ("allow_rows".to_owned(), &None),
    };
    match policy_on {
        None => source,
        Some(object) => format!("{source}, policy on {object}"),
    }
}
