//! `safedelete.exactly` and `safedelete.at_most`, where they are planned or run: a statement that enforces them has had
//! them taken out (analysis/expected.rs).

use safedelete_core::expectation::{self, NotEnforced, Word};
use safedelete_core::message::Report;

use crate::analysis::expected;
use crate::pg::function::{self, function};
use crate::pg::nodes::Node;
use crate::pg::pg_sys;
use crate::settings;

fn not_enforced(word: Word) -> Report {
    let why = if !expected::is_looked_for() {
        // The library came with this very call.
        NotEnforced::NotLoaded
    } else if settings::is_off() {
        NotEnforced::Off
    } else {
        NotEnforced::Misplaced
    };
    expectation::not_enforced(word, why)
}

function!(
    /// `exactly(n bigint) RETURNS boolean`: in a condition, the number of rows that the statement is to write.
    /// Run as a function it raises 55000.
    safedelete_exactly,
    pg_finfo_safedelete_exactly,
    |_: pg_sys::FunctionCallInfo| Err(not_enforced(Word::Exactly))
);

function!(
    /// `at_most(n bigint) RETURNS boolean`: likewise the most.
    safedelete_at_most,
    pg_finfo_safedelete_at_most,
    |_: pg_sys::FunctionCallInfo| Err(not_enforced(Word::AtMost))
);

function!(
    /// `not_enforced(internal) RETURNS internal`: what the planner asks about a call of either that it finds, wherever
    /// it stands in a statement. Some of these would never be run: an OR's arm, for a row that the other lets through.
    safedelete_not_enforced,
    pg_finfo_safedelete_not_enforced,
    |call| {
        let request = function::node_argument(call, 0).and_then(Node::as_a::<pg_sys::SupportRequestSimplify>);
        match request.and_then(|request| expected::word(request.fcall()?)) {
            Some(word) => Err(not_enforced(word)),
            // It says nothing.
            None => Ok(pg_sys::Datum::from(0)),
        }
    }
);
