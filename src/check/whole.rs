//! Statements that take tables whole: TRUNCATE, DROP.

use crate::pg::pg_sys;
use safedelete_core::command::Command;
use safedelete_core::message;

use super::forecast::Forecast;
use crate::authority::{self, Writer};
use crate::objects::reach;
use crate::objects::whole;
use crate::pg::attempt::attempt;
use crate::pg::dependencies::{self, Object, Obstacle};
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
    let hindered = |obstacle: &reach::Obstacle| Forecast {
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
    let refused = match command {
        Command::Truncate if !relations::may_truncate(table) => "permission denied for",
        Command::Drop if !relations::may_drop(table) => "must be owner of",
        _ => "",
    };
    if !refused.is_empty() {
        let reason = format!("{refused} table {}", relations::name(table));
        return not_allowed(command.tag(), Some(table), &reason);
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

fn not_allowed(command: &str, table: Option<pg_sys::Oid>, reason: &str) -> Forecast {
    Forecast {
        relation: table.map(relations::qualified_name),
        sqlstate: Some(message::SQLSTATE_NOT_ALLOWED),
        ..Forecast::unknown(command, reason)
    }
}

/// The relation of a name; InvalidOid where there is none, or it may not be looked up.
pub fn look_up(name: Node<pg_sys::RangeVar>) -> pg_sys::Oid {
    attempt(|| locks::find(name)).unwrap_or(pg_sys::InvalidOid)
}

/// A DROP of objects that have names, in a script that has dropped something before or not.
pub fn drop_objects(command: &str, drop: Node<pg_sys::DropStmt>, has_dropped: bool) -> Vec<Forecast> {
    let mut forecasts = Vec::new();
    let mut objects = Vec::new();
    let cascades = drop.behavior == pg_sys::DropBehavior::DROP_CASCADE;
    match drop.removeType {
        pg_sys::ObjectType::OBJECT_TABLE => {
            for name in drop.objects().iter() {
                let Kind::List(parts) = name.kind() else { continue };
                let table = attempt(|| locks::find_listed(parts)).unwrap_or(pg_sys::InvalidOid);
                if table != pg_sys::InvalidOid {
                    objects.push(Object::table(table));
                    forecasts.push(of_whole(Command::Drop, table, inheritance::members(table)));
                }
            }
        }
        pg_sys::ObjectType::OBJECT_SCHEMA => {
            for name in drop.objects().iter().filter_map(|name| name.as_a::<pg_sys::String>()?.sval()) {
                let Some(schema) = relations::schema_of_name(name) else { continue };
                if !relations::is_own_schema(schema) {
                    let reason = format!("must be owner of schema {}", text::from_server(name));
                    return vec![not_allowed(command, None, &reason)];
                }
                objects.push(Object::schema(schema));
                let tables = inheritance::tables_of_schema(schema).into_iter();
                forecasts.extend(tables.map(|table| of_whole(Command::Drop, table, vec![table])));
            }
        }
        _ if cascades && policy::may_guard(Command::Drop) => {
            forecasts.push(Forecast::unknown(command, "what CASCADE drops is not looked into"));
        }
        _ => {}
    }
    let may = !forecasts.iter().any(|forecast| forecast.sqlstate == Some(message::SQLSTATE_NOT_ALLOWED));
    if may && let Some(hindered) = hindered(&objects, cascades, has_dropped) {
        forecasts = vec![hindered];
    }
    for forecast in &mut forecasts {
        forecast.command = command.to_owned();
    }
    if forecasts.is_empty() {
        forecasts.push(Forecast::ok(command));
    }
    forecasts
}

/// What PostgreSQL says of a DROP of these objects, before it looks at any of them: that others are in its way. Not,
/// where the script may have dropped those before.
fn hindered(objects: &[Object], cascades: bool, has_dropped: bool) -> Option<Forecast> {
    let obstacle = (!has_dropped).then(|| dependencies::obstacle(objects, cascades))??;
    let (object, message, hint) = match obstacle {
        Obstacle::Required(object, owner) => {
            let (what, by) = (object.description(), owner.description());
            let message = format!("cannot drop {what} because {by} requires it");
            (Some(object), message, format!("You can drop {by} instead."))
        }
        Obstacle::Depended => {
            let only = if let [only] = objects { Some(*only) } else { None };
            let message = match only {
                Some(only) => {
                    format!("cannot drop {} because other objects depend on it", only.description())
                }
                None => "cannot drop desired object(s) because other objects depend on them".to_owned(),
            };
            (only, message, "Use DROP ... CASCADE to drop the dependent objects too.".to_owned())
        }
    };
    Some(Forecast {
        relation: object.and_then(Object::relation).map(relations::qualified_name),
        sqlstate: Some(*b"2BP01"),
        hint: Some(hint),
        ..Forecast::unknown("", &message)
    })
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
