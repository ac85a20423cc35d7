"""Random tables and writes for sizes.py: of each write its SQL, and what sizes_model.py is to make of it."""

from sizes_model import Row, changed

T = "id int, k int, v int"
FILLER = {
    "heap": "", "wide": " WITH (fillfactor = 20)", "unlogged": "", "elsewhere": " TABLESPACE fuzz_elsewhere",
}
KINDS = ("heap", "heap", "parent", "parent", "wide", "unlogged", "elsewhere", "sparse", "partitioned", "partitioned",
         "inherited")
PREPARED = {
    "delete_between": "DELETE FROM t WHERE id BETWEEN $1 AND $2",
    "update_between": "UPDATE t SET v = v + 1 WHERE id BETWEEN $1 AND $2",
    "delete_one": "DELETE FROM t WHERE id = $1 AND $2 > -1",
    "update_one": "UPDATE t SET v = v + 1 WHERE id = $1 AND $2 > -1",
}
CALLED = {"deletes": "DELETE FROM t WHERE id = $1", "updates": "UPDATE t SET v = v + 1 WHERE id = $1"}
BOUND = 1000  # between the partitions
FAR = 1_000_000


class Shape:
    """The tables of a history: t, and perhaps c, whose rows refer to it, and log, whose rows count up t's."""

    def __init__(self, rng, kind):
        self.kind = kind
        self.names = {"t": ("t", {"t"}), "c": ("c", {"c"})}
        self.bases = ["t", "c"]
        self.keyed = kind != "inherited"
        self.on_delete = rng.choice(["CASCADE", "SET NULL"]) if kind == "parent" or (
            kind == "partitioned" and rng.random() < 0.4) else None
        if kind == "partitioned":
            self.names |= {"t": ("t", {"t1", "t2", "t3"})} | {f"t{i}": ("t", {f"t{i}"}) for i in (1, 2, 3)}
        elif kind == "inherited":
            self.names |= {"t": ("t", {"t", "t1"}), "ONLY t": ("t", {"t"}), "t1": ("t", {"t1"})}
        self.by_statement = rng.random() < 0.4  # log's trigger
        self.generic = rng.random() < 0.5  # plans of what is prepared

    def part(self, number):
        if self.kind != "partitioned":
            return "t"
        return "t1" if number < BOUND else "t2" if number < FAR else "t3"

    def sql(self):
        kind = self.kind
        yield "DROP TABLE IF EXISTS t, c, log, t1 CASCADE"
        if kind == "partitioned":
            yield f"CREATE TABLE t ({T}, PRIMARY KEY (id)) PARTITION BY RANGE (id)"
            yield f"CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (MINVALUE) TO ({BOUND})"
            yield f"CREATE TABLE t2 PARTITION OF t FOR VALUES FROM ({BOUND}) TO ({FAR})"
            yield f"CREATE TABLE t3 PARTITION OF t FOR VALUES FROM ({FAR}) TO (MAXVALUE)"
        elif kind == "inherited":
            yield f"CREATE TABLE t ({T}); CREATE TABLE t1 () INHERITS (t)"
            yield "CREATE INDEX ON t (id); CREATE INDEX ON t1 (id)"
        else:
            more = "".join(f", {c} text" for c in "abcdefgh") if kind == "sparse" else ""
            unlogged = "UNLOGGED " if kind == "unlogged" else ""
            yield f"CREATE {unlogged}TABLE t ({T}{more}, PRIMARY KEY (id)){FILLER.get(kind, '')}"
        if self.on_delete:
            yield (f"CREATE TABLE c ({T}, PRIMARY KEY (id), ref int REFERENCES t ON DELETE {self.on_delete} "
                   "ON UPDATE CASCADE); CREATE INDEX ON c (ref)")
        else:
            yield f"CREATE TABLE c ({T}, PRIMARY KEY (id), ref int)"
        yield "CREATE TABLE log (t int)"
        yield f"SET plan_cache_mode = {'force_generic_plan' if self.generic else 'auto'}"
        for name, sql in PREPARED.items():
            yield f"PREPARE {name} (int, int) AS {sql}"
        for name, sql in CALLED.items():
            yield f"CREATE OR REPLACE FUNCTION {name}(int) RETURNS void LANGUAGE plpgsql AS $$ BEGIN {sql}; END $$"
        if self.by_statement:
            yield ("CREATE OR REPLACE FUNCTION count_up() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
                   "UPDATE t SET v = v + n FROM (SELECT t AS i, count(*) AS n FROM logged GROUP BY 1) s "
                   "WHERE t.id = s.i;"
                   "RETURN NULL; END $$")
            yield ("CREATE TRIGGER count_up AFTER INSERT ON log REFERENCING NEW TABLE AS logged FOR EACH STATEMENT "
                   "EXECUTE FUNCTION count_up()")
        else:
            yield ("CREATE OR REPLACE FUNCTION count_up() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
                   "UPDATE t SET v = v + 1 WHERE id = NEW.t; RETURN NULL; END $$")
            yield "CREATE TRIGGER count_up AFTER INSERT ON log FOR EACH ROW EXECUTE FUNCTION count_up()"


class Write:
    """SQL and its meaning; inner: as PL/pgSQL runs it."""

    def __init__(self, sql, apply, inner=None):
        self.sql, self.inner, self.apply = sql, inner or sql, apply


class Block:
    """What DO runs: writes, blocks whose exceptions are caught, and COMMIT."""

    def __init__(self, steps, undone=False, catches=False):
        self.steps, self.undone, self.catches = steps, undone, catches

    @property
    def inner(self):
        body = " ".join(f"{step.inner};" for step in self.steps)
        if self.undone:
            return f"BEGIN {body} RAISE division_by_zero; EXCEPTION WHEN division_by_zero THEN NULL; END"
        if self.catches:
            return f"BEGIN {body} EXCEPTION WHEN SQLSTATE 'SD001' THEN NULL; END"
        return f"BEGIN {body} END"

    @property
    def sql(self):
        return f"DO $do$ {self.inner} $do$"

    def apply(self, model):
        from sizes_model import Refused

        saved = model.copy()
        model.saved.append(saved)
        try:
            for step in self.steps:
                step.apply(model)
        except Refused:
            if not self.catches:
                raise
            model.restore(saved)
        else:
            if self.undone:
                model.restore(saved)
        finally:
            model.saved.pop()


COMMIT = Write("COMMIT", lambda model: model.committed())


class Writer:
    """Writes for the tables of a shape."""

    def __init__(self, rng, shape, version):
        self.rng, self.shape, self.version = rng, shape, version
        self.fresh, self.moved = 1, 0

    def rows(self, alias="t"):
        """A condition on rows, as SQL and as Python."""
        rng, last = self.rng, max(self.fresh, 2)
        low, high = rng.randrange(0, last), rng.randrange(1, last)
        some = sorted(rng.sample(range(1, last + 1), min(rng.choice([1, 3, 20, 150]), last)))
        n, m = rng.randrange(2, 12), rng.randrange(1, 11)
        return rng.choice([
            (f"{alias}.id <= {high}", lambda r: r.id <= high),
            (f"{alias}.id > {high}", lambda r: r.id > high),
            (f"{alias}.id BETWEEN {low} AND {low + high}", lambda r: low <= r.id <= low + high),
            (f"{alias}.id % {n} = 0", lambda r: r.id % n == 0),
            (f"{alias}.k < {m}", lambda r: r.k < m),
            (f"{alias}.k = {m}", lambda r: r.k == m),
            (f"{alias}.id IN ({', '.join(map(str, some))})", lambda r, some=frozenset(some): r.id in some),
            (f"{alias}.id = ANY ('{{{','.join(map(str, some))}}}')", lambda r, some=frozenset(some): r.id in some),
            (f"{alias}.id IS DISTINCT FROM NULL AND {alias}.v IS NOT NULL", lambda r: True),
            (f"{alias}.id = {high}", lambda r: r.id == high),
            (f"{alias}.id = {high}", lambda r: r.id == high),
        ])

    def name(self):
        """What to name: t, seldom a part of it, or its child."""
        names = list(self.shape.names)
        return self.rng.choices(names, [12 if n == "t" else 3 if n == "c" else 1 for n in names])[0]

    def values(self, name):
        """What SET says, and does: the key too, where nothing else hangs on it."""
        rng = self.rng
        if name == "t" and rng.random() < 0.15:
            self.moved += 10_000
            if rng.random() < 0.5:
                by = self.moved
            else:
                by = FAR + self.moved
            return f"id = id + {by}", lambda r: {"id": r.id + by, "part": self.shape.part(r.id + by)
                                                  if self.shape.kind == "partitioned" else r.part}
        return rng.choice([
            ("v = v + 1", lambda r: {"v": r.v + 1}),
            ("k = (k + 3) % 10", lambda r: {"k": (r.k + 3) % 10}),
            ("v = v", lambda r: {}),
        ])

    def pick(self):
        rng = self.rng
        makers = [self.delete] * 4 + [self.update] * 4 + [self.merge] * 2 + [self.insert] + [self.logged] * 2
        if self.shape.keyed:
            makers += [self.upsert] * 2
        makers += [self.loop] * 3 + [self.truncate, self.cursor, self.prepared, self.called]
        if rng.random() < 0.05:
            return self.rewrite()
        return rng.choice(makers)()

    def statement(self, in_transaction):
        """A statement of the client's."""
        rng = self.rng
        if rng.random() < 0.65:
            return self.pick()
        return self.block(rng.randrange(1, 5), 0, not in_transaction)

    def block(self, length, depth, commits):
        rng, steps = self.rng, []
        for _ in range(length):
            if depth < 2 and rng.random() < 0.3:
                inner = self.block(rng.randrange(1, 4), depth + 1, False)
                inner.undone, inner.catches = rng.choice([(True, False), (False, True), (False, True)])
                steps.append(inner)
            elif commits and steps and rng.random() < 0.15:
                steps.append(COMMIT)
            else:
                steps.append(self.pick())
        return Block(steps)

    def select(self, name, rows):
        return lambda model: {n: row for n, row in model.seen(name).items() if rows(row)}

    def delete(self):
        rng, name = self.rng, self.name()
        sql, rows = self.rows("x")
        found = self.select(name, rows)
        shapes = [
            f"DELETE FROM {name} AS x WHERE {sql}",
            f"DELETE FROM {name} AS x USING generate_series(1, 3) AS s WHERE x.id > s - 10 AND {sql}",
            f"DELETE FROM {name} WHERE id IN (SELECT x.id FROM {name} AS x WHERE {sql})",
            f"DELETE FROM {name} WHERE (tableoid, ctid) IN (SELECT x.tableoid, x.ctid FROM {name} AS x WHERE {sql})",
        ]
        cte = f"WITH gone AS (DELETE FROM {name} AS x WHERE {sql} RETURNING x.id)"
        text = rng.choice(shapes + [f"{cte} SELECT count(*) FROM gone"])
        inner = text if not text.startswith("WITH") else f"PERFORM count(*) FROM (SELECT 1) one; {shapes[0]}"
        return Write(text, lambda model: model.write(name, "delete", dict.fromkeys(found(model))), inner)

    def update(self):
        rng, name = self.rng, self.name()
        sql, rows = self.rows("x")
        found = self.select(name, rows)
        to, values = self.values(name)
        text = rng.choice([
            f"UPDATE {name} AS x SET {to} WHERE {sql}",
            f"UPDATE {name} AS x SET {to} FROM generate_series(1, 3) AS s WHERE x.id > s - 10 AND {sql}",
            f"UPDATE {name} SET {to} WHERE id IN (SELECT x.id FROM {name} AS x WHERE {sql})",
        ])
        return Write(text, lambda model: model.write(
            name, "update", {n: row._replace(**values(row)) for n, row in found(model).items()}))

    def loop(self):
        rng, name = self.rng, "t"
        low, step = self.rng.randrange(1, max(self.fresh, 2)), rng.choice([1, 1, 3])
        high = low + rng.choice([0, 5, 40, 200]) * step
        ids = range(low, high + 1, step)
        deletes, guarded = rng.random() < 0.5, rng.random() < 0.2
        act = "DELETE FROM t WHERE id = i" if deletes else "UPDATE t SET v = v + 1 WHERE id = i"
        if not deletes and rng.random() < 0.2:
            act = f"UPDATE t SET v = v + 1 WHERE id BETWEEN i AND i"
        body = f"BEGIN {act}; EXCEPTION WHEN division_by_zero THEN NULL; END" if guarded else act
        inner = f"FOR i IN {low}..{high} BY {step} LOOP {body}; END LOOP"

        def apply(model):
            by_id = {}
            for n, row in model.seen(name).items():
                by_id.setdefault(row.id, []).append(n)
            for i in ids:
                found = {n: model.rows["t"][n] for n in by_id.get(i, ())}
                if found:
                    model.write(name, "delete" if deletes else "update",
                                dict.fromkeys(found) if deletes else changed(found, v=lambda r: r.v + 1))

        return Write(f"DO $do$ BEGIN {inner}; END $do$", apply, inner)

    def one_by_one(self, name, found, deletes):
        """Row by row, as they are found."""
        def apply(model):
            for n in found(model):
                row = model.rows[self.shape.names[name][0]][n]
                becomes = None if deletes else row._replace(v=row.v + 1)
                model.write(name, "delete" if deletes else "update", {n: becomes})

        return apply

    def cursor(self):
        rng, name = self.rng, self.name()
        sql, rows = self.rows("x")
        found, deletes = self.select(name, rows), rng.random() < 0.5
        act = f"DELETE FROM {name}" if deletes else f"UPDATE {name} SET v = v + 1"
        # Of a tree PostgreSQL knows a cursor's row where the cursor's plan has the very same parts.
        is_tree = name == "t" and self.shape.kind in ("partitioned", "inherited")
        act = f"{act} WHERE {'id = r.id' if is_tree else 'CURRENT OF q'}"
        if rng.random() < 0.3:
            act = f"BEGIN {act}; EXCEPTION WHEN division_by_zero THEN NULL; END"
        # In this order, for a row that the sum has inserted and deletes is in the size until then.
        locks = " FOR UPDATE" if not is_tree or rng.random() < 0.5 else ""
        order = f"ORDER BY x.id{locks}"
        inner = (f"DECLARE q refcursor; r record; BEGIN OPEN q FOR SELECT * FROM {name} AS x WHERE {sql} {order}; "
                 f"LOOP FETCH q INTO r; EXIT WHEN NOT FOUND; {act}; END LOOP; CLOSE q; END")

        def in_order(model):
            return sorted(found(model), key=lambda n: model.rows[self.shape.names[name][0]][n].id)

        return Write(f"DO $do$ BEGIN {inner}; END $do$", self.one_by_one(name, in_order, deletes), inner)

    def prepared(self):
        rng = self.rng
        name = rng.choice(list(PREPARED))
        low, high = self.ids()
        high = low if "one" in name else high
        found, deletes = self.select("t", lambda r: low <= r.id <= high), name.startswith("delete")
        sql = f"EXECUTE {name}({low}, {high})"
        return Write(sql, lambda model: model.write("t", "delete" if deletes else "update", {
            n: None if deletes else row._replace(v=row.v + 1) for n, row in found(model).items()}), f"EXECUTE '{sql}'")

    def called(self):
        rng = self.rng
        name = rng.choice(list(CALLED))
        low, high = self.ids()

        def by_number(model):
            return sorted((n for n, row in model.seen("t").items() if low <= row.id <= high),
                          key=lambda n: model.rows["t"][n].id)

        sql = f"count({name}(g)) FROM generate_series({low}, {high}) g"
        return Write(f"SELECT {sql}", self.one_by_one("t", by_number, name == "deletes"), f"PERFORM {sql}")

    def insert(self):
        rng = self.rng
        base = "t" if rng.random() < 0.85 or self.shape.on_delete else "c"
        first, self.fresh = self.fresh, self.fresh + rng.choice([1, 30, 120, 300])
        last, into = self.fresh - 1, base
        if self.shape.kind == "inherited" and base == "t" and rng.random() < 0.5:
            into = "t1"
        part = (lambda i: into) if base == "c" or self.shape.kind != "partitioned" else self.shape.part
        return Write(
            f"INSERT INTO {into} (id, k, v) SELECT g, g % 10, 0 FROM generate_series({first}, {last}) g",
            lambda model: model.insert(base, [Row(i, i % 10, 0, None, part(i)) for i in range(first, last + 1)]))

    def children(self):
        """Children of some of the parents that there are; of a set-up, where nothing has been undone."""
        first, self.fresh = self.fresh, self.fresh + 1
        self.fresh += 400
        n = self.rng.choice([1, 1, 2, 5])

        def apply(model):
            parents = sorted(row.id for row in model.rows["t"].values() if row.id % n == 0)
            rows = [Row(first + i, 0, 0, parent, "c") for i, parent in enumerate(parents[:400])]
            model.insert("c", rows)

        return Write(
            f"INSERT INTO c (id, k, v, ref) SELECT {first} + row_number() OVER (ORDER BY id) - 1, 0, 0, id FROM t "
            f"WHERE id % {n} = 0 ORDER BY id LIMIT 400", apply)

    def ids(self):
        rng = self.rng
        low = rng.randrange(1, max(self.fresh, 2))
        return low, low + rng.choice([0, 20, 100, 300])

    def merge(self):
        rng, name = self.rng, "t"
        low, high = self.ids()
        sql, rows = self.rows("t")
        act = rng.choice(["UPDATE SET v = t.v + 1", "DELETE", "UPDATE SET v = 0"])
        moves = rng.random() < 0.1
        if moves:
            to, values = self.values("t")
            act = f"UPDATE SET {to.replace('= id', '= t.id').replace('= v', '= t.v').replace('(k', '(t.k')}"
        other = rng.choice(["", "", f" WHEN MATCHED THEN {rng.choice(['DELETE', 'UPDATE SET k = 5', 'DO NOTHING'])}"])
        adds = self.shape.keyed and rng.random() < 0.4
        first = self.fresh
        if adds:
            # Rows that are not there, so that their keys are free.
            self.fresh += 30
            high = max(high, self.fresh - 1) if rng.random() < 0.3 else high
        source = f"SELECT generate_series({low}, {high}) AS i"
        if adds:
            last = self.fresh
            source += f" UNION SELECT generate_series({first}, {last - 1})"
            self.fresh = max(self.fresh, high + 1)
        ids = set(range(low, high + 1)) | (set(range(first, last)) if adds else set())
        left, left_rows, left_act = "", None, None
        if self.version >= 17 and rng.random() < 0.25:
            left, left_rows = self.rows("t")
            left_act = rng.choice(["DELETE", "UPDATE SET v = 0"])
            left = f" WHEN NOT MATCHED BY SOURCE AND {left} THEN {left_act}"
        text = (f"MERGE INTO {name} USING ({source}) AS s ON t.id = s.i WHEN MATCHED AND {sql} THEN {act}{other}{left}"
                + (" WHEN NOT MATCHED THEN INSERT (id, k, v) VALUES (s.i, 1, 1)" if adds else ""))
        actions = {"UPDATE SET v = t.v + 1": lambda r: r._replace(v=r.v + 1), "DELETE": lambda r: None,
                   "UPDATE SET v = 0": lambda r: r._replace(v=0), "UPDATE SET k = 5": lambda r: r._replace(k=5)}
        if moves:
            actions[act] = lambda r: r._replace(**values(r))
        second = other.removeprefix(" WHEN MATCHED THEN ")

        def apply(model):
            matched = {n: row for n, row in model.seen(name).items() if row.id in ids}
            changes = {}
            for n, row in matched.items():
                if rows(row):
                    changes[n] = actions[act](row)
                elif second and second != "DO NOTHING":
                    changes[n] = actions[second](row)
            there = {row.id for row in matched.values()}
            if left:
                changes |= {n: actions[left_act](row) for n, row in model.seen(name).items()
                            if n not in matched and left_rows(row)}
            model.write(name, "merge", changes)
            if adds:
                by = "moving merge" if moves and to.startswith("id") else "merge"
                model.insert("t", [Row(i, 1, 1, None, self.shape.part(i)) for i in sorted(ids - there)], by)

        return Write(text, apply)

    def upsert(self):
        rng = self.rng
        low, high = self.ids()
        self.fresh = max(self.fresh, high + 1)
        sql, rows = self.rows("t") if rng.random() < 0.4 else ("", lambda r: True)

        def apply(model):
            there = {row.id: n for n, row in model.seen("t").items()}
            found = {there[i]: model.rows["t"][there[i]] for i in range(low, high + 1) if i in there}
            model.write("t", "upsert", changed({n: r for n, r in found.items() if rows(r)}, v=7))
            model.insert("t", [Row(i, 2, 0, None, self.shape.part(i)) for i in range(low, high + 1) if i not in there])

        return Write(
            f"INSERT INTO t (id, k, v) SELECT g, 2, 0 FROM generate_series({low}, {high}) g ON CONFLICT (id) DO UPDATE "
            f"SET v = 7{f' WHERE {sql}' if sql else ''}", apply)

    def logged(self):
        rng = self.rng
        low, high = self.ids()
        times = rng.choice([1, 1, 3])
        if rng.random() < 0.4:
            high, times = low, rng.choice([1, 50, 200])

        def apply(model):
            found = {n: row for n, row in model.seen("t").items() if low <= row.id <= high}
            model.write("t", "update", changed(found, v=lambda r: r.v + times))

        rows = f"SELECT g FROM generate_series({low}, {high}) g, generate_series(1, {times})"
        return Write(f"INSERT INTO log {rows}", apply)

    def rewrite(self):
        """All rows get new versions, and none is written; of those of the sum's nothing tells that they are."""
        def apply(model):
            own = model.sum.made | set().union(*model.sum.counted.values())
            model.sum.unsure.update(dict.fromkeys(own & set(model.rows["t"])))

        return Write("ALTER TABLE t ALTER v TYPE int USING v + 0", apply)

    def truncate(self):
        names = [n for n in self.shape.names if not n.startswith("ONLY")]
        name = self.rng.choice(["c", "c", *names])
        cascades = name != "c" and self.shape.on_delete and self.rng.random() < 1
        if cascades and name != "t":
            name = "t"

        def apply(model):
            for one in [name, "c"] if cascades else [name]:
                model.write(one, "truncate", dict.fromkeys(model.seen(one)))

        return Write(f"TRUNCATE {name}{' CASCADE' if cascades else ''}", apply)
