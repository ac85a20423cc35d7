//! Writes of one row, or of a few by key, have no guard. Run by functions and triggers, they still
//! belong to the client statement's sum: the ExecutorFinish hook counts them.

use crate::pg::pg_sys;
use pgrx::pg_sys::NodeTag;
use safedelete_core::command::Command;

use super::orders::Orders;
use super::task::Task;
use super::{made, measure, noted, planned};
use crate::analysis::target;
use crate::authority::Writer;
use crate::keep::follow;
use crate::ledger::Summed;
use crate::levels::{self, Level};
use crate::pg::execution::Execution;
use crate::pg::local::Local;
use crate::pg::report::{self, Frozen};
use crate::pg::write::Write;
use crate::pg::{frame, nodes, portal, raw};
use crate::settings::{self, SumOver};
use crate::{ledger, policy};

/// The write that was planned before a policy changed that it may hang on.
static PLANNED_BEFORE: Local<*mut pg_sys::QueryDesc> = Local::new(std::ptr::null_mut());

/// Takes in what other sessions have changed. PostgreSQL does so when it locks a relation, but not for
/// a lock that the transaction holds already: then a prepared write would run under the policy of
/// its first execution. Guard nodes read policy when they start; a point write, which has none, is
/// accounted for as if it were not the client's own.
///
/// # Safety
/// `query` is about to start, and `is_clients_own`, or not; no frame above owns anything.
#[inline(always)]
#[allow(ffi_unwind_calls, reason = "called by a bare frame, which owns nothing")]
pub unsafe fn look_for_changes(query: *mut pg_sys::QueryDesc, is_clients_own: bool) {
    if !is_clients_own && levels::current().is_below() && levels::looks_again() {
        // The policies are those of the client's statement.
        return;
    }
    let before = settings::generation();
    // SAFETY: PostgreSQL does the same whenever it opens a relation.
    unsafe { raw::AcceptInvalidationMessages() };
    if settings::generation() != before {
        PLANNED_BEFORE.set(query);
    }
}

/// Whether a write of the client's own that starts is the whole statement: without a guard, and if it fires nothing
/// (`place::is_alone`), it decides nothing where it comes to one row at most. For a bare frame.
#[inline(always)]
pub fn is_whole_statement(query: *mut pg_sys::QueryDesc) -> bool {
    settings::scope() == SumOver::Statement && portal::is_single() && PLANNED_BEFORE.get() != query
}

/// Counts what a write has written without a guard that fires no triggers. For a bare frame. One row that is
/// the client's whole statement decides nothing, for nothing can add to it: this returns at once. More
/// than one were free when the write was planned, and may not be now.
///
/// # Safety
/// `query` has been run, and is not yet a level; no frame above owns anything.
#[inline]
pub unsafe fn account_alone(query: *mut pg_sys::QueryDesc) {
    let level = levels::current();
    // SAFETY: as the caller says.
    unsafe {
        if measure::has_counted(query) {
            PLANNED_BEFORE.set(std::ptr::null_mut());
            return;
        }
        if level.is_below() {
            if account_again(query, level) {
                return;
            }
        } else if is_whole(query, level) {
            return;
        }
        account_at_length(query);
    }
}

/// Whether it is a row at the most, and the client's whole statement.
///
/// # Safety
/// `query` has been run at `level`.
#[inline]
unsafe fn is_whole(query: *mut pg_sys::QueryDesc, level: Level) -> bool {
    // SAFETY: by contract.
    let estate = unsafe { &*(*query).estate };
    estate.es_processed <= 1
        && estate.es_auxmodifytables.is_null()
        && settings::scope() == SumOver::Statement
        && portal::is_single()
        && level.is_clients_own()
        && PLANNED_BEFORE.get() != query
}

/// Whether there is nothing to be counted before the triggers of a write fire: they keep its row, which nothing else
/// has to do with, and add to no sum.
///
/// # Safety
/// `query` has been run, and is not yet a level.
#[inline]
pub unsafe fn has_nothing_to_account(query: *mut pg_sys::QueryDesc) -> bool {
    let level = levels::current();
    // SAFETY: by contract; what fires triggers of its own plan is a ModifyTable.
    unsafe {
        !level.is_below()
            && is_whole(query, level)
            && follow::fires_nothing_else(Execution::of(query))
            && !Orders::may_be_in((*(*query).plannedstmt).planTree.cast())
    }
}

/// # Safety
/// As `account_alone`.
#[inline(never)]
unsafe fn account_at_length(query: *mut pg_sys::QueryDesc) {
    // SAFETY: as the caller says.
    unsafe {
        let outer = levels::enter_query(Execution::of(query));
        account(query, false);
        levels::leave(outer);
    }
}

/// Counts what an unguarded write below the client's statement has written, where it is as the last one that was
/// counted: loops write row after row by key. It need not be a level for that.
///
/// # Safety
/// As `account_alone`, of a query that has run at `level`.
#[inline]
unsafe fn account_again(query: *mut pg_sys::QueryDesc, level: Level) -> bool {
    // SAFETY: as the caller says; casts follow tags.
    unsafe {
        let estate = (*query).estate;
        let plan = (*(*query).plannedstmt).planTree;
        if (*estate).es_processed != 1
            || !(*estate).es_auxmodifytables.is_null()
            || (*estate).es_top_eflags & pg_sys::EXEC_FLAG_SKIP_TRIGGERS as i32 != 0
            || level.starts_postgres()
            || nodes::tag(plan) != NodeTag::T_ModifyTable
            || Orders::may_be_in(plan.cast())
        {
            return false;
        }
        let Some(write) = Write::of_plan((*(*query).plannedstmt).rtable, plan.cast()) else { return false };
        let Write { command, relation, only } = write;
        if !matches!(command, Command::Delete | Command::Update) {
            return false;
        }
        let Some(of) = ledger::may_add_again(command, Summed { relation, only }) else { return false };
        if made::by_write_below(query, of).by_sum {
            return false;
        }
        ledger::add_again(command == Command::Delete);
        true
    }
}

/// The same of a write whose triggers are about to fire. For a bare frame.
///
/// # Safety
/// As `account`.
#[inline]
pub unsafe fn account_before_triggers(query: *mut pg_sys::QueryDesc) {
    // SAFETY: as the caller says.
    unsafe {
        if measure::has_counted(query) {
            PLANNED_BEFORE.set(std::ptr::null_mut());
        } else {
            account(query, true);
        }
    }
}

/// Counts what an unguarded write has written, and notes what nobody counts. For a bare frame.
///
/// # Safety
/// `query` has been run and is the current level; no frame above owns anything.
unsafe fn account(query: *mut pg_sys::QueryDesc, fires: bool) {
    // SAFETY: by contract; casts follow tags.
    unsafe {
        if !(*(*query).estate).es_auxmodifytables.is_null() && (!settings::is_off() || policy::in_use()) {
            noted::note_beside(query);
        }
        let modify = (*(*query).plannedstmt).planTree.cast::<pg_sys::ModifyTable>();
        let rows = (*(*query).estate).es_processed;
        if nodes::tag(modify) != NodeTag::T_ModifyTable {
            let operation = (*query).operation;
            let counts = operation == pg_sys::CmdType::CMD_DELETE || operation == pg_sys::CmdType::CMD_UPDATE;
            if counts && rows > 0 && (!settings::is_off() || policy::in_use()) {
                measure::count_rest(query);
                if measure::main_of(query).is_null() {
                    account_hidden(query);
                }
            }
            return;
        }
        let Some(write) = Write::of_plan((*(*query).plannedstmt).rtable, modify) else { return };
        if rows == 0 || (settings::is_off() && !policy::in_use()) {
            return;
        }
        // What MERGE and upserts write without a guard is nobody's sum.
        let counts = matches!(write.command, Command::Delete | Command::Update);
        let guarded = Orders::may_be_in(modify);
        if guarded && counts {
            measure::count_rest(query);
        }
        PLANNED_BEFORE.set(std::ptr::null_mut());
        if guarded || !counts {
            // Nothing of the sum comes after.
            let ends = !fires && levels::is_whole_statement() && settings::scope() == SumOver::Statement;
            if !ends && (write.command != Command::Delete || !measure::counts(query)) {
                noted::note(query, write, guarded);
            }
            return;
        }
        let eflags = (*(*query).estate).es_top_eflags;
        let deleted = write.deletes(rows);
        let mut counted = rows;
        let named = Summed { relation: write.relation, only: write.only };
        if let Some(of) = target::known_summed(write) {
            if rows == 1 && ledger::is_in_use() {
                let made = made::by_point_write(query, of);
                if made.by_sum {
                    if made.inserted {
                        frame::guarded(|| noted::note_gone(write, Some(deleted)));
                        return;
                    }
                    if deleted == 0 {
                        return;
                    }
                    // It was there, and is gone.
                    counted = 0;
                }
            }
            if eflags & pg_sys::EXEC_FLAG_SKIP_TRIGGERS as i32 == 0
                && !levels::current().is_postgres()
                && ledger::add_free(write.command, named, of, counted, deleted)
            {
                return;
            }
        }
        let by = (*(*query).estate).es_output_cid;
        let written = Written { write, rows: counted, deleted, by };
        let refused: Option<Frozen> = frame::guarded(|| count(&written, eflags).err());
        if let Some(frozen) = refused {
            report::raise(&frozen);
        }
    }
}

/// Judges what a ModifyTable has written that stands where no guard could be placed: a node of another extension
/// keeps it.
///
/// # Safety
/// `query` has been run and is the current level; no frame above owns anything.
#[cold]
unsafe fn account_hidden(query: *mut pg_sys::QueryDesc) {
    // SAFETY: by contract.
    unsafe {
        let (plan, estate) = ((*query).plannedstmt, (*query).estate);
        let refused: Option<Frozen> = frame::guarded(|| {
            let modify = planned::main_modify_table(plan).filter(|modify| Orders::may_be_in(*modify))?;
            let write = Write::of_plan((*plan).rtable, modify)?;
            let rows = (*estate).es_processed;
            let (deleted, by) = (write.deletes(rows), (*estate).es_output_cid);
            count(&Written { write, rows, deleted, by }, (*estate).es_top_eflags).err()
        });
        if let Some(frozen) = refused {
            report::raise(&frozen);
        }
    }
}

/// What a write without a guard has written.
struct Written {
    write: Write,
    /// Those that the sum has not made itself.
    rows: u64,
    deleted: u64,
    by: pg_sys::CommandId,
}

fn count(written: &Written, eflags: i32) -> Result<(), Frozen> {
    let &Written { write, rows, deleted, by } = written;
    let in_force = policy::of(write.relation);
    let of = target::summed(write);
    if in_force.is_exempt() {
        return Ok(());
    }
    let guarded = in_force.guards(write.command);
    let referential = levels::is_referential(eflags);
    let bypassed = !settings::BYPASS_ROLE.is_empty() && Writer::now(referential).bypassed;
    if !guarded || levels::current().is_postgres() || bypassed {
        ledger::note_written(None, noted::fresh(write), by);
        if !bypassed {
            noted::note_gone(write, Some(deleted));
        }
        if !bypassed || !guarded {
            return Ok(());
        }
    } else if target::is_in_tree(write.relation) && deleted == 0 {
        ledger::note_written(Some(of), noted::fresh(write), by);
    }
    if settings::BYPASS_ROLE.is_empty() {
        if deleted > 0 && target::is_in_tree(write.relation) {
            ledger::note_gone_elsewhere(of);
        }
        let sum = ledger::add(of, rows, deleted, referential);
        let within = in_force.bounds().surely_within();
        let free = if sum <= within {
            within
        } else {
            let mut task = Task::new(write, in_force.clone(), referential).joined(deleted);
            task.finish_counted(rows, sum)?
        };
        // Where a budget is a role's, another role's next write has to be judged by itself.
        let until = if settings::OVERRIDE_ROLE.is_empty() { free } else { within };
        if !target::is_in_tree(write.relation) {
            ledger::free_until(of, in_force.effective().commands, until);
        }
        return Ok(());
    }
    Task::new(write, in_force, referential).join_sum(rows, deleted).map(drop)
}
