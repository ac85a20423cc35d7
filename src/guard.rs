//! The guard: one plan node between a ModifyTable and its input. It is where rules are enforced,
//! rows counted and refusals decided, once for every way a statement reaches the executor.
//!
//! * attach.rs puts the node into finished plans (planner hook);
//! * orders.rs is what the plan remembers of it;
//! * split.rs takes out of an input what the guard has to evaluate row by row;
//! * node.rs is the node as the executor sees it: bare frames and the row loop;
//! * flow.rs is how rows come through it;
//! * spool.rs keeps the rows that are collected before the first is written;
//! * repeats.rs tells which plans may bring a row twice, rows.rs the rows apart, and beyond.rs those
//!   that memory has no room for;
//! * measure.rs reads counts that are kept elsewhere (MERGE, upserts, foreign servers);
//! * made.rs tells rows that the running sum has made itself;
//! * task.rs decides, at the start of each execution and whenever a count passes a threshold;
//! * table.rs asks for the table's size, as far as a verdict hangs on it;
//! * parts.rs counts by itself a part of the table that has a policy of its own;
//! * point.rs accounts for writes of at most one row, which carry no node;
//! * unique.rs tells which index scans find at most one row;
//! * expected.rs holds a statement to the number of rows that it says itself;
//! * explain.rs shows the node, and volatile.rs what it runs earlier than PostgreSQL would.

pub mod attach;
mod beyond;
mod expected;
mod explain;
mod flow;
mod made;
pub mod measure;
pub mod node;
pub mod orders;
mod packed;
mod parts;
pub mod point;
mod repeats;
pub mod rows;
mod runs;
mod split;
mod spool;
pub mod table;
pub mod task;
pub mod unique;
mod volatile;
