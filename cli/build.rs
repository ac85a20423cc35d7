//! Where libpq is: where the PostgreSQL of PG_CONFIG (or the first pg_config of PATH) keeps it, or the linker's own
//! places.

use std::process::Command;

fn main() {
    println!("cargo::rerun-if-env-changed=PG_CONFIG");
    let pg_config = std::env::var_os("PG_CONFIG").unwrap_or_else(|| "pg_config".into());
    if let Ok(told) = Command::new(pg_config).arg("--libdir").output()
        && let Ok(folder) = String::from_utf8(told.stdout)
        && !folder.trim().is_empty()
    {
        println!("cargo::rustc-link-search=native={}", folder.trim());
    }
    println!("cargo::rustc-link-lib=dylib=pq");
}
