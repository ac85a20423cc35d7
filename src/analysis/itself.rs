//! A column, or an expression of columns, that is compared with itself. Nobody writes `x = x` on
//! purpose: a parameter or variable that bears the column's name does, an optional filter that is left
//! out, and the scope trap, where a sub-select's own tables lack the column. So it restricts nothing,
//! nullable or not. Casts, collations, sub-selects' output columns and scalar sub-selects are seen
//! through; a cast that loses something (`price::int = price`) only where a sub-select stands between.

use crate::pg::pg_sys;
use pgrx::pg_sys::{NodeTag, SubLinkType};

use super::form::{Form, Judge};
use super::scope::Scope;
use crate::pg::{compat, nodes};

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

/// A comparison's sides are the same.
#[derive(Clone, Copy)]
pub struct Itself {
    /// A column that both sides name.
    pub column: i16,
    /// A sub-select stands between.
    pub inner: bool,
}

impl Judge<'_> {
    /// `left op right`.
    pub fn comparison(
        &self,
        on_equal: OnEqual,
        sides: *mut pg_sys::List,
        scope: &Scope,
        negated: bool,
    ) -> Form {
        let both: Vec<*mut pg_sys::Node> = nodes::items(sides).collect();
        if let [left, right] = both[..]
            && on_equal != OnEqual::Unknown
            && let Some(itself) = self.same(left, scope, right, scope)
        {
            return self.with_itself(on_equal, itself, negated);
        }
        if both.iter().any(|side| self.names_target(*side, scope)) { Form::Tied } else { Form::Free }
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
    pub fn distinct(&self, op: &pg_sys::DistinctExpr, scope: &Scope, negated: bool) -> Option<Form> {
        let mut sides = nodes::items::<pg_sys::Node>(op.args);
        let (left, right) = (sides.next()?, sides.next()?);
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
        compare: &pg_sys::RowCompareExpr,
        scope: &Scope,
        negated: bool,
    ) -> Option<Form> {
        let mut pairs = nodes::items::<pg_sys::Node>(compare.largs).zip(nodes::items(compare.rargs));
        let first = pairs.next().and_then(|(left, right)| self.same(left, scope, right, scope))?;
        let inner = pairs.try_fold(first.inner, |inner, (left, right)| {
            self.same(left, scope, right, scope).map(|itself| inner || itself.inner)
        })?;
        let on_equal = match compat::row_compare_strategy(compare) {
            pg_sys::BTLessEqualStrategyNumber | pg_sys::BTGreaterEqualStrategyNumber => OnEqual::True,
            _ => OnEqual::False,
        };
        Some(self.with_itself(on_equal, Itself { inner, ..first }, negated))
    }

    /// `scalar op ANY (array)` and ALL.
    pub fn array_comparison(
        &self,
        op: &pg_sys::ScalarArrayOpExpr,
        scope: &Scope,
        negated: bool,
    ) -> Option<Form> {
        let (any, on_equal) = (op.useOr, on_equal(op.opno));
        if on_equal == OnEqual::Unknown {
            return None;
        }
        let mut sides = nodes::items::<pg_sys::Node>(op.args);
        let (scalar, array) = (sides.next()?, sides.next()?);
        let array = strip_array_cast(array);
        if let Some(list) = nodes::cast::<pg_sys::ArrayExpr, _>(array, NodeTag::T_ArrayExpr) {
            // SAFETY: the tag says ArrayExpr.
            let mut elements = nodes::items::<pg_sys::Node>(unsafe { (*list).elements });
            let is_value = |node| matches!(nodes::tag(node), NodeTag::T_Const | NodeTag::T_Param);
            let same = |element: *mut pg_sys::Node| {
                if is_value(element) { None } else { self.same(scalar, scope, element, scope) }
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
        let sublink = nodes::cast::<pg_sys::SubLink, _>(array, NodeTag::T_SubLink)?;
        let mut itself = None;
        self.outputs(sublink, SubLinkType::ARRAY_SUBLINK, scope, &mut |output, inner| {
            itself = self.same(scalar, scope, output, inner);
            itself.is_some()
        });
        let seen = if any { on_equal } else { OnEqual::Unknown };
        Some(self.with_itself(seen, Itself { inner: true, ..itself? }, negated))
    }

    /// Whether two values are the same column of the target, or the same expression of its columns.
    pub fn same(
        &self,
        left: *mut pg_sys::Node,
        scope: &Scope,
        right: *mut pg_sys::Node,
        inner: &Scope,
    ) -> Option<Itself> {
        let is_value =
            |node| matches!(nodes::tag(nodes::strip_relabel(node)), NodeTag::T_Const | NodeTag::T_Param);
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
        left: *mut pg_sys::Node,
        scope: &Scope,
        right: *mut pg_sys::Node,
        inner: &Scope,
    ) -> Option<i16> {
        if nodes::tag(left) != nodes::tag(right) || nodes::tag(left) == NodeTag::T_Const {
            return None;
        }
        let difference = inner.depth() as i32 - scope.depth() as i32;
        // SAFETY: expressions; `right` is copied before its levels are changed to those of `left`.
        unsafe {
            let mut right = right;
            if difference != 0 {
                // Moved to another level, another level's columns could become the same.
                self.only_target(right, inner)?;
                right = pg_sys::copyObjectImpl(right.cast()).cast();
                pg_sys::IncrementVarSublevelsUp(right, -difference, inner.depth() as i32);
            }
            if !pg_sys::equal(left.cast(), right.cast()) || pg_sys::contain_volatile_functions(left) {
                return None;
            }
        }
        self.only_target(left, scope)
    }

    /// A column of the target, where an expression names columns of the target and nothing else.
    fn only_target(&self, node: *mut pg_sys::Node, scope: &Scope) -> Option<i16> {
        let mut column = None;
        for found in self.collect(node) {
            let var = nodes::cast::<pg_sys::Var, _>(found, NodeTag::T_Var)?;
            // SAFETY: the tag says Var.
            unsafe {
                let home = scope.level((*var).varlevelsup)?;
                if !home.is_top() || (*var).varno != self.target.index {
                    return None;
                }
                column = Some((*var).varattno);
            }
        }
        column
    }

    /// Visits what a value stands for: a sub-select's output columns for a Var that names one, a scalar
    /// sub-select's for the sub-select. Whether a visit gave true.
    fn resolved(
        &self,
        node: *mut pg_sys::Node,
        scope: &Scope,
        visit: &mut dyn FnMut(*mut pg_sys::Node, &Scope) -> bool,
    ) -> bool {
        let node = strip_plain(node);
        if self.has_had_enough() {
            return false;
        }
        // SAFETY: each cast follows the node's tag.
        unsafe {
            match nodes::tag(node) {
                NodeTag::T_Var => {
                    let var = &*node.cast::<pg_sys::Var>();
                    match scope.level(var.varlevelsup) {
                        Some(home) if !home.is_top() => {
                            if let Some(expression) = home.alias(var.varno as u32, var.varattno) {
                                return self.resolved(expression, home, visit);
                            }
                            home.any_output(var.varno as u32, var.varattno, &mut |output, inner| {
                                self.resolved(output, inner, visit)
                            })
                        }
                        _ => visit(node, scope),
                    }
                }
                NodeTag::T_SubLink => {
                    self.outputs(node.cast(), SubLinkType::EXPR_SUBLINK, scope, &mut |output, inner| {
                        self.resolved(output, inner, visit)
                    })
                }
                _ => visit(node, scope),
            }
        }
    }

    /// The target's column that a value is.
    pub fn column(&self, node: *mut pg_sys::Node, scope: &Scope) -> Option<Own> {
        if self.has_had_enough() {
            return None;
        }
        let (node, whole) = strip_casts(node);
        let mut found = None;
        // SAFETY: each cast follows the node's tag.
        unsafe {
            match nodes::tag(node) {
                NodeTag::T_Var => {
                    let var = &*node.cast::<pg_sys::Var>();
                    let home = scope.level(var.varlevelsup)?;
                    if home.is_top() {
                        let column = var.varattno;
                        let own = var.varno == self.target.index;
                        return own.then_some(Own { column, inner: !scope.is_top(), whole });
                    }
                    if let Some(expression) = home.alias(var.varno as u32, var.varattno) {
                        found = self.column(expression, home);
                    } else {
                        home.any_output(var.varno as u32, var.varattno, &mut |output, inner| {
                            found = self.column(output, inner);
                            found.is_some()
                        });
                        found = found.map(|own| Own { inner: true, ..own });
                    }
                }
                // `COALESCE($1, id)` of an optional filter that is left out: NULLs fold away.
                NodeTag::T_CoalesceExpr => {
                    let args = (*node.cast::<pg_sys::CoalesceExpr>()).args;
                    let first = self.column(nodes::items(args).next()?, scope)?;
                    if nodes::length(args) == 1 || self.target.is_not_null(first.column) {
                        found = Some(first);
                    }
                }
                NodeTag::T_SubLink => {
                    self.outputs(node.cast(), SubLinkType::EXPR_SUBLINK, scope, &mut |output, inner| {
                        found = self.column(output, inner);
                        found.is_some()
                    });
                    found = found.map(|own| Own { inner: true, ..own });
                }
                _ => {}
            }
        }
        found.map(|own| Own { whole: whole && own.whole, ..own })
    }

    /// Visits the first output column of a sub-select of this kind whose rows do not depend on the
    /// target's row. Whether a visit gave true.
    fn outputs(
        &self,
        sublink: *mut pg_sys::SubLink,
        kind: SubLinkType::Type,
        scope: &Scope,
        visit: &mut dyn FnMut(*mut pg_sys::Node, &Scope) -> bool,
    ) -> bool {
        // SAFETY: a SubLink, whose subselect is a Query.
        let query = unsafe {
            if (*sublink).subLinkType != kind {
                return false;
            }
            (*sublink).subselect.cast::<pg_sys::Query>()
        };
        !self.query_is_tied(query, &scope.below(query), true) && scope.any_output_of(query, 1, visit)
    }
}

fn is_null(node: *mut pg_sys::Node) -> bool {
    nodes::cast::<pg_sys::Const, _>(node, NodeTag::T_Const)
        // SAFETY: the tag says Const.
        .is_some_and(|constant| unsafe { (*constant).constisnull })
}

/// Without relabelling and collations.
fn strip_plain(mut node: *mut pg_sys::Node) -> *mut pg_sys::Node {
    loop {
        node = nodes::strip_relabel(node);
        match nodes::cast::<pg_sys::CollateExpr, _>(node, NodeTag::T_CollateExpr) {
            // SAFETY: the tag says CollateExpr.
            Some(collate) => node = unsafe { (*collate).arg.cast() },
            None => return node,
        }
    }
}

/// A value without casts and collations, and whether none of them loses anything.
pub fn strip_casts(mut node: *mut pg_sys::Node) -> (*mut pg_sys::Node, bool) {
    let mut whole = true;
    loop {
        node = strip_plain(node);
        // SAFETY: each cast follows the node's tag.
        unsafe {
            match nodes::tag(node) {
                NodeTag::T_CoerceToDomain => node = (*node.cast::<pg_sys::CoerceToDomain>()).arg.cast(),
                NodeTag::T_CoerceViaIO => {
                    whole = false;
                    node = (*node.cast::<pg_sys::CoerceViaIO>()).arg.cast();
                }
                NodeTag::T_FuncExpr => {
                    let function = &*node.cast::<pg_sys::FuncExpr>();
                    let Some(value) = cast_value(function) else { return (node, whole) };
                    whole &= loses_nothing(function, value);
                    node = value;
                }
                _ => return (node, whole),
            }
        }
    }
}

/// What a function that stands for a cast casts.
fn cast_value(function: &pg_sys::FuncExpr) -> Option<*mut pg_sys::Node> {
    use pg_sys::CoercionForm::{COERCE_EXPLICIT_CAST, COERCE_IMPLICIT_CAST};
    let casts = matches!(function.funcformat, COERCE_EXPLICIT_CAST | COERCE_IMPLICIT_CAST);
    casts.then(|| nodes::items(function.args).next()).flatten()
}

/// Whether a cast is one that PostgreSQL makes by itself, which are those to a wider type, or one
/// between integers, which gives the same number or an error.
fn loses_nothing(function: &pg_sys::FuncExpr, value: *mut pg_sys::Node) -> bool {
    if nodes::length(function.args) != 1 {
        // To a length.
        return false;
    }
    // SAFETY: catalog cache look-ups of the types of an expression.
    unsafe {
        let (to, from) = (function.funcresulttype, pg_sys::exprType(value));
        let is_integer = |t| matches!(t, pg_sys::INT2OID | pg_sys::INT4OID | pg_sys::INT8OID);
        let mut found = pg_sys::InvalidOid;
        let path =
            pg_sys::find_coercion_pathway(to, from, pg_sys::CoercionContext::COERCION_IMPLICIT, &mut found);
        (is_integer(to) && is_integer(from))
            || (path == pg_sys::CoercionPathType::COERCION_PATH_FUNC && found == function.funcid)
    }
}

fn strip_array_cast(mut node: *mut pg_sys::Node) -> *mut pg_sys::Node {
    loop {
        node = strip_plain(node);
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
