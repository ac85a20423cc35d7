//! Whether an OR covers every row, and whether premises make a condition true. PostgreSQL's prover
//! decides; this room only asks it questions whose answer means "true for every row", minding NULL: the
//! prover speaks of rows for which the premises are true. It evaluates operators on constants, so it is
//! asked only of what may run here (premises.rs), and each question is charged before it is put.

use std::collections::BTreeMap;

use crate::pg::pg_sys;
use pgrx::pg_sys::NodeTag;

use super::effort::{Effort, Size};
use super::nulls::{is_null_only_for_null, is_two_valued};
use super::premises::is_provable;
use super::target::Target;
use crate::pg::{compat, frame, nodes, raw};

/// An OR's arms on one column are proved together only up to this many: the proof is quadratic,
/// and a statement that lists thousands of values is no tautology.
const MOST_ARMS: usize = 12;
/// Among more than so many, equalities are left out: they make up for nothing but an inequality.
const FEW_ARMS: usize = 4;

pub fn implied_by(conclusion: *mut pg_sys::Node, premises: *mut pg_sys::List) -> bool {
    let conclusions = nodes::list([conclusion]);
    frame::call(|| {
        #[allow(ffi_unwind_calls, reason = "inside frame::call; the closure owns nothing")]
        // SAFETY: both are implicit-AND lists of folded boolean expressions.
        unsafe {
            raw::predicate_implied_by(conclusions, premises, false)
        }
    })
}

pub fn negated(clause: *mut pg_sys::Node) -> *mut pg_sys::Node {
    frame::call(|| {
        #[allow(ffi_unwind_calls, reason = "inside frame::call; the closure owns nothing")]
        // SAFETY: a boolean expression; negate_clause copies what it changes.
        unsafe {
            raw::negate_clause(clause)
        }
    })
}

/// An arm of an OR, and what it is when it is not.
#[derive(Clone, Copy)]
struct Arm {
    node: *mut pg_sys::Node,
    negated: *mut pg_sys::Node,
    size: Size,
}

/// Whether some arm of an OR is true for every row: one arm is true wherever the others are not.
/// Arms are proved together that name the same columns.
pub fn covers_every_row(arms: &[*mut pg_sys::Node], target: &Target, effort: &Effort) -> bool {
    let mut groups: BTreeMap<Vec<i16>, Vec<(*mut pg_sys::Node, Size)>> = BTreeMap::new();
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
            arms.into_iter().map(|(node, size)| Arm { node, negated: negated(node), size }).collect();
        // Arms that are never NULL may cover every row where with the others it cannot be shown.
        let two_valued: Vec<_> = arms.iter().copied().filter(|arm| is_two_valued(arm.node)).collect();
        covers(&arms, &columns, target, effort)
            || (two_valued.len() < arms.len()
                && two_valued.len() > 1
                && covers(&two_valued, &columns, target, effort))
    })
}

/// The columns of the target that an expression names, where it names nothing else that varies.
fn only_columns(node: *mut pg_sys::Node, target: &Target) -> Option<Vec<i16>> {
    // SAFETY: pull_var_clause and its like only read the tree.
    unsafe {
        if pg_sys::contain_subplans(node) || pg_sys::contain_volatile_functions(node) {
            return None;
        }
        let flags = (pg_sys::PVC_RECURSE_PLACEHOLDERS | pg_sys::PVC_RECURSE_AGGREGATES) as i32;
        let vars = nodes::items::<pg_sys::Node>(pg_sys::pull_var_clause(node, flags));
        let mut columns = vars.map(|var| target.column(var, 0)).collect::<Option<Vec<_>>>()?;
        columns.sort_unstable();
        columns.dedup();
        (!columns.is_empty()).then_some(columns)
    }
}

fn is_equality(node: *mut pg_sys::Node) -> bool {
    // SAFETY: each cast follows the node's tag.
    let operator = unsafe {
        match nodes::tag(node) {
            NodeTag::T_OpExpr => (*node.cast::<pg_sys::OpExpr>()).opno,
            NodeTag::T_ScalarArrayOpExpr => (*node.cast::<pg_sys::ScalarArrayOpExpr>()).opno,
            _ => return false,
        }
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
        let premises = nodes::list(others().map(|arm| arm.negated));
        if !implied_by(arms[last].node, premises) {
            return false;
        }
        // ... and where one is NULL, a column is, so some arm has to be true of that NULL.
        if others().all(|arm| is_two_valued(arm.node)) {
            return true;
        }
        arms.iter().all(|arm| is_two_valued(arm.node) || is_null_only_for_null(arm.node, target))
            && nullable.iter().all(|column| {
                let is_null = nodes::list([null_test(**column, target, pg_sys::NullTestType::IS_NULL)]);
                arms.iter().any(|arm| {
                    effort.afford_proof(arm.size, Size { nodes: 2, depth: 0 })
                        && implied_by(arm.node, is_null)
                })
            })
    })
}

pub fn null_test(column: i16, target: &Target, kind: pg_sys::NullTestType::Type) -> *mut pg_sys::Node {
    // SAFETY: makes nodes; the column's type is the catalog's.
    unsafe {
        let (mut kind_of, mut modifier, mut collation) = (pg_sys::InvalidOid, -1, pg_sys::InvalidOid);
        pg_sys::get_atttypetypmodcoll(target.relation, column, &mut kind_of, &mut modifier, &mut collation);
        let test = pg_sys::palloc0(size_of::<pg_sys::NullTest>()).cast::<pg_sys::NullTest>();
        (*test).xpr.type_ = NodeTag::T_NullTest;
        (*test).arg = pg_sys::makeVar(target.index as _, column, kind_of, modifier, collation, 0).cast();
        (*test).nulltesttype = kind;
        (*test).location = -1;
        test.cast()
    }
}
