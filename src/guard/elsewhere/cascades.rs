//! Tables that foreign keys write on the nodes of an engine's: their rows count by their own limits, as below any
//! write. They are counted before the first row is written, by what refers to the rows that the statement selects.

use std::ffi::CStr;

use crate::engines::{self, references};
use crate::guard::task::{Task, own_ceiling};
use crate::levels;
use crate::pg::pg_sys;
use crate::pg::report::Frozen;
use crate::pg::write::Write;
use crate::{policy, rehearsal};

/// A table that foreign keys write.
pub struct Cascade {
    task: Task,
    write: Write,
    rows: u64,
}

/// Counts what foreign keys reach from a write, of which `keys` gives what they refer to.
pub fn before(write: Write, keys: &CStr, parameters: pg_sys::ParamListInfo) -> Result<Vec<Cascade>, Frozen> {
    let mut cascades = Vec::new();
    for reached in references::reached(write, keys, parameters, engines::counts_under(write.relation)) {
        let in_force = policy::of(reached.write.relation);
        let guarded = in_force.guards(reached.write.command);
        if !guarded && !rehearsal::is_on() && own_ceiling(reached.write.relation).is_none() {
            continue;
        }
        let rows = reached.rows;
        levels::as_cascade_of(write, || {
            let mut task = Task::new(reached.write, in_force, true);
            if !guarded {
                task = task.unguarded();
            }
            if rows > task.first_threshold() {
                task.check(rows)?;
            }
            cascades.push(Cascade { task, write: reached.write, rows });
            Ok(())
        })?;
    }
    Ok(cascades)
}

impl Cascade {
    /// The statement has written: the rows join the sum of their table.
    pub fn after(&mut self, by: Write) -> Result<(), Frozen> {
        let deleted = self.write.deletes(self.rows);
        self.task.has_deleted(deleted);
        levels::as_cascade_of(by, || self.task.join_sum(self.rows, deleted).map(drop))
    }
}
