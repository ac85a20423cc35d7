//! TimescaleDB. A hypertable is empty, and its rows lie in chunks, tables that inherit from it. A chunk that is
//! compressed keeps most of its rows, packed, in a table of its own that no statement of a client's names.

use std::ffi::CStr;

use super::engine::Engine;
use super::known::Known;
use super::running;
use crate::pg::catalog::{self, Key};
use crate::pg::count::Count;
use crate::pg::local::Local;
use crate::pg::{inheritance, pg_sys, relations};

pub struct TimescaleDb;

/// What a relation is to TimescaleDB.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Hypertable,
    ChunkOf(pg_sys::Oid),
    /// The packed rows of a chunk; InvalidOid where it is not known, or gone.
    PackedOf(pg_sys::Oid),
    Nothing,
}

static KNOWN: Known<Part> = Known::new();

/// _timescaledb_catalog.hypertable as far as it is read; the same since the first version.
#[repr(C)]
struct Hypertable {
    id: i32,
    schema_name: pg_sys::NameData,
    table_name: pg_sys::NameData,
}

/// _timescaledb_catalog.compression_settings as far as it is read: a hypertable that may have compressed chunks, or a
/// chunk that is compressed.
#[repr(C)]
struct CompressionSettings {
    relid: pg_sys::Oid,
}

/// Whether this version starts inputs late; asked once.
static IS_LATE: Local<Option<bool>> = Local::new(None);

/// Whether the version is one that does. One that does not looks for its own node below the ModifyTable.
const IS_NEW: &str = "SELECT (pg_catalog.string_to_array(pg_catalog.substring(extversion, '^[0-9.]+'), '.') \
    ::pg_catalog.int4[] OPERATOR(pg_catalog.>=) '{2,29}')::pg_catalog.int4 \
    FROM pg_catalog.pg_extension WHERE extname OPERATOR(pg_catalog.=) 'timescaledb'";

const CATALOG: &CStr = c"_timescaledb_catalog";

fn part(relation: pg_sys::Oid) -> Part {
    KNOWN.get(relation, read)
}

fn read(relation: pg_sys::Oid) -> Part {
    if relations::schema(relation) == "_timescaledb_internal"
        && relations::name(relation).starts_with("_compressed_hypertable_")
    {
        return Part::PackedOf(pg_sys::InvalidOid);
    }
    if let Some(chunk) = packs(relation) {
        return Part::PackedOf(chunk);
    }
    if is_hypertable(relation) {
        return Part::Hypertable;
    }
    let parents = inheritance::parents(relation);
    parents.into_iter().find(|parent| is_hypertable(*parent)).map_or(Part::Nothing, Part::ChunkOf)
}

fn is_hypertable(relation: pg_sys::Oid) -> bool {
    let of_catalog = |name| relations::of_schema(CATALOG, name);
    let (tables, by_name) = (of_catalog(c"hypertable"), of_catalog(c"hypertable_table_name_schema_name_key"));
    let schema = relations::schema_name(relations::schema_oid(relation));
    let Some(name) = relations::catalog_name(relation) else { return false };
    let mut is = false;
    let key = Key::name(3, &name);
    let read = |row: &Hypertable| is |= relations::from_name(&row.schema_name) == schema;
    // SAFETY: the form is the catalog's; its index begins with the table's name.
    unsafe { catalog::scan_by(tables, by_name, &key, read) };
    is
}

/// The chunk whose packed rows a relation holds.
fn packs(relation: pg_sys::Oid) -> Option<pg_sys::Oid> {
    let settings = relations::of_schema(CATALOG, c"compression_settings");
    let by_packed = relations::of_schema(CATALOG, c"compression_settings_compress_relid_idx");
    let mut chunk = None;
    let key = Key::oid(2, relation);
    // SAFETY: the form is the catalog's; its index is that of the second column.
    unsafe {
        catalog::scan_by(settings, by_packed, &key, |row: &CompressionSettings| chunk = Some(row.relid));
        if chunk.is_none() && relations::name(relation).contains("compress") {
            // Before it drops one, it forgets what it is.
            let read = |row: &CompressionSettings| chunk = Some(row.relid);
            catalog::scan_as_it_was(settings, by_packed, &key, read);
        }
    }
    chunk
}

fn has_packed_rows(relation: pg_sys::Oid) -> bool {
    let settings = relations::of_schema(CATALOG, c"compression_settings");
    let by_relation = relations::of_schema(CATALOG, c"compression_settings_pkey");
    let mut has = false;
    let key = Key::oid(1, relation);
    // SAFETY: the form is the catalog's; its index is the relation's.
    unsafe {
        catalog::scan_by(settings, by_relation, &key, |row: &CompressionSettings| {
            has |= row.relid == relation
        })
    };
    has
}

/// The rows that some chunks have packed. A packed row says how many it stands for: they are counted as any, for
/// TimescaleDB's planner fails while a chunk is being dropped.
fn packed_rows(chunks: &[pg_sys::Oid]) -> u64 {
    let chunks: Vec<_> = chunks.iter().map(|chunk| chunk.to_u32().to_string()).collect();
    let tables = running::relations(&format!(
        "SELECT compress_relid::pg_catalog.oid FROM _timescaledb_catalog.compression_settings
         WHERE relid::pg_catalog.oid OPERATOR(pg_catalog.=) ANY ('{{{}}}'::pg_catalog.oid[])",
        chunks.join(",")
    ));
    if tables.is_empty() { 0 } else { running::number(&count_packed(&tables)) }
}

/// The query that counts what some tables have packed.
fn count_packed(tables: &[pg_sys::Oid]) -> String {
    let of = |table: &pg_sys::Oid| {
        format!("SELECT _ts_meta_count FROM ONLY {}", relations::qualified_name(*table))
    };
    let each: Vec<_> = tables.iter().map(of).collect();
    format!("SELECT pg_catalog.sum(_ts_meta_count) FROM ({}) packed", each.join(" UNION ALL "))
}

impl Engine for TimescaleDb {
    fn setting(&self) -> &'static CStr {
        c"timescaledb.disable_load"
    }

    fn is_here(&self) -> bool {
        relations::of_schema(CATALOG, c"hypertable") != pg_sys::InvalidOid
    }

    fn forget(&self, relation: pg_sys::Oid) {
        KNOWN.forget(relation);
    }

    fn counts(&self, relation: pg_sys::Oid) -> bool {
        matches!(part(relation), Part::Hypertable | Part::ChunkOf(_)) && has_packed_rows(relation)
    }

    fn count(&self, relation: pg_sys::Oid, only: bool) -> u64 {
        let is_chunk = part(relation) != Part::Hypertable;
        let mut count = Count::new(relation, only && !is_chunk);
        count.go_on(u64::MAX, u64::MAX);
        let chunks = if is_chunk || only { vec![relation] } else { inheritance::members(relation) };
        count.rows() + packed_rows(&chunks)
    }

    fn routes_inserts(&self, relation: pg_sys::Oid) -> bool {
        part(relation) == Part::Hypertable
    }

    fn whole(&self, relation: pg_sys::Oid) -> Option<pg_sys::Oid> {
        match part(relation) {
            Part::ChunkOf(table) => Some(table),
            _ => None,
        }
    }

    fn hides(&self, relation: pg_sys::Oid) -> bool {
        matches!(part(relation), Part::PackedOf(_))
    }

    fn goes_with(&self, relation: pg_sys::Oid) -> Option<pg_sys::Oid> {
        match part(relation) {
            Part::ChunkOf(table) => Some(table),
            Part::PackedOf(chunk) if chunk != pg_sys::InvalidOid => self.whole(chunk),
            _ => None,
        }
    }

    fn packed(&self, relation: pg_sys::Oid) -> Option<(pg_sys::Oid, String)> {
        match part(relation) {
            Part::PackedOf(chunk) if chunk != pg_sys::InvalidOid => Some((chunk, count_packed(&[relation]))),
            _ => None,
        }
    }

    fn wraps_writes(&self, name: &CStr) -> bool {
        // HypertableModify until 2.19.
        matches!(name.to_bytes(), b"ModifyHypertable" | b"HypertableModify")
    }

    fn starts_inputs_late(&self) -> bool {
        // A session never has two versions of its library.
        if IS_LATE.get().is_none() {
            IS_LATE.set(Some(running::number(IS_NEW) == 1));
        }
        IS_LATE.get() == Some(true)
    }
}
