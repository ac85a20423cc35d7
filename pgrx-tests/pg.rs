//! What src/pg takes for granted of this major.

use core::ffi::CStr;

use pgrx::pg_sys;
use pgrx::prelude::*;

use crate::pg::compat::ADDIN_SHMEM_INIT_LOCK;

#[pg_extern]
fn test_the_lock_of_shared_memory_is_postgresqls() {
    let number = u16::try_from(ADDIN_SHMEM_INIT_LOCK).expect("a lock's number");
    let class = 0x0100_0000; // PG_WAIT_LWLOCK
    // SAFETY: the name of a lock is text that stays.
    let name = unsafe { CStr::from_ptr(pg_sys::GetLWLockIdentifier(class, number)) };
    assert!(name.to_string_lossy().starts_with("AddinShmemInit"), "{name:?}");
}
