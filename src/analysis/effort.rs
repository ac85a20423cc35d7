//! What an analysis may cost. Reading a condition is linear in it, by the memory of what was read; a
//! sub-select that is read in ever more ways is stopped by its steps. A proof is not linear: it is charged
//! before it is made, by the sizes of what it compares. Past either budget nothing more is found out, and
//! the condition counts as restricting. A hostile text so costs some milliseconds more than PostgreSQL's
//! own work on it.

use std::cell::Cell;

use crate::pg::nodes::arrays::Array;
use crate::pg::nodes::{self, Kind, Node, Visitor, Walk};
use crate::pg::{frame, pg_sys};

/// Steps for a condition of no size, and more for each of its nodes: a written one takes at most two.
const STEPS: u64 = 20_000;
const STEPS_OF_A_NODE: u64 = 4;
/// Comparisons of one node with another that all proofs of an analysis may take, if each went the
/// longest way. It is about ten milliseconds.
const PROOFS: u64 = 500_000;
/// Of longer lists predtest.c does not look at the elements.
const LONGEST_LIST: u64 = 100;

pub struct Effort {
    steps: Cell<u64>,
    /// Whether the condition was measured, which is needed of long ones alone.
    measured: Cell<bool>,
    proofs: Cell<u64>,
}

/// The size of an expression, for a proof.
#[derive(Clone, Copy)]
pub struct Size {
    /// Nodes, and the elements of lists.
    pub nodes: u64,
    /// How deep ANDs, ORs and lists stand in each other.
    pub depth: u64,
}

impl Effort {
    pub fn new() -> Effort {
        Effort { steps: Cell::new(STEPS), measured: Cell::new(false), proofs: Cell::new(PROOFS) }
    }

    /// Begins to read a condition.
    pub fn begin(&self) {
        self.steps.set(STEPS);
        self.measured.set(false);
    }

    /// Takes a step; false where all are taken. `conditions` are what is read.
    pub fn step(&self, conditions: &[Node]) -> bool {
        if self.steps.get() == 0 && !self.measured.replace(true) {
            let nodes: u64 = conditions.iter().map(|c| measure(*c, u64::MAX).nodes).sum();
            self.steps.set(nodes.saturating_mul(STEPS_OF_A_NODE));
            frame::check_for_interrupts();
        }
        match self.steps.get().checked_sub(1) {
            Some(left) => {
                self.steps.set(left);
                true
            }
            None => false,
        }
    }

    /// The size of an expression, itself charged; `None` where that is more than is left.
    pub fn size(&self, node: Node) -> Option<Size> {
        let size = measure(node, self.proofs.get());
        self.afford(size.nodes).then_some(size)
    }

    /// Charges a proof of one from the other; false where it costs more than is left.
    pub fn afford_proof(&self, conclusion: Size, premises: Size) -> bool {
        frame::check_for_interrupts();
        // Each pair is met as often as there are ways to go down to it, on one side or the other.
        let ways = binomial(conclusion.depth + premises.depth + 2, conclusion.depth.min(premises.depth) + 1);
        self.afford(conclusion.nodes.saturating_mul(premises.nodes).saturating_mul(ways))
    }

    fn afford(&self, cost: u64) -> bool {
        let left = self.proofs.get().checked_sub(cost);
        self.proofs.set(left.unwrap_or(0));
        left.is_some()
    }
}

fn binomial(n: u64, k: u64) -> u64 {
    (1..=k).fold(1_u64, |value, i| value.saturating_mul(n + 1 - i) / i)
}

struct Measure {
    nodes: u64,
    most: u64,
    depth: u64,
    deepest: u64,
}

fn measure(node: Node, most: u64) -> Size {
    let mut measure = Measure { nodes: 0, most, depth: 0, deepest: 0 };
    nodes::walk(node, &mut measure);
    Size { nodes: measure.nodes, depth: measure.deepest }
}

impl<'t> Visitor<'t> for Measure {
    fn enter(&mut self, node: Node<'t>) -> Walk {
        self.nodes += 1;
        if self.nodes > self.most {
            return Walk::Stop;
        }
        if let Some(op) = node.as_a::<pg_sys::ScalarArrayOpExpr>() {
            self.nodes += listed(op.constant_list());
        }
        if is_level(node) {
            self.depth += 1;
            self.deepest = self.deepest.max(self.depth);
        }
        Walk::Into
    }

    fn leave(&mut self, node: Node<'t>) {
        if is_level(node) {
            self.depth -= 1;
        }
    }
}

fn is_level(node: Node) -> bool {
    matches!(node.kind(), Kind::BoolExpr(_) | Kind::ScalarArrayOpExpr(_))
}

/// The elements of a constant list, as far as the prover looks at them.
fn listed(list: Option<Array>) -> u64 {
    // Of one that is compressed or out of line they are not counted.
    let count = |list: Array| list.plain_len().filter(|length| *length <= LONGEST_LIST);
    list.map_or(0, |list| count(list).unwrap_or(LONGEST_LIST))
}
