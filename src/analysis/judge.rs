//! What rule `where` keeps while it reads a condition, for all that read parts of it: form.rs, itself.rs and
//! sublink.rs.

use std::cell::{Cell, OnceCell, RefCell};

use rustc_hash::FxHashMap;

use super::effort::Effort;
use super::premises::Premises;
use super::target::Target;
use crate::pg::nodes::Node;
use crate::pg::nodes::expressions::Root;
use crate::pg::pg_sys;

/// What an expression is, for the rows of the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// True for every row.
    True,
    /// False, or NULL, for every row: it selects nothing.
    Never,
    /// It does not depend on the target's row.
    Free,
    /// It depends on the target's row.
    Tied,
}

pub struct Judge<'t> {
    pub target: &'t Target,
    /// What constant folding may know: bound parameters.
    pub(super) root: Option<Root<'t>>,
    /// A comparison with itself, if there is one that restricts nothing.
    pub(super) itself: Cell<Option<Itself>>,
    pub(super) premises: OnceCell<Premises<'t>>,
    pub(super) effort: Effort,
    /// What is read, to be measured when it takes long.
    pub(super) conditions: RefCell<Vec<Node<'t>>>,
    /// Proofs are tried: only of what would restrict without them.
    pub(super) proving: Cell<bool>,
    /// There is an OR that a proof might find to cover every row.
    pub(super) is_provable: Cell<bool>,
    /// The condition is asked for some row of a source (NOT MATCHED BY SOURCE), as in a sub-select.
    pub(super) existential: Cell<bool>,
    pub memory: Memory<'t>,
}

/// A condition; with and without proofs; negated.
type Asked<'t> = (Node<'t>, bool, bool);

/// An output column: Query, range table index, number.
type Output<'t> = (Option<Node<'t, pg_sys::Query>>, i32, i16);

/// What was found out of the parts of sub-selects, which are asked for again and again.
#[derive(Default)]
pub struct Memory<'t> {
    /// Of conditions of sub-selects.
    pub(super) forms: RefCell<FxHashMap<Node<'t>, Form>>,
    /// Of whole conditions, which several ways may share.
    pub(super) whole: RefCell<FxHashMap<Asked<'t>, (Form, Option<Itself>)>>,
    /// Of Queries, by whether their select list counts: whether they are tied.
    pub tied: RefCell<FxHashMap<(Node<'t, pg_sys::Query>, bool), bool>>,
    /// What folding makes of output columns.
    pub(super) values: RefCell<FxHashMap<Node<'t>, Node<'t>>>,
    /// Whether output columns name the target.
    pub outputs: RefCell<FxHashMap<Output<'t>, bool>>,
}

/// A comparison's sides are the same.
#[derive(Clone, Copy)]
pub struct Itself {
    /// A column that both sides name.
    pub column: i16,
    /// A sub-select stands between.
    pub inner: bool,
}

impl<'t> Judge<'t> {
    pub fn new(target: &'t Target, root: Option<Root<'t>>) -> Self {
        Judge {
            target,
            root,
            itself: Cell::new(None),
            premises: OnceCell::new(),
            effort: Effort::new(),
            conditions: RefCell::default(),
            proving: Cell::new(false),
            is_provable: Cell::new(false),
            existential: Cell::new(false),
            memory: Memory::default(),
        }
    }

    /// Takes a step. Past a bound that no written statement meets, whatever is asked counts as tied, and
    /// rule `rows` is left to judge.
    pub fn has_had_enough(&self) -> bool {
        !self.effort.step(&self.conditions.borrow())
    }

    /// Keeps what a refusal is to name: the first.
    pub fn compares_with_itself(&self, itself: Itself) {
        self.itself.set(self.itself.get().or(Some(itself)));
    }
}
