//! Asks `safedelete.check` about a file, and reads its answer. No verdict is made here.

use std::ops::Range;

use safedelete_core::split;

use crate::finding::{Finding, Kind, Place, Places};
use crate::libpq::{Connection, Failure};
use crate::migration::{Migration, Part};

/// What there is to tell of statements.
const CHECK: &str = "SELECT line, \"column\", command, relation, verdict, rule, sqlstate, message, detail, hint, \
     estimated_rows, table_rows, allow_rows, reason FROM safedelete.check($1, $2::jsonb) \
     WHERE verdict <> 'ok' OR allow_rows IS NOT NULL";
/// The same with where the next statement begins.
const CHECK_WITH_NEXT: &str = "SELECT line, \"column\", command, relation, verdict, rule, sqlstate, message, detail, \
     hint, estimated_rows, table_rows, allow_rows, reason, next_line, next_column FROM (SELECT *, \
     first_value(line) OVER next AS next_line, first_value(\"column\") OVER next AS next_column \
     FROM safedelete.check($1, $2::jsonb) \
     WINDOW next AS (ORDER BY statement RANGE BETWEEN 1 FOLLOWING AND 1 FOLLOWING)) statement \
     WHERE verdict <> 'ok' OR allow_rows IS NOT NULL";
/// Where each statement begins.
const BEGINS: &str =
    "SELECT line, \"column\" FROM safedelete.check($1) GROUP BY line, \"column\" ORDER BY 1, 2";

/// In shorter parts what is no SQL is left out and the rest checked again, so often.
const MENDED_BYTES: usize = 1 << 20;
const MENDED_TIMES: usize = 20;

pub struct Checker<'a> {
    pub connection: &'a Connection,
    /// What `safedelete.sizes()` gave elsewhere.
    pub sizes: Option<&'a str>,
    /// The server is gone when all is told.
    pub is_scratch: bool,
}

/// A statement of a part, and what is told of it.
pub struct Statement {
    /// Where it begins.
    pub begin: usize,
    /// Where the next one does, if that was asked.
    pub end: usize,
    pub findings: Vec<Finding>,
}

impl Checker<'_> {
    /// Whether the database can be asked at all.
    ///
    /// # Errors
    /// What is missing.
    pub fn look(connection: &Connection) -> Result<(), Failure> {
        let rows = connection.query(
            "SELECT current_database(), (SELECT extversion FROM pg_catalog.pg_extension WHERE extname = 'safedelete'), \
             to_regprocedure('safedelete.check(text, jsonb)') IS NOT NULL",
            &[],
        )?;
        let database = rows.text(0, 0).unwrap_or_default();
        let hinted = |message: String, hint: &str| {
            Err(Failure { hint: Some(hint.to_owned()), ..Failure::new(message) })
        };
        match (rows.value(0, 1), rows.value(0, 2)) {
            (None, _) => hinted(
                format!("database \"{database}\" does not have the extension safedelete"),
                "Run CREATE EXTENSION safedelete there, or use --scratch.",
            ),
            (Some(version), Some("f")) => hinted(
                format!("database \"{database}\" has version {version} of safedelete, which is too old"),
                "Run ALTER EXTENSION safedelete UPDATE there, or use --scratch.",
            ),
            _ => connection.query(CHECK, &[Some("SELECT 1"), None]).map(drop),
        }
    }

    /// What is told of the statements of a part; `with_next` asks where the ones behind them begin.
    ///
    /// # Errors
    /// The connection is lost.
    pub fn check(
        &self,
        migration: &Migration,
        part: &Part,
        with_next: bool,
        findings: &mut Vec<Finding>,
    ) -> Result<Vec<Statement>, Failure> {
        let mut script = migration.script[part.range.clone()].to_owned();
        let start = Places::of(&migration.text).place(part.range.start);
        if part.is_alone {
            self.leave_out_local(&mut script, part.range.start, findings);
        }
        let query = if with_next { CHECK_WITH_NEXT } else { CHECK };
        let mut times = 0;
        loop {
            let failure = match self.connection.query(query, &[Some(&script), self.sizes]) {
                Ok(rows) => {
                    let mut reading = Reading::of(migration, &script, part.range.start, start);
                    (0..rows.count()).for_each(|row| reading.take(&rows, row));
                    return Ok(reading.statements);
                }
                Err(failure) if failure.is_lost => return Err(failure),
                Err(failure) => failure,
            };
            times += 1;
            let line = line_of(&failure);
            let statement = line.and_then(|line| statement_around(&script, line));
            let mark = statement.clone().or(line.is_some().then_some(0..script.len()));
            let finding = of_failure(&failure);
            findings.push(match mark {
                Some(mark) => finding
                    .at(trimmed(&migration.text, part.range.start + mark.start..part.range.start + mark.end)),
                None => finding,
            });
            match statement {
                Some(statement) if script.len() <= MENDED_BYTES && times < MENDED_TIMES => {
                    blank(&mut script, statement)
                }
                _ => {
                    if statement_count(&script) > 1 {
                        findings.push(Finding::new(Kind::NotChecked, "the rest of the file is not checked"));
                    }
                    return Ok(Vec::new());
                }
            }
        }
    }

    /// Where each statement of a part begins.
    ///
    /// # Errors
    /// The server's.
    pub fn begins(&self, migration: &Migration, part: &Part) -> Result<Vec<usize>, Failure> {
        let mut places = Places::of(&migration.text);
        let start = places.place(part.range.start);
        let rows = self.connection.query(BEGINS, &[Some(&migration.script[part.range.clone()])])?;
        let place =
            |row| Place { line: rows.number(row, 0).unwrap_or(1), column: rows.number(row, 1).unwrap_or(1) };
        Ok((0..rows.count()).map(|row| places.byte(start.and(place(row)))).collect())
    }

    /// Outside of a transaction SET LOCAL does nothing.
    fn leave_out_local(&self, script: &mut String, offset: usize, findings: &mut Vec<Finding>) {
        let mut begin = 0;
        while begin < script.len() {
            let end = begin + split::end_of_statement(&script.as_bytes()[begin..], 0);
            let first = begin + split::first_word(&script.as_bytes()[begin..end]);
            let words: Vec<_> =
                script[first..end].split_ascii_whitespace().take(3).map(str::to_ascii_lowercase).collect();
            if let [set, local, name] = words.as_slice()
                && (set.as_str(), local.as_str()) == ("set", "local")
                && name.starts_with("safedelete.")
            {
                findings.push(
                    Finding::new(Kind::Note, "SET LOCAL has no effect here: this runs without a transaction")
                        .at(offset + first..offset + end)
                        .hinted("Use SET before the statement, and RESET after it."),
                );
                blank(script, first..end);
            }
            begin = end;
        }
    }
}

/// Reads the rows of one answer.
struct Reading<'a> {
    places: Places<'a>,
    script: &'a str,
    offset: usize,
    /// Where the part begins.
    start: Place,
    statements: Vec<Statement>,
    last: Option<Place>,
    /// The last budget that was told of.
    declared: Option<(i64, String)>,
}

impl<'a> Reading<'a> {
    fn of(migration: &'a Migration, script: &'a str, offset: usize, start: Place) -> Reading<'a> {
        let places = Places::of(&migration.text);
        Reading { places, script, offset, start, statements: Vec::new(), last: None, declared: None }
    }

    fn take(&mut self, rows: &crate::libpq::Rows, row: usize) {
        let (line, column) = (rows.number(row, 0).unwrap_or(1), rows.number(row, 1).unwrap_or(1));
        let place = self.start.and(Place { line, column });
        // A statement may have several rows, and places are cheap only forwards.
        let begin = match self.statements.last() {
            Some(last) if self.last == Some(place) => last.begin,
            _ => self.places.byte(place),
        };
        self.last = Some(place);
        if self.statements.last().is_none_or(|last| last.begin != begin) {
            let next = rows.number(row, 14).zip(rows.number(row, 15));
            let end = next.map_or(self.offset + self.script.len(), |(line, column)| {
                self.places.byte(self.start.and(Place { line, column }))
            });
            self.statements.push(Statement { begin, end, findings: Vec::new() });
        }
        let inside = begin.saturating_sub(self.offset).min(self.script.len());
        let end = inside + split::end_of_statement(&self.script.as_bytes()[inside..], 0);
        let mark = trimmed(self.script, inside..end);
        let mark = mark.start + self.offset..mark.end + self.offset;
        let rule = rows.text(row, 5);
        let kind = match (rows.value(row, 4), &rule) {
            (Some("refused"), _) => Some(Kind::Refused),
            (Some("ok"), _) => None,
            (_, Some(_)) => Some(Kind::Undecided),
            _ => Some(Kind::NotLookedInto),
        };
        let told = |kind, message: String| Finding {
            command: rows.text(row, 2),
            relation: rows.text(row, 3),
            rule: rule.clone(),
            sqlstate: rows.text(row, 6),
            estimated_rows: rows.number(row, 10),
            table_rows: rows.number(row, 11),
            ..Finding::new(kind, message).at(mark.clone())
        };
        let mut findings = Vec::new();
        if let Some(kind) = kind {
            findings.push(Finding {
                detail: rows.text(row, 8),
                hint: rows.text(row, 9),
                ..told(kind, rows.text(row, 7).unwrap_or_default())
            });
        }
        if let Some(budget) = rows.number::<i64>(row, 12) {
            let declared = (budget, rows.text(row, 13).unwrap_or_default());
            let lets_through = kind.is_none() && rule.is_some();
            if lets_through || self.declared.as_ref() != Some(&declared) {
                findings.push(Finding {
                    sqlstate: None,
                    detail: rows.text(row, 7).filter(|_| lets_through),
                    ..told(Kind::Declared, in_words(&declared))
                });
            }
            self.declared = Some(declared);
        }
        if let Some(last) = self.statements.last_mut() {
            last.findings.extend(findings);
        }
    }
}

/// A budget and its reason.
fn in_words((budget, reason): &(i64, String)) -> String {
    let rows = match budget {
        -1 => "any number of rows".to_owned(),
        1 => "1 row".to_owned(),
        rows => format!("{rows} rows"),
    };
    if reason.is_empty() {
        format!("declared: {rows}, without a reason")
    } else {
        format!("declared: {rows}, {reason}")
    }
}

/// An error that the check itself ended with.
fn of_failure(failure: &Failure) -> Finding {
    Finding {
        sqlstate: Some(failure.sqlstate.clone()).filter(|code| !code.is_empty()),
        // The place is shown.
        detail: failure.detail.clone().filter(|_| line_of(failure).is_none()),
        hint: failure.hint.clone(),
        ..Finding::new(Kind::NotChecked, failure.message.clone())
    }
}

/// The line that a syntax error is in, as `check` tells it.
fn line_of(failure: &Failure) -> Option<usize> {
    failure.detail.as_ref()?.strip_prefix("Line ")?.split_once(" is: ")?.0.parse().ok()
}

/// The statement that is in a line, or begins nearest before it.
fn statement_around(script: &str, line: usize) -> Option<Range<usize>> {
    let in_line = Places::of(script).byte(Place { line, column: 1 });
    let line_end = script[in_line..].find('\n').map_or(script.len(), |length| in_line + length);
    let mut begin = 0;
    while begin < script.len() {
        let end = begin + split::end_of_statement(&script.as_bytes()[begin..], 0);
        if end > in_line && end.min(line_end) > begin + split::first_word(&script.as_bytes()[begin..end]) {
            return Some(begin + split::first_word(&script.as_bytes()[begin..end])..end);
        }
        begin = end;
    }
    None
}

fn statement_count(script: &str) -> usize {
    let mut count = 0;
    let mut begin = 0;
    while begin < script.len() && count < 2 {
        let end = begin + split::end_of_statement(&script.as_bytes()[begin..], 0);
        count += usize::from(begin + split::first_word(&script.as_bytes()[begin..end]) < end);
        begin = end;
    }
    count
}

fn blank(script: &mut String, range: Range<usize>) {
    let blanks: String =
        script[range.clone()].bytes().map(|byte| if byte == b'\n' { '\n' } else { ' ' }).collect();
    script.replace_range(range, &blanks);
}

/// Without blanks at its ends.
fn trimmed(text: &str, range: Range<usize>) -> Range<usize> {
    let Some(inner) = text.get(range.clone()) else { return range };
    let begin = range.start + (inner.len() - inner.trim_start().len());
    begin..(begin + inner.trim().len()).max(begin)
}
