//! Sub-selects in a condition. The trap this room looks for: a name that the sub-select's own
//! tables do not have is taken from the statement's target, so that the target's column is
//! compared with itself and the condition ties nothing to a row.

use pgrx::pg_sys::SubLinkType;

use super::casts::strip_casts;
use super::itself::{OnEqual, on_equal};
use super::judge::{Form, Itself, Judge};
use super::scope::{Scope, is_listed, listed};
use crate::pg::nodes::{self, Kind, Node, Walk};
use crate::pg::pg_sys;

type Query<'t> = Node<'t, pg_sys::Query>;

impl<'t> Judge<'t> {
    pub fn sublink(&self, sublink: Node<'t, pg_sys::SubLink>, scope: &Scope<'_, 't>, negated: bool) -> Form {
        let Some(query) = sublink.query() else { return self.tied(sublink.any(), scope) };
        let below = scope.below(query);
        match sublink.subLinkType {
            SubLinkType::EXISTS_SUBLINK => {
                if always_gives_a_row(query) {
                    return if negated { Form::Never } else { Form::True };
                }
                if self.never_gives_a_row(query, &below) {
                    return if negated { Form::True } else { Form::Never };
                }
                if self.query_is_tied(query, &below, true) { Form::Tied } else { Form::Free }
            }
            // No row is NULL, and NOT of it is NULL as well.
            SubLinkType::EXPR_SUBLINK if self.never_gives_a_row(query, &below) => Form::Never,
            // A condition that a sub-select gives is read as it is; what is never true is left to its rows.
            SubLinkType::EXPR_SUBLINK
                if !self.query_is_tied(query, &below, true)
                    && !self.any_output_of(scope, query, 1, &mut |output, inner| {
                        !matches!(self.form(output, inner, false), Form::True | Form::Free)
                    }) =>
            {
                Form::Free
            }
            kind
            @ (SubLinkType::ANY_SUBLINK | SubLinkType::ALL_SUBLINK | SubLinkType::ROWCOMPARE_SUBLINK) => {
                let test = sublink.testexpr();
                let one_will_do = kind != SubLinkType::ALL_SUBLINK
                    && test.is_some_and(|test| test.is_a::<pg_sys::OpExpr>());
                let mut pairs = Pairs { tied: false, itself: None, on_equal: OnEqual::Unknown, one_will_do };
                self.pair_up(test, query, scope, &mut pairs);
                if pairs.tied || self.query_is_tied(query, &below, true) {
                    return Form::Tied;
                }
                match pairs.itself {
                    Some(column) => {
                        let seen =
                            if kind == SubLinkType::ANY_SUBLINK { pairs.on_equal } else { OnEqual::Unknown };
                        self.with_itself(seen, Itself { column, inner: true }, negated)
                    }
                    None => Form::Free,
                }
            }
            _ => self.tied(sublink.any(), scope),
        }
    }

    /// Reads `left op (column of the sub-select)`, alone or several of a row comparison.
    fn pair_up(&self, test: Option<Node<'t>>, query: Query<'t>, scope: &Scope<'_, 't>, pairs: &mut Pairs) {
        let Some(test) = test else { return };
        match test.kind() {
            Kind::OpExpr(op) => {
                if let (Some(left), Some(right)) = (op.args().get(0), op.args().get(1)) {
                    self.pair(on_equal(op.opno), left, right, query, scope, pairs);
                }
            }
            Kind::RowCompareExpr(compare) => {
                for (left, right) in compare.largs().iter().zip(compare.rargs().iter()) {
                    self.pair(OnEqual::True, left, right, query, scope, pairs);
                }
                pairs.on_equal = OnEqual::Unknown;
            }
            Kind::BoolExpr(arms) => {
                for arm in arms.args().iter() {
                    self.pair_up(Some(arm), query, scope, pairs);
                }
            }
            _ => pairs.tied |= self.names_target(test, scope),
        }
    }

    #[allow(clippy::too_many_arguments, reason = "one comparison and the two levels it stands between")]
    fn pair(
        &self,
        on_equal: OnEqual,
        left: Node<'t>,
        right: Node<'t>,
        query: Query<'t>,
        scope: &Scope<'_, 't>,
        pairs: &mut Pairs,
    ) {
        let Some(number) = sublink_parameter(right) else {
            pairs.tied |= self.names_target(left, scope) || self.names_target(right, scope);
            return;
        };
        let itself = if on_equal == OnEqual::Unknown {
            None
        } else {
            self.same_as_outputs(left, scope, query, number, pairs.one_will_do)
        };
        let itself = itself.map(|itself| itself.column);
        if itself.is_some() {
            pairs.itself = pairs.itself.or(itself);
            pairs.on_equal = on_equal;
            return;
        }
        pairs.tied |= self.names_target(left, scope)
            || self
                .any_output_of(scope, query, number, &mut |output, inner| self.names_target(output, inner));
    }

    /// Whether a sub-select's own WHERE is never true: an optional parameter that is left NULL, say.
    fn never_gives_a_row(&self, query: Query<'t>, scope: &Scope<'_, 't>) -> bool {
        // Aggregates without GROUP BY give a row of no rows, and so may grouping sets; the arms of a set
        // operation have conditions of their own.
        let Some(condition) = query.condition() else { return false };
        !query.hasAggs
            && query.havingQual().is_none()
            && query.groupingSets.is_null()
            && query.setOperations().is_none()
            && self.folded(condition, scope) == Form::Never
    }

    /// Whether a sub-select's rows depend on the target's row; its select list may count or not.
    pub fn query_is_tied(&self, query: Query<'t>, scope: &Scope<'_, 't>, ignore_select_list: bool) -> bool {
        let key = (query, ignore_select_list);
        if let Some(tied) = self.memory.tied.borrow().get(&key) {
            return *tied;
        }
        let tied = self.has_had_enough() || self.is_tied(query, scope, ignore_select_list);
        self.memory.tied.borrow_mut().insert(key, tied);
        tied
    }

    fn is_tied(&self, query: Query<'t>, scope: &Scope<'_, 't>, ignore_select_list: bool) -> bool {
        pg_sys::check_stack_depth();
        if query.jointree().is_some_and(|tree| self.join_tree_is_tied(tree.any(), scope)) {
            return true;
        }
        let names = |value: Option<Node<'t>>| value.is_some_and(|value| self.names_target(value, scope));
        // The arms of a set operation give the select list; INTERSECT and EXCEPT compare it.
        let operation = query.setOperations();
        let arms_count = compares_rows(operation) || (!ignore_select_list && operation.is_some());
        for entry in query.rtable().iter() {
            let tied = match entry.rtekind {
                pg_sys::RTEKind::RTE_SUBQUERY => entry
                    .subquery()
                    .is_some_and(|sub| self.query_is_tied(sub, &scope.below(sub), !arms_count)),
                pg_sys::RTEKind::RTE_FUNCTION => entry
                    .functions()
                    .iter()
                    .any(|function| !is_listed(function) && names(function.funcexpr())),
                pg_sys::RTEKind::RTE_TABLEFUNC => names(entry.tablefunc()),
                _ => false,
            };
            if tied {
                return true;
            }
        }
        for cte in query.cteList().iter() {
            // PostgreSQL does not even plan one that nobody reads.
            if cte.cterefcount > 0
                && let Some(sub) = cte.ctequery().and_then(|query| query.as_a())
                && self.query_is_tied(sub, &scope.below(sub), true)
            {
                return true;
            }
        }
        query.havingQual().is_some_and(|having| self.folded(having, scope) == Form::Tied)
            || names(query.limitCount())
            || names(query.limitOffset())
            || query.targetList().iter().any(|entry| {
                let Some(expression) = entry.expr() else { return false };
                // What rows are grouped, told apart or ordered by decides which come, and a function
                // that returns a set how many.
                // How many are written out is known.
                let counts = !ignore_select_list
                    || (query.hasTargetSRFs && expression.returns_set() && listed(expression).is_none())
                    || (entry.ressortgroupref > 0 && self.column(expression, scope).is_none());
                counts && self.names_target(expression, scope)
            })
    }

    fn join_tree_is_tied(&self, node: Node<'t>, scope: &Scope<'_, 't>) -> bool {
        let (children, condition): (Vec<_>, _) = match node.kind() {
            Kind::FromExpr(from) => (from.fromlist().iter().collect(), from.quals()),
            Kind::JoinExpr(join) => (join.larg().into_iter().chain(join.rarg()).collect(), join.quals()),
            _ => return false,
        };
        condition.is_some_and(|condition| self.folded(condition, scope) == Form::Tied)
            || children.into_iter().any(|child| self.join_tree_is_tied(child, scope))
    }

    /// Whether a value depends on a column of the target.
    pub fn names_target(&self, node: Node<'t>, scope: &Scope<'_, 't>) -> bool {
        if self.has_had_enough() {
            return true;
        }
        let mut found = match node.kind() {
            Kind::Const(_) | Kind::Param(_) => return false,
            Kind::Var(_) => vec![node],
            _ => self.collect(node),
        };
        // `x + x` asks once.
        found.dedup_by(|a, b| a.is_a::<pg_sys::Var>() && a.equals(*b));
        found.into_iter().any(|found| match found.kind() {
            Kind::SubLink(sublink) => match sublink.subLinkType {
                SubLinkType::EXISTS_SUBLINK
                | SubLinkType::ANY_SUBLINK
                | SubLinkType::ALL_SUBLINK
                | SubLinkType::ROWCOMPARE_SUBLINK => self.sublink(sublink, scope, false) == Form::Tied,
                _ => {
                    sublink.query().is_some_and(|query| self.query_is_tied(query, &scope.below(query), false))
                }
            },
            Kind::Var(var) => self.var_names_target(var, scope),
            _ => false,
        })
    }

    fn var_names_target(&self, var: Node<'t, pg_sys::Var>, scope: &Scope<'_, 't>) -> bool {
        let Some(home) = scope.level(var.varlevelsup) else { return false };
        if home.is_top() {
            return var.varno == self.target.index;
        }
        if let Some(expression) = home.alias(var.varno, var.varattno) {
            return self.names_target(expression, home);
        }
        let key = (home.query(), var.varno, var.varattno);
        if let Some(named) = self.memory.outputs.borrow().get(&key) {
            return *named;
        }
        let named = self
            .any_output(home, var.varno, var.varattno, &mut |output, inner| self.names_target(output, inner));
        self.memory.outputs.borrow_mut().insert(key, named);
        named
    }

    /// The Vars and SubLinks of an expression, not looking into the sub-selects.
    pub fn collect(&self, node: Node<'t>) -> Vec<Node<'t>> {
        let mut found = Vec::new();
        nodes::walk(node, &mut |node: Node<'t>| {
            match node.kind() {
                // What a SubLink compares with is its own business.
                Kind::Var(_) | Kind::SubLink(_) => found.push(node),
                Kind::Query(_) => {}
                _ => return Walk::Into,
            }
            Walk::Past
        });
        found
    }
}

struct Pairs {
    /// A pair depends on the target's row.
    tied: bool,
    /// A pair is this column and itself.
    itself: Option<i16>,
    on_equal: OnEqual,
    /// Of several rows one that is the same settles it: not of ALL, nor where several columns are compared, for it may
    /// be another row that is the same in the other.
    one_will_do: bool,
}

/// The number of the sub-select's column that a test expression's side stands for.
fn sublink_parameter(node: Node) -> Option<i16> {
    let param = strip_casts(node).0.as_a::<pg_sys::Param>()?;
    (param.paramkind == pg_sys::ParamKind::PARAM_SUBLINK).then_some(param.paramid as i16)
}

/// An aggregate without GROUP BY gives one row whatever it reads, if no function makes more or none of it.
fn always_gives_a_row(query: Query) -> bool {
    query.hasAggs
        && !query.hasTargetSRFs
        && query.groupClause.is_null()
        && query.groupingSets.is_null()
        && query.havingQual().is_none()
        && query.limitCount().is_none()
        && query.limitOffset().is_none()
        && query.setOperations().is_none()
}

/// INTERSECT and EXCEPT compare their arms' rows, so that even EXISTS depends on select lists.
fn compares_rows(operation: Option<Node>) -> bool {
    operation.and_then(|operation| operation.as_a::<pg_sys::SetOperationStmt>()).is_some_and(|operation| {
        operation.op != pg_sys::SetOperation::SETOP_UNION
            || compares_rows(operation.larg())
            || compares_rows(operation.rarg())
    })
}
