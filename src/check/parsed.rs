//! What the parse tree says of a statement by itself: its command, and the statement that it carries.

use std::ffi::CStr;

use pgrx::pg_sys::NodeTag;

use crate::pg::attempt::attempt;
use crate::pg::{nodes, pg_sys, text};

/// The statement that a utility command runs. Plain EXPLAIN runs nothing.
///
/// # Safety
/// `node` is the parser's statement.
pub unsafe fn carried(node: *mut pg_sys::Node) -> Option<*mut pg_sys::Node> {
    // SAFETY: by contract; each cast follows the tag. COPY of a table has no query.
    let query = unsafe {
        match nodes::tag(node) {
            NodeTag::T_ExplainStmt if is_analyze(node.cast()) => (*node.cast::<pg_sys::ExplainStmt>()).query,
            NodeTag::T_CopyStmt => (*node.cast::<pg_sys::CopyStmt>()).query,
            NodeTag::T_CreateTableAsStmt => (*node.cast::<pg_sys::CreateTableAsStmt>()).query,
            NodeTag::T_DeclareCursorStmt => (*node.cast::<pg_sys::DeclareCursorStmt>()).query,
            _ => return None,
        }
    };
    (!query.is_null()).then_some(query)
}

/// The command, as a command tag names it.
pub fn command_name(node: *mut pg_sys::Node) -> String {
    // SAFETY: the parser's statement; a tag's name is a constant.
    let name = unsafe { pg_sys::GetCommandTagName(pg_sys::CreateCommandTag(node)) };
    text::from_server(name).unwrap_or_default()
}

/// # Safety
/// `explain` is an EXPLAIN.
unsafe fn is_analyze(explain: *mut pg_sys::ExplainStmt) -> bool {
    // SAFETY: options are DefElems with names.
    unsafe {
        nodes::items::<pg_sys::DefElem>((*explain).options)
            .filter(|option| CStr::from_ptr((**option).defname) == c"analyze")
            .any(|option| attempt(|| pg_sys::defGetBoolean(option)).unwrap_or(true))
    }
}
