//! One statement of a script: what it writes, and what the guard would say.

use safedelete_core::command::Command;

use super::forecast::Forecast;
use super::parsed::{carried, command_name};
use super::query;
use super::session::Session;
use super::{body, whole};
use crate::pg::nodes::{Node, Statement};
use crate::pg::parser::{Parameters, Source};
use crate::pg::{pg_sys, text};
use crate::policy;

/// The forecasts of a statement: one, or one for each table that it writes.
pub fn judge(session: &mut Session, node: Node, source: Source) -> Vec<Forecast> {
    let command = command_name(node);
    match node.statement() {
        Statement::TransactionStmt(transaction) => {
            session.transaction(transaction);
            vec![Forecast::ok(&command)]
        }
        Statement::VariableSetStmt(set) => match session.set(set) {
            Ok(()) => vec![Forecast::ok(&command)],
            Err(failure) => vec![Forecast::failed(&command, &failure)],
        },
        Statement::PrepareStmt(prepare) => {
            session.prepare(prepare);
            vec![Forecast::ok(&command)]
        }
        Statement::DeallocateStmt(deallocate) => {
            session.deallocate(deallocate.name().map(text::from_server).as_deref());
            vec![Forecast::ok(&command)]
        }
        Statement::ExecuteStmt(execute) => {
            // The text is EXECUTE's, not that of what it executes.
            match session.prepared(&execute.name().map(text::from_server).unwrap_or_default()) {
                Some((query, types)) if types.is_empty() => {
                    query::judge(session, query, source, Parameters::Numbered)
                }
                Some((query, types)) => query::judge(session, query, source, Parameters::Typed(types)),
                None => vec![Forecast::unknown(&command, "the script does not prepare the statement")],
            }
        }
        Statement::InsertStmt(_)
        | Statement::DeleteStmt(_)
        | Statement::UpdateStmt(_)
        | Statement::MergeStmt(_)
        | Statement::SelectStmt(_) => query::judge(session, node, source, Parameters::None),
        Statement::CreateTableAsStmt(create) => {
            session.creates(create.into().and_then(|into| into.rel()), false);
            create.query().map_or_else(Vec::new, |query| judge(session, query, source))
        }
        Statement::CreateStmt(create) => {
            session.creates(create.relation(), false);
            vec![Forecast::ok(&command)]
        }
        Statement::ViewStmt(create) => {
            session.creates(create.view(), true);
            vec![Forecast::ok(&command)]
        }
        Statement::DiscardStmt(discard) => {
            if discard.target == pg_sys::DiscardMode::DISCARD_ALL {
                session.discard();
            }
            vec![Forecast::ok(&command)]
        }
        Statement::TruncateStmt(truncate) => whole::truncate(truncate),
        Statement::DropStmt(drop) => whole::drop_objects(&command, drop, session.may_have_dropped()),
        Statement::DropOwnedStmt(_) if policy::may_guard(Command::Drop) => {
            vec![Forecast::unknown(&command, "what the roles own is not looked into")]
        }
        Statement::DropdbStmt(drop) => vec![whole::drop_database(&command, drop)],
        Statement::DoStmt(block) => body::of_do(session, block),
        Statement::CreateFunctionStmt(create) => body::of_function(session, &command, create, source),
        Statement::CallStmt(_) => {
            vec![Forecast::unknown(&command, "what a procedure runs is not looked into")]
        }
        _ => match carried(node) {
            Some(query) => judge(session, query, source),
            None => vec![Forecast::ok(&command)],
        },
    }
}
