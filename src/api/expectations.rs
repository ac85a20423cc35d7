//! `safedelete.exactly` and `safedelete.at_most`, where they are run: a statement that enforces them has had them
//! taken out (analysis/expected.rs).

use safedelete_core::expectation::{self, NotEnforced, Word};
use safedelete_core::message::Report;

use crate::pg::function::function;
use crate::pg::pg_sys;
use crate::{levels, settings};

fn not_enforced(word: Word) -> Report {
    let why = if levels::current().depth() == 0 {
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
