//! The executor's hooks: which statement runs inside which, what it has written, and whose sum that is.
//! Bare frames, as hooks.rs.

mod finish;
mod run;
mod start;
mod started;

pub use started::forget_started;

/// # Safety
/// Called once, by `hooks::install`.
pub unsafe fn install() {
    // SAFETY: by contract.
    unsafe {
        start::install();
        run::install();
        finish::install();
    }
}
