//! What the bare parse tree shows of a statement that cannot be analysed, as of a table that the script
//! itself creates: whether a WHERE is missing.

use std::rc::Rc;

use crate::pg::pg_sys;
use pgrx::pg_sys::NodeTag;
use safedelete_core::command::Command;
use safedelete_core::message::Unqualified;
use safedelete_core::standing::Ruling;

use super::forecast::{Forecast, Outcome};
use super::session::{Created, Session};
use super::whole;
use crate::authority::{self, Writer};
use crate::pg::{nodes, relations, text};
use crate::policy::{self, InForce};

/// A statement that cannot be analysed, and whose form shows that it has no WHERE.
pub fn judge(session: &Session, command: Command, name: *mut pg_sys::RangeVar) -> Forecast {
    // SAFETY: the parser's RangeVar.
    let table = text::from_server(unsafe { (*name).relname }).unwrap_or_default();
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
    // SAFETY: as above.
    let relation = unsafe { whole::look_up(name) };
    let in_force = if relation == pg_sys::InvalidOid {
        // SAFETY: as above.
        let schema = text::from_server(unsafe { (*name).schemaname });
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
pub fn unqualified(node: *mut pg_sys::Node) -> Option<(Command, *mut pg_sys::RangeVar)> {
    // SAFETY: each cast follows the tag.
    unsafe {
        let (with, found) = match nodes::tag(node) {
            NodeTag::T_DeleteStmt => {
                let delete = &*node.cast::<pg_sys::DeleteStmt>();
                let bare = delete.whereClause.is_null().then_some((Command::Delete, delete.relation));
                (delete.withClause, bare)
            }
            NodeTag::T_UpdateStmt => {
                let update = &*node.cast::<pg_sys::UpdateStmt>();
                let bare = update.whereClause.is_null().then_some((Command::Update, update.relation));
                (update.withClause, bare)
            }
            NodeTag::T_SelectStmt => ((*node.cast::<pg_sys::SelectStmt>()).withClause, None),
            NodeTag::T_InsertStmt => ((*node.cast::<pg_sys::InsertStmt>()).withClause, None),
            _ => return None,
        };
        if found.is_some() {
            return found;
        }
        if with.is_null() {
            return None;
        }
        nodes::items::<pg_sys::CommonTableExpr>((*with).ctes).find_map(|cte| unqualified((*cte).ctequery))
    }
}
