//! A rule's word on a statement: kept and counted by record, told by pg/report as an error, a WARNING or a LOG
//! line.

use safedelete_core::event::Verdict;
use safedelete_core::log::{self, Circumstances};
use safedelete_core::message::Report;

use crate::ledger::{self, Kept};
use crate::pg::report::{self, Frozen};
use crate::pg::{backend, context, pg_sys, relations, roles};
use crate::{record, settings};

/// What a report is about.
#[derive(Clone, Copy)]
pub enum About<'a> {
    Table(pg_sys::Oid),
    Database(&'a str),
}

impl About<'_> {
    fn table(self) -> Option<pg_sys::Oid> {
        match self {
            About::Table(table) => Some(table),
            About::Database(_) => None,
        }
    }

    fn name(self) -> String {
        match self {
            About::Table(table) => relations::full_name(table),
            About::Database(name) => name.to_owned(),
        }
    }
}

/// A refusal, kept and counted, ready to be raised.
pub fn refuse(what: &Report, about: About, role: pg_sys::Oid) -> Frozen {
    record::event(Verdict::Refused, what.facts.as_deref(), role, &about.name(), 0);
    report::freeze(what, about.table())
}

/// Tells of a statement that went through although a rule refuses it: one LOG line, and in mode
/// warn a WARNING to the client as well.
pub fn tell(verdict: Verdict, what: &Report, about: About, role: pg_sys::Oid) {
    if verdict == Verdict::Warned {
        report::warn(what, about.table());
    }
    let name = about.name();
    let kept = ledger::kept();
    let number = if kept.is_told { 0 } else { kept.event };
    let number = record::event(verdict, what.facts.as_deref(), role, &name, number);
    if !kept.is_told {
        ledger::set_kept(Kept { event: number.unwrap_or(kept.event), is_told: true, ..kept });
    }
    report::log(&with_circumstances(role, |who| log::log_line(verdict, what, &name, who)));
}

/// The LOG lines of a policy that has changed, for a transaction that commits and for one that is prepared; they live
/// until it ends. `object` as in `table "public.events"`.
pub fn policy_lines(object: &str, label: Option<&str>, role: pg_sys::Oid) -> [Frozen; 2] {
    with_circumstances(role, |who| {
        [false, true].map(|prepared| {
            let line = Report::plain(*b"00000", log::policy_line(object, label, prepared, who), None, None);
            context::of_transaction(|| report::freeze(&line, None))
        })
    })
}

/// Who is at work, and why, as a LOG line names it.
fn with_circumstances<T>(role: pg_sys::Oid, line: impl FnOnce(&Circumstances) -> T) -> T {
    let (database, application) = (backend::database_name(backend::database()), backend::application_name());
    line(&Circumstances {
        database: database.as_deref().unwrap_or_default(),
        user: &roles::name(role),
        session_user: &roles::name(pg_sys::GetSessionUserId()),
        application: application.as_deref().unwrap_or_default(),
        reason: &settings::reason(),
        allow_rows: settings::allow_rows(),
    })
}
