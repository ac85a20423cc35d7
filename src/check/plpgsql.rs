//! A DO block in PL/pgSQL, by PL/pgSQL's own parser. The block is handed to PL/pgSQL as DO does, with
//! its plugin hook set: PL/pgSQL compiles it and tells of the outermost block before it executes
//! anything. There its static SQL is analysed, with PL/pgSQL's own variables, and then an error takes
//! the block away.
//!
//! The layouts are plpgsql.h's, the same in 15 to 18 as far as they are named here.

use core::ffi::{c_char, c_int, c_uint, c_void};
use std::ffi::CStr;

use pgrx::pg_sys;
use pgrx::pg_sys::NodeTag;
use safedelete_core::message::Report;

use super::{Finding, statement};
use crate::pg::attempt::{Failure, attempt};
use crate::pg::local::Local;
use crate::pg::{frame, nodes, raw};
use crate::refusal;

/// PLpgSQL_stmt_type, what is looked at.
mod kind {
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
    pub const RETURN: u32 = 11;
    pub const RETURN_QUERY: u32 = 13;
    pub const EXECSQL: u32 = 16;
    pub const DYNEXECUTE: u32 = 17;
    pub const DYNFORS: u32 = 18;
    pub const OPEN: u32 = 20;
    pub const PERFORM: u32 = 23;
    pub const CALL: u32 = 24;
}

#[repr(C)]
#[derive(Clone, Copy)]
struct Stmt {
    kind: c_uint,
    line: c_int,
    id: c_uint,
}

#[repr(C)]
struct Expr {
    query: *const c_char,
    mode: pg_sys::RawParseMode::Type,
    #[cfg(not(feature = "pg18"))]
    plan: *mut c_void,
    #[cfg(not(feature = "pg18"))]
    paramnos: *mut c_void,
    /// Before 18 set when the expression is first prepared.
    function: *mut c_void,
}

#[repr(C)]
struct Block {
    head: Stmt,
    label: *mut c_char,
    body: *mut pg_sys::List,
    variables: c_int,
    variable_numbers: *mut c_int,
    exceptions: *mut Exceptions,
}

#[repr(C)]
struct Exceptions {
    state: c_int,
    message: c_int,
    list: *mut pg_sys::List,
}

#[repr(C)]
struct Exception {
    line: c_int,
    conditions: *mut c_void,
    action: *mut pg_sys::List,
}

/// EXECSQL, PERFORM, CALL, RETURN.
#[repr(C)]
struct WithExpr {
    head: Stmt,
    expr: *mut Expr,
}

#[repr(C)]
struct Assign {
    head: Stmt,
    variable: c_int,
    expr: *mut Expr,
}

#[repr(C)]
struct If {
    head: Stmt,
    condition: *mut Expr,
    then: *mut pg_sys::List,
    elsifs: *mut pg_sys::List,
    otherwise: *mut pg_sys::List,
}

/// PLpgSQL_if_elsif and PLpgSQL_case_when.
#[repr(C)]
struct Arm {
    line: c_int,
    condition: *mut Expr,
    body: *mut pg_sys::List,
}

#[repr(C)]
struct Case {
    head: Stmt,
    expr: *mut Expr,
    variable: c_int,
    arms: *mut pg_sys::List,
    have_else: bool,
    otherwise: *mut pg_sys::List,
}

#[repr(C)]
struct Loop {
    head: Stmt,
    label: *mut c_char,
    body: *mut pg_sys::List,
}

#[repr(C)]
struct While {
    head: Stmt,
    label: *mut c_char,
    condition: *mut Expr,
    body: *mut pg_sys::List,
}

#[repr(C)]
struct ForInteger {
    head: Stmt,
    label: *mut c_char,
    variable: *mut c_void,
    lower: *mut Expr,
    upper: *mut Expr,
    step: *mut Expr,
    reverse: c_int,
    body: *mut pg_sys::List,
}

/// FORS, FORC and DYNFORS begin alike; the query is FORS's.
#[repr(C)]
struct ForQuery {
    head: Stmt,
    label: *mut c_char,
    variable: *mut c_void,
    body: *mut pg_sys::List,
    query: *mut Expr,
}

#[repr(C)]
struct Foreach {
    head: Stmt,
    label: *mut c_char,
    variable: c_int,
    slice: c_int,
    expr: *mut Expr,
    body: *mut pg_sys::List,
}

#[repr(C)]
struct ReturnQuery {
    head: Stmt,
    query: *mut Expr,
    dynamic: *mut Expr,
}

#[repr(C)]
struct Open {
    head: Stmt,
    cursor: c_int,
    options: c_int,
    arguments: *mut Expr,
    query: *mut Expr,
    dynamic: *mut Expr,
}

type StatementHook = unsafe extern "C-unwind" fn(*mut c_void, *mut Stmt);

/// PLpgSQL_plugin: five hooks of ours, and places that PL/pgSQL fills.
#[repr(C)]
struct Plugin {
    function_setup: *mut c_void,
    function_begin: *mut c_void,
    function_end: *mut c_void,
    statement_begin: Option<StatementHook>,
    statement_end: *mut c_void,
    theirs: [*mut c_void; 8],
}

static PLUGIN: Local<Plugin> = Local::new(Plugin {
    function_setup: std::ptr::null_mut(),
    function_begin: std::ptr::null_mut(),
    function_end: std::ptr::null_mut(),
    statement_begin: Some(began),
    statement_end: std::ptr::null_mut(),
    theirs: [std::ptr::null_mut(); 8],
});

/// What the hook has found; `None` until it comes.
static FOUND: Local<Option<Vec<Finding>>> = Local::new(None);

/// The findings of a DO block, or why it could not be looked into.
///
/// # Safety
/// `block` is a DO in PL/pgSQL.
pub unsafe fn look_into(block: *mut pg_sys::DoStmt) -> Result<Vec<Finding>, Failure> {
    FOUND.with(|found| *found = None);
    let outcome = attempt(|| {
        let _installed = Installed::begin();
        frame::call(|| {
            #[allow(ffi_unwind_calls, reason = "inside frame::call; the closure owns nothing")]
            // SAFETY: by contract.
            unsafe {
                raw::ExecuteDoStmt(std::ptr::null_mut(), block, true)
            }
        });
    });
    match (FOUND.with(Option::take), outcome) {
        (Some(findings), _) => Ok(findings),
        // A block that PL/pgSQL executes without a statement.
        (None, Ok(())) => Ok(Vec::new()),
        (None, Err(failure)) => Err(failure.unless_interrupted()),
    }
}

/// The plugin in its place: however the block ends, what stood there before is put back.
struct Installed;

static BEFORE: Local<*mut c_void> = Local::new(std::ptr::null_mut());

impl Installed {
    fn begin() -> Installed {
        let ours = PLUGIN.with(std::ptr::from_mut).cast();
        // SAFETY: PL/pgSQL's rendezvous variable, which lives as long as the backend.
        unsafe {
            BEFORE.set(*place());
            *place() = ours;
        }
        Installed
    }
}

impl Drop for Installed {
    fn drop(&mut self) {
        // SAFETY: as above.
        unsafe { *place() = BEFORE.get() };
    }
}

fn place() -> *mut *mut c_void {
    // SAFETY: finds the variable, or makes it.
    unsafe { pg_sys::find_rendezvous_variable(c"PLpgSQL_plugin".as_ptr()) }
}

/// A bare frame: PL/pgSQL is about to execute its outermost block.
#[allow(ffi_unwind_calls, reason = "a bare frame: it owns nothing and cannot panic")]
unsafe extern "C-unwind" fn began(state: *mut c_void, outermost: *mut Stmt) {
    // SAFETY: PL/pgSQL's arguments; its state begins with the function.
    unsafe {
        let stop = frame::guarded(|| {
            // Analysis may run functions in PL/pgSQL (constant folding): they are not ours to stop.
            *place() = BEFORE.get();
            let function = *state.cast::<*mut c_void>();
            let mut findings = Vec::new();
            walk(outermost, function, &mut findings);
            FOUND.with(|found| *found = Some(findings));
            let message = "safedelete.check has seen enough".to_owned();
            refusal::freeze(&Report::plain(*b"SD000", message, None, None), None)
        });
        refusal::raise(&stop);
    }
}

/// # Safety
/// `list` holds PL/pgSQL's statements.
unsafe fn walk_all(list: *mut pg_sys::List, function: *mut c_void, findings: &mut Vec<Finding>) {
    for statement in nodes::items::<Stmt>(list) {
        // SAFETY: by contract.
        unsafe { walk(statement, function, findings) };
    }
}

/// # Safety
/// `statement` is PL/pgSQL's, of the kind that its head says.
unsafe fn walk(statement: *mut Stmt, function: *mut c_void, findings: &mut Vec<Finding>) {
    let dynamic = || Finding::unknown("EXECUTE", "what EXECUTE runs is known only when it runs");
    // SAFETY: by contract; each cast follows the kind.
    unsafe {
        let mut sql = |expr: *mut Expr| of_expression(expr, function, findings);
        match (*statement).kind {
            kind::BLOCK => {
                let block = &*statement.cast::<Block>();
                walk_all(block.body, function, findings);
                if !block.exceptions.is_null() {
                    for exception in nodes::items::<Exception>((*block.exceptions).list) {
                        walk_all((*exception).action, function, findings);
                    }
                }
            }
            kind::ASSIGN => sql((*statement.cast::<Assign>()).expr),
            kind::EXECSQL | kind::PERFORM | kind::RETURN => sql((*statement.cast::<WithExpr>()).expr),
            kind::CALL => findings.push(Finding::unknown("CALL", "what a procedure runs is not looked into")),
            kind::DYNEXECUTE => findings.push(dynamic()),
            kind::IF => {
                let branch = &*statement.cast::<If>();
                sql(branch.condition);
                for arm in nodes::items::<Arm>(branch.elsifs) {
                    sql((*arm).condition);
                }
                walk_all(branch.then, function, findings);
                for arm in nodes::items::<Arm>(branch.elsifs) {
                    walk_all((*arm).body, function, findings);
                }
                walk_all(branch.otherwise, function, findings);
            }
            kind::CASE => {
                let case = &*statement.cast::<Case>();
                for arm in nodes::items::<Arm>(case.arms) {
                    walk_all((*arm).body, function, findings);
                }
                walk_all(case.otherwise, function, findings);
            }
            kind::LOOP => walk_all((*statement.cast::<Loop>()).body, function, findings),
            kind::WHILE => {
                sql((*statement.cast::<While>()).condition);
                walk_all((*statement.cast::<While>()).body, function, findings);
            }
            kind::FORI => walk_all((*statement.cast::<ForInteger>()).body, function, findings),
            kind::FORS => {
                sql((*statement.cast::<ForQuery>()).query);
                walk_all((*statement.cast::<ForQuery>()).body, function, findings);
            }
            kind::FORC => walk_all((*statement.cast::<ForQuery>()).body, function, findings),
            kind::DYNFORS => {
                findings.push(dynamic());
                walk_all((*statement.cast::<ForQuery>()).body, function, findings);
            }
            kind::FOREACH => walk_all((*statement.cast::<Foreach>()).body, function, findings),
            kind::RETURN_QUERY => {
                let query = &*statement.cast::<ReturnQuery>();
                sql(query.query);
                if !query.dynamic.is_null() {
                    findings.push(dynamic());
                }
            }
            kind::OPEN => {
                let open = &*statement.cast::<Open>();
                sql(open.query);
                if !open.dynamic.is_null() {
                    findings.push(dynamic());
                }
            }
            _ => {}
        }
    }
}

/// # Safety
/// `expr` is NULL or PL/pgSQL's.
unsafe fn of_expression(expr: *mut Expr, function: *mut c_void, findings: &mut Vec<Finding>) {
    if expr.is_null() {
        return;
    }
    // SAFETY: by contract; PL/pgSQL sets the function likewise before it prepares an expression.
    let (text, mode) = unsafe {
        (*expr).function = function;
        (CStr::from_ptr((*expr).query), (*expr).mode)
    };
    let outcome = attempt(|| {
        frame::call(|| {
            #[allow(ffi_unwind_calls, reason = "inside frame::call; the closure owns nothing")]
            // SAFETY: NUL-terminated.
            unsafe {
                raw::raw_parser(text.as_ptr(), mode)
            }
        })
    });
    let Ok(parsed) = outcome.map_err(Failure::unless_interrupted) else { return };
    for raw in nodes::items::<pg_sys::RawStmt>(parsed) {
        // SAFETY: the parser's statement.
        let node = unsafe { (*raw).stmt };
        // An assignment that calls nothing has nothing to say.
        findings.extend(statement::of_plpgsql(node, text, expr.cast()).into_iter().filter(|finding| {
            finding.verdict != super::Verdict::Ok || nodes::tag(node) != NodeTag::T_SelectStmt
        }));
    }
}
