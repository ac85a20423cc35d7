//! One execution of a guarded write. Everything that can change between two executions of a plan is read
//! when it starts: settings, role, override, bound parameters.

use safedelete_core::command::Command;
use safedelete_core::event::{Counter, Verdict};
use safedelete_core::expectation::Expectation;
use safedelete_core::limit::Budget;
use safedelete_core::mode::Mode;
use safedelete_core::policy::Effective;
use safedelete_core::standing::Ruling;
use std::rc::Rc;

use super::orders::{Facts, Flow, Orders};
use super::parts::Parts;
use super::rows::DistinctRows;
use super::task::{Task, own_ceiling};
use crate::analysis::{self, Qualification, target};
use crate::engines;
use crate::ledger::{self, Joined, Summed};
use crate::levels;
use crate::pg::local::Local;
use crate::pg::report::Frozen;
use crate::pg::write::Write;
use crate::pg::{compat, pg_sys};
use crate::policy::{self, InForce};
use crate::settings;
use crate::{record, rehearsal};

/// What nearly every execution of a guarded write needs, until a count passes what need not be judged: then it is
/// made whole. What it holds is given back by `into_execution` or `give_back`.
#[derive(Clone, Copy)]
pub struct Light {
    in_force: *const InForce,
    pub referential: bool,
    pub joined: Joined,
}

impl Light {
    /// # Safety
    /// Once; `estate` is the execution's.
    pub unsafe fn into_execution(self, orders: &Orders, estate: *const pg_sys::EState) -> Execution {
        // SAFETY: `start_again` took this share.
        let (in_force, written_as) =
            unsafe { (Rc::from_raw(self.in_force), compat::written_as(estate, orders.write.relation)) };
        let mut task = Task::of(orders.write, in_force, self.referential, None).written_as(written_as);
        task.modifies = false;
        Execution { task, distinct: None, parts: None, joined: Some(self.joined) }
    }

    /// These rows join the sum, where they need not be judged; whether they have.
    pub fn finish(&self, command: Command, count: u64, deleted: u64) -> bool {
        ledger::add_within(&self.joined, command, count, deleted, self.referential)
    }

    /// # Safety
    /// Once.
    pub unsafe fn give_back(self) {
        // SAFETY: it has a share of it.
        drop(unsafe { Rc::from_raw(self.in_force) });
    }
}

/// How an execution goes on.
#[derive(Clone, Copy)]
pub enum Start {
    /// Unguarded: as if the node were not there.
    Pass,
    Refuse(Frozen),
    /// By `start_again`.
    Again,
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
    /// Of an execution that began light: what it joins.
    joined: Option<Joined>,
}

/// What began light last: it may again, as of the same generation of the settings. Loops start the same write again
/// and again.
#[derive(Clone, Copy)]
struct Begun {
    write: Write,
    as_of: u32,
    light: Light,
}

static BEGUN: Local<Option<Begun>> = Local::new(None);

/// Whether rule `where` and everything but the rules has nothing to say of an execution: no budget, no roles, no
/// expectation, nothing that counts by itself. Then `start_again` starts it, unless something has changed since
/// `as_of`.
fn is_light(orders: &Orders, in_force: &Rc<InForce>, as_of: u32) -> bool {
    let write = orders.write;
    let is_usual = settings::allow_rows() == 0
        && settings::BYPASS_ROLE.is_empty()
        && !analysis::looks_at_all()
        // Its own count wants to know what was there when the statement began.
        && !(engines::may_be_here() && engines::counts(write.relation));
    let Effective { mode, commands, bounds, .. } = in_force.effective();
    if !orders.is_plain || !is_usual || mode != Mode::Enforce || bounds.unlimited() {
        return false;
    }
    let (of, within) = (target::summed(write), bounds.surely_within());
    let named = (!target::is_in_tree(write.relation))
        .then_some(Summed { relation: write.relation, only: write.only });
    let joined = Joined { of, named, commands, within };
    let light = Light { in_force: Rc::into_raw(Rc::clone(in_force)), referential: false, joined };
    let last = BEGUN.get();
    BEGUN.set(Some(Begun { write, as_of, light }));
    if let Some(Begun { light, .. }) = last {
        // SAFETY: this had it, and has forgotten it.
        unsafe { light.give_back() };
    }
    true
}

/// Starts an execution as the one before, where that began light and nothing is different; with how many rows it
/// may have before it is judged. For bare frames.
///
/// # Safety
/// `estate` is the execution's, which begins light `as_one`.
#[inline]
pub unsafe fn start_again(
    orders: &Facts,
    estate: *const pg_sys::EState,
    as_one: &mut Option<Light>,
) -> Option<u64> {
    if !orders.is_plain {
        return None;
    }
    // SAFETY: nothing here changes it.
    let Begun { write, as_of, light } = unsafe { (*BEGUN.as_ptr()).as_ref()? };
    if *as_of != settings::generation()
        || *write != orders.write
        || rehearsal::is_on()
        || levels::starts_postgres()
    {
        return None;
    }
    record::count_at_once(Counter::Guarded, 1);
    // SAFETY: by contract; `BEGUN` has a share.
    let referential = unsafe {
        Rc::increment_strong_count(light.in_force);
        levels::is_referential((*estate).es_top_eflags)
    };
    *as_one = Some(Light { referential, ..*light });
    Some(ledger::left(&light.joined, write.command))
}

/// Starts an execution.
///
/// # Safety
/// `estate` is the execution's.
pub unsafe fn start(
    orders: &Orders,
    estate: *const pg_sys::EState,
    expectation: Option<Expectation>,
) -> Start {
    // SAFETY: by contract.
    let (parameters, eflags) = unsafe { ((*estate).es_param_list_info, (*estate).es_top_eflags) };
    // Reading what is in force, or of the table, may take in invalidations.
    let as_of = settings::generation();
    let in_force = policy::of(orders.write.relation);
    // What PostgreSQL does itself is nobody's to refuse, but the author of an extension's script may have a word.
    let is_postgres = levels::starts_postgres();
    let guarded = in_force.guards(orders.write.command) && !is_postgres;
    let rehearses = rehearsal::is_on();
    if guarded && is_light(orders, &in_force, as_of) {
        return Start::Again;
    }
    let own = if is_postgres { None } else { own_ceiling(orders.write.relation) };
    let expects = expectation.is_some() || own.is_some();
    if !expects && (is_postgres || (!guarded && !rehearses && orders.parts.is_null())) {
        return Start::Pass;
    }
    if !rehearses {
        record::count(Counter::Guarded, 1);
    }
    let referential = levels::is_referential(eflags);
    // SAFETY: by contract.
    let written_as = unsafe { compat::written_as(estate, orders.write.relation) };
    let mut task = Task::of(orders.write, in_force, referential, own).written_as(written_as);
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
    let execution = Box::into_raw(Box::new(Execution { task, distinct, parts, joined: None }));
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
        let free = self.task.join_sum(count, deleted)?;
        if let Some(Joined { of, named: Some(_), commands, within }) = self.joined {
            // Where a budget is a role's, another role's next write has to be judged by itself.
            let until = if settings::OVERRIDE_ROLE.is_empty() { free } else { within };
            ledger::free_until(of, commands, until);
        }
        Ok(())
    }
}
