//! `--since REF`: which files git says have changed since the branch or commit from which this one came.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The files below the folders of `files` that have changed since `reference`, or that git does not know yet.
///
/// # Errors
/// What git says.
pub fn changed(reference: &str, files: &[PathBuf]) -> Result<HashSet<PathBuf>, String> {
    // A tree may lie in another: a submodule.
    let mut trees: HashSet<PathBuf> = HashSet::new();
    let mut changed = HashSet::new();
    let folders: HashSet<PathBuf> = files.iter().map(|file| folder_of(file)).collect();
    for folder in folders {
        let tree =
            path(git(&folder, &["rev-parse", "--show-toplevel"])?.strip_suffix(b"\n").unwrap_or_default());
        if !trees.insert(tree.clone()) {
            continue;
        }
        // A name that begins with a dash is none.
        let commit = format!("{reference}^{{commit}}");
        let commit = git(&tree, &["rev-parse", "--verify", "--quiet", "--end-of-options", &commit])
            .map_err(|_| format!("git knows no commit \"{reference}\""))?;
        let base = git(&tree, &["merge-base", &number(&commit), "HEAD"]).map_err(|_| {
            format!("git finds no common ancestor of \"{reference}\" and HEAD: is it a shallow clone (fetch-depth: 0)?")
        })?;
        let differ = git(&tree, &["diff", "--name-only", "--no-renames", "-z", &number(&base), "--"])?;
        let unknown = git(&tree, &["ls-files", "--others", "--exclude-standard", "-z"])?;
        let names = [differ, unknown].concat();
        let names = names.split(|byte| *byte == 0).filter(|name| !name.is_empty());
        changed.extend(names.filter_map(|name| tree.join(path(name)).canonicalize().ok()));
    }
    Ok(changed)
}

/// A name as git tells it, which need not be UTF-8.
fn path(name: &[u8]) -> PathBuf {
    OsStr::from_bytes(name).into()
}

fn number(commit: &[u8]) -> String {
    String::from_utf8_lossy(commit).trim().to_owned()
}

fn folder_of(file: &Path) -> PathBuf {
    file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned()
}

fn git(folder: &Path, arguments: &[&str]) -> Result<Vec<u8>, String> {
    let output = Command::new("git")
        .arg("-C")
        .arg(folder)
        .args(arguments)
        .output()
        .map_err(|error| format!("git: {error}"))?;
    if output.status.success() {
        Ok(output.stdout)
    } else {
        Err(String::from_utf8_lossy(&output.stderr).trim().to_owned())
    }
}
