"""Random statements over the tables of truth_tables.py, each with what docs/rules.md says of its conditions.

A Piece is one DELETE, UPDATE, MERGE, upsert or TRUNCATE; a Statement is what the client sends: a piece, or several in a
CTE, a DO block, functions. A condition comes with whether it restricts the rows of its target, `a`.
"""

from dataclasses import dataclass, field

COMMANDS = ("delete", "update", "merge", "truncate", "upsert")


@dataclass
class Piece:
    sql: str
    command: str
    table: object
    name: str  # of the sum: the table, the table alone, a partition, a view with INSTEAD OF triggers
    restricts: bool = True
    returns: bool = False

    @property
    def direct(self):
        """What has to be said before it, so that its rows are noted by this command and name."""
        table = self.name if self.name.endswith("_instead") else self.table.name
        return f"set_config('fz.as_{table}', '{self.command} {self.name}', true)"


@dataclass
class Statement:
    sql: str
    pieces: list
    values: list = None  # of its parameters, where it has some
    simple: bool = False  # one piece alone
    undoes: bool = False  # subtransactions that are rolled back
    functions: str = ""  # to be made before

    def unqualified(self, commands):
        return [piece for piece in self.pieces if not piece.restricts and piece.command in commands]


class Writer:
    def __init__(self, rng, tables, version, commands=COMMANDS):
        self.rng, self.tables, self.version, self.commands = rng, tables, version, commands

    def number(self, most=60, least=0):
        return self.rng.randint(least, most)

    # --- conditions

    def condition(self, t, instead=False, depth=0):
        """SQL, and whether it restricts."""
        rng, r = self.rng, self.rng.random()
        if depth < 2 and r < 0.2:
            p, p_restricts = self.condition(t, instead, depth + 1)
            if r < 0.12:
                q, q_restricts = self.condition(t, instead, depth + 1)
                return f"({p} AND {q})", p_restricts or q_restricts
            return f"({p} OR (a.s = 's{self.number(5)}' AND a.ref IS NOT NULL))", p_restricts
        if r < 0.8:
            return f"({self.restricting(t)})", True
        return f"({rng.choice(self.free(t, instead))})", False

    def restricting(self, t):
        rng, n, u = self.rng, self.number, self.rng.choice(self.tables).name
        return rng.choice(
            [
                f"a.id > {n()}",
                f"a.id <= {n()}",
                f"a.id = {n()}",
                f"a.id IN ({', '.join(str(n(60, 1)) for _ in range(n(12, 1)))})",
                f"a.k = {n(9)}",
                f"a.k < {n(9)}",
                f"a.v IS NULL OR a.v > {n(7)}",
                "a.s LIKE 's%'",
                f"a.s = 's{n(5)}'",
                "a.b",
                "a.b IS NOT TRUE",
                "a.ref IS NOT NULL",
                f"EXISTS (SELECT 1 FROM {u} e WHERE e.id = a.id AND e.k < {n(9, 1)})",
                f"NOT EXISTS (SELECT 1 FROM {u} e WHERE e.ref = a.id)",
                f"a.id IN (SELECT e.ref FROM {u} e)",
                f"a.id = ANY (ARRAY(SELECT e.id FROM {u} e WHERE e.k > {n(9)}))",
                f"a.k BETWEEN {n(5)} AND {n(9, 3)}",
                f"a.k <> {n(9, 1)}",
                f"(a.id, a.k) IN (SELECT e.id, e.k FROM {u} e)",
                "a.id IN (SELECT gone_id FROM gone)",
                "a.v > 1 AND true",
                f"a.id < coalesce(NULL, {n()})",
                f"a.id::text = '{n()}'",
                f"a.uid % 2 = {n(1)}",
            ]
        )

    def free(self, t, instead):
        """What restricts nothing. Of a parent's NOT NULL its children need not know, of a view's column nothing is "
        "known."""
        u = self.rng.choice(self.tables).name
        c = self.rng.choice(["id", "k", "v", "s"])
        choices = [
            "true",
            "1 = 1",
            "NOT false",
            "now() > '2000-01-01'",
            f"EXISTS (SELECT 1 FROM {u})",
            "random() < 2",
            f"a.{c} = a.{c}",
            f"a.{c} <= a.{c}",
            f"a.{c} = coalesce(NULL, a.{c})",
            f"a.{c} IN (SELECT a.{c} FROM gone)",
            f"a.{c} = ANY (SELECT a.{c} FROM gone)",
            f"a.{c} = ANY (ARRAY(SELECT a.{c} FROM gone))",
            "a.id::bigint IN (SELECT a.id FROM gone)",
            "a.id IN (SELECT x.id FROM (SELECT a.id FROM gone) x)",
            'a.s COLLATE "C" IN (SELECT a.s FROM gone)',
            "a.id = (SELECT a.id FROM gone LIMIT 1)",
            "(a.id, a.k) IN (SELECT a.id, a.k FROM gone)",
            "EXISTS (SELECT 1 FROM gone WHERE a.k = a.k)",
            "a.v IS NULL OR a.v IS NOT NULL",
        ]
        if not t.inherited and t.kind != "foreign" and not instead:
            choices += ["a.id IS NOT NULL", "a.k IS NOT NULL AND true", "a.id > 5 OR a.id <= 5"] + [
                "a.v IS NOT NULL"
            ] * t.v_not_null
            choices += ["a.id >= 0", "a.k > -1"] * (t.check.startswith("id"))
        return choices

    def assignments(self, t):
        rng = self.rng
        choices = [
            "v = coalesce(a.v, 0) + 1",
            "s = a.s || 'x'",
            "b = NOT a.b",
            "v = 5, s = 'q'",
            "s = repeat('y', 3000)",
            "(v, s) = (SELECT 3, 'm')",
            "v = nextval('fz.tick')",
        ]
        if t.partitioned:
            choices += ["k = (a.k + 4) % 10", "k = 1"]
        else:
            choices += ["k = a.k + 1", "id = a.id + 1000"]
        return rng.choice(choices)

    # --- pieces

    def target(self, t, top):
        """What the statement names, the sum's name, whether that restricts by itself, whether it has INSTEAD OF "
        "triggers."""
        rng = self.rng
        if t.views and rng.random() < 0.5:
            view = rng.choice(t.views)
            return view.name, view.name if view.instead else t.name, view.restricts, view.instead
        own = t.security and self.tables.role != ""
        if t.inherited and t.reference:
            return f"ONLY {t.name}", f"{t.name}_only", own, False
        if top and t.inherited and rng.random() < 0.4:
            return f"ONLY {t.name}", f"{t.name}_only", own, False
        if top and t.parts and not t.foreign and not t.rule and rng.random() < 0.15:
            part = rng.choice(t.parts)
            return part, part, False, False
        return t.name, t.name, own, False

    def piece(self, tables, top=False, unqualified=True):
        for _ in range(50):
            piece = self.any_piece(self.rng.choice(tables), top)
            if unqualified or piece.restricts:
                return piece
        t = tables[0]
        return Piece(f"DELETE FROM {t.name} a WHERE a.id > 30", "delete", t, t.name)

    def any_piece(self, t, top):
        rng, r = self.rng, self.rng.random()
        relation, name, restricts, instead = self.target(t, top)
        if r < 0.75 or relation != t.name:
            return self.write(t, top, relation, name, restricts, instead)
        if r < 0.9:
            return self.merge(t, top, restricts)
        if r < 0.96 and t.key and not t.rule and "upsert" in self.commands:
            u = rng.choice(self.tables).name
            source = rng.choice(
                [
                    f"SELECT DISTINCT id, 1 FROM {u} WHERE k < {self.number(9)}",
                    f"SELECT g, g % 10 FROM generate_series(1, {self.number(80, 1)}) g",
                ]
            )
            where = f" WHERE {self.condition(t)[0]}" if rng.random() < 0.4 else ""
            update = f"ON CONFLICT (id) DO UPDATE SET {self.assignments(t)}{where}"
            sql = f"INSERT INTO {t.name} AS a (id, k) {source} {update}"
            return Piece(sql, "upsert", t, t.name)
        if r < 0.99 and top and not self.tables.counted and not self.tables.role:
            only = "ONLY " if t.inherited and rng.random() < 0.3 else ""
            return Piece(f"TRUNCATE {only}{t.name} CASCADE", "truncate", t, f"{t.name}_only" if only else t.name)
        return self.write(t, top, relation, name, restricts, instead)

    def write(self, t, top, relation, name, restricts, instead):
        """A DELETE or an UPDATE, alone or joined."""
        rng = self.rng
        where, qualified = self.condition(t, instead)
        returning = rng.choice(["", "", " RETURNING a.*", " RETURNING a.id, a.v"]) if top else ""
        if returning and self.version >= 18 and rng.random() < 0.4:
            returning = " RETURNING old.id, new.id, old.v, new.v, old.s"
        joined = rng.random() < 0.3
        if joined:
            on, tied = rng.choice(
                [
                    ("a.id = j.id", 1),
                    ("a.k = j.k", 1),
                    ("j.ref = a.id", 1),
                    ("a.id > j.id AND j.id < 8", 1),
                    ("j.k = 3", 0),
                ]
            )
            more = rng.random() < 0.5
            where, qualified = f"{on} AND {where}" if more else on, bool(tied) or more and qualified
        elif rng.random() < 0.05:
            where, qualified = "", False
        where = f" WHERE {where}" if where else ""
        u = f"{rng.choice(self.tables).name} j" if joined else ""
        if rng.random() < 0.5:
            sql = f"DELETE FROM {relation} a{u and ' USING ' + u}{where}{returning}"
            return Piece(sql, "delete", t, name, restricts or qualified, bool(returning))
        sets = self.assignments(t)
        if "tick" in sets and returning:
            returning = f" RETURNING a.id, a.v, currval('fz.tick')"
        return Piece(
            f"UPDATE {relation} a SET {sets}{u and ' FROM ' + u}{where}{returning}",
            "update",
            t,
            name,
            restricts or qualified,
            bool(returning),
        )

    def merge(self, t, top, restricts):
        rng, u = self.rng, self.rng.choice(self.tables).name
        source, on, tied = rng.choice(
            [
                (f"(SELECT id, min(k) k FROM {u} GROUP BY id)", "a.id = j.id", True),
                (f"(SELECT g AS id, g % 10 AS k FROM generate_series(1, {self.number(80, 1)}) g)", "a.id = j.id", True),
                (
                    f"(SELECT g AS id, g % 10 AS k FROM generate_series(1, {self.number(80, 1)}) g)",
                    f"a.id = j.id AND {self.condition(t)[0]}",
                    True,
                ),
                ("(SELECT 1 AS id, 2 AS k)", rng.choice(["true", "j.id = 1"]), False),
            ]
        )
        actions, qualified = [], True
        matches = ["WHEN MATCHED"] * rng.randint(1, 2) + ["WHEN NOT MATCHED BY SOURCE"] * (
            self.version >= 17 and rng.random() < 0.3
        )
        for match in matches:
            own, own_restricts = self.condition(t) if rng.random() < 0.6 else ("", False)
            action = rng.choice(["DELETE", f"UPDATE SET {self.assignments(t)}", "DO NOTHING"])
            actions.append(f"{match}{own and ' AND ' + own} THEN {action}")
            # ON true leaves nothing to NOT MATCHED BY SOURCE, which is to say false.
            never = match != "WHEN MATCHED" and on == "true"
            qualified &= tied or own_restricts or never or action == "DO NOTHING"
        if rng.random() < 0.3:
            actions.append("WHEN NOT MATCHED THEN INSERT (id, k, v) VALUES (j.id + 2000, j.k, 1)")
        returning = " RETURNING merge_action(), a.id" if self.version >= 17 and top and rng.random() < 0.4 else ""
        return Piece(
            f"MERGE INTO {t.name} a USING {source} j ON {on} {' '.join(actions)}{returning}",
            "merge",
            t,
            t.name,
            restricts or qualified,
            bool(returning),
        )

    # --- statements

    def statement(self):
        r = self.rng.random()
        if r < 0.5:
            piece = self.piece(self.tables, top=True)
            return Statement(piece.sql, [piece], simple=True)
        if r < 0.62:
            return self.cte()
        if r < 0.8:
            return self.block()
        return self.functions() if r < 0.9 else self.parameters()

    def cte(self):
        first, second = self.rng.sample(self.tables, 2)
        a, b = self.piece([first]), self.piece([second])
        if self.version < 17 and "merge" in (a.command, b.command) or "truncate" in (a.command, b.command):
            return self.block()
        returning = "" if a.command == "truncate" else " RETURNING a.id"
        r = self.rng.random()
        if r < 0.4:
            return Statement(f"WITH x AS ({a.sql}{returning}), y AS ({b.sql}) SELECT count(*) FROM x", [a, b])
        if r < 0.7:
            return Statement(f"WITH x AS ({a.sql}{returning}) {b.sql}", [a, b])
        name = second.nested
        relation = f"ONLY {second.name}" if name != second.name else second.name
        b = Piece(f"DELETE FROM {relation} a WHERE a.id IN (SELECT id FROM x)", "delete", second, name)
        return Statement(f"WITH x AS ({a.sql}{returning}) {b.sql}", [a, b])

    def block(self):
        """A DO block: loops of point writes, what is caught and undone, what a cursor returns, tables of this "
        "transaction."""
        rng, n = self.rng, self.number
        pieces, parts, undoes = [], [], False

        def put(piece):
            pieces.append(piece)
            return f"PERFORM {piece.direct}; {piece.sql};"

        def point(command, sql, t):
            relation = f"ONLY {t.name}" if t.nested != t.name else t.name
            return put(Piece(sql.format(relation), command, t, t.nested))

        for _ in range(n(3, 1)):
            r, t, (low, high) = rng.random(), rng.choice(self.tables), sorted((n(60, 1), n(60, 1)))
            if r < 0.3:
                body = rng.choice(
                    [
                        ("delete", "DELETE FROM {} WHERE id = i"),
                        ("update", "UPDATE {} SET v = 1 WHERE id = i"),
                        ("update", "UPDATE {} SET v = 1 WHERE k = i"),
                        ("delete", "EXECUTE $e$DELETE FROM {} WHERE id = $1$e$ USING i"),
                    ]
                )
                parts.append(f"FOR i IN {low}..{high} LOOP {point(*body, t)} END LOOP;")
            elif r < 0.55 and self.tables.counted:
                undoes, rows = True, rng.choice(["i IS NOT NULL", "i % 2 = 0"])
                parts.append(
                    f"FOR i IN 1..{n(5, 1)} LOOP BEGIN {put(self.piece(self.tables, unqualified=False))} IF {rows} "
                    f"THEN RAISE EXCEPTION 'u'; END IF;"
                    " EXCEPTION WHEN raise_exception THEN NULL; END; END LOOP;"
                )
            elif r < 0.65:
                relation = f"ONLY {t.name}" if t.nested != t.name else t.name
                delete = Piece(f"DELETE FROM {relation} WHERE id <= {high} RETURNING id", "delete", t, t.nested)
                pieces.append(delete)
                parts.append(
                    f"PERFORM {delete.direct}; FOR q IN {delete.sql} LOOP "
                    f"{point('update', 'UPDATE {} SET v = 2 WHERE id = q.id + 20', t)} END LOOP;"
                )
            elif r < 0.75:
                parts.append(
                    f"DROP TABLE IF EXISTS made; CREATE TABLE made AS SELECT * FROM {t.name}; DELETE FROM made "
                    f"WHERE id > {n()}; UPDATE made SET v = 1; DELETE FROM made;"
                )
            else:
                parts.append(put(self.piece(self.tables, top=self.tables.counted, unqualified=rng.random() < 0.2)))
        if any(piece.returns for piece in pieces):
            return self.block()
        return Statement("DO $d$ DECLARE q record; BEGIN " + " ".join(parts) + " END $d$", pieces, undoes=undoes)

    def functions(self):
        rng, n = self.rng, self.number
        t, other = rng.choice(self.tables), self.piece(self.tables, unqualified=False)
        relation = f"ONLY fz.{t.name}" if t.nested != t.name else f"fz.{t.name}"
        functions = f"""DROP FUNCTION IF EXISTS fz.f1(int), fz.f2(int), fz.f3(int);
            CREATE FUNCTION fz.f1(i int) RETURNS int LANGUAGE sql AS $$
              SELECT fz.direct('{t.name}', 'delete {t.nested}'); DELETE FROM {relation} WHERE id = i RETURNING id $$;
            CREATE FUNCTION fz.f2(i int) RETURNS int LANGUAGE plpgsql AS $$ BEGIN
              PERFORM {other.direct}; {other.sql};
              PERFORM fz.direct('{t.name}', 'update {t.nested}'); 
              UPDATE {relation} SET v = 1 WHERE id = i; RETURN i; END $$;
            CREATE FUNCTION fz.f3(i int) RETURNS SETOF int BEGIN ATOMIC
              SELECT fz.direct('{t.name}', 'update {t.nested}');
              UPDATE {relation} SET s = 'f' WHERE k = i RETURNING id; END"""
        own = [Piece("", "delete", t, t.nested), Piece("", "update", t, t.nested)]
        sql = rng.choice(
            [
                f"SELECT f1(g) FROM generate_series(1, {n(40, 1)}) g",
                f"SELECT f2(g) FROM generate_series(1, {n(4, 1)}) g",
                f"SELECT f3(g) FROM generate_series(0, {n(9)}) g",
                f"SELECT count(*) FROM f3({n(9)})",
                f"SELECT f1(g), f3(g) FROM generate_series(1, {n(9, 1)}) g",
            ]
        )
        return Statement(sql, [*own, other] if "f2" in sql else own, functions=functions)

    def parameters(self):
        rng, t = self.rng, self.rng.choice(self.tables)
        value = rng.choice([None, str(self.number())])
        name = t.nested
        relation = f"ONLY {t.name}" if name != t.name else t.name
        where, restricts = rng.choice(
            [
                ("a.id = $1::int", True),
                ("a.id > $1::int", True),
                ("a.id <= $1::int", True),
                ("$1::int IS NULL OR a.id = $1", value is not None),
                ("a.id = coalesce($1::int, a.id)", value is not None),
                ("a.k = $1::int OR a.id < 5", True),
                ("$1::int = $1::int", value is None),
                ("a.id = ANY ($1::int[])", True),
            ]
        )
        if "ANY" in where:
            value = "{" + ", ".join(str(self.number(60, 1)) for _ in range(self.number(30))) + "}"
        if t.security and self.tables.role:
            restricts = True
        command, sql = rng.choice(
            [
                ("delete", f"DELETE FROM {relation} a"),
                ("update", f"UPDATE {relation} a SET v = 3"),
                ("update", f"UPDATE {relation} a SET s = 'p' || a.id"),
            ]
        )
        piece = Piece(f"{sql} WHERE {where}", command, t, name, restricts)
        return Statement(piece.sql, [piece], values=[value], simple=True)
