//! safedelete: refuses DELETE and UPDATE (and what amounts to them) that have no qualifying WHERE
//! or reach more rows than a table's limits allow. This file only wires; docs/internals.md draws
//! the way of a statement through the rooms.

mod analysis;
mod api;
mod authority;
mod check;
mod dry_run;
mod engines;
mod exemption;
mod guard;
mod hooks;
mod keep;
mod ledger;
mod levels;
mod objects;
mod pg;
mod policy;
mod record;
mod refusal;
mod rehearsal;
mod script;
mod settings;
mod usual;

#[cfg(feature = "pg_test")]
#[path = "../pgrx-tests"]
mod tests {
    mod analysis;
    mod frame;
    mod guard;
    mod pg;
    mod settings;
    mod words;
}

pgrx::pg_module_magic!(name = c"safedelete", version = c"0.3.0");

/// Called by PostgreSQL when it loads the library: by shared_preload_libraries,
/// session_preload_libraries or LOAD.
#[unsafe(no_mangle)]
pub extern "C-unwind" fn _PG_init() {
    pg::frame::keep_panics();
    pg::frame::guarded(|| {
        settings::define();
        policy::label::register();
        record::install();
        hooks::install();
        // Plans that the session made before know nothing of guards.
        settings::forget_plans();
    });
}
