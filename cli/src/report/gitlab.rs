//! GitLab's code quality report, an array in the format of Code Climate's issues.

use std::collections::HashMap;
use std::io::{self, Write};

use serde_json::{Value, json};

use super::common::{Report, fingerprint, of_text, relative};
use crate::finding::{Checked, Kind, Places};
use crate::summary::Summary;

#[derive(Default)]
pub struct Gitlab {
    issues: Vec<Value>,
    seen: HashMap<u64, usize>,
}

impl Report for Gitlab {
    fn file(&mut self, checked: &Checked, _: &mut dyn Write) -> io::Result<()> {
        let mut places = Places::of(&checked.text);
        for finding in &checked.findings {
            let severity = match finding.kind {
                Kind::Refused => "critical",
                Kind::NotChecked => "major",
                Kind::Undecided | Kind::NotLookedInto => "minor",
                Kind::Declared | Kind::Note => "info",
            };
            let (begin, end) = finding.mark.as_ref().map_or((1, 1), |mark| {
                let (begin, end) = places.of_mark(mark);
                (begin.line, end.line)
            });
            self.issues.push(json!({
                "description": of_text(finding),
                "check_name": format!("safedelete-{}", finding.id()),
                "fingerprint": fingerprint(checked, finding, &mut self.seen),
                "severity": severity,
                "location": { "path": relative(&checked.name), "lines": { "begin": begin, "end": end } },
            }));
        }
        Ok(())
    }

    fn end(&mut self, _: &Summary, out: &mut dyn Write) -> io::Result<()> {
        serde_json::to_writer_pretty(&mut *out, &self.issues)?;
        writeln!(out)
    }
}
