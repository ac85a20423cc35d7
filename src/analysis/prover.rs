//! Whether an OR covers every row, and whether the table's own constraints make a condition true.
//! PostgreSQL's prover decides; this room only asks it questions whose answer means "true for every
//! row", minding NULL: the prover speaks of rows for which the premises are true.

use std::collections::HashMap;

use crate::pg::pg_sys;
use pgrx::pg_sys::NodeTag;

use super::target::Target;
use crate::pg::{compat, frame, nodes, raw};

/// An OR's arms on one column are proved together only up to this many: the proof is quadratic,
/// and a statement that lists thousands of values is no tautology.
const MOST_ARMS: usize = 12;
/// Among more than so many, equalities are left out: they make up for nothing but an inequality.
const FEW_ARMS: usize = 4;

fn implied_by(conclusion: *mut pg_sys::Node, premises: *mut pg_sys::List) -> bool {
    let conclusions = nodes::list([conclusion]);
    frame::call(|| {
        #[allow(ffi_unwind_calls, reason = "inside frame::call; the closure owns nothing")]
        // SAFETY: both are implicit-AND lists of folded boolean expressions.
        unsafe {
            raw::predicate_implied_by(conclusions, premises, false)
        }
    })
}

pub fn negated(clause: *mut pg_sys::Node) -> *mut pg_sys::Node {
    frame::call(|| {
        #[allow(ffi_unwind_calls, reason = "inside frame::call; the closure owns nothing")]
        // SAFETY: a boolean expression; negate_clause copies what it changes.
        unsafe {
            raw::negate_clause(clause)
        }
    })
}

/// Whether some arm of an OR is true for every row: one arm is true wherever the others are not.
/// Arms are proved together that name the same columns.
pub fn covers_every_row(arms: &[*mut pg_sys::Node], target: &Target) -> bool {
    let mut groups: HashMap<Vec<i16>, Vec<*mut pg_sys::Node>> = HashMap::new();
    for arm in arms {
        if let Some(columns) = only_columns(*arm, target) {
            groups.entry(columns).or_default().push(*arm);
        }
    }
    groups.into_iter().any(|(columns, mut arms)| {
        if arms.len() > FEW_ARMS {
            arms.retain(|arm| !is_equality(*arm));
        }
        let some_cover = |arms: &[*mut pg_sys::Node]| {
            arms.len() > 1 && arms.len() <= MOST_ARMS && covers(arms, &columns, target)
        };
        // Arms that are never NULL may cover every row where with the others it cannot be shown.
        let two_valued: Vec<_> = arms.iter().copied().filter(|arm| is_two_valued(*arm)).collect();
        some_cover(&arms) || (two_valued.len() < arms.len() && some_cover(&two_valued))
    })
}

/// The columns of the target that an expression names, where it names nothing else that varies.
fn only_columns(node: *mut pg_sys::Node, target: &Target) -> Option<Vec<i16>> {
    // SAFETY: pull_var_clause and its like only read the tree.
    unsafe {
        if pg_sys::contain_subplans(node) || pg_sys::contain_volatile_functions(node) {
            return None;
        }
        let flags = (pg_sys::PVC_RECURSE_PLACEHOLDERS | pg_sys::PVC_RECURSE_AGGREGATES) as i32;
        let vars = nodes::items::<pg_sys::Node>(pg_sys::pull_var_clause(node, flags));
        let mut columns = vars.map(|var| target.column(var, 0)).collect::<Option<Vec<_>>>()?;
        columns.sort_unstable();
        columns.dedup();
        (!columns.is_empty()).then_some(columns)
    }
}

fn is_equality(node: *mut pg_sys::Node) -> bool {
    // SAFETY: each cast follows the node's tag.
    let operator = unsafe {
        match nodes::tag(node) {
            NodeTag::T_OpExpr => (*node.cast::<pg_sys::OpExpr>()).opno,
            NodeTag::T_ScalarArrayOpExpr => (*node.cast::<pg_sys::ScalarArrayOpExpr>()).opno,
            _ => return false,
        }
    };
    compat::btree_strategies(operator) & (1 << pg_sys::BTEqualStrategyNumber) != 0
}

/// Arms on the same columns. For some arm: where it is false the others make up for it, and where
/// it is NULL (which a comparison is only for a NULL column) they do as well.
fn covers(arms: &[*mut pg_sys::Node], columns: &[i16], target: &Target) -> bool {
    let nullable: Vec<_> = columns.iter().filter(|column| !target.is_not_null(**column)).collect();
    (0..arms.len()).any(|last| {
        let others = || arms.iter().enumerate().filter(move |(i, _)| *i != last).map(|(_, arm)| *arm);
        // Where every other arm is false, this one has to be true ...
        let premises = nodes::list(others().map(negated));
        if !implied_by(arms[last], premises) {
            return false;
        }
        // ... and where one is NULL, a column is, so some arm has to be true of that NULL.
        if others().all(is_two_valued) {
            return true;
        }
        arms.iter().all(|arm| is_two_valued(*arm) || is_null_only_for_null(*arm, target))
            && nullable.iter().all(|column| {
                let is_null = nodes::list([null_test(**column, target, pg_sys::NullTestType::IS_NULL)]);
                arms.iter().any(|arm| implied_by(*arm, is_null))
            })
    })
}

pub fn null_test(column: i16, target: &Target, kind: pg_sys::NullTestType::Type) -> *mut pg_sys::Node {
    // SAFETY: makes nodes; the column's type is the catalog's.
    unsafe {
        let (mut kind_of, mut modifier, mut collation) = (pg_sys::InvalidOid, -1, pg_sys::InvalidOid);
        pg_sys::get_atttypetypmodcoll(target.relation, column, &mut kind_of, &mut modifier, &mut collation);
        let test = pg_sys::palloc0(size_of::<pg_sys::NullTest>()).cast::<pg_sys::NullTest>();
        (*test).xpr.type_ = NodeTag::T_NullTest;
        (*test).arg = pg_sys::makeVar(target.index as _, column, kind_of, modifier, collation, 0).cast();
        (*test).nulltesttype = kind;
        (*test).location = -1;
        test.cast()
    }
}

/// NULL tests, IS TRUE and its kin, and IS DISTINCT FROM are true or false, never NULL.
fn is_two_valued(node: *mut pg_sys::Node) -> bool {
    if let Some(expression) = nodes::cast::<pg_sys::BoolExpr, _>(node, NodeTag::T_BoolExpr) {
        // SAFETY: the tag says BoolExpr.
        return nodes::items(unsafe { (*expression).args }).all(is_two_valued);
    }
    matches!(nodes::tag(node), NodeTag::T_NullTest | NodeTag::T_BooleanTest | NodeTag::T_DistinctExpr)
}

/// Whether an expression is NULL only where a column it names is NULL: comparisons and the like of
/// built-in types do not make NULL out of values. Functions that may are not on the list.
fn is_null_only_for_null(node: *mut pg_sys::Node, target: &Target) -> bool {
    let all = |list| nodes::items::<pg_sys::Node>(list).all(|n| is_null_only_for_null(n, target));
    // SAFETY: each cast follows the node's tag.
    unsafe {
        match nodes::tag(node) {
            NodeTag::T_Const => !(*node.cast::<pg_sys::Const>()).constisnull,
            NodeTag::T_Var => target.column(node, 0).is_some_and(|attribute| attribute != 0),
            NodeTag::T_NullTest | NodeTag::T_BooleanTest | NodeTag::T_DistinctExpr => true,
            NodeTag::T_SQLValueFunction => true,
            NodeTag::T_RelabelType => {
                is_null_only_for_null((*node.cast::<pg_sys::RelabelType>()).arg.cast(), target)
            }
            NodeTag::T_BoolExpr => all((*node.cast::<pg_sys::BoolExpr>()).args),
            NodeTag::T_OpExpr => {
                let op = node.cast::<pg_sys::OpExpr>();
                let function = pg_sys::get_opcode((*op).opno);
                (compares((*op).opno) || makes_values(function, (*op).opno)) && all((*op).args)
            }
            NodeTag::T_FuncExpr => {
                let function = node.cast::<pg_sys::FuncExpr>();
                makes_values((*function).funcid, (*function).funcid) && all((*function).args)
            }
            NodeTag::T_ScalarArrayOpExpr => {
                let op = node.cast::<pg_sys::ScalarArrayOpExpr>();
                let array = nodes::items::<pg_sys::Node>((*op).args).nth(1).unwrap_or(std::ptr::null_mut());
                (compares((*op).opno) || makes_values(pg_sys::get_opcode((*op).opno), (*op).opno))
                    && !may_hold_null(array)
                    && all((*op).args)
            }
            _ => false,
        }
    }
}

fn may_hold_null(array: *mut pg_sys::Node) -> bool {
    match nodes::cast::<pg_sys::Const, _>(array, NodeTag::T_Const) {
        // SAFETY: the tag says Const; a non-null constant of an array type, which may be toasted.
        Some(constant) => unsafe {
            (*constant).constisnull || {
                let array = pg_sys::pg_detoast_datum((*constant).constvalue.cast_mut_ptr());
                pg_sys::array_contains_nulls(array.cast())
            }
        },
        None => true,
    }
}

/// Whether a built-in operator is a comparison of some B-tree operator family, which never makes NULL
/// out of values, whatever their type.
fn compares(operator: pg_sys::Oid) -> bool {
    operator.to_u32() < pg_sys::FirstGenbkiObjectId && compat::btree_strategies(operator) != 0
}

/// Whether a strict built-in function over plain scalar types gives a value for values.
///
/// # Safety
/// `function` is a function's OID.
unsafe fn makes_values(function: pg_sys::Oid, own: pg_sys::Oid) -> bool {
    if own.to_u32() >= pg_sys::FirstGenbkiObjectId || function == pg_sys::InvalidOid {
        return false;
    }
    // SAFETY: catalog cache look-ups of a function that exists.
    unsafe {
        let (mut types, mut count) = (std::ptr::null_mut(), 0);
        let result = pg_sys::get_func_signature(function, &mut types, &mut count);
        let scalar = |t: pg_sys::Oid| {
            matches!(
                t,
                pg_sys::BOOLOID
                    | pg_sys::INT2OID
                    | pg_sys::INT4OID
                    | pg_sys::INT8OID
                    | pg_sys::FLOAT4OID
                    | pg_sys::FLOAT8OID
                    | pg_sys::NUMERICOID
                    | pg_sys::TEXTOID
                    | pg_sys::VARCHAROID
                    | pg_sys::BPCHAROID
                    | pg_sys::NAMEOID
                    | pg_sys::CHAROID
                    | pg_sys::BYTEAOID
                    | pg_sys::UUIDOID
                    | pg_sys::OIDOID
                    | pg_sys::DATEOID
                    | pg_sys::TIMEOID
                    | pg_sys::TIMESTAMPOID
                    | pg_sys::TIMESTAMPTZOID
                    | pg_sys::INTERVALOID
            )
        };
        let arguments = std::slice::from_raw_parts(types, count.max(0) as usize);
        // date_part of an infinity, substring by pattern and their like give NULL; comparisons and
        // arithmetic do not.
        let dated = |t: &pg_sys::Oid| {
            matches!(
                *t,
                pg_sys::DATEOID
                    | pg_sys::TIMEOID
                    | pg_sys::TIMESTAMPOID
                    | pg_sys::TIMESTAMPTZOID
                    | pg_sys::INTERVALOID
            )
        };
        let text = matches!(
            own.to_u32(),
            pg_sys::F_LOWER_TEXT
                | pg_sys::F_UPPER_TEXT
                | pg_sys::F_BTRIM_TEXT
                | pg_sys::F_LTRIM_TEXT
                | pg_sys::F_RTRIM_TEXT
        );
        let plain = result == pg_sys::BOOLOID
            || text
            || (matches!(
                result,
                pg_sys::INT2OID
                    | pg_sys::INT4OID
                    | pg_sys::INT8OID
                    | pg_sys::FLOAT4OID
                    | pg_sys::FLOAT8OID
                    | pg_sys::NUMERICOID
            ) && !arguments.iter().any(dated));
        plain && pg_sys::func_strict(function) && arguments.iter().all(|t| scalar(*t))
    }
}

/// The table's constraints as premises: the valid CHECKs that can only be true (a CHECK also passes
/// where it is NULL), and NOT NULL of the columns they and the condition name.
pub fn premises(target: &Target, fold: impl Fn(*mut pg_sys::Node) -> *mut pg_sys::Node) -> *mut pg_sys::List {
    let mut premises = Vec::new();
    for check in target.checks() {
        let check = fold(check);
        // SAFETY: an immutable boolean expression; make_ands_implicit only takes it apart.
        let parts = unsafe { pg_sys::make_ands_implicit(pg_sys::canonicalize_qual(check.cast(), true)) };
        premises
            .extend(nodes::items::<pg_sys::Node>(parts).filter(|part| is_true_once_checked(*part, target)));
    }
    nodes::list(premises)
}

fn is_true_once_checked(check: *mut pg_sys::Node, target: &Target) -> bool {
    if !is_null_only_for_null(check, target) {
        return false;
    }
    // SAFETY: only reads the tree.
    let vars = unsafe { pg_sys::pull_var_clause(check, 0) };
    nodes::items::<pg_sys::Node>(vars).all(|var| target.column(var, 0).is_some_and(|a| target.is_not_null(a)))
}

/// Whether the constraints make a condition true for every row. `premises` may be empty.
pub fn is_implied(condition: *mut pg_sys::Node, premises: *mut pg_sys::List, target: &Target) -> bool {
    if premises.is_null() {
        return false;
    }
    // SAFETY: only reads the tree.
    unsafe {
        if pg_sys::contain_subplans(condition) || pg_sys::contain_mutable_functions(condition) {
            return false;
        }
        let mut all = premises;
        let vars = pg_sys::pull_var_clause(condition, 0);
        for var in nodes::items::<pg_sys::Node>(vars) {
            let Some(column) = target.column(var, 0) else { return false };
            if target.is_not_null(column) && column > 0 {
                let known = nodes::list([null_test(column, target, pg_sys::NullTestType::IS_NOT_NULL)]);
                all = pg_sys::list_concat_copy(all, known);
            }
        }
        implied_by(condition, all)
    }
}
