//! What hangs on the values of settings, and becomes void when one changes.

use crate::pg::local::Local;
use crate::pg::raw;

/// Counts the changes of settings and policies, so that what was worked out from them can be kept
/// until then.
static GENERATION: Local<u32> = Local::new(1);

pub fn generation() -> u32 {
    GENERATION.get()
}

pub fn changed() {
    GENERATION.set(GENERATION.get().wrapping_add(1));
}

/// Cached plans were made for the old value: they carry guards, or lack them.
pub fn forget_plans() {
    #[allow(ffi_unwind_calls, reason = "marks cached plans stale; it raises nothing")]
    raw::ResetPlanCache();
}
