//! Whether an OR covers every row, and whether premises make a condition true. PostgreSQL's prover
//! decides; this room only asks it questions whose answer means "true for every row", minding NULL: the
//! prover speaks of rows for which the premises are true. It evaluates operators on constants, so it is
//! asked only of what may run here (evaluable.rs), and each question is charged before it is put.

use std::collections::BTreeMap;

use super::effort::{Effort, Size};
use super::evaluable::is_provable;
use super::nulls::{is_null_only_for_null, is_two_valued};
use super::target::Target;
use crate::pg::nodes::expressions::{self, implied_by};
use crate::pg::nodes::{Kind, Node};
use crate::pg::{compat, pg_sys};

/// An OR's arms on one column are proved together only up to this many: the proof is quadratic,
/// and a statement that lists thousands of values is no tautology.
const MOST_ARMS: usize = 12;
/// Among more than so many, equalities are left out: they make up for nothing but an inequality.
const FEW_ARMS: usize = 4;

/// An arm of an OR, and what it is when it is not.
#[derive(Clone, Copy)]
struct Arm<'t> {
    node: Node<'t>,
    negated: Node<'t>,
    size: Size,
}

/// Whether some arm of an OR is true for every row: one arm is true wherever the others are not.
/// Arms are proved together that name the same columns.
pub fn covers_every_row(arms: &[Node], target: &Target, effort: &Effort) -> bool {
    let mut groups: BTreeMap<Vec<i16>, Vec<(Node, Size)>> = BTreeMap::new();
    for arm in arms {
        let Some(size) = effort.size(*arm) else { return false };
        if let Some(columns) = only_columns(*arm, target) {
            groups.entry(columns).or_default().push((*arm, size));
        }
    }
    groups.into_iter().any(|(columns, mut arms)| {
        if arms.len() > FEW_ARMS {
            arms.retain(|(arm, _)| !is_equality(*arm));
        }
        // An operator may lead to functions that are not to be run here.
        if arms.len() < 2 || arms.len() > MOST_ARMS || !arms.iter().all(|(arm, _)| is_provable(*arm)) {
            return false;
        }
        let arms: Vec<_> =
            arms.into_iter().map(|(node, size)| Arm { node, negated: node.negated(), size }).collect();
        // Arms that are never NULL may cover every row where with the others it cannot be shown.
        let two_valued: Vec<_> = arms.iter().copied().filter(|arm| is_two_valued(arm.node)).collect();
        covers(&arms, &columns, target, effort)
            || (two_valued.len() < arms.len()
                && two_valued.len() > 1
                && covers(&two_valued, &columns, target, effort))
    })
}

/// The columns of the target that an expression names, where it names nothing else that varies.
fn only_columns(node: Node, target: &Target) -> Option<Vec<i16>> {
    if node.has_sub_selects() || node.is_volatile() {
        return None;
    }
    let flags = pg_sys::PVC_RECURSE_PLACEHOLDERS | pg_sys::PVC_RECURSE_AGGREGATES;
    columns_of(node, flags, target).filter(|columns| !columns.is_empty())
}

/// The columns of the target that an expression names, each once; `None` where it names another's.
pub fn columns_of(node: Node, flags: u32, target: &Target) -> Option<Vec<i16>> {
    let columns = node.variables(flags).iter().map(|variable| target.column(variable, 0));
    let mut columns = columns.collect::<Option<Vec<_>>>()?;
    columns.sort_unstable();
    columns.dedup();
    Some(columns)
}

fn is_equality(node: Node) -> bool {
    let operator = match node.kind() {
        Kind::OpExpr(op) => op.opno,
        Kind::ScalarArrayOpExpr(op) => op.opno,
        _ => return false,
    };
    compat::btree_strategies(operator) & (1 << pg_sys::BTEqualStrategyNumber) != 0
}

/// Arms on the same columns. For some arm: where it is false the others make up for it, and where
/// it is NULL (which a comparison is only for a NULL column) they do as well.
fn covers(arms: &[Arm], columns: &[i16], target: &Target, effort: &Effort) -> bool {
    let nullable: Vec<_> = columns.iter().filter(|column| !target.is_not_null(**column)).collect();
    (0..arms.len()).any(|last| {
        let others = || arms.iter().enumerate().filter(move |(i, _)| *i != last).map(|(_, arm)| *arm);
        let all = others().fold(Size { nodes: 1, depth: 1 }, |all, arm| Size {
            nodes: all.nodes + arm.size.nodes,
            depth: all.depth.max(arm.size.depth + 1),
        });
        if !effort.afford_proof(arms[last].size, all) {
            return false;
        }
        // Where every other arm is false, this one has to be true ...
        if !implied_by(arms[last].node, others().map(|arm| arm.negated)) {
            return false;
        }
        // ... and where one is NULL, a column is, so some arm has to be true of that NULL.
        if others().all(|arm| is_two_valued(arm.node)) {
            return true;
        }
        arms.iter().all(|arm| is_two_valued(arm.node) || is_null_only_for_null(arm.node, target))
            && nullable.iter().all(|column| {
                let is_null = null_test(**column, target, pg_sys::NullTestType::IS_NULL);
                arms.iter().any(|arm| {
                    effort.afford_proof(arm.size, Size { nodes: 2, depth: 0 })
                        && implied_by(arm.node, [is_null])
                })
            })
    })
}

pub fn null_test<'t>(column: i16, target: &Target, kind: pg_sys::NullTestType::Type) -> Node<'t> {
    expressions::null_test(expressions::variable(target.relation, target.index, column), kind)
}
