//! Whose role counts, and what it may: whether a statement is checked at all (`bypass_role`), and
//! whether a declared budget (`allow_rows`) is honoured. Asked only when something depends on it.

use crate::pg::pg_sys;
use safedelete_core::limit::Budget;
use safedelete_core::message::{NotHonoured, Why};
use safedelete_core::mode::Mode;
use safedelete_core::standing::Standing;

use crate::levels;
use crate::pg::local::Local;
use crate::pg::roles;
use crate::policy::InForce;
use crate::settings;

/// Whose write it is.
#[derive(Clone, Copy)]
pub struct Writer {
    pub role: pg_sys::Oid,
    /// Its writes are not checked.
    pub bypassed: bool,
}

impl Writer {
    /// The role a statement is judged by: the current user, or for a foreign-key action the role of
    /// the statement that fired it (the action itself runs as the owner of the child).
    pub fn now(referential: bool) -> Writer {
        let role = if referential { levels::firing_role() } else { roles::current().0 };
        Writer { role, bypassed: bypasses(role) }
    }

    /// What a verdict hangs on, of a write under this mode. Who is not checked needs no budget.
    pub fn standing(self, mode: Mode, in_force: &InForce) -> Standing {
        let budget = if self.bypassed { Ok(None) } else { budget(self.role, in_force) };
        Standing { mode, bypassed: self.bypassed, budget }
    }

    /// Whether a write of any number of rows may be refused. A budget is asked for only where it might be unlimited.
    pub fn may_be_refused(self, mode: Mode, in_force: &InForce) -> bool {
        let unasked = Standing { mode, bypassed: self.bypassed, budget: Ok(None) };
        unasked.may_refuse() && (settings::allow_rows() >= 0 || self.standing(mode, in_force).may_refuse())
    }
}

/// What was found of a role, as of a generation of settings and memberships.
static LAST: Local<(pg_sys::Oid, u32, u32, bool)> = Local::new((pg_sys::InvalidOid, 0, 0, false));

/// Whether the role's writes are not checked.
fn bypasses(role: pg_sys::Oid) -> bool {
    if settings::BYPASS_ROLE.is_empty() {
        return false;
    }
    // Asked of each write of a loop, of the same role again and again.
    let (last, settings, members, bypasses) = LAST.get();
    if (last, settings, members) == (role, settings::generation(), roles::generation()) {
        return bypasses;
    }
    let bypasses = roles::is_member_of_any(role, &settings::BYPASS_ROLE.names());
    LAST.set((role, settings::generation(), roles::generation(), bypasses));
    bypasses
}

/// What an override is worth for a role, under what is in force: a declared budget that counts, `None` where
/// there is none and one may be declared, or why one does not count or would not.
fn budget(role: pg_sys::Oid, in_force: &InForce) -> Result<Option<Budget>, NotHonoured> {
    let declared = settings::allow_rows();
    let refused = |why| Err(NotHonoured { why, declared: declared != 0 });
    if let Some(object) = in_force.forbids_override() {
        return refused(Why::Policy { object: object.object(), roles: settings::POLICY_ROLE.names() });
    }
    let listed = settings::OVERRIDE_ROLE.names();
    let may_override = |role| listed.is_empty() || roles::is_member_of_any(role, &listed);
    // A function of a role that may is no way for a caller who may not, nor the other way round. Where nothing
    // is declared, the client would have to.
    let by =
        if declared == 0 { pg_sys::GetOuterUserId() } else { declarer(settings::allow_rows_declared_by()) };
    for user in [role, by] {
        if !may_override(user) {
            return refused(Why::Role { user: roles::name(user), roles: listed });
        }
    }
    if declared == 0 {
        return Ok(None);
    }
    if settings::require_reason() {
        if settings::reason().trim().is_empty() {
            return refused(Why::Reason);
        }
        let user = declarer(settings::reason_declared_by());
        if !may_override(user) {
            return refused(Why::ReasonBy { user: roles::name(user), roles: listed });
        }
    }
    Ok(Some(u64::try_from(declared).map_or(Budget::Unlimited, Budget::Rows)))
}

/// The budget that counts for what the current user writes under what is in force, with its reason.
pub fn declared(in_force: &InForce) -> Option<(Budget, String)> {
    let budget = Writer::now(false).standing(Mode::Enforce, in_force).budget.ok().flatten()?;
    Some((budget, settings::reason()))
}

/// Who declared a setting: a role by SET, or else the session's by what was in force when it began.
fn declarer(by_set: pg_sys::Oid) -> pg_sys::Oid {
    if by_set == pg_sys::InvalidOid { pg_sys::GetSessionUserId() } else { by_set }
}
