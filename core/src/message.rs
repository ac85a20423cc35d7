//! Every text a refused user, a log reader or EXPLAIN sees. Style is PostgreSQL's: the primary
//! message has no period, DETAIL and HINT are sentences, names stand in double quotes, numbers
//! are plain, and no row value appears anywhere.

use crate::command::Command;
use crate::limit::{Bounds, Limit, Size, Source};

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

/// Why an override does not count, or would not: what a refusal tells of it is true for its reader.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotHonoured {
    pub why: Why,
    /// The session has declared one.
    pub declared: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// The role is in none of the roles of `override_role`.
    Role { user: String, roles: Vec<String> },
    /// `require_reason` is on and `reason` is empty.
    Reason,
    /// `require_reason` is on, and this role, which is not of `override_role`, has given the reason.
    ReasonBy { user: String, roles: Vec<String> },
    /// The policy on this object (as `table "public.events"`) forbids it; these roles may write policy.
    Policy { object: String, roles: Vec<String> },
}

impl NotHonoured {
    /// For a DETAIL: why what was declared does not count.
    fn told_in(&self, detail: &mut String) {
        if !self.declared {
            return;
        }
        detail.push_str(" safedelete.allow_rows is not honoured: ");
        detail.push_str(&match &self.why {
            Why::Role { user, roles } => format!(
                "role \"{user}\" is not a member of a role in safedelete.override_role ({}).",
                quoted(roles, ", ")
            ),
            Why::ReasonBy { user, roles } => format!(
                "safedelete.require_reason is on, and role \"{user}\", which set safedelete.reason, is not a member \
                 of a role in safedelete.override_role ({}).",
                quoted(roles, ", ")
            ),
            Why::Policy { object, .. } => format!("the policy on {object} sets override to false."),
            Why::Reason => "safedelete.require_reason is on and safedelete.reason is empty.".to_owned(),
        });
    }

    /// For a HINT, instead of the override: who may do something about it.
    fn way_out(&self, purpose: &str) -> Option<String> {
        match &self.why {
            Why::Role { roles, .. } | Why::ReasonBy { roles, .. } => Some(format!(
                "A member of {} can declare with safedelete.allow_rows {purpose}.",
                quoted(roles, " or ")
            )),
            Why::Policy { object, roles } if roles.is_empty() => {
                Some(format!("The policy on {object} allows no override; a superuser can change it."))
            }
            Why::Policy { object, roles } => Some(format!(
                "The policy on {object} allows no override; a superuser, or its owner as a member of {}, can change \
                 it.",
                quoted(roles, " or ")
            )),
            // With a reason it counts.
            Why::Reason => None,
        }
    }
}

fn quoted(names: &[String], between: &str) -> String {
    names.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(between)
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

/// The next step: what to look at, and the override where it would count.
fn hint(check: &str, purpose: &str, budget: &str, not_honoured: Option<&NotHonoured>) -> String {
    match not_honoured.and_then(|not_honoured| not_honoured.way_out("how many rows it may take")) {
        Some(way_out) => format!("{check} {way_out}"),
        None => format!(
            "{check} To {purpose}, run it in a transaction after: SET LOCAL safedelete.allow_rows = {budget}; SET \
             LOCAL safedelete.reason = 'why';"
        ),
    }
}

/// The clause of a DETAIL that says where a limit comes from.
fn source_clause(limit: &Limit, terms: &Terms) -> String {
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

/// EXPLAIN's form of a session's own ceiling.
pub fn explain_own(most: u64) -> String {
    format!("{} (own_max_rows)", rows(most))
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

/// Rule `rows`. `count` is the count that is over the limit, and `size` the table's where it was
/// counted: a budget of that many rows surely suffices.
#[allow(clippy::too_many_arguments, reason = "each is a fact that the texts tell")]
pub fn too_many_rows(
    command: Command,
    table: &str,
    count: u64,
    size: Option<Size>,
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
    let budget = match size {
        // allow_rows is one of PostgreSQL's integers.
        Some(Size::Exact(held)) if held >= count && held <= i32::MAX as u64 => held.to_string(),
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

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: Bounds = Bounds { max_rows: None, max_fraction: 0.1, min_rows: 100 };
    const TERMS: Terms = Terms { bounds: BOUNDS, max_rows: None, max_fraction: None, min_rows: None };

    #[test]
    fn a_where_refusal_ends_as_postgrest_expects() {
        for why in [
            Unqualified::NoWhere,
            Unqualified::MatchesEveryRow,
            Unqualified::OuterColumn("id".into()),
            Unqualified::ComparedWithItself("id".into()),
        ] {
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
        let limit = BOUNDS.limit(Some(Size::Exact(5000))).unwrap();
        let report = too_many_rows(
            Command::Delete,
            "orders",
            501,
            Some(Size::Exact(5000)),
            &limit,
            &TERMS,
            &Reach::Selected,
            None,
        );
        assert_eq!(report.message, "DELETE on table \"orders\" exceeds the limit of 500 rows");
        assert_eq!(
            report.detail.unwrap(),
            "The statement selected 501 rows; safedelete.max_fraction is 0.1 and the table holds 5000 rows."
        );
        assert!(report.hint.unwrap().contains("SET LOCAL safedelete.allow_rows = 5000;"));
    }

    #[test]
    fn a_refused_override_says_why() {
        let limit = Limit { rows: 5, source: Source::AllowRows };
        let why = Why::Role { user: "app".into(), roles: vec!["dba".into(), "ops".into()] };
        let why = NotHonoured { why, declared: true };
        let by = Reach::ForeignKey { by: Some((Command::Delete, "accounts".into())) };
        let report = too_many_rows(Command::Delete, "t", 6, None, &limit, &TERMS, &by, Some(&why));
        let detail = report.detail.unwrap();
        assert!(
            detail.contains("table \"accounts\"") && detail.contains("override_role (\"dba\", \"ops\")"),
            "{detail}"
        );
        let hint = report.hint.unwrap();
        assert!(hint.ends_with(
            "A member of \"dba\" or \"ops\" can declare with safedelete.allow_rows how many rows it may take."
        ));
    }

    #[test]
    fn a_policy_is_named_and_its_override_not_offered() {
        let terms = Terms { max_rows: Some("schema \"audit\"".into()), ..TERMS };
        let limit = Limit { rows: 3, source: Source::MaxRows };
        let why = Why::Policy { object: "table \"audit.t\"".into(), roles: Vec::new() };
        let why = NotHonoured { why, declared: true };
        let part = Reach::Part { of: "t".into() };
        let report = too_many_rows(Command::Delete, "t_1", 4, None, &limit, &terms, &part, Some(&why));
        assert_eq!(
            report.detail.unwrap(),
            "The statement, which names table \"t\", came to 4 rows of this part of it; max_rows of the policy on \
             schema \"audit\" is 3. safedelete.allow_rows is not honoured: the policy on table \"audit.t\" sets \
             override to false."
        );
        assert!(!report.hint.unwrap().contains("SET LOCAL"));
        assert_eq!(explain_source(&limit, &terms), "max_rows, policy on schema \"audit\"");
    }

    #[test]
    fn a_size_that_was_not_counted_proposes_any_number() {
        let limit = Limit { rows: 5, source: Source::MaxRows };
        for (size, budget) in [
            (None, "-1"),
            (Some(Size::AtLeast(9)), "-1"),
            (Some(Size::About(9)), "-1"),
            (Some(Size::Exact(9)), "9"),
        ] {
            let report = too_many_rows(Command::Delete, "t", 6, size, &limit, &TERMS, &Reach::Selected, None);
            let hint = report.hint.unwrap();
            assert!(hint.contains(&format!("allow_rows = {budget};")), "{hint}");
        }
    }

    #[test]
    fn an_override_that_would_not_count_is_not_offered() {
        let limit = Limit { rows: 1, source: Source::MaxRows };
        let report = |why: Option<&NotHonoured>| {
            too_many_rows(Command::Truncate, "t", 2, None, &limit, &TERMS, &Reach::WholeTable, why)
        };
        assert_eq!(report(None).message, "TRUNCATE on table \"t\" exceeds the limit of 1 row");
        assert!(report(None).hint.unwrap().contains("SET LOCAL safedelete.allow_rows = "));
        let roles = vec!["dba".to_owned()];
        for why in [
            Why::Role { user: "app".into(), roles: roles.clone() },
            Why::Policy { object: "table \"t\"".into(), roles: roles.clone() },
            Why::Policy { object: "table \"t\"".into(), roles: Vec::new() },
        ] {
            let why = NotHonoured { why, declared: false };
            let reports = [
                report(Some(&why)),
                unqualified(Command::Delete, "t", &Unqualified::NoWhere, Some(&why)),
                drop_database("d", Some(&why)),
            ];
            for report in reports {
                let (detail, hint) = (report.detail.unwrap(), report.hint.unwrap());
                assert!(!detail.contains("honoured") && !hint.contains("SET"), "{detail} {hint}");
            }
        }
        // A reason mends it, and the HINT has one.
        let why = NotHonoured { why: Why::Reason, declared: true };
        let report = report(Some(&why));
        assert!(report.detail.unwrap().contains("require_reason is on"));
        assert!(report.hint.unwrap().contains("SET LOCAL safedelete.reason = 'why';"));
    }

    #[test]
    fn the_number_proposed_lets_the_statement_through() {
        let report = |count: u64, size| {
            let limit = Limit { rows: count - 1, source: Source::MaxRows };
            let reach = Reach::Summed { in_transaction: false };
            too_many_rows(Command::Delete, "t", count, size, &limit, &TERMS, &reach, None)
        };
        let proposed = |count, size| {
            let hint = report(count, size).hint.unwrap();
            hint.split("allow_rows = ").nth(1).unwrap().split(';').next().unwrap().to_owned()
        };
        // The count has stopped at 101, and any more may come.
        assert_eq!(proposed(101, Some(Size::Exact(200))), "200");
        assert_eq!(proposed(101, Some(Size::AtLeast(200))), "-1");
        assert_eq!(proposed(101, Some(Size::About(200))), "-1");
        assert_eq!(proposed(101, None), "-1");
        assert_eq!(proposed(101, Some(Size::Exact(3_000_000_000))), "-1");
        // A row that is modified again and again.
        assert_eq!(proposed(101, Some(Size::Exact(2))), "-1");
        assert!(
            report(101, Some(Size::Exact(2)))
                .detail
                .unwrap()
                .contains("came to 101 writes of rows of the table")
        );
    }
}
