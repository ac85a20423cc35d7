//! Whose role counts, and what it may: whether a statement is checked at all (`bypass_role`), and
//! whether a declared budget (`allow_rows`) is honoured. Asked only when something depends on it.

use crate::pg::pg_sys;
use safedelete_core::limit::Budget;
use safedelete_core::message::NotHonoured;

use crate::levels;
use crate::pg::roles;
use crate::policy;
use crate::settings;

/// The role a statement is judged by: the current user, or for a foreign-key action the role of
/// the statement that fired it (the action itself runs as the owner of the child).
pub fn role(referential: bool) -> pg_sys::Oid {
    if referential { levels::firing_role() } else { roles::current().0 }
}

/// Whether the role's writes are not checked.
pub fn bypasses(role: pg_sys::Oid) -> bool {
    let listed = settings::bypass_roles();
    !listed.is_empty() && roles::is_member_of_any(role, &listed)
}

/// What the session's `allow_rows` is worth for a table (`None`: for what is no table): nothing
/// declared, a budget, or why it does not count.
pub fn budget(role: pg_sys::Oid, table: Option<pg_sys::Oid>) -> Result<Option<Budget>, NotHonoured> {
    let declared = match settings::allow_rows() {
        0 => return Ok(None),
        rows => u64::try_from(rows).map_or(Budget::Unlimited, Budget::Rows),
    };
    if let Some(forbidden) = table.and_then(policy::forbids_override) {
        return Err(forbidden);
    }
    let listed = settings::override_roles();
    if !listed.is_empty() && !roles::is_member_of_any(role, &listed) {
        let quoted: Vec<_> = listed.iter().map(|name| format!("\"{name}\"")).collect();
        return Err(NotHonoured::Role { user: roles::name(role), roles: quoted.join(", ") });
    }
    if settings::require_reason() && settings::reason().trim().is_empty() {
        return Err(NotHonoured::Reason);
    }
    Ok(Some(declared))
}
