//! Everything that is known, for programs of one's own.

use std::io::{self, Write};

use serde_json::{Value, json};

use super::common::Report;
use crate::finding::{Checked, Places};
use crate::summary::Summary;

#[derive(Default)]
pub struct Json {
    files: Vec<Value>,
}

impl Report for Json {
    fn file(&mut self, checked: &Checked, _: &mut dyn Write) -> io::Result<()> {
        let mut places = Places::of(&checked.text);
        let findings: Vec<_> = checked
            .findings
            .iter()
            .map(|finding| {
                let (begin, end) = finding.mark.as_ref().map(|mark| places.of_mark(mark)).unzip();
                json!({
                    "kind": finding.kind,
                    "begin": begin,
                    "end": end,
                    "statement": finding.mark.clone().and_then(|mark| checked.text.get(mark)),
                    "command": finding.command,
                    "relation": finding.relation,
                    "rule": finding.rule,
                    "sqlstate": finding.sqlstate,
                    "message": finding.message,
                    "detail": finding.detail,
                    "hint": finding.hint,
                    "estimated_rows": finding.estimated_rows,
                    "table_rows": finding.table_rows,
                })
            })
            .collect();
        self.files.push(json!({ "file": checked.name, "findings": findings }));
        Ok(())
    }

    fn end(&mut self, summary: &Summary, out: &mut dyn Write) -> io::Result<()> {
        let whole = json!({
            "tool": { "name": "safedelete-check", "version": env!("CARGO_PKG_VERSION") },
            "files": self.files,
            "summary": summary,
        });
        serde_json::to_writer_pretty(&mut *out, &whole)?;
        writeln!(out)
    }
}
