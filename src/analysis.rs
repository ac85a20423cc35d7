//! From a Query to findings: what a statement writes and whether it is qualified. Called by the
//! planner hook before planning, because planning scribbles on the Query, and by the guard node
//! for conditions that hang on parameters. It looks at the statement and the catalogs only, so a
//! finding may live in a cached plan; settings and policies are read here only to leave out what is
//! not guarded at all, and a change of those makes PostgreSQL plan anew.

mod form;
pub mod known;
mod lists;
mod prover;
mod scope;
mod sublink;
pub mod target;
mod values;

use crate::pg::pg_sys;
use pgrx::pg_sys::NodeTag;
use safedelete_core::command::Command;

use crate::dry_run;
use crate::pg::{compat, frame, nodes, raw};
use target::Target;

/// Whether the rows a statement writes are restricted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Qualification {
    Qualified,
    /// No condition at all.
    NoWhere,
    /// The condition restricts nothing.
    MatchesEveryRow,
    /// The condition restricts nothing: a sub-select compares this column with itself.
    OuterColumn(i16),
    /// The condition restricts nothing: it compares this column with itself.
    ComparedWithItself(i16),
    /// The condition has parameters: the bound values decide at each execution.
    Deferred,
}

/// What the analysis found of one data-modifying part of a statement.
#[derive(Clone, Copy)]
pub struct Finding {
    pub command: Command,
    pub relation: pg_sys::Oid,
    /// `ONLY`, or a table that PostgreSQL treats so.
    pub only: bool,
    /// `mode` and `commands` have it looked at; where not, parts with policies of their own may be.
    pub guarded: bool,
    /// Not even one row is free.
    pub frozen: bool,
    pub qualification: Qualification,
    /// An UPDATE whose new values may hang on when they are computed.
    pub sets_volatile: bool,
    /// The range table index that the kept conditions call the target by.
    pub target_index: i32,
    /// Where deferred: a List of Lists, each the conditions of one way to a row (one for DELETE and
    /// UPDATE, one for each action of MERGE), each of which must restrict.
    pub conditions: *mut pg_sys::List,
}

impl Finding {
    /// Of a qualified write that is guarded.
    #[inline]
    fn of_keyed(command: Command, relation: pg_sys::Oid, only: bool, target_index: i32) -> Finding {
        Finding {
            command,
            relation,
            only,
            guarded: true,
            frozen: false,
            sets_volatile: false,
            qualification: Qualification::Qualified,
            target_index,
            conditions: std::ptr::null_mut(),
        }
    }
}

/// The findings of a statement, in the order of its data-modifying CTEs, itself last; an entry is
/// `None` where the part is not guarded.
pub fn analyse(query: *mut pg_sys::Query) -> Vec<Option<Finding>> {
    let mut findings = Vec::new();
    // SAFETY: the planner's Query; ctequery is a Query where it modifies data.
    unsafe {
        if (*query).hasModifyingCTE {
            for cte in nodes::items::<pg_sys::CommonTableExpr>((*query).cteList) {
                let inner = (*cte).ctequery.cast::<pg_sys::Query>();
                if (*inner).commandType != pg_sys::CmdType::CMD_SELECT {
                    findings.push(examine(inner));
                }
            }
        }
        if (*query).commandType != pg_sys::CmdType::CMD_SELECT {
            findings.push(examine(query));
        }
    }
    findings
}

/// The finding of one data-modifying Query; `None` where it is not guarded.
///
/// # Safety
/// `query` is a Query that modifies data.
pub unsafe fn examine(query: *mut pg_sys::Query) -> Option<Finding> {
    // SAFETY: a Query.
    let command = match unsafe { (*query).commandType } {
        pg_sys::CmdType::CMD_DELETE => Command::Delete,
        pg_sys::CmdType::CMD_UPDATE => Command::Update,
        pg_sys::CmdType::CMD_MERGE => Command::Merge,
        // SAFETY: onConflict is NULL or an OnConflictExpr.
        pg_sys::CmdType::CMD_INSERT => unsafe {
            let conflict = (*query).onConflict;
            if conflict.is_null() || (*conflict).action != pg_sys::OnConflictAction::ONCONFLICT_UPDATE {
                return None;
            }
            Command::Upsert
        },
        _ => return None,
    };
    // SAFETY: a Query's resultRelation is a range table entry of a relation.
    let entry = unsafe { nodes::range_table_entry((*query).rtable, (*query).resultRelation as u32)? };
    // SAFETY: as above.
    let (relation, only) = unsafe { ((*entry).relid, !(*entry).inh) };
    // SAFETY: a Query that writes `entry`.
    let target = unsafe { Target::of_query(query, entry)? };
    let guarded = target.is_guarded(command);
    if !guarded && !target.has_parts() && !dry_run::is_on() {
        return None;
    }
    let frozen = target.is_frozen();
    // SAFETY: as above.
    let sets_volatile = command == Command::Update && unsafe { values::hang_on_time(query) };
    let mut finding = Finding {
        guarded,
        frozen,
        sets_volatile,
        ..Finding::of_keyed(command, relation, only, target.index)
    };
    if command == Command::Upsert || !guarded {
        return Some(finding);
    }
    // SAFETY: as above.
    if command != Command::Merge && target.is_keyed(unsafe { (*(*query).jointree).quals }) {
        // SAFETY: as above. A view's columns go by another number.
        if !frozen && target.index == unsafe { (*query).resultRelation } {
            known::remember(&target);
        }
        return Some(finding);
    }
    // SAFETY: as above.
    let ways = unsafe { ways_to_a_row(query, entry, command) };
    if command == Command::Merge && ways.is_empty() {
        // Only INSERT and DO NOTHING: it writes nothing that was there.
        return None;
    }
    if ways.iter().all(|way| way.is_keyed(&target)) {
        return Some(finding);
    }
    // What holds whatever is bound decides for every execution.
    let settled: Vec<_> = ways.iter().map(|way| way.settled(&target)).collect();
    finding.qualification = judge(query, &target, &settled, std::ptr::null_mut());
    if finding.qualification != Qualification::Qualified {
        if ways.iter().any(Way::has_parameters) {
            finding.qualification = Qualification::Deferred;
            finding.conditions = nodes::list(ways.iter().map(Way::to_list));
        } else {
            finding.qualification = judge(query, &target, &ways, std::ptr::null_mut());
        }
    }
    Some(finding)
}

/// One way to a row: conditions that all hold for a row that is written.
pub struct Way {
    conditions: Vec<*mut pg_sys::Node>,
    /// The first condition counts negated (MERGE ... NOT MATCHED BY SOURCE).
    negated_first: bool,
}

impl Way {
    fn is_keyed(&self, target: &Target) -> bool {
        !self.negated_first && self.conditions.iter().any(|c| target.is_keyed(*c))
    }

    /// The conditions whose reading no bound value changes.
    fn settled(&self, target: &Target) -> Way {
        let mut conditions = Vec::new();
        for (i, condition) in self.conditions.iter().enumerate() {
            if self.negated_first && i == 0 {
                // Negated, it is no AND that could be taken apart.
                if has_parameters(*condition) {
                    return Way { conditions, negated_first: false };
                }
                conditions.push(*condition);
            } else {
                settled_parts(*condition, target, &mut conditions);
            }
        }
        Way { conditions, negated_first: self.negated_first }
    }

    fn has_parameters(&self) -> bool {
        self.conditions.iter().any(|c| has_parameters(*c))
    }

    fn to_list(&self) -> *mut pg_sys::List {
        // SAFETY: makes nodes in the current memory context.
        let flag = unsafe { pg_sys::makeBoolConst(self.negated_first, false) };
        // SAFETY: copies, for the planner scribbles on the originals.
        let copies = self.conditions.iter().map(|c| unsafe { pg_sys::copyObjectImpl(c.cast()) });
        nodes::list(std::iter::once(flag.cast()).chain(copies))
    }

    /// # Safety
    /// `list` was made by `to_list`.
    unsafe fn from_list(list: *mut pg_sys::List) -> Way {
        let mut items = nodes::items::<pg_sys::Node>(list);
        let flag = items.next().unwrap_or(std::ptr::null_mut());
        let negated_first = nodes::cast::<pg_sys::Const, _>(flag, NodeTag::T_Const)
            // SAFETY: the tag says Const.
            .is_some_and(|flag| unsafe { (*flag).constvalue.value() != 0 });
        Way { conditions: items.collect(), negated_first }
    }
}

/// # Safety
/// `query` is a DELETE, UPDATE or MERGE that writes `entry`.
unsafe fn ways_to_a_row(
    query: *mut pg_sys::Query,
    entry: *mut pg_sys::RangeTblEntry,
    command: Command,
) -> Vec<Way> {
    // SAFETY: by contract; transformDeleteStmt and its siblings never leave jointree NULL.
    unsafe {
        // Row security conditions of the target, and those of security-barrier views.
        let mut shared: Vec<_> = nodes::items::<pg_sys::Node>((*entry).securityQuals).collect();
        if command != Command::Merge {
            shared.extend(present((*(*query).jointree).quals));
            return vec![Way { conditions: shared, negated_first: false }];
        }
        shared.extend(present(compat::merge_view_condition(query)));
        let join = compat::merge_condition(query);
        nodes::items::<pg_sys::MergeAction>((*query).mergeActionList)
            .filter(|action| {
                matches!((**action).commandType, pg_sys::CmdType::CMD_UPDATE | pg_sys::CmdType::CMD_DELETE)
            })
            .map(|action| {
                let negated_first = compat::not_matched_by_source(action) && !join.is_null();
                let mut conditions: Vec<_> = present(join).collect();
                conditions.extend(present((*action).qual));
                conditions.extend(&shared);
                Way { conditions, negated_first }
            })
            .collect()
    }
}

fn settled_parts(condition: *mut pg_sys::Node, target: &Target, parts: &mut Vec<*mut pg_sys::Node>) {
    let arms = match nodes::tag(condition) {
        NodeTag::T_List => Some(condition.cast::<pg_sys::List>()),
        NodeTag::T_BoolExpr => {
            let expression = condition.cast::<pg_sys::BoolExpr>();
            // SAFETY: the tag says BoolExpr.
            unsafe { ((*expression).boolop == pg_sys::BoolExprType::AND_EXPR).then_some((*expression).args) }
        }
        _ => None,
    };
    match arms {
        Some(arms) => nodes::items(arms).for_each(|arm| settled_parts(arm, target, parts)),
        None if !has_parameters(condition) || compares_with_parameter(condition, target) => {
            parts.push(condition)
        }
        None => {}
    }
}

/// `expression op $1`, where no CHECK constraint could make it true of some value.
fn compares_with_parameter(condition: *mut pg_sys::Node, target: &Target) -> bool {
    let Some(op) = nodes::cast::<pg_sys::OpExpr, _>(condition, NodeTag::T_OpExpr) else { return false };
    // SAFETY: the tag says OpExpr.
    let sides = unsafe { nodes::items::<pg_sys::Node>((*op).args).collect::<Vec<_>>() };
    let is_parameter = |side: *mut pg_sys::Node| nodes::tag(nodes::strip_relabel(side)) == NodeTag::T_Param;
    !target.has_checks()
        && sides.iter().filter(|side| is_parameter(**side)).count() == 1
        && sides.iter().filter(|side| !is_parameter(**side)).all(|side| !has_parameters(*side))
}

fn present(node: *mut pg_sys::Node) -> impl Iterator<Item = *mut pg_sys::Node> {
    (!node.is_null()).then_some(node).into_iter()
}

/// Judges every way to a row; the first that restricts nothing decides.
fn judge(
    query: *mut pg_sys::Query,
    target: &Target,
    ways: &[Way],
    root: *mut pg_sys::PlannerInfo,
) -> Qualification {
    let judge = form::Judge::new(target, root);
    let top = scope::Scope::top(query);
    for way in ways {
        let qualification = judge.qualification(&way.conditions, way.negated_first, &top);
        if qualification != Qualification::Qualified {
            return qualification;
        }
    }
    Qualification::Qualified
}

/// Judges kept conditions with the values that are bound now.
///
/// # Safety
/// `conditions` is a finding's, `parameters` the execution's.
pub unsafe fn judge_bound(
    relation: pg_sys::Oid,
    only: bool,
    target_index: i32,
    conditions: *mut pg_sys::List,
    parameters: pg_sys::ParamListInfo,
) -> Qualification {
    let target = Target::of_relation(relation, only, target_index);
    // SAFETY: each item was made by `to_list`.
    let ways: Vec<_> = nodes::items(conditions).map(|way| unsafe { Way::from_list(way) }).collect();
    // SAFETY: `parameters` is NULL or the execution's.
    let root = unsafe { planner_info_with(parameters, highest_parameter(conditions)) };
    judge(std::ptr::null_mut(), &target, &ways, root)
}

/// A PlannerInfo that tells constant folding the bound values, as the planner's own does for a
/// custom plan.
///
/// # Safety
/// `parameters` is NULL or an execution's parameter list.
unsafe fn planner_info_with(parameters: pg_sys::ParamListInfo, highest: i32) -> *mut pg_sys::PlannerInfo {
    if parameters.is_null() {
        return std::ptr::null_mut();
    }
    // SAFETY: makes nodes in the current memory context; a parameter is fetched as
    // eval_const_expressions fetches it.
    unsafe {
        let count = highest.min((*parameters).numParams).max(0);
        let constants = pg_sys::makeParamList(count);
        for i in 0..count {
            let into = (*constants).params.as_mut_ptr().add(i as usize);
            let mut work = std::mem::zeroed();
            let from = match (*parameters).paramFetch {
                Some(fetch) => frame::call(|| {
                    #[allow(ffi_unwind_calls, reason = "inside frame::call; the closure owns nothing")]
                    fetch(parameters, i + 1, true, &mut work)
                }),
                None => (*parameters).params.as_mut_ptr().add(i as usize),
            };
            *into = *from;
            // A SQL function does not mark its arguments so, since it keeps the plan; this
            // judgement is for one execution.
            (*into).pflags |= pg_sys::PARAM_FLAG_CONST as u16;
        }
        let global = pg_sys::palloc0(size_of::<pg_sys::PlannerGlobal>()).cast::<pg_sys::PlannerGlobal>();
        (*global).type_ = NodeTag::T_PlannerGlobal;
        (*global).boundParams = constants;
        let root = pg_sys::palloc0(size_of::<pg_sys::PlannerInfo>()).cast::<pg_sys::PlannerInfo>();
        (*root).type_ = NodeTag::T_PlannerInfo;
        (*root).glob = global;
        root
    }
}

/// Constant folding, PostgreSQL's own.
fn fold(node: *mut pg_sys::Node, root: *mut pg_sys::PlannerInfo) -> *mut pg_sys::Node {
    frame::call(|| {
        #[allow(ffi_unwind_calls, reason = "inside frame::call; the closure owns nothing")]
        // SAFETY: eval_const_expressions copies what it changes.
        unsafe {
            raw::eval_const_expressions(root, node)
        }
    })
}

/// Whether a tree has external parameters anywhere, sub-selects included.
fn has_parameters<T>(node: *mut T) -> bool {
    highest_parameter(node) > 0
}

/// The highest external parameter of a tree, 0 where there is none.
fn highest_parameter<T>(node: *mut T) -> i32 {
    let mut highest = 0;
    let context: *mut i32 = &mut highest;
    frame::call(|| {
        #[allow(ffi_unwind_calls, reason = "inside frame::call; the closure owns nothing")]
        // SAFETY: the walker only reads the tree and writes `highest`.
        unsafe {
            parameter_walker(node.cast(), context.cast())
        }
    });
    highest
}

#[allow(ffi_unwind_calls, reason = "a bare frame: it owns nothing and cannot panic")]
unsafe extern "C-unwind" fn parameter_walker(
    node: *mut pg_sys::Node,
    context: *mut core::ffi::c_void,
) -> bool {
    // SAFETY: a node or NULL; `context` is the i32 of highest_parameter.
    unsafe {
        match nodes::tag(node) {
            NodeTag::T_Invalid => false,
            NodeTag::T_Param => {
                let param = node.cast::<pg_sys::Param>();
                if (*param).paramkind == pg_sys::ParamKind::PARAM_EXTERN {
                    let highest = context.cast::<i32>();
                    *highest = (*highest).max((*param).paramid);
                }
                false
            }
            NodeTag::T_Query => raw::query_tree_walker(node.cast(), parameter_walker, context, 0),
            _ => raw::expression_tree_walker(node, parameter_walker, context),
        }
    }
}
