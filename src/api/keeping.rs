//! What keeps rows, and what `safedelete.restore` and the like are made of.

use std::ffi::CStr;

use safedelete_core::event::Verdict;
use safedelete_core::keep;
use safedelete_core::message::{Report, SQLSTATE_NOT_ALLOWED, SQLSTATE_NOT_READY};

use crate::keep::{follow, written};
use crate::pg::function::{self, Value, function};
use crate::pg::trigger::Fired;
use crate::pg::{locks, pg_sys, relations, roles, rows, spi, text, together};
use crate::record;

function!(
    /// `keep_rows() RETURNS trigger`: keeps what a statement has written, where it is to be kept.
    safedelete_keep_rows,
    pg_finfo_safedelete_keep_rows,
    |call| {
        let Some(fired) = Fired::of(call).filter(|fired| fired.is_internal()) else {
            let message = "safedelete.keep_rows() is called by its triggers alone".to_owned();
            // ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED, as PostgreSQL's own triggers in C.
            return Err(Report::plain(*b"39P01", message, None, None));
        };
        written::keep(fired)?;
        Ok(pg_sys::Datum::from(0))
    }
);

function!(
    /// `keep_tables(target regclass) RETURNS void`: makes the triggers that keep rows on a table and its partitions,
    /// or (NULL) on every table, as policy and settings say, and takes those away that keep nothing. Raises 42501
    /// for who does not own the table, or is no superuser.
    safedelete_keep_tables,
    pg_finfo_safedelete_keep_tables,
    |call| {
        let user = roles::current().0;
        match function::oid(call, 0) {
            Some(table) if pg_sys::superuser_arg(user) || relations::is_own(table) => follow::follow(table),
            None if pg_sys::superuser_arg(user) => follow::follow_all(),
            table => {
                let whose = table.map_or("every table".to_owned(), |table| format!("table {}", relations::name(table)));
                return Err(Report::plain(SQLSTATE_NOT_ALLOWED, format!("must be owner of {whose}"), None, None));
            }
        }
        Ok(pg_sys::Datum::from(0))
    }
);

function!(
    /// `row_texts(record, columns text[]) RETURNS text[]`: a row's columns of these names as texts, NULL where there
    /// is none of a name.
    safedelete_row_texts,
    pg_finfo_safedelete_row_texts,
    |call| {
        let (Some(row), Some(names)) = (function::argument(call, 0), function::texts_argument(call, 1)) else {
            return Ok(function::null(call));
        };
        // SAFETY: declared as a record and a text[].
        Ok(unsafe { rows::texts_of(row, &names) })
    }
);

function!(
    /// `row_of(anyelement, columns text[], texts text[]) RETURNS anyelement`: a row of the type of the first argument
    /// from texts by the names of its columns; other columns are NULL.
    safedelete_row_of,
    pg_finfo_safedelete_row_of,
    |call| {
        let of = function::type_of_argument(call, 0);
        let (Some(names), Some(texts)) = (function::texts_argument(call, 1), function::texts_argument(call, 2)) else {
            return Ok(function::null(call));
        };
        if names.len() != texts.len() {
            return Err(keep::invalid("there must be as many texts as columns".to_owned(), None));
        }
        // SAFETY: a composite type, or PostgreSQL's error; texts.
        Ok(unsafe { rows::row_of(of, &names, &texts) })
    }
);

/// Has a function that runs as the extension's owner do what the caller asks for, and tells it who that is.
fn for_caller<const N: usize>(
    function: &CStr,
    arguments: [Option<pg_sys::Datum>; N],
) -> Option<pg_sys::Datum> {
    let who = Value::Text(roles::name(roles::current().0)).datum();
    function::call_own(function, arguments, who)
}

function!(
    /// `hold_kept(number bigint) RETURNS void`: locks what is kept of an event, and then its tables, parents first:
    /// what is read of them afterwards holds. Raises 42501 for who does not own its tables, 55000 where nothing is
    /// kept.
    safedelete_hold_kept,
    pg_finfo_safedelete_hold_kept,
    |call| {
        let of = c"safedelete.hold_kept_for(pg_catalog.int8,pg_catalog.text)";
        let held = for_caller(of, [function::argument(call, 0)]).unwrap_or_else(|| function::null(call));
        if let Some(number) = function::bigint_argument(call, 0) {
            let tables =
                format!("SELECT t.target::pg_catalog.oid FROM safedelete.kept_tables({number}) t ORDER BY t.place");
            for table in spi::column(text::copy(tables.as_bytes()), false) {
                if let Some(table) = table.to_str().ok().and_then(|oid| oid.parse().ok()) {
                    locks::lock_for_writes(pg_sys::Oid::from_u32(table));
                }
            }
        }
        Ok(held)
    }
);

function!(
    /// `give_back_together(number bigint, on_conflict text, settles boolean) RETURNS jsonb`: gives the rows of an
    /// event back, whose foreign keys are checked when all are there; `settles`: and takes those out that were. A line
    /// for each table.
    safedelete_give_back_together,
    pg_finfo_safedelete_give_back_together,
    |call| {
        let (Some(number), Some(on_conflict), Some(settles)) =
            (function::argument(call, 0), function::argument(call, 1), function::argument(call, 2))
        else {
            return Ok(function::null(call));
        };
        let of = c"safedelete.give_back_rows(pg_catalog.int8,pg_catalog.text,pg_catalog.bool)";
        let [lines, unsettled] = written::together(|| function::call_for_two(of, [number, on_conflict, settles]));
        if settles.value() != 0 {
            let of = c"safedelete.settle_kept_for(pg_catalog.int8,pg_catalog.int8[],pg_catalog.text)";
            for_caller(of, [Some(number), unsettled]);
        }
        Ok(lines.unwrap_or_else(|| function::null(call)))
    }
);

function!(
    /// `put_back(statement text, fires boolean, passes_rules boolean, writes bigint[], first bigint, last bigint,
    /// columns text[], these bigint[], not_these bigint[]) RETURNS record`: runs a statement that gives rows back, with
    /// the last six as its parameters, together with those before, unless it fires its triggers at once; its row.
    /// Rules on what it writes may be left aside. Raises 55000 where nothing is given back.
    safedelete_put_back,
    pg_finfo_safedelete_put_back,
    |call| {
        let types = [
            pg_sys::INT8ARRAYOID,
            pg_sys::INT8OID,
            pg_sys::INT8OID,
            pg_sys::TEXTARRAYOID,
            pg_sys::INT8ARRAYOID,
            pg_sys::INT8ARRAYOID,
        ];
        let parameters = [3, 4, 5, 6, 7, 8].map(|number| function::argument(call, number));
        let [fires, passes_rules] =
            [1, 2].map(|number| function::argument(call, number).is_some_and(|is| is.value() != 0));
        let row = function::server_text_argument(call, 0)
            .and_then(|statement| together::run(statement, fires, passes_rules, types, parameters));
        row.ok_or_else(|| {
            let message = "safedelete.put_back() is called by safedelete.restore() alone".to_owned();
            Report::plain(SQLSTATE_NOT_READY, message, None, None)
        })
    }
);

function!(
    /// `forget(target regclass, key jsonb) RETURNS bigint`: takes the rows that have these values out of what is kept
    /// of a table; how many. Raises 42501 for who does not own it, 22023 where the key says nothing.
    safedelete_forget,
    pg_finfo_safedelete_forget,
    |call| {
        let missing =
            || keep::invalid("a table and a key must be named".to_owned(), Some("Neither may be NULL.".to_owned()));
        let (Some(target), Some(key)) = (function::argument(call, 0), function::argument(call, 1)) else {
            return Err(missing());
        };
        let of = c"safedelete.key_as_kept(pg_catalog.regclass,pg_catalog.jsonb)";
        let key = function::call_with_two(of, [target, key]);
        let of = c"safedelete.forget_for(pg_catalog.regclass,pg_catalog.jsonb,pg_catalog.text)";
        for_caller(of, [Some(target), Some(key)]).ok_or_else(missing)
    }
);

function!(
    /// `note_kept(verdict text, relation text, rows bigint) RETURNS void`: an event of rows that were given back
    /// (`restored`) or taken out (`forgotten`). EXECUTE is the owner's alone.
    safedelete_note_kept,
    pg_finfo_safedelete_note_kept,
    |call| {
        let verdict = match function::text_argument(call, 0).as_deref() {
            Some("restored") => Verdict::Restored,
            _ => Verdict::Forgotten,
        };
        let relation = function::text_argument(call, 1).unwrap_or_default();
        let rows = function::bigint_argument(call, 2).unwrap_or(0);
        let role = pg_sys::GetOuterUserId();
        record::event_of_kept(verdict, role, &relation, u64::try_from(rows).unwrap_or(0));
        Ok(pg_sys::Datum::from(0))
    }
);
