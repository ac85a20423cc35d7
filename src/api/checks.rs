//! What `safedelete.check` and `safedelete.dry_run` ask.

use safedelete_core::message::{self, Report};
use safedelete_core::sizes::Sizes;

use crate::pg::pg_sys;

use crate::pg::function::{self, ResultRows, Value, function};
use crate::{check, dry_run};

fn rounded(rows: Option<f64>) -> Value {
    rows.map_or(Value::Null, |rows| Value::Bigint(rows.round() as i64))
}

fn check_script(call: pg_sys::FunctionCallInfo, sizes: Sizes, since: Since) -> Result<pg_sys::Datum, Report> {
    let rows = ResultRows::of(call);
    let text = function::server_text_argument(call, 0).unwrap_or_default();
    check::check(text, sizes, |checked| {
        let (place, forecast) = (checked.place, checked.forecast);
        let mut values = vec![Value::Integer(checked.statement as i32), Value::Integer(place.line as i32)];
        if since == Since::Version0_3 {
            values.push(Value::Integer(place.column as i32));
        }
        values.extend([
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
        if since == Since::Version0_3 {
            let (budget, reason) = forecast.declared.unzip();
            values.push(budget.map_or(Value::Null, |budget| Value::Bigint(budget.as_set())));
            values.push(Value::from(reason));
        }
        rows.put(values);
    })?;
    Ok(pg_sys::Datum::from(0))
}

/// The version whose SQL declares a function, and with it the columns.
#[derive(Clone, Copy, PartialEq)]
enum Since {
    Version0_2,
    Version0_3,
}

function!(
    /// `check(sql text) RETURNS SETOF record`, as version 0.2.0 declares it.
    safedelete_check,
    pg_finfo_safedelete_check,
    |call| check_script(call, Sizes::default(), Since::Version0_2)
);

function!(
    /// `check(sql text, sizes jsonb) RETURNS SETOF record`: what the guard would say of each statement of a script,
    /// and of each table that it writes. Runs nothing. Tables have the sizes that are given, or their own. Raises
    /// the SQLSTATE of a syntax error, 22023 for sizes that cannot be read.
    safedelete_check_0_3,
    pg_finfo_safedelete_check_0_3,
    |call| {
        let sizes = function::jsonb_argument(call, 1).map(|json| Sizes::parse(&json)).transpose();
        let sizes =
            sizes.map_err(|bad| Report::plain(message::SQLSTATE_INVALID, bad.message, Some(bad.detail), None))?;
        check_script(call, sizes.unwrap_or_default(), Since::Version0_3)
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
                note.write.command.tag().into(),
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
