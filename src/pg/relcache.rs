//! What the relation cache holds of an open relation.

use super::nodes::{Node, Nodes};
use super::{compat, pg_sys};

/// An open relation. An error closes it by itself, with what the (sub)transaction holds.
pub struct Opened {
    relation: pg_sys::Relation,
    lock: pg_sys::LOCKMODE,
}

/// A CHECK constraint.
pub struct Check<'a>(&'a pg_sys::ConstrCheck);

/// A rewrite rule.
pub struct Rule<'a>(&'a pg_sys::RewriteRule);

impl Opened {
    /// A relation that the statement holds a lock on.
    pub fn locked(relation: pg_sys::Oid) -> Opened {
        let lock = pg_sys::NoLock as pg_sys::LOCKMODE;
        Opened { relation: pg_sys::relation_open(relation, lock), lock }
    }

    /// A relation, locked against being dropped; `None` where there is none.
    pub fn shared(relation: pg_sys::Oid) -> Option<Opened> {
        let lock = pg_sys::AccessShareLock as pg_sys::LOCKMODE;
        let relation = pg_sys::try_relation_open(relation, lock);
        (!relation.is_null()).then_some(Opened { relation, lock })
    }

    fn entry(&self) -> &pg_sys::RelationData {
        // SAFETY: open until it is dropped.
        unsafe { &*self.relation }
    }

    fn row(&self) -> &pg_sys::FormData_pg_class {
        // SAFETY: every entry has its row of pg_class.
        unsafe { &*self.entry().rd_rel }
    }

    /// For a function of PostgreSQL's.
    pub fn as_ptr(&self) -> pg_sys::Relation {
        self.relation
    }

    pub fn kind(&self) -> u8 {
        self.row().relkind as u8
    }

    pub fn has_children(&self) -> bool {
        self.row().relhassubclass
    }

    pub fn column_count(&self) -> usize {
        // SAFETY: every entry has a tuple descriptor.
        unsafe { (*self.entry().rd_att).natts as usize }
    }

    /// Whether a column (from 0) can hold no NULL.
    pub fn is_not_null(&self, column: usize) -> bool {
        // SAFETY: the relation's descriptor, and a column that it has.
        column < self.column_count() && unsafe { compat::column_is_not_null(self.entry().rd_att, column) }
    }

    /// Whether a column is generated from others, and stored.
    pub fn has_generated(&self) -> bool {
        // SAFETY: the descriptor's constraints, NULL where there are none.
        unsafe { (*self.entry().rd_att).constr.as_ref().is_some_and(|all| all.has_generated_stored) }
    }

    /// The CHECK constraints.
    pub fn checks(&self) -> impl ExactSizeIterator<Item = Check<'_>> {
        // SAFETY: the descriptor's constraints, NULL where there are none; `check` is an array of `num_check`.
        let checks = unsafe {
            match (*self.entry().rd_att).constr.as_ref() {
                Some(all) if all.num_check > 0 => std::slice::from_raw_parts(all.check, all.num_check.into()),
                _ => &[],
            }
        };
        checks.iter().map(Check)
    }

    /// The rewrite rules.
    pub fn rules(&self) -> impl ExactSizeIterator<Item = Rule<'_>> {
        // SAFETY: NULL where there are none; else an array of `numLocks` rules.
        let rules = unsafe {
            match self.entry().rd_rules.as_ref() {
                Some(all) => std::slice::from_raw_parts(all.rules, all.numLocks as usize),
                None => &[],
            }
        };
        // SAFETY: as above.
        rules.iter().map(|rule| Rule(unsafe { &**rule }))
    }

    pub fn is_view(&self) -> bool {
        self.kind() == pg_sys::RELKIND_VIEW
    }

    /// Whether it is a view that is a security barrier.
    pub fn is_security_barrier(&self) -> bool {
        let options = self.entry().rd_options.cast::<pg_sys::ViewOptions>();
        // SAFETY: a view's options are ViewOptions, or NULL.
        self.is_view() && !options.is_null() && unsafe { (*options).security_barrier }
    }

    /// A view's query.
    pub fn view_query(&self) -> Option<Node<'_, pg_sys::Query>> {
        // SAFETY: a view that is open; its rule's query stays while it is.
        if self.is_view() { unsafe { Node::of(pg_sys::get_view_query(self.relation)) } } else { None }
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            // SAFETY: opened here, with this lock.
            unsafe { pg_sys::relation_close(self.relation, self.lock) };
        }
    }
}

impl Check<'_> {
    pub fn is_valid(&self) -> bool {
        self.0.ccvalid
    }

    pub fn is_inherited(&self) -> bool {
        !self.0.ccnoinherit
    }

    /// Its condition, made anew in the current memory context.
    pub fn condition<'t>(&self) -> Option<Node<'t>> {
        // SAFETY: the text of an expression, as nodeToString wrote it.
        unsafe { Node::of(pg_sys::stringToNode(self.0.ccbin).cast()) }
    }
}

impl Rule<'_> {
    pub fn event(&self) -> pg_sys::CmdType::Type {
        self.0.event
    }

    pub fn is_instead(&self) -> bool {
        self.0.isInstead
    }

    pub fn is_disabled(&self) -> bool {
        self.0.enabled as u8 == b'D'
    }

    /// Its condition, a copy in the current memory context.
    pub fn condition<'t>(&self) -> Option<Node<'t>> {
        // SAFETY: an expression or NULL; it is copied while the relation is open.
        unsafe { Node::of(pg_sys::copyObjectImpl(self.0.qual.cast()).cast()) }
    }

    /// Its actions, copies in the current memory context.
    pub fn actions<'t>(&self) -> Nodes<'t, pg_sys::Query> {
        // SAFETY: a list of Queries; it is copied while the relation is open.
        unsafe { Nodes::of(pg_sys::copyObjectImpl(self.0.actions.cast()).cast()) }
    }
}
