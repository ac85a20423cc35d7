//! How EXPLAIN shows the guard: its limit and where that comes from, what is wrong with the WHERE
//! clause, and with ANALYZE what was counted, also in the tables that foreign keys reached.

use core::ffi::CStr;

use crate::pg::pg_sys;
use safedelete_core::limit::Size;
use safedelete_core::{explain, message};

use super::orders::{Flow, Orders};
use super::state::GuardState;
use super::task::own_ceiling;
use super::volatile;
use crate::analysis::{Qualification, expected};
use crate::authority::Writer;
use crate::pg::nodes::{self, Kind, Nodes};
use crate::pg::relations;
use crate::pg::{frame, text};
use crate::{ledger, policy};

/// A bare frame: ExplainCustomScan.
pub unsafe extern "C-unwind" fn explain(
    node: *mut pg_sys::CustomScanState,
    _: *mut pg_sys::List,
    es: *mut pg_sys::ExplainState,
) {
    let guard = node.cast::<GuardState>();
    frame::guarded(|| {
        // SAFETY: PostgreSQL explains a started state.
        unsafe {
            if let Some(orders) = &(*guard).orders {
                let execution = (*guard).execution;
                let counted = if execution.is_null() { None } else { (*execution).task.counted() };
                show_expected((*(*guard).scan.ss.ps.plan.cast::<pg_sys::CustomScan>()).custom_exprs, es);
                show(orders, (*guard).count, counted, es);
                if orders.flow == Flow::Rows && is_guarded(orders) {
                    let statement = (*(*guard).scan.ss.ps.state).es_plannedstmt;
                    show_early(orders, (*guard).scan.ss.ps.plan, statement, es);
                }
            }
        }
    });
}

/// What the statement says of its number of rows.
///
/// # Safety
/// `calls` are the guard's `custom_exprs`; `es` is EXPLAIN's state.
unsafe fn show_expected(calls: *mut pg_sys::List, es: *mut pg_sys::ExplainState) {
    // SAFETY: by contract; a call has one argument, which names no column.
    unsafe {
        let said = Nodes::<pg_sys::FuncExpr>::of(calls).iter().filter_map(|call| {
            let argument = call.args().first()?;
            let number = match argument.kind() {
                Kind::Const(known) if !known.constisnull => (known.constvalue.value() as i64).to_string(),
                _ => {
                    let (argument, nothing) = (argument.as_ptr(), std::ptr::null_mut());
                    text::from_server(pg_sys::deparse_expression(argument, nothing, false, false))?
                }
            };
            Some(expected::word(call)?.of(&number))
        });
        let said = said.collect::<Vec<_>>().join(", ");
        if !said.is_empty() {
            property(c"Expected Rows", &said, es);
        }
    }
}

/// # Safety
/// `es` is EXPLAIN's state.
unsafe fn show(orders: &Orders, count: u64, counted: Option<(Size, u64)>, es: *mut pg_sys::ExplainState) {
    // SAFETY: by contract.
    unsafe {
        if is_guarded(orders) {
            property(c"Limit", &limit_of(orders.write.relation), es);
        }
        if let Some(most) = own_ceiling(orders.write.relation) {
            property(c"Own Limit", &message::explain_own(most), es);
        }
        let parts: Vec<_> = nodes::oids(orders.parts).map(|part| c_string(&limit_of_part(part))).collect();
        if !parts.is_empty() {
            pg_sys::ExplainPropertyList(c"Limits of Parts".as_ptr(), nodes::list(parts), es);
        }
        let missing = match orders.qualification {
            Qualification::Qualified => None,
            Qualification::NoWhere => Some("missing"),
            Qualification::MatchesEveryRow
            | Qualification::OuterColumn(_)
            | Qualification::ComparedWithItself(_) => Some("matches every row"),
            Qualification::Deferred => Some("depends on parameters"),
        };
        if let Some(missing) = missing {
            property(c"Where Clause", missing, es);
        }
        if (*es).analyze {
            pg_sys::ExplainPropertyInteger(c"Rows Counted".as_ptr(), std::ptr::null(), count as i64, es);
            if let Some((size, pages)) = counted {
                property(c"Table Rows", &message::explain_size(size), es);
                let pages = pages as i64;
                pg_sys::ExplainPropertyInteger(c"Pages Counted".as_ptr(), std::ptr::null(), pages, es);
            }
            let reached: Vec<_> = ledger::reached_by_foreign_keys()
                .into_iter()
                .map(|(relation, rows)| c_string(&format!("{} {rows}", relations::name(relation))))
                .collect();
            if !reached.is_empty() {
                let list = nodes::list(reached);
                pg_sys::ExplainPropertyList(c"Rows Reached by Foreign Keys".as_ptr(), list, es);
            }
        }
    }
}

/// What PostgreSQL alone would evaluate between the writes, and the guard has evaluated before the first.
///
/// # Safety
/// `plan` is the guard's, of `statement`; `es` is EXPLAIN's state.
unsafe fn show_early(
    orders: &Orders,
    plan: *mut pg_sys::Plan,
    statement: *mut pg_sys::PlannedStmt,
    es: *mut pg_sys::ExplainState,
) {
    // SAFETY: by contract.
    unsafe {
        let mut early = Vec::new();
        if orders.evaluates_early {
            early.push(c_string("SET"));
        }
        if volatile::is_input(plan, statement, !orders.evaluates_early) {
            early.push(c_string("input"));
        }
        if !early.is_empty() {
            let label = c"Volatile Functions Run Before Writing";
            pg_sys::ExplainPropertyList(label.as_ptr(), nodes::list(early), es);
        }
    }
}

fn is_guarded(orders: &Orders) -> bool {
    policy::of(orders.write.relation).guards(orders.write.command)
}

/// A part of the table that has a policy of its own, with its limit.
fn limit_of_part(part: pg_sys::Oid) -> String {
    format!("{} {}", relations::name(part), limit_of(part))
}

/// What bounds a write of a table by the current role, in words: no table is counted to tell it.
fn limit_of(relation: pg_sys::Oid) -> String {
    let in_force = policy::of(relation);
    let effective = in_force.effective();
    let standing = Writer::now(false).standing(effective.mode, &in_force);
    explain::bounds(&in_force.terms(effective.bounds), &standing)
}

/// # Safety
/// `es` is EXPLAIN's state.
unsafe fn property(name: &CStr, value: &str, es: *mut pg_sys::ExplainState) {
    // SAFETY: NUL-terminated strings, which EXPLAIN copies.
    unsafe { pg_sys::ExplainPropertyText(name.as_ptr(), c_string(value), es) };
}

/// A palloc'd copy.
fn c_string(text: &str) -> *mut core::ffi::c_char {
    text::to_server(text)
}
