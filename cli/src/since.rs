//! `--since REF`: which files git says have changed since the branch or commit from which this one came.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The files below the folders of `files` that have changed since `reference`, or that git does not know yet.
///
/// # Errors
/// What git says.
pub fn changed(reference: &str, files: &[PathBuf]) -> Result<HashSet<PathBuf>, String> {
    let mut trees: HashSet<PathBuf> = HashSet::new();
    let mut changed = HashSet::new();
    for file in files {
        let folder = folder_of(file);
        if trees.iter().any(|tree| folder.canonicalize().is_ok_and(|folder| folder.starts_with(tree))) {
            continue;
        }
        let tree = PathBuf::from(git(&folder, &["rev-parse", "--show-toplevel"])?.trim_end_matches('\n'));
        // A name that begins with a dash is none.
        let commit = format!("{reference}^{{commit}}");
        let commit = git(&tree, &["rev-parse", "--verify", "--quiet", "--end-of-options", &commit])
            .map_err(|_| format!("git knows no commit \"{reference}\""))?;
        let base = git(&tree, &["merge-base", commit.trim(), "HEAD"]).map_err(|_| {
            format!("git finds no common ancestor of \"{reference}\" and HEAD: is it a shallow clone (fetch-depth: 0)?")
        })?;
        let differ = git(&tree, &["diff", "--name-only", "--no-renames", "-z", base.trim(), "--"])?;
        let unknown = git(&tree, &["ls-files", "--others", "--exclude-standard", "-z"])?;
        let names = differ.split('\0').chain(unknown.split('\0')).filter(|name| !name.is_empty());
        changed.extend(names.filter_map(|name| tree.join(name).canonicalize().ok()));
        trees.insert(tree.canonicalize().unwrap_or(tree));
    }
    Ok(changed)
}

fn folder_of(file: &Path) -> PathBuf {
    file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned()
}

fn git(folder: &Path, arguments: &[&str]) -> Result<String, String> {
    let output = Command::new("git")
        .arg("-C")
        .arg(folder)
        .args(arguments)
        .output()
        .map_err(|error| format!("git: {error}"))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).trim().to_owned())
    }
}
