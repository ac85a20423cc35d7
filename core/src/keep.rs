//! What is kept of the rows that a write takes: for how long, from how many rows on, and what is said where it
//! cannot be.

use crate::command::Command;
use crate::message::{Report, SQLSTATE_INVALID, SQLSTATE_NOT_SUPPORTED, SQLSTATE_WARNING};

/// A write that would have to keep what it cannot.
pub const SQLSTATE_KEEP: [u8; 5] = *b"SD003";

/// How long rows are kept, in seconds; 0 is not at all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd)]
pub struct Period(u64);

const UNITS: [(&str, u64); 7] = [
    ("year", 365 * 86_400),
    ("month", 30 * 86_400),
    ("week", 7 * 86_400),
    ("day", 86_400),
    ("hour", 3600),
    ("minute", 60),
    ("second", 1),
];

/// A hundred years.
const LONGEST: u64 = 100 * 365 * 86_400;

/// What a value must be, as a sentence.
pub const RANGE: &str = "The value must be a string such as \"7 days\": whole numbers, each with second, minute, hour, \
    day, week, month (30 days) or year (365 days); at most 100 years; \"\" keeps nothing.";

impl Period {
    pub const OFF: Period = Period(0);

    /// Reads "30 days", "1 day 12 hours"; nothing at all is off.
    pub fn parse(text: &str) -> Option<Period> {
        let mut seconds: u64 = 0;
        let mut words = text.split_ascii_whitespace();
        while let Some(number) = words.next() {
            if !number.bytes().all(|digit| digit.is_ascii_digit()) {
                return None;
            }
            let number: u64 = number.parse().ok()?;
            let unit = words.next()?.to_ascii_lowercase();
            let unit = unit.strip_suffix('s').unwrap_or(&unit);
            let (_, each) = UNITS.into_iter().find(|(word, _)| *word == unit)?;
            seconds = seconds.checked_add(number.checked_mul(each)?)?;
        }
        (seconds <= LONGEST).then_some(Period(seconds))
    }

    pub fn is_off(self) -> bool {
        self.0 == 0
    }

    pub fn seconds(self) -> u64 {
        self.0
    }
}

impl core::fmt::Display for Period {
    /// In the largest unit that it is a whole number of.
    fn fmt(&self, to: &mut core::fmt::Formatter) -> core::fmt::Result {
        if self.is_off() {
            return Ok(());
        }
        let fits = UNITS.into_iter().find(|(_, each)| self.0.is_multiple_of(*each));
        let (word, each) = fits.unwrap_or(("second", 1));
        let number = self.0 / each;
        write!(to, "{number} {word}{}", if number == 1 { "" } else { "s" })
    }
}

/// How to go on where a write cannot keep what it has to.
const GO_ON: &str = "To write and keep nothing, run it in a transaction after: SET LOCAL safedelete.keep_nothing = on; \
    SET LOCAL safedelete.reason = 'why';";

/// A write that would have to keep more than `keep_max_rows`.
pub fn too_many(command: Command, table: &str, rows: u64, most: u64) -> Report {
    refusal(
        command,
        table,
        format!("would have to keep more than {most} rows"),
        format!("Its statement has come to {rows} rows; safedelete.keep_max_rows is {most}."),
    )
}

/// A write of a table that nothing keeps the rows of, although it should.
pub fn nothing_keeps(command: Command, table: &str, call: &str) -> Report {
    let mut report = refusal(
        command,
        table,
        "has to keep its rows, and nothing does".to_owned(),
        "The table has no triggers that keep what is written.".to_owned(),
    );
    report.hint = Some(format!("The owner or a superuser makes them: SELECT {call}; {GO_ON}"));
    report
}

/// A write that cannot be kept whole.
pub fn cannot(command: Command, table: &str, why: &str) -> Report {
    refusal(command, table, "cannot keep its rows".to_owned(), why.to_owned())
}

fn refusal(command: Command, table: &str, what: String, detail: String) -> Report {
    let message = format!("{} on table \"{table}\" {what}", command.tag());
    Report::plain(SQLSTATE_KEEP, message, Some(detail), Some(GO_ON.to_owned()))
}

/// A policy that asks for what cannot be.
pub fn not_here(object: &str, why: &str) -> Report {
    let message = format!("rows of {object} cannot be kept");
    Report::plain(SQLSTATE_NOT_SUPPORTED, message, Some(why.to_owned()), None)
}

/// What somebody who keeps rows of a table should know.
pub fn warning(message: String, detail: &str, hint: &str) -> Report {
    Report::plain(SQLSTATE_WARNING, message, Some(detail.to_owned()), Some(hint.to_owned()))
}

/// A value that is not of the column's type any more, or the like.
pub fn invalid(message: String, detail: Option<String>) -> Report {
    Report::plain(SQLSTATE_INVALID, message, detail, None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn periods_are_read_and_shown() {
        for (text, shown, seconds) in [
            ("", "", 0),
            ("  ", "", 0),
            ("0 days", "", 0),
            ("7 days", "1 week", 7 * 86_400),
            ("1 Day 12 HOURS", "36 hours", 36 * 3600),
            ("90 seconds", "90 seconds", 90),
            ("1 month", "1 month", 30 * 86_400),
            ("100 years", "100 years", LONGEST),
        ] {
            let read = Period::parse(text).expect(text);
            assert_eq!((read.to_string().as_str(), read.seconds()), (shown, seconds), "{text}");
            assert_eq!(Period::parse(shown), Some(read));
        }
        for text in
            ["7", "days", "-1 days", "+1 day", "1.5 days", "7days", "1 fortnight", "101 years", "1 day 2"]
        {
            assert_eq!(Period::parse(text), None, "{text}");
        }
        assert_eq!(Period::parse("99999999999999999999 days"), None);
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in ".*") {
            let _ = Period::parse(&text);
        }

        #[test]
        fn what_is_shown_is_read(seconds in 0..LONGEST) {
            prop_assert_eq!(Period::parse(&Period(seconds).to_string()), Some(Period(seconds)));
        }
    }
}
