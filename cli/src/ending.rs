//! Ctrl-C and SIGTERM: the server is told to give up what it runs, a scratch server goes, and so do we.

use std::sync::Mutex;
use std::thread;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::libpq::{Canceller, Connection};
use crate::scratch;

static RUNNING: Mutex<Option<Canceller>> = Mutex::new(None);

/// What is to be cancelled from now on.
pub fn cancels(connection: &Connection) {
    if let Ok(mut running) = RUNNING.lock() {
        *running = connection.canceller();
    }
}

/// Waits for signals, in a thread of its own. Where that cannot be had a signal ends the process at once, and the
/// scratch server with it.
pub fn watch() {
    let Ok(mut signals) = Signals::new([SIGINT, SIGTERM, SIGHUP]) else { return };
    thread::spawn(move || {
        if let Some(signal) = signals.forever().next() {
            if let Some(running) = RUNNING.lock().ok().and_then(|mut running| running.take()) {
                running.cancel();
            }
            scratch::end();
            // As a shell tells of a process that a signal ended.
            std::process::exit(128 + signal);
        }
    });
}
