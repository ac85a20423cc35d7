//! The table a statement writes, and the facts of its columns that rule `where` judges by: which
//! cannot be NULL, and which a CHECK constraint speaks of.

use rustc_hash::{FxBuildHasher, FxHashMap as HashMap};
use std::rc::Rc;

use super::evaluable::is_evaluable;
use super::finding::looks_at_all;
use super::lists;
use crate::ledger::Summed;
use crate::pg::local::Lent;
use crate::pg::nodes::{Kind, Node, Nodes};
use crate::pg::relcache::{self, Opened};
use crate::pg::write::Write;
use crate::pg::{inheritance, pg_sys};
use crate::policy::{self, InForce};
use crate::settings;

/// What is kept of a relation; of its columns, counted from 0.
#[derive(Default)]
struct Facts {
    not_null: Vec<bool>,
    /// A valid CHECK constraint that may be evaluated names the column.
    checked: Vec<bool>,
    checks: Vec<Check>,
    has_rules: bool,
    has_children: bool,
    partitioned: bool,
    /// It is a part of another, or has parts.
    in_tree: bool,
    in_force: Rc<InForce>,
}

impl Facts {
    /// Whether its own rows are others than those of the tree below it: of a partitioned table, which an upsert names
    /// as if alone, there are no own ones.
    fn has_rows_apart(&self) -> bool {
        self.has_children && !self.partitioned
    }
}

/// A valid CHECK constraint that may be evaluated here (evaluable.rs).
pub struct Check {
    /// Its number among the table's constraints.
    number: usize,
    pub columns: Vec<i16>,
}

type Cache = HashMap<pg_sys::Oid, Rc<Facts>>;

static CACHE: Lent<Cache> = Lent::new(HashMap::with_hasher(FxBuildHasher));
static LAST: Lent<Option<(pg_sys::Oid, Rc<Facts>)>> = Lent::new(None);

/// Forgets a relation's facts, or everyone's. Called by the relcache callback; raises nothing.
pub fn forget(relation: pg_sys::Oid) {
    LAST.with(|last| *last = None);
    CACHE.with(|cache| {
        if relation == pg_sys::InvalidOid {
            cache.clear();
        } else {
            cache.remove(&relation);
        }
    });
}

/// What the rows of a write are summed for.
pub fn summed(Write { relation, only, .. }: Write) -> Summed {
    Summed { relation, only: only && facts(relation).has_rows_apart() }
}

/// The same where it is known. Owns and allocates nothing, so bare frames may call it.
#[inline]
pub fn known_summed(Write { relation, only, .. }: Write) -> Option<Summed> {
    if !only {
        return Some(Summed { relation, only });
    }
    let only = CACHE.try_with(|cache| Some(cache.get(&relation)?.has_rows_apart()))??;
    Some(Summed { relation, only })
}

/// Whether a table has other names to be written by: of what it is a part of, or of its parts.
pub fn is_in_tree(relation: pg_sys::Oid) -> bool {
    facts(relation).in_tree
}

fn facts(relation: pg_sys::Oid) -> Rc<Facts> {
    // Sessions write the same table again and again.
    let last = LAST.with(|last| match last {
        Some((same, facts)) if *same == relation => Some(Rc::clone(facts)),
        _ => None,
    });
    if let Some(facts) = last {
        return facts;
    }
    let facts = look_up(relation);
    if CACHE.with(|cache| cache.contains_key(&relation)) {
        LAST.with(|last| *last = Some((relation, Rc::clone(&facts))));
    }
    facts
}

fn look_up(relation: pg_sys::Oid) -> Rc<Facts> {
    if let Some(facts) = CACHE.with(|cache| cache.get(&relation).cloned()) {
        return facts;
    }
    let as_of = settings::generation();
    let facts = Rc::new(read(relation));
    // Reading may take in invalidations, and what was read may be older than they are.
    if as_of == settings::generation() {
        CACHE.with(|cache| cache.insert(relation, Rc::clone(&facts)));
        return facts;
    }
    Rc::new(read(relation))
}

fn read(relation: pg_sys::Oid) -> Facts {
    let mut facts = Facts { in_force: policy::of(relation), ..Facts::default() };
    // Asked for by `check`, too, which locks no table that TRUNCATE would reach.
    let Some(opened) = Opened::shared(relation) else { return facts };
    let count = opened.column_count();
    facts.not_null = (0..count).map(|column| opened.is_not_null(column)).collect();
    facts.checked = vec![false; count];
    facts.has_rules = opened.rules().len() > 0;
    facts.has_children = opened.has_children();
    facts.partitioned = opened.kind() == pg_sys::RELKIND_PARTITIONED_TABLE;
    facts.in_tree = facts.has_children || facts.partitioned || inheritance::is_part(relation);
    for (number, check) in opened.checks().enumerate() {
        let Some(check) = evaluable(&check, true) else { continue };
        let columns = check.variables(0).iter().filter_map(|var| column(var, 1, 0));
        let mut columns: Vec<_> = columns.filter(|column| (1..=count as i16).contains(column)).collect();
        columns.sort_unstable();
        columns.dedup();
        for column in &columns {
            facts.checked[*column as usize - 1] = true;
        }
        facts.checks.push(Check { number, columns });
    }
    facts
}

/// The expression of a CHECK constraint that is validated, as get_relation_constraints reads it, and may be
/// evaluated here.
fn evaluable<'t>(check: &relcache::Check, with_no_inherit: bool) -> Option<Node<'t>> {
    let counts = check.is_valid() && (with_no_inherit || check.is_inherited());
    counts.then(|| check.condition())?.filter(|condition| is_evaluable(*condition))
}

/// A relation, as conditions call it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Place {
    pub relation: pg_sys::Oid,
    pub only: bool,
    pub index: i32,
}

/// What a statement writes, as its conditions call it.
pub struct Target {
    pub relation: pg_sys::Oid,
    /// The range table index of its columns in the statement's conditions.
    pub index: i32,
    only: bool,
    facts: Rc<Facts>,
}

impl Target {
    /// What a query writes, `entry` of its range table; `None` where that is exempt.
    pub fn of_query(
        query: Node<pg_sys::Query>,
        entry: Node<pg_sys::RangeTblEntry>,
        Write { relation, only, .. }: Write,
    ) -> Option<Target> {
        let facts = facts(relation);
        if facts.in_force.is_exempt() && !looks_at_all() {
            return None;
        }
        let mut index = query.resultRelation;
        if entry.relkind as u8 == pg_sys::RELKIND_VIEW {
            // INSTEAD OF triggers: ApplyRetrieveRule leaves the view's columns to the entry
            // that it expands, and adds a whole-row Var of that one.
            index = view_source(query).unwrap_or(index);
        }
        Some(Target { relation, index, only, facts })
    }

    pub fn at(Place { relation, only, index }: Place) -> Target {
        Target { relation, index, only, facts: facts(relation) }
    }

    /// Whether a column can hold no NULL in any row the statement reaches. In an inheritance tree a
    /// child may lack its parent's constraint, as the planner minds too.
    pub fn is_not_null(&self, attribute: i16) -> bool {
        if attribute <= 0 {
            // System columns, and the row itself, whatever its columns hold.
            return true;
        }
        let inherited = !self.only && self.facts.has_children && !self.facts.partitioned;
        !inherited && self.facts.not_null.get(attribute as usize - 1).copied().unwrap_or(false)
    }

    /// What is in force for the table.
    #[inline]
    pub fn in_force(&self) -> &InForce {
        &self.facts.in_force
    }

    /// Whether parts of the table, that may have policies of their own, are written with it.
    pub fn has_parts(&self) -> bool {
        !self.only && (self.facts.partitioned || self.facts.has_children)
    }

    pub fn has_rules(&self) -> bool {
        self.facts.has_rules
    }

    pub fn place(&self) -> Place {
        Place { relation: self.relation, only: self.only, index: self.index }
    }

    pub fn has_checks(&self) -> bool {
        !self.facts.checks.is_empty()
    }

    fn is_checked(&self, attribute: i16) -> bool {
        attribute > 0 && self.facts.checked.get(attribute as usize - 1).copied().unwrap_or(true)
    }

    /// The first 64 columns, as far as CHECK constraints speak of them, a bit each.
    pub fn checked(&self) -> u64 {
        let first = self.facts.checked.iter().take(64).enumerate();
        first.fold(0, |bits, (i, checked)| bits | u64::from(*checked) << i)
    }

    /// The CHECK constraints that may be evaluated.
    pub fn checks(&self) -> &[Check] {
        &self.facts.checks
    }

    /// The expression of one, with the target's columns as the statement calls them; `None` where it does not
    /// hold for all rows that the statement reaches.
    pub fn expression<'t>(&self, check: &Check) -> Option<Node<'t>> {
        let opened = Opened::locked(self.relation);
        let everywhere = self.only || !self.facts.has_children;
        let expression = evaluable(&opened.checks().nth(check.number)?, everywhere)?;
        if self.index != 1 {
            expression.change_vars(1, self.index);
        }
        Some(expression)
    }

    /// The short circuit for nearly every statement; see [`is_keyed`].
    pub fn is_keyed(&self, condition: Node) -> bool {
        is_keyed(condition, self.index, &|attribute| self.is_checked(attribute), &lists::restricts)
    }

    /// The attribute number, where `node` is a column of the target seen from `levels` below it.
    pub fn column(&self, node: Node, levels: u32) -> Option<i16> {
        column(node, self.index, levels)
    }
}

/// The attribute number, where `node` is a column of the relation of this range table index, seen from `levels` below.
#[inline(always)]
pub fn column(node: Node, index: i32, levels: u32) -> Option<i16> {
    let var = node.as_a::<pg_sys::Var>()?;
    (var.varno == index && var.varlevelsup == levels).then(|| var.varattno)
}

/// Whether a condition is `column op constant` or `column op parameter`, alone or among ANDs, of a
/// column of the target that no CHECK constraint speaks of. It restricts whatever the constant is:
/// a NULL matches nothing. Owns and allocates nothing, so bare frames may call it, where what it asks
/// does not either.
#[inline(always)]
pub fn is_keyed(
    condition: Node,
    index: i32,
    is_checked: &impl Fn(i16) -> bool,
    list_restricts: &impl Fn(pg_sys::Oid) -> bool,
) -> bool {
    match condition.as_a::<pg_sys::OpExpr>() {
        // Nearly every one.
        Some(op) => compares(op.args(), index, is_checked),
        None => is_keyed_otherwise(condition, index, is_checked, list_restricts),
    }
}

fn is_keyed_otherwise(
    condition: Node,
    index: i32,
    is_checked: &impl Fn(i16) -> bool,
    list_restricts: &impl Fn(pg_sys::Oid) -> bool,
) -> bool {
    let compares = |arguments| compares(arguments, index, is_checked);
    let any = |arms: Nodes| arms.iter().any(|arm| is_keyed_otherwise(arm, index, is_checked, list_restricts));
    match condition.kind() {
        Kind::OpExpr(op) => compares(op.args()),
        Kind::ScalarArrayOpExpr(op) => op.useOr && list_restricts(op.opno) && compares(op.args()),
        Kind::CurrentOfExpr(_) => true,
        Kind::BoolExpr(expression) => {
            expression.boolop == pg_sys::BoolExprType::AND_EXPR && any(expression.args())
        }
        Kind::List(arms) => any(arms),
        _ => false,
    }
}

#[inline(always)]
fn compares(arguments: Nodes, index: i32, is_checked: &impl Fn(i16) -> bool) -> bool {
    let Some((left, right)) = arguments.pair() else { return false };
    let (left, right) = (left.without_relabel(), right.without_relabel());
    let (column, value) = if left.is_a::<pg_sys::Var>() { (left, right) } else { (right, left) };
    self::column(column, index, 0).is_some_and(|at| at != 0 && !is_checked(at)) && are_values(value)
}

/// A value, or `(value, value, …)`.
#[inline(always)]
fn are_values(node: Node) -> bool {
    node.is_value()
        || node
            .as_a::<pg_sys::ArrayExpr>()
            .is_some_and(|list| !list.multidims && list.elements().iter().all(Node::is_value))
}

/// The range table index of the entry that a view's columns come from, of a query that writes the view through
/// INSTEAD OF triggers.
fn view_source(query: Node<pg_sys::Query>) -> Option<i32> {
    query
        .targetList()
        .iter()
        .filter(|entry| entry.resjunk)
        .filter_map(|entry| entry.expr()?.as_a::<pg_sys::Var>())
        .find(|var| var.varattno == 0)
        .map(|var| var.varno)
}
