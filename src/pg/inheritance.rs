//! Which tables belong together: inheritance trees, partitions, schemas.

use super::pg_sys;

use super::catalog::{self, pg_inherits};
use super::{frame, nodes, raw, relations};

/// Whether a relation is a partition or a child of another.
pub fn is_part(relation: pg_sys::Oid) -> bool {
    frame::call(|| {
        #[allow(ffi_unwind_calls, reason = "inside frame::call; the closure owns nothing")]
        // SAFETY: reads pg_inherits under its own lock.
        unsafe {
            raw::has_superclass(relation)
        }
    })
}

/// A relation and everything that inherits from it, without locking any of it.
pub fn members(relation: pg_sys::Oid) -> Vec<pg_sys::Oid> {
    let list = frame::call(|| {
        #[allow(ffi_unwind_calls, reason = "inside frame::call; the closure owns nothing")]
        // SAFETY: reads pg_inherits under its own lock.
        unsafe {
            raw::find_all_inheritors(relation, pg_sys::NoLock as i32, std::ptr::null_mut())
        }
    });
    // SAFETY: a list of OIDs.
    let mut members: Vec<_> = unsafe { nodes::oids(list) }.collect();
    if members.len() > 1 {
        // Statements pass over the temporary children of other sessions, whose pages cannot be read.
        members.retain(|member| !relations::is_other_temp(*member));
    }
    members
}

/// The tables that a table inherits from, directly or not.
pub fn ancestors(relation: pg_sys::Oid) -> Vec<pg_sys::Oid> {
    let mut found = Vec::new();
    let mut pending = vec![relation];
    while let Some(child) = pending.pop() {
        for parent in parents(child) {
            if !found.contains(&parent) {
                found.push(parent);
                pending.push(parent);
            }
        }
    }
    found
}

/// The partitioned tables that a relation is a partition of, upward.
pub fn partition_parents(relation: pg_sys::Oid) -> Vec<pg_sys::Oid> {
    let mut found = Vec::new();
    let mut child = relation;
    while pg_sys::get_rel_relispartition(child) {
        let Some(parent) = parents(child).first().copied() else { break };
        found.push(parent);
        child = parent;
    }
    found
}

/// What a relation inherits from directly.
pub fn parents(relation: pg_sys::Oid) -> Vec<pg_sys::Oid> {
    let mut parents = Vec::new();
    let (catalog, index) = (pg_inherits::RELATION.into(), pg_inherits::RELID_SEQNO_INDEX.into());
    // SAFETY: the form is the catalog's; its index begins with the child.
    unsafe {
        catalog::scan(
            catalog,
            Some(index),
            Some((pg_inherits::INHRELID, relation)),
            |row: &pg_inherits::Form| parents.push(row.inhparent),
        );
    }
    parents
}

/// The tables of a schema that hold rows.
pub fn tables_of_schema(schema: pg_sys::Oid) -> Vec<pg_sys::Oid> {
    of_schema(schema, pg_sys::RELKIND_RELATION)
}

/// The partitioned tables of a schema.
pub fn partitioned_tables_of_schema(schema: pg_sys::Oid) -> Vec<pg_sys::Oid> {
    of_schema(schema, pg_sys::RELKIND_PARTITIONED_TABLE)
}

/// Every schema.
pub fn schemas() -> Vec<pg_sys::Oid> {
    let mut found = Vec::new();
    // SAFETY: the form is the catalog's.
    unsafe {
        catalog::scan(pg_sys::NamespaceRelationId, None, None, |row: &pg_sys::FormData_pg_namespace| {
            found.push(row.oid);
        });
    }
    found
}

fn of_schema(schema: pg_sys::Oid, kind: u8) -> Vec<pg_sys::Oid> {
    let mut found = Vec::new();
    // SAFETY: the form is the catalog's.
    unsafe {
        catalog::scan(
            pg_sys::RelationRelationId,
            None,
            Some((pg_sys::Anum_pg_class_relnamespace as i16, schema)),
            |row: &pg_sys::FormData_pg_class| {
                if row.relkind as u8 == kind {
                    found.push(row.oid);
                }
            },
        );
    }
    found
}

/// Whether the running transaction has created a table, with all below it that hold rows: nobody else has
/// seen these. A fact of the transaction, so it must not be kept.
pub fn is_new(relation: pg_sys::Oid) -> bool {
    is_created(relation) && members(relation).into_iter().all(is_created)
}

/// c.h: InvalidSubTransactionId, which pgrx does not bind.
const INVALID_SUBTRANSACTION: pg_sys::SubTransactionId = 0;

fn is_created(relation: pg_sys::Oid) -> bool {
    // SAFETY: a relation cache look-up, given back at once. What the running transaction has created
    // (and no subtransaction has rolled back) stays in the cache with the mark until its end.
    unsafe {
        let opened = pg_sys::RelationIdGetRelation(relation);
        if opened.is_null() {
            return false;
        }
        let created = (*opened).rd_createSubid != INVALID_SUBTRANSACTION;
        pg_sys::RelationClose(opened);
        created
    }
}
