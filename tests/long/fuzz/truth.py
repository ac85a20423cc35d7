#!/usr/bin/env python3
"""Whole statements against the truth, on the server of PGHOST; tests/long/fuzz/run starts both.

What a statement does with mode = off is the truth: rows written of each table, results, contents. docs/rules.md says
whether it is refused under given settings then; where it is not, it must do the same with the guard on. It fails where
  verdict    it is refused and must not be, or is not and must, or with another SQLSTATE, or for another table
  content    results (and their order), contents or counts differ from those without the guard
  error      it raises another error than without the guard, in any field
  changed    a DELETE or UPDATE refused for its own rows has fired row triggers
  retried    refused, it gets through when tried again
  detail     a number in DETAIL is not true
  hint       the allow_rows that HINT proposes does not let it through
  check      safedelete.check does not call 21000 what the statement does
  dry run    safedelete.dry_run counts other rows

Case SEED/NUMBER is the same on every machine of the same major.
"""

import argparse, os, random, re, sys, time
import truth_oracle as oracle
from truth_oracle import Settings
from truth_statements import COMMANDS, Writer
from truth_tables import LOOPBACK, Tables
from wire import Lost, Session

STATEMENTS = 12
OURS = ("21000", "SD001")


class Run:
    def __init__(self, database):
        first = Session("postgres", "postgres")
        first.query(f"DROP DATABASE IF EXISTS {database} WITH (FORCE)")
        oracle.must(first, f"CREATE DATABASE {database}")
        first.query("CREATE ROLE fuzz_app")
        first.close()
        self.session = Session("postgres", database)
        self.say("CREATE EXTENSION safedelete")
        self.say(LOOPBACK.format(host=os.environ["PGHOST"], port=os.environ.get("PGPORT", 5432), database=database))
        self.version = int(self.say("SHOW server_version_num")[0][0]) // 10000
        self.known = {
            name.split(".")[1] for (name,) in self.say("SELECT name FROM pg_settings WHERE name LIKE 'safedelete.%'")
        }
        self.passed, self.failed, self.seen = 0, 0, {}

    def say(self, sql):
        return oracle.must(self.session, sql)

    def count(self, what):
        self.seen[what] = self.seen.get(what, 0) + 1

    def report(self, case, problems, statement, *facts):
        self.passed, self.failed = self.passed + (not problems), self.failed + bool(problems)
        if problems:
            print(
                f"not ok - {case}: {'; '.join(problems)}",
                statement.functions or "",
                statement.sql,
                statement.values or "",
                *facts,
                sep="\n    ",
                flush=True,
            )

    def go_through(self, part, arguments, judge):
        """judge(seed, number) for the cases of a part that are kept, unless a seed is given, and then for one seed
        after the other; the closing lines."""
        kept = [] if arguments.seed else oracle.kept(part)
        seed = first = arguments.seed or random.randrange(1, 10**6)
        end, last = time.monotonic() + arguments.seconds, first + getattr(arguments, "count", 10**9)
        try:
            while kept or time.monotonic() < end and seed < last:
                this, number = kept.pop(0) if kept else (seed, arguments.only)
                judge(this, number)
                seed += this == seed
                if arguments.only not in (None, False):
                    break
        except Lost as lost:
            self.failed += 1
            print(f"not ok - server, at seed {seed}: {lost}")
        print(f"seeds {first} to {seed - 1}, PostgreSQL {self.version}")
        self.close()

    def close(self):
        print(", ".join(f"{count} {what}" for what, count in sorted(self.seen.items())))
        print(f"{self.passed} passed, {self.failed} failed")
        sys.exit(self.failed > 0)


class Case:
    """A statement over a seed's tables."""

    def __init__(self, run, tables, name):
        self.run, self.tables, self.name = run, tables, name
        self.rng = random.Random(f"truth {name}")
        self.commands = self.rng.choice([COMMANDS, COMMANDS[:4], ("delete", "merge"), ("update", "merge")])
        if not tables.counted or any(t.rule for t in tables):
            self.commands = COMMANDS
        self.statement = Writer(self.rng, tables, run.version, self.commands).statement()
        self.size = None

    def execute(self):
        statement, session = self.statement, self.run.session
        if statement.values is not None:
            return session.execute("fuzz", *statement.values)
        if self.portal:
            return session.execute("fuzz", pieces=3, rows=2)
        return session.query(statement.sql)

    def once(self):
        return oracle.run(self.run.session, self.tables, self.statement, self.commands, self.size, self.execute)

    def judge(self):
        run, statement, tables = self.run, self.statement, self.tables
        run.say(f"SET safedelete.mode = off; SET safedelete.commands = '{', '.join(self.commands)}'")
        if run.session.query(statement.functions).error:
            return run.count("no statements")
        first = statement.pieces[0] if statement.pieces else None
        self.portal = statement.simple and first.returns and not first.table.rule and self.rng.random() < 0.3
        if statement.values is not None or self.portal:
            if run.session.prepare("fuzz", statement.sql).error:
                return run.count("no statements")
        self.size = oracle.sizes(run.session, self.tables)
        truth = self.once()
        if truth.state in oracle.NOT_SQL:
            return run.count("no statements")
        if truth.error:
            return self.judge_error(truth)
        for settings in self.settings(truth):
            if settings.own_max_rows >= 0 and not truth.of_any:
                run.say("SET safedelete.mode = off")
                truth.of_any = oracle.run(run.session, tables, statement, COMMANDS, self.size, self.execute).written
            self.judge_verdict(truth, settings)
        if (
            statement.values is None
            and not statement.functions
            and not statement.undoes
            and "made" not in statement.sql
            and self.rng.random() < 0.4
        ):
            self.judge_check(truth)
        return None

    def judge_error(self, truth):
        run = self.run
        run.count("errors")
        mode = self.rng.choice(["enforce", "log"])
        if any("override" in label for t in self.tables for label in t.labels.values()):
            mode = "log"
        run.say(f"SET safedelete.mode = {mode}; {Settings(allow_rows=-1).sql(run.known)}")
        got = self.once()
        if got.error != truth.error:
            truth, got = self.anew(f"mode = {mode}", lambda got, truth: got.error == truth.error)
        theirs, ours = truth.error or {}, got.error or {}
        fields = sorted(k for k in set(theirs) | set(ours) if theirs.get(k) != ours.get(k))
        run.report(
            self.name, [f"error: {', '.join(fields)} differ"] if fields else [], self.statement, truth.error, got.error
        )

    def settings(self, truth):
        """Around what it writes, and around what the tables hold."""
        rng, rows, held = self.rng, max(truth.written.values(), default=0), rng_pick(self.rng, list(self.size.values()))
        around = [rows, max(0, rows - 1), rows + 1]
        for _ in range(3):
            yield Settings(
                max_rows=rng.choice([-1, -1, 0, 1, 5, 1000, *around]),
                max_fraction=rng.choice(["0", "0.1", "0.25", "0.5", "0.5", "0.29", "0.57", "0.9", "1", "1"]),
                min_rows=rng.choice([0, 1, 5, 20, 100, *around, held]),
                allow_rows=rng.choice([0] * 6 + [-1, 3, 50, rows, max(1, rows - 1)]),
                own_max_rows=rng.choice([-1] * 8 + around) if rows and "own_max_rows" in self.run.known else -1,
            )

    def judge_verdict(self, truth, settings):
        run, statement, tables = self.run, self.statement, self.tables
        plans = self.rng.choice(["auto", "auto", "force_generic_plan", "force_custom_plan"])
        guard_on = f"SET plan_cache_mode = {plans}; SET safedelete.mode = enforce"
        run.say(f"{guard_on}; {settings.sql(run.known)}")
        got = self.once()
        right, over = oracle.verdicts(tables, statement, self.commands, settings, truth, self.size)
        problems = []
        if got.error and got.state not in (*OURS, *right):
            # One of PostgreSQL's, which may hang on the order of rows.
            again, got = self.anew("mode = enforce", lambda got, truth: got.error == truth.error)
            if got.error == again.error:
                return
        if got.state not in right:
            problems.append(
                f"verdict: {got.state or 'goes through'}, right is {right}, over the limit {over or 'nothing'}"
            )
        elif got.error is None:
            problems += self.differences(truth, got)
        elif got.state == "SD001":
            problems += self.judge_refusal(truth, settings, got, over)
        own = (
            got.error
            and statement.simple
            and statement.pieces[0].command in ("delete", "update")
            and not any(t.rule for t in tables)
        )
        if (
            own
            and got.fired
            and (got.state == "21000" or not re.search("came to|foreign key|trigger", got.error.get("D", "")))
        ):
            if not tables.foreign and got.error.get("t") == statement.pieces[0].name.removesuffix("_only"):
                problems.append(f"changed: {got.fired} row triggers fired")
        run.count(got.state or "let through")
        run.report(
            self.name,
            problems,
            statement,
            settings,
            f"commands {self.commands}, role {tables.role or 'postgres'}",
            f"truth: written { {k: v for k, v in truth.written.items() if v} }, inserted "
            f"{sum(truth.inserted.values())}, sizes {self.size}",
            got.error or {k: v for k, v in got.written.items() if v},
            describe(tables),
            *([truth.result, got.result] if "content: result differ" in problems else []),
        )

    def differences(self, truth, got):
        names = ("result", "contents", "written")

        def differ(got, truth):
            return [name for name in names if getattr(got, name) != getattr(truth, name)]

        if differ(got, truth):
            truth, got = self.anew("mode = enforce", lambda got, truth: not differ(got, truth))
        return [f"content: {name} differ" for name in differ(got, truth)]

    def anew(self, guard_on, agree):
        """The truth and what the guard makes of it, asked again. A rolled-back run leaves pages behind, and functions
        keep plans for a while: that changes plans, and so the order of rows, with the guard off alone, too."""
        for _ in range(4):
            self.run.say("SET safedelete.mode = off")
            truths = [self.once()]
            self.run.say(f"SET safedelete.{guard_on}")
            got = self.once()
            self.run.say("SET safedelete.mode = off")
            truths.append(self.once())
            agreeing = [truth for truth in truths if agree(got, truth)]
            if agreeing:
                break
        self.run.say(f"SET safedelete.{guard_on}")
        return (agreeing or truths)[0], got

    def judge_refusal(self, truth, settings, got, over):
        table = got.error.get("t")
        # What a rule makes of an unqualified statement is unqualified as well.
        if not {table, f"{table}_only"} & over and not any(t.rule for t in self.tables):
            yield f"verdict: refused for {table}, over the limit are {over}"
        yield from (
            f"detail: {what}" for what in oracle.facts(got, truth, self.statement, self.size, self.tables.foreign)
        )
        if self.rng.random() < 0.2:
            again = self.once()
            if again.error is None or any(again.error[k] != got.error[k] for k in "CM"):
                yield f"retried: {again.error or 'goes through'}"
        proposed = re.search(r"allow_rows = (\d+)", got.error.get("H", ""))
        # No budget widens the session's own ceiling.
        if proposed and self.rng.random() < 0.3 and settings.own_max_rows < 0:
            self.run.say(f"SET safedelete.allow_rows = {proposed[1]}")
            again = self.once()
            if again.state in OURS and again.error.get("t") == table:
                yield f"hint: with {proposed[1]} it raises {again.error}"

    def judge_check(self, truth):
        run, statement = self.run, self.statement
        run.say(f"SET safedelete.mode = enforce; {Settings().sql(run.known)}")
        role = f"SET ROLE {self.tables.role}" if self.tables.role else "SELECT"
        problems = []
        run.say(role)
        rows = run.session.ask("SELECT verdict, sqlstate FROM safedelete.check($1)", statement.sql)
        run.say("RESET ROLE")
        if rows.error:
            problems.append(f"check: {rows.describe()}")
        elif bool(statement.unqualified(self.commands)) != any(state == "21000" for _, state in rows.rows):
            problems.append(f"check: {rows.rows}")
        if not statement.unqualified(self.commands):
            oracle.begin(run.session, self.tables, statement, self.commands)
            run.say(role)
            counted = run.session.ask(
                "SELECT relation::text, sum(rows), max(rows) FROM safedelete.dry_run($1) WHERE command <> 'insert' "
                "GROUP BY 1",
                statement.sql,
            )
            run.session.query("ROLLBACK; RESET ROLE")
            if counted.error:
                problems.append(f"dry run: {counted.describe()}")
            elif set(self.commands) == set(COMMANDS):
                parts = {part for t in self.tables for part in t.labelled_parts}
                told = {
                    name: (int(least), int(most))
                    for name, most, least in counted.rows
                    if int(most) and name not in parts
                }
                true, unsure = {}, {name.removesuffix("_only") for name in truth.unsure}
                for name, count in truth.written.items():
                    if count and name not in parts:
                        name = name.removesuffix("_only")
                        true[name] = true.get(name, 0) + count
                # Of foreign rows no identity is known from statement to statement.
                least = 0 if self.tables.foreign else 1
                if any(
                    not told.get(name, (0, 0))[0] * least <= true.get(name, 0)
                    or true.get(name, 0) > told.get(name, (0, 0))[1] and name not in unsure
                    for name in set(told) | set(true)
                ):
                    problems.append(f"dry run: counted {counted.rows}, written are {true}")
        run.report(self.name, problems, statement, describe(self.tables))
        run.count("checked")


def rng_pick(rng, items):
    return rng.choice(items) if items else 0


def describe(tables):
    return "; ".join(
        f"{t.name} {t.kind}"
        + "".join(
            f" {k}={getattr(t, k)!r}"
            for k in ("key", "trigger", "rule", "security", "labels", "own_reference", "check")
            if getattr(t, k)
        )
        + (f" references {t.reference[0].name} {t.reference[1:]}" if t.reference else "")
        for t in tables
    )


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--seed", type=int, help="the first seed")
    p.add_argument("--seconds", type=float, default=float(os.environ.get("FUZZ_SECONDS", 60)))
    p.add_argument("--only", type=int, help="the one statement of this number")
    a = p.parse_args()
    run, end = Run("fuzz_truth"), time.monotonic() + a.seconds
    seed, kept = a.seed or random.randrange(1, 10**6), [] if a.seed else oracle.kept("truth")
    first = seed
    try:
        while kept or time.monotonic() < end:
            (this, only), kept, more = (kept[0], kept[1:], 0) if kept else ((seed, a.only), [], 1)
            tables = Tables(run.session, random.Random(f"truth tables {this}"), run.version)
            for number in [only] if only is not None else range(STATEMENTS):
                Case(run, tables, f"{this}/{number}").judge()
            seed += more
            if a.only is not None:
                break
    except Lost as lost:
        run.failed += 1
        print(f"not ok - server, after seed {seed}: {lost}")
    print(f"seeds {first} to {seed - 1}, PostgreSQL {run.version}")
    run.close()


if __name__ == "__main__":
    main()
