//! Table sizes that are given to `check`, as `safedelete.sizes()` tells them of another database.

use std::collections::HashMap;

use serde_json::Value;

/// Rows by schema and table.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sizes(HashMap<String, HashMap<String, u64>>);

/// What is wrong with sizes: message and DETAIL of SQLSTATE 22023.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadSizes {
    pub message: String,
    pub detail: String,
}

impl Sizes {
    /// Reads `{"tables": [{"schema": "public", "table": "orders", "rows": 1200}, …]}`. What else there is says
    /// nothing of sizes; `rows` may be null or missing.
    ///
    /// # Errors
    /// What is wrong.
    pub fn parse(json: &str) -> Result<Sizes, BadSizes> {
        let bad = |detail: String| BadSizes { message: "sizes cannot be read".to_owned(), detail };
        let whole: Value =
            serde_json::from_str(json).map_err(|error| bad(format!("They are not valid JSON: {error}.")))?;
        let tables = whole
            .get("tables")
            .and_then(Value::as_array)
            .ok_or_else(|| bad("They have no array \"tables\".".to_owned()))?;
        let mut sizes = HashMap::<_, HashMap<_, _>>::new();
        for (number, entry) in tables.iter().enumerate() {
            let text = |key| entry.get(key).and_then(Value::as_str).map(str::to_owned);
            let (Some(schema), Some(table)) = (text("schema"), text("table")) else {
                return Err(bad(format!("Table {} has no \"schema\" or no \"table\".", number + 1)));
            };
            match entry.get("rows") {
                None | Some(Value::Null) => {}
                Some(rows) => {
                    let rows = rows.as_u64().ok_or_else(|| {
                        bad(format!("\"rows\" of table \"{schema}.{table}\" is no number of rows: {rows}."))
                    })?;
                    sizes.entry(schema).or_default().insert(table, rows);
                }
            }
        }
        Ok(Sizes(sizes))
    }

    /// The rows of a table, where they are given.
    pub fn rows(&self, schema: &str, table: &str) -> Option<u64> {
        self.0.get(schema)?.get(table).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_sizes_gives() {
        let sizes = Sizes::parse(
            r#"{"database": "shop", "tables": [{"schema": "public", "table": "o", "rows": 12,
                  "policy": {"max_rows": 1}},
                {"schema": "a.b", "table": "o", "rows": null}, {"schema": "public", "table": "p"}]}"#,
        )
        .unwrap_or_default();
        assert_eq!(sizes.rows("public", "o"), Some(12));
        assert_eq!(sizes.rows("a.b", "o"), None);
        assert_eq!(sizes.rows("public", "p"), None);
        assert_eq!(sizes.rows("public", "q"), None);
    }

    #[test]
    fn what_it_does_not() {
        let detail = |json: &str| Sizes::parse(json).err().map(|bad| bad.detail).unwrap_or_default();
        assert!(detail("").starts_with("They are not valid JSON: "));
        assert_eq!(detail("[]"), "They have no array \"tables\".");
        assert_eq!(detail(r#"{"tables": {}}"#), "They have no array \"tables\".");
        assert_eq!(detail(r#"{"tables": [{"table": "o"}]}"#), "Table 1 has no \"schema\" or no \"table\".");
        let of_rows =
            |rows| detail(&format!(r#"{{"tables": [{{"schema": "s", "table": "o", "rows": {rows}}}]}}"#));
        assert_eq!(of_rows("-1"), "\"rows\" of table \"s.o\" is no number of rows: -1.");
        assert_eq!(of_rows("1.5"), "\"rows\" of table \"s.o\" is no number of rows: 1.5.");
        assert_eq!(of_rows("1"), "");
    }
}
