#!/usr/bin/env python3
"""Shares of tables against count(*), on the server of PGHOST; tests/long/fuzz/run starts both.

A table lives through a random history: inserts, updates, deletes, transactions that are rolled back, VACUUM, ANALYZE,
statistics that are reset, a second session. Now and then a write of known rows comes under random bounds. It has to be
refused exactly where its rows are more than min_rows and more than max_fraction of count(*), when tried again too, and
DETAIL has to tell count(*).

Case SEED/NUMBER is the same on every machine.
"""

import argparse, random, re, sys, time
from fractions import Fraction
from wire import Session

KINDS = {
    "heap": "CREATE TABLE t (id int PRIMARY KEY, v int, w text)",
    "sparse": "CREATE TABLE t (id int PRIMARY KEY, v int, w text, a text, b text, c text, d text, e text, f text)",
    "wide": "CREATE TABLE t (id int PRIMARY KEY, v int, w text) WITH (fillfactor = 20)",
    "unlogged": "CREATE UNLOGGED TABLE t (id int PRIMARY KEY, v int, w text)",
    "partitioned": "CREATE TABLE t (id int PRIMARY KEY, v int, w text) PARTITION BY RANGE (id);"
    "CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (MINVALUE) TO (700);"
    "CREATE TABLE t2 PARTITION OF t FOR VALUES FROM (700) TO (1500);"
    "CREATE TABLE t3 PARTITION OF t FOR VALUES FROM (1500) TO (MAXVALUE)",
    "inherited": "CREATE TABLE t (id int, v int, w text); CREATE TABLE t1 () INHERITS (t); CREATE TABLE t2 () INHERITS "
                 "(t1);"
    "CREATE RULE spread AS ON INSERT TO t WHERE NEW.id % 3 = 0 DO INSTEAD INSERT INTO t1 VALUES (NEW.*)",
}
WRITES = {
    "delete": "DELETE FROM t WHERE {rows}",
    "update": "UPDATE t SET v = v + 1 WHERE {rows}",
    "key": "UPDATE t SET id = -id WHERE {rows}",
    "join": "DELETE FROM t USING generate_series(1, 3) AS s WHERE t.id > s - 10 AND {rows}",
    "cte": "WITH gone AS (DELETE FROM t WHERE {rows} RETURNING 1) SELECT count(*) FROM gone",
    "merge update": "MERGE INTO t USING (SELECT id AS i FROM t WHERE {rows}) AS s ON t.id = s.i WHEN MATCHED THEN "
                    "UPDATE SET v = 0",
    "merge delete": "MERGE INTO t USING (SELECT id AS i FROM t WHERE {rows}) AS s ON t.id = s.i WHEN MATCHED THEN "
                    "DELETE",
    "upsert": "INSERT INTO t SELECT id, 0, w FROM t WHERE {rows} ON CONFLICT (id) DO UPDATE SET v = EXCLUDED.v",
    "loop": "DO $$ DECLARE i int; BEGIN FOR i IN SELECT id FROM t WHERE {rows} LOOP DELETE FROM t WHERE id = i;"
    " END LOOP; END $$",
    "loop update": "DO $$ DECLARE i int; BEGIN FOR i IN SELECT id FROM t WHERE {rows} LOOP UPDATE t SET v = 0 WHERE id "
                   "= i;"
    " END LOOP; END $$",
}
FRACTIONS = ["0", "0.01", "0.07", "0.1", "0.29", "0.3333", "0.5", "0.58", "0.75", "0.9", "0.99"]


class History:
    def __init__(self, seed, database):
        self.rng, self.seed = random.Random(f"sizes {seed}"), seed
        self.session, self.other = Session("postgres", database), Session("postgres", database)
        self.kind = self.rng.choice(list(KINDS))
        self.log = []
        self.next = 1
        self.say("DROP TABLE IF EXISTS t CASCADE; SET client_min_messages = error")
        self.say("DEALLOCATE ALL; RESET ALL; SET client_min_messages = error")
        self.say(KINDS[self.kind])
        self.say("SET safedelete.commands = 'delete, update, merge, upsert'")
        for session in (self.session, self.other):
            session.query("SET safedelete.mode = off")

    def say(self, sql, session=None):
        self.log.append(sql if session is None else f"/* other */ {sql}")
        result = (session or self.session).query(sql)
        if result.error:
            raise SystemExit(f"{self.seed}: {sql}: {result.describe()}")
        return result.rows

    def count(self, rows="true"):
        return int(self.session.query(f"SELECT count(*) FROM t WHERE {rows}").rows[0][0])

    def rows(self):
        """A condition on some of the rows."""
        rng, last = self.rng, max(self.next, 2)
        low = rng.randrange(-last, last)
        return rng.choice(
            [
                f"id <= {rng.randrange(1, last)}",
                f"id > {rng.randrange(1, last)}",
                f"id BETWEEN {low} AND {low + rng.randrange(1, last)}",
                f"id % {rng.randrange(2, 12)} = 0",
                f"id % 10 < {rng.randrange(1, 11)}",
                "id IS DISTINCT FROM NULL AND v IS NOT NULL",
            ]
        )

    def insert(self):
        first, self.next = self.next, self.next + self.rng.choice([1, 30, 200, 600])
        filler = self.rng.choice(["NULL", "repeat('x', 20)", "repeat('x', 400)"])
        return f"INSERT INTO t (id, v, w) SELECT g, g, {filler} FROM generate_series({first}, {self.next - 1}) g"

    def step(self):
        rng = self.rng
        session = rng.choice([None, None, self.other])
        act = rng.choice(["insert"] * 4 + ["update"] * 2 + ["delete"] * 3 + ["undone"] * 3 + ["keep"] * 5)
        change = lambda: rng.choice(
            [self.insert(), f"UPDATE t SET v = v + 1 WHERE {self.rows()}", f"DELETE FROM t WHERE {self.rows()}"]
        )
        if act == "insert":
            self.say(self.insert(), session)
        elif act == "update":
            self.say(f"UPDATE t SET v = v + 1 WHERE {self.rows()}", session)
        elif act == "delete":
            self.say(f"DELETE FROM t WHERE {self.rows()}", session)
        elif act == "undone":
            self.say("BEGIN", session)
            for _ in range(rng.randrange(1, 4)):
                self.say(change(), session)
            if rng.random() < 0.3:
                self.say("SAVEPOINT s", session)
                self.say(change(), session)
                self.say("ROLLBACK TO s", session)
            self.say(rng.choice(["ROLLBACK", "ROLLBACK", "COMMIT"]), session)
        else:
            keep = [
                "VACUUM t",
                "VACUUM (FREEZE) t",
                "ANALYZE t",
                "VACUUM ANALYZE t",
                "SELECT pg_stat_reset()",
                "TRUNCATE t",
                "CHECKPOINT",
            ]
            self.say(rng.choices(keep, [4, 1, 4, 3, 1, 1, 1])[0], session)
        if session is not None:
            # What another session has deleted reaches the statistics when it next is idle for a second.
            session.query("SELECT pg_stat_force_next_flush()")

    def bounds(self, reached, total):
        rng = self.rng
        fraction = rng.choice(FRACTIONS)
        if total and rng.random() < 0.5:
            # Near the limit.
            near = Fraction(reached, total) + Fraction(rng.randrange(-3, 4), 1000)
            fraction = f"{float(min(max(near, 0), Fraction(99, 100))):.3f}"
        return fraction, rng.choice([0, 0, 10, 100, 1000])

    def check(self):
        """A write of known rows; what is wrong with what became of it."""
        rng, rows = self.rng, self.rows()
        # The inherited table has a rule, and no key.
        names = [name for name in WRITES if self.kind != "inherited" or not re.match("merge|upsert", name)]
        name = rng.choice(names)
        total, reached = self.count(), self.count(rows)
        fraction, min_rows = self.bounds(reached, total)
        over = reached > min_rows and reached > Fraction(fraction) * total
        statement = WRITES[name].format(rows=rows)
        self.say(
            f"SET safedelete.max_fraction = {fraction}; SET safedelete.min_rows = {min_rows}; SET safedelete.mode = "
            f"enforce"
        )
        isolation = rng.choice(["", "", " ISOLATION LEVEL REPEATABLE READ", " ISOLATION LEVEL SERIALIZABLE"])
        problems = []
        for attempt in range(rng.choice([1, 3])):
            self.say("BEGIN" + isolation)
            self.log.append(statement)
            result = self.session.query(statement)
            state = result.state
            if over and state != "SD001":
                problems.append(f"not refused at attempt {attempt + 1}: {result.describe()}")
            elif not over and state:
                problems.append(f"refused at attempt {attempt + 1}: {result.describe()}; {result.error.get('D')}")
            elif over:
                told = re.search(r"holds (at least |about )?(\d+) row", result.error["D"])
                if not told or told[1] == "about " or (int(told[2]) > total if told[1] else int(told[2]) != total):
                    problems.append(f"DETAIL is not true: {result.error['D']}")
            self.say("ROLLBACK")
        self.say("SET safedelete.mode = off")
        facts = f"{name}: {reached} of {total}, max_fraction {fraction}, min_rows {min_rows}"
        return over, [f"{problem} ({facts})" for problem in problems]

    def close(self):
        self.session.close()
        self.other.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--count", type=int, default=600, help="writes that are judged")
    parser.add_argument("--only", help="a history: SEED/NUMBER")
    options = parser.parse_args()
    first = Session("postgres", "postgres")
    first.query("DROP DATABASE IF EXISTS fuzz_sizes WITH (FORCE)")
    first.query("CREATE DATABASE fuzz_sizes")
    first.close()
    print(f"seed {options.seed}")
    judged = refused = failed = number = 0
    while judged < options.count:
        number += 1
        history = History(options.only or f"{options.seed}/{number}", "fuzz_sizes")
        for _ in range(history.rng.randrange(3, 12)):
            for _ in range(history.rng.randrange(1, 4)):
                history.step()
            over, problems = history.check()
            judged, refused = judged + 1, refused + over
            if problems:
                failed += 1
                print(
                    f"not ok - {history.seed} ({history.kind})", *problems, *history.log[-25:], sep="\n    ", flush=True
                )
                break
        history.close()
        if options.only:
            break
    print(f"{refused} of {judged} writes were to be refused")
    print(f"{judged - failed} passed, {failed} failed")
    sys.exit(failed > 0)


main()
