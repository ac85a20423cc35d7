//! `--sizes FILE`: what `safedelete.sizes()` gave elsewhere, or what `pg_dump --statistics-only` wrote there (18+).

use std::path::PathBuf;

use serde_json::Value;

use safedelete_core::sizes;
use safedelete_core::split;

use crate::libpq::{Connection, Failure};

#[derive(Default)]
pub struct Sizes {
    /// For `check`.
    pub json: Option<String>,
    /// For a scratch server's postgresql.conf.
    pub settings: String,
    /// Statements that restore statistics, for tables that are not there yet.
    statistics: Vec<String>,
}

/// Policies of tables and schemas that are there, and have none yet.
const POLICIES: &str = "SELECT safedelete.set_policy(c.oid::regclass, t.policy) \
     FROM jsonb_to_recordset($1::jsonb -> 'tables') AS t(schema text, \"table\" text, policy jsonb) \
     JOIN pg_catalog.pg_namespace n ON n.nspname = t.schema \
     JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = t.\"table\" AND c.relkind IN ('r', 'p', 'f') \
     WHERE t.policy IS NOT NULL AND NOT EXISTS (SELECT FROM pg_catalog.pg_seclabel l WHERE l.provider = 'safedelete' \
     AND l.classoid = 'pg_catalog.pg_class'::regclass AND l.objoid = c.oid)";
const SCHEMA_POLICIES: &str = "SELECT safedelete.set_schema_policy(n.oid::regnamespace, t.policy) \
     FROM jsonb_to_recordset($1::jsonb -> 'schemas') AS t(schema text, policy jsonb) \
     JOIN pg_catalog.pg_namespace n ON n.nspname = t.schema \
     WHERE t.policy IS NOT NULL AND NOT EXISTS (SELECT FROM pg_catalog.pg_seclabel l WHERE l.provider = 'safedelete' \
     AND l.classoid = 'pg_catalog.pg_namespace'::regclass AND l.objoid = n.oid)";

impl Sizes {
    /// # Errors
    /// What is wrong with a file.
    pub fn read(files: &[PathBuf]) -> Result<Sizes, String> {
        let mut sizes = Sizes::default();
        for file in files {
            let bad = |what: String| format!("{}: {what}", file.display());
            let text = std::fs::read_to_string(file).map_err(|error| bad(error.to_string()))?;
            if text.trim_start().starts_with('{') {
                if sizes.json.is_some() {
                    return Err(bad("there are other sizes before".to_owned()));
                }
                sizes::Sizes::parse(&text)
                    .map_err(|error| bad(format!("{}: {}", error.message, error.detail)))?;
                sizes.settings = settings(&text);
                sizes.json = Some(text);
            } else if text.contains("pg_restore_relation_stats") {
                sizes.statistics.extend(statistics(&text));
            } else {
                return Err(bad(
                    "neither safedelete.sizes() nor pg_dump --statistics-only wrote it".to_owned()
                ));
            }
        }
        Ok(sizes)
    }

    /// Brings policies and statistics to what a file has made.
    ///
    /// # Errors
    /// The server's.
    pub fn bring(&mut self, connection: &Connection) -> Result<(), Failure> {
        if let Some(json) = &self.json {
            connection.query(SCHEMA_POLICIES, &[Some(json)])?;
            connection.query(POLICIES, &[Some(json)])?;
        }
        let mut waiting = Vec::new();
        for statement in std::mem::take(&mut self.statistics) {
            match connection.run(&statement, &[]) {
                Ok(()) => {}
                Err(failure) if failure.is_lost => return Err(failure),
                // Its table or column is not there yet.
                Err(_) => waiting.push(statement),
            }
        }
        self.statistics = waiting;
        Ok(())
    }
}

/// The settings of the other database, as lines of postgresql.conf.
fn settings(json: &str) -> String {
    let whole: Value = serde_json::from_str(json).unwrap_or_default();
    let settings = whole.get("settings").and_then(Value::as_object).into_iter().flatten();
    let line = |(name, value): (&String, &Value)| {
        let value = value.as_str()?.replace('\'', "''");
        let is_name = name.starts_with("safedelete.")
            && name[11..].bytes().all(|byte| byte == b'_' || byte.is_ascii_lowercase());
        (is_name && !value.contains('\n')).then(|| format!("{name} = '{value}'\n"))
    };
    settings.filter_map(line).collect()
}

/// The statements of pg_dump's that restore statistics.
fn statistics(text: &str) -> Vec<String> {
    let mut statements = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (statement, more) = rest.split_at(split::end_of_statement(rest.as_bytes(), 0));
        let words = &statement[split::first_word(statement.as_bytes())..];
        if words.starts_with("SELECT * FROM pg_catalog.pg_restore_") {
            statements.push(words.to_owned());
        }
        rest = more;
    }
    statements
}
