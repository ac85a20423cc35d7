//! SARIF 2.1.0, as code scanning and editors read it.

use std::collections::HashMap;
use std::io::{self, Write};

use serde_json::{Value, json};

use super::common::{Report, fingerprint, of_text, relative};
use crate::finding::{Checked, Finding, Kind, Place, Places};
use crate::summary::Summary;

#[derive(Default)]
pub struct Sarif {
    results: Vec<Value>,
    seen: HashMap<u64, usize>,
}

/// Each id of a finding, and what it means.
const RULES: [(&str, &str, &str); 6] = [
    ("where", "A write whose WHERE does not restrict the rows of its table", "error"),
    ("rows", "A write that reaches more rows than the limits of its table allow", "warning"),
    ("not-looked-into", "A statement that cannot be looked into before it runs", "warning"),
    ("not-checked", "A file, or a part of one, that could not be checked", "error"),
    ("declared", "A write that a budget lets through, which the script declares with its reason", "note"),
    ("note", "Worth knowing", "note"),
];

impl Report for Sarif {
    fn file(&mut self, checked: &Checked, _: &mut dyn Write) -> io::Result<()> {
        let mut places = Places::of(&checked.text);
        for finding in &checked.findings {
            let place = finding.mark.as_ref().map(|mark| places.of_mark(mark));
            let mut result = json!({
                "ruleId": finding.id(),
                "level": level(finding.kind),
                "message": { "text": of_text(finding) },
                "locations": [{ "physicalLocation": location(&checked.name, place) }],
                "partialFingerprints": { "statement/v1": fingerprint(checked, finding, &mut self.seen) },
                "properties": properties(finding),
            });
            // What lets it through is in the source, and runs.
            if finding.kind == Kind::Declared && finding.rule.is_some() {
                result["suppressions"] = json!([{ "kind": "inSource", "justification": finding.message }]);
            }
            self.results.push(result);
        }
        Ok(())
    }

    fn end(&mut self, summary: &Summary, out: &mut dyn Write) -> io::Result<()> {
        let rules: Vec<_> = RULES
            .iter()
            .map(|(id, what, level)| {
                json!({
                    "id": id,
                    "shortDescription": { "text": what },
                    "defaultConfiguration": { "level": level },
                })
            })
            .collect();
        let whole = json!({
            "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
            "version": "2.1.0",
            "runs": [{
                "tool": { "driver": {
                    "name": "safedelete-check",
                    "version": env!("CARGO_PKG_VERSION"),
                    "rules": rules,
                } },
                "columnKind": "unicodeCodePoints",
                "invocations": [{ "executionSuccessful": summary.not_checked == 0 }],
                "results": self.results,
            }],
        });
        serde_json::to_writer_pretty(&mut *out, &whole)?;
        writeln!(out)
    }
}

fn level(kind: Kind) -> &'static str {
    match kind {
        Kind::Refused | Kind::NotChecked => "error",
        Kind::Undecided | Kind::NotLookedInto => "warning",
        Kind::Declared | Kind::Note => "note",
    }
}

fn location(name: &str, place: Option<(Place, Place)>) -> Value {
    let mut location = json!({ "artifactLocation": { "uri": uri(relative(name)) } });
    if let Some((begin, end)) = place {
        location["region"] = json!({
            "startLine": begin.line, "startColumn": begin.column, "endLine": end.line, "endColumn": end.column,
        });
    }
    location
}

fn properties(finding: &Finding) -> Value {
    let known = [
        ("command", json!(finding.command)),
        ("relation", json!(finding.relation)),
        ("sqlstate", json!(finding.sqlstate)),
        ("estimatedRows", json!(finding.estimated_rows)),
        ("tableRows", json!(finding.table_rows)),
    ];
    known
        .into_iter()
        .filter(|(_, value)| !value.is_null())
        .map(|(key, value)| (key.to_owned(), value))
        .collect()
}

/// A path as a relative reference, or as a file's URI.
fn uri(path: &str) -> String {
    let mut uri = String::from(if path.starts_with('/') { "file://" } else { "" });
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            uri.push_str(&format!("%{byte:02X}"));
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_references() {
        assert_eq!(uri("m/1 ä:b.sql"), "m/1%20%C3%A4%3Ab.sql");
        assert_eq!(uri("/m/1.sql"), "file:///m/1.sql");
    }
}
