//! One execution of a guarded write. Everything that can change between two executions of a plan is read
//! when it starts: settings, role, override, bound parameters.

use safedelete_core::event::{Counter, Verdict};
use safedelete_core::expectation::Expectation;
use safedelete_core::limit::{Bounds, Budget};
use safedelete_core::message::Unqualified;
use safedelete_core::standing::Ruling;

use super::orders::{Flow, Orders};
use super::parts::Parts;
use super::rows::DistinctRows;
use super::table::Table;
use super::task::{self, Task};
use crate::analysis::{self, Qualification, target};
use crate::authority::Writer;
use crate::levels;
use crate::pg::report::Frozen;
use crate::pg::{pg_sys, relations};
use crate::refusal::{self, About};
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
/// `parameters` are the execution's.
pub unsafe fn start(
    orders: &Orders,
    parameters: pg_sys::ParamListInfo,
    eflags: i32,
    expectation: Option<Expectation>,
) -> Start {
    let effective = policy::effective(orders.relation);
    let guarded = effective.guards(orders.command);
    let rehearses = rehearsal::is_on();
    let guarded = guarded && !(rehearses && target::is_unguarded(orders.relation));
    let expects = expectation.is_some();
    if (!guarded && !rehearses && orders.parts.is_null() && !expects) || levels::starts_postgres() {
        return Start::Pass;
    }
    if !rehearses {
        record::count(Counter::Guarded, 1);
    }
    let mode = effective.mode;
    let referential = levels::is_referential(eflags);
    let writer = Writer::now(referential);
    let mut overridden = None;
    if guarded && !referential && effective.require_where {
        // SAFETY: by contract.
        if let Some(why) = unsafe { unqualified(orders, parameters) } {
            let standing = writer.standing(mode, Some(orders.relation));
            let name = relations::name(orders.relation);
            overridden = Some(match standing.unqualified(orders.command, &name, &why) {
                (Ruling::Through(how, budget), report) => (how, report, budget),
                (Ruling::Refuse(_), report) if rehearses => (Verdict::Refused, report, Budget::Unlimited),
                (Ruling::Refuse(_), report) => {
                    let about = About::Table(orders.relation);
                    return Start::Refuse(refusal::refuse(&report, about, writer.role));
                }
            });
        }
    }
    let bounds = if guarded { effective.bounds } else { Bounds::UNLIMITED };
    let parts = if orders.parts.is_null() { None } else { Parts::start(orders, referential) };
    if bounds.unlimited() && overridden.is_none() && parts.is_none() && !rehearses && !expects {
        return Start::Pass;
    }
    let may_refuse = match overridden {
        Some((.., Budget::Unlimited)) => false,
        _ => writer.may_be_refused(mode, orders.relation),
    } || parts.as_ref().is_some_and(Parts::may_refuse);
    let task = Task {
        command: orders.command,
        relation: orders.relation,
        bounds,
        mode,
        writer,
        referential,
        modifies: orders.flow == Flow::Parent,
        table: Table::new(orders.relation, orders.only),
        overridden,
        over: None,
        not_honoured: None,
        rehearses,
        expectation,
        guarded,
        part_of: None,
    };
    let threshold = task.first_threshold();
    let spool = orders.flow == Flow::Rows && (may_refuse || expects) && !referential && !rehearses;
    let distinct = orders.repeats.then(DistinctRows::default);
    let execution = Box::into_raw(Box::new(Execution { task, distinct, parts }));
    Start::Watch { execution, threshold, spool }
}

/// Why rule `where` refuses this execution, if it does.
///
/// # Safety
/// `parameters` are the execution's.
unsafe fn unqualified(orders: &Orders, parameters: pg_sys::ParamListInfo) -> Option<Unqualified> {
    let qualification = match orders.qualification {
        // SAFETY: by contract.
        Qualification::Deferred => unsafe {
            analysis::judge_bound(
                orders.relation,
                orders.only,
                orders.target_index,
                orders.conditions,
                parameters,
            )
        },
        known => known,
    };
    task::unqualified_by(qualification, orders.relation)
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
