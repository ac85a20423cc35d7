//! `safedelete-check`: what `safedelete.check` says of migration files, for reviewers and pipelines. It talks SQL to
//! the extension; every verdict is the server's.
//!
//! * arguments.rs is the command line;
//! * files.rs finds the files and puts them in order, since.rs asks git which have changed;
//! * migration.rs reads one, directive.rs knows what tools write into comments;
//! * libpq.rs connects, scratch.rs starts a server of its own;
//! * checker.rs asks `check`, apply.rs runs what was checked, sizes.rs brings another database's sizes;
//! * finding.rs is what is told, report.rs and its files how, summary.rs what it comes to;
//! * ending.rs sees to it that nothing is left behind.

mod apply;
mod arguments;
mod checker;
mod directive;
mod ending;
mod files;
mod finding;
mod libpq;
mod migration;
mod report;
mod run;
mod scratch;
mod since;
mod sizes;
mod summary;

use std::process::ExitCode;

use arguments::Arguments;

fn main() -> ExitCode {
    let arguments = Arguments::read();
    if arguments.scratch {
        libpq::forget_variables();
    }
    ending::watch();
    let status = run::run(&arguments);
    scratch::end();
    ExitCode::from(status)
}
