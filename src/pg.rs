//! The quarantine: everything that has to know how PostgreSQL lays out memory, raises errors or
//! differs between majors. Other rooms call these and stay readable.

pub mod attempt;
pub mod backend;
pub mod catalog;
pub mod compat;
pub mod context;
pub mod count;
pub mod execution;
pub mod foreign_keys;
pub mod frame;
pub mod function;
pub mod growing;
pub mod heap;
pub mod inheritance;
pub mod local;
pub mod locks;
pub mod memory;
pub mod nodes;
pub mod operators;
pub mod pg_sys;
pub mod portal;
pub mod raw;
pub mod relations;
pub mod relcache;
pub mod remote;
pub mod report;
pub mod roles;
pub mod sizes;
pub mod spi;
mod stopped;
pub mod text;
pub mod write;
