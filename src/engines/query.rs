//! The query that counts what a write is going to select, of the write's own Query: the same tables and conditions,
//! and each row of the target once. It is run through the engine, which plans it as it plans the write.

use core::ffi::c_char;

use crate::pg::nodes::{self, Kind, Node, Nodes, Walk, expressions, walk};
use crate::pg::{compat, pg_sys, relations, text};

type Query<'t> = Node<'t, pg_sys::Query>;

/// Which of the rows that a write selects are counted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Rows {
    All,
    /// Those whose version the transaction has made, on the node where they are.
    Made,
}

/// Whether a row's version, whose `xmin` is called `made`, is one of the running transaction's: no other's is seen
/// while it is in progress. A subtransaction's number is higher than its transaction's.
const IS_MADE: &str = "CASE WHEN pg_catalog.pg_current_xact_id_if_assigned() IS NULL THEN false \
    WHEN pg_catalog.age(made) OPERATOR(pg_catalog.>) \
      pg_catalog.age(pg_catalog.pg_current_xact_id_if_assigned()::pg_catalog.xid) THEN false \
    ELSE pg_catalog.pg_xact_status(((pg_catalog.pg_current_xact_id_if_assigned()::pg_catalog.text::pg_catalog.int8 \
      OPERATOR(pg_catalog.&) -4294967296) OPERATOR(pg_catalog.+) made::pg_catalog.text::pg_catalog.int8\
      )::pg_catalog.text::pg_catalog.xid8) OPERATOR(pg_catalog.=) 'in progress' END";

/// The text of the query that counts; NULL where a statement cannot be counted before it runs.
/// `beside` has the CTEs that it may name (`beside`).
pub fn counting(query: Query, rows: Rows, beside: &str) -> *const c_char {
    let Some(inner) = selecting(query, |action| action != pg_sys::CmdType::CMD_NOTHING) else {
        return std::ptr::null();
    };
    let condition = if rows == Rows::Made {
        let Some(entry) = target_of(inner) else { return std::ptr::null() };
        let number = pg_sys::MinTransactionIdAttributeNumber as pg_sys::AttrNumber;
        let version = expressions::variable(entry.relid, inner.resultRelation, number);
        set_columns(inner, [(version, "made".to_owned())]);
        format!(" WHERE {IS_MADE}")
    } else {
        String::new()
    };
    let text = format!("{beside}SELECT pg_catalog.count(*) FROM ({}) counted{condition}", finished(inner));
    text::to_server(&text).as_ptr()
}

/// The text of a query of what these columns hold in the rows that a statement deletes or, where `updates`, changes:
/// `c1` of column 1, and `n1` of what it becomes. NULL where no query can tell.
pub fn columns(query: Query, columns: &[i16], updates: bool, beside: &str) -> *const c_char {
    let of = if updates { pg_sys::CmdType::CMD_UPDATE } else { pg_sys::CmdType::CMD_DELETE };
    let sets: Vec<_> = query.targetList().iter().collect();
    // What an UPDATE that joins makes of a column is not to be had where its target is.
    let is_alone = updates && query.commandType == pg_sys::CmdType::CMD_UPDATE && !is_joined(query);
    let Some(inner) = selecting(query, |action| action == of) else { return std::ptr::null() };
    let Some(entry) = target_of(inner) else { return std::ptr::null() };
    let mut given = Vec::new();
    for column in columns {
        let held = expressions::variable(entry.relid, inner.resultRelation, *column);
        given.push((held, format!("c{column}")));
        if updates {
            let set = sets.iter().find(|entry| entry.resno == *column).and_then(|entry| entry.expr());
            let new = match set {
                Some(set) if is_alone => set.copy(),
                Some(_) => expressions::null_of(entry.relid, *column),
                None => held,
            };
            given.push((new, format!("n{column}")));
        }
    }
    set_columns(inner, given);
    text::to_server(&format!("{beside}{}", finished(inner))).as_ptr()
}

/// SELECT true of the rows that a statement writes by such actions, each once, of which the target is `resultRelation`
/// still; `None` where no query can tell.
fn selecting<'t>(query: Query<'t>, writes: impl Fn(pg_sys::CmdType::Type) -> bool) -> Option<Query<'t>> {
    // A CTE that writes would write once more.
    if query.hasModifyingCTE {
        return None;
    }
    let copy = query.any().copy().as_a::<pg_sys::Query>()?;
    let inner = match query.commandType {
        pg_sys::CmdType::CMD_DELETE | pg_sys::CmdType::CMD_UPDATE if !writes(query.commandType) => {
            return None;
        }
        pg_sys::CmdType::CMD_DELETE | pg_sys::CmdType::CMD_UPDATE if !is_joined(copy) => copy,
        pg_sys::CmdType::CMD_DELETE | pg_sys::CmdType::CMD_UPDATE => {
            let (others, condition) = (others(copy), copy.condition());
            exists(copy, others, condition)?
        }
        pg_sys::CmdType::CMD_MERGE => merged(copy, writes)?,
        _ => return None,
    };
    make_select(inner);
    Some(inner)
}

/// The text of what `selecting` gave.
fn finished(query: Query) -> String {
    let target = target_of(query);
    // SAFETY: a Query of our own; its target is an entry of its range table.
    unsafe {
        if let Some(target) = target {
            (*target.as_ptr()).inFromCl = true;
        }
        (*query.as_ptr()).resultRelation = 0;
    }
    deparsed(query).trim_end_matches(';').to_owned()
}

/// The CTEs of a statement that one of them which writes may name, as they stand before a query; those that write are
/// not among them.
pub fn beside(whole: Query) -> String {
    let define = |cte: Node<pg_sys::CommonTableExpr>| {
        let query = cte.ctequery()?.as_a::<pg_sys::Query>()?;
        if query.commandType != pg_sys::CmdType::CMD_SELECT {
            return None;
        }
        let name = text::from_server(cte.ctename()?);
        let columns = cte.ctecolnames().iter().filter_map(|column| column.sval());
        let columns: Vec<_> =
            columns.map(|column| relations::quoted_name(&text::from_server(column))).collect();
        let text = deparsed(query.any().copy().as_a()?);
        Some(format!("{} ({}) AS ({text})", relations::quoted_name(&name), columns.join(", ")))
    };
    let all: Vec<_> = whole.cteList().iter().filter_map(define).collect();
    let recursive = if whole.hasRecursive { "RECURSIVE " } else { "" };
    if all.is_empty() { String::new() } else { format!("WITH {recursive}{} ", all.join(", ")) }
}

/// The text of the query that counts the rows of a table whose versions the transaction has made.
pub fn counting_made(table: pg_sys::Oid) -> String {
    let table = relations::qualified_name(table);
    format!("SELECT pg_catalog.count(*) FROM (SELECT t.xmin AS made FROM {table} t) counted WHERE {IS_MADE}")
}

fn target_of(query: Query) -> Option<Node<pg_sys::RangeTblEntry>> {
    query.rtable().number(query.resultRelation as u32)
}

/// A query's text, in which every name is found whatever the search path.
fn deparsed(query: Query) -> String {
    crate::pg::settings::with_empty_search_path(|| {
        // SAFETY: a Query; gives a palloc'd text, NUL-terminated.
        text::from_server(unsafe {
            core::ffi::CStr::from_ptr(pg_sys::pg_get_querydef(query.as_ptr(), false))
        })
    })
}

/// Whether a statement names other relations beside its target (USING, FROM).
fn is_joined(query: Query) -> bool {
    let Some(tree) = query.jointree() else { return false };
    let from = tree.fromlist();
    from.len() != 1 || !from.iter().all(|item| is_reference_to(item, query.resultRelation))
}

fn is_reference_to(item: Node, index: i32) -> bool {
    item.as_a::<pg_sys::RangeTblRef>().is_some_and(|reference| reference.rtindex == index)
}

/// What a statement joins its target with.
fn others<'t>(query: Query<'t>) -> Nodes<'t> {
    let Some(tree) = query.jointree() else { return Nodes::from_iter([]) };
    tree.fromlist().iter().filter(|item| !is_reference_to(*item, query.resultRelation)).collect()
}

/// MERGE's rows that it updates or deletes: those of which, with some row of the source, the first action whose
/// condition holds is one that does.
fn merged<'t>(query: Query<'t>, counts: impl Fn(pg_sys::CmdType::Type) -> bool) -> Option<Query<'t>> {
    let mut before: Vec<Node<'t>> = Vec::new();
    let mut writes: Vec<Node<'t>> = Vec::new();
    for action in query.mergeActionList().iter() {
        if compat::not_matched_by_source(action) {
            return None;
        }
        if !compat::is_matched(action) {
            continue;
        }
        if counts(action.commandType) {
            let own = before.iter().copied().chain(action.qual());
            writes.push(all_of(own.map(Node::copy)));
        }
        match action.qual() {
            Some(qual) => {
                before.push(expressions::boolean_test(qual.copy(), pg_sys::BoolTestType::IS_NOT_TRUE))
            }
            None => break,
        }
    }
    if writes.is_empty() {
        return None;
    }
    let any = match writes.len() {
        1 => writes[0],
        _ => expressions::boolean(pg_sys::BoolExprType::OR_EXPR, writes.into_iter().collect()),
    };
    let conditions = [compat::merge_condition(query), compat::merge_view_condition(query), Some(any)];
    let condition = all_of(conditions.into_iter().flatten().map(Node::copy));
    exists(query, others(query), Some(condition))
}

fn all_of<'t>(conditions: impl Iterator<Item = Node<'t>>) -> Node<'t> {
    let conditions: Vec<_> = conditions.collect();
    match conditions.as_slice() {
        [] => expressions::constant_condition(Some(true)),
        [one] => *one,
        _ => expressions::boolean(pg_sys::BoolExprType::AND_EXPR, conditions.into_iter().collect()),
    }
}

/// `target WHERE EXISTS (others WHERE condition)`, of a Query that is ours to change. What it names stays in the inner
/// query, where the target is the outer one's.
fn exists<'t>(query: Query<'t>, others: Nodes<'t>, condition: Option<Node<'t>>) -> Option<Query<'t>> {
    let target = target_of(query)?;
    let place = query.resultRelation;
    let outer = nodes::make::<pg_sys::Query>();
    // SAFETY: nodes that are made here, of parts of a Query that is ours.
    unsafe {
        (*outer).commandType = pg_sys::CmdType::CMD_SELECT;
        (*outer).canSetTag = true;
        (*outer).hasSubLinks = true;
        (*outer).resultRelation = 1;
        let entry = target.any().copy().as_a::<pg_sys::RangeTblEntry>()?;
        compat::forget_permissions(entry);
        (*outer).rtable = Nodes::from_iter([entry.any()]).as_ptr();

        let inner = query.as_ptr();
        (*inner).hasSubLinks = true;
        let tree = nodes::make::<pg_sys::FromExpr>();
        (*tree).fromlist = others.as_ptr();
        (*tree).quals = condition.map_or(std::ptr::null_mut(), Node::as_ptr);
        (*inner).jointree = tree;
        make_select(query);
        (*inner).resultRelation = 0;
        compat::forget_merge(query);
        move_target_out(query, place);

        let link = nodes::make::<pg_sys::SubLink>();
        (*link).subLinkType = pg_sys::SubLinkType::EXISTS_SUBLINK;
        (*link).subselect = inner.cast();
        (*link).location = -1;
        let reference = nodes::make::<pg_sys::RangeTblRef>();
        (*reference).rtindex = 1;
        let tree = nodes::make::<pg_sys::FromExpr>();
        (*tree).fromlist = pg_sys::lappend(std::ptr::null_mut(), reference.cast());
        (*tree).quals = link.cast();
        (*outer).jointree = tree;
        Node::of(outer)
    }
}

/// What names the target names a query further out, whose first entry it is.
fn move_target_out(query: Query, place: i32) {
    struct Visitor {
        place: i32,
        depth: u32,
    }
    impl<'t> nodes::Visitor<'t> for Visitor {
        fn enter(&mut self, node: Node<'t>) -> Walk {
            match node.kind() {
                Kind::Query(_) => self.depth += 1,
                Kind::Var(var) if var.varno == self.place && var.varlevelsup + 1 == self.depth => {
                    // SAFETY: a Var of a Query that is ours.
                    unsafe {
                        let var = var.as_ptr();
                        (*var).varno = 1;
                        // Deparsing goes by this one.
                        if (*var).varnosyn > 0 {
                            (*var).varnosyn = 1;
                        }
                        (*var).varlevelsup += 1;
                    }
                }
                _ => {}
            }
            Walk::Into
        }

        fn leave(&mut self, node: Node<'t>) {
            if node.is_a::<pg_sys::Query>() {
                self.depth -= 1;
            }
        }
    }
    walk(query.any(), &mut Visitor { place, depth: 0 });
}

/// Makes SELECT true of a Query that is ours to change, of its tables and conditions.
fn make_select(query: Query) {
    // SAFETY: as the caller says; an integer constant by value.
    unsafe {
        let raw = query.as_ptr();
        (*raw).commandType = pg_sys::CmdType::CMD_SELECT;
        (*raw).returningList = std::ptr::null_mut();
        (*raw).mergeActionList = std::ptr::null_mut();
    }
    set_columns(query, [(expressions::constant_condition(Some(true)), "one".to_owned())]);
}

/// Has a SELECT give these expressions, by these names.
fn set_columns<'t>(query: Query<'t>, columns: impl IntoIterator<Item = (Node<'t>, String)>) {
    let named = |(at, (expression, name)): (usize, (Node<'t>, String))| {
        expressions::named_entry(expression, at as i16 + 1, &name).any()
    };
    let entries: Nodes = columns.into_iter().enumerate().map(named).collect();
    // SAFETY: a Query that is ours to change.
    unsafe { (*query.as_ptr()).targetList = entries.as_ptr() };
}
