//! Extensions that keep a table's rows where PostgreSQL does not find them: Citus distributes a table over other
//! nodes, TimescaleDB packs rows of a chunk into another table's. What the other rooms have to know of a table of
//! theirs they ask here, and no other room names an engine.
//!
//! An engine is a library that is preloaded, and an extension of the database. Where no library is, every question
//! ends at a variable ([`may_be_here`]).

mod citus;
mod engine;
mod known;
pub mod query;
pub mod references;
pub mod running;
mod timescaledb;

pub use engine::Engine;

use crate::pg::local::Local;
use crate::pg::{backend, pg_sys};
use crate::usual::{self, Unusual};

const ALL: [&dyn Engine; 2] = [&citus::Citus, &timescaledb::TimescaleDb];

/// Which libraries are there, a bit each.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Loaded {
    Unknown,
    None,
    Some(u8),
}

static LOADED: Local<Loaded> = Local::new(Loaded::Unknown);
/// The engine of this database, as its place in `ALL`; `None` where it is not known since relations have changed.
static HERE: Local<Option<Option<usize>>> = Local::new(None);
/// Whether this session has asked whether all nodes are guarded.
static LOOKED: Local<bool> = Local::new(false);

/// Whether an engine may be in this database: its library is there. Owns and allocates nothing, so bare frames may
/// call it.
#[inline]
pub fn may_be_here() -> bool {
    usual::is([Unusual::Engine]) && is_loaded()
}

#[cold]
fn is_loaded() -> bool {
    if LOADED.get() == Loaded::Unknown {
        let bits = ALL
            .iter()
            .enumerate()
            .fold(0, |bits, (i, engine)| bits | u8::from(backend::has_setting(engine.setting())) << i);
        // An engine's library has to be preloaded, so none comes later.
        LOADED.set(if bits == 0 { Loaded::None } else { Loaded::Some(bits) });
        usual::set(Unusual::Engine, bits != 0);
    }
    LOADED.get() != Loaded::None
}

/// The engine of this database.
#[inline]
pub fn here() -> Option<&'static dyn Engine> {
    if may_be_here() { find() } else { None }
}

#[cold]
fn find() -> Option<&'static dyn Engine> {
    let Loaded::Some(bits) = LOADED.get() else { return None };
    let known = HERE.get().unwrap_or_else(|| {
        let mut all = ALL.iter().enumerate();
        let found = all.find(|(i, engine)| bits & 1 << i != 0 && engine.is_here()).map(|(i, _)| i);
        HERE.set(Some(found));
        found
    });
    ALL.get(known?).copied()
}

/// Forgets what is kept of a relation, or (InvalidOid) of all. For the invalidation callbacks: raises nothing.
pub fn forget(relation: pg_sys::Oid) {
    if let Loaded::Some(_) = LOADED.get() {
        HERE.set(None);
        ALL.iter().for_each(|engine| engine.forget(relation));
    }
}

/// Whether an engine plans and runs the writes of a table by itself.
pub fn runs(relation: pg_sys::Oid) -> bool {
    here().is_some_and(|engine| engine.runs(relation))
}

/// The rows of a table that an engine counts, by the running statement's snapshot.
pub fn count(relation: pg_sys::Oid, only: bool) -> Option<u64> {
    let engine = here()?;
    engine.counts(relation).then(|| engine.count(relation, only))
}

/// Whether an engine counts the rows of a table, not all of which PostgreSQL sees.
pub fn counts(relation: pg_sys::Oid) -> bool {
    here().is_some_and(|engine| engine.counts(relation))
}

/// The setting under which a table's rows are counted.
pub fn counts_under(relation: pg_sys::Oid) -> Option<running::Setting> {
    here()?.counts_under(relation)
}

/// Whether what is inserted into a table goes to its parts, although PostgreSQL does not say so.
pub fn routes_inserts(relation: pg_sys::Oid) -> bool {
    here().is_some_and(|engine| engine.routes_inserts(relation))
}

/// The table that loses rows when an engine drops a part of it.
pub fn goes_with(part: pg_sys::Oid) -> Option<pg_sys::Oid> {
    here()?.goes_with(part)
}

/// The part whose rows an inner relation holds packed, and how many they are.
pub fn packed(relation: pg_sys::Oid) -> Option<(pg_sys::Oid, u64)> {
    let (part, query) = here()?.packed(relation)?;
    Some((part, running::number(&query)))
}

/// The table that a relation is a part of, which an engine made.
pub fn whole(part: pg_sys::Oid) -> Option<pg_sys::Oid> {
    here()?.whole(part)
}

/// Whether a relation is a part that is not judged by itself, whoever writes it but a client by its name.
pub fn is_hidden_part(relation: pg_sys::Oid) -> bool {
    here().is_some_and(|engine| engine.hides(relation))
}

/// Whether hidden parts are written for a statement that is judged elsewhere: another node's, or one that runs.
pub fn writes_parts() -> bool {
    running::is_any() || is_own_session()
}

/// The nodes that this library does not guard: who writes there by himself is not judged.
pub fn unguarded_nodes() -> Vec<String> {
    here().and_then(Engine::unguarded_nodes).map_or_else(Vec::new, running::texts)
}

/// The same, once in a session.
pub fn unguarded_nodes_at_first() -> Vec<String> {
    if LOOKED.get() || here().is_none() {
        return Vec::new();
    }
    LOOKED.set(true);
    unguarded_nodes()
}

/// Whether this session is an engine's own.
pub fn is_own_session() -> bool {
    here().is_some_and(|engine| engine.is_own_session())
}
