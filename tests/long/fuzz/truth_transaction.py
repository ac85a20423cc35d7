#!/usr/bin/env python3
"""Several statements in a transaction, with savepoints, both scopes and any `commands`; tests/long/fuzz/run starts it.

Each statement is run with mode = off and undone, which tells what the sum would come to, and then with the guard on.
Some of those that pass are undone, or savepoints before them: with scope = transaction their rows are given back. It
fails where
  verdict  a statement is refused and must not be, or is not and must
  content  results or contents differ from those without the guard
"""

import argparse, os, random
import truth_oracle as oracle
from truth import Run, describe
from truth_oracle import BORN, Outcome, Settings
from truth_statements import COMMANDS, Writer
from truth_tables import Tables

TRANSACTIONS = 4


class Transaction:
    def __init__(self, run, tables, name):
        self.run, self.session, self.tables, self.name = run, run.session, tables, name
        rng = self.rng = random.Random(f"transaction {name}")
        self.commands = rng.choice([COMMANDS, COMMANDS[:4], ("delete", "merge"), ("update", "merge")])
        if any(t.rule for t in tables):
            self.commands = COMMANDS
        self.whole = rng.random() < 0.65  # scope = transaction
        self.settings = Settings(
            max_rows=rng.choice([-1, 0, 1, 5, 10, 20, 40, 60]),
            max_fraction=rng.choice(["1", "1", "0.5", "0.25"]),
            min_rows=rng.choice([0, 5, 20]),
            allow_rows=rng.choice([0, 0, 0, 30]),
        )
        self.writer = Writer(rng, tables, run.version, self.commands)
        self.names = [name for t in tables for name, _ in t.names()] + [view.name for t in tables for view in t.views]
        self.past, self.steps, self.born, self.size = [], [], BORN, {}

    def say(self, sql):
        return self.run.say(sql)

    def set(self, **values):
        self.say("SELECT " + ", ".join(f"set_config('fz.{name}', '{value}', true)" for name, value in values.items()))

    def run_all(self):
        self.say(
            f"{self.settings.sql(self.run.known)}; SET safedelete.scope = "
            f"{'transaction' if self.whole else 'statement'};"
            f"SET safedelete.commands = '{', '.join(self.commands)}'; SET safedelete.mode = enforce; BEGIN"
        )
        self.begin_sum()
        for step in range(self.rng.randint(3, 9)):
            self.step(step)
        self.say("ROLLBACK")

    def begin_sum(self):
        """Rows that are there now were there when the sum began; those that come get a higher uid."""
        self.born += BORN
        self.set(
            born=self.born, sum=self.born, commands=",".join(self.commands), **{f"n_{name}": 0 for name in self.names}
        )
        self.size = oracle.sizes(self.session, self.tables)

    def counts(self):
        return dict(
            zip(
                self.names,
                map(int, self.say(f"SELECT {', '.join(f'fz.said($$n_{name}$$)' for name in self.names)}")[0]),
            )
        )

    def statement(self):
        """One that is SQL, prepared where it has parameters."""
        statement = self.writer.statement()
        self.say("SAVEPOINT made")
        made = self.session.query(statement.functions)
        if not made.error and statement.values is not None:
            made = self.session.prepare("fuzz", statement.sql)
        self.say("ROLLBACK TO made" if made.error else "RELEASE made")
        return None if made.error else statement

    def once(self, statement):
        before = self.counts()
        calls = [f"setval('fz.uid', {self.born})", "setval('fz.tick', 1)"] + [
            f"setval('fz.peak_{name}', {count})" for name, count in before.items()
        ]
        calls += [f"set_config('fz.as_{name}', '', true)" for name in self.names] + [
            "set_config('fz.moving', '', true)"
        ]
        if statement.simple or statement.sql.startswith("WITH"):
            calls += [piece.direct for piece in statement.pieces]
        self.say(f"SELECT {', '.join(calls)}")
        if self.tables.role:
            self.say(f"SET LOCAL ROLE {self.tables.role}")
        result = (
            self.session.execute("fuzz", *statement.values)
            if statement.values is not None
            else self.session.query(statement.sql)
        )
        if result.error:
            return Outcome(result.error)
        if self.tables.role:
            self.say("RESET ROLE")
        outcome = Outcome(
            result=(result.tags, sorted(map(str, result.rows))), contents=oracle.contents(self.session, self.tables)
        )
        peaks = self.say(f"SELECT {', '.join(f'(SELECT last_value FROM fz.peak_{name})' for name in self.names)}")[0]
        # What this statement adds nothing to was judged before.
        outcome.written = {name: int(peak) for name, peak in zip(self.names, peaks) if int(peak) > before[name]}
        outcome.inserted = {
            t.name: int(self.say(f"SELECT count(*) FROM {t.name} WHERE uid > {self.born}")[0][0]) for t in self.tables
        }
        if set(self.commands) != set(COMMANDS):
            outcome.taken = oracle.taken(self.session, self.tables, self.size, outcome.inserted)
        return outcome

    def step(self, number):
        if not self.whole:
            self.begin_sum()
        statement = self.statement()
        if not statement:
            return self.run.count("no statements")
        self.say("SAVEPOINT truth; SET LOCAL safedelete.mode = off")
        truth = self.once(statement)
        self.say("ROLLBACK TO truth; RELEASE truth")
        if truth.error:
            return self.run.count("errors")
        self.say(f"SAVEPOINT step{number}")
        got = self.once(statement)
        right, over = oracle.verdicts(
            self.tables, statement, self.commands, self.settings, truth, self.size, alone=not self.whole
        )
        unqualified = {piece.name for piece in statement.unqualified(self.commands)}
        if self.settings.allow_rows > 0 and unqualified - set(truth.written):
            right.add("SD001")  # it may reach rows of the sum again, under the smaller limit that it has
        problems = []
        if got.state not in right:
            problems.append(
                f"verdict: {got.state or 'goes through'}, right is {right}, over the limit {over or 'nothing'}"
            )
        elif not got.error and (got.result, got.contents, got.written) != (truth.result, truth.contents, truth.written):
            problems.append("content differs")
        self.run.count(got.state or "let through")
        self.run.report(
            f"{self.name} step {number}",
            problems,
            statement,
            f"scope {'transaction' if self.whole else 'statement'}, commands {self.commands}",
            self.settings,
            f"truth: {truth.written}, sizes {self.size}",
            got.error or got.written,
            f"before: {self.past}",
            describe(self.tables),
        )
        self.go_on(number, got)
        self.past.append(statement.sql)
        return None

    def go_on(self, number, got):
        """Keeps what was done, or undoes it, or more."""
        r = self.rng.random()
        if got.error or r < 0.3:
            self.say(f"ROLLBACK TO step{number}")
            self.past.append("undone")
        elif r < 0.6:
            self.say(f"RELEASE step{number}")
        elif r < 0.7 and self.steps:
            # Only with scope = transaction do rows that come back matter; what is released is no savepoint any more.
            to = self.rng.choice(self.steps)
            self.say("SAVEPOINT again")
            if self.session.query(f"ROLLBACK TO step{to}").error:
                self.say("ROLLBACK TO again")
            else:
                self.past.append(f"back to {to}")
        self.steps.append(number)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--seed", type=int, help="the first seed")
    p.add_argument("--seconds", type=float, default=float(os.environ.get("FUZZ_SECONDS", 60)))
    p.add_argument("--only", type=int, help="the one transaction of this number")
    a = p.parse_args()
    run = Run("fuzz_transaction")

    def judge(seed, only):
        tables = Tables(run.session, random.Random(f"transaction tables {seed}"), run.version, counted=True)
        for number in [only] if only is not None else range(TRANSACTIONS):
            Transaction(run, tables, f"{seed}/{number}").run_all()

    run.go_through("transaction", a, judge)


if __name__ == "__main__":
    main()
