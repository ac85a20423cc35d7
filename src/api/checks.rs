//! What `safedelete.check` and `safedelete.dry_run` ask.

use crate::pg::pg_sys;

use crate::pg::function::{self, ResultRows, Value, function};
use crate::{check, dry_run};

fn rounded(rows: Option<f64>) -> Value {
    rows.map_or(Value::Null, |rows| Value::Bigint(rows.round() as i64))
}

function!(
    /// `check(sql text) RETURNS SETOF record`: what the guard would say of each statement of a script, and
    /// of each table that it writes. Runs nothing. Raises the SQLSTATE of a syntax error.
    safedelete_check,
    pg_finfo_safedelete_check,
    |call| {
        let rows = ResultRows::of(call);
        let text = function::server_text_argument(call, 0).unwrap_or_default();
        check::check(text, |checked| {
            let forecast = checked.forecast;
            rows.put(vec![
                Value::Integer(checked.statement as i32),
                Value::Integer(checked.line as i32),
                Value::Text(forecast.command),
                Value::from(forecast.relation),
                forecast.outcome.word().into(),
                forecast.rule.map_or(Value::Null, |rule| rule.word().into()),
                Value::from(forecast.sqlstate.map(|code| String::from_utf8_lossy(&code).into_owned())),
                Value::from(forecast.message),
                Value::from(forecast.detail),
                Value::from(forecast.hint),
                rounded(forecast.estimated_rows),
                forecast.table_rows.map_or(Value::Null, |rows| Value::Bigint(rows as i64)),
            ]);
        })?;
        Ok(pg_sys::Datum::from(0))
    }
);

function!(
    /// `dry_run(sql text) RETURNS SETOF record`: runs statements, counts what they, their foreign keys and
    /// their triggers write in each table, and rolls it all back. A refusal is a row. Raises 0A000 for
    /// transaction control, 55000 inside another dry run, and the errors of the statements themselves.
    safedelete_dry_run,
    pg_finfo_safedelete_dry_run,
    |call| {
        let rows = ResultRows::of(call);
        let text = function::server_text_argument(call, 0).unwrap_or_default();
        for note in dry_run::run(text)? {
            let share = note.table_rows.filter(|rows| *rows > 0).map(|rows| note.rows as f64 / rows as f64);
            let (verdict, report) = note.told.unzip();
            let message = report.map(|report| report.message);
            rows.put(vec![
                Value::Text(note.name),
                note.command.tag().into(),
                Value::Bigint(note.rows as i64),
                note.table_rows.map_or(Value::Null, |rows| Value::Bigint(rows as i64)),
                share.map_or(Value::Null, Value::Double),
                note.by.word().into(),
                verdict.map_or("ok", |verdict| verdict.word()).into(),
                Value::from(message),
            ]);
        }
        Ok(pg_sys::Datum::from(0))
    }
);
