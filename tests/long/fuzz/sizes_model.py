"""What docs/rules.md says of a history of writes: tables as Python's dictionaries, and the sums. It knows nothing of
row versions, statistics or plans, and asks the server nothing.

A row keeps its number wherever it is moved, so that rows are told apart whatever is updated."""

from dataclasses import dataclass, field
from fractions import Fraction
from itertools import count
from math import floor
from typing import NamedTuple

COMMANDS = ("delete", "update", "merge", "truncate", "upsert")
NUMBERS = count(1)


class Row(NamedTuple):
    id: int
    k: int
    v: int
    ref: int | None  # of a child: the id of its parent
    part: str  # the table that it lies in


@dataclass
class Settings:
    max_rows: int = -1
    max_fraction: str = "1"
    min_rows: int = 0

    def limits(self, size):
        """The most rows, by each of the bounds."""
        if self.max_rows >= 0:
            yield self.max_rows
        if Fraction(self.max_fraction) < 1:
            yield max(self.min_rows, floor(Fraction(self.max_fraction) * size))


@dataclass
class Sum:
    """What one client statement, or transaction, has written so far. Keys are names of tables."""

    counted: dict = field(default_factory=dict)
    gone: dict = field(default_factory=dict)
    made: set = field(default_factory=set)  # rows that it has inserted
    blurred: set = field(default_factory=set)  # of those, what may have been there as far as its versions tell
    unsure: dict = field(default_factory=dict)  # of those, or counted ones, what was last written for nobody, or whom

    def copy(self):
        counted, gone = ({n: set(s) for n, s in of.items()} for of in (self.counted, self.gone))
        return Sum(counted, gone, set(self.made), set(self.blurred), dict(self.unsure))


class Refused(Exception):
    """One of these is to be refused: (table, limits that it is over, size)."""

    def __init__(self, over):
        super().__init__(str(over))
        self.over = over


class Unsure(Exception):
    """limitations.md says that such rows may count once more, or enlarge a table."""


class Model:
    def __init__(self, shape):
        self.shape = shape  # the tables: sizes_writes.Shape
        self.rows = {base: {} for base in shape.bases}
        self.sum = Sum()
        self.settings, self.labels = Settings(max_fraction="1"), {}
        self.commands, self.whole = COMMANDS, False
        self.saved = []  # what savepoints would bring back
        self.points = []  # (table, sum, size) of each judgement
        self.touched = set()

    # What is kept and brought back.

    def copy(self):
        return {base: dict(rows) for base, rows in self.rows.items()}, self.sum.copy()

    def restore(self, saved):
        rows, summed = saved
        self.rows = {base: dict(of) for base, of in rows.items()}
        self.sum = summed.copy()

    def statement(self, write):
        """A statement of the client's: (what is wrong with it, as Refused, or None)."""
        if not self.whole:
            self.sum = Sum()
        self.baseline = self.copy()
        try:
            write.apply(self)
        except Refused as refused:
            self.restore(self.baseline)
            return refused
        return None

    def committed(self):
        """COMMIT within a statement."""
        self.sum = Sum()
        self.baseline = self.copy()

    def by_another(self, base, added, gone):
        """What another session has committed is there whatever is undone."""
        for rows in [self.rows[base]] + [rows[base] for rows, _ in self.saved]:
            for number in gone:
                rows.pop(number, None)
            rows.update(added)

    # Writing.

    def seen(self, name):
        """The rows of what a statement names."""
        base, parts = self.shape.names[name]
        return {number: row for number, row in self.rows[base].items() if row.part in parts}

    def size(self, name):
        return len(self.seen(name)) + len(self.sum.gone.get(name, ()))

    def insert(self, base, rows, by="insert"):
        for row in rows:
            number = next(NUMBERS)
            self.rows[base][number] = row
            self.sum.made.add(number)
            if by == "moving merge" and self.shape.kind == "partitioned":
                self.sum.blurred.add(number)
            self.touched.add(number)

    def write(self, name, command, changes):
        """Rows by number, with what they become; None for those that go."""
        base, _ = self.shape.names[name]
        rows = self.rows[base]
        old = {number: rows[number] for number in changes}
        self.touched |= set(changes)
        if any(row is None and n in self.sum.blurred for n, row in changes.items()):
            raise Unsure
        self.sum.blurred |= {n for n, row in changes.items() if row is not None and n in self.sum.made}
        counts = command in self.commands
        if counts:
            if any(self.sum.unsure.get(n, name) != name for n in changes):
                raise Unsure
            new = {n for n in changes if n not in self.sum.made and n not in self.sum.counted.get(name, ())}
            targets = [(name, new)]
            for part in self.labels:
                if part != name:
                    targets.append((part, {n for n in new if old[n].part in self.shape.names[part][1]}))
            self.judge([(target, numbers) for target, numbers in targets if numbers])
            for target, numbers in targets:
                self.sum.counted.setdefault(target, set()).update(numbers)
                taken = {n for n, row in changes.items() if n not in self.sum.made and self.leaves(target, old[n], row)}
                self.sum.gone.setdefault(target, set()).update(taken)
        for number, row in changes.items():
            if not counts and command != "truncate" and (number in self.sum.made or any(
                    number in of for of in self.sum.counted.values())):
                self.sum.unsure[number] = None
            elif counts and number not in self.sum.made:
                self.sum.unsure[number] = name
            if row is None:
                del rows[number]
            else:
                rows[number] = row
        self.cascade(base, command, old, changes)

    def leaves(self, target, old, row):
        parts = self.shape.names[target][1]
        return old.part in parts and (row is None or row.part not in parts)

    def judge(self, targets):
        over = []
        for name, numbers in targets:
            total = len(self.sum.counted.get(name, ())) + len(numbers)
            settings = self.labels.get(name, self.settings)
            size = self.size(name)
            self.points.append((name, total, size))
            limits = [limit for limit in settings.limits(size) if total > limit]
            if limits:
                over.append((name, limits, size))
        if over:
            raise Refused(over)

    def cascade(self, base, command, old, changes):
        """Foreign keys of the children."""
        if base != "t" or not self.shape.on_delete:
            return
        gone = {row.id for n, row in old.items() if changes[n] is None}
        moved = {old[n].id: row.id for n, row in changes.items() if row is not None and row.id != old[n].id}
        if gone and command != "truncate":
            of = {n: row for n, row in self.rows["c"].items() if row.ref in gone}
            if self.shape.on_delete == "CASCADE":
                self.write("c", "delete", dict.fromkeys(of))
            else:
                self.write("c", "update", {n: row._replace(ref=None) for n, row in of.items()})
        if moved:
            of = {n: row for n, row in self.rows["c"].items() if row.ref in moved}
            self.write("c", "update", {n: row._replace(ref=moved[row.ref]) for n, row in of.items()})

    def near(self, rng):
        """Settings under which one of the judgements so far is a close one."""
        fraction = rng.choice(["0", "0.01", "0.07", "0.1", "0.29", "0.3333", "0.5", "0.58", "0.75", "0.9", "0.99", "1"])
        max_rows = rng.choice([-1] * 9 + [0, 1, 20, 100, 300])
        points = [point for point in self.points if point[2]]
        if points and rng.random() < 0.7:
            _, total, size = rng.choice(points)
            near = Fraction(total, size) + Fraction(rng.randrange(-4, 4), 1000)
            fraction = f"{float(min(max(near, 0), Fraction(99, 100))):.3f}"
            if rng.random() < 0.1:
                max_rows = max(total + rng.randrange(-2, 2), 0)
        return Settings(max_rows, fraction, rng.choice([0, 0, 0, 10, 100, 1000 if rng.random() < 0.2 else 40]))


def changed(rows, **values):
    """Rows with new values, which may be functions of the row."""
    return {n: row._replace(**{f: v(row) if callable(v) else v for f, v in values.items()}) for n, row in rows.items()}


__all__ = ["COMMANDS", "Model", "Refused", "Row", "Settings", "Sum", "Unsure", "changed"]
