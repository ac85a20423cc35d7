//! The table a statement writes, and the facts of its columns that rule `where` judges by: which
//! cannot be NULL, and which a CHECK constraint speaks of.

use rustc_hash::{FxBuildHasher, FxHashMap as HashMap};
use std::cell::Cell;
use std::rc::Rc;

use crate::pg::pg_sys;
use pgrx::pg_sys::NodeTag;
use safedelete_core::command::Command;

use super::premises::is_evaluable;
use super::{Place, lists};
use crate::ledger::Summed;
use crate::pg::local::Lent;
use crate::pg::{compat, nodes, relations, trees};
use crate::policy::{self, TablePolicy};
use crate::{exemption, rehearsal, settings};

/// Of a relation's columns, counted from 0.
#[derive(Default)]
pub struct Columns {
    not_null: Vec<bool>,
    /// A valid CHECK constraint that may be evaluated names the column.
    checked: Vec<bool>,
    checks: Vec<Check>,
    has_rules: bool,
    has_children: bool,
    partitioned: bool,
    /// It is a part of another, or has parts.
    in_tree: bool,
    /// Of a kind that is never guarded.
    exempt: bool,
    /// Whether `exempt_tables` names it, as of a generation of the settings.
    exempt_by_name: Cell<(u32, bool)>,
    policy: TablePolicy,
}

/// A valid CHECK constraint that may be evaluated here (premises.rs).
pub struct Check {
    /// Its number among the table's constraints.
    number: usize,
    pub columns: Vec<i16>,
}

type Cache = HashMap<pg_sys::Oid, Rc<Columns>>;

static CACHE: Lent<Cache> = Lent::new(HashMap::with_hasher(FxBuildHasher));
static LAST: Lent<Option<(pg_sys::Oid, Rc<Columns>)>> = Lent::new(None);

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

/// Whether a relation is not guarded: its kind never is, or `exempt_tables` names it.
pub fn is_unguarded(relation: pg_sys::Oid) -> bool {
    columns(relation).are_unguarded(relation)
}

/// What the rows of a write are summed for.
pub fn summed(relation: pg_sys::Oid, only: bool) -> Summed {
    Summed { relation, only: only && columns(relation).has_children }
}

/// The same where it is known. Owns and allocates nothing, so bare frames may call it.
#[inline]
pub fn known_summed(relation: pg_sys::Oid, only: bool) -> Option<Summed> {
    if !only {
        return Some(Summed { relation, only });
    }
    let has_children = CACHE.try_with(|cache| Some(cache.get(&relation)?.has_children))??;
    Some(Summed { relation, only: has_children })
}

/// Whether a table has other names to be written by: of what it is a part of, or of its parts.
pub fn is_in_tree(relation: pg_sys::Oid) -> bool {
    columns(relation).in_tree
}

impl Columns {
    fn are_unguarded(&self, relation: pg_sys::Oid) -> bool {
        if self.exempt {
            return true;
        }
        let (as_of, named) = self.exempt_by_name.get();
        if as_of == settings::generation() {
            return named;
        }
        let named = exemption::of_table(relation);
        self.exempt_by_name.set((settings::generation(), named));
        named
    }
}

fn columns(relation: pg_sys::Oid) -> Rc<Columns> {
    // Sessions write the same table again and again.
    let last = LAST.with(|last| match last {
        Some((same, columns)) if *same == relation => Some(Rc::clone(columns)),
        _ => None,
    });
    if let Some(columns) = last {
        return columns;
    }
    let columns = look_up(relation);
    if CACHE.with(|cache| cache.contains_key(&relation)) {
        LAST.with(|last| *last = Some((relation, Rc::clone(&columns))));
    }
    columns
}

fn look_up(relation: pg_sys::Oid) -> Rc<Columns> {
    if let Some(columns) = CACHE.with(|cache| cache.get(&relation).cloned()) {
        return columns;
    }
    let as_of = settings::generation();
    let columns = Rc::new(read_columns(relation));
    // Reading may take in invalidations, and what was read may be older than they are.
    if as_of == settings::generation() {
        CACHE.with(|cache| cache.insert(relation, Rc::clone(&columns)));
        return columns;
    }
    Rc::new(read_columns(relation))
}

fn read_columns(relation: pg_sys::Oid) -> Columns {
    let exempt = relations::is_exempt(relation);
    let policy = if exempt { TablePolicy::default() } else { policy::of(relation) };
    let mut facts = Columns { exempt, policy, ..Columns::default() };
    // SAFETY: the statement holds a lock on its target; the relcache entry is open while it is read.
    unsafe {
        let opened = pg_sys::relation_open(relation, pg_sys::NoLock as i32);
        let descriptor = (*opened).rd_att;
        let count = (*descriptor).natts as usize;
        facts.not_null = (0..count).map(|i| compat::column_is_not_null(descriptor, i)).collect();
        facts.checked = vec![false; count];
        facts.has_rules = !(*opened).rd_rules.is_null();
        facts.has_children = (*(*opened).rd_rel).relhassubclass;
        facts.partitioned = (*(*opened).rd_rel).relkind as u8 == pg_sys::RELKIND_PARTITIONED_TABLE;
        facts.in_tree = facts.has_children || facts.partitioned || trees::is_part(relation);
        for number in 0..check_count(descriptor) {
            let Some(check) = evaluable_check(descriptor, number, true) else { continue };
            let mut named = std::ptr::null_mut();
            pg_sys::pull_varattnos(check, 1, &mut named);
            let first = pg_sys::FirstLowInvalidHeapAttributeNumber;
            let names = |column: i16| pg_sys::bms_is_member(i32::from(column) - first, named);
            let columns: Vec<_> = (1..=count as i16).filter(|column| names(*column)).collect();
            for column in &columns {
                facts.checked[*column as usize - 1] = true;
            }
            facts.checks.push(Check { number, columns });
        }
        pg_sys::relation_close(opened, pg_sys::NoLock as i32);
    }
    facts
}

/// # Safety
/// `descriptor` is an open relation's.
unsafe fn check_count(descriptor: pg_sys::TupleDesc) -> usize {
    // SAFETY: by contract; constr is NULL where there are no constraints.
    unsafe {
        let constraints = (*descriptor).constr;
        if constraints.is_null() { 0 } else { usize::from((*constraints).num_check) }
    }
}

/// The expression of a CHECK constraint that is validated, as get_relation_constraints reads it, and may be
/// evaluated here.
///
/// # Safety
/// `descriptor` is an open relation's.
unsafe fn evaluable_check(
    descriptor: pg_sys::TupleDesc,
    number: usize,
    with_no_inherit: bool,
) -> Option<*mut pg_sys::Node> {
    // SAFETY: by contract; the array has that many.
    unsafe {
        if number >= check_count(descriptor) {
            return None;
        }
        let check = &*(*(*descriptor).constr).check.add(number);
        let counts = check.ccvalid && (with_no_inherit || !check.ccnoinherit);
        let expression = counts.then(|| pg_sys::stringToNode(check.ccbin).cast())?;
        is_evaluable(expression).then_some(expression)
    }
}

/// What a statement writes, as its conditions call it.
pub struct Target {
    pub relation: pg_sys::Oid,
    /// The range table index of its columns in the statement's conditions.
    pub index: i32,
    only: bool,
    columns: Rc<Columns>,
}

impl Target {
    /// What a query writes; `None` where that is not guarded.
    ///
    /// # Safety
    /// `query` writes `entry`, a relation.
    pub unsafe fn of_query(query: *mut pg_sys::Query, entry: *mut pg_sys::RangeTblEntry) -> Option<Target> {
        // SAFETY: by contract.
        unsafe {
            let relation = (*entry).relid;
            let columns = columns(relation);
            if columns.are_unguarded(relation) && !rehearsal::is_on() {
                return None;
            }
            let mut index = (*query).resultRelation;
            if (*entry).relkind as u8 == pg_sys::RELKIND_VIEW {
                // INSTEAD OF triggers: ApplyRetrieveRule leaves the view's columns to the entry
                // that it expands, and adds a whole-row Var of that one.
                index = view_source(query).unwrap_or(index);
            }
            Some(Target { relation, index, only: !(*entry).inh, columns })
        }
    }

    pub fn at(Place { relation, only, index }: Place) -> Target {
        Target { relation, index, only, columns: columns(relation) }
    }

    /// Whether a column can hold no NULL in any row the statement reaches. In an inheritance tree a
    /// child may lack its parent's constraint, as the planner minds too.
    pub fn is_not_null(&self, attribute: i16) -> bool {
        if attribute <= 0 {
            // System columns, and the row itself, whatever its columns hold.
            return true;
        }
        let inherited = !self.only && self.columns.has_children && !self.columns.partitioned;
        !inherited && self.columns.not_null.get(attribute as usize - 1).copied().unwrap_or(false)
    }

    /// Whether a command on the table is looked at.
    #[inline]
    pub fn is_guarded(&self, command: Command) -> bool {
        policy::guards(&self.columns.policy, command)
    }

    /// Whether not even one row of the table is free.
    #[inline]
    pub fn is_frozen(&self) -> bool {
        policy::bounds(&self.columns.policy).surely_within() == 0
    }

    /// Whether parts of the table, that may have policies of their own, are written with it.
    pub fn has_parts(&self) -> bool {
        !self.only && (self.columns.partitioned || self.columns.has_children)
    }

    pub fn has_rules(&self) -> bool {
        self.columns.has_rules
    }

    pub fn place(&self) -> Place {
        Place { relation: self.relation, only: self.only, index: self.index }
    }

    pub fn has_checks(&self) -> bool {
        !self.columns.checks.is_empty()
    }

    fn is_checked(&self, attribute: i16) -> bool {
        attribute > 0 && self.columns.checked.get(attribute as usize - 1).copied().unwrap_or(true)
    }

    /// The first 64 columns, as far as CHECK constraints speak of them, a bit each.
    pub fn checked(&self) -> u64 {
        let first = self.columns.checked.iter().take(64).enumerate();
        first.fold(0, |bits, (i, checked)| bits | u64::from(*checked) << i)
    }

    /// The CHECK constraints that may be evaluated.
    pub fn checks(&self) -> &[Check] {
        &self.columns.checks
    }

    /// The expression of one, with the target's columns as the statement calls them; `None` where it does not
    /// hold for all rows that the statement reaches.
    pub fn expression(&self, check: &Check) -> Option<*mut pg_sys::Node> {
        // SAFETY: as in read_columns; the expression is a copy of our own.
        unsafe {
            let opened = pg_sys::relation_open(self.relation, pg_sys::NoLock as i32);
            let everywhere = self.only || !self.columns.has_children;
            let expression = evaluable_check((*opened).rd_att, check.number, everywhere);
            pg_sys::relation_close(opened, pg_sys::NoLock as i32);
            if self.index != 1 {
                expression.inspect(|check| pg_sys::ChangeVarNodes(*check, 1, self.index, 0))
            } else {
                expression
            }
        }
    }

    /// The short circuit for nearly every statement; see [`is_keyed`].
    pub fn is_keyed(&self, condition: *mut pg_sys::Node) -> bool {
        is_keyed(condition, self.index, &|attribute| self.is_checked(attribute), &lists::restricts)
    }

    /// The attribute number, where `node` is a column of the target seen from `levels` below it.
    pub fn column(&self, node: *mut pg_sys::Node, levels: u32) -> Option<i16> {
        column(node, self.index, levels)
    }
}

#[inline]
fn column(node: *mut pg_sys::Node, index: i32, levels: u32) -> Option<i16> {
    let var = nodes::cast::<pg_sys::Var, _>(node, NodeTag::T_Var)?;
    // SAFETY: the tag says Var.
    unsafe { ((*var).varno == index && (*var).varlevelsup == levels).then_some((*var).varattno) }
}

/// Whether a condition is `column op constant` or `column op parameter`, alone or among ANDs, of a
/// column of the target that no CHECK constraint speaks of. It restricts whatever the constant is:
/// a NULL matches nothing. Owns and allocates nothing, so bare frames may call it, where what it asks
/// does not either.
pub fn is_keyed(
    condition: *mut pg_sys::Node,
    index: i32,
    is_checked: &impl Fn(i16) -> bool,
    list_restricts: &impl Fn(pg_sys::Oid) -> bool,
) -> bool {
    let compares = |arguments| compares(arguments, index, is_checked);
    // SAFETY: each cast follows the node's tag.
    unsafe {
        match nodes::tag(condition) {
            NodeTag::T_OpExpr => compares((*condition.cast::<pg_sys::OpExpr>()).args),
            NodeTag::T_ScalarArrayOpExpr => {
                let op = &*condition.cast::<pg_sys::ScalarArrayOpExpr>();
                op.useOr && list_restricts(op.opno) && compares(op.args)
            }
            NodeTag::T_CurrentOfExpr => true,
            NodeTag::T_BoolExpr => {
                let expression = condition.cast::<pg_sys::BoolExpr>();
                (*expression).boolop == pg_sys::BoolExprType::AND_EXPR
                    && nodes::items((*expression).args)
                        .any(|arm| is_keyed(arm, index, is_checked, list_restricts))
            }
            NodeTag::T_List => {
                nodes::items(condition.cast()).any(|arm| is_keyed(arm, index, is_checked, list_restricts))
            }
            _ => false,
        }
    }
}

#[inline]
fn compares(arguments: *mut pg_sys::List, index: i32, is_checked: &impl Fn(i16) -> bool) -> bool {
    if nodes::length(arguments) != 2 {
        return false;
    }
    let mut has_column = false;
    let mut has_value = false;
    for argument in nodes::items::<pg_sys::Node>(arguments) {
        let argument = nodes::strip_relabel(argument);
        match nodes::tag(argument) {
            NodeTag::T_Const | NodeTag::T_Param => has_value = is_value(argument),
            NodeTag::T_ArrayExpr => has_value = is_list(argument.cast()),
            _ => has_column = column(argument, index, 0).is_some_and(|a| a != 0 && !is_checked(a)),
        }
    }
    has_column && has_value
}

/// # Safety
/// `query` writes a view through INSTEAD OF triggers.
unsafe fn view_source(query: *mut pg_sys::Query) -> Option<i32> {
    // SAFETY: a Query's target list holds TargetEntries.
    unsafe {
        nodes::items::<pg_sys::TargetEntry>((*query).targetList)
            .filter(|entry| (**entry).resjunk)
            .filter_map(|entry| nodes::cast::<pg_sys::Var, _>((*entry).expr, NodeTag::T_Var))
            .find(|var| (**var).varattno == 0)
            .map(|var| (*var).varno)
    }
}

/// A constant, or a parameter of the statement.
#[inline]
fn is_value(node: *mut pg_sys::Node) -> bool {
    let node = nodes::strip_relabel(node);
    nodes::tag(node) == NodeTag::T_Const
        || nodes::cast::<pg_sys::Param, _>(node, NodeTag::T_Param)
            // SAFETY: the tag says Param.
            .is_some_and(|param| unsafe { (*param).paramkind } == pg_sys::ParamKind::PARAM_EXTERN)
}

/// `(value, value, …)`.
fn is_list(array: *mut pg_sys::ArrayExpr) -> bool {
    // SAFETY: an ArrayExpr.
    unsafe { !(*array).multidims && nodes::items::<pg_sys::Node>((*array).elements).all(is_value) }
}
