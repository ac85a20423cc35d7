//! GitHub's workflow commands: annotations beside the lines of a pull request.

use std::io::{self, Write};

use super::common::{Report, of_text, relative};
use crate::finding::{Checked, Kind, Places};
use crate::summary::Summary;

pub struct Github;

impl Report for Github {
    fn file(&mut self, checked: &Checked, out: &mut dyn Write) -> io::Result<()> {
        let mut places = Places::of(&checked.text);
        for finding in &checked.findings {
            let command = match finding.kind {
                Kind::Refused | Kind::NotChecked => "error",
                Kind::Undecided | Kind::NotLookedInto => "warning",
                Kind::Declared | Kind::Note => "notice",
            };
            write!(out, "::{command} file={}", property(relative(&checked.name)))?;
            if let Some(mark) = &finding.mark {
                let (begin, end) = places.of_mark(mark);
                write!(out, ",line={},endLine={}", begin.line, end.line)?;
                // Columns are of one line.
                if begin.line == end.line {
                    write!(out, ",col={},endColumn={}", begin.column, end.column)?;
                }
            }
            writeln!(
                out,
                ",title={}::{}",
                property(&format!("safedelete: {}", finding.id())),
                data(&of_text(finding))
            )?;
        }
        Ok(())
    }

    /// Plain text is a line of the job's log.
    fn end(&mut self, summary: &Summary, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "{summary}")
    }
}

/// As the runner's toolkit escapes what comes after the second pair of colons.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// As it escapes a property.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_ends_a_command_early() {
        assert_eq!(data("50% of\r\nit: a, b"), "50%25 of%0D%0Ait: a, b");
        assert_eq!(property("a,b::c\n"), "a%2Cb%3A%3Ac%0A");
    }
}
