//! `safedelete.check`: what the guard would say of a script, without running it. Each statement is
//! analysed as PostgreSQL would analyse it, in a subtransaction that is rolled back, and judged by
//! the guard's own analysis, with the caller's settings, policy and role. Decides how a script is
//! read; every verdict is analysis's, policy's and the guard's.
//!
//! * script.rs splits the script into statements;
//! * session.rs follows the settings that a script sets for itself;
//! * statement.rs judges one statement: query.rs what PostgreSQL plans, whole.rs what takes tables whole,
//!   unanalysed.rs by the bare parse tree what cannot be analysed; forecast.rs is what they say;
//! * body.rs looks into what a statement carries along: DO blocks, function bodies;
//! * plpgsql.rs goes through a block, as PL/pgSQL's own parser takes it apart;
//! * parsed.rs is what the parse tree says by itself.

mod body;
mod forecast;
mod parsed;
mod plpgsql;
mod query;
pub mod script;
mod session;
mod statement;
mod unanalysed;
mod whole;

use std::ffi::CStr;

use safedelete_core::message::Report;
use safedelete_core::sizes::Sizes;

use crate::guard::given::InForce;
use crate::pg::context::Context;
use crate::pg::frame;
use forecast::Forecast;
use script::{Place, Script, Statement};
use session::Session;

/// A forecast, and the statement that it is of.
pub struct Checked {
    pub statement: usize,
    pub place: Place,
    pub forecast: Forecast,
}

/// Checks a script against tables of given sizes, and tells of each statement as it comes; what is told may
/// use the current memory context, which is emptied after each.
///
/// # Errors
/// A syntax error, after the statements before it have been told.
pub fn check(text: &CStr, sizes: Sizes, mut tell: impl FnMut(Checked)) -> Result<(), Report> {
    let _sizes = InForce::begin(sizes);
    let mut session = Session::begin();
    let mut script = Script::new(text);
    let mut memory = Context::new(c"safedelete statement");
    while let Some(part) = script.next()? {
        for Statement { node, number, place, source } in part.statements() {
            frame::check_for_interrupts();
            memory.within(|| {
                for forecast in statement::judge(&mut session, node, source) {
                    tell(Checked { statement: number, place, forecast });
                }
                session.note(node);
            });
            memory.empty();
        }
    }
    session.end();
    Ok(())
}
