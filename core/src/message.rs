//! Every text a refused user, a log reader or EXPLAIN sees. Style is PostgreSQL's: the primary
//! message has no period, DETAIL and HINT are sentences, names stand in double quotes, numbers
//! are plain, and no row value appears anywhere. The refusals are here; report.rs is what they are made of, terms.rs
//! says where a limit comes from, honour.rs why an override does not count.

mod honour;
mod report;
mod terms;
#[cfg(test)]
mod tests;

use crate::command::Command;
use crate::limit::{Limit, Size, Source};

use honour::hint;
pub use honour::{NotHonoured, Why};
pub use report::*;
pub(crate) use terms::rows;
use terms::source_clause;
pub use terms::{Terms, explain_own, explain_size, explain_source};

/// Why rule `where` refuses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unqualified {
    /// There is no condition at all.
    NoWhere,
    /// The condition names no column of the target, or is true by its own form.
    MatchesEveryRow,
    /// A sub-select takes this column from the target, because its own tables have no such column.
    OuterColumn(String),
    /// The condition compares this column of the target with itself, at its own level.
    ComparedWithItself(String),
}

/// How the rows that are over a limit came together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    /// The statement's own selection, complete before a row was touched.
    Selected,
    /// MERGE and upserts count what they have modified.
    Modified,
    /// Own rows and those of the client statement's (or transaction's) earlier statements.
    Summed { in_transaction: bool },
    /// A foreign key of `by` (a statement's tag and its table, where known) reached them.
    ForeignKey { by: Option<(Command, String)> },
    /// TRUNCATE and DROP take the table whole.
    WholeTable,
    /// The statement names this table; one of its parts has a policy of its own.
    Part { of: String },
}

/// A count that is over a limit.
#[derive(Clone, Copy, Debug)]
pub struct Count {
    pub rows: u64,
    /// The table's size, where it was counted: a budget of that many rows surely suffices for it.
    pub size: Option<Size>,
    /// The most rows that another table holds which the statement may come to; `None` where that is not known.
    pub beside: Option<u64>,
}

/// Rule `where`.
pub fn unqualified(
    command: Command,
    table: &str,
    why: &Unqualified,
    not_honoured: Option<&NotHonoured>,
) -> Report {
    let tag = command.tag();
    let message = match why {
        Unqualified::NoWhere => format!("{tag} on table \"{table}\" requires a WHERE clause"),
        _ => format!("{tag} on table \"{table}\" matches every row: it requires a WHERE clause"),
    };
    let mut detail = match why {
        Unqualified::NoWhere => "The statement has no condition on the table's rows.".to_owned(),
        Unqualified::MatchesEveryRow => {
            "The condition names no column of the table, or is true for every row by its own form.".to_owned()
        }
        Unqualified::OuterColumn(column) => format!(
            "Column \"{column}\" inside the sub-select is that of table \"{table}\" itself, so it is compared with \
             itself: qualify it with the name of the sub-select's table."
        ),
        Unqualified::ComparedWithItself(column) => format!(
            "The condition compares column \"{column}\" of the table with itself; a parameter or variable of that \
             name counts as the column."
        ),
    };
    let check = match why {
        Unqualified::ComparedWithItself(column) => format!(
            "Compare the column with a value; qualify a parameter or variable with the name of its function, as in \
             function_name.{column}."
        ),
        _ => "Add a WHERE clause that names the rows.".to_owned(),
    };
    if let Some(not_honoured) = not_honoured {
        not_honoured.told_in(&mut detail);
    }
    Report {
        sqlstate: SQLSTATE_WHERE,
        message,
        detail: Some(detail),
        hint: Some(hint(&check, "modify every row on purpose", "-1", not_honoured)),
        facts: Some(Box::new(Facts {
            rule: Rule::Where,
            command,
            rows: None,
            limit: None,
            limit_source: String::new(),
        })),
    }
}

/// What a write came to.
fn fact(reach: &Reach, count: u64, summed: &str, limit: &Limit) -> String {
    match reach {
        Reach::Selected => format!("The statement selected {}", rows(count)),
        Reach::Modified => format!("The statement modified {}", rows(count)),
        Reach::Summed { in_transaction: false } => {
            format!("With those it had modified before, the statement came to {summed} of the table")
        }
        Reach::Summed { in_transaction: true } => {
            format!("With those it had modified before, the transaction came to {summed} of the table")
        }
        Reach::ForeignKey { by: Some((by, parent)) } => {
            format!("A foreign key let {} on table \"{parent}\" reach {} of the table", by.tag(), rows(count))
        }
        Reach::ForeignKey { by: None } => {
            format!("A foreign key reached {} of the table", rows(count))
        }
        Reach::Part { of } => {
            format!("The statement, which names table \"{of}\", came to {} of this part of it", rows(count))
        }
        Reach::WholeTable => match limit.source {
            // The size would be told twice.
            Source::Fraction { .. } | Source::MinRows { .. } => "The statement takes every row".to_owned(),
            _ if limit.rows == 0 => "The table is not empty".to_owned(),
            _ => format!("The table holds more than {}", rows(limit.rows)),
        },
    }
}

/// A session's own ceiling, which `count` rows are over.
pub fn over_own(command: Command, table: &str, count: u64, most: u64, reach: &Reach) -> Report {
    let limit = Limit { rows: most, source: Source::MaxRows };
    Report {
        sqlstate: SQLSTATE_ROWS,
        message: format!("{} on table \"{table}\" exceeds the limit of {}", command.tag(), rows(most)),
        detail: Some(format!(
            "{}; safedelete.own_max_rows is {most}.",
            fact(reach, count, &rows(count), &limit)
        )),
        hint: Some(
            "Check which rows it reaches. The session has set this ceiling itself, whatever else would let it \
             through; to go without: RESET safedelete.own_max_rows;"
                .to_owned(),
        ),
        facts: Some(Box::new(Facts {
            rule: Rule::Own,
            command,
            rows: Some(count),
            limit: Some(most),
            limit_source: "own_max_rows".to_owned(),
        })),
    }
}

/// Rule `rows`.
pub fn too_many_rows(
    command: Command,
    table: &str,
    &Count { rows: count, size, beside }: &Count,
    limit: &Limit,
    terms: &Terms,
    reach: &Reach,
    not_honoured: Option<&NotHonoured>,
) -> Report {
    let tag = command.tag();
    // A row may have been modified again and again.
    let summed = match size {
        Some(Size::Exact(held)) if count > held => format!("{count} writes of rows"),
        _ => rows(count),
    };
    let fact = fact(reach, count, &summed, limit);
    let mut detail = format!("{fact}; {}.", source_clause(limit, terms));
    if let Some(not_honoured) = not_honoured {
        not_honoured.told_in(&mut detail);
    }
    let budget = match (size, beside) {
        // allow_rows is one of PostgreSQL's integers.
        (Some(Size::Exact(held)), Some(beside)) if held >= count && held.max(beside) <= i32::MAX as u64 => {
            held.max(beside).to_string()
        }
        // What suffices is not known.
        _ => "-1".to_owned(),
    };
    let check = match reach {
        _ if limit.rows == 0 => "No row of the table is to be modified.",
        Reach::WholeTable => "Check that these rows may go.",
        Reach::Summed { in_transaction: true } => "Check the WHERE clause, or write in smaller transactions.",
        Reach::ForeignKey { .. } => "Check which rows refer to those that the statement names.",
        _ if command == Command::Merge => "Check the ON condition, or write in smaller batches.",
        _ if command == Command::Upsert => "Check which rows conflict, or write in smaller batches.",
        _ => "Check the WHERE clause, or write in smaller batches.",
    };
    Report {
        sqlstate: SQLSTATE_ROWS,
        message: format!("{tag} on table \"{table}\" exceeds the limit of {}", rows(limit.rows)),
        detail: Some(detail),
        hint: Some(hint(check, "declare how many rows it may take", &budget, not_honoured)),
        facts: Some(Box::new(Facts {
            rule: Rule::Rows,
            command,
            rows: Some(count),
            limit: Some(limit.rows),
            limit_source: explain_source(limit, terms),
        })),
    }
}

/// `DROP DATABASE`, whose rows nobody counts.
pub fn drop_database(database: &str, not_honoured: Option<&NotHonoured>) -> Report {
    let mut detail =
        "safedelete.commands names drop, and the rows of another database are not counted.".to_owned();
    if let Some(not_honoured) = not_honoured {
        not_honoured.told_in(&mut detail);
    }
    let by_others =
        not_honoured.and_then(|not_honoured| not_honoured.way_out("that it is dropped on purpose"));
    let hint = by_others.unwrap_or_else(|| {
        "To drop it on purpose, run it after: SET safedelete.allow_rows = -1; SET safedelete.reason = 'why';"
            .to_owned()
    });
    Report {
        sqlstate: SQLSTATE_ROWS,
        message: format!("DROP on database \"{database}\" is not allowed"),
        detail: Some(detail),
        hint: Some(hint),
        facts: Some(Box::new(Facts {
            rule: Rule::Rows,
            command: Command::Drop,
            rows: None,
            limit: None,
            limit_source: "commands".to_owned(),
        })),
    }
}
