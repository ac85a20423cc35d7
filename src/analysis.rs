//! From a Query to findings: what a statement writes and whether it is qualified. Called by the
//! planner hook before planning, because planning scribbles on the Query, and by the guard node
//! for conditions that hang on parameters. It looks at the statement and the catalogs only, so a
//! finding may live in a cached plan; settings and policies are read here only to leave out what is
//! not guarded at all, and a change of those makes PostgreSQL plan anew.

mod bound;
mod effort;
pub mod expected;
mod form;
mod itself;
pub mod known;
mod lists;
mod nulls;
mod premises;
mod prover;
mod rules;
mod scope;
mod sublink;
pub mod target;
mod values;

use rustc_hash::{FxHashMap, FxHashSet};
use safedelete_core::command::Command;
use safedelete_core::mode::Mode;

use crate::pg::context::Context;
use crate::pg::nodes::expressions::Root;
use crate::pg::nodes::{self, Kind, Node, Nodes, Walk};
use crate::pg::{compat, pg_sys};
use crate::{policy, rehearsal, settings};
pub use bound::judge_bound;
use target::Target;

type Query<'t> = Node<'t, pg_sys::Query>;

/// Whether the rows a statement writes are restricted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Qualification {
    Qualified,
    /// No condition at all.
    NoWhere,
    /// The condition restricts nothing.
    MatchesEveryRow,
    /// The condition restricts nothing: a sub-select compares this column with itself.
    OuterColumn(i16),
    /// The condition restricts nothing: it compares this column with itself.
    ComparedWithItself(i16),
    /// The condition has parameters: the bound values decide at each execution.
    Deferred,
}

/// What the analysis found of one data-modifying part of a statement.
#[derive(Clone, Copy)]
pub struct Finding {
    pub command: Command,
    pub relation: pg_sys::Oid,
    /// `ONLY`, or a table that PostgreSQL treats so.
    pub only: bool,
    /// `mode` and `commands` have it looked at; where not, parts with policies of their own may be.
    pub guarded: bool,
    /// Not even one row is free.
    pub frozen: bool,
    pub qualification: Qualification,
    /// An UPDATE whose new values may hang on when they are computed.
    pub sets_volatile: bool,
    /// A view that is joined: its rows, which have no identity, are told apart by their values.
    pub joins_view: bool,
    /// The range table index that the kept conditions call the target by.
    pub target_index: i32,
    /// Where deferred, what `kept` makes: the conditions of each way to a row (one for DELETE and UPDATE, one
    /// for each action of MERGE), each of which must restrict.
    pub conditions: *mut pg_sys::List,
    /// What the statement itself says of its number of rows: the calls that `expected::take` gives.
    pub expected: *mut pg_sys::List,
}

impl Finding {
    /// Of a qualified write that is guarded.
    #[inline]
    fn of_keyed(command: Command, relation: pg_sys::Oid, only: bool, target_index: i32) -> Finding {
        Finding {
            command,
            relation,
            only,
            guarded: true,
            frozen: false,
            sets_volatile: false,
            joins_view: false,
            qualification: Qualification::Qualified,
            target_index,
            conditions: std::ptr::null_mut(),
            expected: std::ptr::null_mut(),
        }
    }
}

/// The findings of a statement, in the order of its data-modifying CTEs, itself last; an entry is
/// `None` where the part is not guarded.
pub fn analyse(query: Query) -> Vec<Option<Finding>> {
    let modifies = |query: &Query| query.commandType != pg_sys::CmdType::CMD_SELECT;
    let mut findings = Vec::new();
    if query.hasModifyingCTE {
        let inner = query.cteList().iter().filter_map(|cte| cte.ctequery()?.as_a());
        findings.extend(inner.filter(modifies).map(examine));
    }
    if modifies(&query) {
        findings.push(examine(query));
    }
    findings
}

/// The finding of one data-modifying Query; `None` where it is not guarded.
pub fn examine(query: Query) -> Option<Finding> {
    let command = match query.commandType {
        pg_sys::CmdType::CMD_DELETE => Command::Delete,
        pg_sys::CmdType::CMD_UPDATE => Command::Update,
        pg_sys::CmdType::CMD_MERGE => Command::Merge,
        pg_sys::CmdType::CMD_INSERT => {
            query.onConflict().filter(|c| c.action == pg_sys::OnConflictAction::ONCONFLICT_UPDATE)?;
            Command::Upsert
        }
        _ => return None,
    };
    let entry = query.rtable().number(query.resultRelation as u32)?;
    let (relation, only) = (entry.relid, !entry.inh);
    let expected = if settings::is_off() && policy::effective(relation).mode == Mode::Off {
        // Nobody would enforce it: where it stands, it raises.
        std::ptr::null_mut()
    } else {
        // SAFETY: the planner's Query, which it scribbles on, too.
        unsafe { expected::take(query.as_ptr()) }
    };
    let Some(target) = Target::of_query(query, entry) else {
        return (!expected.is_null()).then(|| Finding {
            guarded: false,
            expected,
            ..Finding::of_keyed(command, relation, only, 0)
        });
    };
    let guarded = target.is_guarded(command);
    if !guarded && !target.has_parts() && !rehearsal::is_on() && expected.is_null() {
        return None;
    }
    let frozen = target.is_frozen();
    let mut finding = Finding {
        guarded,
        frozen,
        expected,
        sets_volatile: command == Command::Update && values::hang_on_time(query),
        joins_view: entry.relkind as u8 == pg_sys::RELKIND_VIEW && is_joined(query),
        ..Finding::of_keyed(command, relation, only, target.index)
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
        if !frozen && target.index == query.resultRelation {
            known::remember(&target);
        }
        return Some(finding);
    }
    // What is made on the way to the finding is given back.
    let aside = Context::new(c"safedelete analysis");
    let judged = aside.within(|| judge_statement(query, entry, command, &target));
    let Some((qualification, deferred)) = judged else {
        return (!expected.is_null()).then_some(Finding { guarded: false, ..finding });
    };
    finding.qualification = qualification;
    if qualification == Qualification::Deferred {
        finding.conditions = kept(&deferred, &target).as_ptr();
    }
    Some(finding)
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
    let ways = folded(ways);
    if !distinct(&ways).into_iter().any(has_parameters) {
        return Some((judge(Some(query), target, &ways, None), Vec::new()));
    }
    // What holds whatever is bound decides for every execution.
    match judge(Some(query), target, &settled(&ways, target), None) {
        Qualification::Qualified => Some((Qualification::Qualified, Vec::new())),
        _ => Some((Qualification::Deferred, ways)),
    }
}

/// A relation, as conditions call it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Place {
    pub relation: pg_sys::Oid,
    pub only: bool,
    pub index: i32,
}

/// One way to a row: conditions that all hold for a row that is written.
pub struct Way<'t> {
    /// Whose rows are to be restricted, where not the target's: those of the statement that a rule
    /// made another of.
    of: Option<Place>,
    conditions: Vec<Node<'t>>,
    /// The first condition counts negated (MERGE ... NOT MATCHED BY SOURCE).
    negated_first: bool,
}

impl Way<'_> {
    fn is_keyed(&self, target: &Target) -> bool {
        !self.negated_first && self.of.is_none() && self.conditions.iter().any(|c| target.is_keyed(*c))
    }
}

/// The conditions of the ways, each once, though they may share some: MERGE's ON, row security's.
fn distinct<'t>(ways: &[Way<'t>]) -> Vec<Node<'t>> {
    let mut known = FxHashSet::default();
    ways.iter().flat_map(|way| &way.conditions).copied().filter(|c| known.insert(*c)).collect()
}

/// The ways with those conditions alone whose reading no bound value changes.
fn settled<'t>(ways: &[Way<'t>], target: &Target) -> Vec<Way<'t>> {
    let mut of_each = FxHashMap::default();
    for condition in distinct(ways) {
        let mut parts = Vec::new();
        settled_parts(condition, target, &mut parts);
        of_each.insert(condition, (parts, has_parameters(condition)));
    }
    let settle = |way: &Way<'t>| {
        let mut conditions = Vec::new();
        for (i, condition) in way.conditions.iter().enumerate() {
            match of_each.get(condition) {
                // Negated, it is no AND that could be taken apart.
                Some((_, false)) if way.negated_first && i == 0 => conditions.push(*condition),
                Some((_, true)) if way.negated_first && i == 0 => {
                    return Way { of: way.of, conditions, negated_first: false };
                }
                Some((parts, _)) => conditions.extend(parts),
                None => {}
            }
        }
        Way { of: way.of, conditions, negated_first: way.negated_first }
    };
    ways.iter().map(settle).collect()
}

/// The ways as a plan keeps them: the conditions, and for each way a list of numbers. Copies, for the planner
/// scribbles on the originals.
fn kept<'t>(ways: &[Way<'t>], target: &Target) -> Nodes<'t> {
    let distinct = distinct(ways);
    let numbers: FxHashMap<_, _> = distinct.iter().enumerate().map(|(i, c)| (*c, i as i32)).collect();
    let conditions: Nodes = distinct.iter().map(|condition| condition.copy()).collect();
    let lists = ways.iter().filter_map(|way| {
        let place = way.of.unwrap_or_else(|| target.place());
        let head = [way.negated_first.into(), place.relation.to_u32() as i32, place.only.into(), place.index];
        let named = way.conditions.iter().filter_map(|condition| numbers.get(condition).copied());
        nodes::integer_list(head.into_iter().chain(named))
    });
    conditions.as_node().into_iter().chain(lists).collect()
}

/// Kept ways, with what folding makes of their conditions.
fn read_kept<'t>(kept: Nodes<'t>, root: Option<Root<'t>>) -> Vec<Way<'t>> {
    let mut lists = kept.iter();
    let Some(Kind::List(conditions)) = lists.next().map(Node::kind) else { return Vec::new() };
    let conditions: Vec<_> = conditions.iter().map(|condition| condition.folded(root)).collect();
    let way = |list: Node| {
        let mut numbers = list.integers();
        let negated_first = numbers.next()? != 0;
        let relation = pg_sys::Oid::from(numbers.next()? as u32);
        let place = Place { relation, only: numbers.next()? != 0, index: numbers.next()? };
        let conditions = numbers.filter_map(|i| conditions.get(i as usize).copied()).collect();
        Some(Way { of: Some(place), conditions, negated_first })
    };
    lists.filter_map(way).collect()
}

/// The ways with what folding makes of their conditions: of one that they share, once.
fn folded<'t>(ways: Vec<Way<'t>>) -> Vec<Way<'t>> {
    let mut known = FxHashMap::default();
    let folded = |way: Way<'t>| {
        let fold = |condition: &Node<'t>| *known.entry(*condition).or_insert_with(|| condition.folded(None));
        let conditions = way.conditions.iter().map(fold).collect();
        Way { conditions, ..way }
    };
    ways.into_iter().map(folded).collect()
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

fn settled_parts<'t>(condition: Node<'t>, target: &Target, parts: &mut Vec<Node<'t>>) {
    let arms = match condition.kind() {
        Kind::List(arms) => Some(arms),
        Kind::BoolExpr(and) if and.boolop == pg_sys::BoolExprType::AND_EXPR => Some(and.args()),
        _ => None,
    };
    match arms {
        Some(arms) => arms.iter().for_each(|arm| settled_parts(arm, target, parts)),
        None if !has_parameters(condition) || compares_with_parameter(condition, target) => {
            parts.push(condition)
        }
        None => {}
    }
}

/// `expression op $1`, where no CHECK constraint could make it true of some value.
fn compares_with_parameter(condition: Node, target: &Target) -> bool {
    let Some(op) = condition.as_a::<pg_sys::OpExpr>() else { return false };
    let is_parameter = |side: &Node| side.without_relabel().is_a::<pg_sys::Param>();
    let (parameters, others): (Vec<_>, Vec<_>) = op.args().iter().partition(is_parameter);
    !target.has_checks() && parameters.len() == 1 && !others.into_iter().any(has_parameters)
}

/// Judges every way to a row; the first that restricts nothing decides.
fn judge<'t>(
    query: Option<Query<'t>>,
    target: &Target,
    ways: &[Way<'t>],
    root: Option<Root<'t>>,
) -> Qualification {
    let top = scope::Scope::top(query);
    let own = form::Judge::new(target, root);
    for way in ways {
        let qualification = match way.of {
            Some(place) if place != target.place() => {
                let other = Target::at(place);
                form::Judge::new(&other, root).qualification(&way.conditions, way.negated_first, &top)
            }
            _ => own.qualification(&way.conditions, way.negated_first, &top),
        };
        if qualification != Qualification::Qualified {
            // A column of another relation has no name here.
            return match (&way.of, qualification) {
                (Some(place), _) if place.relation == target.relation => qualification,
                (Some(_), Qualification::OuterColumn(_) | Qualification::ComparedWithItself(_)) => {
                    Qualification::MatchesEveryRow
                }
                _ => qualification,
            };
        }
    }
    Qualification::Qualified
}

/// Whether a tree has external parameters anywhere, sub-selects included.
fn has_parameters(node: Node) -> bool {
    highest_parameter(node) > 0
}

/// The highest external parameter of a tree, 0 where there is none.
fn highest_parameter(node: Node) -> i32 {
    let mut highest = 0;
    nodes::walk(node, &mut |node: Node| {
        if let Some(param) = node.as_a::<pg_sys::Param>()
            && param.paramkind == pg_sys::ParamKind::PARAM_EXTERN
        {
            highest = highest.max(param.paramid);
        }
        Walk::Into
    });
    highest
}
