//! A count has passed what was known to be allowed: the execution is asked again. A bare frame, as place.rs.

use super::state::{self, GuardState};
use super::{direct, expected};
use crate::pg::frame;
use crate::pg::report::{self, Frozen};

/// The count has passed its threshold: a refusal, or a new threshold.
///
/// # Safety
/// `guard` runs; no frame above owns anything.
#[cold]
#[allow(ffi_unwind_calls, reason = "called by bare frames, which own nothing")]
pub unsafe fn check(guard: *mut GuardState) {
    // SAFETY: by contract; what it has started with lives as long as the guard.
    unsafe {
        expected::check(guard);
        let refused: Option<Frozen> = frame::guarded(|| {
            let task = &mut state::execution(guard).task;
            task.note_sent(direct::sent(guard));
            match task.check((*guard).count) {
                Ok(threshold) => {
                    (*guard).threshold = threshold;
                    None
                }
                Err(frozen) => Some(frozen),
            }
        });
        if let Some(frozen) = refused {
            report::raise(&frozen);
        }
    }
}
