//! Citus. A table of its is empty where it is named (unless rows were left behind), and its rows lie in shards,
//! tables called NAME_NUMBER, on any node. The node that a client speaks to judges the statement; shards are not
//! judged again.

use super::engine::Engine;
use super::known::Known;
use super::running;
use crate::pg::catalog::{self, Key};
use crate::pg::{backend, pg_sys, relations};

pub struct Citus;

/// What a relation is to Citus.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    /// A table that is distributed, a reference table, or one that it knows and keeps here.
    Table,
    ShardOf(pg_sys::Oid),
    Nothing,
}

static KNOWN: Known<Part> = Known::new();

/// Whether foreign keys tie a table to one that is the same on all nodes.
static IS_TIED: Known<bool> = Known::new();

/// The query of how many such tables a table refers to, by way of others too, or is itself.
fn tied(relation: pg_sys::Oid) -> String {
    format!(
        "WITH RECURSIVE referred AS (SELECT {}::pg_catalog.oid AS table \
           UNION SELECT confrelid FROM pg_catalog.pg_constraint JOIN referred \
             ON conrelid OPERATOR(pg_catalog.=) referred.table WHERE contype OPERATOR(pg_catalog.=) 'f') \
         SELECT pg_catalog.count(*) FROM pg_catalog.pg_dist_partition JOIN referred \
           ON logicalrelid::pg_catalog.oid OPERATOR(pg_catalog.=) referred.table \
         WHERE partmethod OPERATOR(pg_catalog.=) 'n'",
        relation.to_u32()
    )
}

/// pg_dist_partition and pg_dist_shard as far as they are read; the same since Citus 6.
#[repr(C)]
struct Distributed {
    logicalrelid: pg_sys::Oid,
}

#[repr(C)]
struct Shard {
    logicalrelid: pg_sys::Oid,
    shardid: i64,
}

fn part(relation: pg_sys::Oid) -> Part {
    KNOWN.get(relation, read)
}

fn read(relation: pg_sys::Oid) -> Part {
    let own = relations::of_catalog;
    let (tables, by_table) = (own(c"pg_dist_partition"), own(c"pg_dist_partition_logical_relid_index"));
    let mut is_table = false;
    let key = Key::oid(1, relation);
    // SAFETY: the form is the catalog's; its index begins with the table.
    unsafe { catalog::scan_by(tables, by_table, &key, |_: &Distributed| is_table = true) };
    if is_table {
        return Part::Table;
    }
    let name = relations::name(relation);
    let number = name.rsplit_once('_').and_then(|(_, number)| number.parse::<i64>().ok());
    let Some(number) = number else { return Part::Nothing };
    let (shards, by_number) = (own(c"pg_dist_shard"), own(c"pg_dist_shard_shardid_index"));
    let mut of = Part::Nothing;
    let key = Key::bigint(2, number);
    // SAFETY: the form is the catalog's, whose second column is aligned as here; its index begins with the number.
    unsafe { catalog::scan_by(shards, by_number, &key, |row: &Shard| of = Part::ShardOf(row.logicalrelid)) };
    match of {
        // A table of the user's may be called so as well; Citus would not take the name then.
        Part::ShardOf(table) if relations::schema_oid(table) == relations::schema_oid(relation) => of,
        _ => Part::Nothing,
    }
}

impl Engine for Citus {
    fn setting(&self) -> &'static core::ffi::CStr {
        c"citus.shard_count"
    }

    fn is_here(&self) -> bool {
        relations::of_catalog(c"pg_dist_partition") != pg_sys::InvalidOid
    }

    fn forget(&self, relation: pg_sys::Oid) {
        KNOWN.forget(relation);
        // Keys of others lead on.
        IS_TIED.forget(pg_sys::InvalidOid);
    }

    fn runs(&self, relation: pg_sys::Oid) -> bool {
        part(relation) == Part::Table
    }

    fn counts(&self, relation: pg_sys::Oid) -> bool {
        part(relation) == Part::Table
    }

    fn count(&self, relation: pg_sys::Oid, only: bool) -> u64 {
        running::count(relation, only, self.counts_under(relation))
    }

    fn counts_under(&self, relation: pg_sys::Oid) -> Option<running::Setting> {
        // A query on several connections to a node forbids the transaction what a table that is the same everywhere
        // would hand on to those.
        let is = IS_TIED.get(relation, |relation| running::number(&tied(relation)) > 0);
        is.then_some((c"citus.multi_shard_modify_mode", c"sequential"))
    }

    fn whole(&self, relation: pg_sys::Oid) -> Option<pg_sys::Oid> {
        match part(relation) {
            Part::ShardOf(table) => Some(table),
            _ => None,
        }
    }

    fn hides(&self, relation: pg_sys::Oid) -> bool {
        matches!(part(relation), Part::ShardOf(_))
    }

    fn unguarded_nodes(&self) -> Option<&'static core::ffi::CStr> {
        // Of a node that does not answer nothing is known.
        Some(
            c"SELECT pg_catalog.format('%s:%s', nodename, nodeport)
              FROM pg_catalog.run_command_on_all_nodes('SHOW safedelete.mode',
                give_warning_for_connection_errors := false)
              JOIN pg_catalog.pg_dist_node USING (nodeid)
              WHERE NOT success AND result OPERATOR(pg_catalog.~~) '%unrecognized configuration parameter%'
              ORDER BY 1",
        )
    }

    fn is_own_session(&self) -> bool {
        // Of the connection, not of the setting, which anybody may change later on. What the user's own commands are
        // sent by (run_command_on_workers, run_command_on_shards), Citus connects likewise and calls otherwise then.
        backend::connected_as(&[b"citus_internal gpid=", b"citus_rebalancer gpid="])
            && !backend::is_called(b"citus_run_command gpid=")
    }

    fn is_own_function(&self, function: pg_sys::Oid) -> bool {
        relations::is_of_library(function, "$libdir/citus")
    }

    fn is_own_node(&self, name: &core::ffi::CStr) -> bool {
        name.to_bytes().starts_with(b"Citus ")
    }
}
