//! Gives orders to the ModifyTables of a finished plan; guards stand by them when it is run. Nothing is attached to a
//! plan that cannot write two rows where that decides nothing.

use crate::pg::pg_sys;
use pgrx::pg_sys::NodeTag;
use safedelete_core::command::Command;
use safedelete_core::expectation::{self, NotEnforced};

use super::orders::{Facts, Flow};
use super::planned::{
    highest_id, junk, leaves, modify_tables, parts_with_policy, writes_foreign, writes_named_alone,
};
use super::{repeats, split, unique};
use crate::analysis::known::{Keyed, Lookup};
use crate::analysis::{self, Finding, Qualification, expected};
use crate::engines;
use crate::levels;
use crate::pg::nodes::{self, Nodes};
use crate::pg::write::Write;
use crate::pg::{frame, relations, report};
use crate::settings::{self, SumOver};

/// Gives orders to each ModifyTable that has a finding.
///
/// # Safety
/// `plan` is what the planner made of the Query that `findings` describe.
pub unsafe fn attach(plan: *mut pg_sys::PlannedStmt, findings: &[Option<Finding>]) {
    // SAFETY: a finished plan, ours to change until the planner hook returns.
    unsafe {
        let counts_all = analysis::looks_at_all();
        let main = nodes::cast::<pg_sys::ModifyTable, _>((*plan).planTree, NodeTag::T_ModifyTable);
        if !counts_all
            && let ([Some(finding)], Some(modify)) = (findings, main)
            && (*modify).canSetTag
            && point_write(plan, modify, finding).is_some_and(|most| meets_expectation(finding, most))
        {
            // Nearly every write ends here.
            return;
        }
        let all;
        let targets = match &main {
            Some(main) if !(*plan).hasModifyingCTE => std::slice::from_ref(main),
            _ => {
                all = modify_tables(plan);
                all.as_slice()
            }
        };
        for (place, finding) in findings.iter().enumerate() {
            let Some(finding) = *finding else { continue };
            let is_its_own = |modify: &&*mut pg_sys::ModifyTable| writes(plan, **modify, &finding);
            // The same place; a planner of another extension may have moved it.
            let Some(modify) =
                targets.get(place).filter(is_its_own).or_else(|| targets.iter().find(is_its_own)).copied()
            else {
                // What an engine runs whole carries its words there (elsewhere.rs).
                if !engines::runs(finding.write.relation)
                    && let Some(word) = expected::first(Nodes::of(finding.expected))
                {
                    report::raise_here(&expectation::not_enforced(word, NotEnforced::PlannedElsewhere));
                }
                continue;
            };
            let parts = parts_with_policy(plan, modify, &finding);
            if finding.guarded || counts_all || !parts.is_empty() || !finding.expected.is_null() {
                instruct(plan, modify, finding, &parts);
            }
        }
    }
}

/// What is known of a write before it runs.
#[derive(Clone, Copy)]
pub struct Estimate {
    /// The rows that the planner expects it to select.
    pub rows: Option<f64>,
    /// Parts of the table that have policies of their own may be written.
    pub has_parts: bool,
}

/// What a plan tells of the write of each finding.
///
/// # Safety
/// `plan` is what the planner made of the Query that `findings` describe.
pub unsafe fn estimates(plan: *mut pg_sys::PlannedStmt, findings: &[Option<Finding>]) -> Vec<Estimate> {
    // SAFETY: a finished plan.
    unsafe {
        let targets = modify_tables(plan);
        let estimate = |finding: &Finding| {
            let modify = *targets.iter().find(|modify| writes(plan, **modify, finding))?;
            Some(Estimate {
                rows: Some((*(*modify).plan.lefttree).plan_rows),
                has_parts: !parts_with_policy(plan, modify, finding).is_empty(),
            })
        };
        let unknown = Estimate { rows: None, has_parts: false };
        findings.iter().map(|finding| finding.as_ref().and_then(estimate).unwrap_or(unknown)).collect()
    }
}

/// Whether a ModifyTable is the one that a finding describes.
///
/// # Safety
/// `modify` is of `plan`.
unsafe fn writes(
    plan: *mut pg_sys::PlannedStmt,
    modify: *mut pg_sys::ModifyTable,
    finding: &Finding,
) -> bool {
    // SAFETY: by contract.
    unsafe {
        Write::of_plan((*plan).rtable, modify).is_some_and(|write| {
            // An engine may have put a part in the table's place.
            write.command == finding.write.command
                && (write.relation == finding.write.relation
                    || engines::whole(write.relation) == Some(finding.write.relation))
        })
    }
}

/// Whether the plan of a write that `analysis::known` tells writes at most one row, as the plan of one before: the same
/// question as below at a glance, for a bare frame, where `scope` is `statement`. Not known is no.
///
/// # Safety
/// `plan` is what the planner made of that write.
#[inline(always)]
pub unsafe fn is_known_point_write(plan: *mut pg_sys::PlannedStmt, keyed: &Keyed) -> bool {
    // SAFETY: by contract.
    let lookup = unsafe { lookup(plan) };
    lookup.is_some_and(|(_, lookup)| keyed.finds_one_by(lookup)) && !levels::current().is_explaining()
}

/// The same, where no plan was like it before.
///
/// # Safety
/// As `is_known_point_write`.
pub unsafe fn is_point_write(plan: *mut pg_sys::PlannedStmt, keyed: &Keyed) -> bool {
    // SAFETY: by contract.
    unsafe {
        let Some((modify, lookup)) = lookup(plan) else { return false };
        let scan = (*modify).plan.lefttree.cast::<pg_sys::IndexScan>();
        if unique::known_lookup((*scan).indexid, (*scan).indexqual) != Some(true)
            || !writes_named_alone(modify)
        {
            return false;
        }
        keyed.remember(lookup);
        !levels::current().is_explaining()
    }
}

/// By what a plan finds the rows that it writes, where that is an index and one condition.
///
/// # Safety
/// `plan` is a finished plan.
#[inline(always)]
unsafe fn lookup(plan: *mut pg_sys::PlannedStmt) -> Option<(*mut pg_sys::ModifyTable, Lookup)> {
    // SAFETY: by contract; each cast follows the tag.
    unsafe {
        let modify = (*plan).planTree.cast::<pg_sys::ModifyTable>();
        if nodes::tag(modify) != NodeTag::T_ModifyTable || !(*modify).canSetTag {
            return None;
        }
        let scan = (*modify).plan.lefttree.cast::<pg_sys::IndexScan>();
        if nodes::tag(scan) != NodeTag::T_IndexScan {
            return None;
        }
        let operator = unique::single_operator(Nodes::of((*scan).indexqual))?;
        Some((modify, Lookup { index: (*scan).indexid, operator }))
    }
}

/// Whether so many rows are met by what the statement expects, whatever is bound.
///
/// # Safety
/// `finding` is the statement's.
#[inline]
unsafe fn meets_expectation(finding: &Finding, most: u64) -> bool {
    if finding.expected.is_null() {
        return true;
    }
    // SAFETY: by contract.
    let said = unsafe { Nodes::of(finding.expected) };
    expected::surely_met_up_to(said).is_some_and(|met| most <= met)
}

/// How many rows the plan writes at most, where that is one, or no more than are free whatever the table's
/// size, and nothing hangs on counting them here.
///
/// # Safety
/// `modify` is of a finished plan.
unsafe fn point_write(
    plan: *mut pg_sys::PlannedStmt,
    modify: *mut pg_sys::ModifyTable,
    finding: &Finding,
) -> Option<u64> {
    if !matches!(finding.write.command, Command::Delete | Command::Update)
        || finding.qualification != Qualification::Qualified
        || settings::scope() == SumOver::Transaction
        || finding.free == 0
    {
        return None;
    }
    // SAFETY: a plan's nodes; each cast follows the tag. A writable CTE is never a point write here:
    // es_processed counts the main ModifyTable alone.
    unsafe {
        let input = (*modify).plan.lefttree;
        let most = match nodes::tag(input) {
            NodeTag::T_IndexScan => {
                let scan = &*input.cast::<pg_sys::IndexScan>();
                unique::most_rows(scan.indexid, scan.indexqual)
            }
            NodeTag::T_BitmapHeapScan if nodes::tag((*input).lefttree) == NodeTag::T_BitmapIndexScan => {
                let scan = &*(*input).lefttree.cast::<pg_sys::BitmapIndexScan>();
                unique::most_rows(scan.indexid, scan.indexqual)
            }
            NodeTag::T_TidScan => {
                let scan = &*input.cast::<pg_sys::TidScan>();
                let finds_one = nodes::length(scan.tidquals) == 1
                    && nodes::items::<pg_sys::Node>(scan.tidquals)
                        .all(|qual| matches!(nodes::tag(qual), NodeTag::T_OpExpr | NodeTag::T_CurrentOfExpr));
                finds_one.then_some(1)
            }
            _ => None,
        };
        // Below another statement each row is looked at, whether its sum has written it before: of one row that
        // a scan has found it can be told afterwards.
        let told_afterwards = matches!(nodes::tag(input), NodeTag::T_IndexScan | NodeTag::T_TidScan);
        let most = most.filter(|most| (*most <= 1 && told_afterwards) || levels::plans_clients_own());
        most.filter(|most| *most <= finding.free).filter(|_| {
            !(levels::current().is_explaining()
                && relations::has_cascades(finding.write.relation, finding.write.command == Command::Delete))
                && (writes_named_alone(modify) || parts_with_policy(plan, modify, finding).is_empty())
        })
    }
}

/// # Safety
/// `modify` is of `plan`, a finished plan.
unsafe fn instruct(
    plan: *mut pg_sys::PlannedStmt,
    modify: *mut pg_sys::ModifyTable,
    finding: Finding,
    parts: &[pg_sys::Oid],
) {
    // SAFETY: a finished plan, ours to change; every ModifyTable has an input.
    unsafe {
        let input = (*modify).plan.lefttree;
        let collects = finding.write.command == Command::Update && (*modify).fdwDirectModifyPlans.is_null();
        let given =
            if finding.sets_volatile && collects { split::split(input) } else { Some(std::ptr::null_mut()) };
        let (ctid, tableoid) = (junk(input, c"ctid"), junk(input, c"tableoid"));
        let whole_row = if finding.joins_view { junk(input, c"wholerow") } else { 0 };
        let flow = if matches!(finding.write.command, Command::Merge | Command::Upsert) {
            Flow::Parent
        } else if !(*modify).fdwDirectModifyPlans.is_null() {
            Flow::Direct { returning: !(*modify).returningLists.is_null() }
        } else {
            Flow::Rows
        };
        let width = nodes::length((*input).targetlist) as i32;
        // MERGE and upserts count what they write. Rows of a foreign server alone are each written.
        let tells_apart = (ctid > 0 || whole_row > 0)
            && match flow {
                Flow::Rows => true,
                Flow::Direct { .. } => tableoid > 0,
                Flow::Parent => false,
            };
        let repeats = tells_apart && repeats::may_repeat(modify);
        let is_foreign = || writes_foreign(plan, modify);
        let facts = Facts {
            write: finding.write,
            qualification: finding.qualification,
            is_plain: finding.qualification == Qualification::Qualified
                && flow == Flow::Rows
                && !repeats
                && parts.is_empty()
                && finding.expected.is_null(),
            target_index: finding.target_index,
            repeats,
            ctid,
            tableoid,
            whole_row,
            // es_processed tells what has been deleted, of a ModifyTable that PostgreSQL runs as the whole plan.
            skips: repeats
                && ctid > 0
                && finding.write.command == Command::Delete
                && std::ptr::eq((*plan).planTree, modify.cast())
                && (*modify).canSetTag
                && !is_foreign()
                && !engines::may_be_here(),
            // Foreign tables among others may have no ctid, or none that is a row's.
            tids_only: ctid > 0 && width == 1 + i32::from(tableoid > 0) && (tableoid == 0 || !is_foreign()),
            flow,
            projects: given.is_some_and(|given| !given.is_null()),
            evaluates_early: given.is_none(),
            leaf: leaves(plan, modify).next().unwrap_or(finding.write.relation),
        };
        let lists = [finding.conditions, nodes::oid_list(parts), finding.expected];
        if let Some(given) = given.filter(|given| !given.is_null()) {
            let id = highest_id(plan) + 1;
            (*modify).plan.lefttree = frame::call(|| split::above(input, given, id));
        }
        frame::call(|| facts.give(modify, lists));
    }
}
