//! DROP DATABASE.

use crate::pg::pg_sys;
use safedelete_core::command::Command;
use safedelete_core::standing::Ruling;

use crate::authority::Writer;
use crate::pg::backend;
use crate::pg::report::Frozen;
use crate::policy::InForce;
use crate::refusal::{self, About};
use crate::{exemption, settings};

/// Nobody counts another database's rows: only an unlimited budget fits.
pub fn dropped(database: pg_sys::Oid) -> Result<(), Frozen> {
    let in_force = InForce::default();
    if !in_force.guards(Command::Drop) {
        return Ok(());
    }
    // PostgreSQL refuses to drop the database it is in.
    if exemption::of_command() || database == backend::database() {
        return Ok(());
    }
    let name = backend::database_name(database).unwrap_or_default();
    let writer = Writer::now(false);
    let about = About::Database(&name);
    match writer.standing(settings::mode(), &in_force).drop_database(&name) {
        (Ruling::Refuse(_), report) => Err(refusal::refuse(&report, about, writer.role)),
        (Ruling::Through(how, _), report) => {
            refusal::tell(how, &report, about, writer.role);
            Ok(())
        }
    }
}
