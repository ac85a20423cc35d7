//! Every text a refused user, a log reader or EXPLAIN sees. Style is PostgreSQL's: the primary
//! message has no period, DETAIL and HINT are sentences, names stand in double quotes, numbers
//! are plain, and no row value appears anywhere.

use crate::command::Command;
use crate::limit::{Bounds, Limit, Source};

/// SQLSTATE of rule `where` (cardinality_violation, which PostgREST answers with 400).
pub const SQLSTATE_WHERE: [u8; 5] = *b"21000";
/// SQLSTATE of rule `rows`.
pub const SQLSTATE_ROWS: [u8; 5] = *b"SD001";

/// What raises, warns or is logged: an error report without a level.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    pub sqlstate: [u8; 5],
    pub message: String,
    pub detail: Option<String>,
    pub hint: Option<String>,
}

/// Why rule `where` refuses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unqualified {
    /// There is no condition at all.
    NoWhere,
    /// The condition names no column of the target, or is true by its own form.
    MatchesEveryRow,
    /// A sub-select takes this column from the target, because its own tables have no such column.
    OuterColumn(String),
}

impl Unqualified {
    /// The number a plan carries; the column's name is looked up again.
    pub fn code(&self) -> i32 {
        match self {
            Unqualified::NoWhere => 1,
            Unqualified::MatchesEveryRow => 2,
            Unqualified::OuterColumn(_) => 3,
        }
    }
}

/// Why an override that the session declared does not count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotHonoured {
    /// The role is in none of the roles of `override_role`.
    Role { user: String, roles: String },
    /// `require_reason` is on and `reason` is empty.
    Reason,
}

impl NotHonoured {
    fn sentence(&self) -> String {
        match self {
            NotHonoured::Role { user, roles } => format!(
                "safedelete.allow_rows is not honoured: role \"{user}\" is not a member of a role in safedelete.override_role ({roles})."
            ),
            NotHonoured::Reason => "safedelete.allow_rows is not honoured: safedelete.require_reason is on and safedelete.reason is empty.".to_owned(),
        }
    }
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
}

fn rows(count: u64) -> String {
    if count == 1 { "1 row".to_owned() } else { format!("{count} rows") }
}

/// A table's estimated size, as the messages put it.
fn about(table_rows: f64) -> String {
    format!("about {} rows", table_rows.max(0.0).round())
}

fn fraction(bounds: &Bounds) -> String {
    format!("{}", bounds.max_fraction)
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
        Unqualified::NoWhere if command == Command::Merge => {
            "An action that updates or deletes has neither an ON condition nor a condition of its own."
                .to_owned()
        }
        Unqualified::NoWhere => "The statement has no condition on the table's rows.".to_owned(),
        Unqualified::MatchesEveryRow => {
            "The condition names no column of the table, or is true for every row by its own form.".to_owned()
        }
        Unqualified::OuterColumn(column) => format!(
            "Column \"{column}\" inside the sub-select is that of table \"{table}\" itself, so it is compared with itself: qualify it with the name of the sub-select's table."
        ),
    };
    if let Some(not_honoured) = not_honoured {
        detail.push(' ');
        detail.push_str(&not_honoured.sentence());
    }
    Report {
        sqlstate: SQLSTATE_WHERE,
        message,
        detail: Some(detail),
        hint: Some(
            "Add a WHERE clause that names the rows. To modify every row on purpose, run it in a transaction after: SET LOCAL safedelete.allow_rows = -1; SET LOCAL safedelete.reason = 'why';".to_owned(),
        ),
    }
}

/// The clause of a DETAIL that says where a limit comes from.
fn source_clause(limit: &Limit, bounds: &Bounds) -> String {
    match limit.source {
        Source::MaxRows => format!("safedelete.max_rows is {}", limit.rows),
        Source::Fraction { table_rows } => format!(
            "safedelete.max_fraction is {} and the table holds {}",
            fraction(bounds),
            about(table_rows)
        ),
        Source::MinRows { table_rows } => format!(
            "safedelete.max_fraction is {}, the table holds {} and safedelete.min_rows is {}",
            fraction(bounds),
            about(table_rows),
            limit.rows
        ),
        Source::AllowRows => format!("safedelete.allow_rows is {}", limit.rows),
    }
}

/// Rule `rows`. `count` is the count that is over the limit, and `table_rows` the table's size where
/// it is known: a budget of that many rows surely suffices.
#[allow(clippy::too_many_arguments, reason = "each is a fact that the texts tell")]
pub fn too_many_rows(
    command: Command,
    table: &str,
    count: u64,
    table_rows: Option<f64>,
    limit: &Limit,
    bounds: &Bounds,
    reach: &Reach,
    not_honoured: Option<&NotHonoured>,
) -> Report {
    let tag = command.tag();
    let fact = match reach {
        Reach::Selected => format!("The statement selected {}", rows(count)),
        Reach::Modified => format!("The statement modified {}", rows(count)),
        Reach::Summed { in_transaction: false } => {
            format!("With those it had modified before, the statement came to {} of the table", rows(count))
        }
        Reach::Summed { in_transaction: true } => {
            format!("With those it had modified before, the transaction came to {} of the table", rows(count))
        }
        Reach::ForeignKey { by: Some((by, parent)) } => {
            format!("A foreign key let {} on table \"{parent}\" reach {} of the table", by.tag(), rows(count))
        }
        Reach::ForeignKey { by: None } => {
            format!("A foreign key reached {} of the table", rows(count))
        }
        Reach::WholeTable => match limit.source {
            // The size would be told twice.
            Source::Fraction { .. } | Source::MinRows { .. } => "The statement takes every row".to_owned(),
            _ => format!("The table holds more than {}", rows(limit.rows)),
        },
    };
    let mut detail = format!("{fact}; {}.", source_clause(limit, bounds));
    if let Some(not_honoured) = not_honoured {
        detail.push(' ');
        detail.push_str(&not_honoured.sentence());
    }
    let budget = table_rows.map_or(count, |rows| (rows.max(0.0).round() as u64).max(count));
    let check = match reach {
        Reach::WholeTable => "Check that these rows may go.",
        Reach::ForeignKey { .. } => "Check which rows refer to those that the statement names.",
        _ if command == Command::Merge => "Check the ON condition, or write in smaller batches.",
        _ if command == Command::Upsert => "Check which rows conflict, or write in smaller batches.",
        _ => "Check the WHERE clause, or write in smaller batches.",
    };
    Report {
        sqlstate: SQLSTATE_ROWS,
        message: format!("{tag} on table \"{table}\" exceeds the limit of {} rows", limit.rows),
        detail: Some(detail),
        hint: Some(format!(
            "{check} To declare how many rows it may take, run it in a transaction after: SET LOCAL safedelete.allow_rows = {budget}; SET LOCAL safedelete.reason = 'why';"
        )),
    }
}

/// `DROP DATABASE`, whose rows nobody counts.
pub fn drop_database(database: &str, not_honoured: Option<&NotHonoured>) -> Report {
    let mut detail =
        "safedelete.commands names drop, and the rows of another database are not counted.".to_owned();
    if let Some(not_honoured) = not_honoured {
        detail.push(' ');
        detail.push_str(&not_honoured.sentence());
    }
    Report {
        sqlstate: SQLSTATE_ROWS,
        message: format!("DROP on database \"{database}\" is not allowed"),
        detail: Some(detail),
        hint: Some("To drop it on purpose, run it after: SET safedelete.allow_rows = -1; SET safedelete.reason = 'why';".to_owned()),
    }
}

/// EXPLAIN's one-line form of a limit.
pub fn explain_limit(limit: Option<&Limit>, bounds: &Bounds) -> String {
    match limit {
        None => "none".to_owned(),
        Some(limit) => format!("{} rows ({})", limit.rows, explain_source(limit, bounds)),
    }
}

/// EXPLAIN's form of where a limit comes from.
pub fn explain_source(limit: &Limit, bounds: &Bounds) -> String {
    match limit.source {
        Source::MaxRows => "max_rows".to_owned(),
        Source::Fraction { table_rows } => {
            format!("max_fraction {} of {}", fraction(bounds), about(table_rows).trim_end_matches(" rows"))
        }
        Source::MinRows { table_rows } => format!(
            "min_rows, max_fraction {} of {}",
            fraction(bounds),
            about(table_rows).trim_end_matches(" rows")
        ),
        Source::AllowRows => "allow_rows".to_owned(),
    }
}

/// Which way a statement that the rules refuse went on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LetThrough {
    /// `mode` is log.
    Logged,
    /// `mode` is warn.
    Warned,
    /// `allow_rows`.
    Override,
    /// `bypass_role`.
    Bypass,
}

/// Who and what a LOG line names.
#[derive(Clone, Debug)]
pub struct Circumstances<'a> {
    pub user: &'a str,
    pub session_user: &'a str,
    pub application: &'a str,
    pub reason: &'a str,
    pub schema: &'a str,
    pub allow_rows: i32,
}

/// The LOG line of a statement that went through although a rule refuses it. One line: blanks
/// replace line breaks in what users wrote, so that nobody can forge a second one.
pub fn log_line(how: LetThrough, report: &Report, count: Option<u64>, who: &Circumstances) -> String {
    let what = match how {
        LetThrough::Logged => "let through by safedelete.mode = log",
        LetThrough::Warned => "let through by safedelete.mode = warn",
        LetThrough::Override => "let through by safedelete.allow_rows",
        LetThrough::Bypass => "let through by safedelete.bypass_role",
    };
    let mut line = format!("{} [{what}; schema \"{}\", user \"{}\"", report.message, who.schema, who.user);
    if who.session_user != who.user {
        line.push_str(&format!(", session user \"{}\"", who.session_user));
    }
    line.push_str(&format!(", application \"{}\"", who.application));
    if let Some(count) = count {
        line.push_str(&format!(", {}", rows(count)));
    }
    if how == LetThrough::Override {
        line.push_str(&format!(", allow_rows {}", who.allow_rows));
    }
    line.push_str(&format!(", reason \"{}\"]", who.reason));
    line.replace(|c: char| c.is_control(), " ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const BOUNDS: Bounds = Bounds { max_rows: None, max_fraction: 0.1, min_rows: 100 };

    #[test]
    fn a_where_refusal_ends_as_postgrest_expects() {
        for why in [Unqualified::NoWhere, Unqualified::MatchesEveryRow, Unqualified::OuterColumn("id".into())]
        {
            let report = unqualified(Command::Delete, "orders", &why, None);
            assert!(report.message.ends_with("requires a WHERE clause"), "{}", report.message);
            assert_eq!(&report.sqlstate, b"21000");
        }
        assert_eq!(
            unqualified(Command::Delete, "orders", &Unqualified::NoWhere, None).message,
            "DELETE on table \"orders\" requires a WHERE clause"
        );
        assert_eq!(
            unqualified(Command::Delete, "orders", &Unqualified::MatchesEveryRow, None).message,
            "DELETE on table \"orders\" matches every row: it requires a WHERE clause"
        );
    }

    #[test]
    fn a_rows_refusal_tells_count_limit_and_source() {
        let limit = BOUNDS.limit(Some(5000.0)).unwrap();
        let report = too_many_rows(
            Command::Delete,
            "orders",
            501,
            Some(5000.0),
            &limit,
            &BOUNDS,
            &Reach::Selected,
            None,
        );
        assert_eq!(report.message, "DELETE on table \"orders\" exceeds the limit of 500 rows");
        assert_eq!(
            report.detail.unwrap(),
            "The statement selected 501 rows; safedelete.max_fraction is 0.1 and the table holds about 5000 rows."
        );
        assert!(report.hint.unwrap().contains("SET LOCAL safedelete.allow_rows = 5000;"));
    }

    #[test]
    fn a_refused_override_says_why() {
        let limit = Limit { rows: 5, source: Source::AllowRows };
        let why = NotHonoured::Role { user: "app".into(), roles: "\"dba\"".into() };
        let by = Reach::ForeignKey { by: Some((Command::Delete, "accounts".into())) };
        let report = too_many_rows(Command::Delete, "t", 6, None, &limit, &BOUNDS, &by, Some(&why));
        let detail = report.detail.unwrap();
        assert!(
            detail.contains("table \"accounts\"") && detail.contains("override_role (\"dba\")"),
            "{detail}"
        );
    }

    proptest! {
        #[test]
        fn a_log_line_is_one_line(reason in ".*", application in "(?s).*") {
            let report = unqualified(Command::Update, "t", &Unqualified::NoWhere, None);
            let who = Circumstances { user: "a", session_user: "b", application: &application,
                reason: &reason, schema: "s", allow_rows: -1 };
            let line = log_line(LetThrough::Override, &report, Some(7), &who);
            prop_assert!(!line.contains('\n') && line.contains("7 rows"));
        }
    }
}
