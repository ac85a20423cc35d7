//! What is asked of the catalogs about one relation, or function: names, kinds, whether it is new, who may what.

use std::ffi::CStr;

use super::pg_sys;

use super::nodes;
use super::text::{from_server, of_setting, to_server};

/// A relation's name; its OID where it is gone.
pub fn name(relation: pg_sys::Oid) -> String {
    pg_sys::get_rel_name(relation).map(from_server).unwrap_or_else(|| relation.to_u32().to_string())
}

/// A relation's name, and its schema's, as list settings are read.
pub fn name_as_in_settings(relation: pg_sys::Oid) -> String {
    pg_sys::get_rel_name(relation).map(of_setting).unwrap_or_default()
}

pub fn schema_as_in_settings(relation: pg_sys::Oid) -> String {
    pg_sys::get_namespace_name(schema_oid(relation)).map(of_setting).unwrap_or_default()
}

/// The name of a relation's schema.
pub fn schema(relation: pg_sys::Oid) -> String {
    pg_sys::get_namespace_name(schema_oid(relation)).map(from_server).unwrap_or_default()
}

/// The schema of a relation; InvalidOid where the relation is gone.
pub fn schema_oid(relation: pg_sys::Oid) -> pg_sys::Oid {
    pg_sys::get_rel_namespace(relation)
}

/// A schema's name; its OID where it is gone.
pub fn schema_name(schema: pg_sys::Oid) -> String {
    pg_sys::get_namespace_name(schema).map(from_server).unwrap_or_else(|| schema.to_u32().to_string())
}

/// A relation's name with its schema's, as messages give names: unquoted.
pub fn full_name(relation: pg_sys::Oid) -> String {
    format!("{}.{}", schema(relation), name(relation))
}

/// A relation's name with its schema's, quoted where SQL needs it.
pub fn qualified_name(relation: pg_sys::Oid) -> String {
    format!("{}.{}", quoted_name(&schema(relation)), quoted_name(&name(relation)))
}

/// A relation's name as regclass shows it: with its schema's where the search path does not find it.
pub fn visible_name(relation: pg_sys::Oid) -> String {
    if pg_sys::RelationIsVisible(relation) { quoted_name(&name(relation)) } else { qualified_name(relation) }
}

/// A name, quoted where SQL needs it.
pub fn quoted_name(name: &str) -> String {
    // SAFETY: a NUL-terminated name; gives it back or a palloc'd copy.
    from_server(unsafe { CStr::from_ptr(pg_sys::quote_identifier(to_server(name).as_ptr())) })
}

/// A text as an SQL literal.
pub fn quoted_literal(text: &str) -> String {
    // SAFETY: a NUL-terminated text; gives a palloc'd one.
    from_server(unsafe { CStr::from_ptr(pg_sys::quote_literal_cstr(to_server(text).as_ptr())) })
}

/// The name of a column.
pub fn column(relation: pg_sys::Oid, attribute: i16) -> String {
    pg_sys::get_attname(relation, attribute, true).map(from_server).unwrap_or_default()
}

/// The name of a column's type, as SQL takes it whatever the search path.
pub fn column_type(relation: pg_sys::Oid, attribute: i16) -> String {
    let flags = pg_sys::FORMAT_TYPE_TYPEMOD_GIVEN | pg_sys::FORMAT_TYPE_FORCE_QUALIFY;
    // SAFETY: catalog cache look-ups; gives a palloc'd, NUL-terminated name.
    unsafe {
        let (mut of, mut modifier, mut collation) = (pg_sys::InvalidOid, -1, pg_sys::InvalidOid);
        pg_sys::get_atttypetypmodcoll(relation, attribute, &mut of, &mut modifier, &mut collation);
        from_server(CStr::from_ptr(pg_sys::format_type_extended(of, modifier, flags as u16)))
    }
}

pub fn kind(relation: pg_sys::Oid) -> u8 {
    pg_sys::get_rel_relkind(relation) as u8
}

/// Whether a relation is never guarded: temporary tables, system catalogs and whatever else is in their
/// schemas, materialized views (nothing of their own), and kinds that hold no rows.
pub fn is_exempt(relation: pg_sys::Oid) -> bool {
    if is_of_system(schema_oid(relation)) {
        return true;
    }
    let persistence = pg_sys::get_rel_persistence(relation) as u8;
    persistence == pg_sys::RELPERSISTENCE_TEMP
        || !matches!(
            kind(relation),
            pg_sys::RELKIND_RELATION
                | pg_sys::RELKIND_PARTITIONED_TABLE
                | pg_sys::RELKIND_FOREIGN_TABLE
                | pg_sys::RELKIND_VIEW
        )
}

/// Whether a relation holds rows that can be counted or estimated; a view does not.
pub fn has_size(relation: pg_sys::Oid) -> bool {
    kind(relation) != pg_sys::RELKIND_VIEW
}

/// Whether a schema is PostgreSQL's own. A low OID alone does not say so: what is made in single-user mode
/// right after initdb has one, too. information_schema has no fixed OID, and may be made anew.
fn is_of_system(schema: pg_sys::Oid) -> bool {
    let schema_number = schema.to_u32();
    schema_number == pg_sys::PG_CATALOG_NAMESPACE
        || schema_number == pg_sys::PG_TOAST_NAMESPACE
        || is_of_extension(schema)
        || (schema_number < pg_sys::FirstNormalObjectId
            && schema_number != pg_sys::PG_PUBLIC_NAMESPACE
            && schema_name(schema) == "information_schema")
}

/// Whether a schema is the extension's, which holds nothing else.
fn is_of_extension(schema: pg_sys::Oid) -> bool {
    pg_sys::get_namespace_name(schema) == Some(c"safedelete")
        // SAFETY: NUL-terminated.
        && unsafe { pg_sys::get_extension_oid(c"safedelete".as_ptr(), true) } != pg_sys::InvalidOid
}

/// Whether a table is a temporary one of another session.
pub fn is_other_temp(relation: pg_sys::Oid) -> bool {
    pg_sys::get_rel_persistence(relation) as u8 == pg_sys::RELPERSISTENCE_TEMP
        && pg_sys::isOtherTempNamespace(pg_sys::get_rel_namespace(relation))
}

/// What a row of a catalog cache says, that is found by OID; `None` where there is none.
///
/// # Safety
/// `Form` is the layout of the cache's rows.
unsafe fn cached<Form, T>(
    cache: pg_sys::SysCacheIdentifier::Type,
    key: pg_sys::Oid,
    read: impl FnOnce(&Form) -> T,
) -> Option<T> {
    // SAFETY: a look-up, read before it is released.
    unsafe {
        let tuple = pg_sys::SearchSysCache1(cache as i32, key.into());
        if tuple.is_null() {
            return None;
        }
        let value = read(&*pg_sys::GETSTRUCT(tuple).cast::<Form>());
        pg_sys::ReleaseSysCache(tuple);
        Some(value)
    }
}

/// What pg_class says of a relation; `None` where it is gone.
pub fn catalogued<T>(relation: pg_sys::Oid, read: impl FnOnce(&pg_sys::FormData_pg_class) -> T) -> Option<T> {
    // SAFETY: the cache's rows.
    unsafe { cached(pg_sys::SysCacheIdentifier::RELOID, relation, read) }
}

/// Whether a relation is a system catalog or its TOAST table, and the server protects those.
pub fn is_protected_catalog(relation: pg_sys::Oid) -> bool {
    // SAFETY: reads a backend variable, and the row that it is given.
    unsafe {
        !pg_sys::allowSystemTableMods
            && catalogued(relation, |row| pg_sys::IsSystemClass(relation, std::ptr::from_ref(row).cast_mut()))
                .unwrap_or(false)
    }
}

/// Whether foreign keys write other tables when this one's rows go, or when they change.
pub fn has_cascades(relation: pg_sys::Oid, on_delete: bool) -> bool {
    let actions = if on_delete {
        [pg_sys::F_RI_FKEY_CASCADE_DEL, pg_sys::F_RI_FKEY_SETNULL_DEL, pg_sys::F_RI_FKEY_SETDEFAULT_DEL]
    } else {
        [pg_sys::F_RI_FKEY_CASCADE_UPD, pg_sys::F_RI_FKEY_SETNULL_UPD, pg_sys::F_RI_FKEY_SETDEFAULT_UPD]
    };
    // SAFETY: the statement holds a lock on its target; the entry is open while it is read.
    unsafe {
        let opened = pg_sys::relation_open(relation, pg_sys::NoLock as i32);
        let triggers = (*opened).trigdesc;
        let found = !triggers.is_null()
            && (0..(*triggers).numtriggers as usize)
                .any(|i| actions.contains(&(*(*triggers).triggers.add(i)).tgfoid.to_u32()));
        pg_sys::relation_close(opened, pg_sys::NoLock as i32);
        found
    }
}

/// The schema of a name; `None` where there is none.
pub fn schema_of_name(name: &CStr) -> Option<pg_sys::Oid> {
    // SAFETY: NUL-terminated.
    let schema = unsafe { pg_sys::get_namespace_oid(name.as_ptr(), true) };
    (schema != pg_sys::InvalidOid).then_some(schema)
}

/// Whether a function has one argument, of this type.
pub fn takes_one(function: pg_sys::Oid, argument: pg_sys::Oid) -> bool {
    let (mut types, mut count): (*mut pg_sys::Oid, _) = (std::ptr::null_mut(), 0);
    // SAFETY: gives so many types, in the current memory context.
    unsafe {
        pg_sys::get_func_signature(function, &mut types, &mut count);
        count == 1 && *types == argument
    }
}

/// The relation of a name in a schema; InvalidOid where there is none, or no such schema.
pub fn in_schema(schema: *const core::ffi::c_char, name: *const core::ffi::c_char) -> pg_sys::Oid {
    // SAFETY: NUL-terminated names, of a statement.
    unsafe { pg_sys::get_relname_relid(name, pg_sys::get_namespace_oid(schema, true)) }
}

/// A function's name with its schema's, quoted where SQL needs it, and parentheses.
pub fn function_name(function: pg_sys::Oid) -> String {
    let quoted = |name: Option<&CStr>| quoted_name(&name.map(from_server).unwrap_or_default());
    let schema = pg_sys::get_namespace_name(pg_sys::get_func_namespace(function));
    format!("{}.{}()", quoted(schema), quoted(pg_sys::get_func_name(function)))
}

/// catalog/pg_language.dat, whose OIDs pgrx does not bind; the same in 15 to 19.
const INTERNAL_LANGUAGE: u32 = 12;
const C_LANGUAGE: u32 = 13;

/// Whether a function may write by SQL, or change a setting: volatile, and not one of PostgreSQL's or
/// another library's in C, set_config excepted.
pub fn may_run_sql(function: pg_sys::Oid) -> bool {
    if function == pg_sys::Oid::from(pg_sys::F_SET_CONFIG) {
        return true;
    }
    let writes = |row: &pg_sys::FormData_pg_proc| {
        row.provolatile as u8 == pg_sys::PROVOLATILE_VOLATILE
            && row.prolang != INTERNAL_LANGUAGE.into()
            && row.prolang != C_LANGUAGE.into()
    };
    // SAFETY: the cache's rows.
    unsafe { cached(pg_sys::SysCacheIdentifier::PROCOID, function, writes) }.unwrap_or(false)
}

/// The sequences that go with a table.
pub fn owned_sequences(table: pg_sys::Oid) -> impl Iterator<Item = pg_sys::Oid> {
    // SAFETY: a list of OIDs.
    unsafe { nodes::oids(pg_sys::getOwnedSequences(table)) }
}

/// The schema that a new table without one goes to; empty where there is none.
pub fn creation_schema() -> String {
    // SAFETY: a list of OIDs.
    let mut path = unsafe { nodes::oids(pg_sys::fetch_search_path(false)) };
    path.next().map(schema_name).unwrap_or_default()
}

/// Whether a table has a primary key.
pub fn has_primary_key(table: pg_sys::Oid) -> bool {
    let mut constraint = pg_sys::InvalidOid;
    // SAFETY: a table; reads its constraints, those that are checked later too, which relcache does not tell before 18.
    unsafe { !pg_sys::get_primary_key_attnos(table, true, &mut constraint).is_null() }
}

/// Whether a publication sends the rows of all tables.
pub fn all_tables_are_published() -> bool {
    let mut found = false;
    // SAFETY: the form is the catalog's.
    unsafe {
        super::catalog::scan(
            pg_sys::PublicationRelationId,
            None,
            None,
            |row: &pg_sys::FormData_pg_publication| {
                found |= row.puballtables;
            },
        );
    }
    found
}

/// Whether the current user owns a table, or is a member of who does.
pub fn is_own(relation: pg_sys::Oid) -> bool {
    catalogued(relation, |row| row.relowner)
        .is_some_and(|owner| pg_sys::has_privs_of_role(pg_sys::GetUserId(), owner))
}

/// The same of a schema, whose owner may drop what is in it.
pub fn is_own_schema(schema: pg_sys::Oid) -> bool {
    let owner = |row: &pg_sys::FormData_pg_namespace| row.nspowner;
    // SAFETY: the cache's rows.
    let owner = unsafe { cached(pg_sys::SysCacheIdentifier::NAMESPACEOID, schema, owner) };
    owner.is_some_and(|owner| pg_sys::has_privs_of_role(pg_sys::GetUserId(), owner))
}

/// Whether the current user may drop a table.
pub fn may_drop(relation: pg_sys::Oid) -> bool {
    is_own(relation) || catalogued(relation, |row| row.relnamespace).is_some_and(is_own_schema)
}

/// Whether the current user may truncate a table.
pub fn may_truncate(relation: pg_sys::Oid) -> bool {
    pg_sys::pg_class_aclcheck(relation, pg_sys::GetUserId(), pg_sys::ACL_TRUNCATE as pg_sys::AclMode)
        == pg_sys::AclResult::ACLCHECK_OK
}

/// A relation in schema pg_catalog, PostgreSQL's or an extension's; InvalidOid where there is none.
pub fn of_catalog(name: &CStr) -> pg_sys::Oid {
    // SAFETY: NUL-terminated.
    unsafe { pg_sys::get_relname_relid(name.as_ptr(), pg_sys::PG_CATALOG_NAMESPACE.into()) }
}

/// A relation in a schema, both by their names; InvalidOid where there is none.
pub fn of_schema(schema: &CStr, name: &CStr) -> pg_sys::Oid {
    // SAFETY: NUL-terminated.
    unsafe {
        match pg_sys::get_namespace_oid(schema.as_ptr(), true) {
            pg_sys::InvalidOid => pg_sys::InvalidOid,
            schema => pg_sys::get_relname_relid(name.as_ptr(), schema),
        }
    }
}

/// A relation's name as the catalogs have it.
pub fn catalog_name(relation: pg_sys::Oid) -> Option<pg_sys::NameData> {
    catalogued(relation, |row| row.relname)
}

/// A name of the catalogs'.
pub fn from_name(name: &pg_sys::NameData) -> String {
    // SAFETY: NUL-terminated within its length.
    from_server(unsafe { CStr::from_ptr(name.data.as_ptr()) })
}

/// Whether the current user may count a table's rows: read some column of it.
pub fn may_count(relation: pg_sys::Oid) -> bool {
    let (user, mode) = (pg_sys::GetUserId(), pg_sys::ACL_SELECT as pg_sys::AclMode);
    let allowed = pg_sys::AclResult::ACLCHECK_OK;
    pg_sys::pg_class_aclcheck(relation, user, mode) == allowed
        || pg_sys::pg_attribute_aclcheck_all(relation, user, mode, pg_sys::AclMaskHow::ACLMASK_ANY) == allowed
}

/// Who owns a relation; InvalidOid where it is gone.
pub fn owner(relation: pg_sys::Oid) -> pg_sys::Oid {
    catalogued(relation, |row| row.relowner).unwrap_or(pg_sys::InvalidOid)
}

/// Whether a function is in C, and its library's name begins so.
pub fn is_of_library(function: pg_sys::Oid, library: &str) -> bool {
    let cache = pg_sys::SysCacheIdentifier::PROCOID as i32;
    // SAFETY: a catalog cache look-up, released below; probin is a text of the row.
    unsafe {
        let tuple = pg_sys::SearchSysCache1(cache, function.into());
        if tuple.is_null() {
            return false;
        }
        let form = &*pg_sys::GETSTRUCT(tuple).cast::<pg_sys::FormData_pg_proc>();
        let mut is = false;
        if form.prolang == C_LANGUAGE.into() {
            let mut is_null = false;
            let column = pg_sys::Anum_pg_proc_probin as pg_sys::AttrNumber;
            let probin = pg_sys::SysCacheGetAttr(cache, tuple, column, &mut is_null);
            is = !is_null
                && CStr::from_ptr(pg_sys::text_to_cstring(probin.cast_mut_ptr()))
                    .to_bytes()
                    .starts_with(library.as_bytes());
        }
        pg_sys::ReleaseSysCache(tuple);
        is
    }
}
