//! Counters per database, in shared memory: plain atomics, in a table of databases by OID.

use std::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, Ordering};

use crate::pg::pg_sys;
use safedelete_core::event::{Counter, Verdict};
use safedelete_core::message::Rule;

use crate::pg::backend;
use crate::pg::local::Local;

/// More databases than these share the last place, and show without a name.
const DATABASES: usize = 256;

/// Where this backend's database was found.
static PLACE: Local<usize> = Local::new(0);

const COUNTERS: usize = Counter::ALL.len();

#[repr(C)]
struct Database {
    oid: AtomicU32,
    counters: [AtomicU64; COUNTERS],
}

#[repr(C)]
pub struct Stats {
    since: AtomicI64,
    databases: [Database; DATABASES],
}

/// What one database has counted; the OID is 0 for those that found no place.
pub struct Counted {
    pub database: pg_sys::Oid,
    pub counters: [u64; COUNTERS],
}

impl Stats {
    pub fn start(&self, now: pg_sys::TimestampTz) {
        self.since.store(now, Ordering::Relaxed);
    }

    pub fn since(&self) -> pg_sys::TimestampTz {
        self.since.load(Ordering::Relaxed)
    }

    /// Adds to a counter of the current database.
    pub fn add(&self, counter: Counter, more: u64) {
        let place = self.place(backend::database().to_u32());
        place.counters[counter as usize].fetch_add(more, Ordering::Relaxed);
    }

    /// The same where the backend has looked for its place before; not, where it has to look. For bare frames.
    #[inline]
    pub fn add_again(&self, counter: Counter, more: u64) -> bool {
        let Some(known) = self.databases.get(PLACE.get()) else { return false };
        let is_known = known.oid.load(Ordering::Relaxed) == backend::database().to_u32();
        if is_known && let Some(counter) = known.counters.get(counter as usize) {
            counter.fetch_add(more, Ordering::Relaxed);
        }
        is_known
    }

    /// Counts an event.
    pub fn count_event(&self, verdict: Verdict, rule: Option<Rule>) {
        if let Some(counter) = Counter::of(verdict, rule) {
            self.add(counter, 1);
        }
    }

    /// A database's place. A backend has one database, and looks for its place once.
    fn place(&self, oid: u32) -> &Database {
        let known = &self.databases[PLACE.get()];
        if PLACE.get() == DATABASES - 1 || known.oid.load(Ordering::Relaxed) == oid {
            return known;
        }
        let found = self.find(oid);
        PLACE.set(found);
        &self.databases[found]
    }

    /// Its own place, or the first free one, or that of a database that has been dropped, or the last.
    fn find(&self, oid: u32) -> usize {
        let (first, order) = (oid as usize % (DATABASES - 1), Ordering::Relaxed);
        let places = (0..DATABASES - 1).map(|step| (first + step) % (DATABASES - 1));
        for at in places.clone() {
            let place = &self.databases[at].oid;
            match place.load(order) {
                known if known == oid => return at,
                0 => match place.compare_exchange(0, oid, order, order) {
                    Ok(_) => return at,
                    Err(taken) if taken == oid => return at,
                    Err(_) => {}
                },
                _ => {}
            }
        }
        for at in places {
            let place = &self.databases[at];
            let old = place.oid.load(order);
            let dropped = backend::database_name(old.into()).is_none();
            if dropped && place.oid.compare_exchange(old, oid, order, order).is_ok() {
                place.counters.iter().for_each(|counter| counter.store(0, order));
                return at;
            }
        }
        DATABASES - 1
    }

    /// What every database has counted.
    pub fn read(&self) -> Vec<Counted> {
        self.databases
            .iter()
            .map(|place| Counted {
                database: place.oid.load(Ordering::Relaxed).into(),
                counters: std::array::from_fn(|i| place.counters[i].load(Ordering::Relaxed)),
            })
            .filter(|counted| counted.counters.iter().any(|count| *count > 0))
            .collect()
    }

    /// Counts from zero again.
    pub fn reset(&self, now: pg_sys::TimestampTz) {
        for counter in self.databases.iter().flat_map(|place| &place.counters) {
            counter.store(0, Ordering::Relaxed);
        }
        self.start(now);
    }
}
