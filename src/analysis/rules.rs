//! What rewrite rules add to a statement, which is not its own WHERE. A conditional INSTEAD rule adds
//! the inverse of its condition to the statement that it leaves (AddInvertedQual). A rule's action gets
//! the rule's condition and then the statement's (rewriteRuleAction): an action that a DELETE or UPDATE
//! fired has to be restricted by what that statement says of its own target. What an INSERT fires is a
//! statement of the rule's author, like a trigger's. The conditions of views and of row security count.

use core::ffi::CStr;

use super::target::Place;
use super::way::Way;
use crate::pg::nodes::{Node, Nodes, expressions};
use crate::pg::relcache::Opened;
use crate::pg::{compat, pg_sys};

type Query<'t> = Node<'t, pg_sys::Query>;
type Entry<'t> = Node<'t, pg_sys::RangeTblEntry>;

/// A rule, as far as this room reads it; copies in the current memory context.
struct Rule<'t> {
    event: pg_sys::CmdType::Type,
    instead: bool,
    condition: Option<Node<'t>>,
    actions: Nodes<'t, pg_sys::Query>,
}

/// The rules of a relation on INSERT, UPDATE and DELETE that are not disabled.
fn rules_of<'t>(relation: pg_sys::Oid) -> Vec<Rule<'t>> {
    let Some(opened) = Opened::shared(relation) else { return Vec::new() };
    let rules =
        opened.rules().filter(|rule| rule.event() != pg_sys::CmdType::CMD_SELECT && !rule.is_disabled());
    rules
        .map(|rule| Rule {
            event: rule.event(),
            instead: rule.is_instead(),
            condition: rule.condition(),
            actions: rule.actions(),
        })
        .collect()
}

/// The condition of a DELETE or UPDATE that calls its target `place`, without what the conditional INSTEAD rules
/// of its target added at its end.
pub fn without_added<'t>(query: Query<'t>, place: Place, condition: Option<Node<'t>>) -> Option<Node<'t>> {
    let mut rest = condition;
    for rule in rules_of(place.relation).into_iter().rev() {
        let Some(added) = rule.condition.filter(|_| rule.event == query.commandType && rule.instead) else {
            continue;
        };
        let inverse = inverse(added, query, place.index);
        rest = match rest.and_then(last_arm) {
            Some((before, last)) if last.equals(inverse) => Some(before),
            _ => rest.filter(|rest| !rest.equals(inverse)),
        };
    }
    rest
}

/// What AddInvertedQual adds for a copy of the condition of a rule on what `query` does, as
/// CopyAndAddInvertedQual makes it.
fn inverse<'t>(condition: Node<'t>, query: Query<'t>, index: i32) -> Node<'t> {
    condition.change_vars(pg_sys::PRS2_OLD_VARNO as i32, index);
    let argument = if query.commandType == pg_sys::CmdType::CMD_UPDATE {
        compat::replace_new(condition, query, index)
    } else {
        condition
    };
    expressions::boolean_test(argument, pg_sys::BoolTestType::IS_NOT_TRUE)
}

/// For a rule's action (a DELETE or UPDATE) that a DELETE or UPDATE fired, what that statement says of its own
/// target; `condition` is the action's, without what rules of its target added.
pub fn of_the_statement<'t>(query: Query<'t>, condition: Option<Node<'t>>) -> Option<Way<'t>> {
    let table: Vec<_> = query.rtable().iter().collect();
    let mut rest = condition;
    let mut fired = None;
    let mut action = query.resultRelation;
    let mut command = query.commandType;
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
        rest = Made { table: &table, old, index, event, command, action }.statement_part(rest)?;
        fired = Some((index, table[old].relid));
        (action, command, end) = (index, event, old);
    }
    let (index, relation) = fired?;
    let entry = table[index as usize - 1];
    if entry.subquery().is_some_and(|view| view.condition().is_some()) {
        // A view's own WHERE restricts what the statement reaches.
        return None;
    }
    let conditions = entry.securityQuals().iter().chain(rest).collect();
    let place = Place { relation, only: !entry.inh, index };
    Some(Way { of: Some(place), conditions, negated_first: false })
}

/// Whether the statement that fired the rules which made `action` is run besides, or something else that has its
/// condition: no rule puts nothing in its place.
pub fn leave_the_statement(action: Query) -> bool {
    let table: Vec<_> = action.rtable().iter().collect();
    table.windows(2).filter(|pair| is_old(pair[0], pair[1])).all(|pair| {
        let rules = rules_of(pair[0].relid);
        let does_nothing = |action: Query| action.commandType == pg_sys::CmdType::CMD_NOTHING;
        !rules.iter().any(|rule| rule.instead && rule.actions.iter().any(does_nothing))
    })
}

/// Whether two entries are those of OLD and NEW at the start of a rule's action.
fn is_old(old: Entry, new: Entry) -> bool {
    let is = |entry: Entry, name: &CStr| entry.eref().and_then(|own| own.aliasname()) == Some(name);
    old.relid == new.relid && old.relid != pg_sys::InvalidOid && is(old, c"old") && is(new, c"new")
}

/// What the statement does to an entry of its range table that it writes, as the permissions tell that it needs.
fn event(query: Query, entry: Entry) -> Option<pg_sys::CmdType::Type> {
    let needed = compat::required_permissions(query, entry);
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

/// An action that a rule made of a statement.
struct Made<'a, 't> {
    table: &'a [Entry<'t>],
    /// The place of OLD in the range table.
    old: usize,
    /// What the statement writes, by range table index, and how.
    index: i32,
    event: pg_sys::CmdType::Type,
    /// What the action does, and to what.
    command: pg_sys::CmdType::Type,
    action: i32,
}

impl<'t> Made<'_, 't> {
    /// The part of the action's condition that is the statement's, if it has one; `None` where no rule is found
    /// that made the action.
    fn statement_part(&self, condition: Option<Node<'t>>) -> Option<Option<Node<'t>>> {
        let mut by_depth = None;
        let old = self.old as i32;
        let rules = rules_of(self.table[self.old].relid).into_iter().filter(|rule| rule.event == self.event);
        for (rule, made) in rules.flat_map(|rule| rule.actions.iter().map(move |made| (rule.condition, made)))
        {
            let target = made.resultRelation;
            if made.commandType != self.command || target == 0 {
                continue;
            }
            // An action on a view was made one on the table below, which has the view's conditions.
            let Some(condition) = self.without_views(target + old, condition) else { continue };
            let Some(own) = expressions::and(made.condition(), rule) else { return Some(condition) };
            let own = own.copy();
            own.offset_vars(old);
            own.change_vars(old + pg_sys::PRS2_OLD_VARNO as i32, self.index);
            let last = condition.and_then(last_arm);
            match last {
                _ if condition.is_some_and(|condition| condition.equals(own)) => return Some(None),
                Some((before, last)) if before.equals(own) => return Some(Some(last)),
                _ => {}
            }
            // What UPDATE sets stands for NEW: then the form tells, as ANDs nest to the left.
            if and_depth(condition) > and_depth(Some(own)) {
                by_depth.get_or_insert(last.map_or(condition, |(_, last)| Some(last)));
            } else {
                by_depth.get_or_insert(None);
            }
        }
        by_depth
    }

    /// A condition without those of the views between what the action named and what it came to write, at
    /// its end; `None` where the one does not lead to the other.
    fn without_views(&self, named: i32, condition: Option<Node<'t>>) -> Option<Option<Node<'t>>> {
        if named == self.action {
            return Some(condition);
        }
        let mut rest = condition;
        let goal = self.table.get(self.action as usize - 1)?.relid;
        let mut relation = self.table.get(named as usize - 1)?.relid;
        while relation != goal {
            let view = Opened::shared(relation)?;
            let query = view.view_query()?;
            let base = query.jointree()?.fromlist().first()?.as_a::<pg_sys::RangeTblRef>()?;
            let below = query.rtable().number(base.rtindex as u32)?.relid;
            if query.condition().is_some() && !view.is_security_barrier() {
                rest = rest.and_then(last_arm).map(|(before, _)| before);
            }
            relation = below;
        }
        Some(rest)
    }
}

/// The two arms of an AND as make_and_qual makes one.
fn last_arm(condition: Node) -> Option<(Node, Node)> {
    and_arms(condition)?.pair()
}

fn and_arms(condition: Node) -> Option<Nodes> {
    let and = condition.as_a::<pg_sys::BoolExpr>()?;
    (and.boolop == pg_sys::BoolExprType::AND_EXPR).then(|| and.args())
}

/// How many ANDs stand in each other at the left.
fn and_depth<'t>(condition: Option<Node<'t>>) -> usize {
    let left = |condition: &Node<'t>| and_arms(*condition).and_then(Nodes::first);
    std::iter::successors(condition, left).skip(1).count()
}
