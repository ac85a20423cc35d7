//! A look into PL/pgSQL's blocks before they run.

mod tree;

use core::ffi::c_void;
use std::ffi::CStr;

use safedelete_core::message::Report;

use super::attempt::{Failure, attempt};
use super::local::Local;
use super::nodes::{self, Node, make};
use super::{frame, pg_sys, raw, report};
pub use tree::{Arm, Block, Expr, State, Statement, Stmt};

/// A DO block with this body, in the current memory context.
pub fn block<'t>(body: &'t CStr) -> Node<'t, pg_sys::DoStmt> {
    let block = make::<pg_sys::DoStmt>();
    // SAFETY: nodes that are made here; the body outlives them.
    unsafe {
        let text = pg_sys::makeString(body.as_ptr().cast_mut()).cast();
        (*block).args = nodes::list([pg_sys::makeDefElem(c"as".as_ptr().cast_mut(), text, -1)]);
        Node::of(block).unwrap_unchecked()
    }
}

type Look<'a> = &'a mut dyn FnMut(Node<State>, Node<Stmt>);

/// Who looks, and whether it has.
struct Looking<'a> {
    look: Look<'a>,
    done: bool,
}

/// Hands a block to PL/pgSQL as DO does, with its plugin hook set: PL/pgSQL compiles it and tells of the outermost
/// statement before it executes anything. There `look` is called, and then an error takes the block away. Whether
/// it came to that: a block may be executed without a statement.
pub fn look_into(block: Node<pg_sys::DoStmt>, look: Look) -> Result<bool, Failure> {
    let mut looking = Looking { look, done: false };
    let outcome = attempt(|| {
        let _installed = Installed::begin(&mut looking);
        frame::call(|| {
            #[allow(ffi_unwind_calls, reason = "inside frame::call; the closure owns nothing")]
            // SAFETY: a DO in PL/pgSQL.
            unsafe {
                raw::ExecuteDoStmt(std::ptr::null_mut(), block.as_ptr(), true)
            }
        });
    });
    if looking.done { Ok(true) } else { outcome.map(|()| false) }
}

/// PLpgSQL_plugin: five hooks of ours, and places that PL/pgSQL fills.
#[repr(C)]
struct Plugin {
    function_setup: *mut c_void,
    function_begin: *mut c_void,
    function_end: *mut c_void,
    statement_begin: unsafe extern "C-unwind" fn(*mut State, *mut Stmt),
    statement_end: *mut c_void,
    theirs: [*mut c_void; 8],
}

static PLUGIN: Local<Plugin> = Local::new(Plugin {
    function_setup: std::ptr::null_mut(),
    function_begin: std::ptr::null_mut(),
    function_end: std::ptr::null_mut(),
    statement_begin: began,
    statement_end: std::ptr::null_mut(),
    theirs: [std::ptr::null_mut(); 8],
});

/// The plugin in its place: however the block ends, what stood there before is put back.
struct Installed(*mut *mut c_void);

/// What stood there; and who looks.
static BEFORE: Local<*mut c_void> = Local::new(std::ptr::null_mut());
static LOOKING: Local<*mut c_void> = Local::new(std::ptr::null_mut());

impl Installed {
    fn begin(looking: *mut Looking) -> Installed {
        LOOKING.set(looking.cast());
        let place = place();
        // SAFETY: PL/pgSQL's rendezvous variable, which lives as long as the backend.
        unsafe {
            BEFORE.set(*place);
            *place = PLUGIN.as_ptr().cast();
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
unsafe extern "C-unwind" fn began(state: *mut State, outermost: *mut Stmt) {
    // SAFETY: PL/pgSQL's arguments, which stay while it waits; who looks waits below `look_into`.
    unsafe {
        let stop = frame::guarded(|| {
            let looking = LOOKING.get().cast::<Looking>();
            // Analysis may run functions in PL/pgSQL (constant folding): they are not ours to stop.
            *place() = BEFORE.get();
            if let (Some(state), Some(outermost)) = (Node::of(state), Node::of(outermost)) {
                ((*looking).look)(state, outermost);
            }
            (*looking).done = true;
            let message = "safedelete.check has seen enough".to_owned();
            report::freeze(&Report::plain(*b"SD000", message, None, None), None)
        });
        report::raise(&stop);
    }
}
