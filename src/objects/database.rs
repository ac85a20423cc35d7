//! DROP DATABASE.

use crate::pg::pg_sys;
use safedelete_core::command::Command;
use safedelete_core::event::Verdict;
use safedelete_core::limit::Budget;
use safedelete_core::message;
use safedelete_core::mode::Mode;

use crate::pg::report::Frozen;
use crate::pg::text;
use crate::refusal::{self, About};
use crate::{authority, exemption, settings};

/// Nobody counts another database's rows: only an unlimited budget fits.
pub fn dropped(database: pg_sys::Oid) -> Result<(), Frozen> {
    if !settings::effective().guards(Command::Drop) {
        return Ok(());
    }
    // SAFETY: reads a backend variable. PostgreSQL refuses to drop the database it is in.
    if exemption::of_command() || database == unsafe { pg_sys::MyDatabaseId } {
        return Ok(());
    }
    // SAFETY: a catalog look-up that gives NULL where there is none.
    let name = text::from_server(unsafe { pg_sys::get_database_name(database) }).unwrap_or_default();
    let role = authority::role(false);
    let tell = |how| refusal::tell(how, &message::drop_database(&name, None), About::Database(&name), role);
    if authority::bypasses(role) {
        tell(Verdict::Bypassed);
        return Ok(());
    }
    match (authority::budget(role, None), settings::mode()) {
        (Ok(Some(Budget::Unlimited)), _) => tell(Verdict::Overridden),
        (_, Mode::Log) => tell(Verdict::Logged),
        (_, Mode::Warn) => tell(Verdict::Warned),
        (budget, _) => {
            return Err(refusal::refuse(
                &message::drop_database(&name, budget.err().as_ref()),
                About::Database(&name),
                role,
            ));
        }
    }
    Ok(())
}
