"""Random conditions, each with what docs/rules.md says of it. Nothing here knows how the library reads one.

A Condition has three readings:

  sql    as it is written into the statement
  truth  the same for one row of the target, one of the sub-select's table and one of the joined table, with {0}, {1}, …
         where the contract does not look: a part that names no column of the target (`now() > …`, an uncorrelated
         EXISTS, `c.ck = 42`), and the scope trap (`a IN (SELECT a FROM s)`)
  must   True where the contract demands a refusal by the way the condition is built: parts that are true by form, or
         not about the target, ANDed with their like or ORed with anything

A refusal is right only if some values of the holes make the truth true for every row: else rows are left out that
nothing but the target's own columns leave out. A sub-select is read with one row in its table: what it lets through
whatever that row is, it lets through by its form.
"""
from dataclasses import dataclass, field

INTS = {"a": False, "b": True, "h": True, "m": True}   # column: is NOT NULL
TEXTS = {"x": False, "u": True, "w": True}
BOOLS = {"f": False, "g": True}
DATES = {"d": False, "e": True}
NUMBERS = [-3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 7, 10, 12]
WORDS = ["''", "'x'", "'y'", "'z'", "'q'", "'%'"]
DAYS = ["date '1999-01-01'", "date '2020-01-01'", "date '2021-06-01'", "date '2031-01-01'"]
COMPARISONS = ["=", "<>", "<", "<=", ">", ">="]
MOST_HOLES = 3


@dataclass
class Condition:
    sql: str
    truth: str
    must: bool = False
    kinds: set = field(default_factory=set)   # free trap sub join random system always


def same(sql, must=False):
    return Condition(sql, sql, must)


class Generator:
    def __init__(self, rng, joined):
        self.rng, self.joined = rng, joined
        self.holes = 0

    def pick(self, *choices):
        """One of them, called where it is a function: the others must not be made, nor draw numbers."""
        choice = self.rng.choice(choices)
        return choice() if callable(choice) else choice

    def one(self, items):
        return self.rng.choice(list(items))

    def hole(self):
        self.holes += 1
        return "{%d}" % (self.holes - 1)

    # --- values over the target's row

    def number(self, null=0.04):
        """A number in marks, for it may become a parameter."""
        return f"⟦{'NULL::int' if self.rng.random() < null else self.one(NUMBERS)}⟧"

    def integer(self, depth=1):
        r = self.rng.random()
        if r < 0.45 or depth == 0:
            return self.one(INTS)
        if r < 0.75:
            return self.number()
        i = lambda: self.integer(depth - 1)
        return self.pick(
            lambda: f"({i()} + {i()})",
            lambda: f"(- {i()})",
            lambda: f"abs({i()})",
            lambda: f"coalesce({i()}, {i()})",
            lambda: f"nullif({i()}, {i()})",
            lambda: f"greatest({i()}, {i()})",
            lambda: f"least({i()}, {i()})",
            lambda: f"length({self.one(TEXTS)})",
            lambda: f"({i()} * 2)",
            lambda: f"(CASE WHEN {self.plain(0).sql} THEN {i()} ELSE {i()} END)",
            lambda: f"({i()})::bigint::int",
            lambda: f"extract(year FROM {self.one(DATES)})::int",
        )

    def text(self):
        t = self.one(TEXTS)
        return self.pick(
            t,
            t,
            t,
            f"lower({t})",
            f"({t} || 'q')",
            f"coalesce({t}, {self.one(WORDS)})",
            f"{t}::varchar",
            self.one(WORDS),
        )

    def list_of(self, item, most=4):
        return ", ".join(item() for _ in range(self.rng.randint(1, most)))

    # --- conditions over the target's row alone: the truth is the condition

    def plain(self, depth):
        """No sub-select, no other table, nothing volatile or stable."""
        r = self.rng.random()
        if depth > 0 and r < 0.62:
            p = lambda: self.plain(depth - 1).sql
            if r < 0.24:
                return same("(" + " AND ".join(p() for _ in range(self.rng.randint(2, 3))) + ")")
            if r < 0.46:
                return same("(" + " OR ".join(p() for _ in range(self.rng.randint(2, 4))) + ")")
            return same(
                self.pick(
                    lambda: f"(NOT {p()})",
                    lambda: f"(NOT {p()})",
                    lambda: f"(({p()}) IS {self.pick('', 'NOT ')}{self.pick('TRUE', 'FALSE', 'UNKNOWN', 'NULL')})",
                    lambda: f"coalesce({p()}, {p()})",
                    lambda: f"(CASE WHEN {p()} THEN {p()} ELSE {p()} END)",
                    lambda: f"(CASE WHEN {p()} THEN {p()} END)",
                    lambda: f"(({p()}) = ({p()}))",
                    lambda: f"(({p()}) <> ({p()}))",
                    lambda: f"(({p()}) IS DISTINCT FROM ({p()}))",
                    lambda: f"(({p()}) <= ({p()}))",
                )
            )
        op, i, n, t = self.one(COMPARISONS), self.one(INTS), self.number, self.one(TEXTS)
        b, d, no = self.one(BOOLS), self.one(DATES), self.pick("", "NOT ")
        j = lambda: self.integer(1)
        return same(
            "("
            + self.pick(
                lambda: f"{i} {op} {n()}",
                lambda: f"{i} {op} {n()}",
                lambda: f"{n()} {op} {i}",
                lambda: f"{i} {op} {self.one(INTS)}",
                lambda: f"{j()} {op} {j()}",
                lambda: f"{i} {op} {i}",
                lambda: f"{i} {no}BETWEEN {self.pick('', 'SYMMETRIC ')}{n()} AND {n()}",
                lambda: f"{i} {no}BETWEEN {j()} AND {j()}",
                lambda: f"{i} {no}IN ({self.list_of(n)})",
                lambda: f"{i} {no}IN ({self.list_of(j)})",
                lambda: f"{j()} {op} {self.pick('ANY', 'ALL')} (ARRAY[{self.list_of(n)}]::int[])",
                lambda: f"{i} {op} {self.pick('ANY', 'ALL')} (ARRAY[{self.list_of(j)}]::int[])",
                lambda: f"{n()} = {self.pick('ANY', 'ALL')} (ARRAY[{self.list_of(j)}]::int[])",
                lambda: f"{i} = ANY ('{{}}'::int[])",
                lambda: f"{i} <> ALL ('{{}}'::int[])",
                lambda: f"{self.one(list(INTS) + list(TEXTS) + list(DATES) + list(BOOLS))} IS {no}NULL",
                lambda: f"{j()} IS {no}NULL",
                lambda: f"{j()} IS {no}DISTINCT FROM {j()}",
                lambda: f"{t} IS {no}DISTINCT FROM {self.pick(t, 'NULL', 'x')}",
                lambda: f"({i}, {self.one(INTS)}) {op} ({j()}, {j()})",
                lambda: f"({i}, {t}) {self.pick('=', '<>', '<', '>=')} ({i}, {t})",
                lambda: f"({i}, {self.one(INTS)}) {no}IN (({n()}, {n()}), ({n()}, {j()}))",
                lambda: f"ROW({i}, {self.one(INTS)}) IS {no}NULL",
                lambda: f"{self.text()} {op} {self.text()}",
                lambda: f"{t} {op} {t}",
                lambda: f"{t} {no}IN ({self.list_of(lambda: self.one(WORDS))})",
                lambda: f"{self.text()} {no}LIKE "
                        f"{self.pick(chr(39) + '%' + chr(39), chr(39) + 'x%' + chr(39), chr(39) + '_' + chr(39))}",
                lambda: f"{t} {no}LIKE {t}",
                lambda: f"{t} = ANY (ARRAY[{self.list_of(self.text)}])",
                lambda: f"{t} ~ '{self.pick('', '^x')}'",
                lambda: b,
                lambda: f"NOT {b}",
                lambda: f"{b} IS {no}{self.pick('TRUE', 'FALSE', 'UNKNOWN')}",
                lambda: f"{b} {op} {self.pick('true', 'false', 'f', 'g', 'NULL::bool')}",
                lambda: f"{b} {no}IN (true, false)",
                lambda: f"{b} {no}IN (true)",
                lambda: f"{d} {op} {self.one(DAYS)}",
                lambda: f"{d} {op} {self.one(DATES)}",
                lambda: f"{d} + {n()} {op} {self.one(DATES)}",
                lambda: f"{d} {no}BETWEEN {self.one(DAYS)} AND {self.one(DAYS)}",
                lambda: "true",
                lambda: "false",
                lambda: "NULL::boolean",
                lambda: f"{n()} {op} {n()}",
                lambda: "NULL IS NULL",
                lambda: f"{self.one(WORDS)} {no}LIKE '%'",
            )
            + ")"
        )

    # --- what the contract does not look at

    def free(self):
        """Names no column of the target, and is not NULL by form, which restricts as false does."""
        n, op, no = self.number(null=0), self.one(COMPARISONS), self.pick("", "NOT ")
        choices = [
            "now() > '2000-01-01'",
            "now() < '2000-01-01'",
            "random() < 0.5",
            "random() < 2",
            "current_user = 'nobody'",
            "pg_backend_pid() > 0",
            f"{no}EXISTS (SELECT 1 FROM s)",
            f"{no}EXISTS (SELECT 1 FROM s WHERE k {op} {n})",
            f"EXISTS (SELECT 1)",
            f"(SELECT max(k) FROM s) {op} {n}",
            f"{n} {no}IN (SELECT k FROM s)",
            f"{n} {op} ANY (SELECT v FROM s)",
            f"{n} {op} ALL (SELECT v FROM s WHERE k > 0)",
            "(SELECT count(*) FROM s) > 0",
            f"(SELECT true)",
            f"{n} = ANY (ARRAY(SELECT k FROM s))",
            f"(1, {n}) IN (SELECT k, v FROM s)",
            f"EXISTS (SELECT k FROM s GROUP BY k HAVING count(*) > {n})",
            f"EXISTS (SELECT b FROM s)",
            f"EXISTS (SELECT count(*) FROM s)",
        ]
        if self.joined:
            choices += [
                f"ck {op} {n}",
                f"ck IS {no}NULL",
                f"cr LIKE 'x%'",
                f"cv {op} ck",
                f"{no}EXISTS (SELECT 1 FROM s WHERE k = ck)",
                f"ck {no}IN (SELECT k FROM s)",
            ] * 2
        sql = self.one(choices)
        kinds = {"free"}
        if "random" in sql:
            kinds.add("random")
        if sql in ("EXISTS (SELECT 1)", "(SELECT true)", "EXISTS (SELECT count(*) FROM s)"):
            kinds.add("always")   # so NOT of it is false, which restricts
        return Condition(f"({sql})", self.hole(), True, kinds)

    def trap(self):
        """The target's own column on both sides of a sub-select."""
        i, t, op = self.one(INTS), self.one(TEXTS), self.pick("=", "<=", ">=")
        j = self.one([k for k in INTS if k != i])
        sql = self.pick(
            f"{i} IN (SELECT {i} FROM s)",
            f"{i} NOT IN (SELECT {i} FROM s)",
            f"{t} IN (SELECT {t} FROM s)",
            f"NOT ({i} IN (SELECT {i} FROM s))",
            f"{i} IN (SELECT {i} FROM s WHERE v > 3)",
            f"{i} IN (SELECT DISTINCT {i} FROM s)",
            f"{i} {op} ANY (SELECT {i} FROM s)",
            f"{i} {op} ALL (SELECT {i} FROM s)",
            f"{i} = ANY (ARRAY(SELECT {i} FROM s))",
            f"{i} = (SELECT {i} FROM s LIMIT 1)",
            f"{i} = (SELECT {i} FROM s WHERE k = 2 LIMIT 1)",
            f"({i}, {t}) IN (SELECT {i}, {t} FROM s)",
            f"({i}, {j}) = ANY (SELECT {i}, {j} FROM s)",
            f"({i}, {j}) NOT IN (SELECT {i}, {j} FROM s)",
            f"({i}, {t}) = (SELECT {i}, {t} FROM s LIMIT 1)",
            f"EXISTS (SELECT 1 FROM s WHERE {i} = {i})",
            f"EXISTS (SELECT k FROM s WHERE v > 0 AND {t} = {t})",
            f"{i} IN (SELECT z.{i} FROM (SELECT {i} FROM s) z)",
            f"{i} IN (WITH q AS (SELECT k FROM s) SELECT {i} FROM q)",
            f"{i} IN (SELECT {i} FROM s UNION ALL SELECT {i} FROM s)",
            f"{i} IN (SELECT {i}::bigint FROM s)",
            f"{i}::text IN (SELECT z.c FROM (SELECT {i}::text AS c FROM s) z)",
            f"{i}::numeric IN (SELECT {i} FROM s)",
            f"EXISTS (SELECT 1 FROM s WHERE {i}::bigint = {i})",
            f'{t} COLLATE "C" IN (SELECT {t} FROM s)',
            f"{i} = (SELECT {i}::bigint FROM s LIMIT 1)",
            f"lower({t}) IN (SELECT z.c FROM (SELECT lower({t}) AS c FROM s) z)",
            f"{i} = ANY (ARRAY(SELECT {i}::bigint FROM s))",
        )
        # NOT of = (SELECT …) selects nothing.
        return Condition(f"({sql})", self.hole(), True, {"trap", "always"} if "= (SELECT" in sql else {"trap"})

    # --- ties through other tables

    def tie(self, key, value):
        """A comparison of another table's columns with the target's, that some value fails."""
        i, op = self.one(INTS), self.one(COMPARISONS)
        return self.pick(
            f"{key} = {i}",
            f"{key} = {i}",
            f"{i} {op} {value}",
            f"{key} {op} ({i} + 1)",
            f"({key}, {value}) = ({i}, {self.one(INTS)})",
            f"coalesce({key}, {i}) = {value}",
            f"{key} IN ({i}, {self.one(INTS)})",
            f"{key} IS NOT DISTINCT FROM a",
            f"{key} BETWEEN {i} AND {self.one(INTS)}",
        )

    def sub(self):
        """A sub-select that is tied to the target."""
        i, j, n, op, no = self.one(INTS), self.one(INTS), self.number(), self.one(COMPARISONS), self.pick("", "NOT ")
        own = self.pick("", f"v > {n}", f"r = 'x'", f"k IS NOT NULL AND v < {n}", f"r = 'x' OR v > {n}")
        where = f" WHERE {own}" if own else ""
        inside = own or "true"
        tied = self.tie("k", "v") + self.pick("", "", f" AND v > {n}", f" OR v > {n}", " AND (r = 'x' OR k > 2)")
        given = lambda yes, otherwise: f"(CASE WHEN {inside} THEN {yes} ELSE {otherwise} END)"
        sql, truth = self.pick(
            (f"{i} IN (SELECT k FROM s{where})", given(f"{i} = k", "false")),
            (f"{i} NOT IN (SELECT k FROM s{where})", given(f"{i} <> k", "true")),
            (f"{i} {op} ANY (SELECT v FROM s{where})", given(f"{i} {op} v", "false")),
            (f"{i} {op} ALL (SELECT v FROM s{where})", given(f"{i} {op} v", "true")),
            (f"{i} = ANY (ARRAY(SELECT k FROM s{where}))", given(f"{i} = k", "false")),
            (f"{i} {op} (SELECT max(v) FROM s{where})", given(f"{i} {op} v", "NULL")),
            (f"{i} {op} (SELECT k FROM s{where} LIMIT 1)", given(f"{i} {op} k", "NULL")),
            (f"({i}, {j}) {no}IN (SELECT k, v FROM s{where})", f"({given(f'({i}, {j}) = (k, v)', 'false')}) IS {no}TRUE"
             if not no else given(f"({i}, {j}) <> (k, v)", "true")),
            (f"(a, {j}) IN (SELECT k, {j} FROM s{where})", given(f"a = k", "false")),
            (f"{i} IN (SELECT k + {j} FROM s{where})", given(f"{i} = k + {j}", "false")),
            (f"{no}EXISTS (SELECT 1 FROM s WHERE {tied})", f"(({tied}) IS {no}TRUE)"),
            (f"{no}EXISTS (SELECT 1 FROM s WHERE {tied})", f"(({tied}) IS {no}TRUE)"),
            (f"{no}EXISTS (SELECT 1 FROM s WHERE {i} = {j} AND a > 3)", f"(({i} = {j} AND a > 3) IS {no}TRUE)"),
            (f"(SELECT count(*) FROM s WHERE {tied}) {op} 1", f"(coalesce(({tied})::int, 0) {op} 1)"),
            (f"(SELECT true FROM s WHERE {tied} LIMIT 1)", f"(CASE WHEN {tied} THEN true END)"),
            (f"coalesce((SELECT bool_or({tied}) FROM s), false)", f"(({tied}) IS TRUE)"))
        return Condition(f"({sql})", f"({truth})", False, {"sub"})

    def join(self):
        sql = self.tie("ck", "cv")
        return Condition(f"({sql})", f"({sql})", False, {"join"})

    def system(self):
        return Condition(
            self.pick("ctid = '(0,1)'", "tableoid = 't'::regclass", "xmin = '3'"), "false", False, {"system"}
        )

    # --- true by form

    def true_by_form(self):
        i = self.one(k for k, known in INTS.items() if known)
        t = self.one(k for k, known in TEXTS.items() if known)
        known = self.one([i, t, "g", "e"])
        c, n, w = self.one([k for k in [*INTS, *TEXTS, *DATES, *BOOLS]]), f"⟦{self.one(NUMBERS)}⟧", self.one(WORDS)
        any_i, any_t = self.one(INTS), self.one(TEXTS)
        low, high = f"⟦{self.one(x for x in NUMBERS if x <= 0)}⟧", f"⟦{self.one(x for x in NUMBERS if x >= 5)}⟧"
        return same(
            "("
            + self.pick(
                "true",
                "1 = 1",
                "NOT false",
                "'a' LIKE '%'",
                "NULL IS NULL",
                f"{known} IS NOT NULL",
                f"NOT ({known} IS NULL)",
                f"{known} {self.pick('=', '<=', '>=')} {known}",
                f"NOT ({i} <> {i})",
                f"{c} IS NULL OR {c} IS NOT NULL",
                f"{c} IS NOT DISTINCT FROM {c}",
                f"{i} > {n} OR {i} <= {n}",
                f"{i} < {n} OR {i} >= {n}",
                f"{i} = {n} OR {i} <> {n}",
                f"{t} = {w} OR {t} <> {w}",
                f"a > {n} OR a <= {n} OR a IS NULL",
                "g OR NOT g",
                "f IS TRUE OR f IS NOT TRUE",
                "f OR NOT f OR f IS NULL",
                "g IS NOT UNKNOWN",
                f"{i} IN ({n}, {i})",
                f"e < {DAYS[2]} OR e >= {DAYS[2]}",
                f"b >= {low}",
                f"b <= {high}",
                f"b BETWEEN {low} AND {high}",
                f"{low} <= b",
                f"NOT (b < {low})",
                f"NOT (b > {high})",
                "u IN ('x', 'y', 'z')",
                "u IN ('z', 'q', 'y', 'x')",
                "m >= b",
                "b <= m",
                f"{c} {self.pick('=', '<=', '>=')} {c}",
                f"NOT ({c} <> {c})",
                f"{any_i}::bigint = {any_i}",
                f"{any_t}::varchar = {any_t}",
                f"lower({any_t}) = lower({any_t})",
                f"{any_i} BETWEEN {any_i} AND {any_i}",
                f"({any_i}, {any_t}) = ({any_i}, {any_t})",
                f"{any_i} IN ({any_i}, {n})",
                f"{any_i} = coalesce(NULL, {any_i})",
                f'{any_t} COLLATE "C" = {any_t}',
                f"({any_i} NOT IN ({n}, NULL)) IS NOT TRUE",
                f"({any_i} IN ({n}, NULL)) IS NOT FALSE",
                f"e >= '{self.pick('2020-01-01', '2019-03-04')}'",
            )
            + ")",
            True,
        )

    # --- nests

    def restricting(self, depth):
        """Anything: plain parts, ties, holes."""
        r = self.rng.random()
        if depth > 0 and r < 0.6:
            parts = [self.restricting(depth - 1) for _ in range(self.rng.randint(2, 3))]
            if r < 0.28:
                return self.joined_by(" AND ", parts, all(p.must for p in parts))
            if r < 0.52:
                return self.joined_by(" OR ", parts, any(p.must for p in parts))
            p = parts[0]
            if r < 0.56:
                # NOT of what is free or a trap is again; NOT of what is true by form is false.
                return Condition(
                    f"(NOT {p.sql})",
                    f"(NOT {p.truth})",
                    p.must and p.truth.startswith("{") and "always" not in p.kinds,
                    p.kinds,
                )
            return self.pick(
                Condition(f"({p.sql} IS TRUE)", f"({p.truth} IS TRUE)", False, p.kinds),
                Condition(
                    f"coalesce({p.sql}, {parts[1].sql})",
                    f"coalesce({p.truth}, {parts[1].truth})",
                    False,
                    p.kinds | parts[1].kinds,
                ),
                Condition(
                    f"(CASE WHEN {p.sql} THEN {parts[1].sql} ELSE false END)",
                    f"(CASE WHEN {p.truth} THEN {parts[1].truth} ELSE false END)",
                    False,
                    p.kinds | parts[1].kinds,
                ),
            )
        if r < 0.1 and self.holes < MOST_HOLES:
            return self.pick(self.free, self.trap)
        if r < 0.16:
            return self.true_by_form()
        if r < 0.2 and self.system_columns:
            return self.system()
        if self.joined and r > 0.8:
            return self.join()
        if r < 0.75:
            return self.plain(self.rng.randint(0, 1))
        return self.sub()

    def refusable(self, depth):
        """What the contract demands to be refused."""
        r = self.rng.random()
        if depth > 0 and r < 0.3:
            return self.joined_by(" AND ", [self.refusable(depth - 1) for _ in range(2)], True)
        if depth > 0 and r < 0.65:
            parts = [self.refusable(depth - 1), self.restricting(1)]
            self.rng.shuffle(parts)
            return self.joined_by(" OR ", parts, True)
        if r > 0.72 and self.holes < MOST_HOLES:
            return self.pick(self.free, self.trap)
        return self.true_by_form()

    def joined_by(self, word, parts, must):
        kinds = set().union(*(p.kinds for p in parts))
        return Condition(
            "(" + word.join(p.sql for p in parts) + ")", "(" + word.join(p.truth for p in parts) + ")", must, kinds
        )

    def condition(self, system_columns):
        self.system_columns = system_columns
        r = self.rng.random()
        if r < 0.45 and not self.joined:
            return self.plain(self.rng.randint(0, 4))
        return self.restricting(self.rng.randint(0, 3)) if r < 0.75 else self.refusable(self.rng.randint(0, 3))
