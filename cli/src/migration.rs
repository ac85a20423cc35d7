//! A migration file: what of it is SQL to be checked, in which transactions. What is not (the part that takes it back,
//! psql's commands, the data of COPY) is blanked, so that every place stays where it is.

use std::ops::Range;

use safedelete_core::split;

use crate::directive::Directive;
use crate::finding::{Finding, Kind};

/// SQL that runs in one transaction.
#[derive(Debug)]
pub struct Part {
    pub range: Range<usize>,
    /// Its tool opens no transaction for it.
    pub is_alone: bool,
}

#[derive(Debug, Default)]
pub struct Migration {
    /// The file's text.
    pub text: String,
    /// The same with blanks for what is no SQL.
    pub script: String,
    pub parts: Vec<Part>,
    /// Data of COPY FROM STDIN.
    pub data: Vec<Range<usize>>,
    /// What is told without asking a server.
    pub findings: Vec<Finding>,
}

impl Migration {
    /// # Errors
    /// What makes it no SQL text.
    pub fn read(bytes: Vec<u8>, down: bool) -> Result<Migration, Box<Finding>> {
        let text = as_text(bytes)?;
        let mut reading = Reading::of(&text, down);
        reading.read();
        let Reading { script, parts, data, findings, .. } = reading;
        // Only blanks have taken the place of whole characters.
        let script = String::from_utf8(script).unwrap_or_default();
        Ok(Migration { text, script, parts, data, findings })
    }
}

fn as_text(bytes: Vec<u8>) -> Result<String, Box<Finding>> {
    let not = |message: String| Box::new(Finding::new(Kind::NotChecked, message));
    if bytes.starts_with(&[0xFF, 0xFE]) || bytes.starts_with(&[0xFE, 0xFF]) {
        return Err(not("the file is UTF-16, and not UTF-8".to_owned()));
    }
    let mut text = String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let before = &error.as_bytes()[..valid];
        let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
        not(format!("the file is not UTF-8: byte {} of it, in line {line}", valid + 1))
    })?;
    if let Some(at) = text.find('\0') {
        let line = 1 + text[..at].matches('\n').count();
        return Err(not(format!("the file holds a NUL, in line {line}")));
    }
    if text.starts_with('\u{FEFF}') {
        text.drain(..'\u{FEFF}'.len_utf8());
    }
    Ok(text)
}

struct Reading<'a> {
    text: &'a [u8],
    script: Vec<u8>,
    down: bool,
    at: usize,
    /// Where the statement begins that `at` is in, and how many parentheses are open in it.
    statement: usize,
    depth: usize,
    part: Part,
    is_liquibase: bool,
    /// Of lines that take a changeset back.
    is_rollback: bool,
    /// No part runs in a transaction.
    is_alone: bool,
    /// Of a part that takes the migration back, and is not asked for.
    is_left_out: bool,
    /// A part before it brings the migration up.
    has_up: bool,
    parts: Vec<Part>,
    data: Vec<Range<usize>>,
    findings: Vec<Finding>,
}

impl<'a> Reading<'a> {
    fn of(text: &'a str, down: bool) -> Reading<'a> {
        Reading {
            text: text.as_bytes(),
            script: text.as_bytes().to_vec(),
            down,
            at: 0,
            statement: 0,
            depth: 0,
            part: Part { range: 0..0, is_alone: false },
            is_liquibase: Directive::is_liquibase(text),
            is_rollback: false,
            is_alone: false,
            is_left_out: false,
            has_up: false,
            parts: Vec::new(),
            data: Vec::new(),
            findings: Vec::new(),
        }
    }

    fn read(&mut self) {
        while self.at < self.text.len() {
            let length = split::piece(self.text, self.at);
            match self.text[self.at] {
                b'-' if length > 1 => {
                    self.at += self.comment(length);
                    continue;
                }
                b'\\' if !self.is_left_out => {
                    self.command();
                    continue;
                }
                b'(' | b'[' => self.depth += 1,
                b')' | b']' => self.depth = self.depth.saturating_sub(1),
                b';' if self.depth == 0 => {
                    self.at += 1;
                    self.end_of_statement();
                    continue;
                }
                _ => {}
            }
            self.at += length;
        }
        self.end_part(self.text.len());
        for part in &mut self.parts {
            part.is_alone |= self.is_alone;
        }
    }

    /// Where the line ends that a byte is in, before its newline.
    fn end_of_line(&self, from: usize) -> usize {
        self.text[from..]
            .iter()
            .position(|byte| *byte == b'\n')
            .map_or(self.text.len(), |length| from + length)
    }

    fn blank(&mut self, range: Range<usize>) {
        for byte in &mut self.script[range] {
            if !matches!(byte, b'\n' | b'\r') {
                *byte = b' ';
            }
        }
    }

    fn end_part(&mut self, end: usize) {
        let next = Part { range: end..end, is_alone: false };
        let mut part = std::mem::replace(&mut self.part, next);
        part.range.end = end;
        if self.is_left_out {
            self.blank(part.range);
        } else if !part.range.is_empty() {
            self.parts.push(part);
        }
        (self.statement, self.depth) = (end, 0);
        (self.is_left_out, self.is_rollback) = (false, false);
    }

    /// A comment to the end of the line: tools write into them what is what.
    /// Gives how far to go on.
    fn comment(&mut self, length: usize) -> usize {
        let text = String::from_utf8_lossy(&self.text[self.at..self.at + length]);
        // Tools read it at the beginning of a line.
        let line = &self.text[..self.at];
        let begins = line.iter().rev().find(|byte| !matches!(byte, b' ' | b'\t'));
        match Directive::read(&text).filter(|_| matches!(begins, None | Some(b'\n' | b'\r'))) {
            None => {}
            Some(Directive::Part { is_down, is_alone }) => {
                self.end_part(self.at);
                // What nothing brings up no tool takes down.
                self.is_left_out = is_down && self.has_up && !self.down;
                self.has_up |= !is_down;
                self.part.is_alone = is_alone;
            }
            Some(Directive::NoTransaction) => self.is_alone = true,
            // One line of what takes a changeset back.
            // It is not run in the changeset's own transaction.
            Some(Directive::Rollback { sql }) if self.down && self.is_liquibase => {
                if !self.is_rollback {
                    self.end_part(self.at);
                    self.is_rollback = true;
                }
                self.blank(self.at..self.at + sql);
                return sql;
            }
            Some(Directive::Rollback { .. }) => {}
        }
        length
    }

    /// A command of psql's, from its backslash on; it ends with its line.
    fn command(&mut self) {
        let end = self.end_of_line(self.at);
        let range = self.at..end;
        let line = String::from_utf8_lossy(&self.text[range.clone()]).trim_end().to_owned();
        let name: String = line
            .chars()
            .skip(1)
            .take_while(|letter| letter.is_ascii_alphanumeric() || *letter == '_')
            .collect();
        self.blank(range.clone());
        // These run what has been written so far.
        if name.starts_with('g') || name == "watch" || name == "crosstabview" {
            self.script[self.at] = b';';
            self.statement = end;
            self.depth = 0;
        }
        if !is_harmless(&name, &line) {
            let mark = range.start..range.start + line.len();
            self.findings.push(
                Finding::new(Kind::NotChecked, format!("psql command \\{name} is not checked"))
                    .at(mark)
                    .hinted("Check what it runs by itself, or write the migration in SQL alone."),
            );
        }
        self.at = end;
    }

    /// Behind a semicolon: the data of COPY comes in the next line.
    fn end_of_statement(&mut self) {
        let statement = std::mem::replace(&mut self.statement, self.at);
        let begin = statement + split::first_word(&self.text[statement..self.at]);
        let words = self.text[begin..self.at].get(..4).unwrap_or_default();
        if self.is_left_out || !words.eq_ignore_ascii_case(b"copy") || !from_stdin(&self.text[begin..self.at])
        {
            return;
        }
        let data = (self.end_of_line(self.at) + 1).min(self.text.len());
        let mut end = data;
        let mut has_end = false;
        while end < self.text.len() {
            let line_end = self.end_of_line(end);
            has_end = self.text[end..line_end].trim_ascii_end() == b"\\.";
            if has_end {
                break;
            }
            end = (line_end + 1).min(self.text.len());
        }
        if !has_end && !self.text[data..end].trim_ascii().is_empty() {
            let finding =
                Finding::new(Kind::NotChecked, "what follows is taken for the data of COPY, and not checked");
            self.findings.push(finding.at(begin..self.at).hinted("Close the data with a line of \\. alone."));
        }
        let behind = self.end_of_line(end);
        self.data.push(data..end);
        self.blank(data..behind);
        (self.at, self.statement) = (behind, behind);
    }
}

/// Commands that only show something, or say how. A backquote in one runs a program; a backslash may begin another, or
/// SQL behind two.
fn is_harmless(name: &str, line: &str) -> bool {
    matches!(
        name,
        "restrict"
            | "unrestrict"
            | "echo"
            | "qecho"
            | "warn"
            | "timing"
            | "pset"
            | "x"
            | "a"
            | "t"
            | "encoding"
    ) && !line.contains('`')
        && !line[1..].contains('\\')
}

/// Whether a COPY reads from the client, by its words outside of quotes, comments and parentheses.
fn from_stdin(statement: &[u8]) -> bool {
    let (mut words, mut at, mut depth) = (String::new(), 0, 0usize);
    while at < statement.len() {
        let length = split::piece(statement, at);
        match statement[at] {
            b'(' => depth += 1,
            b')' => depth = depth.saturating_sub(1),
            byte if length == 1 && depth == 0 && (byte.is_ascii_alphanumeric() || byte == b'_') => {
                words.push(byte.to_ascii_lowercase().into());
                at += 1;
                continue;
            }
            // What is quoted is a word, and none of these.
            b'\'' | b'"' => words.push_str(" ."),
            _ => {}
        }
        words.push(' ');
        at += length;
    }
    words.split_ascii_whitespace().collect::<Vec<_>>().windows(2).any(|pair| pair == ["from", "stdin"])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Migration {
        Migration::read(text.as_bytes().to_vec(), false).unwrap_or_default()
    }

    /// What is left of a text, part by part, and what is told of it.
    fn parts(text: &str, down: bool) -> (Vec<String>, Vec<String>) {
        let migration = Migration::read(text.as_bytes().to_vec(), down).unwrap_or_default();
        assert_eq!(migration.script.len(), text.len());
        let part = |part: &Part| migration.script[part.range.clone()].trim().to_owned();
        let told = migration.findings.iter().map(|finding| finding.message.clone()).collect();
        (migration.parts.iter().map(part).filter(|part| !part.is_empty()).collect(), told)
    }

    #[test]
    fn down_is_left_out() {
        let text = "-- migrate:up\nA;\n-- migrate:down\nB;\n";
        assert_eq!(parts(text, false).0, ["-- migrate:up\nA;"]);
        assert_eq!(parts(text, true).0, ["-- migrate:up\nA;", "-- migrate:down\nB;"]);
        // Nor where nothing is brought up, or behind SQL.
        assert_eq!(parts("A;\n-- migrate:down\nB;", false).0, ["A;", "-- migrate:down\nB;"]);
        let behind = "-- migrate:up\nA; -- migrate:down\nB;";
        assert_eq!(parts(behind, false).0, [behind]);
        // In quotes it is none.
        assert_eq!(parts("SELECT '\n-- migrate:down\n';", false).0, ["SELECT '\n-- migrate:down\n';"]);
    }

    #[test]
    fn a_changeset_is_a_transaction() {
        let text = "--liquibase formatted sql\n--changeset a:1 runInTransaction:false\nA;\n\
             --rollback B;\n--changeset a:2\nC;";
        let migration = read(text);
        assert_eq!(
            migration.parts.iter().map(|part| part.is_alone).collect::<Vec<_>>(),
            [false, true, false]
        );
        assert_eq!(parts(text, true).0.len(), 4);
        assert!(parts(text, true).0.contains(&"B;".to_owned()));
        assert!(read("-- +goose NO TRANSACTION\n-- +goose Up\nA;").parts.iter().all(|part| part.is_alone));
    }

    #[test]
    fn commands_of_psql() {
        let told = |text| parts(text, false);
        assert_eq!(
            told("A;\n\\i x.sql\nB;"),
            (vec![format!("A;\n{:8}\nB;", "")], vec!["psql command \\i is not checked".into()])
        );
        assert_eq!(told("A \\gexec\nB;").0, ["A ;     \nB;"]);
        assert_eq!(told("\\restrict abc\n\\echo x\nA;").1, Vec::<String>::new());
        assert_eq!(told("\\echo `rm x`").1.len(), 1);
        for more in ["\\echo x \\\\ DELETE FROM t;", "\\timing \\i x"] {
            assert_eq!(told(more).1.len(), 1, "{more}");
        }
        for quoted in ["SELECT E'\\\\i';", "SELECT '\\i x';", "SELECT $$ \\i $$;", "/* \\i */ A;", "-- \\i"] {
            assert_eq!(told(quoted), (vec![quoted.to_owned()], vec![]), "{quoted}");
        }
    }

    #[test]
    fn data_of_copy() {
        let migration = read("COPY t FROM stdin;\n1\t\\N;'\n\\.\nA;");
        assert_eq!(migration.data.first(), Some(&(19..26)));
        assert_eq!(
            migration.script,
            format!(
                "COPY t FROM stdin;
{:6}
{:2}
A;",
                "", ""
            )
        );
        assert!(migration.findings.is_empty());
        // Data that nobody ends is data to the end.
        assert_eq!(read("COPY t FROM STDIN;\n1\n2").data.first(), Some(&(19..22)));
        assert_eq!(read("COPY t FROM STDIN;\n1\n2").findings.len(), 1);
        assert!(read("COPY t FROM STDIN;\n").findings.is_empty());
        for data in
            ["COPY t(a)FROM STDIN(FORMAT csv);\n1\n\\.\n", "copy t from /* x */ stdin with csv;\n1\n\\.\n"]
        {
            assert_eq!(read(data).data.len(), 1, "{data}");
        }
        for none in [
            "COPY t FROM '/x'; SELECT 1;",
            "COPY t FROM '/a from stdin b';\nA;",
            "COPY (SELECT a from stdin) TO '/x';",
        ] {
            assert!(read(none).data.is_empty(), "{none}");
        }
    }

    #[test]
    fn no_text() {
        for bytes in [&b"a\xff"[..], b"\xff\xfea\0", b"a\0"] {
            assert!(Migration::read(bytes.to_vec(), false).is_err());
        }
        assert_eq!(read("\u{feff}A;").text, "A;");
        assert!(read("").parts.is_empty());
    }
}
