//! The rules of safedelete that need no PostgreSQL: what settings mean, which limit binds, and
//! every text a user reads. Pure, without `unsafe`, tested in milliseconds.
#![forbid(unsafe_code)]

pub mod command;
pub mod event;
pub mod expectation;
pub mod explain;
pub mod keep;
pub mod limit;
pub mod log;
pub mod message;
pub mod mode;
pub mod names;
pub mod nodes;
pub mod policy;
pub mod sizes;
pub mod split;
pub mod standing;
