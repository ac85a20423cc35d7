//! What the command line says.

use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser, ValueEnum};

/// Checks SQL migrations with safedelete.check, before they run.
///
/// Each FILE, and each *.sql file below a DIRECTORY, is checked in the order in which migration tools run them. The
/// database is that of CONNECTION (a URL, or keywords and values) and of libpq's variables and service file; it has
/// the extension, and the schema that the files start from. --scratch needs none: it starts a server of its own.
///
/// Exits with 0 where everything was looked at and nothing found, 1 where something was found, and 2 where nothing was
/// found but something could not be looked at.
#[derive(Parser)]
#[command(version, about, long_about, verbatim_doc_comment)]
pub struct Arguments {
    /// Connection string or URL (or the first of FILE, where it reads as one)
    #[arg(short = 'd', long = "dbname", value_name = "CONNECTION")]
    pub connection: Option<String>,

    /// Start a throw-away server from the installed PostgreSQL, and run each file there after its check
    #[arg(long, conflicts_with = "connection")]
    pub scratch: bool,

    /// The pg_config of the PostgreSQL that --scratch starts [default: PG_CONFIG, or the newest with safedelete]
    #[arg(long, value_name = "FILE", requires = "scratch")]
    pub pg_config: Option<PathBuf>,

    /// Run each file after its check, so that the next one sees its schema: for databases that nobody needs
    #[arg(long)]
    pub apply: bool,

    /// Check only files that have changed since this commit or branch; --apply runs the others, too
    #[arg(long, value_name = "REF")]
    pub since: Option<String>,

    /// How to tell it
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub format: Format,

    /// What to exit with 1 for: what is surely refused, or also what cannot be told before it runs
    #[arg(long, value_enum, default_value_t = FailOn::Refused)]
    pub fail_on: FailOn,

    /// Sizes and policies of the tables, from safedelete.sizes() elsewhere; or the output of pg_dump --statistics-only
    #[arg(long, value_name = "FILE")]
    pub sizes: Vec<PathBuf>,

    /// Check what takes migrations back, too
    #[arg(long)]
    pub down: bool,

    /// Migrations, folders of them, or - for the standard input
    #[arg(value_name = "FILE|DIRECTORY", required = true)]
    pub files: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
pub enum Format {
    /// As compilers do it
    Human,
    /// GitHub's workflow commands
    Github,
    /// GitLab's code quality report
    Gitlab,
    /// SARIF 2.1.0
    Sarif,
    /// Everything that is known
    Json,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
pub enum FailOn {
    Refused,
    Unknown,
}

impl Arguments {
    pub fn read() -> Arguments {
        let mut arguments = Arguments::parse();
        // psql takes the database first, too; no file is taken for one.
        if arguments.connection.is_none() && arguments.files.first().is_some_and(|first| is_connection(first))
        {
            arguments.connection = Some(arguments.files.remove(0));
            let mut command = Arguments::command();
            if arguments.files.is_empty() {
                command.error(ErrorKind::MissingRequiredArgument, "no FILE or DIRECTORY to check").exit();
            }
            if arguments.scratch {
                command
                    .error(ErrorKind::ArgumentConflict, "--scratch asks no database: there is one too many")
                    .exit();
            }
        }
        if arguments.pg_config.is_none() {
            arguments.pg_config =
                std::env::var_os("PG_CONFIG").filter(|name| !name.is_empty()).map(PathBuf::from);
        }
        // A database without a schema shows nothing.
        arguments.apply |= arguments.scratch;
        arguments
    }
}

/// Whether an argument is a connection string and no file.
fn is_connection(text: &str) -> bool {
    ["postgres://", "postgresql://"].iter().any(|scheme| text.starts_with(scheme))
        || (text.contains('=') && !std::path::Path::new(text).exists())
}
