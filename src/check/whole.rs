//! Statements that take tables whole: TRUNCATE, DROP.

use crate::pg::pg_sys;
use safedelete_core::command::Command;
use safedelete_core::message;

use super::forecast::Forecast;
use crate::authority::{self, Writer};
use crate::objects::reach::{self, Obstacle};
use crate::objects::whole;
use crate::pg::attempt::attempt;
use crate::pg::nodes::{Kind, Node};
use crate::pg::{inheritance, locks, relations, text};
use crate::policy::{self, InForce};
use crate::settings;

pub fn truncate(truncate: Node<pg_sys::TruncateStmt>) -> Vec<Forecast> {
    // A name may not be looked up at all (its schema is not the caller's to use).
    let reach = match attempt(|| reach::of(truncate, false)) {
        Ok(reach) => reach,
        Err(failure) => {
            return vec![Forecast {
                sqlstate: Some(failure.sqlstate),
                ..Forecast::unknown(Command::Truncate.tag(), &failure.message)
            }];
        }
    };
    let hindered = |obstacle: &Obstacle| Forecast {
        relation: obstacle.relation(),
        sqlstate: Some(obstacle.sqlstate()),
        ..Forecast::unknown(Command::Truncate.tag(), &obstacle.reason())
    };
    match reach {
        Ok(reach) => {
            let named = reach
                .named
                .iter()
                .map(|(table, members)| of_whole(Command::Truncate, *table, members.clone()));
            let cascaded =
                reach.cascaded.iter().map(|table| of_whole(Command::Truncate, *table, vec![*table]));
            named.chain(cascaded).chain(reach.missing.iter().map(hindered)).collect()
        }
        Err(obstacle) => vec![hindered(&obstacle)],
    }
}

/// What the guard would say of a table that is taken whole.
fn of_whole(command: Command, table: pg_sys::Oid, members: Vec<pg_sys::Oid>) -> Forecast {
    let may =
        if command == Command::Truncate { relations::may_truncate(table) } else { relations::is_own(table) };
    if !may {
        let reason = format!("permission denied for table {}", relations::name(table));
        return Forecast {
            relation: Some(relations::qualified_name(table)),
            sqlstate: Some(message::SQLSTATE_NOT_ALLOWED),
            ..Forecast::unknown(command.tag(), &reason)
        };
    }
    let (outcome, size) = whole::preview(command, table, members);
    let in_force = policy::of(table);
    let forecast = Forecast {
        relation: Some(relations::qualified_name(table)),
        estimated_rows: Some(size.rows() as f64),
        table_rows: Some(size.rows()),
        declared: in_force.guards(command).then(|| authority::declared(&in_force)).flatten(),
        ..Forecast::ok(command.tag())
    };
    match outcome {
        None => forecast,
        Some((verdict, report)) => forecast.told(verdict.into(), report),
    }
}

/// The relation of a name; InvalidOid where there is none, or it may not be looked up.
pub fn look_up(name: Node<pg_sys::RangeVar>) -> pg_sys::Oid {
    attempt(|| locks::find(name)).unwrap_or(pg_sys::InvalidOid)
}

/// A DROP of objects that have names.
pub fn drop_objects(command: &str, drop: Node<pg_sys::DropStmt>) -> Vec<Forecast> {
    let mut forecasts = Vec::new();
    match drop.removeType {
        pg_sys::ObjectType::OBJECT_TABLE => {
            for name in drop.objects().iter() {
                let Kind::List(parts) = name.kind() else { continue };
                let table = attempt(|| locks::find_listed(parts)).unwrap_or(pg_sys::InvalidOid);
                if table != pg_sys::InvalidOid {
                    forecasts.push(of_whole(Command::Drop, table, inheritance::members(table)));
                }
            }
        }
        pg_sys::ObjectType::OBJECT_SCHEMA => {
            for name in drop.objects().iter().filter_map(|name| name.as_a::<pg_sys::String>()?.sval()) {
                let tables =
                    relations::schema_of_name(name).into_iter().flat_map(inheritance::tables_of_schema);
                forecasts.extend(tables.map(|table| of_whole(Command::Drop, table, vec![table])));
            }
        }
        _ if drop.behavior == pg_sys::DropBehavior::DROP_CASCADE && policy::may_guard(Command::Drop) => {
            forecasts.push(Forecast::unknown(command, "what CASCADE drops is not looked into"));
        }
        _ => {}
    }
    for forecast in &mut forecasts {
        forecast.command = command.to_owned();
    }
    if forecasts.is_empty() {
        forecasts.push(Forecast::ok(command));
    }
    forecasts
}

pub fn drop_database(command: &str, drop: Node<pg_sys::DropdbStmt>) -> Forecast {
    let in_force = InForce::default();
    let forecast = Forecast::ok(command);
    if !in_force.guards(Command::Drop) {
        return forecast;
    }
    let name = drop.dbname().map(text::from_server).unwrap_or_default();
    let (ruling, report) = Writer::now(false).standing(settings::mode(), &in_force).drop_database(&name);
    forecast.told(ruling.verdict().into(), report)
}
