//! One execution of a guarded write. Everything that can change between two executions of a plan is read
//! when it starts: settings, role, override, bound parameters.

use safedelete_core::event::{Counter, Verdict};
use safedelete_core::expectation::Expectation;
use safedelete_core::limit::Budget;
use safedelete_core::standing::Ruling;

use super::orders::{Flow, Orders};
use super::parts::Parts;
use super::rows::DistinctRows;
use super::task::{Task, own_ceiling};
use crate::analysis::{self, Qualification};
use crate::levels;
use crate::pg::pg_sys;
use crate::pg::report::Frozen;
use crate::{policy, record, rehearsal};

/// How an execution goes on.
#[derive(Clone, Copy)]
pub enum Start {
    /// Unguarded: as if the node were not there.
    Pass,
    Refuse(Frozen),
    /// Counted; `spool` collects the rows before the first is written.
    Watch {
        execution: *mut Execution,
        threshold: u64,
        spool: bool,
    },
}

/// What an execution keeps until it ends.
pub struct Execution {
    pub task: Task,
    /// The rows that came, where one may come twice.
    pub distinct: Option<DistinctRows>,
    pub parts: Option<Parts>,
}

/// Starts an execution.
///
/// # Safety
/// `parameters` are the execution's; it writes as `written_as`, or as the current user.
pub unsafe fn start(
    orders: &Orders,
    parameters: pg_sys::ParamListInfo,
    eflags: i32,
    written_as: pg_sys::Oid,
    expectation: Option<Expectation>,
) -> Start {
    let in_force = policy::of(orders.write.relation);
    // What PostgreSQL does itself is nobody's to refuse, but the author of an extension's script may have a word.
    let is_postgres = levels::starts_postgres();
    let guarded = in_force.guards(orders.write.command) && !is_postgres;
    let rehearses = rehearsal::is_on();
    let own = if is_postgres { None } else { own_ceiling(orders.write.relation) };
    let expects = expectation.is_some() || own.is_some();
    if !expects && (is_postgres || (!guarded && !rehearses && orders.parts.is_null())) {
        return Start::Pass;
    }
    if !rehearses {
        record::count(Counter::Guarded, 1);
    }
    let referential = levels::is_referential(eflags);
    let mut task = Task::new(orders.write, in_force, referential).written_as(written_as);
    task.own = own;
    if !guarded {
        task = task.unguarded();
    } else if !referential
        // SAFETY: by contract.
        && let Some((ruling, report)) = task.by_where(|| unsafe { qualification(orders, parameters) })
    {
        task.overridden = Some(match ruling {
            Ruling::Through(how, budget) => (how, report, budget),
            Ruling::Refuse(_) if rehearses => (Verdict::Refused, report, Budget::Unlimited),
            Ruling::Refuse(_) => return Start::Refuse(task.refused(&report)),
        });
    }
    let has_parts = !orders.parts.is_null() && !is_postgres;
    let parts = if has_parts { Parts::start(orders, written_as, referential) } else { None };
    if task.bounds.unlimited() && task.overridden.is_none() && parts.is_none() && !rehearses && !expects {
        return Start::Pass;
    }
    task.expectation = expectation;
    task.guarded = guarded;
    task.modifies = orders.flow == Flow::Parent;
    let may_refuse = match task.overridden {
        Some((.., Budget::Unlimited)) => false,
        _ => task.may_refuse(),
    } || parts.as_ref().is_some_and(Parts::may_refuse);
    let threshold = task.first_threshold();
    let spool = orders.flow == Flow::Rows && (may_refuse || expects) && !referential && !rehearses;
    let distinct = orders.repeats.then(DistinctRows::default);
    let execution = Box::into_raw(Box::new(Execution { task, distinct, parts }));
    Start::Watch { execution, threshold, spool }
}

/// Whether this execution is qualified.
///
/// # Safety
/// `parameters` are the execution's.
unsafe fn qualification(orders: &Orders, parameters: pg_sys::ParamListInfo) -> Qualification {
    match orders.qualification {
        // SAFETY: by contract.
        Qualification::Deferred => unsafe {
            analysis::judge_bound(orders.write, orders.target_index, orders.conditions, parameters)
        },
        known => known,
    }
}

impl Execution {
    /// All rows are counted, `deleted` of which are to go: they join the sum, and what went through is told.
    pub fn finish(&mut self, count: u64, deleted: u64) -> Result<(), Frozen> {
        if let Some(parts) = &mut self.parts {
            parts.finish()?;
        }
        self.task.join_sum(count, deleted)
    }
}
