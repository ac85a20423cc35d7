//! Policy: what a security label says of a table or a schema, how labels lie over each other and
//! over the settings, and what is wrong with a label that cannot be read.

mod json;
mod keys;

pub use json::BadPolicy;
use json::{bad_value, pairs};
use keys::KEYS;
pub use keys::{Effective, Key};

/// Longer labels are refused: the longest that says something has about 200 bytes.
const MAX_BYTES: usize = 8192;

/// What one label says.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// A bit for each key that it names.
    named: u32,
    /// What it says of those; the others are as in `NOTHING`, and count for nothing.
    values: Effective,
}

impl Policy {
    const NOTHING: Policy = Policy { named: 0, values: Effective::STRICTEST };

    /// What a label counts as that cannot be read: nothing may be modified.
    pub const STRICTEST: Policy = Policy { named: (1 << KEYS.len()) - 1, values: Effective::STRICTEST };

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
        let mut policy = Policy::NOTHING;
        for (key, value) in pairs(label)? {
            (key.definition().read)(&mut policy.values, value.get())
                .ok_or_else(|| bad_value(key, value.get()))?;
            policy.named |= 1 << key as u32;
        }
        Ok(policy)
    }

    fn names(&self, key: Key) -> bool {
        self.named & 1 << key as u32 != 0
    }

    /// Whether it says that rows are kept.
    pub fn keeps(&self) -> bool {
        self.names(Key::Keep) && !self.values.keep.is_off()
    }

    /// Whether it says that no session's budget counts.
    pub fn forbids_override(&self) -> bool {
        self.names(Key::Override) && !self.values.may_override
    }
}

/// Labels that lie over each other, nearest first, key by key; `O` names where a key comes from.
#[derive(Clone, Debug)]
pub struct Layers<O> {
    pub policy: Policy,
    origins: [Option<O>; KEYS.len()],
}

impl<O: Copy> Layers<O> {
    pub fn of(policy: &Policy, origin: O) -> Layers<O> {
        Layers { policy: Policy::NOTHING, origins: [None; KEYS.len()] }.over(policy, origin)
    }

    /// Lays another label below: it says what the nearer ones do not.
    pub fn over(mut self, policy: &Policy, origin: O) -> Layers<O> {
        for of in KEYS.iter().filter(|of| policy.names(of.key)) {
            if !self.policy.names(of.key) {
                (of.copy)(&mut self.policy.values, &policy.values);
                self.origins[of.key as usize] = Some(origin);
            }
        }
        self.policy.named |= policy.named;
        self
    }

    /// Where a key's value comes from; `None` where no label names it.
    pub fn origin(&self, key: Key) -> Option<O> {
        self.origins[key as usize]
    }
}

impl Effective {
    /// The policy, key by key, and below it what is in force without it.
    pub fn under(mut self, policy: &Policy) -> Effective {
        for of in KEYS.iter().filter(|of| policy.names(of.key)) {
            (of.copy)(&mut self, &policy.values);
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::{Command, Commands};
    use crate::keep::Period;
    use crate::limit::Bounds;
    use crate::mode::Mode;
    use proptest::prelude::*;

    fn message(label: &str) -> String {
        Policy::parse(label).expect_err(label).message
    }

    /// What is in force without a label.
    const SETTINGS: Effective = Effective {
        mode: Mode::Log,
        commands: Commands::DEFAULT,
        require_where: true,
        bounds: Bounds { max_rows: Some(7), max_fraction: 0.25, min_rows: 3 },
        keep: Period::OFF,
        keep_from: 10,
        may_override: true,
    };

    /// A value of each key, and as it is shown; none is that of `SETTINGS`, nor the strictest.
    const VALUES: [(&str, &str, &str); KEYS.len()] = [
        ("mode", "\"Warn\"", "warn"),
        ("commands", "[\"delete\", \"drop\"]", "delete, drop"),
        ("require_where", "false", "off"),
        ("max_rows", "-1", "-1"),
        ("max_fraction", "1", "1"),
        ("min_rows", "5", "5"),
        ("keep", "\"36 Hours\"", "36 hours"),
        ("keep_from", "1", "1"),
        ("override", "false", "off"),
    ];

    #[test]
    fn every_key_is_read_shown_and_laid_over_alone() {
        for (key, (word, value, shown)) in Key::all().zip(VALUES) {
            let policy = Policy::parse(&format!("{{\"{word}\": {value}}}")).unwrap();
            let in_force = SETTINGS.under(&policy);
            assert_eq!((key.word(), in_force.value(key)), (word, shown.to_owned()));
            let layers = Layers::of(&Policy::parse("{}").unwrap(), 1).over(&policy, 2);
            for other in Key::all().filter(|other| *other != key) {
                assert_eq!(in_force.value(other), SETTINGS.value(other), "{word}");
                assert_eq!((layers.origin(other), policy.names(other)), (None, false), "{word}");
            }
            assert_eq!((layers.origin(key), layers.policy), (Some(2), policy));
        }
        let all = VALUES.map(|(word, value, _)| format!("\"{word}\": {value}")).join(", ");
        let in_force = SETTINGS.under(&Policy::parse(&format!(" {{{all}}} ")).unwrap());
        assert_eq!(
            Key::all().map(|key| in_force.value(key)).collect::<Vec<_>>(),
            VALUES.map(|(.., shown)| shown)
        );
        let list = Policy::parse(r#"{"commands": "delete, drop"}"#).unwrap();
        assert_eq!(SETTINGS.under(&list).commands, in_force.commands);
        assert_eq!(Policy::parse("{}"), Ok(Policy::NOTHING));
    }

    #[test]
    fn every_key_is_documented() {
        let page = include_str!("../../docs/policy.md");
        for key in Key::all() {
            assert!(page.contains(&format!("\n| `{}` |", key.word())), "{}", key.word());
        }
        let commands = bad_value(Key::Commands, "").detail;
        assert!(Command::ALL.into_iter().all(|command| commands.contains(command.word())), "{commands}");
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
            ("keep", "7 null true \"7\" \"soon\" [] {}"),
            ("keep_from", "-1 null 0.5 \"1\""),
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
        assert_eq!(SETTINGS.under(&layers.policy).bounds.max_rows, Some(1000));
        assert_eq!(layers.origin(Key::MaxRows), Some("table"));
        assert_eq!(layers.origin(Key::RequireWhere), Some("schema"));
        assert_eq!(layers.origin(Key::Mode), None);
    }

    #[test]
    fn the_strictest_reading_says_everything() {
        assert!(Key::all().all(|key| Policy::STRICTEST.names(key)));
        assert_eq!(SETTINGS.under(&Policy::STRICTEST), Effective::STRICTEST);
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(label in ".*") {
            let _ = Policy::parse(&label);
        }

        #[test]
        fn nearly_json_is_read_or_refused(
            label in concat!(
                r#"\{("(mode|max_rows|commands)": ?"#,
                r#"([0-9eE.-]{1,6}|"[a-z\\u]{0,6}"|\[|\]|null),? ?){0,4}\}?"#
            )
        ) {
            if let Ok(policy) = Policy::parse(&label) {
                prop_assert!((0.0..=1.0).contains(&SETTINGS.under(&policy).bounds.max_fraction));
            }
        }
    }
}
