//! What all of it comes to, and the exit status.

use std::fmt;

use serde::Serialize;

use crate::arguments::FailOn;
use crate::finding::{Checked, Kind};

#[derive(Default, Serialize)]
pub struct Summary {
    pub files: usize,
    pub refused: usize,
    pub undecided: usize,
    pub not_looked_into: usize,
    pub not_checked: usize,
    pub declared: usize,
}

impl Summary {
    pub fn add(&mut self, checked: &Checked) {
        self.files += 1;
        for finding in &checked.findings {
            match finding.kind {
                Kind::Refused => self.refused += 1,
                Kind::Undecided => self.undecided += 1,
                Kind::NotLookedInto => self.not_looked_into += 1,
                Kind::NotChecked => self.not_checked += 1,
                Kind::Declared => self.declared += 1,
                Kind::Note => {}
            }
        }
    }

    /// 0 only where everything was looked at.
    pub fn status(&self, fail_on: FailOn) -> u8 {
        let unknown = self.undecided + self.not_looked_into;
        if self.refused > 0 || (fail_on == FailOn::Unknown && unknown > 0) {
            1
        } else if self.not_looked_into + self.not_checked > 0 {
            2
        } else {
            0
        }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, to: &mut fmt::Formatter) -> fmt::Result {
        let files = if self.files == 1 { "1 file".to_owned() } else { format!("{} files", self.files) };
        let counts = [
            (self.refused, "refused"),
            (self.undecided, "undecided"),
            (self.not_looked_into, "not looked into"),
            (self.not_checked, "not checked"),
            (self.declared, "declared"),
        ];
        let told: Vec<_> = counts
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| format!("{count} {what}"))
            .collect();
        if told.is_empty() {
            write!(to, "{files}: nothing found")
        } else {
            write!(to, "{files}: {}", told.join(", "))
        }
    }
}
