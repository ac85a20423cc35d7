//! Which files are checked, and in which order.

use std::cmp::Ordering;
use std::path::{Path, PathBuf};

/// Files in the order in which migration tools run them, and arguments of which nothing came, with the reason.
pub fn find(arguments: &[String], down: bool) -> (Vec<PathBuf>, Vec<(String, String)>) {
    let (mut files, mut bad) = (Vec::new(), Vec::new());
    for argument in arguments {
        let path = Path::new(argument);
        if argument == "-" || path.is_file() {
            files.push(path.to_owned());
            continue;
        }
        let before = files.len();
        let outcome = if path.is_dir() {
            below(path, &mut Vec::new(), &mut files, &mut bad)
        } else {
            path.metadata().map(drop)
        };
        if let Err(error) = outcome {
            bad.push((argument.clone(), error.to_string()));
        } else if !path.is_dir() {
            // A pipe, as of a shell's <(…).
            files.push(path.to_owned());
        } else if files.len() == before {
            bad.push((argument.clone(), "the folder holds no *.sql file".to_owned()));
        }
    }
    files.sort_by_cached_key(|file| key(file));
    files.dedup();
    files.retain(|file| down || !takes_back(file));
    (files, bad)
}

/// Every *.sql file below a folder, that of links included; hidden folders are tools' own. `above` are the folders on
/// the way, to which a link may lead back.
fn below(
    folder: &Path,
    above: &mut Vec<PathBuf>,
    files: &mut Vec<PathBuf>,
    bad: &mut Vec<(String, String)>,
) -> std::io::Result<()> {
    let own = folder.canonicalize()?;
    if above.contains(&own) {
        return Ok(());
    }
    above.push(own);
    for entry in folder.read_dir()? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let is_sql = name.to_ascii_lowercase().ends_with(".sql");
        if path.is_dir() {
            if !name.starts_with('.') {
                below(&path, above, files, bad)?;
            }
        } else if is_sql && path.is_file() {
            files.push(path);
        } else if is_sql {
            let reason = path.metadata().map_or_else(|error| error.to_string(), |_| "no file".to_owned());
            bad.push((path.to_string_lossy().into_owned(), reason));
        }
    }
    above.pop();
    Ok(())
}

/// Whether a file takes a migration back, by its name: golang-migrate's `1_x.down.sql`, Flyway's `U1__x.sql`.
fn takes_back(file: &Path) -> bool {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    name.to_ascii_lowercase().ends_with(".down.sql") || flyway(&name).is_some_and(|(kind, _)| kind == 'U')
}

/// Flyway's kind (V, U, B or R) and version of a file's name: `V1_2__what.sql`, `R__what.sql`.
fn flyway(name: &str) -> Option<(char, Vec<u128>)> {
    let (version, _) = name.split_once("__")?;
    let mut characters = version.chars();
    let kind = characters.next().filter(|kind| "VUBR".contains(*kind))?;
    let digits = characters.as_str();
    if kind == 'R' {
        return digits.is_empty().then(|| (kind, Vec::new()));
    }
    let parts = digits.split(['.', '_']).map(|part| part.parse().ok()).collect::<Option<Vec<_>>>()?;
    Some((kind, parts))
}

/// What files are sorted by: Flyway's versions wherever the file lies, repeatable ones last; other files folder by
/// folder, with numbers as numbers.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    is_repeatable: bool,
    version: Vec<u128>,
    path: Vec<Natural>,
}

fn key(file: &Path) -> Key {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let (kind, version) = flyway(&name).unwrap_or(('V', Vec::new()));
    let path =
        file.components().map(|part| Natural(part.as_os_str().to_string_lossy().into_owned())).collect();
    Key { is_repeatable: kind == 'R', version, path }
}

/// A name whose runs of digits count as numbers.
struct Natural(String);

impl Natural {
    /// Digits without leading zeros, or one other character, at the front.
    fn first(text: &str) -> Option<(&str, &str)> {
        let digits = text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
        let length = if digits > 0 { digits } else { text.chars().next()?.len_utf8() };
        Some(text.split_at(length))
    }
}

impl Ord for Natural {
    fn cmp(&self, other: &Natural) -> Ordering {
        let (mut one, mut two) = (self.0.as_str(), other.0.as_str());
        loop {
            let ((left, rest), (right, others)) = match (Natural::first(one), Natural::first(two)) {
                (Some(left), Some(right)) => (left, right),
                // Where only zeros differ there has to be an order, too.
                (None, None) => return self.0.cmp(&other.0),
                (left, right) => return left.is_some().cmp(&right.is_some()),
            };
            let number = |digits: &str| {
                digits.starts_with(|first: char| first.is_ascii_digit()).then(|| {
                    let digits = digits.trim_start_matches('0');
                    (digits.len(), digits.to_owned())
                })
            };
            let order = match (number(left), number(right)) {
                (Some(left), Some(right)) => left.cmp(&right),
                _ => left.cmp(right),
            };
            if order != Ordering::Equal {
                return order;
            }
            (one, two) = (rest, others);
        }
    }
}

impl PartialOrd for Natural {
    fn partial_cmp(&self, other: &Natural) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Natural {
    fn eq(&self, other: &Natural) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Natural {}

#[cfg(test)]
mod tests {
    use super::*;

    fn sorted(names: &[&str]) -> Vec<String> {
        let mut paths: Vec<_> = names.iter().map(PathBuf::from).collect();
        paths.sort_by_cached_key(|path| key(path));
        paths.iter().map(|path| path.to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn as_tools_run_them() {
        let order =
            ["V1__a.sql", "V2__b.sql", "sub/V2_1__c.sql", "V2.2__d.sql", "V10__a.sql", "R__views.sql"];
        let mut given = order;
        given.reverse();
        assert_eq!(sorted(&given), order);
        let order = ["1_a.up.sql", "2_b.up.sql", "0010_c.sql", "20240101_d.sql", "20240101120000_e.sql"];
        let mut given = order;
        given.reverse();
        assert_eq!(sorted(&given), order);
        let order = ["m/20240101_init/migration.sql", "m/20240102_more/migration.sql"];
        assert_eq!(sorted(&[order[1], order[0]]), order);
    }

    #[test]
    fn what_takes_back() {
        for name in ["1_a.down.sql", "x/U2__b.sql", "A.DOWN.SQL"] {
            assert!(takes_back(Path::new(name)), "{name}");
        }
        for name in ["1_a.up.sql", "V2__b.sql", "Users__x.sql", "down.sql", "countdown.sql"] {
            assert!(!takes_back(Path::new(name)), "{name}");
        }
    }
}
