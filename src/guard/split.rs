//! Where a SET list is evaluated. An UPDATE's input computes the new values of a row when it gives the
//! row, and the guard pulls all rows before the first is written: `nextval` in SET would run for all rows
//! before the first RETURNING or row trigger. So the parts of a SET list that may see what is
//! written meanwhile are taken out of the input, which gives the columns that they need instead, and a
//! Result above the guard evaluates them when it gets a row, as the input would have without it.
//!
//! Called when a plan is finished. A plan is changed only where all of it is understood: a scan, a join
//! or a Result at the top, or an Append of such.

use crate::pg::pg_sys;
use pgrx::pg_sys::NodeTag;

use crate::pg::nodes::{self, Nodes};
use crate::pg::{compat, frame, raw};

/// What a Result gives above an input that was split, as a target list over the input's columns. NULL where nothing
/// has to be taken out, `None` where the input is not understood; it stays as it is then.
///
/// # Safety
/// `input` is the input of an UPDATE, of a finished plan that is ours to change.
pub unsafe fn split(input: *mut pg_sys::Plan) -> Option<*mut pg_sys::List> {
    // SAFETY: by contract.
    unsafe {
        let mut places = Places { evaluating: Vec::new(), passing: Vec::new() };
        if !places.find(input) {
            return None;
        }
        let mut parts: Vec<Split> = Vec::with_capacity(places.evaluating.len());
        for plan in &places.evaluating {
            let part = frame::call(|| take_apart((**plan).targetlist, (*input).targetlist));
            let alike = |first: &Split| pg_sys::equal(first.given.cast(), part.given.cast());
            if !parts.first().is_none_or(alike) {
                return None;
            }
            parts.push(part);
        }
        let first = *parts.first()?;
        if first.given.is_null() {
            return Some(first.given);
        }
        for (plan, part) in places.evaluating.iter().zip(&parts) {
            (**plan).targetlist = part.taken;
        }
        for plan in places.passing {
            (*plan).targetlist = frame::call(|| pass_on(first.taken));
        }
        Some(first.given)
    }
}

/// The nodes at the top of an input.
struct Places {
    /// Those that evaluate its target list.
    evaluating: Vec<*mut pg_sys::Plan>,
    /// Those above that hand columns on by their place.
    passing: Vec<*mut pg_sys::Plan>,
}

impl Places {
    /// Whether all are understood.
    ///
    /// # Safety
    /// `plan` is a plan node.
    unsafe fn find(&mut self, plan: *mut pg_sys::Plan) -> bool {
        // SAFETY: by contract.
        unsafe {
            match nodes::tag(plan) {
                NodeTag::T_Append => {
                    self.passing.push(plan);
                    compat::children(plan).into_iter().all(|child| self.find(child))
                }
                // Above a condition that is not of the rows.
                NodeTag::T_Result if !(*plan).lefttree.is_null() && passes_columns((*plan).targetlist) => {
                    self.passing.push(plan);
                    self.find((*plan).lefttree)
                }
                NodeTag::T_Result
                | NodeTag::T_SeqScan
                | NodeTag::T_SampleScan
                | NodeTag::T_IndexScan
                | NodeTag::T_IndexOnlyScan
                | NodeTag::T_BitmapHeapScan
                | NodeTag::T_TidScan
                | NodeTag::T_TidRangeScan
                | NodeTag::T_ForeignScan
                | NodeTag::T_SubqueryScan
                | NodeTag::T_NestLoop
                | NodeTag::T_HashJoin
                | NodeTag::T_MergeJoin => {
                    self.evaluating.push(plan);
                    true
                }
                _ => false,
            }
        }
    }
}

/// # Safety
/// `columns` is a target list.
unsafe fn passes_columns(columns: *mut pg_sys::List) -> bool {
    // SAFETY: by contract.
    unsafe { Nodes::<pg_sys::TargetEntry>::of(columns) }.iter().all(|entry| {
        let var = entry.expr().and_then(|column| column.as_a::<pg_sys::Var>());
        var.is_some_and(|var| var.varno == pg_sys::OUTER_VAR && var.varattno == entry.resno)
    })
}

/// A target list in two: what the input gives, and what the Result makes of it.
#[derive(Clone, Copy)]
struct Split {
    taken: *mut pg_sys::List,
    /// NULL where nothing has to be taken out.
    given: *mut pg_sys::List,
}

/// What the mutator below collects: the columns that the Result's expressions need.
struct Pieces {
    list: *mut pg_sys::List,
    /// The columns that stand before them.
    before: usize,
}

/// The names are those of the topmost node: an Append's children need none.
///
/// # Safety
/// `columns` is a plan's target list, `names` that of its top, as long; runs in `frame::call` and owns
/// nothing.
#[allow(ffi_unwind_calls, reason = "runs in frame::call and owns nothing")]
unsafe fn take_apart(columns: *mut pg_sys::List, names: *mut pg_sys::List) -> Split {
    let mut split = Split { taken: std::ptr::null_mut(), given: std::ptr::null_mut() };
    // SAFETY: makes nodes in the current memory context; a target list holds TargetEntries.
    unsafe {
        if nodes::length(columns) != nodes::length(names) {
            return split;
        }
        let named = || nodes::items::<pg_sys::TargetEntry>(columns).zip(nodes::items(names));
        // What stays comes first.
        for (entry, name) in named() {
            let name: *mut pg_sys::TargetEntry = name;
            if !depends_on_time((*entry).expr.cast(), std::ptr::null_mut()) {
                let copy = like(name, raw::copyObjectImpl((*entry).expr.cast()));
                (*copy).resno = nodes::length(split.taken) as pg_sys::AttrNumber + 1;
                split.taken = raw::lappend(split.taken, copy.cast());
            }
        }
        let before = nodes::length(split.taken);
        if before == nodes::length(columns) {
            return split;
        }
        let mut pieces = Pieces { list: std::ptr::null_mut(), before };
        let mut stayed = 0;
        for (entry, name) in named() {
            let column = (*entry).expr.cast::<pg_sys::Node>();
            let made = if depends_on_time(column, std::ptr::null_mut()) {
                over_pieces(column, (&raw mut pieces).cast())
            } else {
                stayed += 1;
                column_of(column, stayed).cast()
            };
            split.given = raw::lappend(split.given, like(name, made.cast()).cast());
        }
        for piece in nodes::items::<pg_sys::Expr>(pieces.list) {
            let number = nodes::length(split.taken) as pg_sys::AttrNumber + 1;
            let taken = raw::makeTargetEntry(piece, number, std::ptr::null_mut(), true);
            split.taken = raw::lappend(split.taken, taken.cast());
        }
        split
    }
}

/// A bare frame: whether an expression may give something else when other rows have been written: it
/// has volatile functions, or sub-selects, which are not looked into.
#[allow(ffi_unwind_calls, reason = "a bare frame: it owns nothing and cannot panic")]
unsafe extern "C-unwind" fn depends_on_time(
    node: *mut pg_sys::Node,
    nothing: *mut core::ffi::c_void,
) -> bool {
    // SAFETY: NULL or an expression; casts follow tags.
    unsafe {
        match nodes::tag(node) {
            NodeTag::T_Invalid => false,
            NodeTag::T_SubPlan | NodeTag::T_AlternativeSubPlan => true,
            NodeTag::T_Param => (*node.cast::<pg_sys::Param>()).paramkind == pg_sys::ParamKind::PARAM_EXEC,
            _ => {
                nothing.is_null() && raw::contain_volatile_functions(node)
                    || raw::expression_tree_walker(node, depends_on_time, SEEN)
            }
        }
    }
}

/// Tells `depends_on_time` that volatile functions have been looked for already, through all of it.
const SEEN: *mut core::ffi::c_void = std::ptr::dangling_mut::<u8>().cast();

/// A bare frame: a copy of an expression over the columns of the input, which are noted.
#[allow(ffi_unwind_calls, reason = "a bare frame: it owns nothing and cannot panic")]
unsafe extern "C-unwind" fn over_pieces(
    node: *mut pg_sys::Node,
    context: *mut core::ffi::c_void,
) -> *mut pg_sys::Node {
    // SAFETY: NULL or an expression of a plan; `context` is Pieces.
    unsafe {
        match nodes::tag(node) {
            NodeTag::T_Invalid => std::ptr::null_mut(),
            _ if is_column(node) => {
                let pieces = &mut *context.cast::<Pieces>();
                let mut at = 0;
                while at < nodes::length(pieces.list)
                    && !raw::equal((*(*pieces.list).elements.add(at)).ptr_value, node.cast())
                {
                    at += 1;
                }
                if at == nodes::length(pieces.list) {
                    pieces.list = raw::lappend(pieces.list, raw::copyObjectImpl(node.cast()));
                }
                column_of(node, pieces.before + at + 1).cast()
            }
            _ => raw::expression_tree_mutator(node, over_pieces, context),
        }
    }
}

/// Whether an expression is a column of a table or of a node below; a child's row as one of its parent
/// is, too.
///
/// # Safety
/// `node` is an expression.
unsafe fn is_column(mut node: *mut pg_sys::Node) -> bool {
    // SAFETY: by contract; the cast follows the tag.
    unsafe {
        while nodes::tag(node) == NodeTag::T_ConvertRowtypeExpr {
            node = (*node.cast::<pg_sys::ConvertRowtypeExpr>()).arg.cast();
        }
        nodes::tag(node) == NodeTag::T_Var
    }
}

/// Column `number` of the input as the node above sees it.
///
/// # Safety
/// `column` is its expression; no frame above owns anything.
unsafe fn column_of(column: *mut pg_sys::Node, number: usize) -> *mut pg_sys::Var {
    // SAFETY: by contract.
    unsafe { self::column(column, number as pg_sys::AttrNumber) }
}

/// The target list of a node that hands columns on.
///
/// # Safety
/// `columns` is a target list; runs in `frame::call` and owns nothing.
#[allow(ffi_unwind_calls, reason = "runs in frame::call and owns nothing")]
unsafe fn pass_on(columns: *mut pg_sys::List) -> *mut pg_sys::List {
    let mut passed = std::ptr::null_mut();
    // SAFETY: makes nodes in the current memory context.
    unsafe {
        for entry in nodes::items::<pg_sys::TargetEntry>(columns) {
            let column = column((*entry).expr.cast(), (*entry).resno);
            passed = raw::lappend(passed, like(entry, column.cast()).cast());
        }
    }
    passed
}

/// The Result that makes `given` of the rows of `input`.
///
/// # Safety
/// `input` is a node of a finished plan, `given` a target list over its columns; runs in `frame::call` and owns
/// nothing.
#[allow(ffi_unwind_calls, reason = "runs in frame::call and owns nothing")]
pub unsafe fn above(
    input: *mut pg_sys::Plan,
    given: *mut pg_sys::List,
    id: core::ffi::c_int,
) -> *mut pg_sys::Plan {
    // SAFETY: a zeroed node.
    unsafe {
        let node = raw::palloc0(size_of::<pg_sys::Result>()).cast::<pg_sys::Result>();
        // Costs, rows, width, extParam and allParam are the input's.
        (*node).plan = *input;
        let plan = &mut (*node).plan;
        plan.type_ = NodeTag::T_Result;
        plan.plan_node_id = id;
        plan.targetlist = given;
        plan.qual = std::ptr::null_mut();
        plan.initPlan = std::ptr::null_mut();
        plan.lefttree = input;
        plan.righttree = std::ptr::null_mut();
        plan.parallel_aware = false;
        plan.async_capable = false;
        node.cast()
    }
}

/// Column `number` of the node below, whose expression there is `expression`.
///
/// # Safety
/// Runs in `frame::call` and owns nothing.
#[allow(ffi_unwind_calls, reason = "runs in frame::call and owns nothing")]
unsafe fn column(expression: *mut pg_sys::Node, number: pg_sys::AttrNumber) -> *mut pg_sys::Var {
    // SAFETY: makes a node in the current memory context.
    unsafe {
        let (of, modifier) = (raw::exprType(expression), raw::exprTypmod(expression));
        raw::makeVar(pg_sys::OUTER_VAR as _, number, of, modifier, raw::exprCollation(expression), 0)
    }
}

/// A target entry of the same name and number.
///
/// # Safety
/// As `column`.
#[allow(ffi_unwind_calls, reason = "runs in frame::call and owns nothing")]
unsafe fn like(
    entry: *mut pg_sys::TargetEntry,
    expression: *mut core::ffi::c_void,
) -> *mut pg_sys::TargetEntry {
    // SAFETY: makes a node in the current memory context.
    unsafe {
        let made =
            raw::makeTargetEntry(expression.cast(), (*entry).resno, (*entry).resname, (*entry).resjunk);
        (*made).ressortgroupref = (*entry).ressortgroupref;
        made
    }
}
