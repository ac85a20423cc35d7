//! What an engine has found a relation to be, kept until the relation changes.

use rustc_hash::{FxBuildHasher, FxHashMap as HashMap};

use crate::pg::local::Lent;
use crate::pg::pg_sys;

pub struct Known<P: 'static>(Lent<HashMap<pg_sys::Oid, P>>);

impl<P: Copy> Known<P> {
    pub const fn new() -> Known<P> {
        Known(Lent::new(HashMap::with_hasher(FxBuildHasher)))
    }

    /// What a relation is; what `read` says, where that is not known.
    pub fn get(&self, relation: pg_sys::Oid, read: impl FnOnce(pg_sys::Oid) -> P) -> P {
        if let Some(known) = self.0.with(|known| known.get(&relation).copied()) {
            return known;
        }
        let read = read(relation);
        self.0.with(|known| known.insert(relation, read));
        read
    }

    /// Forgets a relation, or (InvalidOid) all. Raises nothing.
    pub fn forget(&self, relation: pg_sys::Oid) {
        self.0.with(|known| {
            if relation == pg_sys::InvalidOid {
                known.clear();
            } else {
                known.remove(&relation);
            }
        });
    }
}
