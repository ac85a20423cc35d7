#!/usr/bin/env python3
"""Histories of tables that keep their rows: one or more declared statements, what others write beside or after them,
and then a restore; tests/long/fuzz/run starts it.

A history is one of three. Where nobody else writes, every table is as it was before. Where another session's change is
waited for, it is as that change alone leaves it. Where others write afterwards, `restore(…, 'skip')` leaves what they
wrote, and gives back all that they left alone; or it raises PostgreSQL's error for a row whose parent they took.

Seed N is the same history on every machine of the same major.
"""

import argparse, os, random, threading, time
import truth_oracle as oracle
from truth import Run
from wire import Session

TABLES = ("p", "c", "g", "pt", "bare", "counter")
# How many of the columns, after tableoid, tell a row from the others; pt's k is part of its key, and changes.
KEYS = {"p": 1, "c": 1, "g": 1, "pt": 1, "counter": 1}


class History:
    def __init__(self, seed, version):
        self.seed, self.version = seed, version
        rng = self.rng = random.Random(f"keep {seed}")
        self.kind = rng.choice(["alone"] * 3 + ["waits", "after"])
        self.triggers = self.kind == "alone" and rng.random() < 0.5
        self.keys_change = self.kind == "alone" and rng.random() < 0.4
        # What has all of a statement kept: a number, or rules that let it through.
        self.way = rng.choice(["keep_from", "budget", "warn", "bypass"])
        self.in_one_sum = rng.random() < 0.3
        self.statements = [self.statement() for _ in range(rng.choice([1, 1, 1, 2, 3]))]
        self.others = [self.other() for _ in range(rng.randint(1, 4))] if self.kind != "alone" else []

    def one(self, *choices):
        return self.rng.choice(choices)

    def n(self, least, most):
        return self.rng.randint(least, most)

    def tables(self):
        """The tables, and what fires on them."""
        deleted = self.one("CASCADE", "CASCADE", "SET NULL", "NO ACTION")
        own = self.one("CASCADE", "SET NULL")
        yield f"""
            DROP TABLE IF EXISTS p, c, g, pt, bare, counter CASCADE;
            CREATE TABLE p (id int PRIMARY KEY, k int, v int, s text, twice int GENERATED ALWAYS AS (v * 2) STORED);
            CREATE TABLE c (id int PRIMARY KEY, p int REFERENCES p ON DELETE {deleted} ON UPDATE CASCADE, v int,
                other int REFERENCES p ON DELETE SET NULL ON UPDATE CASCADE);
            CREATE TABLE g (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, v numeric,
                c int REFERENCES c ON DELETE CASCADE ON UPDATE CASCADE,
                up int REFERENCES g ON DELETE {own});
            CREATE TABLE pt (id int, k int, v text[], PRIMARY KEY (id, k)) PARTITION BY LIST (k);
            CREATE TABLE pt0 PARTITION OF pt FOR VALUES IN (0, 1);
            CREATE TABLE pt1 (v text[], gone int, k int NOT NULL, id int NOT NULL);
            ALTER TABLE pt1 DROP COLUMN gone;
            ALTER TABLE pt ATTACH PARTITION pt1 DEFAULT;
            CREATE TABLE bare (v int, w float8);
            CREATE TABLE counter (id int PRIMARY KEY, n int);
            INSERT INTO p SELECT i, i % 5, i, CASE i % 7 WHEN 0 THEN NULL WHEN 1 THEN repeat('x', 3000 + i)
                ELSE 's' || i END FROM generate_series(1, 24) i;
            INSERT INTO c SELECT i, nullif(i % 25, 0), i, nullif((i * 7) % 25, 0) FROM generate_series(1, 40) i;
            INSERT INTO g (v, c, up) SELECT i + 0.5, nullif(i % 41, 0), CASE WHEN i % 3 = 0 THEN i / 3 END
                FROM generate_series(1, 60) i;
            INSERT INTO pt SELECT i, i % 4, ARRAY['a', NULL, i::text] FROM generate_series(1, 30) i;
            INSERT INTO bare SELECT i / 3, CASE i % 4 WHEN 0 THEN 'NaN' ELSE 1.1 / i END FROM generate_series(1, 20) i;
            INSERT INTO counter VALUES (1, 0), (2, 0);"""
        if self.triggers:
            yield from self.chosen_triggers()
        policy = '{"keep": "1 day", "keep_from": 1}' if self.way == "keep_from" else '{"keep": "1 day"}'
        for table in TABLES:
            yield f"SELECT safedelete.set_policy('{table}', '{policy}')"

    def chosen_triggers(self):
        bodies = [
            ("p", "AFTER UPDATE", "UPDATE p SET v = v + 100 WHERE id = NEW.id"),
            ("p", "AFTER UPDATE", "UPDATE c SET v = v - 1 WHERE p = NEW.id"),
            ("p", "BEFORE UPDATE", "NEW.s := coalesce(NEW.s, '') || '!'; UPDATE counter SET n = n + 1 WHERE id = 1"),
            ("c", "BEFORE DELETE", "UPDATE counter SET n = n + OLD.v WHERE id = 2"),
            ("c", "AFTER DELETE", "DELETE FROM pt WHERE id = OLD.id"),
            ("c", "AFTER UPDATE", "UPDATE g SET v = v + 1 WHERE c = NEW.id"),
            ("g", "AFTER DELETE", "UPDATE p SET v = -v WHERE id = OLD.id % 7"),
        ]
        for number, (table, when, body) in enumerate(self.rng.sample(bodies, self.n(1, 3))):
            result = "OLD" if when == "BEFORE DELETE" else "NEW"
            yield (
                f"CREATE OR REPLACE FUNCTION f{number}() RETURNS trigger LANGUAGE plpgsql AS $f$ BEGIN {body}; RETURN "
                f"{result}; END $f$; CREATE TRIGGER {self.one('a', 'z')}{number} {when} ON {table} FOR EACH ROW WHEN "
                f"(pg_trigger_depth() < 2) EXECUTE FUNCTION f{number}()"
            )

    def where(self):
        n = self.n
        return self.one(
            f"id <= {n(1, 24)}", f"id % {n(2, 5)} = 0", f"id IN ({n(1, 24)}, {n(1, 24)})", f"id > {n(1, 12)}", "id > 0"
        )

    def changes(self, table):
        n = self.n
        sets = {
            "p": [f"v = v + {n(1, 9)}", "s = NULL", f"k = {n(0, 4)}, v = -v", "s = repeat('y', 2500)", "v = v"],
            "c": [f"v = {n(0, 9)}", f"p = {n(1, 24)}", "p = NULL", "other = p", f"p = {n(1, 24)}, v = v + 1"],
            "g": [f"v = v / {n(2, 7)}", "up = NULL", f"c = {n(1, 40)}"],
            "pt": [f"k = (k + {n(1, 3)}) % 4", "v = v || 'b'", "v = NULL, k = 3 - k"],
            "counter": [f"n = {n(5, 9)}"],
        }
        if self.keys_change and table != "g":
            return self.rng.choice(sets[table] + [f"id = id + {1000 * n(1, 9)}"] * 2)
        return self.rng.choice(sets[table])

    def statement(self):
        table = self.one("p", "p", "c", "c", "g", "pt", "pt", "bare", "counter", "loop", "many")
        if table == "bare":
            return self.one("DELETE FROM bare WHERE v < 4", "DELETE FROM bare", "TRUNCATE bare")
        if table == "loop":
            inner = "; ".join(self.plain(self.one("p", "c", "g", "pt"), "id = i") for _ in range(self.n(1, 3)))
            return f"DO $d$ BEGIN FOR i IN {self.n(1, 5)}..{self.n(6, 20)} LOOP {inner}; END LOOP; END $d$"
        if table == "many":
            first = self.plain(self.one("c", "g", "pt"), self.where())
            return f"WITH x AS ({first} RETURNING id) {self.plain('p', self.where())}"
        if self.rng.random() < 0.12:
            return f"TRUNCATE {table} CASCADE"
        if self.rng.random() < 0.2 and table in ("p", "c", "pt"):
            return (
                f"MERGE INTO {table} a USING generate_series(1, {self.n(5, 40)}) i ON a.id = i WHEN MATCHED AND "
                f"i % 3 = 0 THEN DELETE WHEN MATCHED THEN UPDATE SET {self.changes(table).replace(' v', ' a.v')}"
            )
        # Where another deletes its row meanwhile, it inserts one, and what was inserted stays.
        if self.rng.random() < 0.1 and table in ("p", "c") and self.kind != "waits":
            return (
                f"INSERT INTO {table} (id, v) SELECT id, 77 FROM {table} WHERE {self.where()} ON CONFLICT (id) DO "
                f"UPDATE SET v = {table}.v + excluded.v"
            )
        return self.plain(table, self.where())

    def plain(self, table, where):
        if self.rng.random() < 0.45 and table != "counter":
            return f"DELETE FROM {table} WHERE {where}"
        return f"UPDATE {table} SET {self.changes(table)} WHERE {where}"

    def other(self):
        """What another session writes: nothing that fires, and no key."""
        n, table = self.n, self.one("p", "c", "g", "pt")
        where = f"id IN ({n(1, 24)}, {n(1, 24)}, {n(1, 24)})"
        if self.rng.random() < 0.3:
            return f"DELETE FROM {table} WHERE {where}"
        if self.rng.random() < 0.3 and table in ("p", "c") and self.kind == "after":
            new = f"SELECT i, 555 FROM generate_series(1, {n(2, 30)}) i"
            return f"INSERT INTO {table} (id, v) {new} ON CONFLICT DO NOTHING"
        sets = {"p": ["v = 999", "s = 'other'"], "c": ["v = 999"], "g": ["v = 999"], "pt": ["v = '{other}'"]}
        return f"UPDATE {table} SET {self.rng.choice(sets[table])} WHERE {where}"

    def settings(self):
        scope = "transaction" if self.in_one_sum else "statement"
        commands = "delete, update, merge, upsert, truncate"
        yield f"RESET ROLE; RESET ALL; SET safedelete.scope = {scope}; SET safedelete.commands = '{commands}'"
        yield {
            "keep_from": "SET safedelete.allow_rows = -1",
            "budget": "SET safedelete.max_rows = 0; SET safedelete.allow_rows = -1",
            "warn": "SET safedelete.max_rows = 0; SET safedelete.mode = warn",
            "bypass": "SET safedelete.max_rows = 0; SET safedelete.bypass_role = keep_bypass; SET ROLE keep_bypass",
        }[self.way]


class Sessions:
    def __init__(self, database):
        self.writer, self.other = (Session("postgres", database) for _ in range(2))
        self.pid = oracle.must(self.writer, "SELECT pg_backend_pid()")[0][0]
        oracle.must(
            self.other,
            "SET safedelete.mode = off; SET client_min_messages = error; SET safedelete.keep_nothing = on; SET "
            "safedelete.reason = 'others'",
        )

    def state(self):
        asked = "; ".join(f"SELECT '{table}', tableoid::regclass, * FROM {table}" for table in TABLES)
        found = {table: [] for table in TABLES}
        for table, *row in oracle.must(self.other, asked):
            found[table].append(tuple(row))
        return {table: sorted(rows, key=str) for table, rows in found.items()}

    def prepare(self, history):
        history.rng.seed(f"keep tables {history.seed}")
        oracle.must(self.writer, "RESET ROLE; RESET ALL; SET safedelete.mode = off; SET client_min_messages = error")
        oracle.must(self.writer, "; ".join(history.tables()))
        oracle.must(
            self.writer,
            "GRANT ALL ON ALL TABLES IN SCHEMA public TO keep_bypass; TRUNCATE safedelete.kept_data, "
            "safedelete.kept_writes; ANALYZE p, c, g, pt",
        )

    def write(self, history):
        """The statements, in one transaction where they are one sum; the first error."""
        oracle.must(self.writer, "; ".join(history.settings()) + "; SET client_min_messages = error")
        many = len(history.statements) > 1 or history.in_one_sum
        if many:
            oracle.must(self.writer, "BEGIN")
        error = None
        for statement in history.statements:
            error = error or self.writer.query(statement).error
        if many:
            end = self.writer.query("ROLLBACK" if error else "COMMIT")
            error = error or end.error
        return error

    def write_and_wait(self, history):
        oracle.must(self.other, "BEGIN")
        for sql in history.others:
            if self.other.query(sql).error:
                oracle.must(self.other, "ROLLBACK")
                return {"M": "the other's raised"}, False
        answers = []
        thread = threading.Thread(target=lambda: answers.append(self.write(history)))
        thread.start()
        watch, until, waited = Session("postgres", "fuzz_keep"), time.monotonic() + 5, False
        while thread.is_alive() and time.monotonic() < until and not waited:
            asked = f"SELECT wait_event_type FROM pg_stat_activity WHERE pid = {self.pid}"
            waited = oracle.must(watch, asked)[0][0] == "Lock"
            time.sleep(0.002)
        watch.close()
        oracle.must(self.other, "COMMIT")
        thread.join()
        return answers[0], waited

    def restore(self, history):
        """Every event, the last first; the first error."""
        oracle.must(self.writer, "RESET ROLE; RESET ALL; SET client_min_messages = error")
        if history.triggers:
            oracle.must(self.writer, "SET session_replication_role = replica")
        events = oracle.must(self.writer, "SELECT DISTINCT event FROM safedelete.kept ORDER BY event DESC")
        self.events = ", ".join(event for (event,) in events) or "0"
        how = "skip" if history.kind == "after" else "refuse"
        for (event,) in events:
            error = self.writer.query(f"SELECT * FROM safedelete.restore({event}, '{how}')").error
            if error:
                return error
        return None


def by_key(state):
    return {(table, row[1 : 1 + KEYS[table]]): row for table in KEYS for row in state[table]}


def differences(expected, got):
    for table in TABLES:
        if expected[table] != got[table]:
            gone = [row for row in expected[table] if row not in got[table]]
            new = [row for row in got[table] if row not in expected[table]]
            yield f"{table}: missing {short(gone)}, there {short(new)}"


def short(rows):
    return str([tuple(str(value)[:20] for value in row) for row in rows[:4]]) + ("…" if len(rows) > 4 else "")


def left_alone(before, written, changed, now):
    """What others wrote stays, and what they left alone is as before, but for rows whose parents they took."""
    before, written, changed, now = map(by_key, (before, written, changed, now))
    for key in set(before) | set(written) | set(changed) | set(now):
        old, wrote, other, got = (state.get(key) for state in (before, written, changed, now))
        if wrote == other:
            if got != old:
                yield f"{key}: {short([old or ()])} was left alone, and is {short([got or ()])}"
        elif other is None:
            if got is not None:
                yield f"{key}: another deleted it, and it is {short([got])}"
        elif wrote is None:
            if got != other:
                yield f"{key}: another inserted {short([other])}, and it is {short([got or ()])}"
        else:
            for mine, theirs, now_there in zip(wrote, other, got or ()):
                if mine != theirs and now_there != theirs:
                    yield f"{key}: another wrote {theirs!r}, and it is {now_there!r}"
            if got is None:
                yield f"{key}: another wrote {short([other])}, and it is gone"


def judge(run, sessions, history):
    sessions.prepare(history)
    before = sessions.state()
    if history.kind == "waits":
        for sql in history.others:
            if sessions.other.query(sql).error:
                return run.count("raised"), []
        alone = sessions.state()
        sessions.prepare(history)
        error, waited = sessions.write_and_wait(history)
        run.count("waited" if waited else "did not wait")
        before = alone
    else:
        error = sessions.write(history)
    if error:
        return run.count("raised"), []
    written = changed = sessions.state()
    if history.kind == "after":
        for sql in history.others:
            sessions.other.query(sql)
        changed = sessions.state()
    run.count("wrote" if written != before else "wrote nothing")
    error = sessions.restore(history)
    now = sessions.state()
    run.count(history.kind)
    if history.kind == "after":
        if error:
            run.count(f"restore raised {error['C']}")
            problems = list(differences(changed, now)) if len(history.statements) == 1 or history.in_one_sum else []
            return None, problems if error["C"] == "23503" else [f"{error['C']} {error['M']}"]
        return None, list(left_alone(before, written, changed, now))
    problems = [f"{error['C']} {error['M']}"] if error else list(differences(before, now))
    if not problems:
        asked = f"SELECT count(*) FROM safedelete.kept_rows WHERE event IN ({sessions.events})"
        left = oracle.must(sessions.other, asked)[0][0]
        problems = [f"{left} rows are still kept"] if left != "0" else []
    return None, problems


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--seed", type=int, help="the first seed; each is one history")
    p.add_argument("--seconds", type=float, default=float(os.environ.get("FUZZ_SECONDS", 60)))
    p.add_argument("--count", type=int, default=10**9)
    p.add_argument("--only", action="store_true", help="the first seed alone")
    a = p.parse_args()
    run = Run("fuzz_keep")
    run.say("CREATE ROLE keep_bypass; GRANT ALL ON SCHEMA public TO keep_bypass")
    sessions = Sessions("fuzz_keep")

    def judge_one(seed, _):
        history = History(seed, run.version)
        _, problems = judge(run, sessions, history)
        run.passed, run.failed = run.passed + (not problems), run.failed + bool(problems)
        if problems:
            facts = f"{history.kind}, {history.way}, one sum: {history.in_one_sum}, triggers: {history.triggers}"
            said = (f"not ok - {seed}: {facts}", *history.statements, *history.others, *problems)
            print(*said, sep="\n    ", flush=True)

    run.go_through("keep", a, judge_one)


if __name__ == "__main__":
    main()
