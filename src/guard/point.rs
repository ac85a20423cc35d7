//! Writes of at most one row carry no guard. Run by functions and triggers, they still belong to
//! the client statement's sum: the ExecutorFinish hook counts them.

use pgrx::pg_sys;
use pgrx::pg_sys::NodeTag;
use safedelete_core::command::Command;

use super::node;
use super::task::Task;
use crate::levels;
use crate::pg::{frame, nodes, relations};
use crate::refusal::{self, Frozen};
use crate::settings::{self, Mode};
use crate::{exemption, ledger};

/// Counts what an unguarded write below another statement has written. For a bare frame; at the
/// outside a single row decides nothing and this returns at once.
///
/// # Safety
/// `query` has been run; no frame above owns anything.
#[inline]
pub unsafe fn account(query: *mut pg_sys::QueryDesc) {
    // SAFETY: by contract; casts follow tags.
    unsafe {
        let operation = (*query).operation;
        if operation != pg_sys::CmdType::CMD_DELETE && operation != pg_sys::CmdType::CMD_UPDATE {
            return;
        }
        let level = levels::current();
        let eflags = (*(*query).estate).es_top_eflags;
        let rows = (*(*query).estate).es_processed;
        if rows == 0 || (level.is_outside() && eflags & pg_sys::EXEC_FLAG_SKIP_TRIGGERS as i32 == 0) {
            return;
        }
        let plan = (*(*query).plannedstmt).planTree;
        if nodes::tag(plan) != NodeTag::T_ModifyTable {
            return;
        }
        let modify = plan.cast::<pg_sys::ModifyTable>();
        if node::is_guard((*modify).plan.lefttree) {
            return;
        }
        let refused: Option<Frozen> = frame::guarded(|| {
            let command = if operation == pg_sys::CmdType::CMD_DELETE { Command::Delete } else { Command::Update };
            let table = (*(*query).plannedstmt).rtable;
            let entry = nodes::range_table_entry(table, (*modify).nominalRelation)?;
            count(command, (*entry).relid, !(*entry).inh, rows, eflags).err()
        });
        if let Some(frozen) = refused {
            refusal::raise(&frozen);
        }
    }
}

fn count(command: Command, relation: pg_sys::Oid, only: bool, rows: u64, eflags: i32) -> Result<(), Frozen> {
    if settings::mode() == Mode::Off || !settings::commands().contains(command) {
        return Ok(());
    }
    // What was judged once in this sum is not judged again.
    if !ledger::is_open(relation)
        && (relations::is_exempt(relation) || exemption::of_process() || exemption::of_table(relation))
    {
        return Ok(());
    }
    let referential = levels::is_referential(eflags);
    if !settings::has_bypass_roles() {
        let sum = ledger::add(relation, rows, referential);
        if sum <= settings::bounds().surely_within() {
            return Ok(());
        }
        return Task::of_point_write(command, relation, only, referential).finish_counted(rows, sum);
    }
    let mut task = Task::of_point_write(command, relation, only, referential);
    task.finish(rows)
}
