#!/usr/bin/env python3
"""Two sessions: the first holds changes, the second's statement waits for it, the first ends; tests/long/fuzz/run
starts it.

What the second then sees, follows, skips or raises (EvalPlanQual, serialization failures, SKIP LOCKED) must be the same
with the guard on and off. It fails where the outcome of the second statement, or what the tables then hold, differs.
"""

import argparse, os, random, threading, time
import truth_oracle as oracle
from truth import Run
from wire import Lost, Session

TABLES = """
CREATE TABLE t (id int PRIMARY KEY, k int, v int, s text);
CREATE TABLE u (id int, k int, w int);
CREATE TABLE pt (id int, k int, v int, s text) PARTITION BY LIST (k);
CREATE TABLE pt0 PARTITION OF pt FOR VALUES IN (0, 1, 2);
CREATE TABLE pt1 PARTITION OF pt DEFAULT;
CREATE TABLE ch (id int, tid int REFERENCES t ON DELETE CASCADE ON UPDATE CASCADE);
"""
ROWS = """
SET safedelete.mode = off;
TRUNCATE t, u, pt, ch;
INSERT INTO t SELECT g, g % 5, 0, repeat('s', CASE g WHEN 3 THEN 20000 ELSE 3 END) FROM generate_series(1, 12) g;
INSERT INTO u SELECT g, g % 5, g FROM generate_series(1, 12) g;
INSERT INTO pt SELECT g, g % 5, 0, 'x' FROM generate_series(1, 12) g;
INSERT INTO ch SELECT g, g FROM generate_series(1, 12) g;
ANALYZE t, u, pt, ch;
"""
PLANS = [
    "SET enable_seqscan = on",
    "SET enable_hashjoin = off; SET enable_mergejoin = off",
    "SET enable_hashjoin = off; SET enable_nestloop = off",
    "SET enable_seqscan = off",
    "SET work_mem = 64",
    "SET enable_material = off; SET enable_sort = off",
]


class Case:
    def __init__(self, seed, version):
        rng = self.rng = random.Random(f"concurrent {seed}")
        self.version = version
        self.first, self.second = self.holding(), self.waiting()
        self.isolation = rng.choice(["READ COMMITTED"] * 3 + ["REPEATABLE READ", "SERIALIZABLE"])
        self.end, self.plan = rng.choice(["COMMIT"] * 4 + ["ROLLBACK"]), rng.choice(PLANS)
        # Around what the second selects, so that collecting stops and rows flow; it is never refused.
        self.limits = rng.choice(
            [
                "max_fraction = 0.99; SET safedelete.min_rows = 1000",
                "max_rows = 1000000",
                "allow_rows = -1",
                "max_rows = 40",
            ]
        )

    def n(self, least, most):
        return self.rng.randint(least, most)

    def holding(self):
        n, table = self.n, self.rng.choice(["t", "t", "pt"])
        return self.rng.choice(
            [
                f"UPDATE {table} SET v = v + 100 WHERE id = {n(1, 12)}",
                f"UPDATE {table} SET k = k + 1 WHERE id IN ({n(1, 6)}, {n(7, 12)})",
                f"DELETE FROM {table} WHERE id = {n(1, 12)}",
                f"UPDATE {table} SET k = {n(0, 4)} WHERE id < {n(2, 9)}",
                f"UPDATE t SET id = id + 100 WHERE id = {n(1, 12)}",
                f"UPDATE u SET k = k + 1 WHERE id = {n(1, 12)}",
                f"UPDATE {table} SET s = repeat('z', 9000) WHERE id = {n(1, 12)}",
                f"SELECT 1 FROM {table} WHERE id = {n(1, 12)} FOR UPDATE",
                f"DELETE FROM {table} WHERE k = {n(0, 4)}",
                f"INSERT INTO t VALUES ({n(1, 12)} + 1000, 1, 5, 'i')",
            ]
        )

    def waiting(self):
        n, one, table, a = self.n, self.rng.choice, self.rng.choice(["t", "t", "pt"]), self.n(1, 8)
        where = one(
            [
                f"a.id > {a}",
                f"a.k < {n(1, 4)}",
                "a.v < 50",
                f"a.id IN (SELECT id FROM u WHERE k > {n(0, 4)})",
                f"EXISTS (SELECT 1 FROM u WHERE u.id = a.id AND u.w > {a})",
                f"a.k = {n(0, 4)} AND a.v = 0",
                f"a.id > {a} AND a.v + (SELECT max(w) FROM u) > 3",
            ]
        )
        sets = one(
            [
                "v = a.v + 1",
                "k = (a.k + 2) % 5",
                "s = a.s || 'q', v = 7",
                "(v, k) = (SELECT u.w, u.k FROM u WHERE u.id = a.id)",
                "v = (SELECT count(*) FROM u WHERE u.k = a.k)",
            ]
        )
        returning = " RETURNING a.id, a.k, a.v, length(a.s)"
        locked = f"(SELECT id FROM {table} WHERE k < 4 ORDER BY id LIMIT 5 FOR UPDATE"
        choices = [
            f"DELETE FROM {table} a WHERE {where}{returning}",
            f"UPDATE {table} a SET {sets} WHERE {where}{returning}",
            f"UPDATE {table} a SET {sets} WHERE {where}{returning}",
            f"DELETE FROM {table} a USING u j WHERE a.k = j.k AND {where} RETURNING a.id, j.id",
            f"UPDATE {table} a SET v = a.v + j.w FROM u j WHERE a.k = j.k AND j.id <= {a} RETURNING a.id, a.v, j.w",
            f"UPDATE {table} a SET v = j.w FROM (SELECT id, max(w) w FROM u GROUP BY id) j WHERE a.id = j.id AND "
            f"{where} RETURNING a.*",
            f"UPDATE {table} a SET v = b.v + 1 FROM {one(['t', 'pt'])} b WHERE a.id = b.id AND b.k < 4 RETURNING "
            f"a.id, a.v, b.s",
            f"UPDATE {table} a SET v = 1 FROM u j LEFT JOIN t x ON x.id = j.id WHERE a.id = j.id AND {where} "
            f"RETURNING a.id, x.v",
            f"WITH d AS (DELETE FROM {table} a WHERE {where} RETURNING a.id) UPDATE u SET w = 0 WHERE id IN (SELECT "
            f"id FROM d) RETURNING u.*",
            f"DELETE FROM {table} a WHERE a.id IN {locked}){returning}",
            f"DELETE FROM {table} a WHERE a.id IN {locked} SKIP LOCKED){returning}",
            f"MERGE INTO {table} a USING u j ON a.id = j.id WHEN MATCHED AND {where} THEN UPDATE SET v = j.w WHEN "
            f"MATCHED AND a.k > 3 THEN DELETE"
            " WHEN NOT MATCHED THEN INSERT VALUES (j.id + 1000, j.k, 0, '')",
            f"MERGE INTO {table} a USING u j ON a.id = j.id AND a.k = j.k WHEN MATCHED THEN UPDATE SET k = (a.k + "
            f"1) % 5, v = a.v + 1 WHEN NOT MATCHED THEN INSERT VALUES (j.id + 1000, j.k, 0, '')",
            "INSERT INTO t SELECT id, k, w, 'n' FROM u ON CONFLICT (id) DO UPDATE SET v = t.v + excluded.v WHERE "
            "t.k < 3 RETURNING *",
            f"DO $d$ BEGIN FOR i IN {a}..12 LOOP UPDATE {table} SET v = v + 1 WHERE id = i; DELETE FROM {table} "
            f"WHERE id = i AND k = 3; END LOOP; END $d$",
        ]
        if self.version >= 17:
            choices.append(
                f"MERGE INTO {table} a USING (SELECT * FROM u WHERE id < {a}) j ON a.id = j.id WHEN MATCHED AND a.v "
                f"< 50 THEN UPDATE SET v = j.w"
                " WHEN NOT MATCHED BY SOURCE AND a.k > 2 THEN DELETE RETURNING merge_action(), a.*"
            )
        if self.version >= 18:
            choices.append(
                f"UPDATE {table} a SET {sets} WHERE {where} RETURNING old.id, new.id, old.v, new.v, old.k, new.k, "
                f"length(old.s)"
            )
        return one(choices)


class Sessions:
    def __init__(self, database):
        self.holder, self.waiter, self.watch = (Session("postgres", database) for _ in range(3))
        oracle.must(self.holder, "SET safedelete.mode = off")
        self.pid = oracle.must(self.waiter, "SELECT pg_backend_pid()")[0][0]

    def once(self, case, mode):
        """The second's outcome, and what is left; and whether it had to wait."""
        oracle.must(self.watch, ROWS)
        oracle.must(
            self.waiter,
            f"RESET ALL; SET safedelete.mode = {mode}; SET safedelete.commands = 'delete, update, merge, upsert'; "
            f"SET safedelete.{case.limits}; {case.plan}",
        )
        oracle.must(self.holder, f"BEGIN; {case.first}")
        answers = []
        thread = threading.Thread(target=lambda: answers.append(self.second(case)))
        thread.start()
        until = time.monotonic() + 3
        while thread.is_alive() and time.monotonic() < until:
            if (
                oracle.must(self.watch, f"SELECT wait_event_type FROM pg_stat_activity WHERE pid = {self.pid}")[0][0]
                == "Lock"
            ):
                break
            time.sleep(0.001)
        waited = thread.is_alive()
        oracle.must(self.holder, case.end)
        thread.join()
        left = [
            sorted(map(str, oracle.must(self.watch, f"SELECT tableoid::regclass, * FROM {table}")))
            for table in ("t", "u", "pt", "ch")
        ]
        return (answers[0] if answers else "lost", left), waited

    def second(self, case):
        try:
            self.waiter.query(f"BEGIN ISOLATION LEVEL {case.isolation}; SELECT 1 FROM t LIMIT 1")
            result = self.waiter.query(case.second)
            end = self.waiter.query("COMMIT")
        except Lost as lost:
            return str(lost)
        error = result.error or end.error
        # Where in PostgreSQL it was raised, and what is only a number of this run.
        return (
            {k: v for k, v in error.items() if k in "CMDHsnt"}
            if error
            else (result.tags, sorted(map(str, result.rows)))
        )


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--seed", type=int, help="the first seed; each is one case")
    p.add_argument("--seconds", type=float, default=float(os.environ.get("FUZZ_SECONDS", 60)))
    p.add_argument("--only", action="store_true", help="the first seed alone")
    a = p.parse_args()
    run = Run("fuzz_concurrent")
    run.say(TABLES)
    sessions = Sessions("fuzz_concurrent")

    def judge(seed, _):
        case = Case(seed, run.version)
        (off, waited), (on, _) = sessions.once(case, "off"), sessions.once(case, "enforce")
        run.count("waited" if waited else "did not wait")
        run.count("raised" if isinstance(off[0], dict) else "done")
        if off != on:
            (off, _), (on, _) = sessions.once(case, "off"), sessions.once(case, "enforce")
        run.passed, run.failed = run.passed + (off == on), run.failed + (off != on)
        if off != on:
            print(
                f"not ok - {seed}: {case.isolation}, {case.end}, {case.plan}, {case.limits}",
                case.first,
                case.second,
                f"off: {off}",
                f"on: {on}",
                sep="\n    ",
                flush=True,
            )

    run.go_through("concurrent", a, judge)


if __name__ == "__main__":
    main()
