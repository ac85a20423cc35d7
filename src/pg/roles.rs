//! Role names and membership, as PostgreSQL's ACL code answers them.

use std::ffi::CString;

use super::pg_sys;

use super::{raw, text};

/// Whether `member` is in one of `roles`: directly or not, whatever INHERIT says, and a role is in
/// itself. Superusers are not members by being superusers. A name that names no role is nobody.
pub fn is_member_of_any(member: pg_sys::Oid, roles: &[String]) -> bool {
    roles.iter().any(|name| {
        let Ok(name) = CString::new(text::setting_to_server(name)) else { return false };
        // SAFETY: a NUL-terminated name; both look-ups only read the catalog caches.
        unsafe {
            let role = pg_sys::get_role_oid(name.as_ptr(), true);
            role != pg_sys::InvalidOid && pg_sys::is_member_of_role_nosuper(member, role)
        }
    })
}

/// A role's name; its OID as text where the role is gone.
pub fn name(role: pg_sys::Oid) -> String {
    // SAFETY: a catalog cache look-up that gives NULL where there is none.
    text::from_server(unsafe { pg_sys::GetUserNameFromId(role, true) })
        .unwrap_or_else(|| role.to_u32().to_string())
}

/// The current user and whether a foreign-key trigger set the user (ri_triggers.c alone sets
/// SECURITY_NOFORCE_RLS).
pub fn current() -> (pg_sys::Oid, bool) {
    let mut user = pg_sys::InvalidOid;
    let mut context = 0;
    #[allow(ffi_unwind_calls, reason = "raises nothing")]
    // SAFETY: reads two backend variables.
    unsafe {
        raw::GetUserIdAndSecContext(&mut user, &mut context)
    };
    (user, context & pg_sys::SECURITY_NOFORCE_RLS as i32 != 0)
}
