//! What the formats have in common.

use std::collections::HashMap;
use std::io::{self, Write};

use crate::finding::{Checked, Finding};
use crate::summary::Summary;

/// A format. Files are told as they are checked, where the format allows it.
pub trait Report {
    /// # Errors
    /// Of the output.
    fn file(&mut self, checked: &Checked, out: &mut dyn Write) -> io::Result<()>;

    /// # Errors
    /// Of the output.
    fn end(&mut self, summary: &Summary, out: &mut dyn Write) -> io::Result<()>;
}

/// A finding as one text: message, DETAIL and HINT, each a line.
pub fn of_text(finding: &Finding) -> String {
    let sqlstate = finding.sqlstate.as_ref().map(|sqlstate| format!(" (SQLSTATE {sqlstate})"));
    let first = format!("{}{}", finding.message, sqlstate.unwrap_or_default());
    let lines = [Some(first.as_str()), finding.detail.as_deref(), finding.hint.as_deref()];
    lines.into_iter().flatten().collect::<Vec<_>>().join("\n")
}

/// A path as platforms name it, from the checkout's root.
pub fn relative(name: &str) -> &str {
    name.strip_prefix("./").unwrap_or(name)
}

/// What stays the same of a finding when lines above it change: file, rule, statement, and the how manieth it is of
/// its like. FNV-1a, for it has to stay the same from release to release, too.
pub fn fingerprint(checked: &Checked, finding: &Finding, seen: &mut HashMap<u64, usize>) -> String {
    let statement = finding.mark.clone().and_then(|mark| checked.text.get(mark)).unwrap_or_default();
    let texts =
        [relative(&checked.name), finding.id(), statement, finding.relation.as_deref().unwrap_or_default()];
    let mut hash = 0xcbf2_9ce4_8422_2325;
    for byte in texts.iter().flat_map(|text| text.bytes().chain([0])) {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    let count = seen.entry(hash).or_default();
    *count += 1;
    format!("{hash:016x}-{count}")
}
