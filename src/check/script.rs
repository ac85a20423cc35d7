//! A script as PostgreSQL's own parser splits it: statements, and the lines they begin on. A long script is
//! parsed in parts, so that neither its trees are in memory all at once nor an error in each of its
//! statements is looked for from the beginning (PostgreSQL counts characters to tell where it is).

use std::ffi::CStr;

use safedelete_core::message::Report;
use safedelete_core::split;

use crate::pg::attempt::{Failure, stop};
use crate::pg::context::Context;
use crate::pg::nodes::{Node, Nodes};
use crate::pg::parser::{self, Source};
use crate::pg::{pg_sys, text};

/// A script that is read part by part.
pub struct Script<'a> {
    rest: &'a [u8],
    /// Where `rest` begins.
    place: Place,
    /// How many statements came before.
    number: usize,
    /// Where a part and its trees are.
    memory: Context,
}

/// Statements that have been parsed, and the text that their locations point into.
pub struct Part<'a> {
    text: &'a CStr,
    statements: Nodes<'a, pg_sys::RawStmt>,
    place: Place,
    number: usize,
}

/// A place in a script.
#[derive(Clone, Copy)]
pub struct Place {
    /// From 1.
    pub line: usize,
    /// Characters from the line's begin, from 1.
    pub column: usize,
}

/// A statement of a script.
#[derive(Clone, Copy)]
pub struct Statement<'a> {
    pub node: Node<'a>,
    /// From 1.
    pub number: usize,
    /// That of its first word.
    pub place: Place,
    pub source: Source<'a>,
}

/// How much of a script is parsed at once, where statements end about there.
const PART: usize = 8 * 1024;

impl<'a> Script<'a> {
    pub fn new(text: &'a CStr) -> Script<'a> {
        Script {
            rest: text.to_bytes(),
            place: Place::BEGIN,
            number: 0,
            memory: Context::new(c"safedelete script"),
        }
    }

    /// The next statements; `None` at the end. What the last call gave is no more.
    ///
    /// # Errors
    /// A syntax error (its own SQLSTATE), with the line. A psql command is told as such.
    pub fn next(&mut self) -> Result<Option<Part<'_>>, Report> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let mut least = PART;
        let (length, parsed) = loop {
            let length = split::end_of_statement(self.rest, least);
            let is_last = length == self.rest.len();
            self.memory.empty();
            let text = self.memory.within(|| text::copy(&self.rest[..length]));
            match self.memory.within(|| parse(text)) {
                Ok(statements) if is_last || ends_with(statements, length) => {
                    break (length, (text, statements));
                }
                Err(failure) if is_last => return Err(syntax_error(text, self.place.line, failure)),
                // No end of a statement, however it looks.
                _ => least = 2 * length,
            }
        };
        let (text, statements) = parsed;
        let part = Part { text, statements, place: self.place, number: self.number };
        self.number += part.count();
        self.place = self.place.behind(&self.rest[..length]);
        self.rest = &self.rest[length..];
        Ok(Some(part))
    }
}

impl<'a> Part<'a> {
    /// A whole script, in the current memory context.
    ///
    /// # Errors
    /// As [`Script::next`].
    pub fn whole(text: &'a CStr) -> Result<Part<'a>, Report> {
        match parse(text) {
            Ok(statements) => Ok(Part { text, statements, place: Place::BEGIN, number: 0 }),
            Err(failure) => Err(syntax_error(text, 1, failure)),
        }
    }

    fn count(&self) -> usize {
        self.statements.len()
    }

    pub fn statements(&self) -> impl Iterator<Item = Statement<'a>> + use<'a> {
        let text = self.text;
        let bytes = text.to_bytes();
        let (mut place, number) = (self.place, self.number);
        let mut counted = 0;
        self.statements.iter().enumerate().filter_map(move |(at, raw)| {
            let source = Source { text, location: raw.stmt_location.max(0), length: raw.stmt_len };
            let location = source.location as usize;
            let begin = location + split::first_word(&bytes[location.min(bytes.len())..]);
            place = place.behind(&bytes[counted..begin]);
            counted = begin;
            Some(Statement { node: raw.stmt()?, number: number + at + 1, place, source })
        })
    }
}

impl Place {
    const BEGIN: Place = Place { line: 1, column: 1 };

    /// The place behind a text that begins here.
    fn behind(self, text: &[u8]) -> Place {
        let line = text.iter().rposition(|byte| *byte == b'\n').map_or(text, |newline| &text[newline + 1..]);
        let lines = newlines(text);
        let column = if lines > 0 { 1 } else { self.column } + text::characters(line);
        Place { line: self.line + lines, column }
    }
}

impl Source<'_> {
    /// The statement by itself, in the current memory context.
    pub fn alone(&self) -> &CStr {
        let bytes = self.text.to_bytes();
        let begin = (self.location as usize).min(bytes.len());
        let rest = &bytes[begin..];
        let length = if self.length > 0 { (self.length as usize).min(rest.len()) } else { rest.len() };
        let statement = &rest[..length];
        text::copy(&statement[split::first_word(statement)..])
    }
}

fn newlines(text: &[u8]) -> usize {
    text.iter().filter(|byte| **byte == b'\n').count()
}

fn parse(text: &CStr) -> Result<Nodes<'_, pg_sys::RawStmt>, Failure> {
    stop(|| parser::parse(text, pg_sys::RawParseMode::RAW_PARSE_DEFAULT))
}

/// Whether the last byte of a text of this length is the semicolon that ends the last statement: then what
/// comes behind it is parsed alike by itself. In a comment it is none.
fn ends_with(statements: Nodes<pg_sys::RawStmt>, length: usize) -> bool {
    // Where no semicolon ends a statement its length is 0.
    statements
        .iter()
        .next_back()
        .is_some_and(|last| last.stmt_len > 0 && (last.stmt_location + last.stmt_len) as usize == length - 1)
}

/// `line` is that of the text's begin.
fn syntax_error(text: &CStr, line: usize, failure: Failure) -> Report {
    let bytes = text.to_bytes();
    // Positions count characters, from 1.
    let before = if failure.position > 0 { text::bytes_of(bytes, failure.position - 1) } else { 0 };
    let begin = bytes[..before].iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
    let shown = bytes[begin..].split(|byte| matches!(byte, b'\n' | b'\r')).next().unwrap_or_default();
    let shown = text::from_server(text::copy(&shown[..text::bytes_of(shown, 80)]));
    let place =
        (failure.position > 0).then(|| format!("Line {} is: {shown}", line + newlines(&bytes[..before])));
    if bytes.get(before) == Some(&b'\\') && failure.position > 0 {
        return Report::plain(
            failure.sqlstate,
            "psql commands cannot be checked".to_owned(),
            place,
            Some(
                "Leave out the lines that begin with a backslash, or let psql resolve them first.".to_owned(),
            ),
        );
    }
    Report::plain(failure.sqlstate, failure.message, place, failure.hint)
}
