//! Policy: what a security label says of a table or a schema, how labels lie over each other and
//! over the settings, and what is wrong with a label that cannot be read.

use core::fmt;

use serde::Deserializer as _;
use serde::de::{DeserializeOwned, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::command::{Command, Commands};
use crate::limit::Bounds;
use crate::mode::Mode;

/// Longer labels are refused: the longest that says something has about 200 bytes.
const MAX_BYTES: usize = 8192;

/// What a policy can say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    Mode,
    Commands,
    RequireWhere,
    MaxRows,
    MaxFraction,
    MinRows,
    Override,
}

impl Key {
    pub const ALL: [Key; 7] = [
        Key::Mode,
        Key::Commands,
        Key::RequireWhere,
        Key::MaxRows,
        Key::MaxFraction,
        Key::MinRows,
        Key::Override,
    ];

    /// The key in the label; all but `override` are settings of the same name.
    pub fn word(self) -> &'static str {
        match self {
            Key::Mode => "mode",
            Key::Commands => "commands",
            Key::RequireWhere => "require_where",
            Key::MaxRows => "max_rows",
            Key::MaxFraction => "max_fraction",
            Key::MinRows => "min_rows",
            Key::Override => "override",
        }
    }

    /// What a value must be, as a sentence.
    fn range(self) -> &'static str {
        match self {
            Key::Mode => "The value must be \"off\", \"log\", \"warn\" or \"enforce\".",
            Key::Commands => {
                "The value must be a string that lists commands, or an array of strings, of delete, update, merge, truncate, drop and upsert."
            }
            Key::RequireWhere | Key::Override => "The value must be true or false.",
            Key::MaxRows => "The value must be an integer from -1 to 2147483647; -1 is no limit.",
            Key::MaxFraction => "The value must be a number from 0 to 1; 1 is no limit.",
            Key::MinRows => "The value must be an integer from 0 to 2147483647.",
        }
    }
}

/// What one label says; a key that it does not name is `None`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Policy {
    pub mode: Option<Mode>,
    pub commands: Option<Commands>,
    pub require_where: Option<bool>,
    /// `Some(None)` is -1, no limit.
    pub max_rows: Option<Option<u64>>,
    pub max_fraction: Option<f64>,
    pub min_rows: Option<u64>,
    /// `override`: whether `allow_rows` counts.
    pub may_override: Option<bool>,
}

/// What is wrong with a label: message and DETAIL of SQLSTATE 22023.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadPolicy {
    pub message: String,
    pub detail: String,
}

impl Policy {
    /// What a label counts as that cannot be read: nothing may be modified.
    pub const STRICTEST: Policy = Policy {
        mode: Some(Mode::Enforce),
        commands: Some(Commands::ALL),
        require_where: Some(true),
        max_rows: Some(Some(0)),
        max_fraction: Some(0.0),
        min_rows: Some(0),
        may_override: Some(false),
    };

    /// Reads a label.
    ///
    /// # Errors
    /// What is wrong with it, naming the key where there is one.
    pub fn parse(label: &str) -> Result<Policy, BadPolicy> {
        if label.len() > MAX_BYTES {
            return Err(BadPolicy {
                message: "policy is too long".to_owned(),
                detail: format!("It has {} bytes; at most {MAX_BYTES} are read.", label.len()),
            });
        }
        let mut policy = Policy::default();
        for (key, value) in pairs(label)? {
            policy.set(key, value).ok_or_else(|| bad_value(key, value.get()))?;
        }
        Ok(policy)
    }

    fn set(&mut self, key: Key, value: &RawValue) -> Option<()> {
        let value = value.get();
        match key {
            Key::Mode => self.mode = Some(Mode::parse(&read::<String>(value)?)?),
            Key::Commands => self.commands = Some(read_commands(value)?),
            Key::RequireWhere => self.require_where = Some(read(value)?),
            Key::MaxRows => {
                let rows = read::<i32>(value).filter(|rows| *rows >= -1)?;
                self.max_rows = Some(u64::try_from(rows).ok());
            }
            Key::MaxFraction => {
                let fraction = read::<f64>(value).filter(|fraction| (0.0..=1.0).contains(fraction))?;
                // What is too small for a double is not meant to be none, and PostgreSQL's JSON cannot
                // read it either.
                let digits = value.split(['e', 'E']).next()?;
                if fraction == 0.0 && digits.contains(|c| ('1'..='9').contains(&c)) {
                    return None;
                }
                self.max_fraction = Some(fraction.abs());
            }
            Key::MinRows => {
                let rows = read::<i32>(value)?;
                self.min_rows = Some(u64::try_from(rows).ok()?);
            }
            Key::Override => self.may_override = Some(read(value)?),
        }
        Some(())
    }

    fn has(&self, key: Key) -> bool {
        match key {
            Key::Mode => self.mode.is_some(),
            Key::Commands => self.commands.is_some(),
            Key::RequireWhere => self.require_where.is_some(),
            Key::MaxRows => self.max_rows.is_some(),
            Key::MaxFraction => self.max_fraction.is_some(),
            Key::MinRows => self.min_rows.is_some(),
            Key::Override => self.may_override.is_some(),
        }
    }

    /// Takes from `below` what this policy does not say.
    fn or(self, below: &Policy) -> Policy {
        Policy {
            mode: self.mode.or(below.mode),
            commands: self.commands.or(below.commands),
            require_where: self.require_where.or(below.require_where),
            max_rows: self.max_rows.or(below.max_rows),
            max_fraction: self.max_fraction.or(below.max_fraction),
            min_rows: self.min_rows.or(below.min_rows),
            may_override: self.may_override.or(below.may_override),
        }
    }
}

fn read<T: DeserializeOwned>(json: &str) -> Option<T> {
    serde_json::from_str(json).ok()
}

fn read_commands(json: &str) -> Option<Commands> {
    match read::<String>(json) {
        Some(list) => Commands::parse(&list).ok(),
        None => Commands::of_words(&read::<Vec<String>>(json)?),
    }
}

fn bad_value(key: Key, value: &str) -> BadPolicy {
    BadPolicy {
        message: format!("invalid value for policy key \"{}\": {}", key.word(), shown(value)),
        detail: key.range().to_owned(),
    }
}

/// What a user wrote, short and on one line.
fn shown(text: &str) -> String {
    const MOST: usize = 40;
    let mut line: String = text.chars().take(MOST).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().nth(MOST).is_some() {
        line.push_str("...");
    }
    line
}

/// The keys of a label with their values as written: each once, in the label's order.
fn pairs(label: &str) -> Result<Vec<(Key, &RawValue)>, BadPolicy> {
    let mut reader = Reader { pairs: Vec::new(), reading: None, wrong: None };
    let mut json = serde_json::Deserializer::from_str(label);
    let outcome = json.deserialize_map(&mut reader).and_then(|()| json.end());
    match (reader.wrong, reader.reading, outcome) {
        (Some(wrong), ..) => Err(wrong),
        (None, _, Ok(())) => Ok(reader.pairs),
        (None, Some(key), Err(error)) => Err(BadPolicy {
            message: format!("invalid value for policy key \"{}\"", key.word()),
            detail: format!("{} JSON: {error}.", key.range()),
        }),
        (None, None, Err(error)) => Err(BadPolicy {
            message: "policy is not a JSON object".to_owned(),
            detail: format!("JSON: {error}."),
        }),
    }
}

struct Reader<'a> {
    pairs: Vec<(Key, &'a RawValue)>,
    /// The key whose value is being read.
    reading: Option<Key>,
    wrong: Option<BadPolicy>,
}

impl<'a> Visitor<'a> for &mut Reader<'a> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(word) = map.next_key::<String>()? {
            let wrong = match Key::ALL.into_iter().find(|key| key.word() == word) {
                None => BadPolicy {
                    message: format!("unrecognized policy key \"{}\"", shown(&word)),
                    detail: "The keys are mode, commands, require_where, max_rows, max_fraction, min_rows and override."
                        .to_owned(),
                },
                Some(key) if self.pairs.iter().any(|(known, _)| *known == key) => BadPolicy {
                    message: format!("policy key \"{word}\" is given more than once"),
                    detail: "Each key can be given once.".to_owned(),
                },
                Some(key) => {
                    self.reading = Some(key);
                    self.pairs.push((key, map.next_value()?));
                    self.reading = None;
                    continue;
                }
            };
            self.wrong = Some(wrong);
            return Err(A::Error::custom("refused"));
        }
        Ok(())
    }
}

/// Labels that lie over each other, nearest first, key by key; `O` names where a key comes from.
#[derive(Clone, Debug)]
pub struct Layers<O> {
    pub policy: Policy,
    origins: [Option<O>; Key::ALL.len()],
}

impl<O: Copy> Layers<O> {
    pub fn of(policy: &Policy, origin: O) -> Layers<O> {
        Layers { policy: policy.clone(), origins: Key::ALL.map(|key| policy.has(key).then_some(origin)) }
    }

    /// Lays another label below: it says what the nearer ones do not.
    pub fn over(self, policy: &Policy, origin: O) -> Layers<O> {
        let mut origins = self.origins;
        for key in Key::ALL {
            if policy.has(key) && origins[key as usize].is_none() {
                origins[key as usize] = Some(origin);
            }
        }
        Layers { policy: self.policy.or(policy), origins }
    }

    /// Where a key's value comes from; `None` where no label names it.
    pub fn origin(&self, key: Key) -> Option<O> {
        self.origins[key as usize]
    }
}

/// What is in force for one table: the settings, and the policy over them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Effective {
    pub mode: Mode,
    pub commands: Commands,
    pub require_where: bool,
    pub bounds: Bounds,
    pub may_override: bool,
}

impl Effective {
    /// The policy, key by key, and below it what is in force without it.
    pub fn under(self, policy: &Policy) -> Effective {
        Effective {
            mode: policy.mode.unwrap_or(self.mode),
            commands: policy.commands.unwrap_or(self.commands),
            require_where: policy.require_where.unwrap_or(self.require_where),
            bounds: Bounds {
                max_rows: policy.max_rows.unwrap_or(self.bounds.max_rows),
                max_fraction: policy.max_fraction.unwrap_or(self.bounds.max_fraction),
                min_rows: policy.min_rows.unwrap_or(self.bounds.min_rows),
            },
            may_override: policy.may_override.unwrap_or(self.may_override),
        }
    }

    /// Whether a command on the table is looked at.
    pub fn guards(&self, command: Command) -> bool {
        self.mode != Mode::Off && self.commands.contains(command)
    }

    /// A key's value, as the setting of that name would show it.
    pub fn value(&self, key: Key) -> String {
        let switch = |on: bool| if on { "on" } else { "off" }.to_owned();
        match key {
            Key::Mode => self.mode.word().to_owned(),
            Key::Commands => self.commands.to_string(),
            Key::RequireWhere => switch(self.require_where),
            Key::MaxRows => self.bounds.max_rows.map_or("-1".to_owned(), |rows| rows.to_string()),
            Key::MaxFraction => self.bounds.max_fraction.to_string(),
            Key::MinRows => self.bounds.min_rows.to_string(),
            Key::Override => switch(self.may_override),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn message(label: &str) -> String {
        Policy::parse(label).expect_err(label).message
    }

    #[test]
    fn every_key_is_read() {
        let policy = Policy::parse(
            r#" {"mode": "Warn", "commands": ["delete", "drop"], "require_where": false, "max_rows": -1,
                "max_fraction": 1, "min_rows": 0, "override": false} "#,
        )
        .unwrap();
        let expected = Policy {
            mode: Some(Mode::Warn),
            commands: Some(Commands::parse("delete, drop").unwrap()),
            require_where: Some(false),
            max_rows: Some(None),
            max_fraction: Some(1.0),
            min_rows: Some(0),
            may_override: Some(false),
        };
        assert_eq!(policy, expected);
        assert_eq!(Policy::parse("{}").unwrap(), Policy::default());
        assert_eq!(Policy::parse(r#"{"commands": "delete, drop"}"#).unwrap().commands, expected.commands);
    }

    #[test]
    fn what_is_wrong_is_named() {
        assert_eq!(message(r#"{"max_rowz": 10}"#), "unrecognized policy key \"max_rowz\"");
        assert_eq!(
            message(r#"{"max_rows": 1, "max_rows": 2}"#),
            "policy key \"max_rows\" is given more than once"
        );
        for (key, values) in [
            ("max_rows", "\"10\" 1.5 1e3 10.0 -2 2147483648 null true [] {} 99999999999999999999"),
            ("min_rows", "-1 null 0.5 \"1\""),
            ("max_fraction", "1.5 -0.1 \"0.5\" null 1e400 1e-99999 [0.5]"),
            ("mode", "\"on\" null 1 \"\\ud800\" \"\""),
            ("commands", "\"delete,\" \"select\" null 1 [1] [null] [\"delete,update\"] [\"\"] {}"),
            ("require_where", "\"on\" 1 null"),
            ("override", "0 null \"false\""),
        ] {
            for value in values.split(' ') {
                let found = Policy::parse(&format!("{{\"{key}\": {value}}}")).expect_err(value);
                assert!(found.message.contains(&format!("policy key \"{key}\"")), "{found:?}");
                assert!(found.detail.contains("must be"), "{found:?}");
            }
        }
        for value in ["NaN", "-Infinity", "", "01", "[[", "'x'"] {
            assert!(message(&format!("{{\"max_fraction\": {value}")).contains("\"max_fraction\""), "{value}");
        }
        for label in ["", "max_rows = 10", "[]", "1", "null", "{", "{\"max_rows\": 1} x", "{\"\\ud800\": 1}"]
        {
            assert_eq!(message(label), "policy is not a JSON object", "{label}");
        }
    }

    #[test]
    fn long_and_deep_labels_are_refused() {
        assert_eq!(message(&" ".repeat(1 << 20)), "policy is too long");
        let deep = format!("{{\"mode\": {}{}}}", "[".repeat(4000), "]".repeat(4000));
        assert!(message(&deep).contains("\"mode\""));
        assert!(message(&format!("{{\"{}\": 1}}", "k".repeat(8000))).len() < 100);
    }

    #[test]
    fn the_nearest_wins_key_by_key() {
        let table = Policy::parse(r#"{"max_rows": 1000}"#).unwrap();
        let schema = Policy::parse(r#"{"max_rows": 5, "require_where": false}"#).unwrap();
        let layers = Layers::of(&table, "table").over(&schema, "schema");
        assert_eq!(layers.policy.max_rows, Some(Some(1000)));
        assert_eq!(layers.origin(Key::MaxRows), Some("table"));
        assert_eq!(layers.origin(Key::RequireWhere), Some("schema"));
        assert_eq!(layers.origin(Key::Mode), None);
    }

    #[test]
    fn the_strictest_reading_says_everything() {
        for key in Key::ALL {
            assert!(Policy::STRICTEST.has(key));
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(label in ".*") {
            let _ = Policy::parse(&label);
        }

        #[test]
        fn nearly_json_is_read_or_refused(label in r#"\{("(mode|max_rows|commands)": ?([0-9eE.-]{1,6}|"[a-z\\u]{0,6}"|\[|\]|null),? ?){0,4}\}?"#) {
            if let Ok(policy) = Policy::parse(&label) {
                prop_assert!(policy.max_fraction.is_none_or(|f| (0.0..=1.0).contains(&f)));
            }
        }
    }
}
