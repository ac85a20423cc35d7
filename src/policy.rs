//! What is in force for a table: nothing, where it is exempt; else the settings, and over them, key
//! by key, what the labels say: the table's own, its partition parents' upward, its schema's. Read
//! once per relation and kept until an invalidation says that something changed: relcache's for a
//! table, the namespace cache's for a schema (label.rs sends both). Whoever asks whether a table is
//! guarded asks here: analysis, the guard, objects, check and authority.

mod changes;
pub mod label;
mod origin;

pub use origin::Origin;

use std::cell::Cell;
use std::rc::Rc;

use crate::pg::pg_sys;
use rustc_hash::{FxBuildHasher, FxHashMap as HashMap};
use safedelete_core::command::Command;
use safedelete_core::limit::Bounds;
use safedelete_core::message::Terms;
use safedelete_core::policy::{self, Effective, Key, Policy};

use crate::pg::local::{Lent, Local};
use crate::pg::{inheritance, relations};
use crate::{engines, exemption, settings};

pub type Layers = policy::Layers<Origin>;

/// What is in force for a table, or (`default`) for what is none: the settings alone.
#[derive(Default)]
pub struct InForce {
    relation: pg_sys::Oid,
    /// It is of a kind that is never guarded.
    exempt: bool,
    /// It is a part that an engine made, and is judged where the whole is.
    is_hidden_part: bool,
    /// Whether `exempt_tables` names the relation, as of a generation of the settings.
    exempt_by_name: Cell<(u32, bool)>,
    /// `None` where no label speaks of it: nearly every table.
    pub layers: Option<Layers>,
    /// The table itself and its partition parents, nearest first, as far as they carry labels.
    labelled: Vec<pg_sys::Oid>,
}

struct Cache {
    tables: HashMap<pg_sys::Oid, Rc<InForce>>,
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

/// What is in force for a table.
pub fn of(table: pg_sys::Oid) -> Rc<InForce> {
    if let Some(known) = CACHE.with(|cache| cache.tables.get(&table).cloned()) {
        return known;
    }
    let as_of = settings::generation();
    let read = Rc::new(read(table));
    // Reading may take in invalidations, and what was read may be older than they are.
    if as_of == settings::generation() {
        CACHE.with(|cache| cache.tables.insert(table, Rc::clone(&read)));
        return read;
    }
    Rc::new(self::read(table))
}

impl InForce {
    /// For a table of this name that is not there: the settings speak of it alone.
    pub fn of_name(table: &str, schema: impl Fn() -> String) -> InForce {
        InForce { exempt: settings::is_exempt(table, schema), ..InForce::default() }
    }

    /// Whether no command on it is looked at, whatever the settings and labels.
    #[inline]
    pub fn is_exempt(&self) -> bool {
        if self.exempt || self.relation == pg_sys::InvalidOid {
            return self.exempt;
        }
        let (as_of, named) = self.exempt_by_name.get();
        if as_of == settings::generation() {
            return named;
        }
        if self.is_hidden_part && engines::writes_parts() {
            // It may be asked again by a client that names it.
            return true;
        }
        let named = exemption::of_table(self.relation);
        if self.is_hidden_part {
            return named;
        }
        self.exempt_by_name.set((settings::generation(), named));
        named
    }

    /// Whether a command on it is looked at: the one answer to whether a table is guarded. Asked of every
    /// write, so it asks for no more than that.
    #[inline]
    pub fn guards(&self, command: Command) -> bool {
        !self.is_exempt()
            && match &self.layers {
                None => !settings::is_off() && settings::commands().contains(command),
                Some(_) => self.effective().guards(command),
            }
    }

    /// The settings, and the labels over them.
    #[inline]
    pub fn effective(&self) -> Effective {
        match &self.layers {
            None => settings::effective(),
            Some(layers) => settings::effective().under(&layers.policy),
        }
    }

    /// The bounds alone; asked of every write.
    #[inline]
    pub fn bounds(&self) -> Bounds {
        match &self.layers {
            None => settings::bounds(),
            Some(_) => self.effective().bounds,
        }
    }

    /// Whether the table carries a label itself.
    pub fn has_own(&self) -> bool {
        self.labelled.first() == Some(&self.relation)
    }

    /// Where what bounds a write comes from, for the texts that tell it.
    pub fn terms(&self, bounds: Bounds) -> Terms {
        let object = |key| self.layers.as_ref()?.origin(key).map(Origin::object);
        Terms {
            bounds,
            max_rows: object(Key::MaxRows),
            max_fraction: object(Key::MaxFraction),
            min_rows: object(Key::MinRows),
        }
    }

    /// The object whose policy says that no session's budget counts here, where one does.
    pub fn forbids_override(&self) -> Option<Origin> {
        let layers = self.layers.as_ref()?;
        if layers.policy.forbids_override() { layers.origin(Key::Override) } else { None }
    }
}

/// Of `part` and its partition parents those below `whole` that carry labels.
pub fn labelled_below(part: pg_sys::Oid, whole: pg_sys::Oid) -> Vec<pg_sys::Oid> {
    let in_force = of(part);
    if in_force.labelled.is_empty() {
        return Vec::new();
    }
    let above = inheritance::partition_parents(whole);
    in_force.labelled.iter().copied().filter(|table| *table != whole && !above.contains(table)).collect()
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

fn read(table: pg_sys::Oid) -> InForce {
    let exempt = relations::is_exempt(table);
    let (layers, labelled) = if exempt { (None, Vec::new()) } else { labels(table) };
    let is_hidden_part = !exempt && engines::is_hidden_part(table);
    InForce { relation: table, exempt, is_hidden_part, layers, labelled, ..InForce::default() }
}

/// What the labels say of a table, exempt or not; with those of it and its partition parents that carry one.
pub fn labels(table: pg_sys::Oid) -> (Option<Layers>, Vec<pg_sys::Oid>) {
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
    let parents = inheritance::partition_parents(table);
    for parent in parents.into_iter().chain(engines::whole(table)) {
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
    (layers, labelled)
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
