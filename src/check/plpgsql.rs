//! A DO block in PL/pgSQL, by PL/pgSQL's own parser. The block is handed to PL/pgSQL as DO does, with
//! its plugin hook set: PL/pgSQL compiles it and tells of the outermost block before it executes
//! anything. There its static SQL is analysed, with PL/pgSQL's own variables, and then an error takes
//! the block away.

use core::ffi::c_void;
use std::ffi::CStr;

use crate::pg::pg_sys;
use safedelete_core::message::Report;

use super::forecast::{Forecast, Outcome};
use super::layouts::*;
use super::parsed::{carried, command_name};
use super::query::{self, Parameters};
use super::script::Source;
use super::session::Session;
use super::whole;
use crate::pg::attempt::{Failure, attempt};
use crate::pg::local::{Lent, Local};
use crate::pg::nodes::{Node, Nodes, Statement};
use crate::pg::{frame, growing, nodes, raw, report};

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

/// The script's session, while the hook runs.
static SESSION: Local<*const Session> = Local::new(std::ptr::null());

/// What the hook has found; `None` until it comes.
static FOUND: Lent<Option<Vec<Forecast>>> = Lent::new(None);

/// The forecasts of a DO block, or why it could not be looked into.
pub fn look_into(session: &Session, block: Node<pg_sys::DoStmt>) -> Result<Vec<Forecast>, Failure> {
    SESSION.set(session);
    FOUND.with(|found| *found = None);
    let outcome = attempt(|| {
        let _installed = Installed::begin();
        frame::call(|| {
            #[allow(ffi_unwind_calls, reason = "inside frame::call; the closure owns nothing")]
            // SAFETY: a DO in PL/pgSQL.
            unsafe {
                raw::ExecuteDoStmt(std::ptr::null_mut(), block.as_ptr(), true)
            }
        });
    });
    match (FOUND.with(Option::take), outcome) {
        (Some(forecasts), _) => Ok(forecasts),
        // A block that PL/pgSQL executes without a statement.
        (None, Ok(())) => Ok(Vec::new()),
        (None, Err(failure)) => Err(failure),
    }
}

/// The plugin in its place: however the block ends, what stood there before is put back.
struct Installed(*mut *mut c_void);

static BEFORE: Local<*mut c_void> = Local::new(std::ptr::null_mut());

impl Installed {
    fn begin() -> Installed {
        let ours = PLUGIN.as_ptr().cast();
        let place = place();
        // SAFETY: PL/pgSQL's rendezvous variable, which lives as long as the backend.
        unsafe {
            BEFORE.set(*place);
            *place = ours;
        }
        Installed(place)
    }
}

impl Drop for Installed {
    fn drop(&mut self) {
        // SAFETY: as above.
        unsafe { *self.0 = BEFORE.get() };
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
            let mut forecasts = Vec::new();
            Walk { state: state.cast(), session: &*SESSION.get(), forecasts: &mut forecasts }.walk(outermost);
            FOUND.with(|found| *found = Some(forecasts));
            let message = "safedelete.check has seen enough".to_owned();
            report::freeze(&Report::plain(*b"SD000", message, None, None), None)
        });
        report::raise(&stop);
    }
}

/// Goes through a function's statements, in their order.
struct Walk<'a> {
    state: *mut State,
    session: &'a Session,
    forecasts: &'a mut Vec<Forecast>,
}

impl Walk<'_> {
    fn unknown(&mut self, command: &str, reason: &str) {
        growing::push(self.forecasts, Forecast::unknown(command, reason));
    }

    /// # Safety
    /// `list` holds PL/pgSQL's statements.
    unsafe fn walk_all(&mut self, list: *mut pg_sys::List) {
        // SAFETY: by contract.
        unsafe { nodes::items::<Stmt>(list).for_each(|statement| self.walk(statement)) }
    }

    /// # Safety
    /// `statement` is PL/pgSQL's, of the kind that its head says.
    unsafe fn walk(&mut self, statement: *mut Stmt) {
        const DYNAMIC: &str = "what EXECUTE runs is known only when it runs";
        // SAFETY: by contract; each cast follows the kind.
        unsafe {
            match (*statement).kind {
                kind::BLOCK => self.block(&*statement.cast()),
                kind::ASSIGN => self.sql((*statement.cast::<Assign>()).expr),
                kind::EXECSQL | kind::PERFORM | kind::RETURN | kind::RETURN_NEXT => {
                    self.sql((*statement.cast::<WithExpr>()).expr);
                }
                kind::CALL => self.unknown("CALL", "what CALL or DO runs is not looked into"),
                kind::DYNEXECUTE => self.unknown("EXECUTE", DYNAMIC),
                kind::EXIT => self.sql((*statement.cast::<Exit>()).condition),
                kind::RAISE => {
                    nodes::items::<Expr>((*statement.cast::<Raise>()).parameters).for_each(|e| self.sql(e));
                }
                kind::ASSERT => {
                    self.sql((*statement.cast::<Assert>()).condition);
                    self.sql((*statement.cast::<Assert>()).message);
                }
                kind::IF => {
                    let branch = &*statement.cast::<If>();
                    self.sql(branch.condition);
                    self.walk_all(branch.then);
                    self.arms(branch.elsifs);
                    self.walk_all(branch.otherwise);
                }
                kind::CASE => {
                    let case = &*statement.cast::<Case>();
                    self.sql(case.expr);
                    self.arms(case.arms);
                    self.walk_all(case.otherwise);
                }
                kind::LOOP => self.walk_all((*statement.cast::<Loop>()).body),
                kind::WHILE => {
                    self.sql((*statement.cast::<While>()).condition);
                    self.walk_all((*statement.cast::<While>()).body);
                }
                kind::FORI => {
                    let range = &*statement.cast::<ForInteger>();
                    [range.lower, range.upper, range.step].into_iter().for_each(|e| self.sql(e));
                    self.walk_all(range.body);
                }
                kind::FORS => {
                    self.sql((*statement.cast::<ForQuery>()).query);
                    self.walk_all((*statement.cast::<ForQuery>()).body);
                }
                kind::FORC => self.walk_all((*statement.cast::<ForQuery>()).body),
                kind::DYNFORS => {
                    self.unknown("EXECUTE", DYNAMIC);
                    self.walk_all((*statement.cast::<ForQuery>()).body);
                }
                kind::FOREACH => {
                    self.sql((*statement.cast::<Foreach>()).expr);
                    self.walk_all((*statement.cast::<Foreach>()).body);
                }
                kind::RETURN_QUERY => {
                    self.sql((*statement.cast::<ReturnQuery>()).query);
                    if !(*statement.cast::<ReturnQuery>()).dynamic.is_null() {
                        self.unknown("EXECUTE", DYNAMIC);
                    }
                }
                kind::OPEN => {
                    let open = &*statement.cast::<Open>();
                    self.sql(open.arguments);
                    self.sql(open.query);
                    if !open.dynamic.is_null() {
                        self.unknown("EXECUTE", DYNAMIC);
                    }
                }
                _ => {}
            }
        }
    }

    /// # Safety
    /// `block` is of the function that runs.
    unsafe fn block(&mut self, block: &Block) {
        // SAFETY: by contract; the numbers are those of the function's variables.
        unsafe {
            for i in 0..block.variables as usize {
                let variable = *(*self.state).variables.add(*block.variable_numbers.add(i) as usize);
                if matches!((*variable).kind, SCALAR | RECORD) {
                    self.sql((*variable).default);
                }
                if (*variable).kind == SCALAR {
                    // A cursor's, run when it is opened.
                    self.sql((*variable).cursor_query);
                }
            }
            self.walk_all(block.body);
            if !block.exceptions.is_null() {
                for exception in nodes::items::<Exception>((*block.exceptions).list) {
                    self.walk_all((*exception).action);
                }
            }
        }
    }

    /// # Safety
    /// `list` holds the arms of IF or CASE.
    unsafe fn arms(&mut self, list: *mut pg_sys::List) {
        // SAFETY: by contract.
        unsafe {
            for arm in nodes::items::<Arm>(list) {
                self.sql((*arm).condition);
                self.walk_all((*arm).body);
            }
        }
    }

    /// What an expression or a statement of SQL comes to.
    ///
    /// # Safety
    /// `expr` is NULL or PL/pgSQL's.
    unsafe fn sql(&mut self, expr: *mut Expr) {
        if expr.is_null() {
            return;
        }
        // SAFETY: by contract; PL/pgSQL sets the function likewise before it prepares an expression.
        let (text, mode) = unsafe {
            (*expr).function = (*self.state).function;
            (CStr::from_ptr((*expr).query), (*expr).mode)
        };
        let outcome = attempt(|| {
            frame::call(|| {
                #[allow(ffi_unwind_calls, reason = "inside frame::call; the closure owns nothing")]
                // SAFETY: NUL-terminated; the parser's list holds RawStmts, made where the current memory is.
                unsafe {
                    Nodes::<pg_sys::RawStmt>::of(raw::raw_parser(text.as_ptr(), mode))
                }
            })
        });
        let Ok(parsed) = outcome else { return };
        // A setting may have been changed by now: what would be refused is not known.
        let settings_changed = self.forecasts.iter().any(|forecast| forecast.command == "SET");
        for node in parsed.iter().filter_map(|raw| raw.stmt()) {
            let source = Source { text, location: 0, length: 0 };
            for mut forecast in judge(self.session, node, source, expr.cast()) {
                if settings_changed && forecast.outcome == Outcome::Refused {
                    forecast.outcome = Outcome::Unknown;
                }
                // An expression that calls nothing has nothing to say.
                if forecast.outcome != Outcome::Ok || !node.is_a::<pg_sys::SelectStmt>() {
                    growing::push(self.forecasts, forecast);
                }
            }
        }
    }
}

/// A statement of SQL of the function's. Called while PL/pgSQL is about to execute it.
fn judge(session: &Session, node: Node, source: Source, expression: *mut c_void) -> Vec<Forecast> {
    let command = command_name(node);
    match node.statement() {
        Statement::InsertStmt(_)
        | Statement::DeleteStmt(_)
        | Statement::UpdateStmt(_)
        | Statement::MergeStmt(_)
        | Statement::SelectStmt(_) => query::judge(session, node, source, Parameters::Variables(expression)),
        Statement::DoStmt(_) | Statement::CallStmt(_) | Statement::ExecuteStmt(_) => {
            vec![Forecast::unknown(&command, "what it runs is not looked into")]
        }
        Statement::VariableSetStmt(_) => {
            vec![Forecast::unknown(&command, "settings inside a block are not followed")]
        }
        Statement::TruncateStmt(truncate) => whole::truncate(truncate),
        Statement::DropStmt(drop) => whole::drop_objects(&command, drop),
        // An assignment; what it is assigned may call a function.
        Statement::PLAssignStmt(_) => query::judge(session, node, source, Parameters::Variables(expression))
            .into_iter()
            .filter(|forecast| forecast.outcome != Outcome::Ok)
            .collect(),
        _ => match carried(node) {
            Some(query) => judge(session, query, source, expression),
            None => vec![Forecast::ok(&command)],
        },
    }
}
