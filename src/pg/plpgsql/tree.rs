//! PL/pgSQL's statements with types. The layouts are plpgsql.h's, the same in 15 to 19 as far as they are named here
//! (PLpgSQL_expr's function has moved, and PLpgSQL_function is not named).

use core::ffi::{c_char, c_int, c_uint, c_void};
use std::ffi::CStr;

use super::super::nodes::{Node, Nodes};
use super::super::parser::Variables;
use super::super::pg_sys;

/// PLpgSQL_stmt: what every statement begins with.
#[repr(C)]
pub struct Stmt {
    kind: c_uint,
    line: c_int,
    id: c_uint,
}

/// The statements by PLpgSQL_stmt_type, as far as they are looked at.
macro_rules! statements {
    ($($name:ident($type:ident) = $kind:literal;)*) => {
        #[derive(Clone, Copy)]
        pub enum Statement<'t> {
            $($name(Node<'t, $type<'t>>),)*
            DynExecute,
            Call,
            Other,
        }

        impl<'t> Node<'t, Stmt> {
            pub fn statement(self) -> Statement<'t> {
                // SAFETY: a statement is of the type that is its kind's.
                unsafe {
                    match self.kind {
                        $($kind => Statement::$name(Node::of(self.as_ptr().cast()).unwrap_unchecked()),)*
                        17 => Statement::DynExecute,
                        24 => Statement::Call,
                        _ => Statement::Other,
                    }
                }
            }
        }
    };
}

statements! {
    Block(Block) = 0;
    Assign(Assign) = 1;
    If(If) = 2;
    Case(Case) = 3;
    Loop(Loop) = 4;
    While(While) = 5;
    ForI(ForInteger) = 6;
    ForS(ForQuery) = 7;
    ForC(ForQuery) = 8;
    Foreach(Foreach) = 9;
    Exit(Exit) = 10;
    Return(WithExpr) = 11;
    ReturnNext(WithExpr) = 12;
    ReturnQuery(ReturnQuery) = 13;
    Raise(Raise) = 14;
    Assert(Assert) = 15;
    ExecSql(WithExpr) = 16;
    DynForS(ForQuery) = 18;
    Open(Open) = 20;
    Perform(WithExpr) = 23;
}

type Expression<'t> = Option<Node<'t, Expr>>;
type Body<'t> = Nodes<'t, Stmt>;

/// PLpgSQL_expr: a query, or an expression as one.
#[repr(C)]
pub struct Expr {
    query: *const c_char,
    mode: pg_sys::RawParseMode::Type,
    #[cfg(not(since_18))]
    plan: *mut c_void,
    #[cfg(not(since_18))]
    paramnos: *mut c_void,
    /// Before 18 set when the expression is first prepared.
    function: *mut c_void,
}

impl<'t> Node<'t, Expr> {
    /// Its text, and how it is to be parsed.
    pub fn text(self) -> (&'t CStr, pg_sys::RawParseMode::Type) {
        // SAFETY: a NUL-terminated text.
        (unsafe { CStr::from_ptr(self.query) }, self.mode)
    }

    /// The variables that it sees in the function that runs.
    pub fn variables(self, state: Node<State>) -> Variables {
        // SAFETY: PL/pgSQL sets the function likewise before it prepares an expression; it is loaded, for one of its
        // functions runs, and exports plpgsql_parser_setup.
        unsafe {
            (*self.as_ptr()).function = state.function;
            let (library, name) = (c"$libdir/plpgsql".as_ptr(), c"plpgsql_parser_setup".as_ptr());
            let setup = pg_sys::load_external_function(library, name, true, std::ptr::null_mut());
            Variables { setup, argument: self.as_ptr().cast() }
        }
    }
}

#[repr(C)]
pub struct Block<'t> {
    head: Stmt,
    label: *mut c_char,
    pub body: Body<'t>,
    count: c_int,
    numbers: *const c_int,
    exceptions: Option<Node<'t, Exceptions<'t>>>,
}

#[repr(C)]
struct Exceptions<'t> {
    state: c_int,
    message: c_int,
    list: Nodes<'t, Exception<'t>>,
}

#[repr(C)]
struct Exception<'t> {
    line: c_int,
    conditions: *mut c_void,
    action: Body<'t>,
}

impl<'t> Node<'t, Block<'t>> {
    /// The variables that it declares.
    pub fn variables(self, state: Node<'t, State>) -> impl Iterator<Item = Node<'t, Variable<'t>>> {
        // SAFETY: an array of so many numbers of the function's variables.
        (0..self.count as usize).filter_map(move |at| unsafe {
            Node::of((*state.variables.add(*self.numbers.add(at) as usize)).cast())
        })
    }

    /// The bodies of its exception handlers.
    pub fn handlers(self) -> impl Iterator<Item = Body<'t>> {
        let exceptions = self.exceptions.into_iter();
        exceptions.flat_map(|exceptions| exceptions.list.iter().map(|exception| exception.action))
    }
}

/// PLpgSQL_execstate, as far as the variables.
#[repr(C)]
pub struct State {
    function: *mut c_void,
    trigger: *mut c_void,
    event_trigger: *mut c_void,
    value: pg_sys::Datum,
    is_null: bool,
    kind: pg_sys::Oid,
    declared_kind: pg_sys::Oid,
    is_tuple: bool,
    is_set: bool,
    read_only: bool,
    atomic: bool,
    exit_label: *mut c_char,
    error: *mut c_void,
    store: [*mut c_void; 5],
    found: c_int,
    count: c_int,
    variables: *mut *mut c_void,
}

/// PLpgSQL_variable; the type and the cursor's query follow in PLpgSQL_var.
#[repr(C)]
pub struct Variable<'t> {
    kind: c_uint,
    number: c_int,
    name: *mut c_char,
    line: c_int,
    constant: bool,
    not_null: bool,
    default: Expression<'t>,
    data_type: *mut c_void,
    cursor_query: Expression<'t>,
}

/// PLpgSQL_datum_type: what is a PLpgSQL_var, and what else has a default.
const SCALAR: u32 = 0;
const RECORD: u32 = 2;

impl<'t> Node<'t, Variable<'t>> {
    pub fn default(self) -> Expression<'t> {
        if matches!(self.kind, SCALAR | RECORD) { self.default } else { None }
    }

    /// A cursor's, run when it is opened.
    pub fn cursor_query(self) -> Expression<'t> {
        if self.kind == SCALAR { self.cursor_query } else { None }
    }
}

#[repr(C)]
pub struct Exit<'t> {
    head: Stmt,
    is_exit: bool,
    label: *mut c_char,
    pub condition: Expression<'t>,
}

#[repr(C)]
pub struct Raise<'t> {
    head: Stmt,
    level: c_int,
    condition: *mut c_char,
    message: *mut c_char,
    pub parameters: Nodes<'t, Expr>,
}

#[repr(C)]
pub struct Assert<'t> {
    head: Stmt,
    pub condition: Expression<'t>,
    pub message: Expression<'t>,
}

/// EXECSQL, PERFORM, RETURN, RETURN NEXT.
#[repr(C)]
pub struct WithExpr<'t> {
    head: Stmt,
    pub expr: Expression<'t>,
}

#[repr(C)]
pub struct Assign<'t> {
    head: Stmt,
    variable: c_int,
    pub expr: Expression<'t>,
}

#[repr(C)]
pub struct If<'t> {
    head: Stmt,
    pub condition: Expression<'t>,
    pub then: Body<'t>,
    pub elsifs: Nodes<'t, Arm<'t>>,
    pub otherwise: Body<'t>,
}

/// PLpgSQL_if_elsif and PLpgSQL_case_when.
#[repr(C)]
pub struct Arm<'t> {
    line: c_int,
    pub condition: Expression<'t>,
    pub body: Body<'t>,
}

#[repr(C)]
pub struct Case<'t> {
    head: Stmt,
    pub expr: Expression<'t>,
    variable: c_int,
    pub arms: Nodes<'t, Arm<'t>>,
    have_else: bool,
    pub otherwise: Body<'t>,
}

#[repr(C)]
pub struct Loop<'t> {
    head: Stmt,
    label: *mut c_char,
    pub body: Body<'t>,
}

#[repr(C)]
pub struct While<'t> {
    head: Stmt,
    label: *mut c_char,
    pub condition: Expression<'t>,
    pub body: Body<'t>,
}

#[repr(C)]
pub struct ForInteger<'t> {
    head: Stmt,
    label: *mut c_char,
    variable: *mut c_void,
    pub lower: Expression<'t>,
    pub upper: Expression<'t>,
    pub step: Expression<'t>,
    reverse: c_int,
    pub body: Body<'t>,
}

/// FORS, FORC and DYNFORS begin alike; the query is FORS's.
#[repr(C)]
pub struct ForQuery<'t> {
    head: Stmt,
    label: *mut c_char,
    variable: *mut c_void,
    pub body: Body<'t>,
    pub query: Expression<'t>,
}

#[repr(C)]
pub struct Foreach<'t> {
    head: Stmt,
    label: *mut c_char,
    variable: c_int,
    slice: c_int,
    pub expr: Expression<'t>,
    pub body: Body<'t>,
}

#[repr(C)]
pub struct ReturnQuery<'t> {
    head: Stmt,
    pub query: Expression<'t>,
    pub dynamic: Expression<'t>,
}

#[repr(C)]
pub struct Open<'t> {
    head: Stmt,
    cursor: c_int,
    options: c_int,
    pub arguments: Expression<'t>,
    pub query: Expression<'t>,
    pub dynamic: Expression<'t>,
}
