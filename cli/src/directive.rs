//! What migration tools write into comments: which part of a file is which.

/// A comment that means something to a tool.
#[derive(Debug, PartialEq, Eq)]
pub enum Directive {
    /// A part of the file begins: dbmate's and sql-migrate's up and down, goose's, a changeset of Liquibase's.
    Part { is_down: bool, is_alone: bool },
    /// The file runs outside of a transaction.
    NoTransaction,
    /// A line of SQL that takes a changeset back, behind so many bytes.
    Rollback { sql: usize },
}

impl Directive {
    /// Whether a file is one of Liquibase's, by its first line.
    pub fn is_liquibase(text: &str) -> bool {
        let first = text.trim_start().lines().next().unwrap_or_default().to_ascii_lowercase();
        first
            .strip_prefix("--")
            .is_some_and(|inner| inner.trim_start().starts_with("liquibase formatted sql"))
    }

    /// Reads a comment that begins with two dashes.
    pub fn read(comment: &str) -> Option<Directive> {
        let inner = comment.strip_prefix("--")?;
        let lower = inner.trim().to_ascii_lowercase();
        let mut words = lower.split_ascii_whitespace();
        let part = |is_down, is_alone| Some(Directive::Part { is_down, is_alone });
        match words.next()? {
            // dbmate: -- migrate:up transaction:false
            word @ ("migrate:up" | "migrate:down") => {
                part(word.ends_with("down"), words.any(|option| option == "transaction:false"))
            }
            // sql-migrate: -- +migrate Up notransaction
            "+migrate" => match words.next()? {
                word @ ("up" | "down") => part(word == "down", words.any(|option| option == "notransaction")),
                _ => None,
            },
            // goose: -- +goose Up, -- +goose NO TRANSACTION
            "+goose" => match words.next()? {
                word @ ("up" | "down") => part(word == "down", false),
                "no" if words.next() == Some("transaction") => Some(Directive::NoTransaction),
                _ => None,
            },
            // Liquibase: --changeset author:id runInTransaction:false
            "changeset" if words.next().is_some_and(|name| name.contains(':')) => {
                part(false, words.any(|option| option == "runintransaction:false"))
            }
            "rollback" => {
                let sql = comment.to_ascii_lowercase().find("rollback")? + "rollback".len();
                // Without SQL, or with a reference to a changeset, there is nothing to check.
                let has_sql = words.next().is_some_and(|word| {
                    !matches!(word, "not" | "empty") && !word.starts_with("changesetid:")
                });
                has_sql.then_some(Directive::Rollback { sql })
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_each_tool() {
        let part = |is_down, is_alone| Some(Directive::Part { is_down, is_alone });
        for (comment, directive) in [
            ("-- migrate:up", part(false, false)),
            ("--migrate:down  ", part(true, false)),
            ("-- migrate:up transaction:false", part(false, true)),
            ("-- +goose Up", part(false, false)),
            ("-- +goose Down", part(true, false)),
            ("-- +goose NO TRANSACTION", Some(Directive::NoTransaction)),
            ("-- +goose StatementBegin", None),
            ("-- +migrate Up notransaction", part(false, true)),
            ("--changeset shop:2 runInTransaction:false", part(false, true)),
            ("-- changeset shop:2", part(false, false)),
            ("--rollback DELETE FROM t;", Some(Directive::Rollback { sql: 10 })),
            ("--rollback not required", None),
            ("--rollback", None),
            ("-- a changeset of ours", None),
            ("-- changeset", None),
            ("-- migrate the rows", None),
            ("--", None),
        ] {
            assert_eq!(Directive::read(comment), directive, "{comment}");
        }
    }
}
