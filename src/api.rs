//! The SQL functions in Rust: they read arguments, call, and map what comes back to rows. No decision
//! lives here. Their declarations, with what is written in SQL itself, are in sql/.

mod checks;
mod expectations;
mod keeping;
mod policies;
mod reports;
