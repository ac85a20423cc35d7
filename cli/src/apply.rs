//! Runs a file that has been checked, so that the next one sees its schema (`--apply`). What could not be looked into
//! for what the file itself makes (a table, a column) is checked again when that is there.

use std::ops::Range;

use crate::checker::{Checker, Statement};
use crate::finding::{Finding, Kind};
use crate::libpq::{Connection, Failure};
use crate::migration::{Migration, Part};

/// "cannot run inside a transaction block": active_sql_transaction.
const NOT_IN_A_TRANSACTION: &str = "25001";

/// Runs a part. What is told of its statements changes where they are checked again.
///
/// # Errors
/// The connection is lost.
pub fn apply(
    checker: &Checker,
    migration: &Migration,
    part: &Part,
    statements: &mut [Statement],
) -> Result<Option<Finding>, Failure> {
    let connection = checker.connection;
    let _words = Words::stand_aside(checker)?;
    go_without_rules(checker, migration);
    let mut outcome = if part.is_alone { Ok(()) } else { together(checker, migration, part, statements) };
    let runs_alone = outcome.as_ref().is_err_and(|not_run| not_run.failure.sqlstate == NOT_IN_A_TRANSACTION);
    if part.is_alone || runs_alone {
        outcome = one_by_one(checker, migration, part, statements);
    }
    let outcome = match outcome {
        Err(not_run) if not_run.failure.is_lost => Err(not_run.failure),
        Err(not_run) => Ok(Some(not_applied(not_run.failure, not_run.range))),
        Ok(()) => Ok(None),
    };
    // A file is a session of its own.
    connection.run("ROLLBACK", &[]).and_then(|()| connection.run("DISCARD ALL", &[]))?;
    outcome
}

/// What the guard refuses has been told. Who may not do without it runs into it.
fn go_without_rules(checker: &Checker, migration: &Migration) {
    let text = migration.text.to_ascii_lowercase();
    let has_words = WORDS.iter().any(|word| text.contains(word));
    // A word holds in any mode but off, where it is an error.
    let mode = if has_words && !checker.is_scratch { "log" } else { "off" };
    let _ = checker.connection.run(&format!("SET safedelete.mode = {mode}"), &[]);
}

const WORDS: [&str; 2] = ["exactly", "at_most"];

/// The rows that a file counts on with `exactly` and `at_most` are not in a scratch server. While a file runs there,
/// both are true; what is to be said of them has been.
struct Words<'a> {
    connection: &'a Connection,
    are: String,
}

impl<'a> Words<'a> {
    fn stand_aside(checker: &Checker<'a>) -> Result<Option<Words<'a>>, Failure> {
        if !checker.is_scratch {
            return Ok(None);
        }
        let connection = checker.connection;
        let mut words = Words { connection, are: String::new() };
        for word in WORDS {
            let function = format!("safedelete.{word}(bigint)");
            let rows = connection
                .query("SELECT pg_catalog.pg_get_functiondef($1::regprocedure)", &[Some(&function)])?;
            words.are.push_str(rows.value(0, 0).unwrap_or_default());
            words.are.push(';');
        }
        for word in WORDS {
            let replace = format!(
                "CREATE OR REPLACE FUNCTION safedelete.{word}(n bigint) RETURNS boolean LANGUAGE sql STABLE RETURN true"
            );
            connection.run(&replace, &[])?;
        }
        Ok(Some(words))
    }
}

impl Drop for Words<'_> {
    fn drop(&mut self) {
        // Where the connection is lost there is nothing to be put back.
        let _ = self.connection.run(&self.are, &[]);
    }
}

type Outcome = Result<(), Box<NotRun>>;

/// What failed, and where.
struct NotRun {
    failure: Failure,
    range: Range<usize>,
}

/// In one transaction.
fn together(checker: &Checker, migration: &Migration, part: &Part, statements: &mut [Statement]) -> Outcome {
    let connection = checker.connection;
    let at = |failure| Box::new(NotRun { failure, range: part.range.clone() });
    connection.run("BEGIN", &[]).map_err(at)?;
    let mut from = part.range.start;
    for statement in statements.iter_mut().filter(|statement| waits(statement)) {
        run(connection, migration, from..statement.begin)?;
        look_again(checker, migration, statement).map_err(at)?;
        from = statement.begin;
    }
    run(connection, migration, from..part.range.end)?;
    connection.run("COMMIT", &[]).map_err(at)
}

/// Each by itself, as a tool does it for which a statement may not be in a transaction.
fn one_by_one(
    checker: &Checker,
    migration: &Migration,
    part: &Part,
    statements: &mut [Statement],
) -> Outcome {
    let connection = checker.connection;
    // What `together` began; and the SET that it undid.
    let at = |failure| Box::new(NotRun { failure, range: part.range.clone() });
    connection.run("ROLLBACK", &[]).map_err(at)?;
    go_without_rules(checker, migration);
    let begins = checker.begins(migration, part).map_err(at)?;
    let mut told = statements.iter_mut().peekable();
    for (number, begin) in begins.iter().enumerate() {
        if let Some(statement) = told.next_if(|statement| statement.begin == *begin)
            && waits(statement)
        {
            look_again(checker, migration, statement).map_err(at)?;
        }
        run(connection, migration, *begin..begins.get(number + 1).copied().unwrap_or(part.range.end))?;
    }
    Ok(())
}

/// Whether a statement speaks of something that is not there: classes 42 and 3F, undefined objects among them. A
/// missing WHERE is refused by the bare form then, without a look at the table.
fn waits(statement: &Statement) -> bool {
    statement.findings.iter().any(|finding| {
        let sqlstate = finding.sqlstate.as_deref().unwrap_or_default();
        match finding.kind {
            Kind::NotLookedInto => sqlstate.starts_with("42") || sqlstate.starts_with("3F"),
            Kind::Refused => finding.table_rows.is_none(),
            _ => false,
        }
    })
}

/// Checks a statement by itself, inside the transaction that has come to it, with the guard in force.
fn look_again(checker: &Checker, migration: &Migration, statement: &mut Statement) -> Result<(), Failure> {
    let connection = checker.connection;
    let was = connection.query("SELECT current_setting('safedelete.mode')", &[])?;
    let set = "SELECT set_config('safedelete.mode', $1, false)";
    let is_off = was.value(0, 0) == Some("off");
    if is_off {
        connection.run("RESET safedelete.mode", &[])?;
    }
    let part = Part { range: statement.begin..statement.end, is_alone: false };
    let mut unreadable = Vec::new();
    let found = checker.check(migration, &part, false, &mut unreadable)?;
    if is_off {
        connection.query(set, &[Some("off")])?;
    }
    if unreadable.is_empty() {
        statement.findings = found.into_iter().flat_map(|one| one.findings).collect();
    }
    Ok(())
}

/// Runs what is in a range as one message.
fn run(connection: &Connection, migration: &Migration, range: Range<usize>) -> Outcome {
    let text = &migration.script[range.clone()];
    if text.trim().is_empty() {
        return Ok(());
    }
    let data: Vec<_> = migration
        .data
        .iter()
        .filter(|data| range.contains(&data.start))
        .map(|data| &migration.text[data.clone()])
        .collect();
    connection.run(text, &data).map_err(|failure| {
        let place = failure.position.and_then(|position| text.char_indices().nth(position - 1));
        let range = place.map_or(range.clone(), |(at, _)| range.start + at..range.start + at);
        Box::new(NotRun { failure, range })
    })
}

fn not_applied(failure: Failure, range: Range<usize>) -> Finding {
    Finding {
        sqlstate: Some(failure.sqlstate).filter(|code| !code.is_empty()),
        detail: failure.detail,
        hint: failure.hint,
        ..Finding::new(Kind::NotChecked, format!("the file cannot be run: {}", failure.message)).at(range)
    }
}
