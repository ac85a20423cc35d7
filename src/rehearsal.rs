//! Whether a dry run is going on, and what it has noted: while one is, nothing is refused, and what writes says
//! here what it has come to. `dry_run` begins and ends one.

use safedelete_core::event::Verdict;
use safedelete_core::message::Report;

use crate::pg::local::{Lent, Local};
use crate::pg::write::Write;
use crate::pg::{backend, relations};
use crate::usual::{self, Unusual};

/// What wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    Statement,
    Cascade,
    Trigger,
}

impl By {
    /// What writes now.
    pub fn now(referential: bool) -> By {
        if referential {
            return By::Cascade;
        }
        if backend::trigger_depth() > RUN.get().unwrap_or(0) { By::Trigger } else { By::Statement }
    }

    pub fn word(self) -> &'static str {
        match self {
            By::Statement => "statement",
            By::Cascade => "cascade",
            By::Trigger => "trigger",
        }
    }
}

/// What was written in one table in one way.
pub struct Note {
    pub write: Write,
    /// As regclass shows it; the table may be gone after the rollback.
    pub name: String,
    pub by: By,
    pub rows: u64,
    /// How many rows the table has; `None` for what has no size.
    pub table_rows: Option<u64>,
    /// The first word that a rule had to say.
    pub told: Option<(Verdict, Report)>,
}

/// How deep in triggers the dry run began that goes on.
static RUN: Local<Option<i32>> = Local::new(None);
static NOTES: Lent<Vec<Note>> = Lent::new(Vec::new());

/// Whether a dry run is going on.
#[inline]
pub fn is_on() -> bool {
    usual::is([Unusual::Rehearsal])
}

/// Notes what a guarded write has come to. A part of a table is counted with the whole; it is noted
/// where its own policy has a word to say.
pub fn note(
    write: Write,
    by: By,
    rows: u64,
    table_rows: Option<u64>,
    is_part: bool,
    told: Option<(Verdict, Report)>,
) {
    let selected_nothing = rows == 0 && by != By::Statement;
    if !is_on() || (told.is_none() && (is_part || selected_nothing)) {
        return;
    }
    let name = relations::visible_name(write.relation);
    NOTES.with(|notes| {
        let what = |note: &Note| (note.write.relation, note.write.command, note.by);
        let same = |note: &&mut Note| what(note) == (write.relation, write.command, by);
        match notes.iter_mut().find(same) {
            Some(note) => {
                note.rows += rows;
                note.told = note.told.take().or(told);
            }
            None => notes.push(Note { write, name, by, rows, table_rows, told }),
        }
    });
}

/// A dry run begins: nothing is noted yet.
pub fn begin() {
    NOTES.with(Vec::clear);
    RUN.set(Some(backend::trigger_depth()));
    usual::set(Unusual::Rehearsal, true);
}

/// It has ended; what was noted, in the order in which it was first written.
pub fn end() -> Vec<Note> {
    RUN.set(None);
    usual::set(Unusual::Rehearsal, false);
    NOTES.with(std::mem::take)
}
