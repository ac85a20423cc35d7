//! What the bare parse tree shows of a statement that cannot be analysed, as of a table that the script
//! itself creates: whether a WHERE is missing.

use std::rc::Rc;

use crate::pg::pg_sys;
use safedelete_core::command::Command;
use safedelete_core::message::Unqualified;
use safedelete_core::standing::Ruling;

use super::forecast::{Forecast, Outcome};
use super::session::{Created, Session};
use super::whole;
use crate::authority::{self, Writer};
use crate::pg::nodes::{Node, Statement};
use crate::pg::{relations, text};
use crate::policy::{self, InForce};

/// A statement that cannot be analysed, and whose form shows that it has no WHERE.
pub fn judge(session: &Session, command: Command, name: Node<pg_sys::RangeVar>) -> Forecast {
    let table = name.relname().map(text::from_server).unwrap_or_default();
    let forecast = Forecast { relation: Some(relations::quoted_name(&table)), ..Forecast::ok(command.tag()) };
    let unknown = |reason: &str| Forecast {
        outcome: Outcome::Unknown,
        message: Some(reason.to_owned()),
        ..forecast.clone()
    };
    match session.created(&table) {
        // Never guarded.
        Some(Created::TemporaryTable) => return forecast,
        Some(Created::View) => return unknown("the script creates the view"),
        Some(Created::Table) | None => {}
    }
    let relation = whole::look_up(name);
    let in_force = if relation == pg_sys::InvalidOid {
        let schema = name.schemaname().map(text::from_server);
        Rc::new(InForce::of_name(&table, || schema.clone().unwrap_or_else(relations::creation_schema)))
    } else {
        policy::of(relation)
    };
    let effective = in_force.effective();
    if in_force.guards(command) && effective.require_where {
        let standing = Writer::now(false).standing(effective.mode, &in_force);
        if let (Ruling::Refuse(_), report) = standing.unqualified(command, &table, &Unqualified::NoWhere) {
            return forecast.told(Outcome::Refused, report);
        }
    }
    let unknown = unknown("it cannot be analysed before it runs; it has no WHERE clause");
    Forecast { declared: authority::declared(&in_force), ..unknown }
}

/// The first DELETE or UPDATE without a WHERE, as far as the bare parse tree shows it.
pub fn unqualified<'t>(node: Node<'t>) -> Option<(Command, Node<'t, pg_sys::RangeVar>)> {
    let (with, found) = match node.statement() {
        Statement::DeleteStmt(delete) => {
            let bare = delete.whereClause().is_none().then(|| (Command::Delete, delete.relation()));
            (delete.withClause(), bare)
        }
        Statement::UpdateStmt(update) => {
            let bare = update.whereClause().is_none().then(|| (Command::Update, update.relation()));
            (update.withClause(), bare)
        }
        Statement::SelectStmt(select) => (select.withClause(), None),
        Statement::InsertStmt(insert) => (insert.withClause(), None),
        _ => return None,
    };
    match found {
        Some((command, table)) => table.map(|table| (command, table)),
        None => with?.ctes().iter().find_map(|cte| unqualified(cte.ctequery()?)),
    }
}
