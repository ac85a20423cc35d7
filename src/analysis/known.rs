//! The tables that a session writes again and again. What has been found of one is kept, so that its
//! next write by key is known to be qualified at a glance. The glance is for bare frames: it owns and
//! allocates nothing.

use safedelete_core::command::Command;

use super::expected;
use super::finding::{Finding, looks_at_all};
use super::lists;
use super::target::{self, Target};
use super::values;
use crate::pg::local::Local;
use crate::pg::nodes::Node;
use crate::pg::pg_sys;
use crate::pg::write::Write;
use crate::settings;

/// A table that is guarded by nothing but rule `where` and limits that leave one row free.
#[derive(Clone, Copy)]
struct Known {
    relation: pg_sys::Oid,
    /// As of which generation of settings, policies and the table itself.
    as_of: u32,
    guards_delete: bool,
    guards_update: bool,
    /// So many rows are free.
    free: u64,
    /// The columns that CHECK constraints speak of, from the first; those beyond count as such.
    checked: u64,
}

const SLOTS: usize = 64;
const UNKNOWN: Known = Known {
    relation: pg_sys::InvalidOid,
    as_of: 0,
    guards_delete: false,
    guards_update: false,
    free: 0,
    checked: 0,
};

static TABLES: Local<[Known; SLOTS]> = Local::new([UNKNOWN; SLOTS]);

#[inline]
fn slot(relation: pg_sys::Oid) -> usize {
    relation.to_u32() as usize % SLOTS
}

/// Keeps what a write by key has shown.
pub fn remember(target: &Target) {
    let known = Known {
        relation: target.relation,
        as_of: settings::generation(),
        guards_delete: target.in_force().guards(Command::Delete),
        guards_update: target.in_force().guards(Command::Update),
        free: target.in_force().bounds().surely_within(),
        checked: target.checked(),
    };
    TABLES.put(slot(target.relation), known);
}

/// What a write of a known table by key is found to be; `None` where it has to be examined, as what says itself how
/// many rows it expects.
///
/// # Safety
/// No frame above owns anything.
#[inline]
pub unsafe fn glance(query: Node<pg_sys::Query>) -> Option<Finding> {
    let write = Write::of_query(query)?;
    let known = TABLES.at(slot(write.relation));
    if known.relation != write.relation || known.as_of != settings::generation() {
        return None;
    }
    let guards = match write.command {
        Command::Delete => known.guards_delete,
        Command::Update => known.guards_update,
        _ => return None,
    };
    let condition = query.condition()?;
    let is_checked = |column: i16| !(1..=64).contains(&column) || known.checked & 1 << (column - 1) != 0;
    if !guards
        || query.hasModifyingCTE
        || query.querySource != pg_sys::QuerySource::QSRC_ORIGINAL
        || looks_at_all()
        || (!condition.is_a::<pg_sys::OpExpr>() && expected::may_be_in(query))
        || !target::is_keyed(condition, query.resultRelation, &is_checked, &lists::is_known_to_restrict)
    {
        return None;
    }
    let keyed = Finding::of_keyed(write, known.free, query.resultRelation);
    // SAFETY: by contract.
    let sets_volatile = write.command == Command::Update && unsafe { values::are_volatile(query) };
    Some(Finding { sets_volatile, ..keyed })
}
