//! How EXPLAIN shows the guard: its limit and where that comes from, what is wrong with the WHERE
//! clause, and with ANALYZE what was counted, also in the tables that foreign keys reached.

use core::ffi::CStr;

use crate::pg::pg_sys;
use safedelete_core::limit::{self, Budget, Limit};
use safedelete_core::message::{self, Terms};

use super::node::GuardState;
use super::orders::Orders;
use crate::analysis::Qualification;
use crate::pg::relations;
use crate::pg::sizes::{self, Wait};
use crate::pg::{frame, nodes, text};
use crate::{authority, ledger, policy};

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
                show(orders, (*guard).count, es);
            }
        }
    });
}

/// # Safety
/// `es` is EXPLAIN's state.
unsafe fn show(orders: &Orders, count: u64, es: *mut pg_sys::ExplainState) {
    let bounds = policy::effective(orders.relation).bounds;
    let size = sizes::size(orders.relation, orders.only, Wait::Never);
    let own = bounds.limit(size);
    let limit = match authority::budget(authority::role(false), Some(orders.relation)) {
        Ok(Some(Budget::Unlimited)) => None,
        Ok(Some(budget)) => limit::with_budget(own, budget),
        _ => own,
    };
    // SAFETY: by contract.
    unsafe {
        let text = (*es).format == pg_sys::ExplainFormat::EXPLAIN_FORMAT_TEXT;
        if policy::effective(orders.relation).guards(orders.command) {
            show_limit(limit.as_ref(), &policy::terms(orders.relation, bounds), text, es);
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

/// A part of the table that has a policy of its own, with its limit.
fn limit_of_part(part: pg_sys::Oid) -> String {
    let bounds = policy::effective(part).bounds;
    let limit = bounds.limit(sizes::size(part, false, Wait::Never));
    let terms = policy::terms(part, bounds);
    format!("{} {}", relations::name(part), message::explain_limit(limit.as_ref(), &terms))
}

/// # Safety
/// `es` is EXPLAIN's state.
unsafe fn show_limit(limit: Option<&Limit>, terms: &Terms, text: bool, es: *mut pg_sys::ExplainState) {
    // SAFETY: by contract.
    unsafe {
        match limit {
            Some(limit) if !text => {
                pg_sys::ExplainPropertyInteger(c"Limit".as_ptr(), std::ptr::null(), limit.rows as i64, es);
                property(c"Limit Source", &message::explain_source(limit, terms), es);
            }
            limit => property(c"Limit", &message::explain_limit(limit, terms), es),
        }
    }
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
