//! What a statement carries along and the guard meets only when it runs: DO blocks, bodies of functions
//! that are created.

use std::ffi::CStr;

use crate::pg::pg_sys;
use pgrx::pg_sys::NodeTag;

use super::forecast::{Forecast, Outcome};
use super::plpgsql;
use super::query::{self, Parameters};
use super::script::{Script, Source};
use super::session::Session;
use crate::pg::nodes::{self, Kind, Node};
use crate::pg::{growing, text};

/// A DO block.
///
/// # Safety
/// `block` is a DO.
pub unsafe fn of_do(session: &Session, block: *mut pg_sys::DoStmt) -> Vec<Forecast> {
    // SAFETY: by contract; its options are DefElems.
    let (language, _) = unsafe { options((*block).args) };
    let language = language.unwrap_or_else(|| "plpgsql".to_owned());
    if language != "plpgsql" {
        return vec![Forecast::unknown("DO", &format!("a DO block in {language} is not looked into"))];
    }
    // SAFETY: by contract.
    match unsafe { plpgsql::look_into(session, block) } {
        Ok(forecasts) if forecasts.is_empty() => vec![Forecast::ok("DO")],
        Ok(forecasts) => forecasts,
        Err(failure) => vec![Forecast::failed("DO", &failure)],
    }
}

/// CREATE FUNCTION and CREATE PROCEDURE: never refused themselves, but what they would run may be.
///
/// # Safety
/// `create` is a CREATE FUNCTION or CREATE PROCEDURE.
pub unsafe fn of_function(
    session: &Session,
    command: &str,
    create: *mut pg_sys::CreateFunctionStmt,
    source: Source,
) -> Vec<Forecast> {
    // SAFETY: by contract; its options are DefElems.
    let ((language, body), sql_body) = unsafe { (options((*create).options), Node::of((*create).sql_body)) };
    let mut forecasts = if let Some(sql_body) = sql_body {
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
///
/// # Safety
/// `list` holds DefElems, and outlives the body.
unsafe fn options<'a>(list: *mut pg_sys::List) -> (Option<String>, Option<&'a CStr>) {
    let (mut language, mut body) = (None, None);
    // SAFETY: by contract; `as` of a function is a list of strings, of DO a string.
    unsafe {
        for option in nodes::items::<pg_sys::DefElem>(list) {
            match CStr::from_ptr((*option).defname).to_bytes() {
                b"language" => language = text::from_server(nodes::string((*option).arg)),
                b"as" => {
                    let part = match nodes::cast::<pg_sys::List, _>((*option).arg, NodeTag::T_List) {
                        Some(parts) => {
                            nodes::items::<pg_sys::Node>(parts).next().map(|part| nodes::string(part))
                        }
                        None => Some(nodes::string((*option).arg)),
                    };
                    body = part.map(|part| CStr::from_ptr(part));
                }
                _ => {}
            }
        }
    }
    (language, body)
}

/// A body in PL/pgSQL, looked into as a DO block: where it names its arguments, or returns a value, it
/// is none, and PL/pgSQL says so.
fn of_plpgsql(session: &Session, command: &str, body: &CStr) -> Vec<Forecast> {
    // SAFETY: makes nodes in the current memory context.
    let outcome = unsafe {
        let option = pg_sys::makeDefElem(
            c"as".as_ptr().cast_mut(),
            pg_sys::makeString(body.as_ptr().cast_mut()).cast(),
            -1,
        );
        let block = pg_sys::palloc0(size_of::<pg_sys::DoStmt>()).cast::<pg_sys::DoStmt>();
        (*block).type_ = NodeTag::T_DoStmt;
        (*block).args = nodes::list([option]);
        plpgsql::look_into(session, block)
    };
    outcome.unwrap_or_else(|failure| {
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
        Kind::Other(NodeTag::T_ReturnStmt) => {}
        _ => of_statement(session, body.as_ptr(), source, forecasts),
    }
}

fn of_statement(session: &Session, node: *mut pg_sys::Node, source: Source, forecasts: &mut Vec<Forecast>) {
    query::judge(session, node, source, Parameters::Numbered)
        .into_iter()
        .for_each(|forecast| growing::push(forecasts, forecast));
}
