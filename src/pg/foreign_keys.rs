//! Which tables TRUNCATE has to take along, or is refused for: those whose foreign keys refer to
//! what it takes. The answer is heap_truncate_find_FKs's, which reads all of pg_constraint for each
//! call and searches lists; here the catalog is read once for a whole statement.

use super::pg_sys;
use rustc_hash::{FxHashMap, FxHashSet};

use super::catalog::{self, pg_constraint};

struct Key {
    /// The referring table.
    from: pg_sys::Oid,
    /// The referenced one.
    to: pg_sys::Oid,
    /// The constraint of the partitioned table that this one was made for.
    parent: pg_sys::Oid,
}

/// Every foreign key of the database.
pub struct ForeignKeys {
    keys: FxHashMap<pg_sys::Oid, Key>,
    /// The keys that refer to a table.
    to: FxHashMap<pg_sys::Oid, Vec<pg_sys::Oid>>,
}

/// How far the keys have been followed.
#[derive(Default)]
pub struct Walk {
    /// Tables whose referring keys have been looked at.
    seen: FxHashSet<pg_sys::Oid>,
}

impl ForeignKeys {
    pub fn read() -> ForeignKeys {
        let mut found = ForeignKeys { keys: FxHashMap::default(), to: FxHashMap::default() };
        // SAFETY: the form is the catalog's.
        unsafe {
            catalog::scan(pg_constraint::RELATION.into(), None, None, |row: &pg_constraint::Form| {
                if row.contype as u8 == pg_constraint::FOREIGN {
                    let key = Key { from: row.conrelid, to: row.confrelid, parent: row.conparentid };
                    found.to.entry(key.to).or_default().push(row.oid);
                    found.keys.insert(row.oid, key);
                }
            });
        }
        found
    }

    /// The tables that refer to these and are not `known`, in the order in which PostgreSQL locks them.
    /// Where a key was made for a partition, those that refer to the whole count as well.
    pub fn referring(
        &self,
        walk: &mut Walk,
        tables: &[pg_sys::Oid],
        known: &FxHashSet<pg_sys::Oid>,
    ) -> Vec<pg_sys::Oid> {
        let mut pending = tables.to_vec();
        let mut found = Vec::new();
        while let Some(table) = pending.pop() {
            if !walk.seen.insert(table) {
                continue;
            }
            for own in self.to.get(&table).into_iter().flatten() {
                let Some(key) = self.keys.get(own) else { continue };
                if !known.contains(&key.from) {
                    found.push(key.from);
                }
                pending.extend(self.top(key).map(|top| top.to));
            }
        }
        found.sort_unstable_by_key(|table| table.to_u32());
        found.dedup();
        found
    }

    /// The key of the partitioned tables that one of their partitions' was made for.
    fn top<'a>(&'a self, mut key: &'a Key) -> Option<&'a Key> {
        let mut top = None;
        while key.parent != pg_sys::InvalidOid {
            key = self.keys.get(&key.parent)?;
            top = Some(key);
        }
        top
    }
}
