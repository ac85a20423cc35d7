//! What foreign keys write of other tables when a table's rows are written that an engine keeps elsewhere: the keys'
//! triggers fire there, where nobody here sees them. So the rows that refer to those are counted before, by queries
//! that the engine runs as any.

use std::ffi::CStr;

use safedelete_core::command::Command;

use super::running::Setting;
use super::{query, running};
use crate::pg::nodes::Node;
use crate::pg::write::Write;
use crate::pg::{pg_sys, relations, roles, settings, spi, text};

/// A foreign key that goes on to the rows that refer.
struct Reference {
    /// The table that refers.
    from: pg_sys::Oid,
    /// Its rows go; else they change.
    deletes: bool,
    /// The columns of the other table that it refers to, and its own that refer.
    to: Vec<i16>,
    by: Vec<i16>,
    /// Whether a row `t` of the one refers to a row `a` of the other, of which `c1` is column 1.
    refers: String,
    /// Whether `t`, of the other table itself, is the row `a`.
    is_itself: String,
}

/// So many rows of a table go with a write of another, or change.
pub struct Reached {
    pub write: Write,
    pub rows: u64,
}

/// Keys are followed no further.
const DEEPEST: usize = 16;

/// The keys that refer to a table and go on to what refers, when its rows go or when what they refer to changes. A key
/// that was made for a partition of the table that refers goes with the whole's.
fn to(table: pg_sys::Oid, deletes: bool) -> Vec<Reference> {
    if !relations::has_cascades(table, deletes) {
        return Vec::new();
    }
    let action = if deletes { "confdeltype" } else { "confupdtype" };
    let query = format!(
        "SELECT unnest(ARRAY[k.conrelid::oid::text, ({deletes} AND k.{action} = 'c')::text, \
           array_to_string(k.confkey, ' '), array_to_string(k.conkey, ' '), \
           string_agg(format('a.c%s OPERATOR(%I.%s) t.%I', k.confkey[i], n.nspname, o.oprname, c.attname), ' AND '), \
           string_agg(format('a.c%s OPERATOR(%I.%s) t.%I', k.confkey[i], s.nspname, p.oprname, r.attname), ' AND ')]) \
         FROM pg_catalog.pg_constraint k CROSS JOIN generate_subscripts(k.conkey, 1) i \
         JOIN pg_catalog.pg_operator o ON o.oid = k.conpfeqop[i] \
         JOIN pg_catalog.pg_namespace n ON n.oid = o.oprnamespace \
         JOIN pg_catalog.pg_operator p ON p.oid = k.conppeqop[i] \
         JOIN pg_catalog.pg_namespace s ON s.oid = p.oprnamespace \
         JOIN pg_catalog.pg_attribute c ON c.attrelid = k.conrelid AND c.attnum = k.conkey[i] \
         JOIN pg_catalog.pg_attribute r ON r.attrelid = k.confrelid AND r.attnum = k.confkey[i] \
         WHERE k.contype = 'f' AND k.confrelid = {} AND k.{action} IN ('c', 'n', 'd') AND NOT EXISTS \
           (SELECT FROM pg_catalog.pg_constraint w WHERE w.oid = k.conparentid AND w.confrelid = k.confrelid) \
         GROUP BY k.oid, k.conrelid, k.{action}, k.confkey, k.conkey ORDER BY k.oid",
        table.to_u32()
    );
    let found = settings::with_empty_search_path(|| spi::column(text::to_server(&query), true));
    let found: Vec<_> = found.iter().map(|value| text::from_server(value)).collect();
    let numbers = |list: &str| list.split(' ').filter_map(|number| number.parse().ok()).collect();
    let read = |key: &[String]| {
        let [from, deletes, to, by, refers, is_itself] = key else { return None };
        Some(Reference {
            from: from.parse::<u32>().ok()?.into(),
            deletes: deletes == "true",
            to: numbers(to),
            by: numbers(by),
            refers: refers.clone(),
            is_itself: is_itself.clone(),
        })
    };
    found.chunks(6).filter_map(read).collect()
}

/// The columns that keys refer to.
fn columns(keys: &[Reference]) -> Vec<i16> {
    let mut columns: Vec<_> = keys.iter().flat_map(|key| key.to.iter().copied()).collect();
    columns.sort_unstable();
    columns.dedup();
    columns
}

/// Whether rows go by a write, or change; `None` where it is not known here.
fn deletes(query: Node<pg_sys::Query>, write: Write) -> Option<bool> {
    match write.command {
        Command::Delete => Some(true),
        Command::Update => Some(false),
        Command::Merge => {
            let mut actions = query.mergeActionList().iter();
            Some(actions.any(|action| action.commandType == pg_sys::CmdType::CMD_DELETE))
        }
        _ => None,
    }
}

/// The query that gives what foreign keys refer to in the rows that a statement writes; NULL where no key goes on to
/// others, or no query can tell.
pub fn keys(query: Node<pg_sys::Query>, write: Write, beside: &str) -> *const core::ffi::c_char {
    let Some(deletes) = deletes(query, write) else { return std::ptr::null() };
    let mut keys = to(write.relation, deletes);
    if !deletes {
        let sets: Vec<_> = query.targetList().iter().collect();
        keys.retain(|key| key.to.iter().any(|column| sets.iter().any(|entry| entry.resno == *column)));
    }
    if keys.is_empty() { std::ptr::null() } else { query::columns(query, &columns(&keys), !deletes, beside) }
}

/// Rows of a table that go, or change, on the way from key to key.
struct Rows {
    table: pg_sys::Oid,
    goes: bool,
    /// The query of them.
    query: String,
    depth: usize,
}

/// The rows that foreign keys go on to, from those that `keys` gives of the table that a statement writes. What cannot
/// be counted is left out.
pub fn reached(
    write: Write,
    keys: &CStr,
    parameters: pg_sys::ParamListInfo,
    setting: Option<Setting>,
) -> Vec<Reached> {
    let goes = write.command != Command::Update;
    let first = Rows { table: write.relation, goes, query: text::from_server(keys), depth: 0 };
    let mut search = Search { parameters, setting, found: Vec::new(), counted: Vec::new() };
    let mut pending = vec![first];
    while let Some(rows) = pending.pop() {
        for key in to(rows.table, rows.goes) {
            pending.extend(search.follow(&rows, &key));
        }
    }
    search.found
}

struct Search {
    parameters: pg_sys::ParamListInfo,
    setting: Option<Setting>,
    found: Vec<Reached>,
    /// What was counted of each table: a row that two ways lead to is one.
    counted: Vec<(pg_sys::Oid, String)>,
}

impl Search {
    /// Counts what a key leads to; the rows from which it may go on.
    fn follow(&mut self, rows: &Rows, key: &Reference) -> Option<Rows> {
        if rows.depth == 0 && key.from == rows.table {
            // The statement counts its own.
            let own = format!("EXISTS (SELECT FROM ({}) a WHERE {})", rows.query, key.is_itself);
            self.counted.push((key.from, own));
        }
        let changes = rows.depth == 0 && !rows.goes;
        let mut condition = key.condition(&rows.query, changes);
        let mut which = self.which(key, &condition);
        let mut asked = self.count(&which, self.parameters);
        let is_first = self.counted.iter().all(|(table, _)| *table != key.from);
        if asked.is_none() && is_first && !relations::may_count(key.from) {
            // Nothing of the statement's is evaluated as another role.
            condition = key.condition(&self.values(rows, key, changes)?, changes);
            which = self.which(key, &condition);
            let none = std::ptr::null_mut();
            asked = roles::acting_as(relations::owner(key.from), || self.count(&which, none));
        }
        let asked = asked?;
        if asked == 0 {
            return None;
        }
        self.counted.push((key.from, condition));
        let command = if key.deletes { Command::Delete } else { Command::Update };
        self.found.push(Reached { write: Write { command, relation: key.from, only: false }, rows: asked });
        key.next(rows, &which)
    }

    /// Rows of the table that refers, but for those that were counted.
    fn which(&self, key: &Reference, condition: &str) -> String {
        let before = self.counted.iter().filter(|(table, _)| *table == key.from);
        let not_before: String = before.map(|(_, condition)| format!(" AND NOT {condition}")).collect();
        format!("FROM {} t WHERE {condition}{not_before}", relations::qualified_name(key.from))
    }

    fn count(&self, which: &str, parameters: pg_sys::ParamListInfo) -> Option<u64> {
        let count = text::to_server(&format!("SELECT pg_catalog.count(*) {which}"));
        running::try_to_ask(count, parameters, self.setting)
    }

    /// What a query gives, written out.
    fn values(&self, rows: &Rows, key: &Reference, changes: bool) -> Option<String> {
        let names = |prefix| key.to.iter().map(move |column| format!("{prefix}{column}"));
        let names: Vec<_> = names("c").chain(names("n").filter(|_| changes)).collect();
        let type_of = |column: &i16| format!("%L::{}", relations::column_type(rows.table, *column));
        let types: Vec<_> = key.to.iter().chain(key.to.iter().filter(|_| changes)).map(type_of).collect();
        let query = format!(
            "SELECT pg_catalog.string_agg(pg_catalog.format({}, a.{}), ',') FROM ({}) a",
            relations::quoted_literal(&format!("({})", types.join(","))),
            names.join(", a."),
            rows.query
        );
        let values = running::try_to_read(text::to_server(&query), self.parameters, self.setting)?;
        Some(format!("SELECT * FROM (VALUES {values}) v({})", names.join(", ")))
    }
}

impl Reference {
    /// Whether `t` refers to one of the rows that a query gives; `changes` where that tells what they become.
    fn condition(&self, query: &str, changes: bool) -> String {
        let changed: Vec<_> = self.to.iter().map(|c| format!("a.c{c} IS DISTINCT FROM a.n{c}")).collect();
        let changed = if changes { format!(" AND ({})", changed.join(" OR ")) } else { String::new() };
        format!("EXISTS (SELECT FROM ({query}) a WHERE {}{changed})", self.refers)
    }

    /// The rows that this key has led to, on to what refers to them; `None` where nothing does.
    fn next(&self, rows: &Rows, which: &str) -> Option<Rows> {
        let mut next = to(self.from, self.deletes);
        if !self.deletes {
            next.retain(|key| key.to.iter().any(|column| self.by.contains(column)));
        }
        if next.is_empty() || rows.depth == DEEPEST {
            return None;
        }
        let column = |column| {
            format!("t.{} AS c{column}", relations::quoted_name(&relations::column(self.from, column)))
        };
        let columns: Vec<_> = columns(&next).into_iter().map(column).collect();
        let query = format!("SELECT {} {which}", columns.join(", "));
        Some(Rows { table: self.from, goes: self.deletes, query, depth: rows.depth + 1 })
    }
}
