//! What is told of policies that are written: an event and a LOG line for each, when the transaction commits. What a
//! rollback undoes was no change, and leaves neither. The end of a transaction may neither fail nor look into
//! catalogs, so both are made when the label is written; a session that writes none has no callback here.

use safedelete_core::event::{Encoded, Verdict};

use crate::pg::local::{Lent, Local};
use crate::pg::report::{self, Frozen};
use crate::pg::{frame, pg_sys, roles, transactions};
use crate::record;
use crate::refusal;

struct Change {
    /// The subtransaction that made it, or that it has become part of.
    by: pg_sys::SubTransactionId,
    /// `None` where no events are kept.
    event: Option<Box<Encoded>>,
    /// Lives as long as the transaction.
    line: Frozen,
    /// The same for a transaction that is prepared: it ends elsewhere, and may be undone.
    prepared: Frozen,
}

static CHANGES: Lent<Vec<Change>> = Lent::new(Vec::new());
static LISTENS: Local<bool> = Local::new(false);

/// A policy is written; `object` as in `table "public.events"`.
pub fn note(object: &str, label: Option<&str>) {
    listen();
    let role = roles::current().0;
    let event = record::describe(Verdict::Policy, None, role, object).map(|event| event.encode());
    let [line, prepared] = refusal::policy_lines(object, label, role);
    let by = pg_sys::GetCurrentSubTransactionId();
    CHANGES.with(|changes| changes.push(Change { by, event, line, prepared }));
}

fn listen() {
    if !LISTENS.get() {
        transactions::listen(transaction_event, subtransaction_event);
        LISTENS.set(true);
    }
}

/// A bare frame.
extern "C-unwind" fn transaction_event(event: pg_sys::XactEvent::Type, _: *mut core::ffi::c_void) {
    use pg_sys::XactEvent::*;
    match event {
        XACT_EVENT_COMMIT => frame::undisturbed((), || tell(|change| change.line)),
        XACT_EVENT_PREPARE => frame::undisturbed((), || tell(|change| change.prepared)),
        XACT_EVENT_ABORT => frame::undisturbed((), || CHANGES.with(Vec::clear)),
        _ => {}
    }
}

fn tell(line: impl Fn(&Change) -> Frozen) {
    for change in CHANGES.with(std::mem::take) {
        let line = line(&change);
        record::keep_now(Verdict::Policy, change.event);
        report::log_frozen(&line);
    }
}

/// A bare frame.
extern "C-unwind" fn subtransaction_event(
    event: pg_sys::SubXactEvent::Type,
    own: pg_sys::SubTransactionId,
    parent: pg_sys::SubTransactionId,
    _: *mut core::ffi::c_void,
) {
    use pg_sys::SubXactEvent::*;
    frame::undisturbed((), || {
        CHANGES.with(|changes| match event {
            SUBXACT_EVENT_COMMIT_SUB => {
                changes.iter_mut().filter(|change| change.by == own).for_each(|change| change.by = parent);
            }
            SUBXACT_EVENT_ABORT_SUB => changes.retain(|change| change.by != own),
            _ => {}
        });
    });
}
