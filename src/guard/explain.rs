//! How EXPLAIN shows the guard, which no plan has: its limit and where that comes from, what is wrong with the WHERE
//! clause, and with ANALYZE what was counted, also in the tables that foreign keys reached.

use core::ffi::CStr;

use crate::pg::pg_sys;
use safedelete_core::limit::Size;
use safedelete_core::{explain, message};

use super::orders::{Flow, Orders};
use super::state::{self, GuardState};
use super::task::own_ceiling;
use super::volatile;
use crate::analysis::{Qualification, expected};
use crate::authority::Writer;
use crate::pg::custom::{self, Methods};
use crate::pg::nodes::{self, Kind, Nodes};
use crate::pg::relations;
use crate::pg::{compat, frame, raw, text};
use crate::{ledger, policy};
use pgrx::pg_sys::NodeTag;

/// A guard as EXPLAIN sees it: a node that stands in the tree of states when nothing is run any more, above the
/// input and with its numbers.
#[repr(C)]
struct Shown {
    scan: pg_sys::CustomScanState,
    orders: Orders,
    /// What is evaluated of its rows when they are handed on.
    given: *mut pg_sys::List,
    /// NULL where the plan was not run, or not watched.
    guard: *mut GuardState,
}

static SCAN_METHODS: Methods<pg_sys::CustomScanMethods> = Methods(custom::SCAN);

static EXEC_METHODS: Methods<pg_sys::CustomExecMethods> = Methods(pg_sys::CustomExecMethods {
    EndCustomScan: Some(end),
    ExplainCustomScan: Some(explain),
    ..custom::EXEC
});

/// Puts a node for the guard of `modify` below `above`, where the guard stands.
///
/// # Safety
/// `modify` carries `orders`, and its query is not run from here on; the memory is its execution's; no frame above
/// owns anything.
#[allow(ffi_unwind_calls, reason = "called by a bare frame, which owns nothing")]
pub unsafe fn stand_in(above: *mut pg_sys::PlanState, modify: *mut pg_sys::ModifyTableState, orders: Orders) {
    // SAFETY: zeroed nodes, whose fields are as the executor's and EXPLAIN's functions look for them.
    unsafe {
        let child = (*above).lefttree;
        let plan = raw::palloc0(size_of::<pg_sys::CustomScan>()).cast::<pg_sys::CustomScan>();
        // Costs, rows and width are the input's.
        (*plan).scan.plan = *(*child).plan;
        (*plan).scan.plan.type_ = NodeTag::T_CustomScan;
        (*plan).scan.plan.targetlist = std::ptr::null_mut();
        (*plan).scan.plan.qual = std::ptr::null_mut();
        (*plan).scan.plan.initPlan = std::ptr::null_mut();
        (*plan).scan.plan.lefttree = (*child).plan;
        (*plan).scan.plan.righttree = std::ptr::null_mut();
        (*plan).scan.plan.parallel_aware = false;
        (*plan).scan.plan.async_capable = false;
        (*plan).methods = &SCAN_METHODS.0;
        let shown = raw::palloc0(size_of::<Shown>()).cast::<Shown>();
        (&raw mut (*shown).orders).write(orders);
        if orders.projects {
            (*shown).given = (*(*above).plan).targetlist;
        }
        (*shown).guard = state::below(modify);
        (*shown).scan.methods = &EXEC_METHODS.0;
        let ps = &raw mut (*shown).scan.ss.ps;
        (*ps).type_ = NodeTag::T_CustomScanState;
        (*ps).plan = plan.cast();
        (*ps).state = (*child).state;
        (*ps).instrument = (*child).instrument;
        (*ps).lefttree = child;
        // ExecEndCustomScan clears them.
        let slot = compat::alloc_table_slot(
            &raw mut (*(*child).state).es_tupleTable,
            raw::ExecGetResultType(child),
            &raw const pg_sys::TTSOpsVirtual,
        );
        (*ps).ps_ResultTupleSlot = slot;
        (*shown).scan.ss.ss_ScanTupleSlot = slot;
        (*above).lefttree = ps;
    }
}

/// A bare frame: EndCustomScan.
#[allow(ffi_unwind_calls, reason = "a bare frame: it owns nothing and cannot panic")]
unsafe extern "C-unwind" fn end(node: *mut pg_sys::CustomScanState) {
    // SAFETY: PostgreSQL ends a state once.
    unsafe { raw::ExecEndNode((*node).ss.ps.lefttree) };
}

/// A bare frame: ExplainCustomScan.
unsafe extern "C-unwind" fn explain(
    node: *mut pg_sys::CustomScanState,
    _: *mut pg_sys::List,
    es: *mut pg_sys::ExplainState,
) {
    frame::guarded(|| {
        // SAFETY: `stand_in` made it, of a query that has not ended.
        unsafe {
            let Shown { orders, guard, given, .. } = &*node.cast::<Shown>();
            let (count, counted) = match guard.as_ref() {
                Some(guard) => (guard.count, guard.execution.as_ref().and_then(|whole| whole.task.counted())),
                None => (0, None),
            };
            show_expected(orders.expected, es);
            show(orders, count, counted, es);
            if orders.flow == Flow::Rows && is_guarded(orders) {
                show_early(
                    orders,
                    (*(*node).ss.ps.lefttree).plan,
                    *given,
                    (*(*node).ss.ps.state).es_plannedstmt,
                    es,
                );
            }
        }
    });
}

/// What the statement says of its number of rows.
///
/// # Safety
/// `said` is of orders; `es` is EXPLAIN's state.
unsafe fn show_expected(said: *mut pg_sys::List, es: *mut pg_sys::ExplainState) {
    // SAFETY: by contract; an argument names no column.
    unsafe {
        let said = Nodes::<pg_sys::TargetEntry>::of(said).iter().filter_map(|said| {
            let argument = said.expr()?;
            let number = match argument.kind() {
                Kind::Const(known) if !known.constisnull => (known.constvalue.value() as i64).to_string(),
                _ => {
                    let (argument, nothing) = (argument.as_ptr(), std::ptr::null_mut());
                    text::at(pg_sys::deparse_expression(argument, nothing, false, false))
                        .map(text::from_server)?
                }
            };
            Some(expected::word_of(said)?.of(&number))
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
/// `input` is the guard's, of `statement`; `es` is EXPLAIN's state.
unsafe fn show_early(
    orders: &Orders,
    input: *mut pg_sys::Plan,
    given: *mut pg_sys::List,
    statement: *mut pg_sys::PlannedStmt,
    es: *mut pg_sys::ExplainState,
) {
    // SAFETY: by contract.
    unsafe {
        let mut early = Vec::new();
        if orders.evaluates_early {
            early.push(c_string("SET"));
        }
        if volatile::is_input(input, given, statement, !orders.evaluates_early) {
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
    text::to_server(text).as_ptr().cast_mut()
}
