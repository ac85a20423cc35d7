//! The way of a run: files, server, each file's check, what comes of it.

use std::collections::HashSet;
use std::io::{self, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::arguments::{Arguments, Format};
use crate::checker::Checker;
use crate::finding::{Checked, Finding, Kind};
use crate::libpq::{Connection, Failure};
use crate::migration::Migration;
use crate::report::{self, Report};
use crate::sizes::Sizes;
use crate::summary::Summary;
use crate::{apply, ending, files, scratch, since};

/// Gives the exit status.
pub fn run(arguments: &Arguments) -> u8 {
    let mut run = Run::of(arguments);
    if let Err(message) = run.everything() {
        run.progress.clear();
        eprintln!("safedelete-check: {message}");
        return 2;
    }
    run.summary.status(arguments.fail_on)
}

struct Run<'a> {
    arguments: &'a Arguments,
    report: Box<dyn Report>,
    summary: Summary,
    progress: Progress,
}

/// What is to be done with a file.
struct Task {
    path: PathBuf,
    is_checked: bool,
}

impl<'a> Run<'a> {
    fn of(arguments: &'a Arguments) -> Run<'a> {
        let colored =
            io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Run {
            arguments,
            report: report::of(arguments.format, colored),
            summary: Summary::default(),
            progress: Progress::new(),
        }
    }

    /// # Errors
    /// What keeps it from telling anything.
    fn everything(&mut self) -> Result<(), String> {
        let (found, bad) = files::find(&self.arguments.files, self.arguments.down);
        for (name, reason) in bad {
            self.tell(Checked::not(name, Finding::new(Kind::NotChecked, reason)))?;
        }
        let changed = match &self.arguments.since {
            Some(reference) => Some(since::changed(reference, &found)?),
            None => None,
        };
        let tasks = tasks(found, changed.as_ref(), self.arguments.apply);
        let sizes = Sizes::read(&self.arguments.sizes)?;
        if tasks.iter().any(|task| task.is_checked)
            && let Err(failure) = self.with_server(&tasks, sizes)?
        {
            self.no_server(&tasks, &failure)?;
        }
        self.progress.clear();
        self.report.end(&self.summary, &mut io::stdout().lock()).map_err(|error| error.to_string())
    }

    fn tell(&mut self, checked: Checked) -> Result<(), String> {
        self.progress.clear();
        self.summary.add(&checked);
        let mut out = io::stdout().lock();
        self.report.file(&checked, &mut out).and_then(|()| out.flush()).map_err(|error| error.to_string())
    }

    /// No file could be checked.
    fn no_server(&mut self, tasks: &[Task], failure: &Failure) -> Result<(), String> {
        let finding = Finding {
            detail: failure.detail.clone(),
            hint: failure.hint.clone(),
            ..Finding::new(Kind::NotChecked, failure.message.clone())
        };
        // People read it once.
        let told = if self.arguments.format == Format::Human { 1 } else { tasks.len() };
        for task in tasks.iter().filter(|task| task.is_checked).take(told) {
            self.tell(Checked::not(name(&task.path), finding.clone()))?;
        }
        Ok(())
    }

    /// The outer error is of the output, the inner one of the server.
    fn with_server(&mut self, tasks: &[Task], mut sizes: Sizes) -> Result<Result<(), Failure>, String> {
        let connection = match self.connect(&sizes) {
            Ok(connection) => connection,
            Err(failure) => return Ok(Err(failure)),
        };
        for (number, task) in tasks.iter().enumerate() {
            if self.arguments.apply
                && let Err(failure) = sizes.bring(&connection)
            {
                return Ok(Err(failure));
            }
            self.progress.show(number + 1, tasks.len(), &task.path);
            match self.file(&connection, &sizes, task)? {
                Ok(()) => {}
                Err(failure) => {
                    for task in tasks[number + 1..].iter().filter(|task| task.is_checked) {
                        self.tell(Checked::not(
                            name(&task.path),
                            Finding::new(Kind::NotChecked, failure.message.clone()),
                        ))?;
                    }
                    break;
                }
            }
        }
        Ok(Ok(()))
    }

    fn connect(&mut self, sizes: &Sizes) -> Result<Connection, Failure> {
        let conninfo = if self.arguments.scratch {
            self.progress.note("starting a server");
            scratch::start(self.arguments.pg_config.as_deref(), &sizes.settings).map_err(Failure::new)?
        } else {
            self.arguments.connection.clone().unwrap_or_default()
        };
        let connection = Connection::open(&conninfo)?;
        ending::cancels(&connection);
        if self.arguments.scratch {
            connection.run("CREATE EXTENSION safedelete", &[])?;
        }
        Checker::look(&connection)?;
        Ok(connection)
    }

    /// Checks a file, and runs it. The inner error is the loss of the connection, which has been told of this file.
    fn file(
        &mut self,
        connection: &Connection,
        sizes: &Sizes,
        task: &Task,
    ) -> Result<Result<(), Failure>, String> {
        let name = name(&task.path);
        let migration = match read(&task.path).and_then(|bytes| Migration::read(bytes, self.arguments.down)) {
            Ok(migration) => migration,
            Err(finding) => return self.tell(Checked::not(name, *finding)).map(Ok),
        };
        let checker =
            Checker { connection, sizes: sizes.json.as_deref(), is_scratch: self.arguments.scratch };
        let mut findings = migration.findings.clone();
        let outcome = self.parts(&checker, &migration, &mut findings);
        if let Err(failure) = &outcome {
            findings.push(Finding::new(Kind::NotChecked, failure.message.clone()));
        }
        // A file that has not changed is only run; that it could not be is told all the same.
        if !task.is_checked {
            findings.retain(|finding| finding.kind == Kind::NotChecked);
            if findings.is_empty() {
                return Ok(outcome);
            }
        }
        findings.sort_by_key(|finding| finding.mark.as_ref().map_or(0, |mark| mark.start));
        self.tell(Checked { name, text: migration.text, findings })?;
        Ok(outcome)
    }

    fn parts(
        &self,
        checker: &Checker,
        migration: &Migration,
        findings: &mut Vec<Finding>,
    ) -> Result<(), Failure> {
        for part in &migration.parts {
            let mut statements = checker.check(migration, part, self.arguments.apply, findings)?;
            let applied = if self.arguments.apply {
                apply::apply(checker, migration, part, &mut statements)?
            } else {
                None
            };
            findings.extend(statements.into_iter().flat_map(|statement| statement.findings));
            findings.extend(applied);
        }
        Ok(())
    }
}

fn tasks(files: Vec<PathBuf>, changed: Option<&HashSet<PathBuf>>, all: bool) -> Vec<Task> {
    let is_changed = |path: &Path| {
        changed.is_none_or(|changed| path.canonicalize().is_ok_and(|path| changed.contains(&path)))
    };
    let tasks = files.into_iter().map(|path| Task { is_checked: is_changed(&path), path });
    tasks.filter(|task| all || task.is_checked).collect()
}

fn name(path: &Path) -> String {
    if path == Path::new("-") { "<stdin>".to_owned() } else { path.to_string_lossy().into_owned() }
}

fn read(path: &Path) -> Result<Vec<u8>, Box<Finding>> {
    let mut bytes = Vec::new();
    let outcome = if path == Path::new("-") {
        io::stdin().lock().read_to_end(&mut bytes).map(drop)
    } else {
        std::fs::read(path).map(|read| bytes = read)
    };
    outcome.map(|()| bytes).map_err(|error| Box::new(Finding::new(Kind::NotChecked, error.to_string())))
}

/// A line on the terminal that tells how far it is, once it takes longer than a moment.
struct Progress {
    is_terminal: bool,
    begun: Instant,
    is_shown: bool,
}

impl Progress {
    fn new() -> Progress {
        Progress { is_terminal: io::stderr().is_terminal(), begun: Instant::now(), is_shown: false }
    }

    fn show(&mut self, number: usize, count: usize, path: &Path) {
        if self.begun.elapsed() > Duration::from_secs(1) {
            self.note(&format!("{number}/{count} {}", name(path)));
        }
    }

    fn note(&mut self, text: &str) {
        if self.is_terminal {
            eprint!("\r\x1b[K{text}");
            self.is_shown = true;
        }
    }

    fn clear(&mut self) {
        if std::mem::take(&mut self.is_shown) {
            eprint!("\r\x1b[K");
        }
    }
}
