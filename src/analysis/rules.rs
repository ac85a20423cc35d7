//! What rewrite rules add to a statement, which is not its own WHERE. A conditional INSTEAD rule adds
//! the inverse of its condition to the statement that it leaves (AddInvertedQual). A rule's action gets
//! the rule's condition and then the statement's (rewriteRuleAction): an action that a DELETE or UPDATE
//! fired has to be restricted by what that statement says of its own target. What an INSERT fires is a
//! statement of the rule's author, like a trigger's. The conditions of views and of row security count.

use core::ffi::CStr;

use crate::pg::pg_sys;
use pgrx::pg_sys::NodeTag;

use super::{Place, Way};
use crate::pg::{compat, frame, nodes};

/// A rule, as far as this room reads it; copies in the current memory context.
struct Rule {
    event: pg_sys::CmdType::Type,
    instead: bool,
    condition: *mut pg_sys::Node,
    actions: Vec<*mut pg_sys::Query>,
}

/// The rules of a relation on INSERT, UPDATE and DELETE that are not disabled.
fn rules_of(relation: pg_sys::Oid) -> Vec<Rule> {
    // SAFETY: the relation is open while its rules are copied.
    unsafe {
        let opened = pg_sys::try_relation_open(relation, pg_sys::AccessShareLock as i32);
        if opened.is_null() {
            return Vec::new();
        }
        let mut rules = Vec::new();
        let all = (*opened).rd_rules;
        let count = if all.is_null() { 0 } else { (*all).numLocks as usize };
        for i in 0..count {
            let rule = &**(*all).rules.add(i);
            if rule.event != pg_sys::CmdType::CMD_SELECT && rule.enabled as u8 != b'D' {
                let actions = pg_sys::copyObjectImpl(rule.actions.cast()).cast();
                rules.push(Rule {
                    event: rule.event,
                    instead: rule.isInstead,
                    condition: pg_sys::copyObjectImpl(rule.qual.cast()).cast(),
                    actions: nodes::items(actions).collect(),
                });
            }
        }
        pg_sys::relation_close(opened, pg_sys::AccessShareLock as i32);
        rules
    }
}

/// A condition without what the conditional INSTEAD rules of its target added at its end.
///
/// # Safety
/// `query` is a DELETE or UPDATE whose condition calls its target `place`.
pub unsafe fn without_added(
    query: *mut pg_sys::Query,
    place: Place,
    condition: *mut pg_sys::Node,
) -> *mut pg_sys::Node {
    let mut rest = condition;
    // SAFETY: a Query.
    let command = unsafe { (*query).commandType };
    for rule in rules_of(place.relation).into_iter().rev() {
        if rule.event != command || !rule.instead || rule.condition.is_null() {
            continue;
        }
        // SAFETY: as above.
        let inverse = unsafe { inverse(rule.condition, query, place.index) };
        rest = match last_arm(rest) {
            Some((before, last)) if is_same(last, inverse) => before,
            _ if is_same(rest, inverse) => std::ptr::null_mut(),
            _ => rest,
        };
    }
    rest
}

/// What AddInvertedQual adds for a rule's condition, as CopyAndAddInvertedQual makes it.
///
/// # Safety
/// `condition` is a copy of a rule's condition on what `query` does.
unsafe fn inverse(condition: *mut pg_sys::Node, query: *mut pg_sys::Query, index: i32) -> *mut pg_sys::Node {
    // SAFETY: by contract; makes nodes in the current memory context.
    unsafe {
        pg_sys::ChangeVarNodes(condition, pg_sys::PRS2_OLD_VARNO as i32, index, 0);
        let mut argument = condition;
        if (*query).commandType == pg_sys::CmdType::CMD_UPDATE {
            argument = frame::call(|| {
                #[allow(ffi_unwind_calls, reason = "inside frame::call; the closure owns nothing")]
                compat::replace_new(condition, query, index)
            });
        }
        let test = pg_sys::palloc0(size_of::<pg_sys::BooleanTest>()).cast::<pg_sys::BooleanTest>();
        (*test).xpr.type_ = NodeTag::T_BooleanTest;
        (*test).arg = argument.cast();
        (*test).booltesttype = pg_sys::BoolTestType::IS_NOT_TRUE;
        (*test).location = -1;
        test.cast()
    }
}

/// For a rule's action that a DELETE or UPDATE fired, what that statement says of its own target.
///
/// # Safety
/// `query` is a DELETE or UPDATE, `condition` its own, without what rules of its target added.
pub unsafe fn of_the_statement(query: *mut pg_sys::Query, condition: *mut pg_sys::Node) -> Option<Way> {
    // SAFETY: a Query and its range table.
    unsafe {
        let table: Vec<_> = nodes::items::<pg_sys::RangeTblEntry>((*query).rtable).collect();
        let mut rest = condition;
        let mut fired = None;
        let mut action = (*query).resultRelation;
        let mut command = (*query).commandType;
        // The action's range table follows that of the statement which fired it, and begins with OLD and
        // NEW. The innermost rule comes last.
        let mut end = table.len();
        while let Some(old) = (1..end).rev().map(|i| i - 1).find(|i| is_old(table[*i], table[*i + 1])) {
            let written = (0..old).rev().find_map(|i| {
                let event = event(query, table[i]);
                event.map(|event| (i, event))
            });
            let Some((index, event)) = written else { break };
            if event == pg_sys::CmdType::CMD_INSERT {
                break;
            }
            let index = index as i32 + 1;
            rest = statement_part(&table, old, index, event, command, action, rest)?;
            fired = Some((index, (*table[old]).relid));
            (action, command, end) = (index, event, old);
        }
        let (index, relation) = fired?;
        let entry = table[index as usize - 1];
        if nodes::tag((*entry).subquery) == NodeTag::T_Query
            && !(*(*(*entry).subquery).jointree).quals.is_null()
        {
            // A view's own WHERE restricts what the statement reaches.
            return None;
        }
        let mut conditions: Vec<_> = nodes::items::<pg_sys::Node>((*entry).securityQuals).collect();
        conditions.extend(Some(rest).filter(|rest| !rest.is_null()));
        let place = Place { relation, only: !(*entry).inh, index };
        Some(Way { of: Some(place), conditions, negated_first: false })
    }
}

/// Whether two entries are those of OLD and NEW at the start of a rule's action.
///
/// # Safety
/// Range table entries.
unsafe fn is_old(old: *mut pg_sys::RangeTblEntry, new: *mut pg_sys::RangeTblEntry) -> bool {
    // SAFETY: by contract; eref is always there.
    unsafe {
        let is = |entry: *mut pg_sys::RangeTblEntry, name: &CStr| {
            CStr::from_ptr((*(*entry).eref).aliasname) == name
        };
        (*old).relid == (*new).relid
            && (*old).relid != pg_sys::InvalidOid
            && is(old, c"old")
            && is(new, c"new")
    }
}

/// What the statement does to an entry that it writes, as the permissions tell that it needs.
///
/// # Safety
/// `entry` is of the query's range table.
unsafe fn event(
    query: *mut pg_sys::Query,
    entry: *mut pg_sys::RangeTblEntry,
) -> Option<pg_sys::CmdType::Type> {
    // SAFETY: by contract.
    let needed = unsafe { compat::required_permissions(query, entry) };
    // An upsert needs both INSERT and UPDATE.
    [
        (pg_sys::ACL_INSERT, pg_sys::CmdType::CMD_INSERT),
        (pg_sys::ACL_DELETE, pg_sys::CmdType::CMD_DELETE),
        (pg_sys::ACL_UPDATE, pg_sys::CmdType::CMD_UPDATE),
    ]
    .into_iter()
    .find(|(permission, _)| needed & u64::from(*permission) != 0)
    .map(|(_, event)| event)
}

/// The part of an action's condition that is the statement's: NULL where it has none; `None` where no
/// rule is found that made the action.
///
/// # Safety
/// `table[old]` is the entry of OLD, `index` the statement's target, `action` the action's.
unsafe fn statement_part(
    table: &[*mut pg_sys::RangeTblEntry],
    old: usize,
    index: i32,
    event: pg_sys::CmdType::Type,
    command: pg_sys::CmdType::Type,
    action: i32,
    condition: *mut pg_sys::Node,
) -> Option<*mut pg_sys::Node> {
    let mut by_depth = None;
    // SAFETY: by contract; rules_of gives copies.
    unsafe {
        for rule in rules_of((*table[old]).relid).into_iter().filter(|rule| rule.event == event) {
            for made in &rule.actions {
                let target = (**made).resultRelation;
                if (**made).commandType != command || target == 0 {
                    continue;
                }
                let target = target + old as i32;
                // An action on a view was made one on the table below, which has the view's conditions.
                let Some(mut condition) = without_views(table, target, action, condition) else { continue };
                let own = pg_sys::make_and_qual((*(**made).jointree).quals, rule.condition);
                if own.is_null() {
                    return Some(condition);
                }
                let own = pg_sys::copyObjectImpl(own.cast()).cast::<pg_sys::Node>();
                pg_sys::OffsetVarNodes(own, old as i32, 0);
                pg_sys::ChangeVarNodes(own, old as i32 + pg_sys::PRS2_OLD_VARNO as i32, index, 0);
                match last_arm(condition) {
                    _ if is_same(condition, own) => return Some(std::ptr::null_mut()),
                    Some((before, last)) if is_same(before, own) => return Some(last),
                    _ => {}
                }
                // What UPDATE sets stands for NEW: then the form tells, as ANDs nest to the left.
                if and_depth(condition) > and_depth(own) {
                    condition = last_arm(condition).map_or(condition, |(_, last)| last);
                    by_depth.get_or_insert(condition);
                } else {
                    by_depth.get_or_insert(std::ptr::null_mut());
                }
            }
        }
    }
    by_depth
}

/// A condition without those of the views between what an action named and what it came to write, at
/// its end; `None` where the one does not lead to the other.
///
/// # Safety
/// Range table indexes of `table`.
unsafe fn without_views(
    table: &[*mut pg_sys::RangeTblEntry],
    named: i32,
    written: i32,
    condition: *mut pg_sys::Node,
) -> Option<*mut pg_sys::Node> {
    if named == written {
        return Some(condition);
    }
    let mut rest = condition;
    // SAFETY: by contract; a view is open while it is read.
    unsafe {
        let goal = (*table.get(written as usize - 1).copied()?).relid;
        let mut relation = (**table.get(named as usize - 1)?).relid;
        while relation != goal {
            let opened = pg_sys::try_relation_open(relation, pg_sys::AccessShareLock as i32);
            if opened.is_null() {
                return None;
            }
            let is_view = (*(*opened).rd_rel).relkind as u8 == pg_sys::RELKIND_VIEW;
            let query = if is_view { pg_sys::get_view_query(opened) } else { std::ptr::null_mut() };
            let mut next = None;
            if !query.is_null() {
                let base = nodes::items::<pg_sys::RangeTblRef>((*(*query).jointree).fromlist).next();
                let base =
                    base.and_then(|base| nodes::range_table_entry((*query).rtable, (*base).rtindex as u32));
                next = base.map(|base| ((*base).relid, !(*(*query).jointree).quals.is_null()));
            }
            let options = (*opened).rd_options.cast::<pg_sys::ViewOptions>();
            let barrier = is_view && !options.is_null() && (*options).security_barrier;
            pg_sys::relation_close(opened, pg_sys::AccessShareLock as i32);
            let (below, has_condition) = next?;
            if has_condition && !barrier {
                rest = match last_arm(rest) {
                    Some((before, _)) => before,
                    None => std::ptr::null_mut(),
                };
            }
            relation = below;
        }
    }
    Some(rest)
}

/// The two arms of an AND as make_and_qual makes one.
fn last_arm(condition: *mut pg_sys::Node) -> Option<(*mut pg_sys::Node, *mut pg_sys::Node)> {
    let arms = and_arms(condition)?;
    if nodes::length(arms) != 2 {
        return None;
    }
    let mut arms = nodes::items(arms);
    Some((arms.next()?, arms.next()?))
}

fn and_arms(condition: *mut pg_sys::Node) -> Option<*mut pg_sys::List> {
    let and = nodes::cast::<pg_sys::BoolExpr, _>(condition, NodeTag::T_BoolExpr)?;
    // SAFETY: the tag says BoolExpr.
    unsafe { ((*and).boolop == pg_sys::BoolExprType::AND_EXPR).then_some((*and).args) }
}

/// How many ANDs stand in each other at the left.
fn and_depth(mut condition: *mut pg_sys::Node) -> usize {
    let mut depth = 0;
    while let Some(arms) = and_arms(condition) {
        depth += 1;
        condition = nodes::items(arms).next().unwrap_or(std::ptr::null_mut());
    }
    depth
}

fn is_same(one: *mut pg_sys::Node, other: *mut pg_sys::Node) -> bool {
    // SAFETY: nodes or NULL.
    !one.is_null() && unsafe { pg_sys::equal(one.cast(), other.cast()) }
}
