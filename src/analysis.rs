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

use crate::pg::pg_sys;
use pgrx::pg_sys::NodeTag;
use rustc_hash::{FxHashMap, FxHashSet};
use safedelete_core::command::Command;
use safedelete_core::mode::Mode;

use crate::pg::context::Context;
use crate::pg::{compat, frame, nodes, raw};
use crate::{policy, rehearsal, settings};
pub use bound::judge_bound;
use target::Target;

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
pub fn analyse(query: *mut pg_sys::Query) -> Vec<Option<Finding>> {
    let mut findings = Vec::new();
    // SAFETY: the planner's Query; ctequery is a Query where it modifies data.
    unsafe {
        if (*query).hasModifyingCTE {
            for cte in nodes::items::<pg_sys::CommonTableExpr>((*query).cteList) {
                let inner = (*cte).ctequery.cast::<pg_sys::Query>();
                if (*inner).commandType != pg_sys::CmdType::CMD_SELECT {
                    findings.push(examine(inner));
                }
            }
        }
        if (*query).commandType != pg_sys::CmdType::CMD_SELECT {
            findings.push(examine(query));
        }
    }
    findings
}

/// The finding of one data-modifying Query; `None` where it is not guarded.
///
/// # Safety
/// `query` is a Query that modifies data.
pub unsafe fn examine(query: *mut pg_sys::Query) -> Option<Finding> {
    // SAFETY: a Query.
    let command = match unsafe { (*query).commandType } {
        pg_sys::CmdType::CMD_DELETE => Command::Delete,
        pg_sys::CmdType::CMD_UPDATE => Command::Update,
        pg_sys::CmdType::CMD_MERGE => Command::Merge,
        // SAFETY: onConflict is NULL or an OnConflictExpr.
        pg_sys::CmdType::CMD_INSERT => unsafe {
            let conflict = (*query).onConflict;
            if conflict.is_null() || (*conflict).action != pg_sys::OnConflictAction::ONCONFLICT_UPDATE {
                return None;
            }
            Command::Upsert
        },
        _ => return None,
    };
    // SAFETY: a Query's resultRelation is a range table entry of a relation.
    let entry = unsafe { nodes::range_table_entry((*query).rtable, (*query).resultRelation as u32)? };
    // SAFETY: as above.
    let (relation, only) = unsafe { ((*entry).relid, !(*entry).inh) };
    let expected = if settings::is_off() && policy::effective(relation).mode == Mode::Off {
        // Nobody would enforce it: where it stands, it raises.
        std::ptr::null_mut()
    } else {
        // SAFETY: the planner's Query, which it scribbles on, too.
        unsafe { expected::take(query) }
    };
    // SAFETY: a Query that writes `entry`.
    let Some(target) = (unsafe { Target::of_query(query, entry) }) else {
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
    // SAFETY: as above.
    let sets_volatile = command == Command::Update && unsafe { values::hang_on_time(query) };
    let mut finding = Finding {
        guarded,
        frozen,
        expected,
        sets_volatile,
        // SAFETY: as above.
        joins_view: unsafe { (*entry).relkind as u8 == pg_sys::RELKIND_VIEW && is_joined(query) },
        ..Finding::of_keyed(command, relation, only, target.index)
    };
    if command == Command::Upsert || !guarded {
        return Some(finding);
    }
    // SAFETY: as above.
    let is_original = unsafe { (*query).querySource } == pg_sys::QuerySource::QSRC_ORIGINAL;
    // SAFETY: as above.
    if is_original && command != Command::Merge && target.is_keyed(unsafe { (*(*query).jointree).quals }) {
        // SAFETY: as above. A view's columns go by another number.
        if !frozen && target.index == unsafe { (*query).resultRelation } {
            known::remember(&target);
        }
        return Some(finding);
    }
    // What is made on the way to the finding is given back.
    let aside = Context::new(c"safedelete analysis");
    // SAFETY: as above.
    let judged = aside.within(|| unsafe { judge_statement(query, entry, command, &target) });
    let Some((qualification, deferred)) = judged else {
        return (!expected.is_null()).then_some(Finding { guarded: false, ..finding });
    };
    finding.qualification = qualification;
    if qualification == Qualification::Deferred {
        finding.conditions = kept(&deferred, &target);
    }
    Some(finding)
}

/// Whether a statement names other relations beside its target (USING, FROM), which may bring a row of it again.
///
/// # Safety
/// `query` is a Query that modifies data.
unsafe fn is_joined(query: *mut pg_sys::Query) -> bool {
    // SAFETY: a Query's jointree is a FromExpr.
    let from = unsafe { (*(*query).jointree).fromlist };
    nodes::length(from) != 1
        || nodes::items::<pg_sys::Node>(from).any(|item| nodes::tag(item) != NodeTag::T_RangeTblRef)
}

/// Judges what a statement says of its target; with what is to be kept where parameters decide. `None` where
/// it writes nothing that was there.
///
/// # Safety
/// `query` is a DELETE, UPDATE or MERGE that writes `entry`.
unsafe fn judge_statement(
    query: *mut pg_sys::Query,
    entry: *mut pg_sys::RangeTblEntry,
    command: Command,
    target: &Target,
) -> Option<(Qualification, Vec<Way>)> {
    // SAFETY: by contract.
    let ways = unsafe { ways_to_a_row(query, entry, command, target) };
    if command == Command::Merge && ways.is_empty() {
        // Only INSERT and DO NOTHING.
        return None;
    }
    if ways.iter().all(|way| way.is_keyed(target)) {
        return Some((Qualification::Qualified, Vec::new()));
    }
    let ways = folded(ways);
    if !has_parameters(nodes::list(distinct(&ways))) {
        return Some((judge(query, target, &ways, std::ptr::null_mut()), Vec::new()));
    }
    // What holds whatever is bound decides for every execution.
    match judge(query, target, &settled(&ways, target), std::ptr::null_mut()) {
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
pub struct Way {
    /// Whose rows are to be restricted, where not the target's: those of the statement that a rule
    /// made another of.
    of: Option<Place>,
    conditions: Vec<*mut pg_sys::Node>,
    /// The first condition counts negated (MERGE ... NOT MATCHED BY SOURCE).
    negated_first: bool,
}

impl Way {
    fn is_keyed(&self, target: &Target) -> bool {
        !self.negated_first && self.of.is_none() && self.conditions.iter().any(|c| target.is_keyed(*c))
    }
}

/// The conditions of the ways, each once, though they may share some: MERGE's ON, row security's.
fn distinct(ways: &[Way]) -> Vec<*mut pg_sys::Node> {
    let mut known = FxHashSet::default();
    ways.iter().flat_map(|way| &way.conditions).copied().filter(|c| known.insert(*c)).collect()
}

/// The ways with those conditions alone whose reading no bound value changes.
fn settled(ways: &[Way], target: &Target) -> Vec<Way> {
    let mut of_each = FxHashMap::default();
    for condition in distinct(ways) {
        let mut parts = Vec::new();
        settled_parts(condition, target, &mut parts);
        of_each.insert(condition, (parts, has_parameters(condition)));
    }
    let settle = |way: &Way| {
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
fn kept(ways: &[Way], target: &Target) -> *mut pg_sys::List {
    let distinct = distinct(ways);
    let numbers: FxHashMap<_, _> = distinct.iter().enumerate().map(|(i, c)| (*c, i as i32)).collect();
    // SAFETY: copies and lists in the current memory context.
    let copies = distinct.iter().map(|c| unsafe { pg_sys::copyObjectImpl(c.cast()) });
    let conditions = nodes::list(copies);
    let lists = ways.iter().map(|way| {
        let place = way.of.unwrap_or_else(|| target.place());
        let head = [way.negated_first.into(), place.relation.to_u32() as i32, place.only.into(), place.index];
        let named = way.conditions.iter().filter_map(|condition| numbers.get(condition).copied());
        head.into_iter().chain(named).fold(std::ptr::null_mut(), |list, number| {
            // SAFETY: as above.
            unsafe { pg_sys::lappend_int(list, number) }
        })
    });
    nodes::list(std::iter::once(conditions).chain(lists))
}

/// Kept ways, with what folding makes of their conditions.
fn read_kept(kept: *mut pg_sys::List, root: *mut pg_sys::PlannerInfo) -> Vec<Way> {
    let mut lists = nodes::items::<pg_sys::List>(kept);
    let conditions = nodes::items(lists.next().unwrap_or(std::ptr::null_mut()));
    let conditions: Vec<_> = conditions.map(|condition| fold(condition, root)).collect();
    let way = |list: *mut pg_sys::List| {
        let mut numbers = nodes::integers(list);
        let negated_first = numbers.next()? != 0;
        let relation = pg_sys::Oid::from(numbers.next()? as u32);
        let place = Place { relation, only: numbers.next()? != 0, index: numbers.next()? };
        let conditions = numbers.filter_map(|i| conditions.get(i as usize).copied()).collect();
        Some(Way { of: Some(place), conditions, negated_first })
    };
    lists.filter_map(way).collect()
}

/// The ways with what folding makes of their conditions: of one that they share, once.
fn folded(ways: Vec<Way>) -> Vec<Way> {
    let mut known = FxHashMap::default();
    let mut fold = |condition: *mut pg_sys::Node| {
        *known.entry(condition).or_insert_with(|| fold(condition, std::ptr::null_mut()))
    };
    let folded = |way: Way| {
        let conditions = way.conditions.iter().map(|condition| fold(*condition)).collect();
        Way { conditions, ..way }
    };
    ways.into_iter().map(folded).collect()
}

/// # Safety
/// `query` is a DELETE, UPDATE or MERGE that writes `entry`.
unsafe fn ways_to_a_row(
    query: *mut pg_sys::Query,
    entry: *mut pg_sys::RangeTblEntry,
    command: Command,
    target: &Target,
) -> Vec<Way> {
    // SAFETY: by contract; transformDeleteStmt and its siblings never leave jointree NULL.
    unsafe {
        // Row security conditions of the target, and those of security-barrier views.
        let mut shared: Vec<_> = nodes::items::<pg_sys::Node>((*entry).securityQuals).collect();
        if command != Command::Merge {
            let mut condition = (*(*query).jointree).quals;
            if target.has_rules() {
                condition = rules::without_added(query, target.place(), condition);
            }
            shared.extend(present(condition));
            let mut ways = vec![Way { of: None, conditions: shared, negated_first: false }];
            if (*query).querySource != pg_sys::QuerySource::QSRC_ORIGINAL {
                ways.extend(rules::of_the_statement(query, condition));
            }
            return ways;
        }
        shared.extend(present(compat::merge_view_condition(query)));
        let join = compat::merge_condition(query);
        nodes::items::<pg_sys::MergeAction>((*query).mergeActionList)
            .filter(|action| {
                matches!((**action).commandType, pg_sys::CmdType::CMD_UPDATE | pg_sys::CmdType::CMD_DELETE)
            })
            .map(|action| {
                let negated_first = compat::not_matched_by_source(action) && !join.is_null();
                let mut conditions: Vec<_> = present(join).collect();
                conditions.extend(present((*action).qual));
                conditions.extend(&shared);
                Way { of: None, conditions, negated_first }
            })
            .collect()
    }
}

fn settled_parts(condition: *mut pg_sys::Node, target: &Target, parts: &mut Vec<*mut pg_sys::Node>) {
    let arms = match nodes::tag(condition) {
        NodeTag::T_List => Some(condition.cast::<pg_sys::List>()),
        NodeTag::T_BoolExpr => {
            let expression = condition.cast::<pg_sys::BoolExpr>();
            // SAFETY: the tag says BoolExpr.
            unsafe { ((*expression).boolop == pg_sys::BoolExprType::AND_EXPR).then_some((*expression).args) }
        }
        _ => None,
    };
    match arms {
        Some(arms) => nodes::items(arms).for_each(|arm| settled_parts(arm, target, parts)),
        None if !has_parameters(condition) || compares_with_parameter(condition, target) => {
            parts.push(condition)
        }
        None => {}
    }
}

/// `expression op $1`, where no CHECK constraint could make it true of some value.
fn compares_with_parameter(condition: *mut pg_sys::Node, target: &Target) -> bool {
    let Some(op) = nodes::cast::<pg_sys::OpExpr, _>(condition, NodeTag::T_OpExpr) else { return false };
    // SAFETY: the tag says OpExpr.
    let sides = unsafe { nodes::items::<pg_sys::Node>((*op).args).collect::<Vec<_>>() };
    let is_parameter = |side: *mut pg_sys::Node| nodes::tag(nodes::strip_relabel(side)) == NodeTag::T_Param;
    !target.has_checks()
        && sides.iter().filter(|side| is_parameter(**side)).count() == 1
        && sides.iter().filter(|side| !is_parameter(**side)).all(|side| !has_parameters(*side))
}

fn present(node: *mut pg_sys::Node) -> impl Iterator<Item = *mut pg_sys::Node> {
    (!node.is_null()).then_some(node).into_iter()
}

/// Judges every way to a row; the first that restricts nothing decides.
fn judge(
    query: *mut pg_sys::Query,
    target: &Target,
    ways: &[Way],
    root: *mut pg_sys::PlannerInfo,
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

/// Constant folding, PostgreSQL's own.
fn fold(node: *mut pg_sys::Node, root: *mut pg_sys::PlannerInfo) -> *mut pg_sys::Node {
    frame::call(|| {
        #[allow(ffi_unwind_calls, reason = "inside frame::call; the closure owns nothing")]
        // SAFETY: eval_const_expressions copies what it changes.
        unsafe {
            raw::eval_const_expressions(root, node)
        }
    })
}

/// Whether a tree has external parameters anywhere, sub-selects included.
fn has_parameters<T>(node: *mut T) -> bool {
    highest_parameter(node) > 0
}

/// The highest external parameter of a tree, 0 where there is none.
fn highest_parameter<T>(node: *mut T) -> i32 {
    let mut highest = 0;
    let context: *mut i32 = &mut highest;
    frame::call(|| {
        #[allow(ffi_unwind_calls, reason = "inside frame::call; the closure owns nothing")]
        // SAFETY: the walker only reads the tree and writes `highest`.
        unsafe {
            parameter_walker(node.cast(), context.cast())
        }
    });
    highest
}

#[allow(ffi_unwind_calls, reason = "a bare frame: it owns nothing and cannot panic")]
unsafe extern "C-unwind" fn parameter_walker(
    node: *mut pg_sys::Node,
    context: *mut core::ffi::c_void,
) -> bool {
    // SAFETY: a node or NULL; `context` is the i32 of highest_parameter.
    unsafe {
        match nodes::tag(node) {
            NodeTag::T_Invalid | NodeTag::T_IntList => false,
            NodeTag::T_Param => {
                let param = node.cast::<pg_sys::Param>();
                if (*param).paramkind == pg_sys::ParamKind::PARAM_EXTERN {
                    let highest = context.cast::<i32>();
                    *highest = (*highest).max((*param).paramid);
                }
                false
            }
            NodeTag::T_Query => raw::query_tree_walker(node.cast(), parameter_walker, context, 0),
            _ => raw::expression_tree_walker(node, parameter_walker, context),
        }
    }
}
