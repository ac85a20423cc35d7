//! Sets `since_N` for the PostgreSQL major that is built for and each one before it, so that code names the
//! major in which something changed, and not those that it has changed in since.

fn main() {
    let majors = include_str!("Cargo.toml")
        .lines()
        .filter_map(|line| line.strip_prefix("pg")?.split_once(" = ")?.0.parse::<u32>().ok());
    let mut since = Vec::new();
    let mut chosen = 0;
    for major in majors {
        println!("cargo::rustc-check-cfg=cfg(since_{major})");
        since.push(major);
        if std::env::var_os(format!("CARGO_FEATURE_PG{major}")).is_some() {
            chosen = major;
        }
    }
    for major in since.into_iter().filter(|major| *major <= chosen) {
        println!("cargo::rustc-cfg=since_{major}");
    }
    println!("cargo::rerun-if-changed=build.rs");
}
