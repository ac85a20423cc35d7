//! Lists of role and table names in settings, read as SQL reads identifiers: unquoted names fold
//! to lower case, double quotes keep them, `""` is a quote, blanks around names do not matter.

/// PostgreSQL's NAMEDATALEN - 1: longer names are cut, as the server cuts them.
const MAX_NAME_BYTES: usize = 63;

/// One entry of `safedelete.exempt_tables`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TableName {
    /// `name`: in any schema.
    Anywhere(String),
    /// `schema.name`
    Qualified(String, String),
    /// `schema.*`
    WholeSchema(String),
}

impl TableName {
    /// Whether the entry can match a table of this name, before its schema is looked up.
    pub fn may_match(&self, table: &str) -> bool {
        match self {
            TableName::Anywhere(name) | TableName::Qualified(_, name) => name == table,
            TableName::WholeSchema(_) => true,
        }
    }

    pub fn matches(&self, schema: &str, table: &str) -> bool {
        match self {
            TableName::Anywhere(name) => name == table,
            TableName::Qualified(in_schema, name) => in_schema == schema && name == table,
            TableName::WholeSchema(in_schema) => in_schema == schema,
        }
    }
}

/// Reads a list of role names. An empty list is empty, not one empty name.
///
/// # Errors
/// What is wrong, as a sentence for DETAIL.
pub fn parse_roles(list: &str) -> Result<Vec<String>, String> {
    parse_list(list)?
        .into_iter()
        .map(|parts| match <[Part; 1]>::try_from(parts) {
            Ok([Part::Name(name)]) => Ok(name),
            _ => Err("A role name has no schema.".to_owned()),
        })
        .collect()
}

/// Reads a list of `name`, `schema.name` and `schema.*`.
///
/// # Errors
/// What is wrong, as a sentence for DETAIL.
pub fn parse_tables(list: &str) -> Result<Vec<TableName>, String> {
    parse_list(list)?
        .into_iter()
        .map(|mut parts| match (parts.pop(), parts.pop(), parts.len()) {
            (Some(Part::Name(name)), None, 0) => Ok(TableName::Anywhere(name)),
            (Some(Part::Name(name)), Some(Part::Name(schema)), 0) => Ok(TableName::Qualified(schema, name)),
            (Some(Part::Star), Some(Part::Name(schema)), 0) => Ok(TableName::WholeSchema(schema)),
            _ => Err("An entry is name, schema.name or schema.*.".to_owned()),
        })
        .collect()
}

#[derive(Debug, PartialEq)]
enum Part {
    Name(String),
    Star,
}

fn parse_list(list: &str) -> Result<Vec<Vec<Part>>, String> {
    let mut rest = list.trim_start();
    let mut entries = Vec::new();
    if rest.is_empty() {
        return Ok(entries);
    }
    loop {
        let mut parts = Vec::new();
        loop {
            let (part, after) = parse_part(rest)?;
            parts.push(part);
            rest = after.trim_start();
            match rest.strip_prefix('.') {
                Some(after) => rest = after.trim_start(),
                None => break,
            }
        }
        entries.push(parts);
        if rest.is_empty() {
            return Ok(entries);
        }
        match rest.strip_prefix(',') {
            Some(after) => rest = after.trim_start(),
            None => return Err(format!("Expected a comma before \"{rest}\".")),
        }
    }
}

fn parse_part(text: &str) -> Result<(Part, &str), String> {
    if let Some(after) = text.strip_prefix('*') {
        return Ok((Part::Star, after));
    }
    if let Some(mut quoted) = text.strip_prefix('"') {
        let mut name = String::new();
        loop {
            let Some(end) = quoted.find('"') else {
                return Err("A double quote is not closed.".to_owned());
            };
            name.push_str(&quoted[..end]);
            quoted = &quoted[end + 1..];
            match quoted.strip_prefix('"') {
                Some(after) => {
                    name.push('"');
                    quoted = after;
                }
                None => break,
            }
        }
        if name.is_empty() {
            return Err("A name is empty.".to_owned());
        }
        return Ok((Part::Name(cut(name)), quoted));
    }
    let end =
        text.find(|c: char| c.is_whitespace() || matches!(c, ',' | '.' | '"' | '*')).unwrap_or(text.len());
    if end == 0 {
        return Err("A name is missing.".to_owned());
    }
    Ok((Part::Name(cut(text[..end].to_ascii_lowercase())), &text[end..]))
}

/// Cuts at a character's boundary, as PostgreSQL's `truncate_identifier` does.
fn cut(mut name: String) -> String {
    let mut end = name.len().min(MAX_NAME_BYTES);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    name.truncate(end);
    name
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn roles() {
        assert_eq!(parse_roles("").unwrap(), Vec::<String>::new());
        assert_eq!(parse_roles(" Admin , \"Web App\",\"a\"\"b\" ").unwrap(), ["admin", "Web App", "a\"b"]);
        assert!(parse_roles("a b").is_err());
        assert!(parse_roles("a,").is_err());
        assert!(parse_roles("a.b").is_err());
        assert!(parse_roles("\"a").is_err());
    }

    #[test]
    fn tables() {
        assert_eq!(
            parse_tables("Scratch.*, settings, \"My Schema\".\"T.1\"").unwrap(),
            [
                TableName::WholeSchema("scratch".into()),
                TableName::Anywhere("settings".into()),
                TableName::Qualified("My Schema".into(), "T.1".into()),
            ]
        );
        assert!(parse_tables("*").is_err());
        assert!(parse_tables("a.b.c").is_err());
        assert!(parse_tables("*.b").is_err());
    }

    #[test]
    fn matching() {
        let entry = TableName::WholeSchema("s".into());
        assert!(entry.matches("s", "anything") && !entry.matches("t", "anything"));
        let entry = TableName::Qualified("s".into(), "t".into());
        assert!(entry.matches("s", "t") && !entry.matches("x", "t") && !entry.may_match("x"));
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in ".*") {
            let _ = parse_tables(&text);
            let _ = parse_roles(&text);
        }

        #[test]
        fn a_quoted_name_comes_back(names in prop::collection::vec("[^\0]{1,15}", 1..5)) {
            let list: Vec<String> = names.iter().map(|n| format!("\"{}\"", n.replace('"', "\"\""))).collect();
            prop_assert_eq!(parse_roles(&list.join(" , ")).unwrap(), names);
        }

        #[test]
        fn long_names_are_cut_as_the_server_cuts_them(name in "[a-zäß]{1,80}") {
            let read = &parse_roles(&name).unwrap()[0];
            prop_assert!(read.len() <= 63 && name.starts_with(read.as_str()));
        }
    }
}
