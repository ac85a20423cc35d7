//! DROP, in all its forms. PostgreSQL tells of each relation when all that goes is locked and every
//! dependency looked at: parts before the whole.

use std::rc::Rc;

use crate::pg::pg_sys;
use safedelete_core::command::Command;
use safedelete_core::limit::Size;

use super::running::{self, Named};
use super::whole;
use crate::guard::beside::Beside;
use crate::pg::nodes::{Kind, Node};
use crate::pg::report::Frozen;
use crate::pg::{count, inheritance, locks, relations};
use crate::{engines, exemption, ledger, levels, policy};

/// A table is about to be dropped.
pub fn accessed(table: pg_sys::Oid) -> Result<(), Frozen> {
    if ledger::is_in_use() && inheritance::is_part(table) {
        ledger::outdate_sizes();
    }
    if !whole::holds_rows(Command::Drop, table) || exemption::of_command() {
        return Ok(());
    }
    let ancestors = inheritance::ancestors(table);
    let counts = |table: pg_sys::Oid| whole::is_counted(Command::Drop, table);
    if !counts(table) && !ancestors.iter().any(|above| counts(*above)) {
        return Ok(());
    }
    let named = named();
    // heap_drop_with_catalog refuses next what is in use, or later what is named and is.
    if named.is_in_use || locks::use_in_this_session(table).is_some() {
        return Ok(());
    }
    if !named.tables.contains(&table) {
        if let Some(whole) = engines::goes_with(table) {
            return judge_part(table, whole);
        }
        if engines::is_hidden_part(table) {
            return Ok(());
        }
    }
    // The table that the statement names counts, with the tree below it, which goes before it.
    let mut is_part = false;
    if !named.tables.contains(&table) {
        for above in ancestors.iter().filter(|above| named.tables.contains(above)) {
            is_part = true;
            judge_tree(*above)?;
        }
    }
    if is_part {
        let in_force = policy::of(table);
        let counts_by_itself = in_force.has_own() && in_force.guards(Command::Drop);
        if !counts_by_itself || !running::with(|running| running.judge(table)) {
            return Ok(());
        }
        return whole::judge(Command::Drop, table, vec![table], beside(table));
    }
    if named.tables.contains(&table) {
        return judge_tree(table);
    }
    judge_alone(table, &ancestors)
}

fn judge_tree(table: pg_sys::Oid) -> Result<(), Frozen> {
    if running::with(|running| running.judge(table)) && whole::is_counted(Command::Drop, table) {
        return match running::with(|running| running.counted.get(&table).copied()) {
            Some(size) => whole::finish(Command::Drop, table, size, beside(table)),
            None => whole::judge(Command::Drop, table, inheritance::members(table), beside(table)),
        };
    }
    Ok(())
}

/// What goes with a table that a DROP names, or a part of it. Of what else goes, a schema's tables say, the hook tells
/// one by one, and some are gone already.
fn beside(table: pg_sys::Oid) -> Beside {
    match named().only {
        Some(only) if only == table || inheritance::ancestors(table).contains(&only) => Beside::none(),
        _ => Beside::Unknown,
    }
}

/// A part goes that an engine drops for itself: its rows are the whole table's.
fn judge_part(part: pg_sys::Oid, of: pg_sys::Oid) -> Result<(), Frozen> {
    if !running::with(|running| running.judge(part)) || !whole::is_counted(Command::Drop, of) {
        return Ok(());
    }
    let packed = engines::packed(part).map(|(_, rows)| rows);
    let rows = packed.unwrap_or_else(|| count::for_texts(vec![part], u64::MAX).rows());
    whole::finish_part(Command::Drop, of, rows)
}

/// A DROP of tables or schemas is about to run. What an engine counts it counts now: when the hook tells of a table,
/// parts of it are gone.
pub fn prepare(drop: Node<pg_sys::DropStmt>) {
    if !engines::may_be_here() || exemption::of_command() {
        return;
    }
    for table in tables(drop) {
        if whole::is_counted(Command::Drop, table)
            && let Some(rows) = engines::count(table, false)
        {
            running::with(|running| running.counted.insert(table, Size::Exact(rows)));
        }
    }
}

/// The tables that a DROP names, and those of schemas that it names.
fn tables(drop: Node<pg_sys::DropStmt>) -> Vec<pg_sys::Oid> {
    let names = drop.objects().iter().map(Node::kind);
    match drop.removeType {
        pg_sys::ObjectType::OBJECT_TABLE => {
            let tables = names.filter_map(|name| match name {
                Kind::List(parts) => Some(locks::find_listed(parts)),
                _ => None,
            });
            tables.filter(|table| *table != pg_sys::InvalidOid).collect()
        }
        pg_sys::ObjectType::OBJECT_SCHEMA => {
            let schemas = names.filter_map(|name| match name {
                Kind::String(name) => relations::schema_of_name(name.sval()?),
                _ => None,
            });
            schemas.flat_map(inheritance::tables_of_schema).collect()
        }
        _ => Vec::new(),
    }
}

/// A table that goes with something else than a table that it is a part of. Whether the tables above it
/// go as well is not known yet, so its rows are noted for them.
fn judge_alone(table: pg_sys::Oid, ancestors: &[pg_sys::Oid]) -> Result<(), Frozen> {
    if !running::with(|running| running.judge(table)) {
        return Ok(());
    }
    let enough = |table: &pg_sys::Oid| whole::enough(Command::Drop, *table);
    let most = ancestors.iter().map(enough).fold(enough(&table), u64::max);
    let counted = running::with(|running| running.counted.get(&table).copied());
    let own = counted.unwrap_or_else(|| whole::count(vec![table], most));
    let size = running::with(|running| {
        for above in ancestors {
            let below = running.dropped.entry(*above).or_insert(Size::Exact(0));
            *below = below.and(own);
        }
        running.dropped.get(&table).map_or(own, |below| own.and(*below))
    });
    if !whole::is_counted(Command::Drop, table) {
        return Ok(());
    }
    whole::finish(Command::Drop, table, size, beside(table))
}

/// What the running DROP names, found when its first table is told of: all are locked then, and none
/// is gone.
fn named() -> Rc<Named> {
    if let Some(named) = running::with(|running| running.named.clone()) {
        return named;
    }
    let mut named = Named::default();
    if let Some(drop) = levels::utility().and_then(|statement| statement.as_a::<pg_sys::DropStmt>()) {
        let found = tables(drop);
        named.only = if let [only] = found[..] { Some(only) } else { None };
        if drop.removeType == pg_sys::ObjectType::OBJECT_TABLE {
            named.is_in_use = any_in_use(found.iter().flat_map(|table| inheritance::members(*table)));
            named.tables.extend(found);
        } else {
            named.is_in_use = any_in_use(found);
        }
    }
    let named = Rc::new(named);
    running::with(|running| running.named = Some(named.clone()));
    named
}

fn any_in_use(tables: impl IntoIterator<Item = pg_sys::Oid>) -> bool {
    tables.into_iter().any(|table| locks::use_in_this_session(table).is_some())
}
