//! Parts of a table that have policies of their own (partitions, children), in a write that names the
//! whole: each row counts for the parts it lies in, beside the whole.

use crate::pg::pg_sys;
use rustc_hash::FxHashMap;
use safedelete_core::command::Command;

use super::orders::Orders;
use super::task::Task;
use crate::ledger;
use crate::pg::nodes;
use crate::pg::report::Frozen;
use crate::policy;

struct Part {
    relation: pg_sys::Oid,
    task: Task,
    count: u64,
    /// Rows that the sum had counted before.
    made: u64,
    threshold: u64,
}

pub struct Parts {
    whole: pg_sys::Oid,
    /// Rows may move from one to another, or be deleted by a MERGE, which knows how many of the whole alone.
    takes: bool,
    parts: Vec<Part>,
    /// By the relation a row is stored in: the parts it lies in.
    of_leaf: FxHashMap<pg_sys::Oid, Box<[usize]>>,
}

impl Parts {
    /// The parts that `orders` names, as far as their policies have them guarded.
    pub fn start(orders: &Orders, written_as: pg_sys::Oid, referential: bool) -> Option<Parts> {
        // SAFETY: a plan's list of OIDs.
        let parts: Vec<_> = unsafe { nodes::oids(orders.parts) }
            .filter(|part| policy::of(*part).guards(orders.write.command))
            .map(|relation| {
                let task = Task::of_part(relation, orders.write, referential).written_as(written_as);
                Part { relation, count: 0, made: 0, threshold: task.first_threshold(), task }
            })
            .collect();
        (!parts.is_empty()).then(|| Parts {
            whole: orders.write.relation,
            takes: matches!(orders.write.command, Command::Update | Command::Merge),
            parts,
            of_leaf: FxHashMap::default(),
        })
    }

    /// Whether one of them may end in a refusal.
    pub fn may_refuse(&self) -> bool {
        self.parts.iter().any(|part| part.task.may_refuse())
    }

    /// `rows` more, stored in `leaf`; `sent` is asked where a size has to be, for `note_sent`.
    pub fn count(
        &mut self,
        leaf: pg_sys::Oid,
        rows: u64,
        sent: impl FnOnce() -> Vec<(pg_sys::Oid, u64)>,
    ) -> Result<(), Frozen> {
        let (parts, lies_in) = self.of_leaf(leaf);
        let mut passes = false;
        for i in lies_in {
            let part = &mut parts[*i];
            part.count += rows;
            passes |= part.count > part.threshold;
        }
        if passes {
            self.note_sent(&sent());
            for part in self.parts.iter_mut().filter(|part| part.count > part.threshold) {
                part.threshold = part.task.check(part.count)?;
            }
        }
        Ok(())
    }

    /// Of the rows counted, foreign servers have deleted so many of these tables already, scan by scan.
    pub fn note_sent(&mut self, sent: &[(pg_sys::Oid, u64)]) {
        for i in 0..self.parts.len() {
            let rows =
                sent.iter().map(|(leaf, rows)| if self.of_leaf(*leaf).1.contains(&i) { *rows } else { 0 });
            let rows = rows.collect();
            self.parts[i].task.note_sent(rows);
        }
    }

    /// A row more that the sum had counted before: it adds nothing, but may go now.
    pub fn note_made(&mut self, leaf: pg_sys::Oid) {
        let (parts, lies_in) = self.of_leaf(leaf);
        for i in lies_in {
            parts[*i].made += 1;
        }
    }

    /// The parts, and which of them a relation lies in.
    fn of_leaf(&mut self, leaf: pg_sys::Oid) -> (&mut [Part], &[usize]) {
        let Parts { whole, parts, of_leaf, .. } = self;
        let lies_in = of_leaf.entry(leaf).or_insert_with(|| {
            let labelled = policy::labelled_below(leaf, *whole);
            (0..parts.len()).filter(|i| labelled.contains(&parts[*i].relation)).collect()
        });
        (parts, lies_in)
    }

    /// All rows are counted.
    pub fn finish(&mut self) -> Result<(), Frozen> {
        for part in self.parts.iter_mut().filter(|part| part.count + part.made > 0) {
            let rows = part.count + part.made;
            part.task.join_sum(part.count, part.task.deletes(rows))?;
            if self.takes && part.task.joins_sum() {
                ledger::add_movable(part.task.summed(), rows);
            }
        }
        Ok(())
    }
}
