//! A task's verdict on so many rows: what becomes of them, and what is said of it.

use safedelete_core::event::Verdict;
use safedelete_core::expectation::{self, Selected};
use safedelete_core::limit::{Budget, Limit, Source};
use safedelete_core::message::{self, Count, NotHonoured, Reach, Report};
use safedelete_core::standing::{Ruling, Standing};

use super::Task;
use crate::levels;
use crate::pg::relations;
use crate::pg::report::Frozen;
use crate::refusal::{self, About};
use crate::settings::{self, SumOver};

impl Task {
    /// What became of the rows that have been judged; `None` where no rule has a word to say.
    pub(super) fn outcome(&mut self, count: u64, sum: u64) -> Option<(Verdict, Report)> {
        if let Some(unmet) = self.expectation.and_then(|expectation| expectation.unmet_by(count)) {
            // A rehearsal's.
            let table = relations::name(self.write.relation);
            let report = expectation::unmet(self.write.command, &table, unmet, Selected::Rows(count));
            return Some((Verdict::Refused, report));
        }
        if let Some(report) = self.over_own.take() {
            // Likewise.
            return Some((Verdict::Refused, report));
        }
        if let Some((how, report, _)) = &self.overridden {
            return Some((*how, report.clone().of_rows(sum)));
        }
        let (how, limit) = self.over?;
        let not_honoured = self.not_honoured.clone();
        let offers = matches!(how, Verdict::Refused | Verdict::Warned);
        Some((how, self.report(sum, &limit, count, offers, not_honoured.as_ref())))
    }

    /// What rule `rows` would say of so many rows, by themselves.
    pub fn preview(mut self, rows: u64) -> Option<(Verdict, Report)> {
        self.rehearses = true;
        self.table.preview();
        // A rehearsal refuses nothing.
        self.within_own(rows).ok()?;
        self.judge(rows, rows).ok()?;
        self.outcome(rows, rows)
    }

    /// `count` rows of this statement, `sum` with those before it.
    pub(super) fn judge(&mut self, count: u64, sum: u64) -> Result<u64, Frozen> {
        let before = sum - count.min(sum);
        if let Some((.., budget @ Budget::Rows(rows))) = self.overridden
            && sum > rows
        {
            // Without a qualifying WHERE there is no other limit: the budget is the sum's.
            let standing =
                Standing { mode: self.mode, bypassed: self.writer.bypassed, budget: Ok(Some(budget)) };
            self.overridden = None;
            return self.over_limit(&standing, sum, Limit { rows, source: Source::AllowRows }, count);
        }
        let left = match self.overridden {
            Some((.., Budget::Rows(rows))) => rows - before.min(rows),
            _ => u64::MAX,
        };
        let next = match self.within(sum) {
            Ok(u64::MAX) => u64::MAX,
            Ok(until) => until - before,
            Err(limit) => self.over_limit(&self.standing(), sum, limit, count)?,
        };
        Ok(next.min(left))
    }

    /// What becomes of a sum that is over a limit: the refusal, or how many rows may come before it is judged again.
    fn over_limit(&mut self, standing: &Standing, sum: u64, limit: Limit, count: u64) -> Result<u64, Frozen> {
        let (ruling, limit) = standing.over(sum, limit);
        let how = ruling.verdict();
        match ruling {
            Ruling::Refuse(not_honoured) if self.rehearses => self.not_honoured = not_honoured,
            Ruling::Refuse(not_honoured) => {
                if matches!(limit.source, Source::Fraction { table } | Source::MinRows { table } if table.is_final())
                    && self.table.recount().is_some()
                {
                    // The table may have grown since another statement of the sum counted it.
                    return self.judge(count, sum);
                }
                return Err(self.refuse(sum, &limit, count, not_honoured.as_ref()));
            }
            Ruling::Through(_, Budget::Rows(rows)) => {
                self.over = Some((how, limit));
                return Ok(rows - (sum - count.min(sum)));
            }
            Ruling::Through(_, Budget::Unlimited) => {}
        }
        self.over = Some((how, limit));
        Ok(u64::MAX)
    }

    /// How the rows came together.
    pub(super) fn reach(&self, sum: u64, count: u64) -> Reach {
        if self.table.is_taken_whole() && sum == count {
            Reach::WholeTable
        } else if let Some(whole) = self.part_of {
            Reach::Part { of: relations::name(whole) }
        } else if self.referential {
            let by = levels::writes();
            Reach::ForeignKey { by: by.map(|by| (by.command, relations::name(by.relation))) }
        } else if sum > count {
            Reach::Summed { in_transaction: settings::scope() == SumOver::Transaction }
        } else if self.modifies {
            Reach::Modified
        } else {
            Reach::Selected
        }
    }

    /// What is over a limit; whether somebody is shown how to go on, for which more has to be known.
    pub(super) fn report(
        &mut self,
        sum: u64,
        limit: &Limit,
        count: u64,
        offers: bool,
        not_honoured: Option<&NotHonoured>,
    ) -> Report {
        let reach = self.reach(sum, count);
        let size = match limit.source {
            Source::Fraction { table } | Source::MinRows { table } => Some(table),
            Source::MaxRows | Source::AllowRows => self.table.cheap_size(),
        };
        let beside =
            if offers { self.beside.most_rows(self.write, self.part_of, self.referential) } else { None };
        message::too_many_rows(
            self.write.command,
            &relations::name(self.write.relation),
            &Count { rows: sum, size, beside },
            limit,
            &self.in_force.terms(self.bounds),
            &reach,
            not_honoured,
        )
    }

    #[cold]
    fn refuse(&mut self, sum: u64, limit: &Limit, count: u64, not_honoured: Option<&NotHonoured>) -> Frozen {
        let report = self.report(sum, limit, count, true, not_honoured);
        self.refused(&report)
    }

    /// A refusal, ready to be raised.
    pub(in crate::guard) fn refused(&self, report: &Report) -> Frozen {
        refusal::refuse(report, About::Table(self.write.relation), self.writer.role)
    }
}
