//! What is kept for those who look afterwards: the ring of events and the counters, in shared memory.
//! Written by refusal.rs and the guard while statements run, read by the SQL functions. Needs
//! shared_preload_libraries; without it nothing is kept, and `memory()` says so.
//!
//! The memory holds atomics alone: a writer waits for nobody, and a reader never sees half an event.

mod file;
pub mod ring;
mod shared;
mod stats;

use shared::MEMORY;
pub use shared::{Memory, memory};

use core::ffi::c_int;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::pg::pg_sys;
use safedelete_core::event::{self, Counter, Encoded, Event, Verdict};
use safedelete_core::message::Facts;

use crate::pg::{backend, compat, frame, raw, roles};
use crate::settings;

static mut PREVIOUS_REQUEST: pg_sys::shmem_request_hook_type = None;
static mut PREVIOUS_STARTUP: pg_sys::shmem_startup_hook_type = None;

/// Asks for the memory, where shared_preload_libraries loads the library.
pub fn install() {
    // SAFETY: called once, by _PG_init, in the postmaster (or a backend that starts alone).
    unsafe {
        if !pg_sys::process_shared_preload_libraries_in_progress {
            return;
        }
        PREVIOUS_REQUEST = pg_sys::shmem_request_hook;
        pg_sys::shmem_request_hook = Some(request);
        PREVIOUS_STARTUP = pg_sys::shmem_startup_hook;
        pg_sys::shmem_startup_hook = Some(startup);
    }
}

/// Adds to a counter of the current database.
pub fn count(counter: Counter, more: u64) {
    if let Some(memory) = memory() {
        memory.stats.add(counter, more);
    }
}

/// The same for bare frames.
#[inline]
pub fn count_at_once(counter: Counter, more: u64) {
    if let Some(memory) = memory()
        && !memory.stats.add_again(counter, more)
    {
        frame::guarded(|| count(counter, more));
    }
}

fn size(slots: u64) -> usize {
    size_of::<Memory>() + slots as usize * size_of::<ring::Slot>()
}

/// Why this hook: shared memory is asked for before the server knows how much there will be.
#[allow(ffi_unwind_calls, reason = "a bare frame: it owns nothing and cannot panic")]
unsafe extern "C-unwind" fn request() {
    // SAFETY: PostgreSQL calls the hook once, with the settings read.
    unsafe {
        if let Some(previous) = PREVIOUS_REQUEST {
            previous();
        }
        raw::RequestAddinShmemSpace(size(settings::events_max()));
    }
}

/// Why this hook: shared memory is there now. The postmaster reads what the last one left; after a
/// crash of a backend it comes again, to empty memory and no file.
#[allow(ffi_unwind_calls, reason = "a bare frame: it owns nothing and cannot panic")]
unsafe extern "C-unwind" fn startup() {
    // SAFETY: as PostgreSQL asks of the hook: the lock is held while the memory is attached.
    unsafe {
        if let Some(previous) = PREVIOUS_STARTUP {
            previous();
        }
        let slots = settings::events_max();
        let mut found = false;
        let lock = &raw mut (*pg_sys::MainLWLockArray.add(compat::ADDIN_SHMEM_INIT_LOCK)).lock;
        raw::LWLockAcquire(lock, pg_sys::LWLockMode::LW_EXCLUSIVE);
        let memory = raw::ShmemInitStruct(c"safedelete".as_ptr(), size(slots), &mut found).cast::<Memory>();
        if !found {
            memory.cast::<u8>().write_bytes(0, size(slots));
            (*memory).slots = slots;
            frame::guarded(|| (*memory).stats.start(pg_sys::GetCurrentTimestamp()));
        }
        MEMORY.store(memory, Ordering::Relaxed);
        raw::LWLockRelease(lock);
        if !pg_sys::IsUnderPostmaster {
            raw::on_shmem_exit(Some(shutdown), pg_sys::Datum::from(0));
            if !found {
                frame::guarded(file::read);
                READ.store((*memory).written.load(Ordering::Relaxed), Ordering::Relaxed);
            }
        }
    }
}

/// How many events the postmaster has read from its file.
static READ: AtomicU64 = AtomicU64::new(0);

/// A bare frame: the postmaster stops. After a crash the memory may hold anything; a start that failed
/// has changed nothing of what was read, and the file is gone.
unsafe extern "C-unwind" fn shutdown(code: c_int, _: pg_sys::Datum) {
    frame::undisturbed((), || {
        let read = READ.load(Ordering::Relaxed);
        let untouched = memory().is_some_and(|memory| memory.written.load(Ordering::Relaxed) == read);
        if code == 0 || (untouched && read > 0) {
            file::write();
        }
    });
}

/// Keeps an event and counts it. `relation` is `schema.table`, or a database's or a schema's name.
/// Gives its number, where it is kept: `number`, or a new one where that is 0.
pub fn event(
    verdict: Verdict,
    facts: Option<&Facts>,
    role: pg_sys::Oid,
    relation: &str,
    number: u64,
) -> Option<u64> {
    let memory = memory()?;
    memory.stats.count_event(verdict, facts.map(|facts| facts.rule));
    let event = describe(verdict, facts, role, relation)?;
    let mut encoded = Event { id: number, ..event }.encode();
    ring::write(memory, &mut encoded);
    Some(event::id(&encoded))
}

/// Keeps an event of no rule, of so many rows that are given back or forgotten.
pub fn event_of_kept(verdict: Verdict, role: pg_sys::Oid, relation: &str, rows: u64) {
    if let Some(memory) = memory()
        && let Some(event) = describe(verdict, None, role, relation)
    {
        ring::write(memory, &mut Event { rows: Some(rows), ..event }.encode());
    }
}

/// Takes the next number for an event that may yet be told; `None` where the library was not preloaded.
pub fn reserve() -> Option<u64> {
    Some(memory()?.last_id.fetch_add(1, Ordering::Relaxed) + 1)
}

/// Numbers from now on are above this one: those before it stand in a table, and a crash may have forgotten them.
pub fn go_on_after(number: u64) {
    if let Some(memory) = memory() {
        memory.last_id.fetch_max(number, Ordering::Relaxed);
    }
}

/// Keeps an event of no rule that was described before, as of now, and counts it. Looks into no catalog.
pub fn keep_now(verdict: Verdict, event: Option<Box<Encoded>>) {
    let Some(memory) = memory() else { return };
    memory.stats.count_event(verdict, None);
    if let Some(mut event) = event {
        event::set_time(&mut event, pg_sys::GetCurrentTimestamp());
        event::set_lsn(&mut event, Some(end_of_wal()));
        ring::write(memory, &mut event);
    }
}

/// The number of the transaction, all 64 bits, where it has one, or takes one because it is about to write. A
/// parallel operation takes none, nor does a standby.
fn transaction(writes: bool) -> Option<u64> {
    let id = if writes && !pg_sys::IsInParallelMode() && !pg_sys::RecoveryInProgress() {
        pg_sys::GetTopFullTransactionId()
    } else {
        pg_sys::GetTopFullTransactionIdIfAny()
    };
    (id.value != 0).then_some(id.value)
}

/// Where the WAL ends: a target for a recovery to before what is being told of.
fn end_of_wal() -> u64 {
    if pg_sys::RecoveryInProgress() {
        // SAFETY: nobody asks for the timeline.
        unsafe { pg_sys::GetXLogReplayRecPtr(std::ptr::null_mut()) }
    } else {
        pg_sys::GetXLogInsertRecPtr()
    }
}

/// An event of now; `None` where none are kept.
pub fn describe(verdict: Verdict, facts: Option<&Facts>, role: pg_sys::Oid, relation: &str) -> Option<Event> {
    if memory()?.slots == 0 {
        return None;
    }
    let writes =
        matches!(verdict, Verdict::Warned | Verdict::Logged | Verdict::Overridden | Verdict::Bypassed);
    let session = pg_sys::GetSessionUserId();
    Some(Event {
        id: 0,
        xid: transaction(writes),
        lsn: Some(end_of_wal()),
        time: pg_sys::GetCurrentTimestamp(),
        role: role.to_u32(),
        session_role: session.to_u32(),
        verdict,
        rule: facts.map(|facts| facts.rule),
        command: facts.map(|facts| facts.command),
        rows: facts.and_then(|facts| facts.rows),
        limit: facts.and_then(|facts| facts.limit),
        database: backend::database_name(backend::database()).unwrap_or_default(),
        user: roles::name(role),
        session_user: roles::name(session),
        application: backend::application_name().unwrap_or_default(),
        relation: relation.to_owned(),
        limit_source: facts.map(|facts| facts.limit_source.clone()).unwrap_or_default(),
        reason: settings::reason(),
        query: backend::query_text(4096).unwrap_or_default(),
    })
}
