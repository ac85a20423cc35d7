//! The keys of a policy, a row each, and their values: what is in force for a table.

use serde::de::DeserializeOwned;

use crate::command::{Command, Commands};
use crate::keep::{self, Period};
use crate::limit::Bounds;
use crate::mode::Mode;

/// What a policy can say. The number is that of its row in `KEYS`, so `Override` stays the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    Mode,
    Commands,
    RequireWhere,
    MaxRows,
    MaxFraction,
    MinRows,
    Keep,
    KeepFrom,
    Override,
}

/// All there is to know of a key.
pub struct Definition {
    pub key: Key,
    /// The key in the label.
    pub word: &'static str,
    /// Whether there is a setting of the same name; where not, `settings_for` shows the default itself.
    is_setting: bool,
    /// What a value must be, as a sentence.
    pub range: &'static str,
    /// Takes a value, in JSON; `None` where it is out of the range.
    pub read: fn(&mut Effective, &str) -> Option<()>,
    /// Takes the value of another.
    pub copy: fn(&mut Effective, &Effective),
    /// The value, as the setting of that name would show it.
    show: fn(&Effective) -> String,
}

pub const KEYS: [Definition; Key::Override as usize + 1] = [
    Definition {
        key: Key::Mode,
        word: "mode",
        is_setting: true,
        range: "The value must be \"off\", \"log\", \"warn\" or \"enforce\".",
        read: |to, json| put(&mut to.mode, Mode::parse(&read::<String>(json)?)),
        copy: |to, from| to.mode = from.mode,
        show: |of| of.mode.word().to_owned(),
    },
    Definition {
        key: Key::Commands,
        word: "commands",
        is_setting: true,
        range: "The value must be a string that lists commands, or an array of strings, of delete, update, merge, \
            truncate, drop and upsert.",
        read: |to, json| put(&mut to.commands, read_commands(json)),
        copy: |to, from| to.commands = from.commands,
        show: |of| of.commands.to_string(),
    },
    Definition {
        key: Key::RequireWhere,
        word: "require_where",
        is_setting: true,
        range: "The value must be true or false.",
        read: |to, json| put(&mut to.require_where, read(json)),
        copy: |to, from| to.require_where = from.require_where,
        show: |of| switch(of.require_where),
    },
    Definition {
        key: Key::MaxRows,
        word: "max_rows",
        is_setting: true,
        range: "The value must be an integer from -1 to 2147483647; -1 is no limit.",
        read: |to, json| {
            put(&mut to.bounds.max_rows, read_integer(json, -1).map(|rows| u64::try_from(rows).ok()))
        },
        copy: |to, from| to.bounds.max_rows = from.bounds.max_rows,
        show: |of| of.bounds.max_rows.map_or("-1".to_owned(), |rows| rows.to_string()),
    },
    Definition {
        key: Key::MaxFraction,
        word: "max_fraction",
        is_setting: true,
        range: "The value must be a number from 0 to 1; 1 is no limit.",
        read: |to, json| put(&mut to.bounds.max_fraction, read_fraction(json)),
        copy: |to, from| to.bounds.max_fraction = from.bounds.max_fraction,
        show: |of| of.bounds.max_fraction.to_string(),
    },
    Definition {
        key: Key::MinRows,
        word: "min_rows",
        is_setting: true,
        range: "The value must be an integer from 0 to 2147483647.",
        read: |to, json| put(&mut to.bounds.min_rows, u64::try_from(read_integer(json, 0)?).ok()),
        copy: |to, from| to.bounds.min_rows = from.bounds.min_rows,
        show: |of| of.bounds.min_rows.to_string(),
    },
    Definition {
        key: Key::Keep,
        word: "keep",
        is_setting: true,
        range: keep::RANGE,
        read: |to, json| put(&mut to.keep, Period::parse(&read::<String>(json)?)),
        copy: |to, from| to.keep = from.keep,
        show: |of| of.keep.to_string(),
    },
    Definition {
        key: Key::KeepFrom,
        word: "keep_from",
        is_setting: true,
        range: "The value must be an integer from 0 to 2147483647; 0 keeps what the rules would have refused.",
        read: |to, json| put(&mut to.keep_from, u64::try_from(read_integer(json, 0)?).ok()),
        copy: |to, from| to.keep_from = from.keep_from,
        show: |of| of.keep_from.to_string(),
    },
    Definition {
        key: Key::Override,
        word: "override",
        is_setting: false,
        range: "The value must be true or false.",
        read: |to, json| put(&mut to.may_override, read(json)),
        copy: |to, from| to.may_override = from.may_override,
        show: |of| switch(of.may_override),
    },
];

fn put<T>(place: &mut T, value: Option<T>) -> Option<()> {
    *place = value?;
    Some(())
}

fn switch(on: bool) -> String {
    if on { "on" } else { "off" }.to_owned()
}

const _: () = {
    let mut at = 0;
    while at < KEYS.len() {
        assert!(KEYS[at].key as usize == at);
        at += 1;
    }
};

impl Key {
    pub fn all() -> impl Iterator<Item = Key> {
        KEYS.iter().map(|row| row.key)
    }

    pub fn definition(self) -> &'static Definition {
        &KEYS[self as usize]
    }

    /// The key in the label.
    pub fn word(self) -> &'static str {
        self.definition().word
    }

    pub fn is_setting(self) -> bool {
        self.definition().is_setting
    }
}

fn read<T: DeserializeOwned>(json: &str) -> Option<T> {
    serde_json::from_str(json).ok()
}

fn read_integer(json: &str, least: i32) -> Option<i32> {
    read::<i32>(json).filter(|number| *number >= least)
}

fn read_fraction(json: &str) -> Option<f64> {
    let fraction = read::<f64>(json).filter(|fraction| (0.0..=1.0).contains(fraction))?;
    // What is too small for a double is not meant to be none, and PostgreSQL's JSON cannot read it either.
    let digits = json.split(['e', 'E']).next()?;
    if fraction == 0.0 && digits.contains(|c| ('1'..='9').contains(&c)) {
        return None;
    }
    Some(fraction.abs())
}

fn read_commands(json: &str) -> Option<Commands> {
    match read::<String>(json) {
        Some(list) => Commands::parse(&list).ok(),
        None => Commands::of_words(&read::<Vec<String>>(json)?),
    }
}

/// What is in force for one table: the settings, and the policy over them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Effective {
    pub mode: Mode,
    pub commands: Commands,
    pub require_where: bool,
    pub bounds: Bounds,
    /// How long the rows that a write takes are kept.
    pub keep: Period,
    /// Of writes of at least so many rows; 0: of those that the rules would have refused.
    pub keep_from: u64,
    pub may_override: bool,
}

impl Effective {
    /// Nothing may be modified.
    pub const STRICTEST: Effective = Effective {
        mode: Mode::Enforce,
        commands: Commands::ALL,
        require_where: true,
        bounds: Bounds { max_rows: Some(0), max_fraction: 0.0, min_rows: 0 },
        // There is nothing to keep.
        keep: Period::OFF,
        keep_from: 0,
        may_override: false,
    };

    /// Whether a command on the table is looked at.
    pub fn guards(&self, command: Command) -> bool {
        self.mode != Mode::Off && self.commands.contains(command)
    }

    /// A key's value, as the setting of that name would show it.
    pub fn value(&self, key: Key) -> String {
        (key.definition().show)(self)
    }
}
