//! What is told of a file.

use std::ops::Range;

use serde::Serialize;

/// What a finding means, the worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The guard would refuse it.
    Refused,
    /// A rule has looked at it, and cannot tell before it runs.
    Undecided,
    /// A statement that was not looked into: what EXECUTE runs, a table that is not there.
    NotLookedInto,
    /// A file, or a part of one, that `check` never saw.
    NotChecked,
    /// A budget that the script declares lets it through.
    Declared,
    /// Worth knowing, and no more.
    Note,
}

impl Kind {
    /// The word that formats for machines have for it.
    pub fn word(self) -> &'static str {
        match self {
            Kind::Refused => "refused",
            Kind::Undecided => "undecided",
            Kind::NotLookedInto => "not-looked-into",
            Kind::NotChecked => "not-checked",
            Kind::Declared => "declared",
            Kind::Note => "note",
        }
    }
}

/// A place in a file, both from 1; columns count characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Place {
    pub line: usize,
    pub column: usize,
}

impl Place {
    /// A place that is counted from this one.
    pub fn and(self, further: Place) -> Place {
        let column = if further.line == 1 { self.column + further.column - 1 } else { further.column };
        Place { line: self.line + further.line - 1, column }
    }
}

/// Something that is told of a file, or of a statement in it.
#[derive(Clone, Debug)]
pub struct Finding {
    pub kind: Kind,
    /// The bytes of the file that it is about; none where it is about all of it.
    pub mark: Option<Range<usize>>,
    pub command: Option<String>,
    pub relation: Option<String>,
    /// `where` or `rows`.
    pub rule: Option<String>,
    pub sqlstate: Option<String>,
    pub message: String,
    pub detail: Option<String>,
    pub hint: Option<String>,
    pub estimated_rows: Option<u64>,
    pub table_rows: Option<u64>,
}

impl Finding {
    pub fn new(kind: Kind, message: impl Into<String>) -> Finding {
        Finding {
            kind,
            mark: None,
            command: None,
            relation: None,
            rule: None,
            sqlstate: None,
            message: message.into(),
            detail: None,
            hint: None,
            estimated_rows: None,
            table_rows: None,
        }
    }

    pub fn at(self, mark: Range<usize>) -> Finding {
        Finding { mark: Some(mark), ..self }
    }

    pub fn hinted(self, hint: impl Into<String>) -> Finding {
        Finding { hint: Some(hint.into()), ..self }
    }

    /// What stands for the finding in a list of rules.
    pub fn id(&self) -> &str {
        match (self.kind, self.rule.as_deref()) {
            (Kind::Refused | Kind::Undecided, Some(rule)) => rule,
            (kind, _) => kind.word(),
        }
    }
}

/// A file that was looked at, or that should have been.
pub struct Checked {
    /// As reports name it.
    pub name: String,
    /// What the marks of the findings point into.
    pub text: String,
    pub findings: Vec<Finding>,
}

impl Checked {
    /// A file of which nothing was looked at.
    pub fn not(name: String, finding: Finding) -> Checked {
        Checked { name, text: String::new(), findings: vec![finding] }
    }
}

/// Places of a text, asked for in any order, cheapest from the front to the back.
pub struct Places<'a> {
    text: &'a str,
    /// A byte, and where it is.
    at: usize,
    place: Place,
}

impl<'a> Places<'a> {
    pub fn of(text: &'a str) -> Places<'a> {
        Places { text, at: 0, place: Place { line: 1, column: 1 } }
    }

    /// The place of a byte.
    pub fn place(&mut self, byte: usize) -> Place {
        if byte < self.at {
            *self = Places::of(self.text);
        }
        let mut byte = byte.min(self.text.len());
        while !self.text.is_char_boundary(byte) {
            byte -= 1;
        }
        self.go(|at, _| at >= byte);
        self.place
    }

    /// Where a mark begins, and the place behind it.
    pub fn of_mark(&mut self, mark: &Range<usize>) -> (Place, Place) {
        (self.place(mark.start), self.place(mark.end))
    }

    /// The byte of a place.
    pub fn byte(&mut self, place: Place) -> usize {
        if (place.line, place.column) < (self.place.line, self.place.column) {
            *self = Places::of(self.text);
        }
        self.go(|_, now| (now.line, now.column) >= (place.line, place.column));
        self.at
    }

    fn go(&mut self, has_come: impl Fn(usize, Place) -> bool) {
        for character in self.text[self.at..].chars() {
            if has_come(self.at, self.place) {
                return;
            }
            self.at += character.len_utf8();
            if character == '\n' {
                self.place = Place { line: self.place.line + 1, column: 1 };
            } else {
                self.place.column += 1;
            }
        }
    }
}
