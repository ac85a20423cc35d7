//! What a statement carries along and the guard meets only when it runs: DO blocks, bodies of functions
//! that are created.

use std::ffi::CStr;

use crate::pg::pg_sys;

use super::forecast::{Forecast, Outcome};
use super::plpgsql;
use super::query;
use super::script::Script;
use super::session::Session;
use crate::pg::nodes::{Kind, Node, Nodes};
use crate::pg::parser::{Parameters, Source};
use crate::pg::{self, growing, text};

/// A DO block.
pub fn of_do(session: &Session, block: Node<pg_sys::DoStmt>) -> Vec<Forecast> {
    let (language, _) = options(block.args());
    let language = language.unwrap_or_else(|| "plpgsql".to_owned());
    if language != "plpgsql" {
        return vec![Forecast::unknown("DO", &format!("a DO block in {language} is not looked into"))];
    }
    match plpgsql::look_into(session, block) {
        Ok(forecasts) if forecasts.is_empty() => vec![Forecast::ok("DO")],
        Ok(forecasts) => forecasts,
        Err(failure) => vec![Forecast::failed("DO", &failure)],
    }
}

/// CREATE FUNCTION and CREATE PROCEDURE: never refused themselves, but what they would run may be.
pub fn of_function(
    session: &Session,
    command: &str,
    create: Node<pg_sys::CreateFunctionStmt>,
    source: Source,
) -> Vec<Forecast> {
    let (language, body) = options(create.options());
    let mut forecasts = if let Some(sql_body) = create.sql_body() {
        let mut forecasts = Vec::new();
        of_atomic(session, sql_body, source, &mut forecasts);
        forecasts
    } else {
        match (language.as_deref(), body) {
            (Some("sql"), Some(body)) => of_sql(session, body),
            (Some("c" | "internal"), _) => Vec::new(),
            (Some("plpgsql"), Some(body)) => of_plpgsql(session, command, body),
            (Some(language), _) => {
                vec![Forecast::unknown(command, &format!("a body in {language} is not looked into"))]
            }
            (None, _) => vec![Forecast::unknown(command, "the body is not looked into")],
        }
    };
    // The worst of the body is told; the statement itself goes through.
    forecasts.retain(|forecast| forecast.outcome != Outcome::Ok);
    if forecasts.is_empty() { vec![Forecast::ok(command)] } else { forecasts }
}

/// Language and body of a DO block or a function, from its options.
fn options<'t>(list: Nodes<'t, pg_sys::DefElem>) -> (Option<String>, Option<&'t CStr>) {
    let string = |node: Node<'t>| node.as_a::<pg_sys::String>()?.sval();
    let (mut language, mut body) = (None, None);
    for option in list.iter() {
        let argument = option.arg();
        match option.defname().map(CStr::to_bytes) {
            Some(b"language") => language = argument.and_then(string).map(text::from_server),
            // Of a function a list of strings, of DO a string.
            Some(b"as") => {
                body = match argument.map(Node::kind) {
                    Some(Kind::List(parts)) => parts.first().and_then(string),
                    _ => argument.and_then(string),
                };
            }
            _ => {}
        }
    }
    (language, body)
}

/// A body in PL/pgSQL, looked into as a DO block: where it names its arguments, or returns a value, it
/// is none, and PL/pgSQL says so.
fn of_plpgsql(session: &Session, command: &str, body: &CStr) -> Vec<Forecast> {
    let block = pg::plpgsql::block(body);
    plpgsql::look_into(session, block).unwrap_or_else(|failure| {
        let reason = format!("the body is not looked into: {}", failure.message);
        vec![Forecast::unknown(command, &reason)]
    })
}

/// A body in SQL as a text.
fn of_sql(session: &Session, body: &CStr) -> Vec<Forecast> {
    let mut forecasts = Vec::new();
    let mut script = Script::new(body);
    loop {
        match script.next() {
            Ok(Some(part)) => {
                for statement in part.statements() {
                    of_statement(session, statement.node, statement.source, &mut forecasts);
                }
            }
            Ok(None) => return forecasts,
            // A body that cannot be read is no function.
            Err(report) => {
                let forecast = Forecast::unknown("SELECT", &report.message);
                return vec![Forecast { sqlstate: Some(report.sqlstate), ..forecast }];
            }
        }
    }
}

/// The statements of BEGIN ATOMIC, or the one of RETURN.
fn of_atomic(session: &Session, body: Node, source: Source, forecasts: &mut Vec<Forecast>) {
    match body.kind() {
        Kind::List(list) => list.iter().for_each(|inner| of_atomic(session, inner, source, forecasts)),
        // A value.
        _ if body.is_a::<pg_sys::ReturnStmt>() => {}
        _ => of_statement(session, body, source, forecasts),
    }
}

fn of_statement(session: &Session, node: Node, source: Source, forecasts: &mut Vec<Forecast>) {
    query::judge(session, node, source, Parameters::Numbered)
        .into_iter()
        .for_each(|forecast| growing::push(forecasts, forecast));
}
