//! What PostgreSQL tells of the parser's statements.

use std::ffi::CStr;

use super::super::{frame, pg_sys, raw};
use super::Node;

impl<'t> Node<'t> {
    /// The command, as a command tag names it.
    pub fn command_name(self) -> &'static CStr {
        // SAFETY: the parser's statement; a tag's name is a constant.
        unsafe { CStr::from_ptr(pg_sys::GetCommandTagName(pg_sys::CreateCommandTag(self.as_ptr()))) }
    }
}

impl Node<'_, pg_sys::ExplainStmt> {
    /// Whether an option is on. The last one of the name counts; PostgreSQL's error where its value is no truth value.
    pub fn has_option(self, name: &CStr) -> bool {
        let last = self.options().iter().rfind(|option| option.defname() == Some(name));
        // SAFETY: a DefElem.
        last.is_some_and(|option| unsafe { pg_sys::defGetBoolean(option.as_ptr()) })
    }
}

impl Node<'_, pg_sys::VariableSetStmt> {
    /// Does what SET or RESET says; PostgreSQL's error where it may not be.
    pub fn apply(self) {
        frame::call(|| {
            #[allow(ffi_unwind_calls, reason = "inside frame::call; the closure owns nothing")]
            // SAFETY: a statement of the parser's.
            unsafe {
                raw::ExecSetVariableStmt(self.as_ptr(), false)
            }
        });
    }
}

impl Node<'_, pg_sys::TypeName> {
    /// The type of the name; PostgreSQL's error where there is none.
    pub fn oid(self) -> pg_sys::Oid {
        // SAFETY: a TypeName, looked up without a statement around it.
        unsafe { pg_sys::typenameTypeId(std::ptr::null_mut(), self.as_ptr()) }
    }
}
