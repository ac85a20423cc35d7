//! The verdict: what becomes of a write that a rule refuses. It is all here, and nowhere else, how mode,
//! bypass and budget go together.

use crate::command::Command;
use crate::event::Verdict;
use crate::limit::{Budget, Limit, Source};
use crate::message::{self, NotHonoured, Report, Unqualified};
use crate::mode::Mode;

/// What stands between a write and its refusal.
#[derive(Clone, Debug, PartialEq)]
pub struct Standing {
    /// Of the table that is written.
    pub mode: Mode,
    /// The role's writes are not checked.
    pub bypassed: bool,
    /// What is declared and counts, `None` where nothing is declared, or why it does not count, or would not.
    pub budget: Result<Option<Budget>, NotHonoured>,
}

/// What becomes of a write that a rule refuses.
#[derive(Clone, Debug, PartialEq)]
pub enum Ruling {
    /// It is refused; with what is to be told of a budget.
    Refuse(Option<NotHonoured>),
    /// It goes through, which is told so, up to so many rows.
    Through(Verdict, Budget),
}

impl Standing {
    /// Rules on a write that has come to so many rows, as far as the sum has counted (`None`: nobody counts them).
    /// More rows are ruled on again where they are beyond what it goes through with.
    pub fn rule(&self, rows: Option<u64>) -> Ruling {
        if self.bypassed {
            return Ruling::Through(Verdict::Bypassed, Budget::Unlimited);
        }
        if let Ok(Some(budget)) = self.budget
            && budget.holds(rows)
        {
            return Ruling::Through(Verdict::Overridden, budget);
        }
        match self.mode {
            Mode::Enforce => Ruling::Refuse(self.budget.clone().err()),
            Mode::Warn => Ruling::Through(Verdict::Warned, Budget::Unlimited),
            // Nothing is ruled on where it is off.
            Mode::Log | Mode::Off => Ruling::Through(Verdict::Logged, Budget::Unlimited),
        }
    }

    /// Whether a write of any number of rows may be refused.
    pub fn may_refuse(&self) -> bool {
        matches!(self.rule(None), Ruling::Refuse(_))
    }

    /// Rule `where`, which asks before any row is reached.
    pub fn unqualified(&self, command: Command, table: &str, why: &Unqualified) -> (Ruling, Report) {
        let ruling = self.rule(Some(0));
        let report = message::unqualified(command, table, why, ruling.not_honoured());
        (ruling, report)
    }

    /// Rule `rows`, of a sum that is over its table's limit; with the limit that is told of it: the widest that it
    /// is over, a budget's or the table's.
    pub fn over(&self, sum: u64, limit: Limit) -> (Ruling, Limit) {
        let ruling = self.rule(Some(sum));
        let told = match self.budget {
            Ok(Some(Budget::Rows(rows))) if limit.rows < rows && rows < sum => {
                Limit { rows, source: Source::AllowRows }
            }
            _ => limit,
        };
        (ruling, told)
    }

    /// DROP DATABASE, whose rows nobody counts.
    pub fn drop_database(&self, database: &str) -> (Ruling, Report) {
        let ruling = self.rule(None);
        let report = message::drop_database(database, ruling.not_honoured());
        (ruling, report)
    }
}

impl Ruling {
    /// The word for it.
    pub fn verdict(&self) -> Verdict {
        match self {
            Ruling::Refuse(_) => Verdict::Refused,
            Ruling::Through(verdict, _) => *verdict,
        }
    }

    fn not_honoured(&self) -> Option<&NotHonoured> {
        match self {
            Ruling::Refuse(not_honoured) => not_honoured.as_ref(),
            Ruling::Through(..) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Why;
    use proptest::prelude::*;

    fn standing(mode: Mode, bypassed: bool, budget: Option<Budget>) -> Standing {
        Standing { mode, bypassed, budget: Ok(budget) }
    }

    fn any_standing() -> impl Strategy<Value = Standing> {
        let mode = prop::sample::select(vec![Mode::Log, Mode::Warn, Mode::Enforce]);
        let declared = prop_oneof![
            Just(None),
            Just(Some(Budget::Unlimited)),
            (0..2000u64).prop_map(|rows| Some(Budget::Rows(rows)))
        ];
        let refused = any::<bool>().prop_map(|declared| NotHonoured { why: Why::Reason, declared });
        let budget = prop_oneof![declared.prop_map(Ok), refused.prop_map(Err)];
        (mode, any::<bool>(), budget).prop_map(|(mode, bypassed, budget)| Standing { mode, bypassed, budget })
    }

    #[test]
    fn bypass_goes_before_budget_and_budget_before_mode() {
        let verdict = |standing: Standing| standing.rule(Some(5)).verdict();
        for mode in [Mode::Log, Mode::Warn, Mode::Enforce] {
            assert_eq!(verdict(standing(mode, true, Some(Budget::Rows(9)))), Verdict::Bypassed);
            assert_eq!(verdict(standing(mode, false, Some(Budget::Rows(5)))), Verdict::Overridden);
        }
        assert_eq!(verdict(standing(Mode::Enforce, false, Some(Budget::Rows(4)))), Verdict::Refused);
        assert_eq!(verdict(standing(Mode::Warn, false, Some(Budget::Rows(4)))), Verdict::Warned);
        assert_eq!(verdict(standing(Mode::Log, false, None)), Verdict::Logged);
    }

    #[test]
    fn the_limit_told_is_the_widest_that_was_passed() {
        let limit = Limit { rows: 10, source: Source::MaxRows };
        let told = |mode, budget, sum| standing(mode, false, Some(budget)).over(sum, limit).1;
        for mode in [Mode::Enforce, Mode::Warn] {
            assert_eq!(told(mode, Budget::Rows(20), 21), Limit { rows: 20, source: Source::AllowRows });
            assert_eq!(told(mode, Budget::Rows(20), 20), limit);
            assert_eq!(told(mode, Budget::Rows(10), 11), limit);
            assert_eq!(told(mode, Budget::Unlimited, 11), limit);
        }
    }

    proptest! {
        #[test]
        fn the_ruling_says_what_the_rule_says(standing in any_standing(), rows in prop::option::of(0..3000u64)) {
            let held = match (&standing.budget, rows) {
                (Ok(Some(Budget::Unlimited)), _) => true,
                (Ok(Some(Budget::Rows(budget))), Some(rows)) => rows <= *budget,
                _ => false,
            };
            let ruling = standing.rule(rows);
            let refused = standing.mode == Mode::Enforce && !standing.bypassed && !held;
            prop_assert_eq!(matches!(ruling, Ruling::Refuse(_)), refused);
            prop_assert_eq!(ruling.verdict() == Verdict::Bypassed, standing.bypassed);
            prop_assert_eq!(ruling.verdict() == Verdict::Overridden, held && !standing.bypassed);
            if let Ruling::Refuse(why) = ruling {
                prop_assert_eq!(why, standing.budget.err());
            }
        }

        #[test]
        fn what_goes_through_does_so_up_to_its_budget_and_what_is_refused_stays_so(
            standing in any_standing(), rows in 0..3000u64, more in 0..3000u64,
        ) {
            let (ruling, later) = (standing.rule(Some(rows)), standing.rule(Some(rows + more)));
            match &ruling {
                Ruling::Refuse(_) => prop_assert_eq!(&later, &ruling),
                Ruling::Through(_, budget) if budget.holds(Some(rows + more)) => prop_assert_eq!(&later, &ruling),
                Ruling::Through(verdict, _) => {
                    prop_assert_eq!(*verdict, Verdict::Overridden);
                    prop_assert_ne!(later.verdict(), Verdict::Overridden);
                }
            }
            // What nobody counts is no less than any number.
            if matches!(later, Ruling::Refuse(_)) {
                prop_assert!(standing.may_refuse());
            }
            if !standing.may_refuse() {
                prop_assert!(!matches!(ruling, Ruling::Refuse(_)));
            }
        }

        #[test]
        fn a_refused_sum_is_over_the_limit_that_is_told(
            standing in any_standing(), limit in 0..2000u64, above in 1..2000u64,
        ) {
            let limit = Limit { rows: limit, source: Source::MaxRows };
            let sum = limit.rows + above;
            let (ruling, told) = standing.over(sum, limit);
            prop_assert!(told.rows >= limit.rows && told.rows < sum);
            prop_assert_eq!(&ruling, &standing.rule(Some(sum)));
        }

        #[test]
        fn what_goes_through_says_nothing_of_a_budget(standing in any_standing()) {
            let reports = [
                standing.unqualified(Command::Delete, "t", &Unqualified::NoWhere),
                standing.drop_database("d"),
            ];
            for (ruling, report) in reports {
                let tells = report.detail.unwrap().contains("not honoured");
                let declared = matches!(&standing.budget, Err(NotHonoured { declared: true, .. }));
                prop_assert_eq!(tells, declared && matches!(ruling, Ruling::Refuse(_)));
            }
        }
    }
}
