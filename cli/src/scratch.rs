//! `--scratch`: a throw-away server from the installed PostgreSQL, in a folder of its own, reached by a socket in it.
//!
//! A shell makes it, starts it, and waits for the end of its input; then it stops the server and removes the folder.
//! The input's other end is ours alone, and the system closes it however this process ends, so nothing is left behind
//! even after SIGKILL.

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;

use nix::unistd::{Uid, User, chown, geteuid, mkdtemp};

static RUNNING: Mutex<Option<Child>> = Mutex::new(None);

/// $1 is PostgreSQL's folder of programs, $2 the server's own, $3 more lines for postgresql.conf.
const LIFE: &str = r#"
# Nobody may be there any more to be told.
trap '' HUP INT TERM PIPE
cd "$2" &&
"$1/initdb" -D "$2/data" -U postgres -A trust --encoding=UTF8 --locale=C --no-sync >"$2/log" 2>&1 </dev/null &&
printf '%s\n' "shared_preload_libraries = 'safedelete'" "listen_addresses = ''" "unix_socket_directories = '$2'" \
  'fsync = off' 'autovacuum = off' 'wal_level = minimal' 'max_wal_senders = 0' 'max_connections = 20' "$3" \
  >>"$2/data/postgresql.conf" &&
"$1/pg_ctl" -D "$2/data" -l "$2/log" -o '-p 5432' -w -t 60 start >>"$2/log" 2>&1 </dev/null &&
  echo started || echo failed
while read -r ignored; do :; done
[ ! -f "$2/data/postmaster.pid" ] || "$1/pg_ctl" -D "$2/data" -m immediate -w stop >/dev/null 2>&1 </dev/null
cd / && rm -rf "$2"
"#;

/// Starts a server; gives its connection string. `settings` are lines of postgresql.conf.
///
/// # Errors
/// What is missing, or what the server said.
pub fn start(pg_config: Option<&Path>, settings: &str) -> Result<String, String> {
    let pg_config = find(pg_config)?;
    let programs = told(&pg_config, "--bindir")?;
    let owner = owner()?;
    // A socket's path has room for 107 bytes, and another user has to come to it.
    let place = Some(std::env::temp_dir()).filter(|place| owner.is_none() && place.as_os_str().len() < 70);
    let folder = mkdtemp(&place.unwrap_or_else(|| "/tmp".into()).join("safedelete-check.XXXXXX"))
        .map_err(|error| format!("no temporary folder: {error}"))?;
    let mut life = Command::new("/bin/sh");
    life.args(["-c", LIFE, "sh"]).arg(&programs).arg(&folder).arg(settings);
    life.stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .env_remove("RUST_BACKTRACE")
        .env("LC_ALL", "C");
    // Ctrl-C at a terminal is for us: what has to be done then is above.
    life.process_group(0);
    if let Some(user) = &owner {
        chown(&folder, Some(user.uid), Some(user.gid)).map_err(|error| error.to_string())?;
        life.uid(user.uid.as_raw()).gid(user.gid.as_raw());
    }
    let output = {
        let mut running = RUNNING.lock().map_err(|_| "another thread failed".to_owned())?;
        let mut child = life.spawn().map_err(|error| format!("/bin/sh: {error}"))?;
        let output = child.stdout.take();
        *running = Some(child);
        output
    };
    let mut line = String::new();
    let read = output.map(|output| BufReader::new(output).read_line(&mut line));
    if line.trim() != "started" || matches!(read, None | Some(Err(_))) {
        let log = std::fs::read_to_string(folder.join("log")).unwrap_or_default();
        let last = log.lines().rev().take(12).collect::<Vec<_>>();
        let last = last.into_iter().rev().collect::<Vec<_>>().join("\n  ");
        return Err(format!("the server of {} does not start:\n  {last}", programs.display()));
    }
    Ok(format!("host='{}' port=5432 user=postgres dbname=postgres sslmode=disable", folder.display()))
}

/// Ends the server, if there is one, and waits until nothing is left of it.
pub fn end() {
    if let Ok(mut running) = RUNNING.lock()
        && let Some(mut child) = running.take()
    {
        drop(child.stdin.take());
        let _ = child.wait();
    }
}

/// Who owns the server, where it cannot be us: PostgreSQL refuses to run as root.
fn owner() -> Result<Option<User>, String> {
    if geteuid() != Uid::from_raw(0) {
        return Ok(None);
    }
    match User::from_name("postgres") {
        Ok(Some(user)) => Ok(Some(user)),
        _ => Err("PostgreSQL does not run as root, and there is no user postgres to run it".to_owned()),
    }
}

/// The pg_config to go by: what was named, the one beside this program, the newest of Debian's folders that has
/// safedelete, or that of PATH.
fn find(named: Option<&Path>) -> Result<PathBuf, String> {
    if let Some(named) = named {
        return Ok(named.to_owned());
    }
    let own = std::env::current_exe().and_then(|own| own.canonicalize()).ok();
    let beside = own.as_deref().and_then(Path::parent).map(|folder| folder.join("pg_config"));
    if let Some(beside) = beside.filter(|beside| beside.is_file()) {
        return Ok(beside);
    }
    let installed = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut majors: Vec<(u32, PathBuf)> = installed
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path())))
        .filter(|(_, path)| path.join("lib/safedelete.so").is_file() && path.join("bin/pg_config").is_file())
        .collect();
    majors.sort();
    Ok(majors.pop().map_or_else(|| "pg_config".into(), |(_, path)| path.join("bin/pg_config")))
}

fn told(pg_config: &Path, what: &str) -> Result<PathBuf, String> {
    let failed =
        |reason: String| format!("{} {what}: {reason} (--pg-config names another)", pg_config.display());
    let output = Command::new(pg_config).arg(what).output().map_err(|error| failed(error.to_string()))?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if output.status.success() && !text.is_empty() {
        Ok(text.into())
    } else {
        Err(failed(output.status.to_string()))
    }
}
