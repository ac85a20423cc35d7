//! The table's own constraints as premises: the valid CHECKs that can only be true (a CHECK also passes
//! where it is NULL), and NOT NULL of the columns that they and the condition name.
//!
//! Folding and proving evaluate functions, and of a CHECK constraint PostgreSQL would evaluate nothing for
//! the statement: a function in it is its author's, and may be forbidden to the role, raise an error or do
//! what it likes. So only what is made of built-in immutable functions over built-in types is a premise.

use std::cell::OnceCell;

use super::effort::{Effort, Size};
use super::evaluable::is_provable;
use super::nulls::is_null_only_for_null;
use super::prover::{columns_of, null_test};
use super::target::{Check, Target};
use crate::pg::nodes::Node;
use crate::pg::nodes::expressions::implied_by;
use crate::pg::pg_sys;

/// Something that is true of every row of the table.
struct Premise<'t> {
    node: Node<'t>,
    columns: Vec<i16>,
    size: Size,
}

/// What the table's constraints say, each read when a condition on its columns is.
pub struct Premises<'t>(Vec<OnceCell<Vec<Premise<'t>>>>);

impl<'t> Premises<'t> {
    pub fn of(target: &Target) -> Premises<'t> {
        Premises(target.checks().iter().map(|_| OnceCell::new()).collect())
    }

    /// Whether the constraints make a condition, or NOT of it, true for every row.
    pub fn imply(&self, condition: Node<'t>, not: bool, target: &Target, effort: &Effort) -> bool {
        let Some(size) = effort.size(condition) else { return false };
        let Some(columns) = immutable_columns(condition, target) else { return false };
        // A constraint on other columns says nothing of these.
        let checks = target.checks().iter().zip(&self.0);
        let checks = checks.filter(|(check, _)| check.columns.iter().any(|c| columns.contains(c)));
        let said = checks.flat_map(|(check, said)| said.get_or_init(|| premises(check, target, effort)));
        let about: Vec<_> = said.filter(|said| said.columns.iter().any(|c| columns.contains(c))).collect();
        if about.is_empty() || !is_provable(condition) {
            return false;
        }
        let all = about.iter().fold(Size { nodes: 1, depth: 1 }, |all, premise| Size {
            nodes: all.nodes + premise.size.nodes,
            depth: all.depth.max(premise.size.depth + 1),
        });
        if !effort.afford_proof(size, all) {
            return false;
        }
        let known = columns.iter().filter(|column| **column > 0 && target.is_not_null(**column));
        let known = known.map(|column| null_test(*column, target, pg_sys::NullTestType::IS_NOT_NULL));
        let premises = about.iter().map(|premise| premise.node).chain(known);
        implied_by(if not { condition.negated() } else { condition }, premises)
    }
}

/// What a constraint says that can only be true: a CHECK also passes where it is NULL.
fn premises<'t>(check: &Check, target: &Target, effort: &Effort) -> Vec<Premise<'t>> {
    let Some(expression) = target.expression(check) else { return Vec::new() };
    let premise = |node| {
        let columns = immutable_columns(node, target)?;
        let is_true = columns.iter().all(|c| target.is_not_null(*c)) && is_null_only_for_null(node, target);
        Some(Premise { node, columns, size: effort.size(node).filter(|_| is_true)? })
    };
    expression.folded(None).parts_of_check().iter().filter_map(premise).collect()
}

/// The columns of the target that a condition names; `None` where it names or calls anything that varies
/// beside.
fn immutable_columns(condition: Node, target: &Target) -> Option<Vec<i16>> {
    if condition.has_sub_selects() || condition.is_mutable() {
        return None;
    }
    columns_of(condition, 0, target)
}
