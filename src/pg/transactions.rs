//! Who is told of the ends of transactions and subtransactions.

use core::ffi::c_void;

use super::pg_sys;

pub type OfTransaction = extern "C-unwind" fn(pg_sys::XactEvent::Type, *mut c_void);
pub type OfSubtransaction = extern "C-unwind" fn(
    pg_sys::SubXactEvent::Type,
    pg_sys::SubTransactionId,
    pg_sys::SubTransactionId,
    *mut c_void,
);

/// Has two bare frames called from now on; the last argument is NULL. A subtransaction is told of with its parent.
pub fn listen(transaction: OfTransaction, subtransaction: OfSubtransaction) {
    // SAFETY: functions of the library, which lives as long as the backend, and may be called with anything.
    unsafe {
        pg_sys::RegisterXactCallback(Some(transaction), std::ptr::null_mut());
        pg_sys::RegisterSubXactCallback(Some(subtransaction), std::ptr::null_mut());
    }
}
