//! Sub-selects in a condition. The trap this room looks for: a name that the sub-select's own
//! tables do not have is taken from the statement's target, so that the target's column is
//! compared with itself and the condition ties nothing to a row.

use crate::pg::pg_sys;
use pgrx::pg_sys::{NodeTag, SubLinkType};

use super::form::{Form, Judge};
use super::itself::{Itself, OnEqual, on_equal, strip_casts};
use super::scope::Scope;
use crate::pg::{frame, nodes, raw};

impl Judge<'_> {
    pub fn sublink(&self, sublink: *mut pg_sys::SubLink, scope: &Scope, negated: bool) -> Form {
        // SAFETY: a SubLink, whose subselect is a Query.
        let (kind, test, query) = unsafe {
            ((*sublink).subLinkType, (*sublink).testexpr, (*sublink).subselect.cast::<pg_sys::Query>())
        };
        let below = scope.below(query);
        match kind {
            SubLinkType::EXISTS_SUBLINK => {
                // SAFETY: a Query.
                if unsafe { always_gives_a_row(query) } {
                    return if negated { Form::Never } else { Form::True };
                }
                // SAFETY: as above.
                if unsafe { self.never_gives_a_row(query, &below) } {
                    return if negated { Form::True } else { Form::Never };
                }
                if self.query_is_tied(query, &below, true) { Form::Tied } else { Form::Free }
            }
            // No row is NULL, and NOT of it is NULL as well.
            // SAFETY: as above.
            SubLinkType::EXPR_SUBLINK if unsafe { self.never_gives_a_row(query, &below) } => Form::Never,
            SubLinkType::ANY_SUBLINK | SubLinkType::ALL_SUBLINK | SubLinkType::ROWCOMPARE_SUBLINK => {
                let mut pairs = Pairs { tied: false, itself: None, on_equal: OnEqual::Unknown };
                self.pair_up(test, query, scope, &mut pairs);
                if pairs.tied || self.query_is_tied(query, &below, true) {
                    return Form::Tied;
                }
                match pairs.itself {
                    Some(column) => {
                        let seen =
                            if kind == SubLinkType::ANY_SUBLINK { pairs.on_equal } else { OnEqual::Unknown };
                        self.with_itself(seen, Itself { column, inner: true }, negated)
                    }
                    None => Form::Free,
                }
            }
            _ => self.tied(sublink.cast(), scope),
        }
    }

    /// Reads `left op (column of the sub-select)`, alone or several of a row comparison.
    fn pair_up(&self, test: *mut pg_sys::Node, query: *mut pg_sys::Query, scope: &Scope, pairs: &mut Pairs) {
        // SAFETY: each cast follows the node's tag.
        unsafe {
            match nodes::tag(test) {
                NodeTag::T_OpExpr => {
                    let op = &*test.cast::<pg_sys::OpExpr>();
                    let mut sides = nodes::items::<pg_sys::Node>(op.args);
                    if let (Some(left), Some(right)) = (sides.next(), sides.next()) {
                        self.pair(on_equal(op.opno), left, right, query, scope, pairs);
                    }
                }
                NodeTag::T_RowCompareExpr => {
                    let compare = &*test.cast::<pg_sys::RowCompareExpr>();
                    let sides = nodes::items(compare.largs).zip(nodes::items(compare.rargs));
                    for (left, right) in sides {
                        self.pair(OnEqual::True, left, right, query, scope, pairs);
                    }
                    pairs.on_equal = OnEqual::Unknown;
                }
                NodeTag::T_BoolExpr => {
                    for arm in nodes::items((*test.cast::<pg_sys::BoolExpr>()).args) {
                        self.pair_up(arm, query, scope, pairs);
                    }
                }
                NodeTag::T_Invalid => {}
                _ => pairs.tied |= self.names_target(test, scope),
            }
        }
    }

    #[allow(clippy::too_many_arguments, reason = "one comparison and the two levels it stands between")]
    fn pair(
        &self,
        on_equal: OnEqual,
        left: *mut pg_sys::Node,
        right: *mut pg_sys::Node,
        query: *mut pg_sys::Query,
        scope: &Scope,
        pairs: &mut Pairs,
    ) {
        let Some(number) = sublink_parameter(right) else {
            pairs.tied |= self.names_target(left, scope) || self.names_target(right, scope);
            return;
        };
        let mut itself = None;
        if on_equal != OnEqual::Unknown {
            scope.any_output_of(query, number, &mut |output, inner| {
                itself = self.same(left, scope, output, inner).map(|itself| itself.column);
                itself.is_some()
            });
        }
        if itself.is_some() {
            pairs.itself = pairs.itself.or(itself);
            pairs.on_equal = on_equal;
            return;
        }
        pairs.tied |= self.names_target(left, scope)
            || scope.any_output_of(query, number, &mut |output, inner| self.names_target(output, inner));
    }

    /// Whether a sub-select's own WHERE is never true: an optional parameter that is left NULL, say.
    ///
    /// # Safety
    /// `query` is a Query.
    unsafe fn never_gives_a_row(&self, query: *mut pg_sys::Query, scope: &Scope) -> bool {
        // SAFETY: by contract. Aggregates without GROUP BY give a row of no rows, and so may grouping
        // sets; the arms of a set operation have conditions of their own.
        unsafe {
            let condition = (*(*query).jointree).quals;
            !condition.is_null()
                && !(*query).hasAggs
                && (*query).havingQual.is_null()
                && (*query).groupingSets.is_null()
                && (*query).setOperations.is_null()
                && self.folded(condition, scope) == Form::Never
        }
    }

    /// Whether a sub-select's rows depend on the target's row; its select list may count or not.
    pub fn query_is_tied(&self, query: *mut pg_sys::Query, scope: &Scope, ignore_select_list: bool) -> bool {
        let key = (query, ignore_select_list);
        if let Some(tied) = self.memory.tied.borrow().get(&key) {
            return *tied;
        }
        let tied = self.has_had_enough() || self.is_tied(query, scope, ignore_select_list);
        self.memory.tied.borrow_mut().insert(key, tied);
        tied
    }

    fn is_tied(&self, query: *mut pg_sys::Query, scope: &Scope, ignore_select_list: bool) -> bool {
        // SAFETY: a Query; each field belongs to its kind.
        unsafe {
            pg_sys::check_stack_depth();
            if self.join_tree_is_tied((*query).jointree.cast(), scope) {
                return true;
            }
            // The arms of a set operation give the select list; INTERSECT and EXCEPT compare it.
            let arms_count = compares_rows((*query).setOperations)
                || (!ignore_select_list && !(*query).setOperations.is_null());
            for entry in nodes::items::<pg_sys::RangeTblEntry>((*query).rtable) {
                let tied = match (*entry).rtekind {
                    pg_sys::RTEKind::RTE_SUBQUERY => {
                        let sub = (*entry).subquery;
                        self.query_is_tied(sub, &scope.below(sub), !arms_count)
                    }
                    pg_sys::RTEKind::RTE_FUNCTION => self.names_target((*entry).functions.cast(), scope),
                    pg_sys::RTEKind::RTE_TABLEFUNC => self.names_target((*entry).tablefunc.cast(), scope),
                    pg_sys::RTEKind::RTE_VALUES => self.names_target((*entry).values_lists.cast(), scope),
                    _ => false,
                };
                if tied {
                    return true;
                }
            }
            for cte in nodes::items::<pg_sys::CommonTableExpr>((*query).cteList) {
                let sub = (*cte).ctequery.cast::<pg_sys::Query>();
                // PostgreSQL does not even plan one that nobody reads.
                if (*cte).cterefcount > 0
                    && nodes::tag(sub) == NodeTag::T_Query
                    && self.query_is_tied(sub, &scope.below(sub), true)
                {
                    return true;
                }
            }
            let having = (*query).havingQual;
            (!having.is_null() && self.folded(having, scope) == Form::Tied)
                || self.names_target((*query).limitCount, scope)
                || self.names_target((*query).limitOffset, scope)
                || nodes::items::<pg_sys::TargetEntry>((*query).targetList).any(|entry| {
                    // What rows are grouped, told apart or ordered by decides which come, and a function
                    // that returns a set how many.
                    let expression = (*entry).expr.cast();
                    let counts = !ignore_select_list
                        || ((*query).hasTargetSRFs && pg_sys::expression_returns_set(expression))
                        || ((*entry).ressortgroupref > 0 && self.column(expression, scope).is_none());
                    counts && self.names_target(expression, scope)
                })
        }
    }

    fn join_tree_is_tied(&self, node: *mut pg_sys::Node, scope: &Scope) -> bool {
        // SAFETY: each cast follows the node's tag.
        unsafe {
            let (children, condition) = match nodes::tag(node) {
                NodeTag::T_FromExpr => {
                    let from = &*node.cast::<pg_sys::FromExpr>();
                    (nodes::items(from.fromlist).collect::<Vec<_>>(), from.quals)
                }
                NodeTag::T_JoinExpr => {
                    let join = &*node.cast::<pg_sys::JoinExpr>();
                    (vec![join.larg, join.rarg], join.quals)
                }
                _ => return false,
            };
            (!condition.is_null() && self.folded(condition, scope) == Form::Tied)
                || children.into_iter().any(|child| self.join_tree_is_tied(child, scope))
        }
    }

    /// Whether a value depends on a column of the target.
    pub fn names_target(&self, node: *mut pg_sys::Node, scope: &Scope) -> bool {
        if self.has_had_enough() {
            return true;
        }
        let mut found = match nodes::tag(node) {
            NodeTag::T_Const | NodeTag::T_Param => return false,
            NodeTag::T_Var => vec![node],
            _ => self.collect(node),
        };
        // `x + x` asks once.
        found.dedup_by(|a, b| {
            // SAFETY: two nodes of the tree.
            unsafe { nodes::tag(*a) == NodeTag::T_Var && pg_sys::equal((*a).cast(), (*b).cast()) }
        });
        found.into_iter().any(|found| {
            // SAFETY: `collect` gives Vars and SubLinks.
            unsafe {
                if let Some(sublink) = nodes::cast::<pg_sys::SubLink, _>(found, NodeTag::T_SubLink) {
                    return match (*sublink).subLinkType {
                        SubLinkType::EXISTS_SUBLINK
                        | SubLinkType::ANY_SUBLINK
                        | SubLinkType::ALL_SUBLINK
                        | SubLinkType::ROWCOMPARE_SUBLINK => {
                            self.sublink(sublink, scope, false) == Form::Tied
                        }
                        _ => {
                            let query = (*sublink).subselect.cast::<pg_sys::Query>();
                            self.query_is_tied(query, &scope.below(query), false)
                        }
                    };
                }
                let var = &*found.cast::<pg_sys::Var>();
                let Some(home) = scope.level(var.varlevelsup) else { return false };
                if home.is_top() {
                    return var.varno == self.target.index;
                }
                if let Some(expression) = home.alias(var.varno as u32, var.varattno) {
                    return self.names_target(expression, home);
                }
                let key = (home.query(), var.varno, var.varattno);
                if let Some(named) = self.memory.outputs.borrow().get(&key) {
                    return *named;
                }
                let named = home.any_output(var.varno as u32, var.varattno, &mut |output, inner| {
                    self.names_target(output, inner)
                });
                self.memory.outputs.borrow_mut().insert(key, named);
                named
            }
        })
    }

    /// The Vars and SubLinks of an expression, not looking into the sub-selects.
    pub fn collect(&self, node: *mut pg_sys::Node) -> Vec<*mut pg_sys::Node> {
        let mut found: *mut pg_sys::List = std::ptr::null_mut();
        let context: *mut *mut pg_sys::List = &mut found;
        frame::call(|| {
            #[allow(ffi_unwind_calls, reason = "inside frame::call; the closure owns nothing")]
            // SAFETY: the walker only reads the tree and appends to `found`.
            unsafe {
                collector(node, context.cast())
            }
        });
        nodes::items(found).collect()
    }
}

struct Pairs {
    /// A pair depends on the target's row.
    tied: bool,
    /// A pair is this column and itself.
    itself: Option<i16>,
    on_equal: OnEqual,
}

#[allow(ffi_unwind_calls, reason = "a bare frame: it owns nothing and cannot panic")]
unsafe extern "C-unwind" fn collector(node: *mut pg_sys::Node, context: *mut core::ffi::c_void) -> bool {
    // SAFETY: a node or NULL; `context` is the list of `collect`.
    unsafe {
        match nodes::tag(node) {
            NodeTag::T_Invalid | NodeTag::T_Query => false,
            NodeTag::T_Var => {
                let found = context.cast::<*mut pg_sys::List>();
                *found = raw::lappend(*found, node.cast());
                false
            }
            // What it compares with is its own business.
            NodeTag::T_SubLink => {
                let found = context.cast::<*mut pg_sys::List>();
                *found = raw::lappend(*found, node.cast());
                false
            }
            _ => raw::expression_tree_walker(node, collector, context),
        }
    }
}

/// The number of the sub-select's column that a test expression's side stands for.
fn sublink_parameter(node: *mut pg_sys::Node) -> Option<i16> {
    let param = nodes::cast::<pg_sys::Param, _>(strip_casts(node).0, NodeTag::T_Param)?;
    // SAFETY: the tag says Param.
    unsafe { ((*param).paramkind == pg_sys::ParamKind::PARAM_SUBLINK).then_some((*param).paramid as i16) }
}

/// An aggregate without GROUP BY gives one row whatever it reads, if no function makes more or none of it.
///
/// # Safety
/// `query` is a Query.
unsafe fn always_gives_a_row(query: *mut pg_sys::Query) -> bool {
    // SAFETY: by contract.
    let query = unsafe { &*query };
    query.hasAggs
        && !query.hasTargetSRFs
        && query.groupClause.is_null()
        && query.groupingSets.is_null()
        && query.havingQual.is_null()
        && query.limitCount.is_null()
        && query.limitOffset.is_null()
        && query.setOperations.is_null()
}

/// INTERSECT and EXCEPT compare their arms' rows, so that even EXISTS depends on select lists.
fn compares_rows(operation: *mut pg_sys::Node) -> bool {
    let Some(operation) = nodes::cast::<pg_sys::SetOperationStmt, _>(operation, NodeTag::T_SetOperationStmt)
    else {
        return false;
    };
    // SAFETY: the tag says SetOperationStmt.
    unsafe {
        (*operation).op != pg_sys::SetOperation::SETOP_UNION
            || compares_rows((*operation).larg)
            || compares_rows((*operation).rarg)
    }
}
