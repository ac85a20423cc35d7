//! The ways to a row: the conditions of each, what of them no bound value changes, how a plan keeps them, and
//! whether each restricts.

use rustc_hash::{FxHashMap, FxHashSet};

use super::finding::Qualification;
use super::judge::Judge;
use super::parameters::has_parameters;
use super::scope::Scope;
use super::target::{Place, Target};
use crate::pg::nodes::expressions::Root;
use crate::pg::nodes::{self, Kind, Node, Nodes};
use crate::pg::pg_sys;

/// One way to a row: conditions that all hold for a row that is written.
pub struct Way<'t> {
    /// Whose rows are to be restricted, where not the target's: those of the statement that a rule
    /// made another of.
    pub(super) of: Option<Place>,
    pub(super) conditions: Vec<Node<'t>>,
    /// The first condition counts negated (MERGE ... NOT MATCHED BY SOURCE).
    pub(super) negated_first: bool,
}

impl Way<'_> {
    pub(super) fn is_keyed(&self, target: &Target) -> bool {
        !self.negated_first && self.of.is_none() && self.conditions.iter().any(|c| target.is_keyed(*c))
    }
}

/// The conditions of the ways, each once, though they may share some: MERGE's ON, row security's.
pub fn distinct<'t>(ways: &[Way<'t>]) -> Vec<Node<'t>> {
    let mut known = FxHashSet::default();
    ways.iter().flat_map(|way| &way.conditions).copied().filter(|c| known.insert(*c)).collect()
}

/// The ways with those conditions alone whose reading no bound value changes.
pub fn settled<'t>(ways: &[Way<'t>], target: &Target) -> Vec<Way<'t>> {
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
pub fn kept<'t>(ways: &[Way<'t>], target: &Target) -> Nodes<'t> {
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
pub fn read_kept<'t>(kept: Nodes<'t>, root: Option<Root<'t>>) -> Vec<Way<'t>> {
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
pub fn folded<'t>(ways: Vec<Way<'t>>) -> Vec<Way<'t>> {
    let mut known = FxHashMap::default();
    let folded = |way: Way<'t>| {
        let fold = |condition: &Node<'t>| *known.entry(*condition).or_insert_with(|| condition.folded(None));
        let conditions = way.conditions.iter().map(fold).collect();
        Way { conditions, ..way }
    };
    ways.into_iter().map(folded).collect()
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
pub fn judge<'t>(
    query: Option<Node<'t, pg_sys::Query>>,
    target: &Target,
    ways: &[Way<'t>],
    root: Option<Root<'t>>,
) -> Qualification {
    let top = Scope::top(query);
    let own = Judge::new(target, root);
    for way in ways {
        let qualification = match way.of {
            Some(place) if place != target.place() => {
                let other = Target::at(place);
                Judge::new(&other, root).qualification(&way.conditions, way.negated_first, &top)
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
