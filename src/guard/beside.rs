//! The other tables that a statement comes to, beside the one that is judged: the budget that a HINT proposes has to
//! suffice for each.

use std::rc::Rc;

use safedelete_core::command::Command;
use safedelete_core::limit::Size;

use super::planned;
use crate::levels;
use crate::pg::firing::{self, Events, Happens};
use crate::pg::write::Write;
use crate::pg::{backend, count, inheritance, pg_sys, portal};
use crate::policy;

pub enum Beside {
    /// What a write and the others of its statement come to, by themselves and by foreign keys.
    Written,
    /// These are taken whole; the table that is judged may be among them.
    Tables(Rc<[Taken]>),
    Unknown,
}

/// A table, and what counts with it.
pub type Taken = (pg_sys::Oid, Vec<pg_sys::Oid>);

impl Beside {
    pub fn none() -> Beside {
        Beside::Tables(Rc::new([]))
    }

    /// The most rows that one of them holds beside the table of `write`, a part of another perhaps, where counting is
    /// cheap.
    pub fn most_rows(&self, write: Write, part_of: Option<pg_sys::Oid>, referential: bool) -> Option<u64> {
        if runs_code(referential) {
            return Some(0);
        }
        let tables = match self {
            Beside::Written => {
                let whole = part_of.map_or(write, |whole| Write { relation: whole, ..write });
                &written(whole, referential)
            }
            Beside::Tables(tables) => tables,
            Beside::Unknown => return None,
        };
        let mut others = tables.iter().filter(|(other, _)| *other != write.relation);
        others.try_fold(0, |most, (other, members)| {
            let free = policy::of(*other).bounds().surely_within();
            if free == u64::MAX {
                return Some(most);
            }
            match count::for_texts(members.clone(), 0) {
                Size::Exact(rows) if rows <= free => Some(most),
                Size::Exact(rows) => Some(rows.max(most)),
                _ => None,
            }
        })
    }
}

/// Whether a trigger that somebody has written runs: what it goes on to is not known. Foreign keys' actions run in
/// triggers of their own.
fn runs_code(referential: bool) -> bool {
    backend::trigger_depth() > i32::from(referential)
}

/// The tables that a write and the others of its statement come to. What functions and triggers do that somebody has
/// written is not known.
fn written(write: Write, referential: bool) -> Rc<[Taken]> {
    let of_statement = of_statement();
    // What a foreign key acts for is written, and was let through.
    let done = if referential { levels::writes() } else { None };
    let named = [Some(write), done].into_iter().flatten();
    // Of the client's own statement more is known.
    let named = named.filter(|write| !of_statement.iter().any(|known| known.table == write.relation));
    let mut pending: Vec<_> = named.map(Happens::by).collect();
    pending.extend(of_statement);
    let mut reached: Vec<_> = pending
        .iter()
        .filter(|happens| done.is_none_or(|done| done.relation != happens.table))
        .cloned()
        .collect();
    let mut followed = Vec::new();
    while let Some(next) = pending.pop() {
        if followed.contains(&next) {
            continue;
        }
        let actions = firing::follows(&next);
        reached.extend(actions.iter().cloned());
        pending.extend(actions);
        followed.push(next);
    }
    reached.retain(is_guarded);
    reached.sort_by_key(|happens| (happens.table.to_u32(), happens.only));
    reached.dedup_by_key(|happens| (happens.table, happens.only));
    let with_members = reached.into_iter().map(|Happens { table, only, .. }| {
        (table, if only { vec![table] } else { inheritance::members(table) })
    });
    with_members.collect()
}

fn is_guarded(happens: &Happens) -> bool {
    let in_force = policy::of(happens.table);
    let mut commands = Command::ALL.into_iter().filter(|command| happens.events.has(Events::of(*command)));
    commands.any(|command| in_force.guards(command))
}

/// What the plans of the client's statement write: of several, where a rule or a WITH list makes it so.
fn of_statement() -> Vec<Happens> {
    let mut found = Vec::new();
    for query in portal::queries() {
        // SAFETY: an active portal's statements are finished plans.
        unsafe {
            let written = planned::modify_tables(query);
            found.extend(written.into_iter().filter_map(|modify| planned::happens(query, modify)));
        }
    }
    found
}
