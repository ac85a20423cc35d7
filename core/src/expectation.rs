//! What the author of a statement expects of it: `safedelete.exactly(n)` and `safedelete.at_most(n)` in its WHERE
//! clause. Whoever runs it, and whatever the rules allow: it writes so many rows, or none.

use crate::command::Command;
use crate::message::{Facts, Report, Rule, SQLSTATE_EXPECTATION, SQLSTATE_INVALID, SQLSTATE_NOT_READY, rows};

/// The functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    Exactly,
    AtMost,
}

impl Word {
    pub const ALL: [Word; 2] = [Word::Exactly, Word::AtMost];

    /// The function's name.
    pub fn name(self) -> &'static str {
        match self {
            Word::Exactly => "exactly",
            Word::AtMost => "at_most",
        }
    }

    /// The number as a message puts it.
    pub fn of(self, count: &str) -> String {
        match self {
            Word::Exactly => format!("exactly {count}"),
            Word::AtMost => format!("at most {count}"),
        }
    }

    fn rule(self) -> Rule {
        match self {
            Word::Exactly => Rule::Exactly,
            Word::AtMost => Rule::AtMost,
        }
    }
}

/// All that a statement's condition says of its number of rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Expectation {
    most: Option<(Word, u64)>,
    least: u64,
}

/// How many rows a statement selected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Selected {
    Rows(u64),
    /// Counting stopped there.
    More(u64),
}

/// An expectation that is not met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unmet {
    pub word: Word,
    pub expected: u64,
}

impl Expectation {
    /// The same and one more.
    pub fn and(self, word: Word, count: u64) -> Expectation {
        let most = match self.most {
            Some((known, most)) if most <= count => (known, most),
            _ => (word, count),
        };
        let least = if word == Word::Exactly { self.least.max(count) } else { self.least };
        Expectation { most: Some(most), least }
    }

    /// Up to how many rows it is met, as far as that can be said before all are counted.
    pub fn most(self) -> u64 {
        self.most.map_or(u64::MAX, |(_, most)| most)
    }

    /// How many rows it wants at least.
    pub fn least(self) -> u64 {
        self.least
    }

    /// What so many rows and perhaps more break.
    pub fn broken_by(self, rows: u64) -> Option<Unmet> {
        let (word, expected) = self.most?;
        (rows > expected).then_some(Unmet { word, expected })
    }

    /// What is broken where these were all rows.
    pub fn unmet_by(self, rows: u64) -> Option<Unmet> {
        let too_few = Unmet { word: Word::Exactly, expected: self.least };
        self.broken_by(rows).or((rows < self.least).then_some(too_few))
    }
}

/// A statement that selected other than expected.
pub fn unmet(command: Command, table: &str, unmet: Unmet, selected: Selected) -> Report {
    let Unmet { word, expected } = unmet;
    let were = if expected == 1 { "was" } else { "were" };
    let (selected, count) = match selected {
        Selected::Rows(count) => (rows(count), count),
        Selected::More(count) => (format!("more than {}", rows(count)), count.saturating_add(1)),
    };
    let place = match command {
        Command::Merge => "ON condition",
        _ => "WHERE clause",
    };
    Report {
        sqlstate: SQLSTATE_EXPECTATION,
        message: format!(
            "{} on table \"{table}\" selected {selected}, {} {were} expected",
            command.tag(),
            word.of(&expected.to_string())
        ),
        detail: Some(format!("The statement's {place} has safedelete.{}({expected}).", word.name())),
        hint: Some(format!(
            "Nothing of it was written. Check the {place} against the rows that are there, or expect another number."
        )),
        facts: Some(Box::new(Facts {
            rule: word.rule(),
            command,
            rows: Some(count),
            limit: Some(expected),
            limit_source: word.name().to_owned(),
        })),
    }
}

/// A statement that found as many rows as expected, and came to write fewer.
pub fn missed(command: Command, table: &str, expected: u64, found: u64, written: u64) -> Report {
    let report = unmet(command, table, Unmet { word: Word::Exactly, expected }, Selected::Rows(written));
    let detail = format!("It found {}, and wrote {written} of them.", rows(found));
    let hint = "Nothing of it stays. Another transaction has changed or deleted the others meanwhile: \
                look at them again before you repeat it.";
    Report { detail: Some(detail), hint: Some(hint.to_owned()), ..report }
}

/// A statement that PostgreSQL expects to select more than it says itself.
pub fn may_be_unmet(command: Command, table: &str, unmet_by: Unmet, estimate: u64) -> Report {
    let report = unmet(command, table, unmet_by, Selected::More(unmet_by.expected));
    Report {
        message: report.message.replacen(" selected ", " may select ", 1),
        detail: Some(format!("PostgreSQL expects the statement to select about {}.", rows(estimate))),
        hint: Some("Only a count of the rows that are there tells: safedelete.dry_run makes one.".to_owned()),
        ..report
    }
}

/// Why an argument is no number of rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadNumber {
    /// It is not one for the whole statement.
    Varies,
    Null,
    Negative,
}

/// An expectation that says no number.
pub fn bad_number(word: Word, why: BadNumber) -> Report {
    let name = word.name();
    let (message, detail) = match why {
        BadNumber::Varies => (
            format!("argument of safedelete.{name} must be a constant or a parameter"),
            Some("Its argument has columns, sub-selects or volatile functions.".to_owned()),
        ),
        BadNumber::Null => (format!("argument of safedelete.{name} must not be null"), None),
        BadNumber::Negative => (format!("argument of safedelete.{name} must not be negative"), None),
    };
    let hint = format!("Give the number of rows that the statement may select, as in safedelete.{name}(1).");
    Report::plain(SQLSTATE_INVALID, message, detail, Some(hint))
}

/// Why a function was called instead of being taken out of a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotEnforced {
    /// The session has no guard.
    NotLoaded,
    /// `mode` is off.
    Off,
    /// It stands in no condition of a write, or not in its top-level AND.
    Misplaced,
    /// Another extension has planned the write, in a way that shows no rows.
    PlannedElsewhere,
}

/// An expectation that nobody would enforce.
pub fn not_enforced(word: Word, why: NotEnforced) -> Report {
    let name = word.name();
    let (why, hint) = match why {
        NotEnforced::NotLoaded => (
            "safedelete guards no statement of this session.",
            "Add safedelete to shared_preload_libraries or session_preload_libraries.".to_owned(),
        ),
        NotEnforced::Off => (
            "safedelete.mode is off.",
            format!("Leave out safedelete.{name}, or have safedelete.mode set to log, warn or enforce."),
        ),
        NotEnforced::Misplaced => (
            "It holds for a DELETE, UPDATE, MERGE or INSERT ON CONFLICT DO UPDATE that it is a condition of, joined to \
             the others by AND.",
            format!("Move it, as in: DELETE FROM ... WHERE id = 1 AND safedelete.{name}(1)"),
        ),
        NotEnforced::PlannedElsewhere => (
            "Another extension has planned the statement, and its plan does not show safedelete which rows it writes.",
            format!("Leave out safedelete.{name}."),
        ),
    };
    let message = format!("safedelete.{name} is not enforced here");
    Report::plain(SQLSTATE_NOT_READY, message, Some(why.to_owned()), Some(hint))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn texts() {
        let message = |word, expected, selected| {
            unmet(Command::Delete, "orders", Unmet { word, expected }, selected).message
        };
        assert_eq!(
            message(Word::Exactly, 1, Selected::Rows(3)),
            "DELETE on table \"orders\" selected 3 rows, exactly 1 was expected"
        );
        assert_eq!(
            message(Word::AtMost, 500, Selected::More(500)),
            "DELETE on table \"orders\" selected more than 500 rows, at most 500 were expected"
        );
        assert_eq!(
            message(Word::Exactly, 2, Selected::Rows(1)),
            "DELETE on table \"orders\" selected 1 row, exactly 2 were expected"
        );
        assert_eq!(
            message(Word::AtMost, 1, Selected::More(1)),
            "DELETE on table \"orders\" selected more than 1 row, at most 1 was expected"
        );
    }

    proptest! {
        /// Against the words one by one.
        #[test]
        fn all_hold_or_one_is_told(said in prop::collection::vec((any::<bool>(), 0u64..6), 0..4), rows in 0u64..8) {
            let word_of = |exactly: bool| if exactly { Word::Exactly } else { Word::AtMost };
            let words = said.iter().map(|(exactly, count)| (word_of(*exactly), *count));
            let all = words.clone().fold(Expectation::default(), |all, (word, count)| all.and(word, count));
            let holds = words
                .clone()
                .all(|(word, count)| if word == Word::Exactly { rows == count } else { rows <= count });
            let broken = words.clone().any(|(_, count)| rows > count);
            prop_assert_eq!(all.unmet_by(rows).is_none(), holds);
            prop_assert_eq!(all.broken_by(rows).is_some(), broken);
            prop_assert_eq!(rows > all.most(), broken);
            if let Some(Unmet { word, expected }) = all.unmet_by(rows) {
                prop_assert!(words.clone().any(|said| said == (word, expected)));
                prop_assert!(rows > expected || (word == Word::Exactly && rows < expected));
            }
        }
    }
}
