//! A column, or an expression of columns, that is compared with itself. Nobody writes `x = x` on
//! purpose: a parameter or variable that bears the column's name does, an optional filter that is left
//! out, and the scope trap, where a sub-select's own tables lack the column. So it restricts nothing,
//! nullable or not. Casts, collations, sub-selects' output columns and scalar sub-selects are seen
//! through; a cast that loses something (`price::int = price`) only where a sub-select stands between.

use pgrx::pg_sys::SubLinkType;

use super::casts::{strip_casts, strip_plain, without_array_cast};
use super::judge::{Form, Itself, Judge};
use super::scope::{Scope, Visit};
use crate::pg::nodes::{Kind, Node, Nodes};
use crate::pg::{compat, pg_sys};

/// What a comparison gives for two equal values.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum OnEqual {
    True,
    False,
    Unknown,
}

/// A column of the target that a value is.
#[derive(Clone, Copy)]
pub struct Own {
    pub column: i16,
    /// A sub-select stands between.
    pub inner: bool,
    /// No cast between loses anything.
    pub whole: bool,
}

impl<'t> Judge<'t> {
    /// `left op right`.
    pub fn comparison(
        &self,
        on_equal: OnEqual,
        sides: Nodes<'t>,
        scope: &Scope<'_, 't>,
        negated: bool,
    ) -> Form {
        if let Some((left, right)) = sides.pair()
            && on_equal != OnEqual::Unknown
            && let Some(itself) = self.same(left, scope, right, scope)
        {
            return self.with_itself(on_equal, itself, negated);
        }
        if sides.iter().any(|side| self.names_target(side, scope)) { Form::Tied } else { Form::Free }
    }

    /// Written out, a comparison with itself is true for every row or for none; through a sub-select it
    /// depends on whether there are rows, but not on the target's.
    pub fn with_itself(&self, on_equal: OnEqual, itself: Itself, negated: bool) -> Form {
        let form = match ((on_equal == OnEqual::True) != negated, itself.inner) {
            (true, false) => Form::True,
            (true, true) => Form::Free,
            (false, true) if on_equal != OnEqual::False => Form::Free,
            (false, _) => return Form::Never,
        };
        self.compares_with_itself(itself);
        form
    }

    /// `left IS DISTINCT FROM right`, which is never NULL.
    pub fn distinct(
        &self,
        op: Node<'t, pg_sys::OpExpr>,
        scope: &Scope<'_, 't>,
        negated: bool,
    ) -> Option<Form> {
        let (left, right) = op.args().pair()?;
        if let Some(itself) = self.same(left, scope, right, scope) {
            return Some(self.with_itself(OnEqual::False, itself, negated));
        }
        let other = match (is_null(left), is_null(right)) {
            (true, _) => right,
            (_, true) => left,
            _ => return None,
        };
        let column = self.column(other, scope).filter(|own| own.whole)?.column;
        self.target.is_not_null(column).then_some(if negated { Form::Never } else { Form::True })
    }

    /// `(a, b) op (a, b)`, where each pair is the same.
    pub fn row_comparison(
        &self,
        compare: Node<'t, pg_sys::RowCompareExpr>,
        scope: &Scope<'_, 't>,
        negated: bool,
    ) -> Option<Form> {
        let mut pairs = compare.largs().iter().zip(compare.rargs().iter());
        let first = pairs.next().and_then(|(left, right)| self.same(left, scope, right, scope))?;
        let inner = pairs.try_fold(first.inner, |inner, (left, right)| {
            self.same(left, scope, right, scope).map(|itself| inner || itself.inner)
        })?;
        let on_equal = match compat::row_compare_strategy(&compare) {
            pg_sys::BTLessEqualStrategyNumber | pg_sys::BTGreaterEqualStrategyNumber => OnEqual::True,
            _ => OnEqual::False,
        };
        Some(self.with_itself(on_equal, Itself { inner, ..first }, negated))
    }

    /// `scalar op ANY (array)` and ALL.
    pub fn array_comparison(
        &self,
        op: Node<'t, pg_sys::ScalarArrayOpExpr>,
        scope: &Scope<'_, 't>,
        negated: bool,
    ) -> Option<Form> {
        let (any, on_equal) = (op.useOr, on_equal(op.opno));
        if on_equal == OnEqual::Unknown {
            return None;
        }
        let (scalar, array) = op.args().pair()?;
        let array = without_array_cast(array);
        if let Some(list) = array.as_a::<pg_sys::ArrayExpr>() {
            let mut elements = list.elements().iter();
            let same = |element: Node<'t>| {
                let is_value = matches!(element.kind(), Kind::Const(_) | Kind::Param(_));
                if is_value { None } else { self.same(scalar, scope, element, scope) }
            };
            // One element settles an OR of what is true of it, and an AND of what is false.
            let itself = if any == (on_equal == OnEqual::True) {
                elements.find_map(same)
            } else {
                let first = elements.next().and_then(same)?;
                elements.try_fold(first, |first, element| same(element).map(|_| first))
            };
            return Some(self.with_itself(on_equal, itself?, negated));
        }
        let sublink = array.as_a::<pg_sys::SubLink>()?;
        let query = self.of_no_row(sublink, SubLinkType::ARRAY_SUBLINK, scope)?;
        let itself = self.same_as_outputs(scalar, scope, query, 1, any);
        let seen = if any { on_equal } else { OnEqual::Unknown };
        Some(self.with_itself(seen, Itself { inner: true, ..itself? }, negated))
    }

    /// Whether a value is the same as an output column of a sub-select: in one of its rows, as far as they are written
    /// out, or in each.
    pub fn same_as_outputs(
        &self,
        value: Node<'t>,
        scope: &Scope<'_, 't>,
        query: Node<'t, pg_sys::Query>,
        number: i16,
        one_will_do: bool,
    ) -> Option<Itself> {
        // Which rows LIMIT leaves nobody knows.
        let one_will_do = one_will_do && query.limitCount().is_none() && query.limitOffset().is_none();
        let (mut itself, mut others) = (None, false);
        self.any_output_of(scope, query, number, &mut |output, inner| {
            if one_will_do {
                itself = self.same(value, scope, output, inner);
                return itself.is_some();
            }
            self.resolved(output, inner, &mut |output, inner| {
                let found = self.same(value, scope, output, inner);
                others |= found.is_none();
                itself = itself.or(found);
                others
            })
        });
        itself.filter(|_| !others)
    }

    /// Whether two values are the same column of the target, or the same expression of its columns.
    pub fn same(
        &self,
        left: Node<'t>,
        scope: &Scope<'_, 't>,
        right: Node<'t>,
        inner: &Scope<'_, 't>,
    ) -> Option<Itself> {
        let is_value = |node: Node| matches!(node.without_relabel().kind(), Kind::Const(_) | Kind::Param(_));
        if is_value(left) || is_value(right) {
            return None;
        }
        if let (Some(own), Some(other)) = (self.column(left, scope), self.column(right, inner))
            && own.column == other.column
        {
            let inner = own.inner || other.inner;
            if inner || (own.whole && other.whole) {
                return Some(Itself { column: own.column, inner });
            }
        }
        let mut itself = None;
        self.resolved(left, scope, &mut |left, scope| {
            self.resolved(right, inner, &mut |right, inner| {
                let column = self.same_expression(left, scope, right, inner);
                itself = column.map(|column| Itself { column, inner: !scope.is_top() || !inner.is_top() });
                itself.is_some()
            })
        });
        itself
    }

    /// A column of the target, where two expressions at two levels are the same and name nothing but
    /// the target: `lower(email) IN (SELECT lower(email) FROM gone)`.
    fn same_expression(
        &self,
        left: Node<'t>,
        scope: &Scope<'_, 't>,
        mut right: Node<'t>,
        inner: &Scope<'_, 't>,
    ) -> Option<i16> {
        if left.tag() != right.tag() || left.is_a::<pg_sys::Const>() {
            return None;
        }
        let difference = inner.depth() as i32 - scope.depth() as i32;
        if difference != 0 {
            // Moved to another level, another level's columns could become the same.
            self.only_target(right, inner)?;
            right = right.copy();
            right.increase_levels(-difference, inner.depth() as i32);
        }
        if !left.equals(right) || left.is_volatile() {
            return None;
        }
        self.only_target(left, scope)
    }

    /// A column of the target, where an expression names columns of the target and nothing else.
    fn only_target(&self, node: Node<'t>, scope: &Scope<'_, 't>) -> Option<i16> {
        let mut column = None;
        for found in self.collect(node) {
            let var = found.as_a::<pg_sys::Var>()?;
            if !scope.level(var.varlevelsup)?.is_top() || var.varno != self.target.index {
                return None;
            }
            column = Some(var.varattno);
        }
        column
    }

    /// Visits what a value stands for: a sub-select's output columns for a Var that names one, a scalar
    /// sub-select's for the sub-select. Whether a visit gave true.
    fn resolved(&self, node: Node<'t>, scope: &Scope<'_, 't>, visit: Visit<'_, 't>) -> bool {
        let node = strip_plain(node);
        if self.has_had_enough() {
            return false;
        }
        match node.kind() {
            Kind::Var(var) => match scope.level(var.varlevelsup) {
                Some(home) if !home.is_top() => {
                    if let Some(expression) = home.alias(var.varno, var.varattno) {
                        return self.resolved(expression, home, visit);
                    }
                    self.any_output(home, var.varno, var.varattno, &mut |output, inner| {
                        self.resolved(output, inner, visit)
                    })
                }
                _ => visit(node, scope),
            },
            Kind::SubLink(sublink) => {
                self.outputs(sublink, scope, &mut |output, inner| self.resolved(output, inner, visit))
            }
            _ => visit(node, scope),
        }
    }

    /// The target's column that a value is.
    pub fn column(&self, node: Node<'t>, scope: &Scope<'_, 't>) -> Option<Own> {
        if self.has_had_enough() {
            return None;
        }
        let (node, whole) = strip_casts(node);
        let mut found = None;
        match node.kind() {
            Kind::Var(var) => {
                let home = scope.level(var.varlevelsup)?;
                if home.is_top() {
                    let own = Own { column: var.varattno, inner: !scope.is_top(), whole };
                    return (var.varno == self.target.index).then_some(own);
                }
                if let Some(expression) = home.alias(var.varno, var.varattno) {
                    found = self.column(expression, home);
                } else {
                    self.any_output(home, var.varno, var.varattno, &mut |output, inner| {
                        found = self.column(output, inner);
                        found.is_some()
                    });
                    found = found.map(|own| Own { inner: true, ..own });
                }
            }
            // `COALESCE($1, id)` of an optional filter that is left out: NULLs fold away.
            Kind::CoalesceExpr(coalesce) => {
                let first = self.column(coalesce.args().first()?, scope)?;
                if coalesce.args().len() == 1 || self.target.is_not_null(first.column) {
                    found = Some(first);
                }
            }
            Kind::SubLink(sublink) => {
                self.outputs(sublink, scope, &mut |output, inner| {
                    found = self.column(output, inner);
                    found.is_some()
                });
                found = found.map(|own| Own { inner: true, ..own });
            }
            _ => {}
        }
        found.map(|own| Own { whole: whole && own.whole, ..own })
    }

    /// Visits the output column of a scalar sub-select whose rows do not depend on the target's row. Whether a visit
    /// gave true. Where several rows are written out, nobody knows which of them it gives.
    fn outputs(
        &self,
        sublink: Node<'t, pg_sys::SubLink>,
        scope: &Scope<'_, 't>,
        visit: Visit<'_, 't>,
    ) -> bool {
        let Some(query) = self.of_no_row(sublink, SubLinkType::EXPR_SUBLINK, scope) else { return false };
        let mut rows = 0;
        self.any_output_of(scope, query, 1, &mut |output, inner| {
            self.resolved(output, inner, &mut |_, _| {
                rows += 1;
                rows > 1
            })
        });
        rows <= 1 && self.any_output_of(scope, query, 1, visit)
    }

    /// The query of a sub-select of this kind whose rows do not depend on the target's row.
    fn of_no_row(
        &self,
        sublink: Node<'t, pg_sys::SubLink>,
        kind: SubLinkType::Type,
        scope: &Scope<'_, 't>,
    ) -> Option<Node<'t, pg_sys::Query>> {
        let query = sublink.query().filter(|_| sublink.subLinkType == kind)?;
        (!self.query_is_tied(query, &scope.below(query), true)).then_some(query)
    }
}

fn is_null(node: Node) -> bool {
    node.as_a::<pg_sys::Const>().is_some_and(|constant| constant.constisnull)
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
        let hashable = pg_sys::op_hashjoinable(operator, pg_sys::InvalidOid);
        if hashable { OnEqual::True } else { OnEqual::Unknown }
    }
}
