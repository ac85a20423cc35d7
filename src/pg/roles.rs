//! Role names and membership, as PostgreSQL's ACL code answers them.

use std::ffi::CString;
use std::rc::Rc;

use rustc_hash::{FxBuildHasher, FxHashMap};

use super::pg_sys;

use super::local::{Lent, Local};
use super::{compat, raw, text};

/// Whether `member` is in one of `roles`: directly or not, whatever INHERIT says, and a role is in
/// itself. Superusers are not members by being superusers. A name that names no role is nobody.
pub fn is_member_of_any(member: pg_sys::Oid, roles: &[String]) -> bool {
    if roles.is_empty() {
        return false;
    }
    let memberships = memberships(member);
    roles.iter().any(|name| {
        let Ok(name) = CString::new(text::setting_to_server(name)) else { return false };
        // SAFETY: a NUL-terminated name; the look-up only reads the catalog cache.
        let role = unsafe { pg_sys::get_role_oid(name.as_ptr(), true) };
        role != pg_sys::InvalidOid && memberships.contains(&role)
    })
}

/// What roles are members of, until pg_auth_members or the database's owner changes.
static MEMBERSHIPS: Lent<FxHashMap<pg_sys::Oid, Rc<[pg_sys::Oid]>>> =
    Lent::new(FxHashMap::with_hasher(FxBuildHasher));
static GENERATION: Local<u32> = Local::new(0);

/// Counts the changes of memberships, so that what was worked out from them can be kept until then.
pub fn generation() -> u32 {
    GENERATION.get()
}

/// Called by the callback of their catalog cache; raises nothing.
pub fn changed() {
    GENERATION.set(GENERATION.get().wrapping_add(1));
    MEMBERSHIPS.with(FxHashMap::clear);
}

/// A role, and every role that it is a member of; the walk of roles_is_member_of, which counts a grant
/// that carries ADMIN alone.
fn memberships(member: pg_sys::Oid) -> Rc<[pg_sys::Oid]> {
    if let Some(known) = MEMBERSHIPS.with(|known| known.get(&member).cloned()) {
        return known;
    }
    let as_of = generation();
    let mut roles = vec![member];
    let mut next = 0;
    while let Some(role) = roles.get(next).copied() {
        next += 1;
        for of in direct_memberships(role) {
            if !roles.contains(&of) {
                roles.push(of);
            }
        }
    }
    let roles: Rc<[_]> = roles.into();
    // Reading may take in what others have changed.
    if as_of == generation() {
        MEMBERSHIPS.with(|known| known.insert(member, Rc::clone(&roles)));
    }
    roles
}

fn direct_memberships(member: pg_sys::Oid) -> Vec<pg_sys::Oid> {
    let mut roles = Vec::new();
    let none = pg_sys::Datum::from(0);
    // SAFETY: catalog cache look-ups, each released.
    unsafe {
        let by_member = pg_sys::SysCacheIdentifier::AUTHMEMMEMROLE as i32;
        let grants = pg_sys::SearchSysCacheList(by_member, 1, member.into(), none, none);
        for i in 0..(*grants).n_members as usize {
            let tuple = &raw mut (**(*grants).members.as_ptr().add(i)).tuple;
            roles.extend(compat::membership(tuple));
        }
        pg_sys::ReleaseCatCacheList(grants);
        let by_oid = pg_sys::SysCacheIdentifier::DATABASEOID as i32;
        let database = pg_sys::SearchSysCache1(by_oid, pg_sys::MyDatabaseId.into());
        if !database.is_null() {
            let owner = (*pg_sys::GETSTRUCT(database).cast::<pg_sys::FormData_pg_database>()).datdba;
            if owner == member {
                roles.push(pg_sys::ROLE_PG_DATABASE_OWNER.into());
            }
            pg_sys::ReleaseSysCache(database);
        }
    }
    roles
}

/// A role's name; its OID as text where the role is gone.
pub fn name(role: pg_sys::Oid) -> String {
    pg_sys::GetUserNameFromId(role, true).map(text::from_server).unwrap_or_else(|| role.to_u32().to_string())
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

/// The superuser that every cluster has.
pub fn bootstrap() -> pg_sys::Oid {
    pg_sys::BOOTSTRAP_SUPERUSERID.into()
}

/// Runs `f` as another role would. An error puts the role back with the (sub)transaction.
pub fn acting_as<T>(role: pg_sys::Oid, f: impl FnOnce() -> T) -> T {
    let (mut user, mut context) = (pg_sys::InvalidOid, 0);
    #[allow(ffi_unwind_calls, reason = "reads and sets variables")]
    // SAFETY: see the reason; the role is an object's owner.
    unsafe {
        raw::GetUserIdAndSecContext(&mut user, &mut context);
        raw::SetUserIdAndSecContext(role, context | pg_sys::SECURITY_LOCAL_USERID_CHANGE as i32);
    }
    let value = f();
    #[allow(ffi_unwind_calls, reason = "sets variables")]
    // SAFETY: as they were.
    unsafe {
        raw::SetUserIdAndSecContext(user, context);
    }
    value
}
