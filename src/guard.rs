//! The guard: it stands between a ModifyTable and its input while a statement runs, and in no plan. It is where
//! rules are enforced, rows counted and refusals decided, once for every way a statement reaches the executor.
//!
//! When the statement is planned:
//! * attach.rs gives finished plans their orders (planner hook), orders.rs is what a plan remembers;
//! * split.rs takes out of an input what the guard has to evaluate row by row;
//! * repeats.rs tells which plans may bring a row twice, unique.rs which index scans find at most one.
//!
//! When an execution starts, and whenever a count passes a threshold:
//! * place.rs puts the guard in its place (ExecutorStart hook);
//! * execution.rs starts one, task.rs decides, parts.rs counts by itself a part of the table that has a policy
//!   of its own;
//! * expected.rs holds a statement to the number of rows that it says itself, passed_over.rs when it has run;
//! * beside.rs is which other tables the statement comes to;
//! * table.rs asks for the table's size, as far as a verdict hangs on it.
//!
//! While rows come:
//! * state.rs is what a guard keeps and how it is found, flow.rs how rows come through it, input.rs how they come to
//!   it;
//! * spool.rs keeps the rows that are collected before the first is written, packed.rs and runs.rs in memory, pinned.rs
//!   their page, and replay.rs hands them on;
//! * identity.rs tells which row one is for, rows.rs the rows apart, beyond.rs those that memory has no room for;
//! * tally.rs tells counts, threshold.rs has one judged, measure.rs reads those that are kept elsewhere (MERGE,
//!   upserts; direct.rs foreign servers), made.rs tells rows that the running sum has made itself;
//! * slots.rs is what PostgreSQL does inline.
//!
//! Beside it:
//! * given.rs has sizes that `check` was given in place of the tables' own;
//! * point.rs accounts for writes of at most one row, which have no guard;
//! * planned.rs reads of a finished plan what it writes;
//! * noted.rs notes what a write has written that no sum has counted, or only one name of a tree's;
//! * elsewhere.rs judges what an engine plans and runs by itself, and late.rs waits for inputs that it starts late;
//! * explain.rs shows it, and volatile.rs what it runs earlier than PostgreSQL would.

pub mod attach;
pub mod beside;
mod beyond;
mod direct;
pub mod elsewhere;
mod execution;
pub mod expected;
mod explain;
mod flow;
pub mod given;
pub mod identity;
mod input;
pub mod late;
pub mod made;
mod measure;
mod noted;
mod orders;
mod packed;
mod parts;
pub mod passed_over;
mod pinned;
pub mod place;
mod planned;
pub mod point;
mod repeats;
mod replay;
pub mod rows;
mod runs;
mod split;
mod spool;
mod state;
pub mod table;
mod tally;
pub mod task;
mod threshold;
pub mod unique;
mod volatile;
