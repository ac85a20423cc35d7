//! The triggers follow policy: where a table's rows are to be kept it has them, from the statement on that makes the
//! table, gives it a policy, moves it to another schema or attaches it. They hang on the label alone, and are made
//! anew where that is restored, so dumps leave them out. A trigger that is left where nothing is kept any more does
//! nothing. Called by the utility hook, after the command.

use std::ffi::CStr;

use pgrx::pg_sys::NodeTag;
use safedelete_core::keep;
use safedelete_core::message::Report;

use super::store;
use crate::pg::execution::Execution;
use crate::pg::nodes::Node;
use crate::pg::report::{self, Frozen};
use crate::pg::{inheritance, locks, moves, pg_sys, relations, trigger};
use crate::policy::{self, Origin, label};

/// Triggers of a table fire by their names' order: these before a user's, so that what a user's writes comes after.
const PREFIX: &CStr = c"!safedelete_keep_";

/// Name, event and transition tables of each; TRUNCATE has none.
const TRIGGERS: [(&str, &str, &str); 3] = [
    ("delete", "AFTER DELETE", "REFERENCING OLD TABLE AS safedelete_old"),
    ("update", "AFTER UPDATE", "REFERENCING OLD TABLE AS safedelete_old NEW TABLE AS safedelete_new"),
    ("truncate", "BEFORE TRUNCATE", ""),
];

/// Whether a table has what keeps its rows, in this session.
pub fn is_kept(table: pg_sys::Oid) -> bool {
    trigger::own_that_fire(table, PREFIX, false) == TRIGGERS.len()
}

/// Whether a write fires those alone, which write to the extension's tables and add to no sum. For bare frames.
#[inline]
pub fn fires_nothing_else(query: Execution) -> bool {
    query.fires_only(PREFIX)
}

/// Has told apart what MERGEs of a query delete, and what they move between partitions. For bare frames.
///
/// # Safety
/// `query` has started and has not run; no frame above owns anything.
#[inline(never)]
pub unsafe fn watch_moves(query: *const pg_sys::QueryDesc) {
    // SAFETY: by contract; the triggers of an open relation.
    unsafe { moves::watch(query, |described| trigger::has_own(described, PREFIX)) };
}

/// Whether a command may have changed what is in force for a table. For bare frames.
#[inline]
pub fn may_concern(utility: Node) -> bool {
    matches!(
        utility.tag(),
        NodeTag::T_SecLabelStmt
            | NodeTag::T_CreateStmt
            | NodeTag::T_CreateTableAsStmt
            | NodeTag::T_AlterTableStmt
            | NodeTag::T_AlterObjectSchemaStmt
    )
}

/// Such a command has run.
pub fn after(utility: Node) -> Result<(), Frozen> {
    pg_sys::CommandCounterIncrement();
    for origin in label::take_written() {
        match origin {
            Origin::Table(table) => {
                look_at(table).map_err(|report| report::freeze(&report, None))?;
                follow(table);
            }
            Origin::Schema(schema) => {
                for table in tables_of(schema) {
                    follow_one(table);
                }
            }
        }
    }
    let table = written(utility).map(locks::find).or_else(|| moved(utility));
    if let Some(table) = table.filter(|table| *table != pg_sys::InvalidOid) {
        follow(table);
    }
    Ok(())
}

/// The table that a command names.
fn written(utility: Node) -> Option<Node<pg_sys::RangeVar>> {
    if let Some(create) = utility.as_a::<pg_sys::CreateStmt>() {
        return create.relation();
    }
    if let Some(create) = utility.as_a::<pg_sys::CreateTableAsStmt>() {
        return create.into()?.rel();
    }
    if let Some(alter) = utility.as_a::<pg_sys::AlterTableStmt>() {
        return alter.relation();
    }
    None
}

/// The table that a command has moved to another schema.
fn moved(utility: Node) -> Option<pg_sys::Oid> {
    let moved = utility.as_a::<pg_sys::AlterObjectSchemaStmt>()?;
    let relation = moved.relation()?;
    Some(relations::in_schema(moved.newschema, relation.relname))
}

/// A table, and what is below it.
pub fn follow(table: pg_sys::Oid) {
    if relations::kind(table) == pg_sys::RELKIND_PARTITIONED_TABLE {
        inheritance::members(table).into_iter().for_each(follow_one);
    } else {
        follow_one(table);
    }
}

/// Every table of the database.
pub fn follow_all() {
    for schema in inheritance::schemas() {
        tables_of(schema).into_iter().for_each(follow_one);
    }
}

fn tables_of(schema: pg_sys::Oid) -> Vec<pg_sys::Oid> {
    let mut tables = inheritance::tables_of_schema(schema);
    tables.extend(inheritance::partitioned_tables_of_schema(schema));
    tables.sort_unstable_by_key(|table| table.to_u32());
    tables
}

/// What a table's triggers have to become.
#[derive(Clone, Copy)]
enum Change {
    Make,
    Remake,
    Drop,
}

fn change_of(table: pg_sys::Oid) -> Option<Change> {
    let is_table =
        matches!(relations::kind(table), pg_sys::RELKIND_RELATION | pg_sys::RELKIND_PARTITIONED_TABLE);
    if !is_table || relations::is_exempt(table) || !store::is_there() {
        return None;
    }
    let has_some = !trigger::own(table, PREFIX).is_empty();
    if policy::of(table).effective().keep.is_off() {
        has_some.then_some(Change::Drop)
    } else if trigger::own_that_fire(table, PREFIX, true) < TRIGGERS.len() {
        Some(if has_some { Change::Remake } else { Change::Make })
    } else {
        None
    }
}

fn follow_one(table: pg_sys::Oid) {
    match change_of(table) {
        None => return,
        Some(Change::Make) => locks::lock_as_create_trigger(table),
        Some(Change::Remake | Change::Drop) => locks::lock_exclusively(table),
    }
    // Others may have changed or dropped it meanwhile.
    let Some(change) = change_of(table) else { return };
    if !matches!(change, Change::Make) {
        trigger::own(table, PREFIX).into_iter().for_each(trigger::drop);
    }
    if matches!(change, Change::Drop) {
        return;
    }
    let name = relations::qualified_name(table);
    for (event, when, transitions) in TRIGGERS {
        let prefix = PREFIX.to_str().unwrap_or_default();
        trigger::create_internal(
            table,
            &format!(
                "CREATE TRIGGER \"{prefix}{event}\" {when} ON {name} {transitions} FOR EACH STATEMENT EXECUTE \
                 FUNCTION safedelete.keep_rows()"
            ),
        );
    }
}

/// Whether rows of a table that a policy names can be kept, and what its owner should know.
fn look_at(table: pg_sys::Oid) -> Result<(), Report> {
    let object = Origin::Table(table).object();
    if !label::read(Origin::Table(table)).is_some_and(|policy| policy.keeps()) {
        return Ok(());
    }
    if !store::is_there() {
        let why = "The extension is not in this database, or not updated: CREATE EXTENSION safedelete; or ALTER \
            EXTENSION safedelete UPDATE;";
        return Err(keep::not_here(&object, why));
    }
    if relations::kind(table) == pg_sys::RELKIND_FOREIGN_TABLE {
        return Err(keep::not_here(&object, "They are another server's."));
    }
    let members = inheritance::members(table);
    if members.iter().any(|member| relations::kind(*member) == pg_sys::RELKIND_FOREIGN_TABLE) {
        return Err(keep::not_here(&object, "It has a foreign table as a partition."));
    }
    if relations::kind(table) != pg_sys::RELKIND_PARTITIONED_TABLE && members.len() > 1 {
        return Err(keep::not_here(
            &object,
            "It has children by inheritance, and PostgreSQL tells of a child's rows without the child's own columns.",
        ));
    }
    if !relations::has_primary_key(table) {
        // A dump writes the label before the key.
        report::notice(
            &keep::warning(
                format!("{object} has no primary key, so what an UPDATE changes there cannot be given back"),
                "Its deleted rows can.",
                "Give it a primary key.",
            ),
            table,
        );
    }
    if relations::all_tables_are_published() {
        report::warn(
            &keep::warning(
                "kept rows are published to subscribers, too".to_owned(),
                "A publication FOR ALL TABLES takes in safedelete.kept_writes and safedelete.kept_data, and a \
                 subscriber that has no such tables stops.",
                "Keep them unlogged, which no publication takes in, and which a crash empties: SELECT \
                 safedelete.keep_unlogged(true);",
            ),
            Some(table),
        );
    }
    Ok(())
}
