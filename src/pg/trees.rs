//! Which tables belong together: inheritance trees, partitions, foreign keys, schemas.

use super::pg_sys;

use super::{frame, nodes, raw};

/// A relation and everything that inherits from it, without locking any of it.
pub fn members(relation: pg_sys::Oid) -> Vec<pg_sys::Oid> {
    let list = frame::call(|| {
        #[allow(ffi_unwind_calls, reason = "inside frame::call; the closure owns nothing")]
        // SAFETY: reads pg_inherits under its own lock.
        unsafe {
            raw::find_all_inheritors(relation, pg_sys::NoLock as i32, std::ptr::null_mut())
        }
    });
    let mut members: Vec<_> = nodes::oids(list).collect();
    if members.len() > 1 {
        // Statements pass over the temporary children of other sessions, whose pages cannot be read.
        members.retain(|member| !is_other_temp(*member));
    }
    members
}

/// Whether a table is a temporary one of another session.
fn is_other_temp(relation: pg_sys::Oid) -> bool {
    // SAFETY: catalog cache look-ups.
    unsafe {
        pg_sys::get_rel_persistence(relation) as u8 == pg_sys::RELPERSISTENCE_TEMP
            && pg_sys::isOtherTempNamespace(pg_sys::get_rel_namespace(relation))
    }
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
    // SAFETY: a catalog cache look-up.
    while unsafe { pg_sys::get_rel_relispartition(child) } {
        let Some(parent) = parents(child).first().copied() else { break };
        found.push(parent);
        child = parent;
    }
    found
}

/// catalog/pg_inherits.h, which pgrx does not bind; the same in 15 to 18.
mod pg_inherits {
    use super::pg_sys;

    pub const RELATION: u32 = 2611;
    pub const RELID_SEQNO_INDEX: u32 = 2680;
    pub const INHRELID: i16 = 1;

    #[repr(C)]
    pub struct Form {
        pub inhrelid: pg_sys::Oid,
        pub inhparent: pg_sys::Oid,
    }
}

fn parents(relation: pg_sys::Oid) -> Vec<pg_sys::Oid> {
    let mut parents = Vec::new();
    // SAFETY: a scan of pg_inherits by its index on the child; all is closed again.
    unsafe {
        let catalog = pg_sys::table_open(pg_inherits::RELATION.into(), pg_sys::AccessShareLock as i32);
        let mut key: pg_sys::ScanKeyData = std::mem::zeroed();
        pg_sys::ScanKeyInit(
            &mut key,
            pg_inherits::INHRELID,
            pg_sys::BTEqualStrategyNumber as u16,
            pg_sys::F_OIDEQ.into(),
            relation.into(),
        );
        let index = pg_inherits::RELID_SEQNO_INDEX.into();
        let scan = pg_sys::systable_beginscan(catalog, index, true, std::ptr::null_mut(), 1, &mut key);
        loop {
            let tuple = pg_sys::systable_getnext(scan);
            if tuple.is_null() {
                break;
            }
            parents.push((*pg_sys::GETSTRUCT(tuple).cast::<pg_inherits::Form>()).inhparent);
        }
        pg_sys::systable_endscan(scan);
        pg_sys::table_close(catalog, pg_sys::AccessShareLock as i32);
    }
    parents
}

/// The tables with foreign keys to these, that are not among them; `None` where there are none.
pub fn referring_tables(tables: &[pg_sys::Oid]) -> Option<Vec<pg_sys::Oid>> {
    // SAFETY: reads pg_constraint.
    let found = unsafe { pg_sys::heap_truncate_find_FKs(nodes::oid_list(tables)) };
    let more: Vec<_> = nodes::oids(found).filter(|table| !tables.contains(table)).collect();
    (!more.is_empty()).then_some(more)
}

/// The tables of a schema that hold rows.
pub fn tables_of_schema(schema: pg_sys::Oid) -> Vec<pg_sys::Oid> {
    let mut found = Vec::new();
    // SAFETY: a scan of pg_class; all is closed again.
    unsafe {
        let catalog = pg_sys::table_open(pg_sys::RelationRelationId, pg_sys::AccessShareLock as i32);
        let mut key: pg_sys::ScanKeyData = std::mem::zeroed();
        pg_sys::ScanKeyInit(
            &mut key,
            pg_sys::Anum_pg_class_relnamespace as i16,
            pg_sys::BTEqualStrategyNumber as u16,
            pg_sys::F_OIDEQ.into(),
            schema.into(),
        );
        let none = std::ptr::null_mut();
        let scan = pg_sys::systable_beginscan(catalog, pg_sys::InvalidOid, false, none, 1, &mut key);
        loop {
            let tuple = pg_sys::systable_getnext(scan);
            if tuple.is_null() {
                break;
            }
            let form = &*pg_sys::GETSTRUCT(tuple).cast::<pg_sys::FormData_pg_class>();
            if form.relkind as u8 == pg_sys::RELKIND_RELATION {
                found.push(form.oid);
            }
        }
        pg_sys::systable_endscan(scan);
        pg_sys::table_close(catalog, pg_sys::AccessShareLock as i32);
    }
    found
}
