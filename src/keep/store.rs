//! The extension's tables of kept rows: a line in kept_writes for what one statement wrote in one table, and its rows
//! in kept_data, each column as the text that its type is written in. A line of kept_data is a piece: as many rows as
//! fit without being moved out of line, so that a row costs neither a tuple nor an entry of the index.

use safedelete_core::keep::Period;

use crate::ledger::Kept;
use crate::pg::function::Value;
use crate::pg::local::Local;
use crate::pg::rows::{Forms, Row, Texts};
use crate::pg::storing::{self, Table};
use crate::pg::trigger::Fired;
use crate::pg::{backend, pg_sys, relations, roles, spi};
use crate::{record, settings};

/// Whether the extension is here to keep anything: not, or not updated, in every database. pg_upgrade makes its tables
/// after those that come first by name, and what their triggers call before.
pub fn is_there() -> bool {
    backend::is_binary_upgrade() || storing::find(c"kept_writes") != pg_sys::InvalidOid
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

/// A piece is put away before it is larger: with its header and both arrays' it stays below what is moved out of line
/// (TOAST_TUPLE_THRESHOLD), and compressed for that.
const PIECE_BYTES: usize = 1850;
/// To find a row in a piece, those before it are passed.
const PIECE_ROWS: i32 = 128;

/// What one statement wrote in one table, while it is put away.
pub struct Write {
    forms: Forms,
    data: Table,
    number: i64,
    rows: u64,
    piece: Piece,
}

/// The rows that are next.
#[derive(Default)]
struct Piece {
    rows: i32,
    old: Texts,
    new: Texts,
    has_new: bool,
}

impl Piece {
    fn bytes(&self) -> usize {
        self.old.bytes() + self.new.bytes()
    }
}

const MICROSECONDS: i64 = 1_000_000;

impl Write {
    /// Begins with the line of it: what the command of number `by` wrote.
    pub fn begin(fired: Fired, kept: Kept, command: &str, by: pg_sys::CommandId, period: Period) -> Write {
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
                Some(Value::Bigint(i64::from(by)).datum()),
            ]
        });
        lines.close();
        Write { forms, data: Table::open(c"kept_data"), number, rows: 0, piece: Piece::default() }
    }

    /// A row as it was, and as it is now; all rows of a write have both, or none has.
    pub fn put(&mut self, old: Row, new: Option<Row>) {
        let (forms, piece) = (&mut self.forms, &mut self.piece);
        let before = piece.bytes();
        self.data.memory().within(|| {
            forms.add(old, &mut piece.old);
            if let Some(new) = new {
                forms.add(new, &mut piece.new);
            }
        });
        piece.rows += 1;
        piece.has_new = new.is_some();
        self.rows += 1;
        // The next row is taken to be about as large as this one.
        let next = 2 * piece.bytes() - before;
        if next > PIECE_BYTES || piece.rows >= PIECE_ROWS {
            self.put_piece();
        }
    }

    fn put_piece(&mut self) {
        let (piece, number) = (&mut self.piece, self.number);
        let first = self.rows as i64 - i64::from(piece.rows) + 1;
        self.data.put(|| {
            [
                Some(Value::Bigint(number).datum()),
                Some(Value::Bigint(first).datum()),
                Some(Value::Integer(piece.rows).datum()),
                Some(piece.old.take()),
                piece.has_new.then(|| piece.new.take()),
            ]
        });
        piece.rows = 0;
    }

    /// All rows are there; how many.
    pub fn end(mut self) -> u64 {
        if self.piece.rows > 0 {
            self.put_piece();
        }
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
