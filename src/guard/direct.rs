//! Foreign scans that write by themselves, and what they tell of it. Called by the guard's bare frames.

use core::ffi::c_int;

use crate::pg::pg_sys;
use pgrx::pg_sys::NodeTag;

use super::orders::Flow;
use super::state::{GuardState, orders_of};
use crate::pg::{compat, nodes, raw};

/// The foreign scans that write by themselves, wherever they stand below a ModifyTable.
///
/// # Safety
/// `state` is the input of a ModifyTable; no frame above owns anything.
pub unsafe fn scans(state: *mut pg_sys::PlanState) -> *mut pg_sys::List {
    let mut found: *mut pg_sys::List = std::ptr::null_mut();
    // SAFETY: by contract.
    unsafe { find_direct(state, (&raw mut found).cast()) };
    found
}

/// A bare frame: planstate_tree_walker calls it for each state.
#[allow(ffi_unwind_calls, reason = "a bare frame: it owns nothing and cannot panic")]
unsafe extern "C-unwind" fn find_direct(
    state: *mut pg_sys::PlanState,
    found: *mut core::ffi::c_void,
) -> bool {
    // SAFETY: NULL or a plan state; casts follow tags; `found` is a list.
    unsafe {
        let to = found.cast::<*mut pg_sys::List>();
        match nodes::tag(state) {
            NodeTag::T_Invalid | NodeTag::T_ModifyTableState => {}
            NodeTag::T_ForeignScanState
                if (*(*state).plan.cast::<pg_sys::ForeignScan>()).operation
                    != pg_sys::CmdType::CMD_SELECT =>
            {
                *to = raw::lappend(*to, state.cast());
            }
            _ => return raw::planstate_tree_walker(state, find_direct, found),
        }
        false
    }
}

/// Gives foreign scans that write an instrument: the server's count is added to it.
///
/// # Safety
/// `scans` are foreign scans' states.
pub unsafe fn instrument(scans: *mut pg_sys::List) {
    // SAFETY: by contract.
    unsafe {
        for scan in nodes::items::<pg_sys::PlanState>(scans) {
            if (*scan).instrument.is_null() {
                (*scan).instrument = compat::instrument(pg_sys::InstrumentOption::INSTRUMENT_ROWS as c_int);
            }
        }
    }
}

/// How many rows foreign servers have deleted by themselves so far, for each scan: they do not count them any more.
///
/// # Safety
/// `guard` runs, with its child.
pub unsafe fn sent(guard: *mut GuardState) -> Vec<u64> {
    // SAFETY: `settle` gave the scans instruments.
    unsafe {
        let (write, flow) = (orders_of(guard).write, orders_of(guard).flow);
        let rows = |i| {
            let scan = scan(guard, i);
            // The instrument of the child itself does not know yet of the row that is handed on.
            let comes_by = flow == Flow::Direct { returning: true } && std::ptr::eq(scan, (*guard).child);
            if comes_by { (*guard).passed + (*guard).made } else { written_by(scan) as u64 }
        };
        (0..nodes::length((*guard).direct)).map(|i| write.deletes(rows(i))).collect()
    }
}

/// The same, with the table of each; the OID is 0 where the plan does not tell.
///
/// # Safety
/// As `sent`.
pub unsafe fn sent_from(guard: *mut GuardState) -> Vec<(pg_sys::Oid, u64)> {
    // SAFETY: by contract.
    unsafe {
        let table = |i| written_table(guard, scan(guard, i)).unwrap_or(pg_sys::InvalidOid);
        sent(guard).into_iter().enumerate().map(|(i, rows)| (table(i), rows)).collect()
    }
}

/// The table that a foreign scan writes by itself.
///
/// # Safety
/// `scan` is one of those of `guard`, which runs.
pub unsafe fn written_table(guard: *mut GuardState, scan: *mut pg_sys::PlanState) -> Option<pg_sys::Oid> {
    // SAFETY: by contract: it names its result relation.
    unsafe {
        let relation = (*(*scan).plan.cast::<pg_sys::ForeignScan>()).resultRelation;
        nodes::range_table_entry((*(*guard).estate).es_range_table, relation).map(|entry| (*entry).relid)
    }
}

/// # Safety
/// `guard` runs, and has so many foreign scans that write.
pub unsafe fn scan(guard: *mut GuardState, i: usize) -> *mut pg_sys::PlanState {
    // SAFETY: by contract.
    unsafe { (*(*(*guard).direct).elements.add(i)).ptr_value.cast() }
}

/// # Safety
/// `scan` is a foreign scan's state.
pub unsafe fn written_by(scan: *mut pg_sys::PlanState) -> f64 {
    // SAFETY: by contract; `settle` gave it an instrument.
    unsafe {
        let instrument = (*scan).instrument;
        if instrument.is_null() { 0.0 } else { (*instrument).tuplecount + (*instrument).ntuples }
    }
}
