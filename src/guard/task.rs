//! What a write of one table, or of a part of it, may do, and whether it has done too much. The costly parts
//! (a table's size, role membership of the override) are asked for only when a count passes what needs no
//! asking.

use std::rc::Rc;

use crate::pg::pg_sys;
use safedelete_core::command::Command;
use safedelete_core::event::Verdict;
use safedelete_core::expectation::{self, Expectation, Selected, Unmet};
use safedelete_core::limit::{Bounds, Budget, Limit, Size};
use safedelete_core::message::{self, NotHonoured, Report, Unqualified};
use safedelete_core::mode::Mode;
use safedelete_core::policy::Effective;
use safedelete_core::standing::{Ruling, Standing};

use super::beside::Beside;
use super::table::{Answer, Table};
use crate::analysis::{Qualification, target};
use crate::authority::Writer;
use crate::keep;
use crate::ledger;
use crate::pg::report::{self, Frozen};
use crate::pg::write::Write;
use crate::pg::{inheritance, relations};
use crate::policy::{self, InForce};
use crate::refusal::{self, About};
use crate::rehearsal::{self, By};
use crate::settings;

mod judging;

pub struct Task {
    write: Write,
    /// What is in force when the execution begins.
    in_force: Rc<InForce>,
    pub(super) bounds: Bounds,
    mode: Mode,
    require_where: bool,
    pub(super) writer: Writer,
    pub(super) referential: bool,
    pub(super) modifies: bool,
    pub(super) table: Table,
    /// Rule `where` refuses the statement, and this lets it through, up to so many rows.
    pub(super) overridden: Option<(Verdict, Report, Budget)>,
    /// It is over this limit, and this let it through.
    pub(super) over: Option<(Verdict, Limit)>,
    /// Why a budget does not count, where that is told with `over`.
    pub(super) not_honoured: Option<NotHonoured>,
    /// Nothing is refused, told or kept: what would be is asked for by `outcome`, or noted.
    pub(super) rehearses: bool,
    /// What the statement says of its own number of rows, whatever the rules say.
    pub(super) expectation: Option<Expectation>,
    /// The session's own ceiling, and what is over it in a rehearsal.
    pub(super) own: Option<u64>,
    over_own: Option<Report>,
    /// Rows that it counts and the sum does not, less those that it does not count.
    own_beyond: i64,
    /// The command is guarded here, so its rows join the sum.
    pub(super) guarded: bool,
    /// The table that the statement names, where this is a part of it.
    pub(super) part_of: Option<pg_sys::Oid>,
    /// The other tables that its statement comes to.
    pub(super) beside: Beside,
}

/// Why rule `where` refuses a write of this finding, if it does. A table of this transaction is free.
fn unqualified(qualification: Qualification, relation: pg_sys::Oid) -> Option<Unqualified> {
    match qualification {
        Qualification::Qualified | Qualification::Deferred => None,
        _ if inheritance::is_new(relation) => None,
        Qualification::NoWhere => Some(Unqualified::NoWhere),
        // Column 0 is the row itself.
        Qualification::MatchesEveryRow
        | Qualification::OuterColumn(0)
        | Qualification::ComparedWithItself(0) => Some(Unqualified::MatchesEveryRow),
        Qualification::OuterColumn(column) => {
            Some(Unqualified::OuterColumn(relations::column(relation, column)))
        }
        Qualification::ComparedWithItself(column) => {
            Some(Unqualified::ComparedWithItself(relations::column(relation, column)))
        }
    }
}

/// The session's own ceiling, where there is anything of the table to be lost.
pub fn own_ceiling(relation: pg_sys::Oid) -> Option<u64> {
    settings::own_max_rows().filter(|_| !relations::is_exempt(relation) && !inheritance::is_new(relation))
}

impl Task {
    /// The task of a write that is guarded.
    pub fn new(write: Write, in_force: Rc<InForce>, referential: bool) -> Task {
        Task::of(write, in_force, referential, own_ceiling(write.relation))
    }

    /// The same, under this ceiling of the session's own.
    pub fn of(write: Write, in_force: Rc<InForce>, referential: bool, own: Option<u64>) -> Task {
        let Effective { mode, require_where, bounds, .. } = in_force.effective();
        Task {
            write,
            in_force,
            bounds,
            mode,
            require_where,
            writer: Writer::now(referential),
            referential,
            modifies: true,
            table: Table::new(write),
            overridden: None,
            over: None,
            not_honoured: None,
            rehearses: rehearsal::is_on(),
            expectation: None,
            own,
            over_own: None,
            own_beyond: 0,
            guarded: true,
            part_of: None,
            beside: Beside::Written,
        }
    }

    /// The same task, of a write that is made as `role`: the owner of a view that it goes through.
    pub fn written_as(self, role: pg_sys::Oid) -> Task {
        Task { table: self.table.written_as(role), ..self }
    }

    /// Of the rows counted, foreign servers have deleted so many already, scan by scan.
    pub fn note_sent(&mut self, rows: Vec<u64>) {
        self.table.note_sent(rows);
    }

    /// What a verdict of it hangs on.
    pub fn standing(&self) -> Standing {
        self.writer.standing(self.mode, &self.in_force)
    }

    /// What rule `where` says of it, and what becomes of that; asked before any row is reached.
    pub fn by_where(&self, qualification: impl FnOnce() -> Qualification) -> Option<(Ruling, Report)> {
        if !self.require_where {
            return None;
        }
        let why = unqualified(qualification(), self.write.relation)?;
        let name = relations::name(self.write.relation);
        Some(self.standing().unqualified(self.write.command, &name, &why))
    }

    /// Has the table's size counted now, where the verdict may come to hang on it.
    pub fn read_size(&mut self) -> Option<u64> {
        let asks = self.bounds.max_fraction < 1.0
            || !matches!(self.write.command, Command::Delete | Command::Update);
        if asks { self.table.size().map(Size::rows) } else { None }
    }

    /// The same task, of a table whose size the sum has learned.
    pub fn of_learned(self) -> Task {
        Task { table: self.table.learned(), ..self }
    }

    /// So many rows are gone from the table that its size counts.
    pub fn has_deleted(&mut self, rows: u64) {
        self.table.has_deleted(rows);
    }

    /// A count that needs no look at the table's size.
    pub fn first_threshold(&self) -> u64 {
        let within = self.bounds.surely_within().saturating_sub(ledger::sum(self.table.of()));
        let within = match self.overridden {
            Some((.., Budget::Rows(rows))) => within.min(rows.saturating_sub(ledger::sum(self.table.of()))),
            Some((.., Budget::Unlimited)) => u64::MAX,
            None => within,
        };
        within.min(self.expected_at_most()).min(self.own_left())
    }

    /// Up to which count the session's own ceiling lets rows through.
    fn own_left(&self) -> u64 {
        match self.own {
            Some(most) if !self.rehearses => {
                most.saturating_sub(ledger::own(self.table.of())).saturating_add_signed(-self.own_beyond)
            }
            _ => u64::MAX,
        }
    }

    /// Notes rows that the session's own ceiling counts otherwise than the sum, which counts them `by_sum` again or
    /// not.
    pub fn note_own(&mut self, by_sum: bool, rows: u64) {
        self.own_beyond += if by_sum { rows as i64 } else { -(rows as i64) };
    }

    /// What the ceiling counts of so many rows that the sum counts.
    fn own_count(&self, count: u64) -> u64 {
        count.saturating_add_signed(self.own_beyond)
    }

    /// Whether so many rows, with those before them, are within the session's own ceiling.
    fn within_own(&mut self, count: u64) -> Result<(), Frozen> {
        let Some(most) = self.own else { return Ok(()) };
        let count = self.own_count(count);
        let sum = ledger::own(self.table.of()).saturating_add(count);
        if sum <= most || count == 0 {
            return Ok(());
        }
        let Write { command, relation, .. } = self.write;
        let report =
            message::over_own(command, &relations::name(relation), sum, most, &self.reach(sum, count));
        if !self.rehearses {
            return Err(self.refused(&report));
        }
        self.over_own = Some(report);
        Ok(())
    }

    /// Up to how many rows the statement's own expectation is met.
    pub fn expected_at_most(&self) -> u64 {
        match self.expectation {
            Some(expectation) if !self.rehearses => expectation.most(),
            _ => u64::MAX,
        }
    }

    /// What so many rows, and perhaps more, break of the statement's own expectation.
    pub fn breaks(&self, rows: u64) -> Option<Unmet> {
        self.expectation?.broken_by(rows).filter(|_| !self.rehearses)
    }

    /// Whether these rows, which are all, are as the statement expects.
    pub fn meets(&mut self, rows: u64) -> Result<(), Frozen> {
        match self.expectation.and_then(|expectation| expectation.unmet_by(rows)) {
            Some(unmet) if !self.rehearses => Err(self.refuse_unmet(unmet, Selected::Rows(rows))),
            _ => Ok(()),
        }
    }

    /// The error where so many rows that were found as expected came to fewer.
    pub fn missed(&self, found: u64, written: u64) -> Option<Frozen> {
        let expected = self.expectation.filter(|_| !self.rehearses)?.least();
        let Write { command, relation, .. } = self.write;
        let name = || relations::name(relation);
        (written < expected)
            .then(|| self.refused(&expectation::missed(command, &name(), expected, found, written)))
    }

    /// The error of an expectation that is not met.
    pub fn refuse_unmet(&self, unmet: Unmet, selected: Selected) -> Frozen {
        let Write { command, relation, .. } = self.write;
        self.refused(&expectation::unmet(command, &relations::name(relation), unmet, selected))
    }

    /// Up to which sum the bounds allow, or the limit that `sum` is over.
    fn within(&mut self, sum: u64) -> Result<u64, Limit> {
        if inheritance::is_new(self.write.relation) {
            // Nothing of it could be lost.
            return Ok(u64::MAX);
        }
        if let Some(limit) = self.bounds.over_max_rows(sum) {
            return Err(limit);
        }
        let by_count = self.bounds.max_rows.unwrap_or(u64::MAX);
        if self.bounds.max_fraction >= 1.0 {
            return Ok(by_count);
        }
        let size = match self.table.allows(&self.bounds, sum) {
            Answer::NoSize => return Ok(by_count),
            Answer::Within(rows) => return Ok(rows.min(by_count)),
            Answer::Size(size) => size,
        };
        match self.bounds.limit(Some(size)) {
            Some(limit) if sum > limit.rows => Err(limit),
            Some(limit) => Ok(limit.rows),
            None => Ok(u64::MAX),
        }
    }

    /// The count has passed its threshold: the refusal, or the next threshold.
    pub fn check(&mut self, count: u64) -> Result<u64, Frozen> {
        self.within_own(count)?;
        let threshold = self.judge(count, ledger::sum(self.table.of()).saturating_add(count))?;
        Ok(threshold.min(self.expected_at_most()).min(self.own_left()))
    }

    /// These rows join the sum, and what went through is told; up to which sum there is nothing more to judge.
    pub fn join_sum(&mut self, count: u64, deleted: u64) -> Result<u64, Frozen> {
        self.within_own(count)?;
        if self.own.is_some() {
            ledger::add_own(self.table.of(), self.own_count(count));
        }
        let in_tree = deleted > 0 && target::is_in_tree(self.write.relation);
        if self.writer.bypassed || !self.guarded {
            // Not checked, and so nobody's sum; told where it is over a limit by itself.
            let sum = ledger::sum(self.table.of()).saturating_add(count);
            let free = self.finish_counted(count, sum)?;
            ledger::note_gone(self.table.of(), Some(deleted), in_tree);
            return Ok(free);
        }
        if in_tree {
            ledger::note_gone_elsewhere(self.table.of());
        }
        let sum = ledger::add(self.table.of(), count, deleted, self.referential);
        self.finish_counted(count, sum)
    }

    /// Rows have joined the sum, and what went through is told; up to which sum there is nothing more to judge.
    pub fn finish_counted(&mut self, count: u64, sum: u64) -> Result<u64, Frozen> {
        let mut free = self.bounds.surely_within();
        // What reaches no row is not refused for what went before.
        if sum > free && count > 0 {
            free = self.judge(count, sum)?.saturating_add(sum - count.min(sum));
        }
        let told = self.outcome(count, sum);
        if self.rehearses {
            let by = By::now(self.referential);
            let size = self.table.size().map(Size::rows);
            rehearsal::note(self.write, by, count, size, self.part_of.is_some(), told);
            return Ok(free);
        }
        if told.is_some() {
            // Before it is told, so that what is kept of it has its number; a write that cannot be kept fails.
            keep::foresee(self.write, &self.in_force)
                .map_err(|report| report::freeze(&report, Some(self.write.relation)))?;
        }
        if let Some((how, report)) = told
            && ledger::report_once(self.write.relation)
        {
            refusal::tell(how, &report, About::Table(self.write.relation), self.writer.role);
        }
        Ok(free)
    }

    /// The same task of a table that is not guarded: only counted.
    pub fn unguarded(self) -> Task {
        Task { bounds: Bounds::UNLIMITED, guarded: false, ..self }
    }

    /// The task of a part that has a policy of its own, of a write that names the whole.
    pub fn of_part(part: pg_sys::Oid, whole: Write, referential: bool) -> Task {
        let write = Write { relation: part, only: false, ..whole };
        // The ceiling is of what the statement names.
        Task { part_of: Some(whole.relation), own: None, ..Task::new(write, policy::of(part), referential) }
    }

    /// How many of its rows a write deletes, where its command alone says so.
    pub fn deletes(&self, rows: u64) -> u64 {
        self.write.deletes(rows)
    }

    /// Whether its rows join the sum: not those of who is not checked.
    pub fn joins_sum(&self) -> bool {
        !self.writer.bypassed && self.guarded
    }

    /// Whether it may end in a refusal.
    pub fn may_refuse(&self) -> bool {
        self.writer.may_be_refused(self.mode, &self.in_force)
    }

    /// The task of TRUNCATE and DROP, which take a table of this size whole.
    pub fn of_whole_table(write: Write, size: Size) -> Task {
        let task = Task::new(write, policy::of(write.relation), false);
        Task { table: task.table.of_size(size), ..task }
    }

    /// The same task, of a table that goes with others.
    pub fn beside(self, beside: Beside) -> Task {
        Task { beside, ..self }
    }

    /// What its rows are summed for.
    pub fn summed(&self) -> ledger::Summed {
        self.table.of()
    }

    /// The same task, of a write whose rows have joined the sum; so many are gone.
    pub fn joined(self, deleted: u64) -> Task {
        Task { table: self.table.joined(deleted), ..self }
    }

    /// What was counted of the table, and the pages that were read for it.
    pub fn counted(&self) -> Option<(Size, u64)> {
        self.table.counted()
    }

    /// Up to so many rows a table surely may be taken whole.
    pub fn surely_within(&self) -> u64 {
        self.bounds.surely_within().saturating_sub(ledger::sum(self.table.of()))
    }

    /// The same with the budget that is declared and honoured.
    pub fn surely_within_budget(&self) -> u64 {
        let within = self.surely_within();
        let within = match self.standing().budget {
            Ok(Some(Budget::Rows(rows))) => within.max(rows.saturating_sub(ledger::sum(self.table.of()))),
            _ => within,
        };
        within.max(self.own.unwrap_or(0))
    }
}
