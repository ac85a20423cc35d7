//! What PostgreSQL tells of expressions and makes of them. What is made is in the current memory context, and a
//! handle of it is good while that lasts: `Context::within` lets none out.

use core::ffi::c_int;

use super::super::pg_sys;
use super::{Node, Nodes, make};

/// What folding may know: bound parameters.
pub type Root<'t> = Node<'t, pg_sys::PlannerInfo>;

/// Functions that look at an expression.
macro_rules! of_expressions {
    ($($(#[$about:meta])* fn $name:ident -> $result:ty = $function:ident;)*) => {
        impl Node<'_> {$(
            $(#[$about])*
            pub fn $name(self) -> $result {
                // SAFETY: an expression, or a list of such, which is only read.
                unsafe { pg_sys::$function(self.as_ptr()) }
            }
        )*}
    };
}

of_expressions! {
    /// The OID of its type.
    fn type_of -> pg_sys::Oid = exprType;
    fn is_volatile -> bool = contain_volatile_functions;
    /// It has functions that are not immutable.
    fn is_mutable -> bool = contain_mutable_functions;
    fn has_sub_selects -> bool = contain_subplans;
    fn returns_set -> bool = expression_returns_set;
    /// It has columns of its own level.
    fn has_columns -> bool = contain_var_clause;
}

impl<'t> Node<'t> {
    /// Whether two are the same, wherever they stand in a text.
    pub fn equals(self, other: Node) -> bool {
        // SAFETY: nodes, which are only read.
        unsafe { pg_sys::equal(self.as_ptr().cast(), other.as_ptr().cast()) }
    }

    /// The Vars in it, as pull_var_clause gives them.
    pub fn variables(self, flags: u32) -> Nodes<'t> {
        // SAFETY: an expression; gives a list of its nodes.
        unsafe { Nodes::of(pg_sys::pull_var_clause(self.as_ptr(), flags as c_int)) }
    }

    /// Folded, with the values that `root` knows of parameters.
    pub fn folded(self, root: Option<Root<'t>>) -> Node<'t> {
        let root = root.map_or(std::ptr::null_mut(), Node::as_ptr);
        // SAFETY: an expression, or a list of such; what is changed is copied.
        unsafe { made(pg_sys::eval_const_expressions(root, self.as_ptr())) }
    }

    /// As it is to be run.
    pub fn planned(self) -> Node<'t> {
        // SAFETY: an expression; what is changed is copied.
        unsafe { made(pg_sys::expression_planner(self.as_ptr().cast()).cast()) }
    }

    /// NOT of a condition, NOT as far inside as it goes.
    pub fn negated(self) -> Node<'t> {
        // SAFETY: a boolean expression; what is changed is copied.
        unsafe { made(pg_sys::negate_clause(self.as_ptr())) }
    }

    /// The parts of a condition that all hold where it does, as those of a CHECK constraint.
    pub fn parts_of_check(self) -> Nodes<'t> {
        // SAFETY: a boolean expression; what is changed is copied.
        unsafe {
            Nodes::of(pg_sys::make_ands_implicit(pg_sys::canonicalize_qual(self.as_ptr().cast(), true)))
        }
    }

    /// Has a copy's columns of one range table entry be those of another.
    pub fn change_vars(self, from: i32, to: i32) {
        // SAFETY: an expression that nobody else reads, by the contract of the handles.
        unsafe { pg_sys::ChangeVarNodes(self.as_ptr(), from, to, 0) }
    }

    /// Moves a copy's range table indexes by `offset`.
    pub fn offset_vars(self, offset: i32) {
        // SAFETY: as above.
        unsafe { pg_sys::OffsetVarNodes(self.as_ptr(), offset, 0) }
    }

    /// Moves a copy's columns of the levels from `least` on to levels further up by `by`.
    pub fn increase_levels(self, by: i32, least: i32) {
        // SAFETY: as above.
        unsafe { pg_sys::IncrementVarSublevelsUp(self.as_ptr(), by, least) }
    }
}

impl<T> Node<'_, T> {
    pub fn copy<'t>(self) -> Node<'t, T> {
        // SAFETY: a node; a copy is one like it.
        unsafe { Node::of(pg_sys::copyObjectImpl(self.as_ptr().cast()).cast()).unwrap_unchecked() }
    }
}

/// Has a node that is ours to change point to something else.
macro_rules! settable {
    ($($type:ident $set:ident($field:ident: $of:ident);)*) => {$(
        impl Node<'_, pg_sys::$type> {
            pub fn $set(self, value: settable!(@ $of)) {
                // SAFETY: a node that nobody else reads, by the contract of the handles.
                unsafe { (*self.as_ptr()).$field = settable!(@ $of value) }
            }
        }
    )*};
    (@ list) => { Nodes };
    (@ node) => { Option<Node> };
    (@ list $value:ident) => { $value.as_ptr() };
    (@ node $value:ident) => { $value.map_or(std::ptr::null_mut(), Node::as_ptr) };
}

settable! {
    BoolExpr set_args(args: list);
    FromExpr set_quals(quals: node);
    OnConflictExpr set_condition(onConflictWhere: node);
}

impl Node<'_, pg_sys::Query> {
    pub fn set_condition(self, condition: Option<Node>) {
        if let Some(tree) = self.jointree() {
            tree.set_quals(condition);
        }
    }
}

/// Whether premises make a condition true, all of them folded, as PostgreSQL's prover knows.
pub fn implied_by<'t>(condition: Node<'t>, premises: impl IntoIterator<Item = Node<'t>>) -> bool {
    let (conclusions, premises): (Nodes, Nodes) =
        (Nodes::from_iter([condition]), premises.into_iter().collect());
    // SAFETY: lists of boolean expressions that are ANDed.
    unsafe { pg_sys::predicate_implied_by(conclusions.as_ptr(), premises.as_ptr(), false) }
}

/// `one AND other`, as the parser and the rewriter have it.
pub fn and<'t>(one: Option<Node<'t>>, other: Option<Node<'t>>) -> Option<Node<'t>> {
    let pointer = |node: Option<Node>| node.map_or(std::ptr::null_mut(), Node::as_ptr);
    // SAFETY: conditions or NULL.
    unsafe { Node::of(pg_sys::make_and_qual(pointer(one), pointer(other))) }
}

/// AND, OR or NOT of conditions.
pub fn boolean<'t>(operator: pg_sys::BoolExprType::Type, arms: Nodes<'t>) -> Node<'t> {
    // SAFETY: conditions.
    unsafe { made(pg_sys::makeBoolExpr(operator, arms.as_ptr(), -1).cast()) }
}

/// A condition that is true, false, or NULL, always.
pub fn constant_condition<'t>(value: Option<bool>) -> Node<'t> {
    // SAFETY: a constant.
    unsafe { made(pg_sys::makeBoolConst(value.unwrap_or(false), value.is_none())) }
}

/// `left operator right`, a condition.
pub fn comparison<'t>(
    operator: pg_sys::Oid,
    left: Node<'t>,
    right: Node<'t>,
    collation: pg_sys::Oid,
) -> Node<'t> {
    let (left, right, none) = (left.as_ptr().cast(), right.as_ptr().cast(), pg_sys::InvalidOid);
    // SAFETY: expressions.
    unsafe {
        made(pg_sys::make_opclause(operator, pg_sys::BOOLOID, false, left, right, none, collation).cast())
    }
}

/// A column of a relation, as a range table index calls it.
pub fn variable<'t>(relation: pg_sys::Oid, index: i32, column: i16) -> Node<'t> {
    let (mut of, mut modifier, mut collation) = (pg_sys::InvalidOid, -1, pg_sys::InvalidOid);
    // SAFETY: the column's type is the catalog's.
    unsafe {
        pg_sys::get_atttypetypmodcoll(relation, column, &mut of, &mut modifier, &mut collation);
        made(pg_sys::makeVar(index as _, column, of, modifier, collation, 0).cast())
    }
}

/// An entry of a target list that is none of a result's.
pub fn target_entry<'t>(expression: Node<'t>, number: i16) -> Node<'t, pg_sys::TargetEntry> {
    let nothing = std::ptr::null_mut();
    // SAFETY: makes a TargetEntry of an expression.
    unsafe { made(pg_sys::makeTargetEntry(expression.as_ptr().cast(), number, nothing, true).cast()) }
}

/// An entry of a result's, by this name.
pub fn named_entry<'t>(expression: Node<'t>, number: i16, name: &str) -> Node<'t, pg_sys::TargetEntry> {
    let name = crate::pg::text::to_server(name).as_ptr().cast_mut();
    // SAFETY: makes a TargetEntry of an expression, with a palloc'd name.
    unsafe { made(pg_sys::makeTargetEntry(expression.as_ptr().cast(), number, name, false).cast()) }
}

/// NULL, of a column's type.
pub fn null_of<'t>(relation: pg_sys::Oid, column: i16) -> Node<'t> {
    let (mut of, mut modifier, mut collation) = (pg_sys::InvalidOid, -1, pg_sys::InvalidOid);
    // SAFETY: the column's type is the catalog's.
    unsafe {
        pg_sys::get_atttypetypmodcoll(relation, column, &mut of, &mut modifier, &mut collation);
        made(pg_sys::makeNullConst(of, modifier, collation).cast())
    }
}

/// `argument IS NULL`, or IS NOT NULL.
pub fn null_test<'t>(argument: Node<'t>, kind: pg_sys::NullTestType::Type) -> Node<'t> {
    let test = make::<pg_sys::NullTest>();
    // SAFETY: a NullTest that was made here, of an expression.
    unsafe {
        ((*test).arg, (*test).nulltesttype, (*test).location) = (argument.as_ptr().cast(), kind, -1);
        made(test.cast())
    }
}

/// `argument IS TRUE` and its kin.
pub fn boolean_test<'t>(argument: Node<'t>, kind: pg_sys::BoolTestType::Type) -> Node<'t> {
    let test = make::<pg_sys::BooleanTest>();
    // SAFETY: a BooleanTest that was made here, of a condition.
    unsafe {
        ((*test).arg, (*test).booltesttype, (*test).location) = (argument.as_ptr().cast(), kind, -1);
        made(test.cast())
    }
}

/// What PostgreSQL has made.
///
/// # Safety
/// As [`Node::of`], and not NULL.
unsafe fn made<'t, T>(node: *mut T) -> Node<'t, T> {
    // SAFETY: by contract.
    unsafe { Node::of(node).unwrap_unchecked() }
}
