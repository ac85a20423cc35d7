//! The ends of transactions and subtransactions: what levels and sums there are is put back or given up. Bare
//! frames, as hooks.rs.

use core::ffi::c_void;

use super::executor;
use crate::pg::{frame, memory, pg_sys, transactions};
use crate::{ledger, levels, settings, usual};

pub fn install() {
    transactions::listen(transaction_event, subtransaction_event);
}

/// Why this callback: every transaction calls it, so it first asks whether there is anything to do.
extern "C-unwind" fn transaction_event(event: pg_sys::XactEvent::Type, _: *mut c_void) {
    use pg_sys::XactEvent::*;
    match event {
        XACT_EVENT_PRE_COMMIT => {}
        XACT_EVENT_COMMIT if usual::is_usual() => levels::end_usual_transaction(),
        _ => transaction_ended(event),
    }
}

#[inline(never)]
fn transaction_ended(event: pg_sys::XactEvent::Type) {
    use pg_sys::XactEvent::*;
    let aborts = matches!(event, XACT_EVENT_ABORT | XACT_EVENT_PARALLEL_ABORT);
    if !aborts && !matches!(event, XACT_EVENT_COMMIT | XACT_EVENT_PARALLEL_COMMIT | XACT_EVENT_PREPARE) {
        return;
    }
    settings::ceiling::ended();
    if ledger::is_in_use() {
        // A subtransaction that is open to the one is open to the other.
        frame::undisturbed((), || {
            ledger::clear();
            levels::forget_subtransactions();
        });
    }
    if aborts {
        executor::forget_started();
        levels::transaction_aborted();
        memory::recover();
    }
    levels::transaction_ended();
}

/// Why this callback: what a subtransaction undoes counts no more, and the levels that an error in it has left are
/// left.
extern "C-unwind" fn subtransaction_event(
    event: pg_sys::SubXactEvent::Type,
    own: pg_sys::SubTransactionId,
    _: pg_sys::SubTransactionId,
    _: *mut c_void,
) {
    use pg_sys::SubXactEvent::*;
    frame::undisturbed((), || match event {
        SUBXACT_EVENT_START_SUB => {
            ledger::subtransaction_started(own);
            levels::subtransaction_started(own);
        }
        SUBXACT_EVENT_COMMIT_SUB => {
            ledger::subtransaction_committed(own);
            levels::subtransaction_committed(own);
        }
        SUBXACT_EVENT_ABORT_SUB => {
            ledger::subtransaction_aborted(own);
            levels::subtransaction_aborted(own);
            executor::forget_started();
            memory::recover();
        }
        _ => {}
    });
}
