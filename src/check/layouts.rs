//! PL/pgSQL's statement trees: plpgsql.h's layouts, the same in 15 to 19 as far as they are named here
//! (PLpgSQL_expr's function has moved, and PLpgSQL_function is not named). Read by plpgsql.rs.

use core::ffi::{c_char, c_int, c_uint, c_void};

use crate::pg::pg_sys;

/// PLpgSQL_stmt_type, what is looked at.
pub mod kind {
    pub const BLOCK: u32 = 0;
    pub const ASSIGN: u32 = 1;
    pub const IF: u32 = 2;
    pub const CASE: u32 = 3;
    pub const LOOP: u32 = 4;
    pub const WHILE: u32 = 5;
    pub const FORI: u32 = 6;
    pub const FORS: u32 = 7;
    pub const FORC: u32 = 8;
    pub const FOREACH: u32 = 9;
    pub const EXIT: u32 = 10;
    pub const RETURN: u32 = 11;
    pub const RETURN_NEXT: u32 = 12;
    pub const RETURN_QUERY: u32 = 13;
    pub const RAISE: u32 = 14;
    pub const ASSERT: u32 = 15;
    pub const EXECSQL: u32 = 16;
    pub const DYNEXECUTE: u32 = 17;
    pub const DYNFORS: u32 = 18;
    pub const OPEN: u32 = 20;
    pub const PERFORM: u32 = 23;
    pub const CALL: u32 = 24;
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct Stmt {
    pub kind: c_uint,
    pub line: c_int,
    pub id: c_uint,
}

#[repr(C)]
pub struct Expr {
    pub query: *const c_char,
    pub mode: pg_sys::RawParseMode::Type,
    #[cfg(not(since_18))]
    pub plan: *mut c_void,
    #[cfg(not(since_18))]
    pub paramnos: *mut c_void,
    /// Before 18 set when the expression is first prepared.
    pub function: *mut c_void,
}

#[repr(C)]
pub struct Block {
    pub head: Stmt,
    pub label: *mut c_char,
    pub body: *mut pg_sys::List,
    pub variables: c_int,
    pub variable_numbers: *mut c_int,
    pub exceptions: *mut Exceptions,
}

#[repr(C)]
pub struct Exceptions {
    pub state: c_int,
    pub message: c_int,
    pub list: *mut pg_sys::List,
}

#[repr(C)]
pub struct Exception {
    pub line: c_int,
    pub conditions: *mut c_void,
    pub action: *mut pg_sys::List,
}

/// PLpgSQL_execstate, as far as the variables.
#[repr(C)]
pub struct State {
    pub function: *mut c_void,
    pub trigger: *mut c_void,
    pub event_trigger: *mut c_void,
    pub value: pg_sys::Datum,
    pub is_null: bool,
    pub kind: pg_sys::Oid,
    pub declared_kind: pg_sys::Oid,
    pub is_tuple: bool,
    pub is_set: bool,
    pub read_only: bool,
    pub atomic: bool,
    pub exit_label: *mut c_char,
    pub error: *mut c_void,
    pub store: [*mut c_void; 5],
    pub found: c_int,
    pub count: c_int,
    pub variables: *mut *mut Variable,
}

/// PLpgSQL_variable; the type and the cursor's query follow in PLpgSQL_var.
#[repr(C)]
pub struct Variable {
    pub kind: c_uint,
    pub number: c_int,
    pub name: *mut c_char,
    pub line: c_int,
    pub constant: bool,
    pub not_null: bool,
    pub default: *mut Expr,
    pub data_type: *mut c_void,
    pub cursor_query: *mut Expr,
}

/// PLpgSQL_datum_type: what is a PLpgSQL_var, and what else has a default.
pub const SCALAR: u32 = 0;
pub const RECORD: u32 = 2;

#[repr(C)]
pub struct Exit {
    pub head: Stmt,
    pub is_exit: bool,
    pub label: *mut c_char,
    pub condition: *mut Expr,
}

#[repr(C)]
pub struct Raise {
    pub head: Stmt,
    pub level: c_int,
    pub condition: *mut c_char,
    pub message: *mut c_char,
    pub parameters: *mut pg_sys::List,
}

#[repr(C)]
pub struct Assert {
    pub head: Stmt,
    pub condition: *mut Expr,
    pub message: *mut Expr,
}

/// EXECSQL, PERFORM, CALL, RETURN, RETURN NEXT.
#[repr(C)]
pub struct WithExpr {
    pub head: Stmt,
    pub expr: *mut Expr,
}

#[repr(C)]
pub struct Assign {
    pub head: Stmt,
    pub variable: c_int,
    pub expr: *mut Expr,
}

#[repr(C)]
pub struct If {
    pub head: Stmt,
    pub condition: *mut Expr,
    pub then: *mut pg_sys::List,
    pub elsifs: *mut pg_sys::List,
    pub otherwise: *mut pg_sys::List,
}

/// PLpgSQL_if_elsif and PLpgSQL_case_when.
#[repr(C)]
pub struct Arm {
    pub line: c_int,
    pub condition: *mut Expr,
    pub body: *mut pg_sys::List,
}

#[repr(C)]
pub struct Case {
    pub head: Stmt,
    pub expr: *mut Expr,
    pub variable: c_int,
    pub arms: *mut pg_sys::List,
    pub have_else: bool,
    pub otherwise: *mut pg_sys::List,
}

#[repr(C)]
pub struct Loop {
    pub head: Stmt,
    pub label: *mut c_char,
    pub body: *mut pg_sys::List,
}

#[repr(C)]
pub struct While {
    pub head: Stmt,
    pub label: *mut c_char,
    pub condition: *mut Expr,
    pub body: *mut pg_sys::List,
}

#[repr(C)]
pub struct ForInteger {
    pub head: Stmt,
    pub label: *mut c_char,
    pub variable: *mut c_void,
    pub lower: *mut Expr,
    pub upper: *mut Expr,
    pub step: *mut Expr,
    pub reverse: c_int,
    pub body: *mut pg_sys::List,
}

/// FORS, FORC and DYNFORS begin alike; the query is FORS's.
#[repr(C)]
pub struct ForQuery {
    pub head: Stmt,
    pub label: *mut c_char,
    pub variable: *mut c_void,
    pub body: *mut pg_sys::List,
    pub query: *mut Expr,
}

#[repr(C)]
pub struct Foreach {
    pub head: Stmt,
    pub label: *mut c_char,
    pub variable: c_int,
    pub slice: c_int,
    pub expr: *mut Expr,
    pub body: *mut pg_sys::List,
}

#[repr(C)]
pub struct ReturnQuery {
    pub head: Stmt,
    pub query: *mut Expr,
    pub dynamic: *mut Expr,
}

#[repr(C)]
pub struct Open {
    pub head: Stmt,
    pub cursor: c_int,
    pub options: c_int,
    pub arguments: *mut Expr,
    pub query: *mut Expr,
    pub dynamic: *mut Expr,
}
