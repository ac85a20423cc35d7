//! Policy per table and schema, and with it what is in force for a table: the settings, and over
//! them, key by key, what the labels say: the table's own, its partition parents' upward, its
//! schema's. Read once per relation and kept until an invalidation says that something changed:
//! relcache's for a table, the namespace cache's for a schema (label.rs sends both). Asked by
//! analysis, the guard, objects and authority; decides nothing itself.

mod changes;
pub mod label;
mod origin;

pub use origin::Origin;

use std::rc::Rc;

use crate::pg::pg_sys;
use rustc_hash::{FxBuildHasher, FxHashMap as HashMap};
use safedelete_core::command::Command;
use safedelete_core::limit::Bounds;
use safedelete_core::message::Terms;
use safedelete_core::policy::{self, Effective, Key, Policy};

use crate::pg::local::{Lent, Local};
use crate::pg::{inheritance, relations};
use crate::settings;

pub type Layers = policy::Layers<Origin>;

/// What the labels say of a table.
#[derive(Clone, Default)]
pub struct TablePolicy {
    /// `None` where no label speaks of it: nearly every table.
    pub layers: Option<Rc<Layers>>,
    /// The table itself and its partition parents, nearest first, as far as they carry labels.
    labelled: Option<Rc<[pg_sys::Oid]>>,
}

struct Cache {
    tables: HashMap<pg_sys::Oid, TablePolicy>,
    /// Labels that many tables hang on: of schemas and of partitioned tables.
    far: HashMap<Origin, Option<Rc<Policy>>>,
}

static CACHE: Lent<Cache> = Lent::new(Cache {
    tables: HashMap::with_hasher(FxBuildHasher),
    far: HashMap::with_hasher(FxBuildHasher),
});
/// A label has been read: until then the settings alone say what is in force.
static IN_USE: Local<bool> = Local::new(false);

/// Whether any label has been read in this session.
#[inline]
pub fn in_use() -> bool {
    IN_USE.get()
}

/// Whether a command may be looked at on some table.
pub fn may_guard(command: Command) -> bool {
    settings::effective().guards(command) || in_use()
}

/// What the labels say of a table.
pub fn of(table: pg_sys::Oid) -> TablePolicy {
    if let Some(known) = CACHE.with(|cache| cache.tables.get(&table).cloned()) {
        return known;
    }
    let as_of = settings::generation();
    let read = read(table);
    // Reading may take in invalidations, and what was read may be older than they are.
    if as_of == settings::generation() {
        CACHE.with(|cache| cache.tables.insert(table, read.clone()));
        return read;
    }
    self::read(table)
}

/// What is in force for a table.
pub fn effective(table: pg_sys::Oid) -> Effective {
    over_settings(&of(table))
}

/// The settings, and a table's policy over them.
#[inline]
pub fn over_settings(policy: &TablePolicy) -> Effective {
    match &policy.layers {
        None => settings::effective(),
        Some(layers) => settings::effective().under(&layers.policy),
    }
}

/// Whether a command on a table of this policy is looked at. Asked of every write, so it asks for no
/// more than that.
#[inline]
pub fn guards(policy: &TablePolicy, command: Command) -> bool {
    match &policy.layers {
        None => !settings::is_off() && settings::commands().contains(command),
        Some(_) => over_settings(policy).guards(command),
    }
}

/// The bounds of a table of this policy; asked of every write.
#[inline]
pub fn bounds(policy: &TablePolicy) -> Bounds {
    match &policy.layers {
        None => settings::bounds(),
        Some(_) => over_settings(policy).bounds,
    }
}

/// Whether a table carries a label itself.
pub fn has_own(table: pg_sys::Oid) -> bool {
    of(table).labelled.is_some_and(|labelled| labelled.first() == Some(&table))
}

/// Of `part` and its partition parents those below `whole` that carry labels.
pub fn labelled_below(part: pg_sys::Oid, whole: pg_sys::Oid) -> Vec<pg_sys::Oid> {
    let Some(labelled) = of(part).labelled else { return Vec::new() };
    let above = inheritance::partition_parents(whole);
    labelled.iter().copied().filter(|table| *table != whole && !above.contains(table)).collect()
}

/// What bounds a write of a table, for the texts that tell it.
pub fn terms(table: pg_sys::Oid, bounds: Bounds) -> Terms {
    let policy = of(table);
    let object = |key| policy.layers.as_ref()?.origin(key).map(Origin::object);
    Terms {
        bounds,
        max_rows: object(Key::MaxRows),
        max_fraction: object(Key::MaxFraction),
        min_rows: object(Key::MinRows),
    }
}

/// The object whose policy says that no session's budget counts for a table, where one does.
pub fn forbids_override(table: pg_sys::Oid) -> Option<Origin> {
    let layers = of(table).layers?;
    if layers.policy.forbids_override() { layers.origin(Key::Override) } else { None }
}

/// Forgets what is known of a table, or (InvalidOid) of all. For the invalidation callbacks: raises
/// nothing.
pub fn forget(table: pg_sys::Oid) {
    CACHE.with(|cache| {
        if table != pg_sys::InvalidOid {
            cache.tables.remove(&table);
            cache.far.remove(&Origin::Table(table));
        } else {
            cache.tables.clear();
            cache.far.clear();
        }
    });
}

fn read(table: pg_sys::Oid) -> TablePolicy {
    let mut layers: Option<Layers> = None;
    let mut labelled = Vec::new();
    let mut lay = |policy: &Policy, origin| {
        layers = Some(match layers.take() {
            None => Layers::of(policy, origin),
            Some(above) => above.over(policy, origin),
        });
    };
    if let Some(policy) = label::read(Origin::Table(table)) {
        lay(&policy, Origin::Table(table));
        labelled.push(table);
    }
    for parent in inheritance::partition_parents(table) {
        if let Some(policy) = far(Origin::Table(parent)) {
            lay(&policy, Origin::Table(parent));
            labelled.push(parent);
        }
    }
    let schema = Origin::Schema(relations::schema_oid(table));
    if let Some(policy) = far(schema) {
        lay(&policy, schema);
    }
    if layers.is_some() {
        IN_USE.set(true);
    }
    TablePolicy { layers: layers.map(Rc::new), labelled: (!labelled.is_empty()).then(|| labelled.into()) }
}

fn far(origin: Origin) -> Option<Rc<Policy>> {
    if let Some(known) = CACHE.with(|cache| cache.far.get(&origin).cloned()) {
        return known;
    }
    let as_of = settings::generation();
    let policy = label::read(origin).map(Rc::new);
    if as_of == settings::generation() {
        CACHE.with(|cache| cache.far.insert(origin, policy.clone()));
    }
    policy
}
