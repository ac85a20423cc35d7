//! A statement on its way to its plan: PostgreSQL's parser, parse analysis, rewriting and planner.

use core::ffi::c_void;
use std::ffi::CStr;

use super::nodes::{Node, Nodes, make};
use super::{compat, frame, pg_sys, raw};

/// The text of a statement: of `length` bytes from `location` on, or as long as `text` is where that is 0.
#[derive(Clone, Copy)]
pub struct Source<'a> {
    pub text: &'a CStr,
    pub location: i32,
    pub length: i32,
}

/// What the parameters of a statement are.
#[derive(Clone, Copy)]
pub enum Parameters<'t> {
    None,
    /// `$1` and so on, of types that the statement tells.
    Numbered,
    /// `$1` and so on, of these types.
    Typed(Nodes<'t, pg_sys::TypeName>),
    /// What a hook of PL/pgSQL's makes of names.
    Variables(Variables),
}

/// ParserSetupHook and its argument.
#[derive(Clone, Copy)]
pub struct Variables {
    pub(super) setup: *mut c_void,
    pub(super) argument: *mut c_void,
}

/// The statements of a text, or its one expression, as the mode says. They are where the current memory is.
pub fn parse<'t>(text: &'t CStr, mode: pg_sys::RawParseMode::Type) -> Nodes<'t, pg_sys::RawStmt> {
    frame::call(|| {
        #[allow(ffi_unwind_calls, reason = "inside frame::call; the closure owns nothing")]
        // SAFETY: NUL-terminated; the parser takes no locks and opens nothing, and its list holds RawStmts. Whose
        // query calls us would take an error's position for one in its own text (_SPI_error_callback); `call` puts
        // the callbacks back.
        unsafe {
            pg_sys::error_context_stack = std::ptr::null_mut();
            Nodes::of(raw::raw_parser(text.as_ptr(), mode))
        }
    })
}

/// What a parsed statement comes to; it stays as it is.
pub fn analyse<'t>(statement: Node<'t>, source: Source, parameters: Parameters) -> Nodes<'t, pg_sys::Query> {
    let raw = make::<pg_sys::RawStmt>();
    // SAFETY: a node that was made here. Analysis may scribble on the tree.
    unsafe {
        (*raw).stmt_location = source.location;
        (*raw).stmt_len = source.length;
        (*raw).stmt = statement.copy().as_ptr();
    }
    let declared: Vec<_> = match parameters {
        Parameters::Typed(types) => types.iter().map(Node::oid).collect(),
        _ => Vec::new(),
    };
    frame::call(|| {
        let (text, none) = (source.text.as_ptr(), std::ptr::null_mut());
        let (mut types, mut count) = (std::ptr::null_mut(), 0);
        #[allow(ffi_unwind_calls, reason = "inside frame::call; the closure owns nothing")]
        // SAFETY: a statement of its own, and the text that its locations point into; gives a list of Queries.
        unsafe {
            Nodes::of(match parameters {
                Parameters::Numbered => {
                    raw::pg_analyze_and_rewrite_varparams(raw, text, &mut types, &mut count, none)
                }
                Parameters::None | Parameters::Typed(_) => raw::pg_analyze_and_rewrite_fixedparams(
                    raw,
                    text,
                    declared.as_ptr(),
                    declared.len() as i32,
                    none,
                ),
                Parameters::Variables(Variables { setup, argument }) => {
                    raw::pg_analyze_and_rewrite_withcb(raw, text, setup, argument, none)
                }
            })
        }
    })
}

/// The plan of a Query, which is nobody's afterwards.
pub fn plan<'t>(query: Node<'t, pg_sys::Query>, text: &CStr) -> Node<'t, pg_sys::PlannedStmt> {
    frame::call(|| {
        #[allow(ffi_unwind_calls, reason = "inside frame::call; the closure owns nothing")]
        // SAFETY: analysis's Query, and the text that its locations point into; gives a plan.
        unsafe {
            let options = pg_sys::CURSOR_OPT_PARALLEL_OK as i32;
            Node::of(compat::plan(query.as_ptr(), text.as_ptr(), options)).unwrap_unchecked()
        }
    })
}

/// PostgreSQL's error where the current user may not do what a plan does.
pub fn check_permissions(plan: Node<pg_sys::PlannedStmt>) {
    frame::call(|| {
        #[allow(ffi_unwind_calls, reason = "inside frame::call; the closure owns nothing")]
        // SAFETY: a finished plan.
        unsafe {
            compat::check_permissions(plan.as_ptr())
        }
    });
}
