//! Rule `where`: does a condition restrict the rows of its target? An expression is read by its
//! form alone, after PostgreSQL's constant folding, as one of five things, and a write is
//! qualified when one of its ANDed conditions is tied to the target's row or can never be true.

use std::cell::{Cell, OnceCell};

use crate::pg::pg_sys;
use pgrx::pg_sys::NodeTag;

use super::scope::Scope;
use super::target::Target;
use super::{Qualification, fold, lists, prover};
use crate::pg::{compat, nodes};

/// What an expression is, for the rows of the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// True for every row.
    True,
    /// False, or NULL, for every row: it selects nothing.
    Never,
    /// It does not depend on the target's row.
    Free,
    /// It depends on the target's row.
    Tied,
}

/// Steps through sub-selects, about a tenth of a second.
const MOST_STEPS: u32 = 200_000;

/// Whether the constraints make a whole OR true is asked of ORs up to this length.
const MOST_ARMS: usize = 100;

/// What a comparison gives for two equal values.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum OnEqual {
    True,
    False,
    Unknown,
}

pub struct Judge<'a> {
    pub target: &'a Target,
    /// What constant folding may know: bound parameters.
    root: *mut pg_sys::PlannerInfo,
    /// The column that a sub-select took from the target, if any did.
    pub outer_column: Cell<Option<i16>>,
    premises: OnceCell<*mut pg_sys::List>,
    /// Steps taken through sub-selects; see `has_had_enough`.
    effort: Cell<u32>,
    /// The condition is asked for some row of a source (NOT MATCHED BY SOURCE), as in a sub-select.
    existential: Cell<bool>,
}

impl<'a> Judge<'a> {
    pub fn new(target: &'a Target, root: *mut pg_sys::PlannerInfo) -> Self {
        Judge {
            target,
            root,
            outer_column: Cell::new(None),
            premises: OnceCell::new(),
            effort: Cell::new(0),
            existential: Cell::new(false),
        }
    }

    /// Sub-selects nested in each other can be read by ever more ways. Past a bound that no written
    /// statement meets, whatever is asked counts as tied, and rule `rows` is left to judge.
    pub fn has_had_enough(&self) -> bool {
        self.effort.set(self.effort.get().saturating_add(1));
        self.effort.get() > MOST_STEPS
    }

    /// Judges conditions that all hold for a row that is written.
    pub fn qualification(
        &self,
        conditions: &[*mut pg_sys::Node],
        negated_first: bool,
        top: &Scope,
    ) -> Qualification {
        let mut any = false;
        for (i, condition) in conditions.iter().enumerate() {
            self.existential.set(negated_first && i == 0);
            let form = match self.folded(*condition, top) {
                // NOT MATCHED BY SOURCE: no source row meets the condition.
                form if negated_first && i == 0 => match form {
                    Form::True => Form::Never,
                    Form::Never => Form::True,
                    form => form,
                },
                form => form,
            };
            if matches!(form, Form::Tied | Form::Never) {
                return Qualification::Qualified;
            }
            any = true;
        }
        match (any, self.outer_column.get()) {
            (false, _) => Qualification::NoWhere,
            (true, Some(column)) => Qualification::OuterColumn(column),
            (true, None) => Qualification::MatchesEveryRow,
        }
    }

    /// Folds and reads a condition (a boolean expression, or a list that is an AND).
    pub fn folded(&self, condition: *mut pg_sys::Node, scope: &Scope) -> Form {
        self.form(fold(condition, self.root), scope, false)
    }

    /// Reads a folded expression; `negated` reads NOT of it.
    fn form(&self, node: *mut pg_sys::Node, scope: &Scope, negated: bool) -> Form {
        // SAFETY: raises an error where the stack is used up, as PostgreSQL's own walkers do; every
        // cast follows the node's tag.
        unsafe {
            pg_sys::check_stack_depth();
            match nodes::tag(node) {
                NodeTag::T_Const => {
                    let constant = &*node.cast::<pg_sys::Const>();
                    if constant.constisnull || (constant.constvalue.value() != 0) == negated {
                        Form::Never
                    } else {
                        Form::True
                    }
                }
                NodeTag::T_List => self.all(node.cast(), scope, negated),
                NodeTag::T_BoolExpr => {
                    let expression = &*node.cast::<pg_sys::BoolExpr>();
                    match (expression.boolop, negated) {
                        (pg_sys::BoolExprType::NOT_EXPR, _) => {
                            let inner = nodes::items(expression.args).next().unwrap_or(std::ptr::null_mut());
                            self.form(inner, scope, !negated)
                        }
                        (pg_sys::BoolExprType::AND_EXPR, false) | (pg_sys::BoolExprType::OR_EXPR, true) => {
                            self.all(expression.args, scope, negated)
                        }
                        _ => {
                            let form = self.any(expression.args, scope, negated);
                            if nodes::length(expression.args) > MOST_ARMS {
                                return form;
                            }
                            self.unless_implied(form, node, scope, negated)
                        }
                    }
                }
                NodeTag::T_NullTest => self.null_test(node.cast(), scope, negated),
                NodeTag::T_BooleanTest => self.boolean_test(node.cast(), scope, negated),
                NodeTag::T_RelabelType => {
                    self.form((*node.cast::<pg_sys::RelabelType>()).arg.cast(), scope, negated)
                }
                NodeTag::T_CurrentOfExpr => Form::Tied,
                NodeTag::T_SubLink => self.sublink(node.cast(), scope, negated),
                NodeTag::T_OpExpr => {
                    let op = &*node.cast::<pg_sys::OpExpr>();
                    let form = self.comparison(on_equal(op.opno), op.args, scope, negated);
                    self.unless_implied(form, node, scope, negated)
                }
                NodeTag::T_DistinctExpr => {
                    let op = &*node.cast::<pg_sys::DistinctExpr>();
                    let mut sides = nodes::items::<pg_sys::Node>(op.args);
                    let (left, right) = (sides.next(), sides.next());
                    match (left, right) {
                        (Some(left), Some(right)) if self.same_column(left, right, scope).is_some() => {
                            // Not even NULL is distinct from itself.
                            if negated { Form::True } else { Form::Never }
                        }
                        (Some(left), Some(right)) if is_null(left) || is_null(right) => {
                            let other = if is_null(left) { right } else { left };
                            match self.column(other, scope) {
                                Some((column, _)) if self.target.is_not_null(column) && !negated => {
                                    Form::True
                                }
                                Some((column, _)) if self.target.is_not_null(column) => Form::Never,
                                _ => self.tied(node, scope),
                            }
                        }
                        _ => self.tied(node, scope),
                    }
                }
                NodeTag::T_ScalarArrayOpExpr => {
                    if let Some(value) = lists::of_empty(node.cast()) {
                        return if value == negated { Form::Never } else { Form::True };
                    }
                    if let Some(arms) = lists::as_or(node.cast()) {
                        return self.form(fold(arms, self.root), scope, negated);
                    }
                    let form = self.array_comparison(node.cast(), scope, negated);
                    self.unless_implied(form, node, scope, negated)
                }
                NodeTag::T_RowCompareExpr => {
                    let compare = &*node.cast::<pg_sys::RowCompareExpr>();
                    let pairs = nodes::items::<pg_sys::Node>(compare.largs)
                        .zip(nodes::items::<pg_sys::Node>(compare.rargs));
                    let same: Option<Vec<_>> = pairs.map(|(l, r)| self.same_column(l, r, scope)).collect();
                    match same {
                        Some(columns) if !columns.is_empty() => {
                            let known = columns.iter().all(|(column, _)| self.target.is_not_null(*column));
                            let inner = columns.iter().any(|(_, inner)| *inner);
                            let on_equal = match compat::row_compare_strategy(compare) {
                                pg_sys::BTLessEqualStrategyNumber | pg_sys::BTGreaterEqualStrategyNumber => {
                                    OnEqual::True
                                }
                                _ => OnEqual::False,
                            };
                            self.with_itself(on_equal, columns[0].0, known, inner, negated)
                        }
                        _ => self.tied(node, scope),
                    }
                }
                _ => {
                    let form = self.tied(node, scope);
                    self.unless_implied(form, node, scope, negated)
                }
            }
        }
    }

    /// AND: one part that restricts is enough.
    fn all(&self, parts: *mut pg_sys::List, scope: &Scope, negated: bool) -> Form {
        let mut result = Form::True;
        for part in nodes::items(parts) {
            match self.form(part, scope, negated) {
                Form::Never => return Form::Never,
                Form::Tied => result = Form::Tied,
                Form::Free if result == Form::True => result = Form::Free,
                _ => {}
            }
        }
        result
    }

    /// OR: one arm that does not restrict lets every row through. Below a sub-select the arms are
    /// about some row of another table, whose data decide: there one arm that is tied ties.
    fn any(&self, arms: *mut pg_sys::List, scope: &Scope, negated: bool) -> Form {
        let mut result = Form::Never;
        let mut tied = Vec::new();
        // Negated, the arms are those of an AND.
        let arms = if negated { nodes::items(arms).collect() } else { lists::arms(arms, self.root) };
        for arm in arms {
            match self.form(arm, scope, negated) {
                Form::True => return Form::True,
                Form::Free => result = Form::Free,
                Form::Tied => {
                    tied.push(arm);
                    if result == Form::Never {
                        result = Form::Tied;
                    }
                }
                Form::Never => {}
            }
        }
        if !scope.is_top() || self.existential.get() {
            return if tied.is_empty() { result } else { Form::Tied };
        }
        if !negated && tied.len() > 1 {
            let plain: Vec<_> = tied.iter().map(|arm| self.plain(*arm)).collect();
            if prover::covers_every_row(&plain, self.target) {
                return Form::True;
            }
        }
        result
    }

    /// `b IS TRUE` and its kin of a boolean column that is never NULL, and `x = x` of one that may
    /// be, as the prover knows them.
    fn plain(&self, arm: *mut pg_sys::Node) -> *mut pg_sys::Node {
        if let Some(op) = nodes::cast::<pg_sys::OpExpr, _>(arm, NodeTag::T_OpExpr) {
            // SAFETY: the tag says OpExpr.
            let (operator, args) = unsafe { ((*op).opno, (*op).args) };
            let sides: Vec<*mut pg_sys::Node> = nodes::items(args).map(nodes::strip_relabel).collect();
            if let [left, right] = sides[..]
                && let (Some(column), Some(other)) =
                    (self.target.column(left, 0), self.target.column(right, 0))
                && column == other
                && on_equal(operator) == OnEqual::True
            {
                return prover::null_test(column, self.target, pg_sys::NullTestType::IS_NOT_NULL);
            }
        }
        let Some(test) = nodes::cast::<pg_sys::BooleanTest, _>(arm, NodeTag::T_BooleanTest) else {
            return arm;
        };
        // SAFETY: the tag says BooleanTest.
        unsafe {
            let column = self.target.column((*test).arg.cast(), 0);
            if !column.is_some_and(|column| self.target.is_not_null(column)) {
                return arm;
            }
            match (*test).booltesttype {
                pg_sys::BoolTestType::IS_TRUE | pg_sys::BoolTestType::IS_NOT_FALSE => (*test).arg.cast(),
                pg_sys::BoolTestType::IS_FALSE | pg_sys::BoolTestType::IS_NOT_TRUE => {
                    pg_sys::makeBoolExpr(pg_sys::BoolExprType::NOT_EXPR, nodes::list([(*test).arg]), -1)
                        .cast()
                }
                _ => arm,
            }
        }
    }

    fn null_test(&self, test: *mut pg_sys::NullTest, scope: &Scope, negated: bool) -> Form {
        // SAFETY: a NullTest.
        unsafe {
            let column = if (*test).argisrow { None } else { self.column((*test).arg.cast(), scope) };
            match column {
                Some((column, _)) if self.target.is_not_null(column) => {
                    let true_for_values =
                        ((*test).nulltesttype == pg_sys::NullTestType::IS_NOT_NULL) != negated;
                    if true_for_values { Form::True } else { Form::Never }
                }
                _ => {
                    let form = self.tied(test.cast(), scope);
                    self.unless_implied(form, test.cast(), scope, negated)
                }
            }
        }
    }

    fn boolean_test(&self, test: *mut pg_sys::BooleanTest, scope: &Scope, negated: bool) -> Form {
        use pg_sys::BoolTestType::*;
        // SAFETY: a BooleanTest.
        unsafe {
            let argument = (*test).arg.cast();
            match (*test).booltesttype {
                IS_TRUE | IS_NOT_FALSE => self.form(argument, scope, negated),
                IS_FALSE | IS_NOT_TRUE => self.form(argument, scope, !negated),
                kind => match self.column(argument, scope) {
                    Some((column, _)) if self.target.is_not_null(column) => {
                        if (kind == IS_NOT_UNKNOWN) != negated { Form::True } else { Form::Never }
                    }
                    _ => self.tied(test.cast(), scope),
                },
            }
        }
    }

    fn comparison(&self, on_equal: OnEqual, sides: *mut pg_sys::List, scope: &Scope, negated: bool) -> Form {
        let both: Vec<*mut pg_sys::Node> = nodes::items(sides).collect();
        if let [left, right] = both[..]
            && on_equal != OnEqual::Unknown
            && let Some((column, inner)) = self.same_column(left, right, scope)
        {
            let known = self.target.is_not_null(column);
            return self.with_itself(on_equal, column, known, inner, negated);
        }
        if both.iter().any(|side| self.names_target(*side, scope)) { Form::Tied } else { Form::Free }
    }

    /// A column compared with itself. Written out, it tells NULL from values; through a sub-select
    /// (`inner`) it is the scope trap, which ties nothing to the row.
    pub fn with_itself(
        &self,
        on_equal: OnEqual,
        column: i16,
        not_null: bool,
        inner: bool,
        negated: bool,
    ) -> Form {
        if inner {
            return match (on_equal, negated) {
                (OnEqual::False, false) => Form::Never,
                _ => {
                    self.outer_column.set(Some(column));
                    Form::Free
                }
            };
        }
        match ((on_equal == OnEqual::True) != negated, not_null) {
            (true, true) => Form::True,
            (false, _) => Form::Never,
            (true, false) => Form::Tied,
        }
    }

    fn array_comparison(&self, op: *mut pg_sys::ScalarArrayOpExpr, scope: &Scope, negated: bool) -> Form {
        // SAFETY: a ScalarArrayOpExpr, whose args are a scalar and an array.
        let (operator, any, args) = unsafe { ((*op).opno, (*op).useOr, (*op).args) };
        let mut sides = nodes::items::<pg_sys::Node>(args);
        let (Some(scalar), Some(array)) = (sides.next(), sides.next()) else { return Form::Free };
        let array = strip_array_cast(array);
        let on_equal = on_equal(operator);
        if let Some(column) = self.column(scalar, scope)
            && on_equal != OnEqual::Unknown
        {
            if let Some((other, inner)) = self.array_column(array, scope)
                && other == column.0
            {
                let seen = if any { on_equal } else { OnEqual::Unknown };
                return self.with_itself(seen, other, true, inner, negated);
            }
            if let Some(list) = nodes::cast::<pg_sys::ArrayExpr, _>(array, NodeTag::T_ArrayExpr)
                && any
                && !negated
                && on_equal == OnEqual::True
            {
                // SAFETY: the tag says ArrayExpr.
                let elements = unsafe { (*list).elements };
                let mut found = nodes::items(elements).filter_map(|e| self.column(e, scope));
                if let Some((own, inner)) = found.find(|e| e.0 == column.0) {
                    let known = self.target.is_not_null(own);
                    return self.with_itself(on_equal, own, known, inner || column.1, false);
                }
            }
        }
        if self.names_target(scalar, scope) || self.names_target(array, scope) {
            Form::Tied
        } else {
            Form::Free
        }
    }

    pub fn tied(&self, node: *mut pg_sys::Node, scope: &Scope) -> Form {
        if self.names_target(node, scope) { Form::Tied } else { Form::Free }
    }

    /// A condition that the table's own constraints make true restricts nothing.
    fn unless_implied(&self, form: Form, node: *mut pg_sys::Node, scope: &Scope, negated: bool) -> Form {
        if form != Form::Tied || !scope.is_top() || !self.target.has_checks() {
            return form;
        }
        let premises =
            *self.premises.get_or_init(|| prover::premises(self.target, |n| fold(n, std::ptr::null_mut())));
        let condition = if negated { prover::negated(node) } else { node };
        if prover::is_implied(condition, premises, self.target) { Form::True } else { form }
    }

    /// The column, where both sides are the same column of the target; and whether a sub-select
    /// stands between.
    fn same_column(
        &self,
        left: *mut pg_sys::Node,
        right: *mut pg_sys::Node,
        scope: &Scope,
    ) -> Option<(i16, bool)> {
        match (self.column(left, scope), self.column(right, scope)) {
            (Some((own, left_inner)), Some((other, right_inner))) => {
                (own == other).then_some((own, left_inner || right_inner))
            }
            // Written out side by side, `lower(x) = lower(x)` is left to rule `rows`.
            _ if !scope.is_top() => {
                self.same_expression(left, scope, right, scope).map(|column| (column, true))
            }
            _ => None,
        }
    }
}

fn is_null(node: *mut pg_sys::Node) -> bool {
    nodes::cast::<pg_sys::Const, _>(node, NodeTag::T_Const)
        // SAFETY: the tag says Const.
        .is_some_and(|constant| unsafe { (*constant).constisnull })
}

fn strip_array_cast(mut node: *mut pg_sys::Node) -> *mut pg_sys::Node {
    loop {
        node = nodes::strip_relabel(node);
        match nodes::cast::<pg_sys::ArrayCoerceExpr, _>(node, NodeTag::T_ArrayCoerceExpr) {
            // SAFETY: the tag says ArrayCoerceExpr.
            Some(cast) => node = unsafe { (*cast).arg.cast() },
            None => return node,
        }
    }
}

/// What an operator gives for two equal values, as its B-tree operator families tell.
pub fn on_equal(operator: pg_sys::Oid) -> OnEqual {
    let strategies = compat::btree_strategies(operator);
    let has = |strategy: u32| strategies & (1 << strategy) != 0;
    if has(pg_sys::BTEqualStrategyNumber)
        || has(pg_sys::BTLessEqualStrategyNumber)
        || has(pg_sys::BTGreaterEqualStrategyNumber)
    {
        OnEqual::True
    } else if strategies != 0 {
        // Less, greater, and the "not equal" that get_op_btree_interpretation adds.
        OnEqual::False
    } else {
        // A type may only be hashable: xid, cid.
        // SAFETY: a catalog cache look-up.
        let hashable = unsafe { pg_sys::op_hashjoinable(operator, pg_sys::InvalidOid) };
        if hashable { OnEqual::True } else { OnEqual::Unknown }
    }
}
