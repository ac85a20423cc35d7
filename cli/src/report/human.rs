//! As compilers do it: the place, the statement with the part marked, the rule, what is wrong and what to do.

use std::io::{self, Write};
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};

use super::common::Report;
use crate::finding::{Checked, Finding, Kind, Places};
use crate::summary::Summary;

/// Of longer statements the beginning is shown.
const SHOWN_BYTES: usize = 1500;

pub struct Human {
    renderer: Renderer,
}

impl Human {
    pub fn new(colored: bool) -> Human {
        Human { renderer: if colored { Renderer::styled() } else { Renderer::plain() } }
    }
}

impl Report for Human {
    fn file(&mut self, checked: &Checked, out: &mut dyn Write) -> io::Result<()> {
        let mut places = Places::of(&checked.text);
        for finding in &checked.findings {
            let group = group(checked, finding, &mut places);
            writeln!(out, "{}\n", self.renderer.render(&[group]))?;
        }
        Ok(())
    }

    fn end(&mut self, summary: &Summary, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "{summary}")
    }
}

fn group<'a>(checked: &'a Checked, finding: &'a Finding, places: &mut Places) -> Group<'a> {
    let level = match finding.kind {
        Kind::Refused | Kind::NotChecked => Level::ERROR,
        Kind::Undecided | Kind::NotLookedInto => Level::WARNING,
        Kind::Declared | Kind::Note => Level::NOTE,
    };
    let title = level.primary_title(finding.message.as_str());
    let title =
        if matches!(finding.kind, Kind::Declared | Kind::Note) { title } else { title.id(finding.id()) };
    let mut group = Group::with_title(title);
    group = match &finding.mark {
        None => group.element(Origin::path(checked.name.as_str())),
        Some(mark) => {
            let mark = shown(&checked.text, mark.clone());
            let begin = checked.text[..mark.start].rfind('\n').map_or(0, |newline| newline + 1);
            // A line of megabytes is shown from the mark on.
            let is_long = mark.start - begin > SHOWN_BYTES;
            let begin = if is_long { mark.start } else { begin };
            let end =
                checked.text[mark.end..].find('\n').map_or(checked.text.len(), |newline| mark.end + newline);
            let end = if end - mark.end > SHOWN_BYTES { mark.end } else { end };
            let label = match (finding.kind, &finding.sqlstate) {
                (Kind::Refused, Some(sqlstate)) => format!("refused, SQLSTATE {sqlstate}"),
                (_, Some(sqlstate)) if finding.kind != Kind::Declared => format!("SQLSTATE {sqlstate}"),
                _ => String::new(),
            };
            let annotation = AnnotationKind::Primary.span(mark.start - begin..mark.end - begin);
            let annotation = if label.is_empty() { annotation } else { annotation.label(label) };
            let place = places.place(mark.start);
            let snippet =
                Snippet::source(&checked.text[begin..end]).line_start(place.line).annotation(annotation);
            if is_long {
                let origin = Origin::path(checked.name.as_str()).line(place.line).char_column(place.column);
                group.element(origin).element(snippet)
            } else {
                group.element(snippet.path(checked.name.as_str()))
            }
        }
    };
    if let Some(detail) = &finding.detail {
        group = group.element(Level::NOTE.message(detail.as_str()));
    }
    if let Some(hint) = &finding.hint {
        group = group.element(Level::HELP.message(hint.as_str()));
    }
    group
}

/// As much of a mark as is shown.
fn shown(text: &str, mark: Range<usize>) -> Range<usize> {
    let start = mark.start.min(text.len());
    let mut end = mark.end.min(text.len()).min(start + SHOWN_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    // The end of a line is no part of it.
    start..start + text[start..end].trim_end().len()
}
