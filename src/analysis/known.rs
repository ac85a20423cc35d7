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
use crate::{policy, settings};

/// A table that is guarded by nothing but rule `where` and limits that leave one row free.
#[derive(Clone, Copy)]
struct Known {
    relation: pg_sys::Oid,
    /// As of which generation of settings, policies and the table itself.
    as_of: u32,
    /// Which commands are guarded: a bit for each CmdType.
    guards: u32,
    /// The columns that CHECK constraints speak of, from the first; those beyond count as such.
    checked: u64,
    /// The one by which it was written last, of which none speaks.
    column: i16,
    lookup: Lookup,
    /// So many rows are free.
    free: u64,
}

/// An index of a table, and the operator of a condition by which a scan of it finds one row at most.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Lookup {
    pub index: pg_sys::Oid,
    pub operator: pg_sys::Oid,
}

/// No table has it: 0 is the whole row.
const NO_COLUMN: i16 = i16::MIN;
const NO_LOOKUP: Lookup = Lookup { index: pg_sys::InvalidOid, operator: pg_sys::InvalidOid };

const SLOTS: usize = 64;
const UNKNOWN: Known = Known {
    relation: pg_sys::InvalidOid,
    as_of: 0,
    guards: 0,
    checked: 0,
    column: NO_COLUMN,
    lookup: NO_LOOKUP,
    free: 0,
};

static TABLES: Local<[Known; SLOTS]> = Local::new([UNKNOWN; SLOTS]);

#[inline]
fn slot(relation: pg_sys::Oid) -> usize {
    relation.to_u32() as usize % SLOTS
}

impl Known {
    /// Of the table of this entry, where such a statement on it is guarded.
    #[inline(always)]
    fn of(entry: Node<pg_sys::RangeTblEntry>, kind: pg_sys::CmdType::Type) -> Option<Known> {
        let known = TABLES.at(slot(entry.relid));
        (known.relation == entry.relid
            && known.as_of == settings::generation()
            && known.guards >> kind & 1 != 0)
            .then_some(known)
    }
}

/// Keeps what a write by key has shown.
pub fn remember(target: &Target) {
    let guards = |command, kind: pg_sys::CmdType::Type| u32::from(target.in_force().guards(command)) << kind;
    let known = Known {
        relation: target.relation,
        as_of: settings::generation(),
        guards: guards(Command::Delete, pg_sys::CmdType::CMD_DELETE)
            | guards(Command::Update, pg_sys::CmdType::CMD_UPDATE),
        checked: target.checked(),
        column: NO_COLUMN,
        lookup: NO_LOOKUP,
        free: target.in_force().bounds().surely_within(),
    };
    TABLES.put(slot(target.relation), known);
}

/// What a write by key is found to be before it is planned.
#[derive(Clone, Copy)]
pub struct Keyed {
    kind: pg_sys::CmdType::Type,
    relation: pg_sys::Oid,
    with_children: bool,
    sets_volatile: bool,
    target_index: i32,
    as_of: u32,
    lookup: Lookup,
}

impl Keyed {
    /// Whether this finds one row of the table at most, as was found before, and of no other.
    #[inline(always)]
    pub fn finds_one_by(&self, lookup: Lookup) -> bool {
        self.lookup == lookup && self.as_of == settings::generation()
    }

    /// It does, now that it has been planned.
    pub fn remember(&self, lookup: Lookup) {
        let known = TABLES.at(slot(self.relation));
        if known.relation == self.relation && known.as_of == settings::generation() {
            TABLES.put(slot(self.relation), Known { lookup, ..known });
        }
    }

    pub fn finding(self) -> Finding {
        let command =
            if self.kind == pg_sys::CmdType::CMD_DELETE { Command::Delete } else { Command::Update };
        let write = Write { command, relation: self.relation, only: !self.with_children };
        let known = TABLES.at(slot(self.relation));
        // Planning locks indexes, and so may have taken in what has changed.
        let is_as_it_was = known.relation == self.relation && known.as_of == settings::generation();
        let free = if is_as_it_was { known.free } else { policy::of(self.relation).bounds().surely_within() };
        let keyed = Finding::of_keyed(write, free, self.target_index);
        Finding { sets_volatile: self.sets_volatile, ..keyed }
    }

    #[inline(always)]
    fn of(query: Node<pg_sys::Query>, entry: Node<pg_sys::RangeTblEntry>, known: &Known) -> Keyed {
        Keyed {
            kind: query.commandType,
            relation: entry.relid,
            with_children: entry.inh,
            sets_volatile: false,
            target_index: query.resultRelation,
            as_of: known.as_of,
            lookup: known.lookup,
        }
    }
}

/// What the write of a known table by `column op value` is found to be, of the column that was asked for last; `None`
/// where it has to be looked at. Calls nothing, so that the planner's arguments stay where they came.
#[inline(always)]
pub fn glance(query: Node<pg_sys::Query>) -> Option<Keyed> {
    let index = query.resultRelation;
    let (left, right) = query.condition()?.as_a::<pg_sys::OpExpr>()?.args().pair()?;
    if !right.is_plain_value()
        || query.hasModifyingCTE
        || query.querySource != pg_sys::QuerySource::QSRC_ORIGINAL
        || (query.commandType == pg_sys::CmdType::CMD_UPDATE && !values::are_of_leaves(query))
    {
        return None;
    }
    let entry = query.rtable().number(index as u32)?;
    let known = Known::of(entry, query.commandType)?;
    (target::column(left, index, 0)? == known.column).then(|| Keyed::of(query, entry, &known))
}

/// What the write of a known table by key is found to be; `None` where it has to be examined, as what says itself how
/// many rows it expects.
///
/// # Safety
/// No frame above owns anything.
pub unsafe fn look(query: Node<pg_sys::Query>) -> Option<Keyed> {
    let index = query.resultRelation;
    let entry = query.rtable().number(index as u32)?;
    let known = Known::of(entry, query.commandType)?;
    let condition = query.condition()?;
    let is_checked = |column: i16| !(1..=64).contains(&column) || known.checked & 1 << (column - 1) != 0;
    if query.hasModifyingCTE
        || query.querySource != pg_sys::QuerySource::QSRC_ORIGINAL
        || looks_at_all()
        || (!condition.is_a::<pg_sys::OpExpr>() && expected::may_be_in(query))
        || !target::is_keyed(condition, index, &is_checked, &lists::is_known_to_restrict)
    {
        return None;
    }
    if let Some((left, _)) = condition.as_a::<pg_sys::OpExpr>().and_then(|op| op.args().pair())
        && let Some(column) = target::column(left, index, 0)
    {
        TABLES.put(slot(entry.relid), Known { column, ..known });
    }
    let is_update = query.commandType == pg_sys::CmdType::CMD_UPDATE;
    // SAFETY: by contract.
    let sets_volatile = is_update && unsafe { values::are_volatile(query) };
    Some(Keyed { sets_volatile, ..Keyed::of(query, entry, &known) })
}
