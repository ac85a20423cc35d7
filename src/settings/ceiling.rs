//! When a session was without a ceiling of its own: what commands wrote meanwhile `own_max_rows` has not counted, so it
//! counts when it is written again. Told by the numbers of commands, for one transaction.

use crate::pg::local::Local;
use crate::pg::{backend, pg_sys};
use crate::usual::{self, Unusual};

/// From a command's number up to another, which is none of them.
type Commands = (pg_sys::CommandId, pg_sys::CommandId);

/// A function with SET may change it again and again; what comes when there is no room is taken for one.
const ROOM: usize = 16;
static WITHOUT: Local<[Commands; ROOM]> = Local::new([(0, 0); ROOM]);
static COUNT: Local<usize> = Local::new(0);
/// Where there is no ceiling: since when.
static SINCE: Local<pg_sys::CommandId> = Local::new(0);

/// A ceiling is set, or taken away. For an assign hook, which raises nothing.
pub fn changes(is_set: bool) {
    if !backend::is_in_transaction() {
        return ended();
    }
    usual::set(Unusual::OwnCeilingChanged, true);
    let now = backend::command_id();
    if !is_set {
        return SINCE.set(now);
    }
    let since = SINCE.get();
    if since >= now {
        return;
    }
    let count = COUNT.get();
    if count < ROOM {
        WITHOUT.put(count, (since, now));
        COUNT.set(count + 1);
    } else {
        WITHOUT.put(ROOM - 1, (WITHOUT.at(ROOM - 1).0, now));
    }
}

/// Whether there was none when a command of the transaction ran. For bare frames.
#[inline]
pub fn was_none(command: pg_sys::CommandId) -> bool {
    (0..COUNT.get()).any(|i| {
        let (from, to) = WITHOUT.at(i);
        (from..to).contains(&command)
    })
}

/// The transaction has ended.
pub fn ended() {
    SINCE.set(0);
    COUNT.set(0);
    usual::set(Unusual::OwnCeilingChanged, false);
}
