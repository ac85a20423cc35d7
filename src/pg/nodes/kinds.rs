//! The node types that are read, and their pointers, as PostgreSQL's headers declare them (nodes/primnodes.h,
//! nodes/parsenodes.h, nodes/pathnodes.h). A pointer that stands here has a function of its name.

use pgrx::pg_sys::NodeTag;

use super::super::pg_sys;
use super::{Node, Nodes, Tagged};

/// `Type T_Type { field: [Element], field: Node, field: str }` for a node type: lists of nodes, nodes, and names. Tags
/// that share another's type stand before, as `shared`.
macro_rules! nodes {
    (
        shared { $($other:ident $other_tag:ident = $same:ident;)* }
        $($type:ident $tag:ident $({ $($field:ident: $of:tt),* })?;)*
    ) => {
        $(
            // SAFETY: the tag is that of the type's name; makeNode gives every node its type's.
            unsafe impl Tagged for pg_sys::$type {
                const TAG: NodeTag = NodeTag::$tag;
            }

            $(impl<'t> Node<'t, pg_sys::$type> { $(pointer!($field: $of);)* })?
        )*

        /// A node by what it is.
        #[derive(Clone, Copy)]
        pub enum Kind<'t> {
            $($type(Node<'t, pg_sys::$type>),)*
            $($other(Node<'t, pg_sys::$same>),)*
            List(Nodes<'t>),
            Other(NodeTag),
        }

        impl<'t> Node<'t> {
            #[inline(always)]
            pub fn kind(self) -> Kind<'t> {
                // SAFETY: each type is the tag's, and not NULL.
                unsafe {
                    match self.tag() {
                        $(NodeTag::$tag => Kind::$type(self.assume()),)*
                        $(NodeTag::$other_tag => Kind::$other(self.assume()),)*
                        NodeTag::T_List => Kind::List(Nodes::of(self.as_ptr().cast())),
                        other => Kind::Other(other),
                    }
                }
            }
        }
    };
}

/// The same for what the parser makes of statements, which nobody walks over.
macro_rules! statements {
    ($($type:ident $tag:ident $({ $($field:ident: $of:tt),* })?;)*) => {
        $(
            // SAFETY: as above.
            unsafe impl Tagged for pg_sys::$type {
                const TAG: NodeTag = NodeTag::$tag;
            }

            $(impl<'t> Node<'t, pg_sys::$type> { $(pointer!($field: $of);)* })?
        )*

        /// A statement by what it is.
        #[derive(Clone, Copy)]
        pub enum Statement<'t> {
            $($type(Node<'t, pg_sys::$type>),)*
            Other(NodeTag),
        }

        impl<'t> Node<'t> {
            pub fn statement(self) -> Statement<'t> {
                // SAFETY: each type is the tag's, and not NULL.
                unsafe {
                    match self.tag() {
                        $(NodeTag::$tag => Statement::$type(self.assume()),)*
                        other => Statement::Other(other),
                    }
                }
            }
        }
    };
}

macro_rules! pointer {
    ($field:ident: [$element:ident]) => {
        #[inline(always)]
        #[allow(non_snake_case, reason = "PostgreSQL's own")]
        pub fn $field(self) -> Nodes<'t, pg_sys::$element> {
            // SAFETY: a list of such nodes, or NULL, as the header says.
            unsafe { Nodes::of(self.$field) }
        }
    };
    ($field:ident: str) => {
        #[inline(always)]
        pub fn $field(self) -> Option<&'t core::ffi::CStr> {
            // SAFETY: a NUL-terminated string, or NULL, as the header says.
            unsafe { (!self.$field.is_null()).then(|| core::ffi::CStr::from_ptr(self.$field)) }
        }
    };
    ($field:ident: $node:ident) => {
        #[inline(always)]
        #[allow(non_snake_case, reason = "PostgreSQL's own")]
        pub fn $field(self) -> Option<Node<'t, pg_sys::$node>> {
            // SAFETY: such a node, or NULL, as the header says; Expr is the head of any expression.
            unsafe { Node::of(self.$field.cast()) }
        }
    };
}

impl<'t> Node<'t, pg_sys::Query> {
    /// WHERE, and what ON of inner joins is not in a JoinExpr of its own.
    #[inline(always)]
    pub fn condition(self) -> Option<Node<'t>> {
        self.jointree()?.quals()
    }
}

impl<'t> Node<'t, pg_sys::SubLink> {
    /// The sub-select, once it has been analysed.
    pub fn query(self) -> Option<Node<'t, pg_sys::Query>> {
        self.subselect()?.as_a()
    }
}

impl<'t> Node<'t> {
    /// # Safety
    /// The node is a T.
    #[inline(always)]
    unsafe fn assume<T>(self) -> Node<'t, T> {
        Node(self.0.cast(), std::marker::PhantomData)
    }
}

nodes! {
    shared {
        DistinctExpr T_DistinctExpr = OpExpr;
        NullIfExpr T_NullIfExpr = OpExpr;
    }

    // primnodes.h
    Alias T_Alias { aliasname: str };
    RangeVar T_RangeVar { relname: str, schemaname: str };
    Var T_Var;
    Const T_Const;
    Param T_Param;
    FuncExpr T_FuncExpr { args: [Node] };
    NamedArgExpr T_NamedArgExpr { arg: Node };
    OpExpr T_OpExpr { args: [Node] };
    ScalarArrayOpExpr T_ScalarArrayOpExpr { args: [Node] };
    BoolExpr T_BoolExpr { args: [Node] };
    SubLink T_SubLink { testexpr: Node, subselect: Node };
    SubPlan T_SubPlan;
    RelabelType T_RelabelType { arg: Node };
    CoerceViaIO T_CoerceViaIO { arg: Node };
    ArrayCoerceExpr T_ArrayCoerceExpr { arg: Node };
    CollateExpr T_CollateExpr { arg: Node };
    ArrayExpr T_ArrayExpr { elements: [Node] };
    RowCompareExpr T_RowCompareExpr { largs: [Node], rargs: [Node] };
    CoalesceExpr T_CoalesceExpr { args: [Node] };
    NullTest T_NullTest { arg: Node };
    BooleanTest T_BooleanTest { arg: Node };
    CoerceToDomain T_CoerceToDomain { arg: Node };
    CurrentOfExpr T_CurrentOfExpr;
    SQLValueFunction T_SQLValueFunction;
    TargetEntry T_TargetEntry { expr: Node };
    RangeTblRef T_RangeTblRef;
    JoinExpr T_JoinExpr { larg: Node, rarg: Node, quals: Node };
    FromExpr T_FromExpr { fromlist: [Node], quals: Node };
    OnConflictExpr T_OnConflictExpr { onConflictWhere: Node };

    // parsenodes.h
    Query T_Query {
        cteList: [CommonTableExpr], rtable: [RangeTblEntry], jointree: FromExpr, mergeActionList: [MergeAction],
        targetList: [TargetEntry], onConflict: OnConflictExpr, havingQual: Node, limitOffset: Node,
        limitCount: Node, setOperations: Node
    };
    RangeTblEntry T_RangeTblEntry {
        subquery: Query, joinaliasvars: [Node], functions: [RangeTblFunction], tablefunc: Node, values_lists: [Node],
        ctename: str, eref: Alias, securityQuals: [Node]
    };
    RangeTblFunction T_RangeTblFunction { funcexpr: Node };
    CommonTableExpr T_CommonTableExpr { ctename: str, ctequery: Node, ctecolnames: [String] };
    MergeAction T_MergeAction { qual: Node };
    SetOperationStmt T_SetOperationStmt { larg: Node, rarg: Node };

    // supportnodes.h
    SupportRequestSimplify T_SupportRequestSimplify { fcall: FuncExpr };

    // value.h
    String T_String { sval: str };

    // pathnodes.h
    PlannerGlobal T_PlannerGlobal;
    PlannerInfo T_PlannerInfo;
}

statements! {
    // parsenodes.h
    RawStmt T_RawStmt { stmt: Node };
    InsertStmt T_InsertStmt { withClause: WithClause };
    DeleteStmt T_DeleteStmt { relation: RangeVar, whereClause: Node, withClause: WithClause };
    UpdateStmt T_UpdateStmt { relation: RangeVar, whereClause: Node, withClause: WithClause };
    MergeStmt T_MergeStmt;
    SelectStmt T_SelectStmt { withClause: WithClause };
    PLAssignStmt T_PLAssignStmt;
    ReturnStmt T_ReturnStmt;
    TruncateStmt T_TruncateStmt { relations: [RangeVar] };
    DropStmt T_DropStmt { objects: [Node] };
    DropOwnedStmt T_DropOwnedStmt;
    DropdbStmt T_DropdbStmt { dbname: str };
    CreateStmt T_CreateStmt { relation: RangeVar };
    CreateTableAsStmt T_CreateTableAsStmt { query: Node, into: IntoClause };
    AlterTableStmt T_AlterTableStmt { relation: RangeVar };
    AlterObjectSchemaStmt T_AlterObjectSchemaStmt { relation: RangeVar };
    ViewStmt T_ViewStmt { view: RangeVar };
    CreateFunctionStmt T_CreateFunctionStmt { options: [DefElem], sql_body: Node };
    TransactionStmt T_TransactionStmt { savepoint_name: str };
    VariableSetStmt T_VariableSetStmt { name: str };
    DiscardStmt T_DiscardStmt;
    PrepareStmt T_PrepareStmt { name: str, query: Node, argtypes: [TypeName] };
    ExecuteStmt T_ExecuteStmt { name: str };
    DeallocateStmt T_DeallocateStmt { name: str };
    DeclareCursorStmt T_DeclareCursorStmt { query: Node };
    ExplainStmt T_ExplainStmt { query: Node, options: [DefElem] };
    CopyStmt T_CopyStmt { query: Node };
    DoStmt T_DoStmt { args: [DefElem] };
    CallStmt T_CallStmt;

    // What is in them.
    WithClause T_WithClause { ctes: [CommonTableExpr] };
    IntoClause T_IntoClause { rel: RangeVar };
    DefElem T_DefElem { defname: str, arg: Node };
    TypeName T_TypeName;
}
