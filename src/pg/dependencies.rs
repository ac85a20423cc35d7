//! What PostgreSQL says of a DROP before it drops anything: whether what depends on the objects, or what they belong
//! to, stands in its way. As findDependentObjects and reportDependentObjects have it (catalog/dependency.c), but
//! without their locks.

use std::collections::VecDeque;

use pgrx::pg_sys::DependencyType;
use rustc_hash::FxHashMap;

use super::catalog::{self, pg_depend};
use super::{pg_sys, text};

/// An object, or a column of a table.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Object {
    class: pg_sys::Oid,
    id: pg_sys::Oid,
    column: i32,
}

impl Object {
    pub fn table(id: pg_sys::Oid) -> Object {
        Object { class: pg_sys::RelationRelationId, id, column: 0 }
    }

    pub fn schema(id: pg_sys::Oid) -> Object {
        Object { class: pg_sys::NamespaceRelationId, id, column: 0 }
    }

    /// The relation that it is.
    pub fn relation(self) -> Option<pg_sys::Oid> {
        (self.class == pg_sys::RelationRelationId).then_some(self.id)
    }

    fn whole(self) -> Object {
        Object { column: 0, ..self }
    }

    /// As messages call it: `table orders`.
    pub fn description(self) -> String {
        let address =
            pg_sys::ObjectAddress { classId: self.class, objectId: self.id, objectSubId: self.column };
        // SAFETY: an address; NULL where there is nothing of it, or a text that is a copy.
        let text = unsafe { text::at(pg_sys::getObjectDescription(&address, true)) };
        text.map(text::from_server).unwrap_or_default()
    }
}

/// Why PostgreSQL refuses a DROP (2BP01).
pub enum Obstacle {
    /// The first belongs to the second: an extension's, say.
    Required(Object, Object),
    /// Other objects depend on them.
    Depended,
}

/// What stands in the way of dropping these objects, with CASCADE or without.
pub fn obstacle(objects: &[Object], cascades: bool) -> Option<Obstacle> {
    for object in objects {
        if let Some(owner) = owner(*object).filter(|owner| !objects.contains(owner)) {
            return Some(Obstacle::Required(*object, owner));
        }
    }
    (!cascades && are_depended_on(objects)).then_some(Obstacle::Depended)
}

/// What an object is a part of, which has to be dropped instead.
fn owner(object: Object) -> Option<Object> {
    let mut owner = None;
    // SAFETY: the form is the catalog's; the index begins with these columns.
    unsafe {
        catalog::scan_by_two(
            pg_depend::RELATION.into(),
            pg_depend::DEPENDER_INDEX.into(),
            [(pg_depend::CLASSID, object.class), (pg_depend::OBJID, object.id)],
            |row: &pg_sys::FormData_pg_depend| {
                let on = Object { class: row.refclassid, id: row.refobjid, column: row.refobjsubid };
                let kind = row.deptype as DependencyType::Type;
                let is_part = matches!(
                    kind,
                    DependencyType::DEPENDENCY_INTERNAL | DependencyType::DEPENDENCY_EXTENSION
                );
                if is_part && on.whole() != object.whole() {
                    owner = Some(on);
                }
            },
        );
    }
    owner
}

/// Whether something would be left that depends on these objects, or on what goes with them.
fn are_depended_on(objects: &[Object]) -> bool {
    // Each object that is come to; whether it goes with another by itself.
    let mut goes: FxHashMap<Object, bool> = objects.iter().map(|object| (*object, true)).collect();
    let mut pending: VecDeque<_> = objects.iter().copied().collect();
    while let Some(object) = pending.pop_front() {
        for (depender, goes_along) in dependers(object) {
            match goes.get_mut(&depender) {
                Some(known) => *known |= goes_along,
                None => {
                    goes.insert(depender, goes_along);
                    pending.push_back(depender);
                }
            }
        }
    }
    // A column goes with its table.
    goes.iter().any(|(object, goes_along)| {
        !goes_along && (object.column == 0 || !goes.contains_key(&object.whole()))
    })
}

/// What depends on an object, and whether it goes with it by itself.
fn dependers(object: Object) -> Vec<(Object, bool)> {
    let mut found = Vec::new();
    // SAFETY: the form is the catalog's; the index begins with these columns.
    unsafe {
        catalog::scan_by_two(
            pg_depend::RELATION.into(),
            pg_depend::REFERENCE_INDEX.into(),
            [(pg_depend::REFCLASSID, object.class), (pg_depend::REFOBJID, object.id)],
            |row: &pg_sys::FormData_pg_depend| {
                let depender = Object { class: row.classid, id: row.objid, column: row.objsubid };
                // Of a column what depends on it alone; a table's own columns are no others.
                let is_of = object.column == 0 || object.column == row.refobjsubid;
                if is_of && depender.whole() != object.whole() {
                    found.push((
                        depender,
                        row.deptype as DependencyType::Type != DependencyType::DEPENDENCY_NORMAL,
                    ));
                }
            },
        );
    }
    found
}
