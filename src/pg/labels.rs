//! Security labels: a provider of ours, and what PostgreSQL keeps for it.

use std::ffi::{CStr, c_char};

use safedelete_core::message::Report;

use super::{frame, pg_sys, report, text};

/// A provider of labels.
pub trait Provider {
    const NAME: &'static CStr;

    /// SECURITY LABEL, after PostgreSQL's own checks (the object exists and is the user's) and before it stores the
    /// label; `None` takes it away.
    ///
    /// # Errors
    /// What is raised in its place.
    fn relabel(object: &pg_sys::ObjectAddress, label: Option<&CStr>) -> Result<(), Report>;
}

/// For _PG_init.
pub fn register<P: Provider>() {
    // SAFETY: the name and the hook live as long as the library.
    unsafe { pg_sys::register_label_provider(P::NAME.as_ptr(), Some(relabel::<P>)) };
}

/// A bare frame.
#[allow(ffi_unwind_calls, reason = "a bare frame: it owns nothing and cannot panic")]
unsafe extern "C-unwind" fn relabel<P: Provider>(object: *const pg_sys::ObjectAddress, label: *const c_char) {
    // SAFETY: PostgreSQL's arguments.
    unsafe {
        let refused = frame::guarded(|| {
            let outcome = P::relabel(&*object, text::at(label));
            outcome.err().map(|report| report::freeze(&report, None))
        });
        if let Some(frozen) = refused {
            report::raise(&frozen);
        }
    }
}

/// The label of an object as it is stored.
pub fn stored<P: Provider>(class: pg_sys::Oid, object: pg_sys::Oid) -> Option<String> {
    let address = pg_sys::ObjectAddress { classId: class, objectId: object, objectSubId: 0 };
    // SAFETY: a look-up in pg_seclabel that gives NULL where there is none, or a palloc'd text.
    let label = unsafe { text::at(pg_sys::GetSecurityLabel(&address, P::NAME.as_ptr())) };
    label.map(text::from_server)
}
