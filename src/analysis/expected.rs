//! `safedelete.exactly(n)` and `safedelete.at_most(n)`: found by what the parser resolved them to, and taken out of
//! the condition before anything judges or plans it, so that they restrict nothing, cost nothing a row and
//! keep no index from being used. What is left in a statement is not enforced, and raises where it is run.

use crate::pg::pg_sys;
use pgrx::pg_sys::NodeTag;
use safedelete_core::expectation::{self, BadNumber, Word};

use crate::pg::report;
use crate::pg::{compat, frame, nodes, raw};

/// Whether a condition may have one in its top-level AND. For bare frames; says yes to any other function.
///
/// # Safety
/// `query` is a DELETE or UPDATE.
#[inline]
pub unsafe fn may_be_in(query: *mut pg_sys::Query) -> bool {
    // SAFETY: transformDeleteStmt and its siblings never leave jointree NULL; the cast follows the tag.
    unsafe {
        let condition = (*(*query).jointree).quals;
        match nodes::tag(condition) {
            NodeTag::T_FuncExpr => true,
            NodeTag::T_BoolExpr => {
                let expression = condition.cast::<pg_sys::BoolExpr>();
                (*expression).boolop == pg_sys::BoolExprType::AND_EXPR
                    && nodes::items::<pg_sys::Node>((*expression).args)
                        .any(|arm| matches!(nodes::tag(arm), NodeTag::T_FuncExpr | NodeTag::T_BoolExpr))
            }
            _ => false,
        }
    }
}

/// Takes what is expected out of a write's condition: its WHERE, MERGE's ON, the WHERE of ON CONFLICT DO UPDATE.
/// A list of calls whose arguments are ready to be run; NULL where there is none. Raises 22023 for an
/// argument that is not one number for the whole statement.
///
/// # Safety
/// `query` is a Query that writes rows that were there, ours to change.
pub unsafe fn take(query: *mut pg_sys::Query) -> *mut pg_sys::List {
    // SAFETY: by contract.
    unsafe {
        let place = match (*query).commandType {
            pg_sys::CmdType::CMD_MERGE => compat::merge_condition_place(query),
            pg_sys::CmdType::CMD_INSERT => &raw mut (*(*query).onConflict).onConflictWhere,
            _ => &raw mut (*(*query).jointree).quals,
        };
        let mut calls = Vec::new();
        *place = without(*place, &mut calls);
        if (*place).is_null() && !calls.is_empty() && (*query).commandType == pg_sys::CmdType::CMD_MERGE {
            // A join has a condition.
            *place = pg_sys::makeBoolConst(true, false);
        }
        nodes::list(calls.into_iter().map(|(word, call)| prepared(word, call)))
    }
}

/// A condition without the calls, which are put aside; NULL where nothing is left.
///
/// # Safety
/// `condition` is NULL or a condition, ours to change.
unsafe fn without(
    condition: *mut pg_sys::Node,
    calls: &mut Vec<(Word, *mut pg_sys::FuncExpr)>,
) -> *mut pg_sys::Node {
    // SAFETY: by contract; casts follow tags.
    unsafe {
        match nodes::tag(condition) {
            NodeTag::T_FuncExpr => {
                let call = condition.cast::<pg_sys::FuncExpr>();
                let Some(word) = word_of(call) else { return condition };
                calls.push((word, call));
                std::ptr::null_mut()
            }
            NodeTag::T_BoolExpr => {
                let expression = condition.cast::<pg_sys::BoolExpr>();
                if (*expression).boolop != pg_sys::BoolExprType::AND_EXPR {
                    return condition;
                }
                let before = calls.len();
                let arms = nodes::items::<pg_sys::Node>((*expression).args);
                let left: Vec<_> = arms.map(|arm| without(arm, calls)).filter(|arm| !arm.is_null()).collect();
                if calls.len() == before {
                    return condition;
                }
                match left.as_slice() {
                    [] => std::ptr::null_mut(),
                    [one] => *one,
                    _ => {
                        (*expression).args = nodes::list(left);
                        condition
                    }
                }
            }
            _ => condition,
        }
    }
}

/// Which of the functions is called, if one is.
///
/// # Safety
/// `call` is a FuncExpr.
unsafe fn word_of(call: *mut pg_sys::FuncExpr) -> Option<Word> {
    // SAFETY: by contract; names are palloc'd and NUL-terminated, or NULL.
    unsafe {
        let looks_so = (*call).funcresulttype == pg_sys::BOOLOID
            && (*call).funcid.to_u32() >= pg_sys::FirstNormalObjectId
            && nodes::length((*call).args) == 1;
        if !looks_so {
            return None;
        }
        let schema = pg_sys::get_namespace_oid(c"safedelete".as_ptr(), true);
        if schema == pg_sys::InvalidOid || pg_sys::get_func_namespace((*call).funcid) != schema {
            return None;
        }
        let name = pg_sys::get_func_name((*call).funcid);
        let name = (!name.is_null()).then(|| std::ffi::CStr::from_ptr(name))?;
        // The schema is the extension's alone.
        Word::ALL.into_iter().find(|word| word.name().as_bytes() == name.to_bytes())
    }
}

/// A call as a plan carries it.
///
/// # Safety
/// `call` is a call of `word`, ours to change.
unsafe fn prepared(word: Word, call: *mut pg_sys::FuncExpr) -> *mut pg_sys::FuncExpr {
    // SAFETY: by contract; expression_planner copies what it changes.
    unsafe {
        let arguments = (*call).args.cast::<pg_sys::Node>();
        if pg_sys::contain_var_clause(arguments)
            || pg_sys::checkExprHasSubLink(arguments)
            || pg_sys::contain_volatile_functions(arguments)
        {
            report::raise_here(&expectation::bad_number(word, BadNumber::Varies));
        }
        let argument = (*(*(*call).args).elements).ptr_value.cast::<pg_sys::Expr>();
        let argument = frame::call(|| {
            #[allow(ffi_unwind_calls, reason = "inside frame::call; the closure owns nothing")]
            raw::expression_planner(argument)
        });
        (*call).args = nodes::list([argument]);
        call
    }
}

/// Which function a call that a plan carries calls.
///
/// # Safety
/// `call` is of a list that `take` has made.
pub unsafe fn word(call: *mut pg_sys::FuncExpr) -> Option<Word> {
    // SAFETY: by contract.
    unsafe { word_of(call) }
}

/// Up to how many rows all expectations are met whatever is bound, where that is so of any number.
///
/// # Safety
/// `calls` is a list that `take` has made.
pub unsafe fn surely_met_up_to(calls: *mut pg_sys::List) -> Option<u64> {
    let mut most = u64::MAX;
    for call in nodes::items::<pg_sys::FuncExpr>(calls) {
        // SAFETY: by contract; casts follow tags.
        unsafe {
            if word_of(call) != Some(Word::AtMost) {
                return None;
            }
            let argument = (*(*(*call).args).elements).ptr_value.cast::<pg_sys::Node>();
            let constant = nodes::cast::<pg_sys::Const, _>(argument, NodeTag::T_Const)?;
            if (*constant).constisnull {
                return None;
            }
            most = most.min(u64::try_from((*constant).constvalue.value() as i64).ok()?);
        }
    }
    Some(most)
}
