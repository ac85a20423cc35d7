"""What a statement does with the guard off, and what docs/rules.md makes of that: the verdict it must meet with the
guard on."""

import re
from dataclasses import dataclass, field, replace
from fractions import Fraction
from math import floor, inf
from pathlib import Path

from truth_statements import COMMANDS

# Errors that say that the statement is no statement: nothing to compare.
NOT_SQL = {
    "42601",
    "42703",
    "42702",
    "42P01",
    "42809",
    "42883",
    "42804",
    "0A000",
    "42P10",
    "42803",
    "55000",
    "428C9",
    "42P18",
}
BORN = 100_000


def kept(part):
    """The cases of tests/long/fuzz/seeds for this part: (seed, number or None)."""
    lines = (Path(__file__).resolve().parent / "seeds").read_text().splitlines()
    names = [line.split()[1] for line in lines if line.split()[:1] == [part]]
    return [(int(seed), int(number) if number else None) for seed, _, number in (name.partition("/") for name in names)]


@dataclass
class Settings:
    max_rows: int = -1
    max_fraction: str = "1"
    min_rows: int = 100
    allow_rows: int = 0
    own_max_rows: int = -1

    def sql(self, known):
        return "; ".join(f"SET safedelete.{name} = {value}" for name, value in vars(self).items() if name in known)

    def under(self, label):
        """With what a policy says otherwise."""
        said = {
            key: str(value) if key == "max_fraction" else value for key, value in label.items() if key != "override"
        }
        return replace(self, allow_rows=self.allow_rows if label.get("override", True) else 0, **said)

    def limit(self, size, unqualified=False):
        """The most rows of a table that one sum may write; size is None where it has none."""
        limit = inf
        if self.max_rows >= 0:
            limit = self.max_rows
        if size is not None and Fraction(self.max_fraction) < 1:
            limit = min(limit, max(self.min_rows, floor(Fraction(self.max_fraction) * size)))
        if self.allow_rows == -1:
            limit = inf
        elif self.allow_rows > 0:
            limit = self.allow_rows if unqualified else max(limit, self.allow_rows)
        return limit


@dataclass
class Outcome:
    """One run of a statement."""

    error: dict = None
    result: tuple = ()
    contents: tuple = ()
    written: dict = field(default_factory=dict)  # the most distinct rows of each sum
    unsure: set = field(default_factory=set)  # sums of which that is only known to be the most
    of_any: dict = field(default_factory=dict)  # the same of all commands, as the session's ceiling counts
    inserted: dict = field(default_factory=dict)
    taken: dict = field(default_factory=dict)  # by commands that are not guarded
    fired: int = 0  # row triggers

    @property
    def state(self):
        return self.error and self.error["C"]


def must(session, sql):
    result = session.query(sql)
    if result.error:
        raise SystemExit(f"{result.describe()}: {sql[:300]}")
    return result.rows


def sizes(session, tables):
    """How many rows each sum's table holds: really, or as ANALYZE found where they are on a foreign server."""
    relations = {name: relation for t in tables for name, relation in t.names()}
    counts = must(
        session, "SELECT " + ", ".join(f"(SELECT count(*) FROM {relation})" for relation in relations.values())
    )[0]
    return dict(zip(relations, map(int, counts)))


def begin(session, tables, statement, commands):
    """Opens a transaction in which rows are noted from zero."""
    names = [name for t in tables for name, _ in t.names()] + [view.name for t in tables for view in t.views]
    said = {f"as_{name}": "" for name in names} | {f"n_{name}": "" for name in names}
    said |= {"born": str(BORN), "sum": "statement", "commands": ",".join(commands), "moving": ""}
    calls = [f"setval('fz.uid', {BORN})", "setval('fz.tick', 1)", "setval('fz.fired', 1)"]
    calls += [f"setval('fz.peak_{name}', 0)" for name in names] + [
        f"set_config('fz.{name}', '{value}', true)" for name, value in said.items()
    ]
    if statement.simple or statement.sql.startswith("WITH"):
        calls += [piece.direct for piece in statement.pieces]
    must(session, f"BEGIN; SELECT {', '.join(calls)}")


def identities(session, tables):
    """Where each row of each table lies."""
    rows = {}
    for t in tables:
        places = must(session, f"SELECT uid, tableoid::regclass, ctid FROM {t.name}")
        rows[t.name] = {uid: (table, ctid) for uid, table, ctid in places}
    return rows


def contents(session, tables):
    line = f"concat_ws(',', tableoid::regclass, id, k, v, s, b, ref, par, least(uid, {BORN + 1}))"
    parts = [
        f"(SELECT md5(string_agg(line, '|' ORDER BY line)) FROM (SELECT {line} AS line FROM {t.name}) x)"
        for t in tables
    ]
    return must(session, f"SELECT {', '.join(parts)}, (SELECT count(*) FROM gone)")[0]


def taken(session, tables, size, inserted):
    """The rows that are gone; those that the sum took are among them."""
    left = sizes(session, tables)
    return {t.name: max(0, size[t.name] + inserted[t.name] - left[t.name]) for t in tables}


def run(session, tables, statement, commands, size, execute):
    """The statement, executed and rolled back."""
    begin(session, tables, statement, commands)
    before = None if tables.counted else identities(session, tables)
    if tables.role:
        must(session, f"SET LOCAL ROLE {tables.role}")
    result = execute()
    if result.error:
        must(session, "ROLLBACK")
        return Outcome(result.error, fired=int(must(session, "SELECT last_value FROM fz.fired")[0][0]) - 1)
    if tables.role:
        must(session, "RESET ROLE")
    outcome = Outcome(result=(result.tags, result.rows), contents=contents(session, tables))
    outcome.written, outcome.unsure = written(session, tables, statement, before)
    outcome.inserted = {
        t.name: int(must(session, f"SELECT count(*) FROM {t.name} WHERE uid > {BORN}")[0][0]) for t in tables
    }
    if set(commands) != set(COMMANDS):
        outcome.taken = taken(session, tables, size, outcome.inserted)
    late = session.query("SET CONSTRAINTS ALL IMMEDIATE")
    must(session, "ROLLBACK")
    if late.error:
        return Outcome(late.error)
    return outcome


def written(session, tables, statement, before):
    """The most distinct rows of each sum; and the sums of which nobody can tell which of them have written a row."""
    unsure = set()
    peaks = {view.name: f"peak_{view.name}" for t in tables for view in t.views if view.instead}
    if tables.counted:
        peaks |= {name: f"peak_{name}" for t in tables for name, _ in t.names()}
    counts = must(session, "SELECT 0" + "".join(f", (SELECT last_value FROM fz.{peak})" for peak in peaks.values()))
    counts = dict(zip(peaks, map(int, counts[0][1:])))
    if not tables.counted:
        after = identities(session, tables)
        for t in tables:
            name = statement.pieces[0].name if statement.simple and statement.pieces[0].table is t else t.nested
            name = t.name if name.endswith("_instead") else name
            changed = [place[0] for uid, place in before[t.name].items() if after[t.name].get(uid) != place]
            counts |= {part: changed.count(part) for part in t.labelled_parts} | {name: len(changed)}
            names = {piece.name for piece in statement.pieces if piece.table is t and piece.name in (t.name, t.nested)}
            if not statement.simple and names - {name}:
                # A view names the table with its children, what fires names it alone.
                unsure |= names | {name}
                counts |= dict.fromkeys(names, len(changed))
    return counts, unsure


def verdicts(tables, statement, commands, settings, truth, size, alone=True):
    """The SQLSTATEs that are right (None: it goes through), and the sums that are over their limit; alone: no statement
    before it belongs to its sums."""
    right, over, unqualified = set(), set(), statement.unqualified(commands)
    labels = {name: t.label(name) for t in tables for name, _ in t.names()}
    if any(settings.under(labels.get(piece.name, {})).allow_rows == 0 for piece in unqualified):
        right.add("21000")
    for name, count in truth.written.items():
        if count == 0:
            continue
        held = size.get(name)
        sizes = [held]
        steady = not (any(t.inserts or t.rule for t in tables) or any(truth.taken.values()))
        if held is not None and not (alone and statement.simple and steady):
            low, high = between(held, truth, statement)
            # Of a foreign part's size nothing is taken off, and what the sum deleted is added.
            sizes = (low, high + count * tables.foreign)
        own = settings.under(labels.get(name, {}))
        # What a rule makes of an unqualified statement is unqualified as well.
        by_rule = unqualified and any(t.rule for t in tables)
        if not by_rule and not any(name in (piece.name, *piece.table.parts) for piece in unqualified):
            limits = [own.limit(s) for s in sizes]
        elif (
            name in [piece.name for piece in unqualified]
            and statement.simple
            and not any(t.own_reference or t.trigger for t in tables)
        ):
            limits = [own.limit(s, True) for s in sizes]
        else:
            limits = [own.limit(s, u) for s in sizes for u in (True, False)]
        if count > min(limits):
            over.add(name)
            right.add("SD001")
        if count > max(limits) and name not in truth.unsure and not may_have_come(tables, statement, alone, name):
            right.add("certain")
        if not (alone and statement.simple) and (tables.foreign or name.endswith("_instead")):
            # Rows that no identity tells count again from statement to statement.
            over.add(name)
            right |= {"SD001"}
    if settings.own_max_rows >= 0:
        for name in above_own(tables, statement, settings, truth):
            over.add(name)
            right |= {"SD001"} if name in truth.unsure else {"SD001", "certain"}
    if right in ({"SD001"}, set()):
        right.add(None)
    return right - {"certain"} - ({None} if "certain" in right else set()), over


def may_have_come(tables, statement, alone, name):
    """Whether rows may have been moved into a part by the sum itself, to be written again there: they were not its."""
    moves = re.search(r"SET [^;]*\bk = |SET \([^)]*\bk\b", statement.functions + statement.sql)
    return bool(moves) and not (alone and statement.simple) and any(name in t.labelled_parts for t in tables)


def above_own(tables, statement, settings, truth):
    """The sums that are over the session's own ceiling, whatever policies and settings say: of what statements name."""
    parts = {part for t in tables for part in t.labelled_parts} - {piece.name for piece in statement.pieces}
    return [name for name, count in truth.of_any.items() if name not in parts and count > settings.own_max_rows]


def between(held, truth, statement):
    """What a table may hold while statements run one after the other: rows that the sum inserted are there for later
    ones, also if they are undone afterwards; rows that a command took which is not guarded are not."""
    return held - sum(truth.taken.values()), held + (10_000 if statement.undoes else sum(truth.inserted.values()))


def facts(outcome, truth, statement, size, foreign):
    """What is wrong with the numbers in a refusal's DETAIL."""
    detail, table = outcome.error.get("D", ""), outcome.error.get("t")
    written = truth.of_any if "own_max_rows is" in detail else truth.written
    told = re.search(r"(?:came to|selected|modified|reached) (\d+) rows?", detail)
    if (
        told
        and not foreign
        and not table.endswith("_instead")
        and table in written
        and int(told[1]) > max(count for name, count in written.items() if name in (table, f"{table}_only"))
    ):
        yield f"DETAIL tells {told[1]} rows"
    holds = re.search(r"holds (at most |at least |about )?(\d+) rows?", detail)
    if holds and table in size and not foreign:
        real = {size[table], size.get(f"{table}_only", size[table])}
        rows = int(holds[2])
        real = range(between(min(real), truth, statement)[0], between(max(real), truth, statement)[1] + 1)
        true = {"at most ": min(real) <= rows, "at least ": max(real) >= rows, "about ": False, None: rows in real}[
            holds[1]
        ]
        if not true:
            yield f"DETAIL says that the table {holds[0]}, of {real}"
