//! The portal that is being run, which PostgreSQL calls active: the client's, or a cursor of a function's. It
//! lives while it is active, and nothing here keeps a pointer to it or into it.

use super::{nodes, pg_sys};

#[inline]
fn active<'a>() -> Option<&'a pg_sys::PortalData> {
    // SAFETY: NULL, or a portal that PortalRun and its siblings keep while they run; the reference does not
    // leave this file.
    unsafe { pg_sys::ActivePortal.as_ref() }
}

/// Where it is, for a name; 0 where there is none.
#[inline]
pub fn address() -> usize {
    // SAFETY: reads a backend variable.
    unsafe { pg_sys::ActivePortal.addr() }
}

#[inline]
pub fn is_active() -> bool {
    address() != 0
}

/// Whether it is of one statement.
#[inline]
pub fn is_single() -> bool {
    // SAFETY: an active portal's statements are a list.
    active().is_some_and(|portal| unsafe { nodes::length(portal.stmts) } == 1)
}

/// Whether it is of this statement alone.
#[inline]
pub fn is_of(statement: &pg_sys::PlannedStmt) -> bool {
    // SAFETY: an active portal's statements are a list of PlannedStmts.
    active().is_some_and(|portal| unsafe {
        nodes::length(portal.stmts) == 1
            && std::ptr::eq((*(*portal.stmts).elements).ptr_value.cast(), statement)
    })
}

/// Whether it is of queries: a utility command has a portal of its own.
#[inline]
pub fn runs_query() -> bool {
    // SAFETY: an active portal's statements are PlannedStmts.
    active().is_some_and(|portal| unsafe {
        nodes::length(portal.stmts) != 1
            || (*(*(*portal.stmts).elements).ptr_value.cast::<pg_sys::PlannedStmt>()).utilityStmt.is_null()
    })
}

/// Whether it is the unnamed one, which a message of the client's alone makes: a cursor without a name is given one.
#[inline]
pub fn is_unnamed() -> bool {
    // SAFETY: a portal's name is a text that lives as long.
    active().is_some_and(|portal| unsafe { *portal.name } == 0)
}

/// Whether pg_cursors leaves it out: it is of a simple query, which was analysed just now, or EXECUTE's own. What the
/// client has bound is shown, and so is a function's cursor.
#[inline]
pub fn is_hidden() -> bool {
    active().is_some_and(|portal| !portal.visible)
}

/// Whether the transaction has begun with the message that has made it. Not known is no.
#[inline(always)]
pub fn begins_transaction() -> bool {
    // SAFETY: NULL, or what this process tells pg_stat_activity: 0, or what is older, where it is to tell nothing.
    let told = unsafe { pg_sys::MyBEEntry.as_ref() };
    active().zip(told).is_some_and(|(portal, told)| portal.creation_time == told.st_xact_start_timestamp)
}

/// The command up to which the utility command that it runs sees the transaction's own rows, where it has a
/// snapshot: the transaction's running command.
#[inline]
pub fn saw() -> Option<pg_sys::CommandId> {
    // SAFETY: NULL, or PortalRunUtility's active snapshot, which stays so while the command runs.
    active().and_then(|portal| unsafe { portal.portalSnapshot.as_ref() }).map(|snapshot| snapshot.curcid)
}

/// Whether a statement is the first of the portal's, or the last. Rules may put utility commands (NOTIFY)
/// among them, which do not count.
pub fn is_first(statement: &pg_sys::PlannedStmt) -> bool {
    queries().next().is_none_or(|first| std::ptr::eq(first, statement))
}

pub fn is_last(statement: &pg_sys::PlannedStmt) -> bool {
    queries().last().is_none_or(|last| std::ptr::eq(last, statement))
}

/// The queries that it runs: those that rules make of the client's statement among them.
pub fn queries() -> impl Iterator<Item = *mut pg_sys::PlannedStmt> {
    let statements = active().map_or(std::ptr::null_mut(), |portal| portal.stmts);
    // SAFETY: an active portal's statements are PlannedStmts.
    unsafe { nodes::items::<pg_sys::PlannedStmt>(statements).filter(|query| (**query).utilityStmt.is_null()) }
}
