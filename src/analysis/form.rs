//! Rule `where`: does a condition restrict the rows of its target? An expression is read by its
//! form alone, after PostgreSQL's constant folding, as one of four things, and a write is
//! qualified when one of its ANDed conditions is tied to the target's row or can never be true.

use super::finding::Qualification;
use super::itself::on_equal;
use super::judge::{Form, Itself, Judge};
use super::premises::Premises;
use super::scope::{Scope, Visit, listed};
use super::{lists, prover};
use crate::pg::nodes::expressions;
use crate::pg::nodes::{Kind, Node, Nodes};
use crate::pg::pg_sys;

impl<'t> Judge<'t> {
    /// Judges folded conditions that all hold for a row that is written.
    pub fn qualification(
        &self,
        conditions: &[Node<'t>],
        negated_first: bool,
        top: &Scope<'_, 't>,
    ) -> Qualification {
        self.conditions.replace(conditions.to_vec());
        // Proofs cost more than the reading, and most conditions need none.
        let mut restricts = self.restricts(conditions, negated_first, top);
        if restricts && (self.target.has_checks() || self.is_provable.get()) {
            self.proving.set(true);
            restricts = self.restricts(conditions, negated_first, top);
            self.proving.set(false);
        }
        match (restricts, conditions.is_empty(), self.itself.get()) {
            (true, ..) => Qualification::Qualified,
            (_, true, _) => Qualification::NoWhere,
            (_, _, Some(Itself { column, inner: true })) => Qualification::OuterColumn(column),
            (_, _, Some(Itself { column, .. })) => Qualification::ComparedWithItself(column),
            (_, _, None) => Qualification::MatchesEveryRow,
        }
    }

    fn restricts(&self, conditions: &[Node<'t>], negated_first: bool, top: &Scope<'_, 't>) -> bool {
        self.effort.begin();
        let mut itself = None;
        let restricts = conditions.iter().enumerate().any(|(i, condition)| {
            let negated = negated_first && i == 0;
            let (form, found) = self.whole(*condition, negated, top);
            itself = itself.or(found);
            match form {
                Form::Tied => true,
                // NOT MATCHED BY SOURCE: no source row meets the condition.
                Form::Never => !negated,
                Form::True => negated,
                Form::Free => false,
            }
        });
        self.itself.set(itself);
        restricts
    }

    fn whole(&self, condition: Node<'t>, negated: bool, top: &Scope<'_, 't>) -> (Form, Option<Itself>) {
        let key = (condition, self.proving.get(), negated);
        if let Some(known) = self.memory.whole.borrow().get(&key) {
            return *known;
        }
        self.existential.set(negated);
        self.itself.set(None);
        let read = (self.form(condition, top, false), self.itself.get());
        self.memory.whole.borrow_mut().insert(key, read);
        read
    }

    /// Folds and reads a condition of a sub-select (a boolean expression, or a list that is an AND).
    pub fn folded(&self, condition: Node<'t>, scope: &Scope<'_, 't>) -> Form {
        if let Some(form) = self.memory.forms.borrow().get(&condition) {
            return *form;
        }
        let form = self.form(condition.folded(self.root), scope, false);
        self.memory.forms.borrow_mut().insert(condition, form);
        form
    }

    /// As `Scope::any_output`, of outputs as folding leaves them: conditions above a sub-select are folded without it.
    pub fn any_output(
        &self,
        scope: &Scope<'_, 't>,
        index: i32,
        attribute: i16,
        visit: Visit<'_, 't>,
    ) -> bool {
        scope.any_output(index, attribute, &mut |output, inner| self.any_value(output, inner, visit))
    }

    /// As `Scope::any_output_of`, likewise.
    pub fn any_output_of(
        &self,
        scope: &Scope<'_, 't>,
        query: Node<'t, pg_sys::Query>,
        attribute: i16,
        visit: Visit<'_, 't>,
    ) -> bool {
        scope.any_output_of(query, attribute, &mut |output, inner| self.any_value(output, inner, visit))
    }

    /// Visits an output, or each value of one that is a set written out.
    fn any_value(&self, output: Node<'t>, scope: &Scope<'_, 't>, visit: Visit<'_, 't>) -> bool {
        let value = self.value(output);
        match listed(value) {
            Some(values) => values.iter().any(|value| visit(value, scope)),
            None => visit(value, scope),
        }
    }

    fn value(&self, output: Node<'t>) -> Node<'t> {
        if matches!(output.kind(), Kind::Var(_) | Kind::Const(_) | Kind::Param(_) | Kind::SubLink(_)) {
            return output;
        }
        *self.memory.values.borrow_mut().entry(output).or_insert_with(|| output.folded(self.root))
    }

    /// Reads a folded expression; `negated` reads NOT of it.
    pub fn form(&self, node: Node<'t>, scope: &Scope<'_, 't>, negated: bool) -> Form {
        if self.has_had_enough() {
            return Form::Tied;
        }
        // An error where the stack is used up, as of PostgreSQL's own walkers.
        pg_sys::check_stack_depth();
        let unless_implied = |form| self.unless_implied(form, node, scope, negated);
        match node.kind() {
            Kind::Const(constant) => {
                if constant.constisnull || (constant.constvalue.value() != 0) == negated {
                    Form::Never
                } else {
                    Form::True
                }
            }
            Kind::List(parts) => self.all(parts, scope, negated),
            Kind::BoolExpr(expression) => match (expression.boolop, negated) {
                (pg_sys::BoolExprType::NOT_EXPR, _) => match expression.args().first() {
                    Some(inner) => self.form(inner, scope, !negated),
                    None => Form::Tied,
                },
                (pg_sys::BoolExprType::AND_EXPR, false) | (pg_sys::BoolExprType::OR_EXPR, true) => {
                    self.all(expression.args(), scope, negated)
                }
                _ => unless_implied(self.any(expression.args(), scope, negated)),
            },
            Kind::NullTest(test) => self.null_test(test, scope, negated),
            Kind::BooleanTest(test) => self.boolean_test(test, scope, negated),
            Kind::RelabelType(relabel) => match relabel.arg() {
                Some(inner) => self.form(inner, scope, negated),
                None => Form::Tied,
            },
            Kind::CurrentOfExpr(_) => Form::Tied,
            Kind::SubLink(sublink) => self.sublink(sublink, scope, negated),
            Kind::OpExpr(op) => unless_implied(self.comparison(on_equal(op.opno), op.args(), scope, negated)),
            Kind::DistinctExpr(op) => {
                self.distinct(op, scope, negated).unwrap_or_else(|| self.tied(node, scope))
            }
            Kind::ScalarArrayOpExpr(op) => {
                if let Some(value) = lists::of_empty(op) {
                    return if value == negated { Form::Never } else { Form::True };
                }
                if lists::is_never_true(op, negated) {
                    return Form::Never;
                }
                if let Some(arms) = lists::as_or(op) {
                    return self.form(arms.folded(self.root), scope, negated);
                }
                if let Some(form) = self.array_comparison(op, scope, negated) {
                    return form;
                }
                unless_implied(self.tied(node, scope))
            }
            Kind::RowCompareExpr(compare) => {
                self.row_comparison(compare, scope, negated).unwrap_or_else(|| self.tied(node, scope))
            }
            _ => unless_implied(self.tied(node, scope)),
        }
    }

    /// AND: one part that restricts is enough.
    fn all(&self, parts: Nodes<'t>, scope: &Scope<'_, 't>, negated: bool) -> Form {
        let mut result = Form::True;
        // Where proofs are tried, simple parts come first, and one that is not proved will do.
        let proving = self.proving.get();
        let is_compound = |part: &Node| proving && part.is_a::<pg_sys::BoolExpr>();
        let simple = parts.iter().filter(|part| !is_compound(part));
        for part in simple.chain(parts.iter().filter(is_compound)) {
            match self.form(part, scope, negated) {
                Form::Never => {
                    result = Form::Never;
                    break;
                }
                Form::Tied => {
                    result = Form::Tied;
                    self.proving.set(false);
                }
                Form::Free if result == Form::True => result = Form::Free,
                _ => {}
            }
        }
        self.proving.set(proving);
        result
    }

    /// OR: one arm that does not restrict lets every row through. Below a sub-select the arms are
    /// about some row of another table, whose data decide: there one arm that is tied ties.
    fn any(&self, arms: Nodes<'t>, scope: &Scope<'_, 't>, negated: bool) -> Form {
        let mut result = Form::Never;
        let mut tied = Vec::new();
        // Negated, the arms are those of an AND.
        let arms = if negated { arms.iter().collect() } else { lists::arms(arms, self.root) };
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
        if !negated && result == Form::Tied && tied.len() > 1 {
            self.is_provable.set(true);
            if self.proving.get() {
                let plain: Vec<_> = tied.iter().map(|arm| self.plain(*arm)).collect();
                if prover::covers_every_row(&plain, self.target, &self.effort) {
                    return Form::True;
                }
            }
        }
        result
    }

    /// `b IS TRUE` and its kin of a boolean column that is never NULL, as the prover knows them.
    fn plain(&self, arm: Node<'t>) -> Node<'t> {
        let test = arm.as_a::<pg_sys::BooleanTest>();
        let Some((test, argument)) = test.and_then(|test| Some((test, test.arg()?))) else { return arm };
        let column = self.target.column(argument, 0);
        if !column.is_some_and(|column| self.target.is_not_null(column)) {
            return arm;
        }
        match test.booltesttype {
            pg_sys::BoolTestType::IS_TRUE | pg_sys::BoolTestType::IS_NOT_FALSE => argument,
            pg_sys::BoolTestType::IS_FALSE | pg_sys::BoolTestType::IS_NOT_TRUE => {
                expressions::boolean(pg_sys::BoolExprType::NOT_EXPR, Nodes::from_iter([argument]))
            }
            _ => arm,
        }
    }

    fn null_test(&self, test: Node<'t, pg_sys::NullTest>, scope: &Scope<'_, 't>, negated: bool) -> Form {
        match test.arg().and_then(|argument| self.whole_column(argument, scope)) {
            Some(column) if !test.argisrow && self.target.is_not_null(column) => {
                let true_for_values = (test.nulltesttype == pg_sys::NullTestType::IS_NOT_NULL) != negated;
                if true_for_values { Form::True } else { Form::Never }
            }
            _ => self.unless_implied(self.tied(test.any(), scope), test.any(), scope, negated),
        }
    }

    fn boolean_test(
        &self,
        test: Node<'t, pg_sys::BooleanTest>,
        scope: &Scope<'_, 't>,
        negated: bool,
    ) -> Form {
        use pg_sys::BoolTestType::*;
        let Some(argument) = test.arg() else { return Form::Tied };
        match (test.booltesttype, negated) {
            (IS_TRUE, false) | (IS_NOT_TRUE, true) => self.form(argument, scope, false),
            (IS_FALSE, false) | (IS_NOT_FALSE, true) => self.form(argument, scope, true),
            (IS_NOT_TRUE, false) | (IS_TRUE, true) => self.is_not_true(argument, scope, false),
            (IS_NOT_FALSE, false) | (IS_FALSE, true) => self.is_not_true(argument, scope, true),
            (kind, _) => {
                match self.whole_column(argument, scope) {
                    Some(column) if self.target.is_not_null(column) => {
                        if (kind == IS_NOT_UNKNOWN) != negated { Form::True } else { Form::Never }
                    }
                    _ => self.tied(test.any(), scope),
                }
            }
        }
    }

    /// `… IS NOT TRUE`, or IS NOT FALSE, which is IS NOT TRUE of NOT: NULL passes it, unlike NOT.
    fn is_not_true(&self, argument: Node<'t>, scope: &Scope<'_, 't>, not: bool) -> Form {
        match self.form(argument, scope, not) {
            Form::Never => Form::True,
            Form::True => Form::Never,
            Form::Free => Form::Free,
            Form::Tied => self.form(argument, scope, !not),
        }
    }

    /// The target's column that a value is, no cast changing it.
    fn whole_column(&self, node: Node<'t>, scope: &Scope<'_, 't>) -> Option<i16> {
        self.column(node, scope).filter(|own| own.whole).map(|own| own.column)
    }

    pub fn tied(&self, node: Node<'t>, scope: &Scope<'_, 't>) -> Form {
        if self.names_target(node, scope) { Form::Tied } else { Form::Free }
    }

    /// A condition that the table's own constraints make true restricts nothing.
    fn unless_implied(&self, form: Form, node: Node<'t>, scope: &Scope<'_, 't>, negated: bool) -> Form {
        if form != Form::Tied || !self.proving.get() || !scope.is_top() || !self.target.has_checks() {
            return form;
        }
        let premises = self.premises.get_or_init(|| Premises::of(self.target));
        if premises.imply(node, negated, self.target, &self.effort) { Form::True } else { form }
    }
}
