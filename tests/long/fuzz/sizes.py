#!/usr/bin/env python3
"""Verdicts against count(*), on the server of PGHOST; tests/long/fuzz/run starts both.

Tables live through random histories: inserts, updates, deletes, transactions and subtransactions that are undone,
VACUUM, ANALYZE, statistics that are reset, a second session. Each history ends in a write, or in a transaction of
several with savepoints, under random bounds, scope and commands: plain, joined, in CTEs, MERGE, upserts, TRUNCATE,
loops and blocks of PL/pgSQL with exceptions and COMMIT, foreign keys' actions, triggers that count up, parts with
policies of their own. sizes_model.py knows what rules.md says of it, and no more. It fails where
  verdict  a write is refused and must not be, or is not and must
  text     the limit or the size in a refusal is not the model's
  rows     the tables do not hold what they would without the guard

History SEED/NUMBER is the same on every machine, as the last of its seed's first NUMBER.
"""

import argparse, json, multiprocessing, random, re, sys, time, traceback
from sizes_model import COMMANDS, Model, Settings, Unsure
from sizes_writes import KINDS, Block, COMMIT, Shape, Writer
from wire import Lost, Session

HISTORIES = 12  # of the same tables
ABANDONED = {"23505": "keys that were taken", "40001": "changed by the other session"}


class Abandoned(Exception):
    """Not what is looked for; these tables are no longer what the model says."""


class Life:
    """Tables, and the histories that they live through."""

    def __init__(self, seed, database):
        self.seed = seed
        self.rng = rng = random.Random(f"sizes {seed}")
        self.session, self.other = Session("postgres", database), Session("postgres", database)
        self.version = int(self.session.query("SHOW server_version_num").rows[0][0]) // 10000
        self.log, self.problems, self.judged, self.refused = [], [], 0, 0
        self.shape = Shape(rng, rng.choice(KINDS))
        self.model, self.writer = Model(self.shape), Writer(rng, self.shape, self.version)
        self.say("DEALLOCATE ALL; RESET ALL; SET client_min_messages = error")
        for session in (self.session, self.other):
            session.query("SET safedelete.mode = off; SET client_min_messages = error")
        for sql in self.shape.sql():
            self.say(sql)

    def say(self, sql, session=None):
        self.log.append(sql if session is None else f"/* other */ {sql}")
        result = (session or self.session).query(sql)
        if result.error:
            if result.state in ABANDONED:
                raise Abandoned(ABANDONED[result.state])
            raise SystemExit(f"{sql}: {result.describe()}")
        return result.rows

    # What happened before.

    def change(self, session=None):
        writer = self.writer
        write = self.rng.choice([writer.insert] * 3 + [writer.delete, writer.update, writer.merge])()
        self.say(write.sql, session)
        self.model.statement(write)

    def undone(self, session):
        rng, model = self.rng, self.model
        self.say("BEGIN", session)
        before = model.copy()
        for _ in range(rng.randrange(1, 4)):
            self.change(session)
        if rng.random() < 0.3:
            self.say("SAVEPOINT s", session)
            inside = model.copy()
            self.change(session)
            self.say("ROLLBACK TO s", session)
            model.restore(inside)
        if rng.random() < 0.7:
            self.say("ROLLBACK", session)
            model.restore(before)
        else:
            self.say("COMMIT", session)

    def past(self):
        rng, shape = self.rng, self.shape
        session = rng.choice([None, None, self.other])
        weights = [8, 3, 3 * bool(shape.on_delete), 6, 0.5]
        act = rng.choices(["change", "undone", "children", "keep", "truncate"], weights)[0]
        if act == "change":
            self.change(session)
        elif act == "undone":
            self.undone(session)
        elif act in ("children", "truncate"):
            write = getattr(self.writer, act)()
            self.say(write.sql, session)
            self.model.statement(write)
        else:
            keep = {"VACUUM t": 3, "VACUUM (FREEZE) t": 1, "ANALYZE t": 3, "VACUUM ANALYZE t": 3, "VACUUM c": 1,
                    "SELECT pg_stat_reset()": 1, "VACUUM FULL t": 0.3, "SELECT pg_stat_force_next_flush()": 1}
            if shape.keyed and shape.kind != "partitioned":
                keep |= {"CLUSTER t USING t_pkey": 0.2, "ALTER TABLE t ALTER v TYPE int USING v + 0": 0.2}
            self.say(rng.choices(list(keep), list(keep.values()))[0])
        if session is not None:
            # What another session has deleted reaches the statistics when it next is idle for a second.
            session.query("SELECT pg_stat_force_next_flush()")

    # What is judged.

    def history(self):
        rng, model = self.rng, self.model
        model.settings, model.labels, model.commands, model.whole = Settings(), {}, COMMANDS, False
        for _ in range(rng.randrange(2, 7)):
            self.past()
        while len(model.rows["t"]) > 1500:
            self.say("SET safedelete.mode = off")
            self.say(f"DELETE FROM t WHERE id <= {sorted(r.id for r in model.rows['t'].values())[700]}")
            self.trim()
        if rng.random() < 0.45:
            plan = [("write", self.writer.statement(False))]
        else:
            plan = self.transaction()
        self.try_out(plan)
        self.run(plan)
        self.say("RESET safedelete.commands; RESET safedelete.scope; SET safedelete.mode = off")
        for part in model.labels:
            self.say(f"SELECT safedelete.clear_policy('{part}')")
        self.compare()

    def trim(self):
        """What the DELETE above does."""
        from sizes_writes import Write

        bound = sorted(r.id for r in self.model.rows["t"].values())[700]
        self.model.statement(Write("", lambda model: model.write(
            "t", "delete", {n: None for n, r in model.seen("t").items() if r.id <= bound})))

    def transaction(self):
        """BEGIN, writes and savepoints, and the end."""
        rng, points = self.rng, []
        isolation = rng.choice(["READ COMMITTED"] * 4 + ["REPEATABLE READ", "SERIALIZABLE"])
        plan = [("begin", isolation)]
        for _ in range(rng.randrange(1, 7)):
            act = rng.random()
            if act < 0.6:
                plan.append(("write", self.writer.statement(True)))
            elif act < 0.75:
                points.append(f"p{len(plan)}")
                plan.append(("savepoint", points[-1]))
            elif act < 0.85 and points:
                at = rng.randrange(len(points))
                plan.append(("back", points[at]))
                points = points[: at + 1]
            elif act < 0.92 and points:
                at = rng.randrange(len(points))
                plan.append(("release", points[at]))
                points = points[:at]
            else:
                plan.append(("other", None))
        if isolation != "READ COMMITTED" and any(
                act == "write" and re.search("TRUNCATE|ALTER TABLE", what.sql) for act, what in plan):
            # They take and copy what is there now, whatever the transaction sees.
            plan = [step for step in plan if step[0] != "other"]
        plan.append(("end", rng.choice(["COMMIT", "ROLLBACK"])))
        return plan

    def try_out(self, plan):
        """The bounds: some that one of the writes is near to."""
        rng, model = self.rng, self.model
        before = model.copy()
        in_transaction = plan[0][0] == "begin"
        model.whole = rng.random() < (0.7 if in_transaction else 0.15)
        model.commands = rng.choice([COMMANDS] * 3 + [COMMANDS[:4]] * 3 + [
            ("delete", "merge"), ("update",), ("update", "upsert"), ("delete", "truncate")])
        model.points, model.sum = [], type(model.sum)()
        for act, what in plan:
            if act == "write":
                try:
                    model.statement(what)
                except Unsure:
                    break
        model.restore(before)
        model.settings = model.near(rng)
        if self.shape.kind == "partitioned" and rng.random() < 0.3:
            for part in rng.sample(["t1", "t2", "t3"], rng.choice([1, 1, 2])):
                model.labels[part] = model.near(rng)

    def run(self, plan):
        rng, model, settings = self.rng, self.model, self.model.settings
        scope = "transaction" if model.whole else "statement"
        for part, label in model.labels.items():
            said = {"max_rows": label.max_rows, "max_fraction": float(label.max_fraction), "min_rows": label.min_rows}
            self.say(f"SELECT safedelete.set_policy('{part}', '{json.dumps(said)}')")
        self.say(
            f"SET safedelete.max_rows = {settings.max_rows}; SET safedelete.max_fraction = {settings.max_fraction};"
            f"SET safedelete.min_rows = {settings.min_rows}; SET safedelete.scope = {scope};"
            f"SET safedelete.commands = '{', '.join(model.commands)}'; SET safedelete.mode = enforce")
        model.sum, model.saved, model.touched, self.points, self.later = type(model.sum)(), [], set(), [], None
        in_transaction = plan[0][0] == "begin"
        for number, (act, what) in enumerate(plan):
            getattr(self, f"do_{act}")(what, number, in_transaction)
        model.saved = []

    def do_begin(self, isolation, number, _):
        self.say(f"BEGIN ISOLATION LEVEL {isolation}; SELECT count(*) FROM t")
        self.later = None if isolation == "READ COMMITTED" else []
        self.do_savepoint(None, number, _)

    def do_savepoint(self, name, *_):
        if name:
            self.say(f"SAVEPOINT {name}")
        self.points.append((name, self.model.copy()))
        self.model.saved.append(self.points[-1][1])

    def at(self, name):
        return next(i for i, (point, _) in enumerate(self.points) if point == name)

    def drop(self, at):
        del self.points[at:]
        self.model.saved = [saved for _, saved in self.points]

    def do_back(self, name, *_):
        self.say(f"ROLLBACK TO {name}")
        at = self.at(name)
        self.model.restore(self.points[at][1])
        self.drop(at + 1)

    def do_release(self, name, *_):
        self.say(f"RELEASE {name}")
        self.drop(self.at(name))

    def do_end(self, how, *_):
        self.say(how)
        if how == "ROLLBACK":
            self.model.restore(self.points[0][1])
        self.drop(0)
        for added, gone in self.later or []:
            self.model.by_another("t", added, gone)

    def do_other(self, *_):
        """Another session commits something; of what this transaction has not touched."""
        rng, model = self.rng, self.model
        insert = self.writer.insert()
        before = set(model.rows["t"]), set(model.rows["c"])
        saved = model.copy()
        insert.apply(model)
        base = "t" if set(model.rows["t"]) != before[0] else "c"
        added = {n: r for n, r in model.rows[base].items() if n not in before[base == "c"]}
        model.restore(saved)
        model.touched -= set(added)
        if base == "c":
            return
        if self.is_held(insert.sql):
            return
        gone = []
        if self.later is None:
            model.by_another("t", added, gone)
        if self.later is None and not self.shape.on_delete and rng.random() < 0.6:
            below = rng.randrange(1, max(self.writer.fresh, 2))
            if not any(n in model.touched for n, r in model.rows["t"].items() if r.id <= below) and not any(
                n in model.touched and r.id <= below for rows, _ in model.saved for n, r in rows["t"].items()):
                if not self.is_held(f"DELETE FROM t WHERE id <= {below}"):
                    gone = [n for n, r in model.rows["t"].items() if r.id <= below]
                    model.by_another("t", {}, gone)
        if self.later is not None:
            self.later.append((added, gone))

    def is_held(self, sql):
        """Whether this transaction keeps the other session from something; not, if that is done now."""
        self.log.append(f"/* other */ {sql}")
        state = self.other.query(f"SET lock_timeout = '20ms'; {sql}; RESET lock_timeout").state
        if state not in (None, "55P03"):
            raise Abandoned(ABANDONED.get(state, state))
        return state is not None

    def do_write(self, write, number, in_transaction):
        model, rng = self.model, self.rng
        commits = isinstance(write, Block) and COMMIT in write.steps
        for attempt in range(1 if in_transaction or commits else rng.choice([1, 3])):
            if in_transaction:
                self.do_savepoint(f"w{number}")
            self.log.append(write.sql)
            try:
                refused = model.statement(write)
            except Unsure:
                raise Abandoned("rows that may count again") from None
            result = self.session.query(write.sql)
            self.judged, self.refused = self.judged + 1, self.refused + bool(refused)
            if result.state in ABANDONED:
                raise Abandoned(ABANDONED[result.state])
            self.judge(write, refused, result)
            if in_transaction:
                if result.error:
                    self.say(f"ROLLBACK TO w{number}")
                    if rng.random() < 0.5:
                        self.do_release(f"w{number}")
                elif rng.random() < 0.7:
                    self.do_release(f"w{number}")
            if not refused:
                break

    def judge(self, write, refused, result):
        wrong = None
        if refused and result.state != "SD001":
            wrong = f"verdict: it has to be refused, {refused.over}: {result.describe()}"
        elif not refused and result.error:
            wrong = f"verdict: it has not to be refused: {result.describe()}; {result.error.get('D')}"
        elif refused and not any(self.tells(result.error, *over) for over in refused.over):
            wrong = f"text: {result.describe()}; {result.error['D']}: has to be {refused.over}"
        if wrong:
            self.fail(f"{wrong}\n      {write.sql}")

    def tells(self, error, name, limits, size):
        """Whether an error is about this table, one of these limits, and this size."""
        told = re.search(r"holds (at least |at most |about )?(\d+) row", error.get("D", ""))
        rows = int(told[2]) if told else size
        true = {None: rows == size, "at least ": rows <= size, "at most ": rows >= size}.get(told and told[1], False)
        limit = int(re.search(r"limit of (\d+) row", error["M"])[1])
        return error["t"] == name.removeprefix("ONLY ") and limit in limits and true

    def fail(self, what):
        self.problems.append(what)
        raise Abandoned("failed")

    def compare(self):
        for base in ("t", "c"):
            rows = self.model.rows[base].values()
            own = [len(rows), sum(r.id for r in rows), sum(r.k for r in rows), sum(r.v for r in rows)]
            held = [int(n) for n in self.session.query(
                f"SELECT count(*), coalesce(sum(id), 0), coalesce(sum(k), 0), coalesce(sum(v), 0) FROM {base}").rows[0]]
            if own != held:
                self.fail(f"rows: {base} holds {held}, and has to hold {own}")

    def close(self):
        self.session.close()
        self.other.close()


def live(database, seeds, histories, until, only, results):
    """A process: lives of these seeds, as long as histories are wanted and there is time."""
    done = 0
    for seed in seeds:
        if done >= histories or time.monotonic() > until:
            break
        life, told = None, None
        try:
            life = Life(seed, database)
            for number in range(only or HISTORIES):
                life.history()
                done += 1
                if life.writer.fresh > 8000:
                    break
        except Abandoned as why:
            told = str(why)
            done += 1
        except (Exception, SystemExit) as error:
            why = str(error) if isinstance(error, (Lost, SystemExit)) else traceback.format_exc()
            results.put((seed, [why], 1, 0, 0, None, life.log[-12:] if life else []))
            break
        name = f"{seed}/{number + 1} ({life.shape.kind})"
        log = life.log if only else life.log[-12:]
        results.put((name, life.problems, number + 1, life.judged, life.refused, told, log))
        life.close()
    results.put(None)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=int(time.time()) % 10**8)
    parser.add_argument("--count", type=int, default=600, help="histories")
    parser.add_argument("--seconds", type=float, default=3600, help="and for so long at most")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only", help="a history: SEED/NUMBER")
    options = parser.parse_args()
    seed, only, jobs = options.seed, None, options.jobs
    if options.only:
        seed, only = map(int, options.only.split("/"))
        jobs = 1
    first = Session("postgres", "postgres")
    for job in range(jobs):
        first.query(f"CREATE DATABASE fuzz_sizes_{job}")
        one = Session("postgres", f"fuzz_sizes_{job}")
        one.query("CREATE EXTENSION safedelete")
        one.close()
    first.query("SET allow_in_place_tablespaces = on")
    first.query("CREATE TABLESPACE fuzz_elsewhere LOCATION ''")
    first.close()
    print(f"seed {seed}")
    until = time.monotonic() + options.seconds
    results, total = multiprocessing.Queue(), {"histories": 0, "writes": 0, "refused": 0, "failed": 0}
    for job in range(jobs):
        seeds = [seed] if only else range(seed + job, seed + 10**7, jobs)
        wanted = 1 if only else -(-options.count // jobs)
        args = (f"fuzz_sizes_{job}", seeds, wanted, until, only, results)
        multiprocessing.Process(target=live, args=args, daemon=True).start()
    left, abandoned = jobs, {}
    while left:
        came = results.get()
        if came is None:
            left -= 1
            continue
        name, problems, histories, judged, refused, told, log = came
        total["histories"] += histories
        total["writes"] += judged
        total["refused"] += refused
        if problems:
            total["failed"] += 1
            print(f"not ok - {name}", *problems, *log, sep="\n    ", flush=True)
        elif told:
            abandoned[told] = abandoned.get(told, 0) + 1
    print(f"{total['refused']} of {total['writes']} writes were to be refused; abandoned: {abandoned or 'none'}")
    print(f"{total['histories'] - total['failed']} passed, {total['failed']} failed")
    sys.exit(total["failed"] > 0)


if __name__ == "__main__":
    main()
