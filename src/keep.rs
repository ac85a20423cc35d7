//! What a write takes, kept to be given back by its event (`safedelete.restore`). Triggers that PostgreSQL fires after
//! the statement, with its transition tables, hold exactly what was written; they are there on tables whose policy
//! says `keep`, and copy rows only where a rule would have refused the write, or from `keep_from` rows on. Whether a
//! rule would have, the ledger knows: `refusal` has told an event of the running sum by then.
//!
//! * follow.rs makes the triggers where policy asks for them, and takes them away;
//! * written.rs is what they do: whether what was written is kept, under which number;
//! * store.rs puts rows into the extension's tables.
//!
//! What is given back, forgotten and purged is SQL: sql/.

pub mod follow;
mod store;
pub mod written;

use safedelete_core::command::Command;
use safedelete_core::keep;
use safedelete_core::message::Report;

use crate::pg::write::Write;
use crate::pg::{inheritance, pg_sys, relations};
use crate::policy::InForce;
use crate::settings;

/// Asked when a write is going to be told of that goes through although a rule refuses it. Where its rows are to be
/// kept: whether anything will, and that the number of its event is none of those that are kept already.
pub fn foresee(write: Write, in_force: &InForce) -> Result<(), Report> {
    if in_force.effective().keep.is_off() || settings::keeps_nothing() || write.command == Command::Drop {
        return Ok(());
    }
    let table = write.relation;
    match relations::kind(table) {
        pg_sys::RELKIND_FOREIGN_TABLE => {
            let why = "Its schema's policy, or safedelete.keep, asks for it, and rows of a foreign table are not kept.";
            return Err(keep::cannot(write.command, &relations::name(table), why));
        }
        pg_sys::RELKIND_RELATION | pg_sys::RELKIND_PARTITIONED_TABLE => {}
        // A view's rows are those of the tables below.
        _ => return Ok(()),
    }
    let members = if write.command == Command::Truncate { inheritance::members(table) } else { vec![table] };
    if !members.into_iter().all(follow::is_kept) {
        let call = format!("safedelete.keep_tables('{}')", relations::qualified_name(table));
        return Err(keep::nothing_keeps(write.command, &relations::name(table), &call));
    }
    store::number_after_those_kept();
    Ok(())
}
