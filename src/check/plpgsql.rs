//! A DO block in PL/pgSQL: its static SQL is analysed, with PL/pgSQL's own variables, where PL/pgSQL is about to run
//! the block.

use super::forecast::{Forecast, Outcome};
use super::parsed::{carried, command_name};
use super::query;
use super::session::Session;
use super::whole;
use crate::pg::attempt::{Failure, attempt};
use crate::pg::nodes::{Node, Nodes, Statement};
use crate::pg::parser::{self, Parameters, Source, Variables};
use crate::pg::plpgsql::{self, Arm, Block, Expr, State, Statement as Step, Stmt};
use crate::pg::{growing, pg_sys};

/// The forecasts of a DO block, or why it could not be looked into.
pub fn look_into(session: &Session, block: Node<pg_sys::DoStmt>) -> Result<Vec<Forecast>, Failure> {
    let mut forecasts = Vec::new();
    plpgsql::look_into(block, &mut |state, outermost| {
        Walk { state, session, forecasts: &mut forecasts }.walk(outermost);
    })?;
    Ok(forecasts)
}

/// Goes through a function's statements, in their order.
struct Walk<'a, 't> {
    state: Node<'t, State>,
    session: &'a Session,
    forecasts: &'a mut Vec<Forecast>,
}

impl<'t> Walk<'_, 't> {
    fn unknown(&mut self, command: &str, reason: &str) {
        growing::push(self.forecasts, Forecast::unknown(command, reason));
    }

    fn dynamic(&mut self) {
        self.unknown("EXECUTE", "what EXECUTE runs is known only when it runs");
    }

    fn walk_all(&mut self, list: Nodes<'t, Stmt>) {
        list.iter().for_each(|statement| self.walk(statement));
    }

    fn walk(&mut self, statement: Node<'t, Stmt>) {
        match statement.statement() {
            Step::Block(block) => self.block(block),
            Step::Assign(assign) => self.sql(assign.expr),
            Step::ExecSql(step) | Step::Perform(step) | Step::Return(step) | Step::ReturnNext(step) => {
                self.sql(step.expr);
            }
            Step::Call => self.unknown("CALL", "what CALL or DO runs is not looked into"),
            Step::DynExecute => self.dynamic(),
            Step::Exit(exit) => self.sql(exit.condition),
            Step::Raise(raise) => raise.parameters.iter().for_each(|value| self.sql(Some(value))),
            Step::Assert(assert) => {
                self.sql(assert.condition);
                self.sql(assert.message);
            }
            Step::If(branch) => {
                self.sql(branch.condition);
                self.walk_all(branch.then);
                self.arms(branch.elsifs);
                self.walk_all(branch.otherwise);
            }
            Step::Case(case) => {
                self.sql(case.expr);
                self.arms(case.arms);
                self.walk_all(case.otherwise);
            }
            Step::Loop(endless) => self.walk_all(endless.body),
            Step::While(loop_) => {
                self.sql(loop_.condition);
                self.walk_all(loop_.body);
            }
            Step::ForI(range) => {
                [range.lower, range.upper, range.step].into_iter().for_each(|value| self.sql(value));
                self.walk_all(range.body);
            }
            Step::ForS(rows) => {
                self.sql(rows.query);
                self.walk_all(rows.body);
            }
            Step::ForC(rows) => self.walk_all(rows.body),
            Step::DynForS(rows) => {
                self.dynamic();
                self.walk_all(rows.body);
            }
            Step::Foreach(elements) => {
                self.sql(elements.expr);
                self.walk_all(elements.body);
            }
            Step::ReturnQuery(rows) => {
                self.sql(rows.query);
                rows.dynamic.into_iter().for_each(|_| self.dynamic());
            }
            Step::Open(open) => {
                self.sql(open.arguments);
                self.sql(open.query);
                open.dynamic.into_iter().for_each(|_| self.dynamic());
            }
            Step::Other => {}
        }
    }

    fn block(&mut self, block: Node<'t, Block<'t>>) {
        for variable in block.variables(self.state) {
            self.sql(variable.default());
            self.sql(variable.cursor_query());
        }
        self.walk_all(block.body);
        block.handlers().for_each(|body| self.walk_all(body));
    }

    /// Of IF or CASE.
    fn arms(&mut self, arms: Nodes<'t, Arm<'t>>) {
        for arm in arms.iter() {
            self.sql(arm.condition);
            self.walk_all(arm.body);
        }
    }

    /// What an expression or a statement of SQL comes to.
    fn sql(&mut self, expression: Option<Node<'t, Expr>>) {
        let Some(expression) = expression else { return };
        let (text, mode) = expression.text();
        let variables = expression.variables(self.state);
        let Ok(parsed) = attempt(|| parser::parse(text, mode)) else { return };
        // A setting may have been changed by now: what would be refused is not known.
        let settings_changed = self.forecasts.iter().any(|forecast| forecast.command == "SET");
        for node in parsed.iter().filter_map(|raw| raw.stmt()) {
            let source = Source { text, location: 0, length: 0 };
            for mut forecast in judge(self.session, node, source, variables) {
                if settings_changed && forecast.outcome == Outcome::Refused {
                    forecast.outcome = Outcome::Unknown;
                }
                // An expression that calls nothing has nothing to say.
                if forecast.outcome != Outcome::Ok || !node.is_a::<pg_sys::SelectStmt>() {
                    growing::push(self.forecasts, forecast);
                }
            }
        }
    }
}

/// A statement of SQL of the function's. Called while PL/pgSQL is about to execute it.
fn judge(session: &Session, node: Node, source: Source, variables: Variables) -> Vec<Forecast> {
    let command = command_name(node);
    match node.statement() {
        Statement::InsertStmt(_)
        | Statement::DeleteStmt(_)
        | Statement::UpdateStmt(_)
        | Statement::MergeStmt(_)
        | Statement::SelectStmt(_) => query::judge(session, node, source, Parameters::Variables(variables)),
        Statement::DoStmt(_) | Statement::CallStmt(_) | Statement::ExecuteStmt(_) => {
            vec![Forecast::unknown(&command, "what it runs is not looked into")]
        }
        Statement::VariableSetStmt(_) => {
            vec![Forecast::unknown(&command, "settings inside a block are not followed")]
        }
        Statement::TruncateStmt(truncate) => whole::truncate(truncate),
        Statement::DropStmt(drop) => whole::drop_objects(&command, drop, true),
        // An assignment; what it is assigned may call a function.
        Statement::PLAssignStmt(_) => query::judge(session, node, source, Parameters::Variables(variables))
            .into_iter()
            .filter(|forecast| forecast.outcome != Outcome::Ok)
            .collect(),
        _ => match carried(node) {
            Some(query) => judge(session, query, source, variables),
            None => vec![Forecast::ok(&command)],
        },
    }
}
