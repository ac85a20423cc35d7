#!/usr/bin/env python3
"""Damaged scripts for safedelete.check, on the server of PGHOST; tests/long/fuzz/run starts both.

A script is some statements of tests/regress, tests/incidents or the corpus, mutated (mutate.py), or something long or
deep. It fails where
  lost          the backend ends, or does not answer
  error         check raises anything but an error of its argument (classes 0A, 22, 42, 54), or reports XX in a row
  rows          a row breaks what docs/ci.md says of verdicts, numbers and lines
  state         settings, role, search_path, transaction, prepared statements, cursors, locks, channels or the temporary
                schema are others after it than before; or a transaction ID was used
  data          what the tables hold, or the number of objects in the catalogs, has changed
  disagreement  of a single statement, run and rolled back by the same role: `refused`, and it is not refused with that
                SQLSTATE and message (unless PostgreSQL itself cannot plan it); `ok`, and rule `where` refuses it, or a
                TRUNCATE is refused
  internal      the statement raises XX and does not with mode = off

Case SEED/BATCH/NUMBER is the same on every machine. A batch is a session with settings, a role, a database and
encodings of its own.
"""

import argparse, os, random, re, sys, time
from pathlib import Path
import mutate
from wire import Lost, Session

BATCH = 100
ARGUMENT_ERRORS = ("0A", "22", "42", "54")
RUN = {"DELETE", "UPDATE", "MERGE", "TRUNCATE", "INSERT", "SELECT", "WITH"}
DATABASES = {"fuzz_utf8": "UTF8", "fuzz_latin1": "LATIN1", "fuzz_ascii": "SQL_ASCII"}
STATE = """
SELECT current_user, session_user, current_schemas(true), pg_my_temp_schema(), pg_current_xact_id_if_assigned(),
  pg_snapshot_xmax(pg_current_snapshot()), (SELECT count(*) FROM pg_prepared_statements), (SELECT count(*)
    FROM pg_cursors),
  (SELECT count(*) FROM pg_listening_channels()),
  (SELECT string_agg(format('%s=%s (%s)', name, setting, source), E'\\n' ORDER BY name) FROM pg_settings),
  (SELECT string_agg(concat_ws(' ', locktype, relation::regclass, classid, objid, mode), ', ' ORDER BY locktype,
    relation, mode)
   FROM pg_locks WHERE pid = pg_backend_pid() AND locktype <> 'virtualxid')"""
NAMES = [
    "current_user",
    "session_user",
    "schemas",
    "temporary schema",
    "xid",
    "newest xid",
    "prepared statements",
    "cursors",
    "channels",
    "settings",
    "locks",
]
CONTENTS = """
SELECT (SELECT string_agg(format('%s %s', c.oid::regclass, (xpath('/row/x/text()', query_to_xml(format(
    'SELECT concat(count(*), '' '', sum(hashtextextended(t::text, 0))) AS x FROM ONLY %s t', c.oid::regclass), false,
      true, '')))[1]), E'\\n' ORDER BY c.oid)
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind = 'r' AND n.nspname !~ '^pg_|^information_schema$'),
  (SELECT count(*) FROM pg_class), (SELECT count(*) FROM pg_proc), (SELECT count(*) FROM pg_type), (SELECT count(*)
    FROM pg_attribute),
  (SELECT count(*) FROM pg_namespace), (SELECT count(*) FROM pg_authid), (SELECT count(*) FROM pg_seclabel),
    (SELECT count(*) FROM pg_trigger),
  (SELECT count(*) FROM pg_rewrite), (SELECT count(*) FROM pg_constraint), (SELECT count(*) FROM pg_db_role_setting),
  (SELECT count(*) FROM pg_prepared_xacts), (SELECT count(*) FROM pg_database)"""


def must(session, sql):
    result = session.query(sql)
    if result.error:
        sys.exit(f"set-up: {result.describe()}: {sql[:200]}")
    return result


def seeds_of(database, seeds):
    """The shop is in every database, the others where most batches are."""
    return seeds if database == "fuzz_utf8" else [seed for seed in seeds if seed.name == "shop"]


def prepare(seeds):
    """The databases, with a schema for each seed; its tables are app's. What does not run there does not matter."""
    admin = Session("postgres", "postgres", client_min_messages="error")
    for database in DATABASES:
        must(admin, f"DROP DATABASE IF EXISTS {database} WITH (FORCE)")
    for role in ("app", "tenant", "dba", "release"):
        must(admin, f"DO $$ BEGIN CREATE ROLE {role} LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$")
    for database, encoding in DATABASES.items():
        must(admin, f"CREATE DATABASE {database} TEMPLATE template0 ENCODING '{encoding}' LOCALE 'C' OWNER app")
        session = Session("postgres", database, client_min_messages="error")
        must(
            session,
            "CREATE EXTENSION safedelete; ALTER SCHEMA public OWNER TO app; SET safedelete.mode = off; SET "
            "statement_timeout = '3s'; SET SESSION AUTHORIZATION app",
        )
        for seed in {seed.name: seed for seed in seeds_of(database, seeds)}.values():
            must(session, f"CREATE SCHEMA {seed.name}; SET search_path = {seed.name}, public")
            for statement in seed.schema.split(";\n"):
                session.query(statement)
        must(session, "RESET SESSION AUTHORIZATION; RESET statement_timeout")
        must(session, "VACUUM ANALYZE")
        session.close()
    admin.close()


class Case:
    def __init__(self, name, seeds):
        self.name = name
        rng = self.rng = random.Random(f"safedelete check {name}")
        seed = rng.choice(seeds)
        self.schema, self.transaction = seed.name, rng.random() < 0.5
        kind = rng.random()
        at = rng.randrange(len(seed.statements))
        if kind < 0.55:
            text = rng.choice(seed.writes or seed.statements)
            mutations = rng.choices(mutate.LIGHT, k=rng.choice((0, 1, 1, 1, 2, 2, 4)))
        elif kind < 0.97:
            text = ";\n".join(seed.statements[at:at + rng.choice((1, 1, 2, 3, 8))])
            mutations = rng.choices(mutate.ALL, k=rng.choice((1, 1, 2, 3, 5, 9)))
        else:
            text = mutate.large(rng, seed.statements)
            mutations = rng.choices(mutate.ALL, k=rng.choice((0, 0, 1)))
        for mutation in mutations:
            # Taking a long text apart again and again would take the time of many short ones.
            text = mutation(rng, text) if len(text) < 20_000 else text
        self.text = mutate.break_bytes(rng, text) if rng.random() < 0.06 else text.encode(errors="replace")
        self.text = self.text.replace(b"\0", b" ")


class Batch:
    def __init__(self, seed, number, seeds):
        self.name = f"{seed}/{number}"
        rng = random.Random(f"safedelete check batch {self.name}")
        self.database = rng.choices(list(DATABASES), (6, 1, 1))[0]
        self.encoding = rng.choices(
            (DATABASES[self.database], "UTF8", "LATIN1", "SJIS", "GB18030", "SQL_ASCII"), (8, 2, 1, 1, 1, 1)
        )[0]
        if self.database == "fuzz_latin1" and self.encoding in ("SJIS", "GB18030"):
            self.encoding = "LATIN1"   # PostgreSQL converts neither to the other
        self.user = rng.choices(("app", "postgres"), (4, 1))[0]
        self.settings = [
            ("mode", rng.choices(("enforce", "warn", "log", "off"), (12, 1, 1, 1))[0]),
            (
                "commands",
                rng.choice(
                    ("delete, update, merge, truncate", "delete, update, merge, truncate, drop, upsert", "delete")
                ),
            ),
            ("require_where", rng.choice(("on", "on", "on", "off"))),
            ("max_rows", rng.choice(("-1", "-1", "-1", "0", "1", "50"))),
            ("max_fraction", rng.choice(("0.5", "0.5", "0", "0.01", "1"))),
            ("min_rows", rng.choice(("100", "100", "0", "10000"))),
            ("scope", rng.choice(("statement", "statement", "transaction"))),
            ("bypass_role", rng.choices(("", "app"), (9, 1))[0]),
            ("allow_rows", rng.choices(("0", "-1", "20"), (9, 1, 1))[0]),
        ]
        self.seeds = seeds_of(self.database, seeds)

    def cases(self, only):
        return (Case(f"{self.name}/{n}", self.seeds) for n in ([only] if only is not None else range(BATCH)))

    def open(self):
        options = {"client_min_messages": "error", "statement_timeout": "20s"}
        admin = Session("postgres", self.database)
        for name, value in self.settings:
            must(admin, f"ALTER DATABASE {self.database} SET safedelete.{name} = '{value}'")
        self.contents = admin.query(CONTENTS).rows
        self.admin = admin
        self.session = Session(self.user, self.database, client_encoding=self.encoding, **options)
        must(self.session, "DO 'BEGIN END'")   # PL/pgSQL brings settings along
        self.runner = Session(
            self.user, self.database, client_encoding=self.encoding, **{**options, "statement_timeout": "3s"}
        )

    def close(self):
        for session in (self.admin, self.session, self.runner):
            session.close()


def state(session):
    result = session.query(STATE)
    return result.rows[0] if result.rows else (result.describe(),)


def differences(before, after):
    for name, old, new in zip(NAMES, before, after):
        if old != new:
            lines = set((new or "").split("\n")) ^ set((old or "").split("\n"))
            yield f"state: {name}: " + "; ".join(sorted(lines))[:300]


def examine(batch, case):
    """The problems of a case."""
    session = batch.session
    must(session, f"SET search_path = {case.schema}, public")
    must(batch.runner, f"SET search_path = {case.schema}, public")
    before = state(session)
    if case.transaction:
        must(session, "BEGIN ISOLATION LEVEL REPEATABLE READ")
        inside = state(session)
    result = session.ask("SELECT * FROM safedelete.check($1)", case.text)
    case.result = result
    if case.transaction:
        if not result.error:
            yield from differences(inside, state(session))
        must(session, "ROLLBACK")
    yield from differences(before, state(session))
    if result.error:
        if result.state[:2] not in ARGUMENT_ERRORS:
            yield f"error: {result.describe()}"
        return
    yield from broken_rows(case, result.rows)
    yield from disagreements(batch, case, result.rows)


def broken_rows(case, rows):
    lines = case.text.count(b"\n") + 1
    if list(dict.fromkeys(row[0] for row in rows)) != [str(n + 1) for n in range(len({row[0] for row in rows}))]:
        yield f"rows: numbers {[row[0] for row in rows][:20]}"
    starts = [int(row[1]) for row in rows]
    if starts != sorted(starts) or any(not 1 <= line <= lines for line in starts):
        yield f"rows: lines {starts[:20]}"
    for number, line, command, relation, verdict, rule, code, message, detail, hint, estimated, size in rows:
        if code and code.startswith("XX"):
            yield f"error: row {number}: {code} {message}"
        if verdict not in ("ok", "refused", "unknown") or not command:
            yield f"rows: {verdict} {command}"
        if verdict == "refused" and not (message and hint and code == {"where": "21000", "rows": "SD001"}.get(rule)):
            yield f"rows: refused, {rule} {code} {message} {hint}"
        if verdict == "unknown" and not message:
            yield f"rows: unknown, and does not say why ({command} {relation})"
        if any(value is not None and int(value) < 0 for value in (estimated, size)):
            yield f"rows: {estimated} of {size}"


def is_ours(error):
    """A refusal, and not one that a function or a trigger has met."""
    return error is not None and "W" not in error and (
        error["C"] == "SD001" or error["C"] == "21000" and error["M"].endswith("requires a WHERE clause"))


def disagreements(batch, case, rows):
    # What a DO block or a function's body holds is judged wherever it stands; statements that only say what they do are
    # run.
    if {row[0] for row in rows} != {"1"} or len(case.text) > 20_000:
        return
    word = next((t.upper() for t in mutate.tokens(case.text.decode(errors="replace")) if t[:1].isalpha()), "")
    if word not in RUN:
        return
    truncate = word == "TRUNCATE"
    # A statement by itself: the extended protocol takes no two.
    outcome = run(batch.runner, case.text)
    case.ran = outcome.describe()
    if outcome.state and outcome.state.startswith("XX"):
        must(
            batch.admin,
            f"SET safedelete.mode = off; SET search_path = {case.schema}, public; SET SESSION AUTHORIZATION "
            f"{batch.user}",
        )
        off = run(batch.admin, case.text)
        must(batch.admin, "RESET SESSION AUTHORIZATION; RESET ALL")
        if off.state != outcome.state:
            yield f"internal: {outcome.describe()}; with mode = off {off.describe()}"
        return
    refused = [row for row in rows if row[4] == "refused"]
    if refused:
        case.judged = "refused"
        if (outcome.state, outcome.error and outcome.error["M"]) in {(row[6], row[7]) for row in refused}:
            return
        if outcome.error and not is_ours(outcome.error):
            # PostgreSQL's own error comes first; before it runs anything, plain EXPLAIN meets it, too.
            if outcome.state[:2] in ("57", "55", "40") or (truncate and outcome.state[:2] in ("0A", "42")):
                return
            if run(batch.runner, b"EXPLAIN " + case.text).state == outcome.state:
                return
        yield f"disagreement: check says {[row[6:8] for row in refused]}, and it {case.ran}"
    elif all(row[4] == "ok" for row in rows):
        case.judged = "ok"
        if is_ours(outcome.error) and (truncate or outcome.state == "21000"):
            yield f"disagreement: check says ok, and it {case.ran}"


def run(session, text):
    must(session, "BEGIN")
    outcome = session.ask(text)
    must(session, "ROLLBACK")
    return outcome


def shown(text):
    text = text.decode("utf-8", "backslashreplace")
    return text if len(text) < 4000 else f"{text[:2000]} … {text[-500:]} ({len(text)} characters)"


def wait_for_server():
    for _ in range(120):
        try:
            return Session("postgres", "postgres").close()
        except Lost:
            time.sleep(1)
    sys.exit("the server does not come back")


def crashes():
    """How often the server's log tells of a backend's end; prints the lines."""
    log = Path(os.environ["SERVER_LOG"]).read_text(errors="replace") if "SERVER_LOG" in os.environ else ""
    # Statements are in the log, too, and long ones: what is looked for begins a message.
    found = [
        line for line in log.splitlines() if re.search("PANIC:|^TRAP:|terminated by signal|panicked at", line[:300])
    ]
    print(*[f"not ok - server: {line}" for line in found], sep="\n", end="\n" if found else "")
    return len(found)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--seconds", type=int, default=int(os.environ.get("FUZZ_SECONDS", 60)))
    p.add_argument("--only", help="one BATCH, or one case BATCH/NUMBER, of the seed; prints it")
    a = p.parse_args()
    seeds = mutate.seeds()
    prepare(seeds)
    passed = failed = 0
    told = {"refused": 0, "ok": 0, "unknown": 0, "error": 0, "compared refused": 0, "compared ok": 0}
    end, number = time.time() + a.seconds, 0
    batch_only, _, case_only = (a.only or "").partition("/")
    while time.time() < end if not a.only else number == 0:
        batch = Batch(a.seed, int(batch_only) if a.only else number, seeds)
        batch.open()
        problems = []
        for case in batch.cases(int(case_only) if case_only else None):
            if not a.only and time.time() > end:
                break
            case.result, case.ran, case.judged = None, "", None
            try:
                problems = list(examine(batch, case))
            except Lost as lost:
                problems = [f"lost: {lost}"]
            passed, failed = passed + (not problems), failed + bool(problems)
            if case.result and case.result.error:
                told["error"] += 1
            for row in case.result.rows if case.result else []:
                told[row[4]] = told.get(row[4], 0) + 1
            if case.judged:
                told[f"compared {case.judged}"] += 1
            if problems or case_only:
                print(
                    f"{'not ok -' if problems else 'ok -'} {case.name} ({batch.database}, {batch.encoding}, "
                    f"{batch.user}, {case.schema}): {shown(case.text)}",
                    *problems,
                    sep="\n    ",
                    flush=True,
                )
                if case_only:
                    print(
                        "   ",
                        batch.settings,
                        case.result and case.result.describe(),
                        *(case.result.rows if case.result else []),
                        case.ran,
                        sep="\n    ",
                    )
            if problems and problems[-1].startswith("lost"):
                wait_for_server()
                batch.open()
        contents = batch.admin.query(CONTENTS).rows
        if contents != batch.contents:
            failed += 1
            changed = set((batch.contents[0][0] or "").split("\n")) ^ set((contents[0][0] or "").split("\n"))
            print(
                f"not ok - data, batch {batch.name}: {sorted(changed)[:6]} {batch.contents[0][1:]} {contents[0][1:]}",
                flush=True,
            )
        batch.close()
        number += 1
    failed += crashes()
    print(f"check, seed {a.seed}, {number} batches: " + ", ".join(f"{count} {word}" for word, count in told.items()))
    print(f"{passed} passed, {failed} failed")
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
