//! From a Query to findings: what a statement writes and whether it is qualified. Called by the
//! planner hook before planning, because planning scribbles on the Query, and by the guard node
//! for conditions that hang on parameters. It looks at the statement and the catalogs only, so a
//! finding may live in a cached plan; settings and policies are read here only to leave out what is
//! not guarded at all, and a change of those makes PostgreSQL plan anew.

mod bound;
mod casts;
mod effort;
mod evaluable;
pub mod expected;
mod finding;
mod form;
mod itself;
mod judge;
pub mod known;
mod lists;
mod nulls;
mod parameters;
mod premises;
mod prover;
mod rules;
mod scope;
mod sublink;
pub mod target;
mod values;
mod way;

use std::ffi::CStr;

use safedelete_core::command::Command;
use safedelete_core::mode::Mode;

use crate::engines;
use crate::pg::context::Context;
use crate::pg::local::Local;
use crate::pg::nodes::Node;
use crate::pg::write::Write;
use crate::pg::{compat, parser, pg_sys};
use crate::{policy, settings};
pub use bound::judge_bound;
pub use finding::{Finding, Qualification, looks_at_all};
use parameters::has_parameters;
use target::Target;
use way::Way;

type Query<'t> = Node<'t, pg_sys::Query>;

/// The findings of a statement, in the order of its data-modifying CTEs, itself last; an entry is
/// `None` where the part is not guarded.
pub fn analyse(query: Query) -> Vec<Option<Finding>> {
    writes(query).into_iter().map(examine).collect()
}

/// The parts of a statement that write: its data-modifying CTEs in their order, itself last.
pub fn writes(query: Query) -> Vec<Query> {
    let modifies = |query: &Query| query.commandType != pg_sys::CmdType::CMD_SELECT;
    let mut writes = Vec::new();
    if query.hasModifyingCTE {
        let inner = query.cteList().iter().filter_map(|cte| cte.ctequery()?.as_a());
        writes.extend(inner.filter(modifies));
    }
    if modifies(&query) {
        writes.push(query);
    }
    writes
}

/// The Query that `plan_only` plans.
static PLANNED_ONLY: Local<*mut pg_sys::Query> = Local::new(std::ptr::null_mut());

/// Plans a Query whose findings are known, for its estimates: the plan never runs, so the planner hook neither
/// analyses the Query again nor guards the plan.
pub fn plan_only<'t>(query: Query<'t>, text: &CStr) -> Node<'t, pg_sys::PlannedStmt> {
    /// An error of the planner's ends it as well: another Query may come to lie at the same place.
    struct Ends;
    impl Drop for Ends {
        fn drop(&mut self) {
            PLANNED_ONLY.set(std::ptr::null_mut());
        }
    }
    PLANNED_ONLY.set(query.as_ptr());
    let _ends = Ends;
    parser::plan(query, text)
}

/// Whether a Query is being planned for its estimates alone.
pub fn is_planned_only(query: Query) -> bool {
    PLANNED_ONLY.get() == query.as_ptr()
}

/// The finding of one data-modifying Query; `None` where it is not guarded.
pub fn examine(query: Query) -> Option<Finding> {
    if query.querySource == pg_sys::QuerySource::QSRC_NON_INSTEAD_RULE && !settings::is_off() {
        expected::leave_to_the_statement(query);
    }
    let mut write = Write::of_query(query)?;
    let command = write.command;
    if command == Command::Upsert && write.only && engines::routes_inserts(write.relation) {
        write.only = false;
    }
    let entry = query.rtable().number(query.resultRelation as u32)?;
    let expected = if settings::is_off() && policy::of(write.relation).effective().mode == Mode::Off {
        // Nobody would enforce it: where it stands, it raises.
        std::ptr::null_mut()
    } else {
        // The planner scribbles on its Query, too.
        expected::take(query).as_ptr()
    };
    let Some(target) = Target::of_query(query, entry, write) else {
        return (!expected.is_null()).then(|| Finding {
            guarded: false,
            expected,
            ..Finding::of_keyed(write, u64::MAX, 0)
        });
    };
    let guarded = target.in_force().guards(command);
    if !guarded && !target.has_parts() && !looks_at_all() && expected.is_null() {
        return None;
    }
    let free = target.in_force().bounds().surely_within();
    let finding = Finding {
        guarded,
        expected,
        sets_volatile: command == Command::Update && values::hang_on_time(query),
        joins_view: entry.relkind as u8 == pg_sys::RELKIND_VIEW && is_joined(query),
        ..Finding::of_keyed(write, free, target.index)
    };
    if command == Command::Upsert || !guarded {
        return Some(finding);
    }
    let is_original = query.querySource == pg_sys::QuerySource::QSRC_ORIGINAL;
    if is_original
        && command != Command::Merge
        && query.condition().is_some_and(|condition| target.is_keyed(condition))
    {
        // A view's columns go by another number.
        if free > 0 && target.index == query.resultRelation {
            known::remember(&target);
        }
        return Some(finding);
    }
    // What is made on the way to the finding is given back.
    let aside = Context::new(c"safedelete analysis");
    let judged = aside.within(|| {
        let (qualification, deferred) = judge_statement(query, entry, command, &target)?;
        let is_deferred = qualification == Qualification::Deferred;
        let kept = is_deferred.then(|| aside.outside(|| way::kept(&deferred, &target).as_ptr()));
        Some((qualification, kept.unwrap_or(std::ptr::null_mut())))
    });
    let Some((qualification, conditions)) = judged else {
        return (!expected.is_null()).then_some(Finding { guarded: false, ..finding });
    };
    Some(Finding { qualification, conditions, ..finding })
}

/// Whether a statement names other relations beside its target (USING, FROM), which may bring a row of it again.
fn is_joined(query: Query) -> bool {
    let Some(tree) = query.jointree() else { return false };
    let from = tree.fromlist();
    from.len() != 1 || from.iter().any(|item| !item.is_a::<pg_sys::RangeTblRef>())
}

/// Judges what a statement (a DELETE, UPDATE or MERGE) says of its target, `entry`; with what is to be kept where
/// parameters decide. `None` where it writes nothing that was there.
fn judge_statement<'t>(
    query: Query<'t>,
    entry: Node<'t, pg_sys::RangeTblEntry>,
    command: Command,
    target: &Target,
) -> Option<(Qualification, Vec<Way<'t>>)> {
    let ways = ways_to_a_row(query, entry, command, target);
    if command == Command::Merge && ways.is_empty() {
        // Only INSERT and DO NOTHING.
        return None;
    }
    if ways.iter().all(|way| way.is_keyed(target)) {
        return Some((Qualification::Qualified, Vec::new()));
    }
    let ways = way::folded(ways);
    if !way::distinct(&ways).into_iter().any(has_parameters) {
        return Some((way::judge(Some(query), target, &ways, None), Vec::new()));
    }
    // What holds whatever is bound decides for every execution.
    match way::judge(Some(query), target, &way::settled(&ways, target), None) {
        Qualification::Qualified => Some((Qualification::Qualified, Vec::new())),
        _ => Some((Qualification::Deferred, ways)),
    }
}

/// The ways of a DELETE, UPDATE or MERGE that writes `entry`.
fn ways_to_a_row<'t>(
    query: Query<'t>,
    entry: Node<'t, pg_sys::RangeTblEntry>,
    command: Command,
    target: &Target,
) -> Vec<Way<'t>> {
    // Row security conditions of the target, and those of security-barrier views.
    let mut shared: Vec<_> = entry.securityQuals().iter().collect();
    if command != Command::Merge {
        let mut condition = query.condition();
        if target.has_rules() {
            condition = rules::without_added(query, target.place(), condition);
        }
        shared.extend(condition);
        let mut ways = vec![Way { of: None, conditions: shared, negated_first: false }];
        if query.querySource != pg_sys::QuerySource::QSRC_ORIGINAL {
            ways.extend(rules::of_the_statement(query, condition));
        }
        return ways;
    }
    shared.extend(compat::merge_view_condition(query));
    let join = compat::merge_condition(query);
    let way = |action: Node<'t, pg_sys::MergeAction>| Way {
        of: None,
        conditions: join.into_iter().chain(action.qual()).chain(shared.iter().copied()).collect(),
        negated_first: compat::not_matched_by_source(action) && join.is_some(),
    };
    let writes = |action: &Node<'t, pg_sys::MergeAction>| {
        matches!(action.commandType, pg_sys::CmdType::CMD_UPDATE | pg_sys::CmdType::CMD_DELETE)
    };
    query.mergeActionList().iter().filter(writes).map(way).collect()
}
