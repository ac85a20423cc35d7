//! LOG lines: one line each, fields as key=value, so that a program can read them.

use crate::event::{self, Verdict};
use crate::message::Report;

/// Who is at work, as a LOG line names it.
#[derive(Clone, Debug)]
pub struct Circumstances<'a> {
    pub database: &'a str,
    pub user: &'a str,
    pub session_user: &'a str,
    pub application: &'a str,
    pub reason: &'a str,
    pub allow_rows: i32,
}

/// The LOG line of a statement that went through although a rule refuses it: fields as key=value, texts
/// in double quotes.
pub fn log_line(verdict: Verdict, report: &Report, relation: &str, who: &Circumstances) -> String {
    let mut line = LogLine::of(verdict);
    if let Some(facts) = &report.facts {
        line.word("rule", facts.rule.word());
        line.text("command", facts.command.tag());
        line.text("relation", relation);
        line.number("rows", facts.rows);
        line.number("limit", facts.limit);
        line.text("limit_source", &facts.limit_source);
    }
    line.circumstances(who);
    line.number("allow_rows", Some(i64::from(who.allow_rows)));
    line.text("message", &report.message);
    line.0
}

/// The LOG line of a policy that has changed; `object` as in `table "public.events"`. Whether a `prepared`
/// transaction's change comes is not known yet.
pub fn policy_line(object: &str, label: Option<&str>, prepared: bool, who: &Circumstances) -> String {
    let mut line = LogLine::of(Verdict::Policy);
    line.text("object", object);
    line.text("policy", label.unwrap_or("cleared"));
    if prepared {
        line.word("transaction", "prepared");
    }
    line.circumstances(who);
    line.0
}

struct LogLine(String);

impl LogLine {
    fn of(verdict: Verdict) -> LogLine {
        LogLine(format!("safedelete: verdict={}", verdict.word()))
    }

    fn word(&mut self, key: &str, word: &str) {
        self.0.push_str(&format!(" {key}={word}"));
    }

    fn number<N: ToString>(&mut self, key: &str, number: Option<N>) {
        if let Some(number) = number {
            self.word(key, &number.to_string());
        }
    }

    /// Blanks replace line breaks in what users wrote, so that nobody can forge a second line, and
    /// quotes are escaped, so that nobody can forge a field. An empty text is left out.
    fn text(&mut self, key: &str, text: &str) {
        if text.is_empty() {
            return;
        }
        self.0.push_str(&format!(" {key}=\""));
        for letter in text.chars() {
            match letter {
                '"' | '\\' => self.0.extend(['\\', letter]),
                letter if letter.is_control() => self.0.push(' '),
                letter => self.0.push(letter),
            }
        }
        self.0.push('"');
    }

    fn circumstances(&mut self, who: &Circumstances) {
        self.text("database", who.database);
        self.text("user", who.user);
        if who.session_user != who.user {
            self.text("session_user", who.session_user);
        }
        self.text("application", who.application);
        self.text("reason", event::cut(who.reason, event::REASON_ROOM));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::command::Command;
    use crate::limit::{Bounds, Size};
    use crate::message::{Count, Reach, Terms, Unqualified, too_many_rows, unqualified};

    #[test]
    fn a_log_line_is_key_and_value() {
        let bounds = Bounds { max_rows: None, max_fraction: 0.1, min_rows: 100 };
        let limit = bounds.limit(Some(Size::Exact(5000))).unwrap();
        let (terms, reach) = (Terms::of_settings(bounds), Reach::Selected);
        let count = Count { rows: 501, size: Some(Size::Exact(5000)), beside: Some(0) };
        let report = too_many_rows(Command::Delete, "t", &count, &limit, &terms, &reach, None);
        let who = Circumstances {
            database: "shop",
            user: "app",
            session_user: "login",
            application: "nightly",
            reason: "INC \"7\"\nrows=1",
            allow_rows: -1,
        };
        assert_eq!(
            log_line(Verdict::Overridden, &report, "public.t", &who),
            concat!(
                r#"safedelete: verdict=overridden rule=rows command="DELETE" relation="public.t" rows=501 limit=500 "#,
                r#"limit_source="max_fraction 0.1 of 5000" database="shop" user="app" session_user="login" "#,
                r#"application="nightly" reason="INC \"7\" rows=1" allow_rows=-1 "#,
                r#"message="DELETE on table \"t\" exceeds the limit of 500 rows""#
            )
        );
    }

    proptest! {
        #[test]
        fn a_log_line_is_one_line(reason in ".*", application in "(?s).*") {
            let report = unqualified(Command::Update, "t", &Unqualified::NoWhere, None);
            let who = Circumstances { database: "d", user: "a", session_user: "b", application: &application,
                reason: &reason, allow_rows: -1 };
            let line = log_line(Verdict::Overridden, &report, "s.t", &who);
            prop_assert!(!line.contains('\n') && line.contains("rule=where"));
        }
    }
}
