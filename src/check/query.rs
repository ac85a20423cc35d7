//! A statement that PostgreSQL plans: what it writes, and what the guard would say.

use std::ffi::CStr;

use safedelete_core::command::Command;
use safedelete_core::event;
use safedelete_core::expectation;
use safedelete_core::limit::Size;
use safedelete_core::message::{Report, Rule};

use super::forecast::{Forecast, Outcome};
use super::parsed::command_name;
use super::session::Session;
use super::unanalysed;
use crate::analysis::{self, Qualification, expected};
use crate::authority;
use crate::guard::attach::{self, Estimate};
use crate::guard::table;
use crate::guard::task::Task;
use crate::pg::attempt::attempt;
use crate::pg::nodes::{self, Node, Nodes, Walk};
use crate::pg::parser::{self, Parameters, Source};
use crate::pg::write::Write;
use crate::pg::{frame, inheritance, pg_sys, relations};
use crate::policy;

/// The forecasts of a statement that PostgreSQL plans, by itself or inside another: one, or one for each write.
pub fn judge(session: &Session, node: Node, source: Source, parameters: Parameters) -> Vec<Forecast> {
    frame::check_for_interrupts();
    let command = command_name(node);
    match attempt(|| plannable(&command, node, source, parameters)) {
        Ok(forecasts) => forecasts,
        Err(failure) => match unanalysed::unqualified(node) {
            Some((command, table)) => {
                let found = unanalysed::judge(session, command, table);
                vec![Forecast { sqlstate: found.sqlstate.or(Some(failure.sqlstate)), ..found }]
            }
            None => vec![Forecast::failed(&command, &failure)],
        },
    }
}

fn plannable(command: &str, node: Node, source: Source, parameters: Parameters) -> Vec<Forecast> {
    let mut forecasts = Vec::new();
    for query in parser::analyse(node, source, parameters).iter() {
        forecasts.extend(of_query(query, source.text));
    }
    if forecasts.is_empty() {
        forecasts.push(Forecast::ok(command));
    }
    forecasts
}

/// The forecasts of an analysed statement.
fn of_query(query: Node<pg_sys::Query>, text: &CStr) -> Vec<Forecast> {
    if query.commandType == pg_sys::CmdType::CMD_UTILITY {
        return Vec::new();
    }
    let mut forecasts = Vec::new();
    let called = unread_function(query);
    let written = analysis::analyse(query);
    if written.iter().any(Option::is_some) {
        let estimates = estimates(query, text, &written);
        for (write, estimate) in written.iter().zip(estimates) {
            forecasts.extend(write.map(|write| of_write(&write, estimate)));
        }
    } else {
        forecasts.extend(unguarded_write(query));
    }
    if let Some(function) = called {
        let reason = format!("calls function {function}, which is not looked into");
        forecasts.push(Forecast::unknown("SELECT", &reason));
    }
    forecasts
}

/// A function that a query calls and that may write: volatile, and in a language whose functions run
/// SQL. Its name, with its schema's.
fn unread_function(query: Node<pg_sys::Query>) -> Option<String> {
    let mut found = pg_sys::InvalidOid;
    nodes::walk(query.any(), &mut |node: Node| {
        let runs_sql = nodes::calls(node, |function| {
            found = function;
            relations::may_run_sql(function)
        });
        if runs_sql { Walk::Stop } else { Walk::Into }
    })
    .then(|| relations::function_name(found))
}

/// A write that is not guarded, to tell its table.
fn unguarded_write(query: Node<pg_sys::Query>) -> Option<Forecast> {
    let write = Write::of_query(query).filter(|write| write.command != Command::Upsert)?;
    Some(Forecast {
        relation: Some(relations::qualified_name(write.relation)),
        ..Forecast::ok(write.command.tag())
    })
}

/// The rows that PostgreSQL expects each write to select. What the caller may not write it may not
/// learn of either: that is PostgreSQL's error.
fn estimates(
    query: Node<pg_sys::Query>,
    text: &CStr,
    written: &[Option<analysis::Finding>],
) -> Vec<Estimate> {
    let plan = analysis::plan_only(query, text);
    parser::check_permissions(plan);
    // SAFETY: a finished plan.
    unsafe { attach::estimates(plan.as_ptr(), written) }
}

/// What the guard would say of one write.
fn of_write(found: &analysis::Finding, estimate: Estimate) -> Forecast {
    let write = found.write;
    let size = table::cheap(write.relation, write.only);
    let forecast = Forecast {
        relation: Some(relations::qualified_name(write.relation)),
        estimated_rows: estimate.rows,
        table_rows: size.map(Size::rows),
        ..Forecast::ok(write.command.tag())
    };
    let in_force = policy::of(write.relation);
    // A new table holds nothing that could be lost.
    if !in_force.guards(write.command) || inheritance::is_new(write.relation) {
        let by_ceiling = || {
            let rows = estimate.rows?.round() as u64;
            let (_, report) = Task::new(write, in_force, false).unguarded().preview(rows)?;
            Some(estimated(report, rows))
        };
        return match by_expectation(found, estimate).or_else(by_ceiling) {
            Some(report) => forecast.told(Outcome::Unknown, report),
            None => forecast,
        };
    }
    let forecast = Forecast { declared: authority::declared(&in_force), ..forecast };
    let unknown = |rule, reason: &str| Forecast {
        outcome: Outcome::Unknown,
        rule: Some(rule),
        message: Some(reason.to_owned()),
        ..forecast.clone()
    };
    if in_force.effective().require_where && found.qualification == Qualification::Deferred {
        return unknown(Rule::Where, "whether the condition restricts the rows depends on the parameters");
    }
    let task = Task::new(write, in_force, false);
    if let Some((ruling, report)) = task.by_where(|| found.qualification) {
        // It may come to every row, and so to more than a budget lets through.
        let all = task.standing().rule(Some(size.map_or(0, Size::rows)));
        let outcome = match (ruling.verdict(), all.verdict()) {
            (event::Verdict::Refused, _) => Outcome::Refused,
            (_, event::Verdict::Refused) => Outcome::Unknown,
            _ => Outcome::Ok,
        };
        return forecast.told(outcome, report);
    }
    if let Some(report) = by_expectation(found, estimate) {
        return forecast.told(Outcome::Unknown, report);
    }
    let Some(rows) = estimate.rows else { return forecast };
    let rows = (rows.round() as u64).max(1);
    match task.preview(rows) {
        // Only an exact count refuses, and there is none before it runs.
        Some((event::Verdict::Refused, report)) => forecast.told(Outcome::Unknown, estimated(report, rows)),
        Some((_, report)) => forecast.told(Outcome::Ok, estimated(report, rows)),
        None if estimate.has_parts => unknown(
            Rule::Rows,
            "parts of the table have policies of their own, and are counted by themselves",
        ),
        None => forecast,
    }
}

/// What the statement says of its own number of rows, judged by the planner's estimate.
fn by_expectation(found: &analysis::Finding, estimate: Estimate) -> Option<Report> {
    let rows = estimate.rows?.round() as u64;
    // SAFETY: a finding's list, of calls.
    let said = unsafe { Nodes::of(found.expected) };
    let unmet = expected::constants(said).broken_by(rows)?;
    let Write { command, relation, .. } = found.write;
    Some(expectation::may_be_unmet(command, &relations::name(relation), unmet, rows))
}

/// Rule `rows` judged by the planner's estimate.
fn estimated(report: Report, rows: u64) -> Report {
    let detail = report.detail.map(|detail| {
        let limit = detail.split_once(';').map_or("", |(_, limit)| limit);
        format!("PostgreSQL expects the statement to select about {rows} rows;{limit}")
    });
    let message = report.message.replacen(" exceeds ", " may exceed ", 1);
    Report { message, detail, ..report }
}
