//! A script as PostgreSQL's own parser splits it: statements, and the lines they begin on.

use std::ffi::{CStr, CString};

use crate::pg::pg_sys;
use safedelete_core::message::Report;

use crate::pg::attempt::{Failure, stop};
use crate::pg::{frame, nodes, raw, text};

pub struct Script {
    text: CString,
    statements: *mut pg_sys::List,
}

/// A statement of a script.
#[derive(Clone, Copy)]
pub struct Statement {
    pub node: *mut pg_sys::Node,
    /// From 1.
    pub number: usize,
    /// The line of its first word, from 1.
    pub line: usize,
    begin: usize,
    end: usize,
}

impl Script {
    /// Parses a script, in the current memory context.
    ///
    /// # Errors
    /// A syntax error (its own SQLSTATE), with the line. A psql command is told as such.
    pub fn parse(text: &str) -> Result<Script, Report> {
        // SAFETY: palloc'd and NUL-terminated.
        let text = unsafe { CStr::from_ptr(text::to_server(text)) }.to_owned();
        let parsed = stop(|| {
            frame::call(|| {
                #[allow(ffi_unwind_calls, reason = "inside frame::call; the closure owns nothing")]
                // SAFETY: NUL-terminated; the parser takes no locks and opens nothing.
                unsafe {
                    raw::raw_parser(text.as_ptr(), pg_sys::RawParseMode::RAW_PARSE_DEFAULT)
                }
            })
        });
        match parsed {
            Ok(statements) => Ok(Script { text, statements }),
            Err(failure) => Err(syntax_error(&text, failure)),
        }
    }

    pub fn text(&self) -> &CStr {
        &self.text
    }

    pub fn statements(&self) -> impl Iterator<Item = Statement> {
        let bytes = self.text.as_bytes();
        let mut line = 1;
        let mut counted = 0;
        nodes::items::<pg_sys::RawStmt>(self.statements).enumerate().map(move |(at, raw)| {
            // SAFETY: the parser's list holds RawStmts.
            let (node, location, length) = unsafe { ((*raw).stmt, (*raw).stmt_location, (*raw).stmt_len) };
            let location = usize::try_from(location).unwrap_or(0).min(bytes.len());
            let end = if length > 0 { (location + length as usize).min(bytes.len()) } else { bytes.len() };
            let begin = location + first_word(&bytes[location..end]);
            line += bytes[counted..begin].iter().filter(|byte| **byte == b'\n').count();
            counted = begin;
            Statement { node, number: at + 1, line, begin, end }
        })
    }

    /// A statement by itself.
    pub fn text_of(&self, statement: &Statement) -> CString {
        CString::new(&self.text.as_bytes()[statement.begin..statement.end]).unwrap_or_default()
    }
}

/// How far the first word is: blanks and comments come before it.
fn first_word(text: &[u8]) -> usize {
    let mut at = 0;
    while at < text.len() {
        // scan.l's space and newline.
        if text[at].is_ascii_whitespace() || text[at] == b'\x0b' {
            at += 1;
        } else if text[at..].starts_with(b"--") {
            let end = text[at..].iter().position(|byte| matches!(byte, b'\n' | b'\r'));
            at += end.unwrap_or(text.len() - at);
        } else if text[at..].starts_with(b"/*") {
            at += comment(&text[at..]);
        } else {
            break;
        }
    }
    at
}

/// The length of a comment in slashes and stars, which may hold others.
fn comment(text: &[u8]) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < text.len() {
        if text[at..].starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if text[at..].starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                break;
            }
        } else {
            at += 1;
        }
    }
    at
}

fn syntax_error(text: &CStr, failure: Failure) -> Report {
    let text = text::from_server(text.as_ptr()).unwrap_or_default();
    // Positions count characters, from 1.
    let before = usize::try_from(failure.position).unwrap_or(0).saturating_sub(1);
    let line = text.chars().take(before).filter(|c| *c == '\n').count();
    let shown: String = text.lines().nth(line).unwrap_or_default().chars().take(80).collect();
    let place = (failure.position > 0).then(|| format!("Line {} is: {shown}", line + 1));
    if text.chars().nth(before) == Some('\\') && failure.position > 0 {
        return Report::plain(
            failure.sqlstate,
            "psql commands cannot be checked".to_owned(),
            place,
            Some(
                "Leave out the lines that begin with a backslash, or let psql resolve them first.".to_owned(),
            ),
        );
    }
    Report::plain(failure.sqlstate, failure.message.into_owned(), place, failure.hint)
}
