//! One statement of a script: what it writes, and what the guard would say.

use pgrx::pg_sys::NodeTag;
use safedelete_core::command::Command;

use super::forecast::Forecast;
use super::parsed::{carried, command_name};
use super::query::{self, Parameters};
use super::script::Source;
use super::session::Session;
use super::{body, whole};
use crate::pg::{nodes, pg_sys, text};
use crate::policy;

/// The forecasts of a statement: one, or one for each table that it writes.
pub fn judge(session: &mut Session, node: *mut pg_sys::Node, source: Source) -> Vec<Forecast> {
    let command = command_name(node);
    // SAFETY: each cast follows the tag.
    unsafe {
        match nodes::tag(node) {
            NodeTag::T_TransactionStmt => {
                session.transaction(node.cast());
                vec![Forecast::ok(&command)]
            }
            NodeTag::T_VariableSetStmt => match session.set(node.cast()) {
                Ok(()) => vec![Forecast::ok(&command)],
                Err(failure) => vec![Forecast::failed(&command, &failure)],
            },
            NodeTag::T_PrepareStmt => {
                session.prepare(node.cast());
                vec![Forecast::ok(&command)]
            }
            NodeTag::T_DeallocateStmt => {
                let name = text::from_server((*node.cast::<pg_sys::DeallocateStmt>()).name);
                session.deallocate(name.as_deref());
                vec![Forecast::ok(&command)]
            }
            NodeTag::T_ExecuteStmt => {
                let name = text::from_server((*node.cast::<pg_sys::ExecuteStmt>()).name).unwrap_or_default();
                // The text is EXECUTE's, not that of what it executes.
                match session.prepared(&name) {
                    Some((query, types)) if types.is_null() => {
                        query::judge(session, query, source, Parameters::Numbered)
                    }
                    Some((query, types)) => query::judge(session, query, source, Parameters::Typed(types)),
                    None => vec![Forecast::unknown(&command, "the script does not prepare the statement")],
                }
            }
            NodeTag::T_InsertStmt
            | NodeTag::T_DeleteStmt
            | NodeTag::T_UpdateStmt
            | NodeTag::T_MergeStmt
            | NodeTag::T_SelectStmt => query::judge(session, node, source, Parameters::None),
            NodeTag::T_CreateTableAsStmt => {
                session.creates(node);
                judge(session, (*node.cast::<pg_sys::CreateTableAsStmt>()).query, source)
            }
            NodeTag::T_CreateStmt | NodeTag::T_ViewStmt => {
                session.creates(node);
                vec![Forecast::ok(&command)]
            }
            NodeTag::T_DiscardStmt => {
                if (*node.cast::<pg_sys::DiscardStmt>()).target == pg_sys::DiscardMode::DISCARD_ALL {
                    session.discard();
                }
                vec![Forecast::ok(&command)]
            }
            NodeTag::T_TruncateStmt => whole::truncate(node.cast()),
            NodeTag::T_DropStmt => whole::drop_objects(&command, node.cast()),
            NodeTag::T_DropOwnedStmt if policy::may_guard(Command::Drop) => {
                vec![Forecast::unknown(&command, "what the roles own is not looked into")]
            }
            NodeTag::T_DropdbStmt => vec![whole::drop_database(&command, node.cast())],
            NodeTag::T_DoStmt => body::of_do(session, node.cast()),
            NodeTag::T_CreateFunctionStmt => body::of_function(session, &command, node.cast(), source),
            NodeTag::T_CallStmt => {
                vec![Forecast::unknown(&command, "what a procedure runs is not looked into")]
            }
            _ => match carried(node) {
                Some(query) => judge(session, query, source),
                None => vec![Forecast::ok(&command)],
            },
        }
    }
}
