//! The extension's tables of kept rows: a line in kept_writes for what one statement wrote in one table, and its rows
//! in kept_data, each column as the text that its type is written in.

use safedelete_core::keep::Period;

use crate::ledger::Kept;
use crate::pg::function::Value;
use crate::pg::local::Local;
use crate::pg::rows::{Forms, Row};
use crate::pg::storing::{self, Table};
use crate::pg::trigger::Fired;
use crate::pg::{backend, pg_sys, relations, roles, spi};
use crate::{record, settings};

/// Whether the extension is here to keep anything: not, or not updated, in every database.
pub fn is_there() -> bool {
    storing::find(c"kept_writes") != pg_sys::InvalidOid
}

/// Whether numbers go on after those that are kept.
static NUMBERED: Local<bool> = Local::new(false);

/// A crash forgets the number of the last event, and rows are kept under older ones: the first event of a session
/// that keeps rows goes on after them.
pub fn number_after_those_kept() {
    if NUMBERED.get() {
        return;
    }
    let largest = storing::largest(c"kept_writes", c"kept_writes_event");
    record::go_on_after(u64::try_from(largest).unwrap_or(0));
    NUMBERED.set(true);
}

/// What one statement wrote in one table, while it is put away.
pub struct Write {
    forms: Forms,
    data: Table,
    number: i64,
    rows: u64,
}

const MICROSECONDS: i64 = 1_000_000;

impl Write {
    /// Begins with the line of it.
    pub fn begin(fired: Fired, kept: Kept, command: &str, period: Period) -> Write {
        // SAFETY: the trigger's table, which is open.
        let mut forms = unsafe { Forms::of(fired.relation()) };
        let number = pg_sys::nextval_internal(storing::find(c"kept_writes_write_seq"), false);
        let now = pg_sys::GetCurrentTimestamp();
        let until = now.saturating_add((period.seconds() as i64).saturating_mul(MICROSECONDS));
        let table = fired.table();
        let mut lines = Table::open(c"kept_writes");
        lines.put(|| {
            let text = |text: String| if text.is_empty() { None } else { Some(Value::Text(text).datum()) };
            [
                Some(Value::Bigint(kept.event as i64).datum()),
                Some(Value::Bigint(number).datum()),
                Some(Value::Oid(table).datum()),
                text(relations::schema(table)),
                text(relations::name(table)),
                Some(Value::Text(command.to_owned()).datum()),
                Some(forms.names()),
                Some(Value::Timestamp(now).datum()),
                Some(Value::Timestamp(until).datum()),
                text(roles::name(roles::current().0)),
                text(roles::name(pg_sys::GetSessionUserId())),
                text(backend::application_name().unwrap_or_default()),
                text(settings::reason()),
                None,
                None,
            ]
        });
        lines.close();
        Write { forms, data: Table::open(c"kept_data"), number, rows: 0 }
    }

    /// A row as it was, and as it is now.
    pub fn put(&mut self, old: Row, new: Option<Row>) {
        self.rows += 1;
        let (forms, number, row) = (&mut self.forms, self.number, self.rows as i64);
        self.data.put(|| {
            [
                Some(Value::Bigint(number).datum()),
                Some(Value::Bigint(row).datum()),
                Some(forms.texts(old)),
                new.map(|new| forms.texts(new)),
            ]
        });
    }

    /// All rows are there; how many.
    pub fn end(self) -> u64 {
        self.data.close();
        self.rows
    }
}

/// When the session has purged last.
static PURGED: Local<pg_sys::TimestampTz> = Local::new(0);

/// Takes out a piece of what is out of time, once a minute. Not where a row that another session takes out would fail
/// the transaction.
pub fn purge() {
    let now = pg_sys::GetCurrentTimestamp();
    if backend::keeps_one_snapshot() || now - PURGED.get() < 60 * MICROSECONDS {
        return;
    }
    PURGED.set(now);
    spi::execute(c"SELECT safedelete.purge_kept(1000)");
}
