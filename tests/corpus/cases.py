#!/usr/bin/env python3
"""Run a corpus of cases against a PostgreSQL server and compare each verdict with what the case expects.

    tests/corpus/cases.py [--guard safedelete|safeupdate|pg_savior|none] [--only REGEX] [--verbose] [--json FILE]
      CORPUS.sql...

The server is found by PGHOST, PGPORT and PGUSER (a superuser) as psql finds it. Every case runs in a database of its
own, copied from a template that schema.sql beside this file builds; the guard is loaded through
session_preload_libraries where the server does not preload it. Needs psql; Python's standard library only.

A case is a comment block and the SQL below it, up to the next '-- case:':

    -- case: where-true                     unique name
    -- group: where                         what it measures
    -- why: one line
    -- as: app                              role (default app); app has all rights on the tables, no superuser
    -- setup: SQL                           run first as superuser, repeatable
    -- set: name = value                    setting of the guard for this case (ALTER DATABASE … SET), repeatable
    -- min-pg: 15                           lowest major it runs on
    -- expect: refuse 21000 | allow | error 23505
    -- message: REGEX                       the error's primary message, DETAIL, HINT or CONTEXT matches (repeatable)
    -- check: SQL                           as superuser afterwards: must return t (repeatable)

The SQL runs in one psql session with ON_ERROR_STOP: the first error is the outcome. 'refuse X' asks for SQLSTATE X,
'allow' for no error. The last lines printed are 'N skipped' and 'N passed, N failed'; the exit status is 1 when any
case failed.
"""

import argparse, json, os, re, subprocess, sys, time
from pathlib import Path

HERE = Path(__file__).resolve().parent
TEMPLATE = "corpus_template"
CLEAN_ROLES = (
    "SET client_min_messages = error; "
    + "".join(f"ALTER ROLE {r} RESET ALL;" for r in ("app", "tenant", "dba", "release"))
    + " REVOKE app FROM release; REVOKE guard_bypass, guard_override FROM app;"
)
# A guard's names for the settings that cases use; None: it has nothing like it.
DIALECT = {
    "safedelete": lambda name, value: (f"safedelete.{name}", value),
    "pg_savior": lambda name, value: {"max_rows": ("pg_savior.max_rows_affected", value)}.get(name),
    "safeupdate": lambda name, value: None,
    "none": lambda name, value: None,
}


def psql(db, sql, user=None, stop=True):
    cmd = [
        "psql",
        "-X",
        "-q",
        "-At",
        "-v",
        "VERBOSITY=verbose",
        "-v",
        f"ON_ERROR_STOP={int(stop)}",
        "-d",
        db,
        "-f",
        "-",
    ]
    env = dict(os.environ, **({"PGUSER": user} if user else {}))
    return subprocess.run(cmd, input=sql, text=True, capture_output=True, env=env)


def must(db, sql):
    done = psql(db, sql)
    if done.returncode:
        sys.exit(f"set-up failed in {db}:\n{sql}\n{done.stderr}")
    return done.stdout.strip()


def parse(path):
    cases, case = [], None
    for line in Path(path).read_text().splitlines():
        head = re.match(r"-- (case|group|why|as|setup|set|min-pg|expect|message|check):\s*(.*)$", line)
        if head and head[1] == "case":
            case = {
                "case": head[2].strip(),
                "as": "app",
                "setup": [],
                "set": [],
                "message": [],
                "check": [],
                "sql": [],
                "file": str(path),
            }
            cases.append(case)
        elif case is None:
            continue
        elif head and head[1] in ("setup", "set", "message", "check"):
            case[head[1]].append(head[2])
        elif head:
            case[head[1]] = head[2].strip()
        else:
            case["sql"].append(line)
    for c in cases:
        c["sql"] = "\n".join(c["sql"]).strip()
        if "expect" not in c or not c["sql"]:
            sys.exit(f"{path}: case {c['case']} lacks expect or SQL")
    return cases


def run_case(case, guard, preloaded):
    db = "corpus_case"
    must("postgres", f"DROP DATABASE IF EXISTS {db} WITH (FORCE);")
    must("postgres", f"CREATE DATABASE {db} TEMPLATE {TEMPLATE};")
    must("postgres", CLEAN_ROLES)   # roles are the cluster's: undo what an earlier case's setup gave them
    if guard != "none" and not preloaded:
        must("postgres", f"ALTER DATABASE {db} SET session_preload_libraries = '{guard}';")
    if guard == "safedelete":   # the cases' tables are small
        must("postgres", f"LOAD 'safedelete'; ALTER DATABASE {db} SET safedelete.min_rows = 100;")
    unsupported = False
    for item in case["set"]:
        name, value = (s.strip() for s in item.split("=", 1))
        mapped = DIALECT[guard](name, value)
        if mapped is None:
            unsupported = True
        else:
            load = f"LOAD '{guard}';" if guard != "none" else ""
            must("postgres", f"{load} ALTER DATABASE {db} SET {mapped[0]} = {mapped[1]};")
    for sql in case["setup"]:
        done = psql(db, sql)
        if done.returncode:
            return False, f"setup failed: {done.stderr.strip()}"
    done = psql(db, case["sql"], user=case["as"])
    error = re.search(
        r"(?:ERROR|FATAL):\s+(\w{5}): (.*(?:\n(?:DETAIL|HINT|CONTEXT|SCHEMA NAME|TABLE NAME|CONSTRAINT NAME|QUERY): "
        r".*|\n(?!psql|LOCATION).*)*)",
        done.stderr,
    )
    got = f"error {error[1]}" if error else ("allow" if done.returncode == 0 else f"lost: {done.stderr.strip()[:200]}")
    want = case["expect"].replace("refuse", "error")
    why = []
    # Peers have SQLSTATEs of their own: for them any error counts as a refusal.
    same = got == want if guard in ("safedelete", "none") else (got.startswith("error") == want.startswith("error"))
    if not same:
        why.append(f"expected {case['expect']}, got {got}: {(error[2] if error else '').strip()[:300]}")
    if guard == "safedelete":
        for pattern in case["message"]:
            if not (error and re.search(pattern, error[0], re.S)):
                why.append(f"no match for message {pattern!r} in {(error[0] if error else 'no error')[:400]!r}")
    for sql in case["check"]:
        done = psql(db, sql)
        if done.stdout.strip() != "t":
            why.append(f"check gave {done.stdout.strip() or done.stderr.strip()!r}: {sql}")
    if unsupported and why:
        why.append("(the guard lacks a setting this case needs)")
    return not why, "; ".join(why)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--guard", default="safedelete", choices=DIALECT)
    p.add_argument("--only", default="")
    p.add_argument("--verbose", action="store_true")
    p.add_argument("--json")
    p.add_argument("corpus", nargs="+")
    a = p.parse_args()
    major = int(must("postgres", "SHOW server_version_num;")) // 10000
    preloaded = a.guard in must("postgres", "SHOW shared_preload_libraries;")
    cases = [c for f in a.corpus for c in parse(f) if re.search(a.only, c["case"])]
    names = [c["case"] for c in cases]
    if len(set(names)) != len(names):
        sys.exit(f"case names repeat: {sorted(n for n in set(names) if names.count(n) > 1)}")
    must("postgres", f"DROP DATABASE IF EXISTS {TEMPLATE} WITH (FORCE); CREATE DATABASE {TEMPLATE};")
    off = {
        "safedelete": "SET safedelete.mode = off;",
        "pg_savior": "SET pg_savior.enabled = off;",
        "safeupdate": "SET safeupdate.enabled = off;",
    }
    begin = (off.get(a.guard, "") if preloaded else "")
    must(TEMPLATE, begin + (HERE / "schema.sql").read_text())
    if a.guard == "safedelete":
        must(TEMPLATE, "CREATE EXTENSION IF NOT EXISTS safedelete;")
    passed = failed = skipped = 0
    results = []
    for c in cases:
        if int(c.get("min-pg", 0)) > major:
            skipped += 1
            continue
        t = time.time()
        ok, why = run_case(c, a.guard, preloaded)
        passed, failed = passed + ok, failed + (not ok)
        results.append({"case": c["case"], "group": c.get("group", ""), "ok": ok, "why": why})
        if not ok or a.verbose:
            print(
                f"{'ok -' if ok else 'not ok -'} {c.get('group', ''):10} {c['case']:45} {time.time() - t:5.2f}s {why}",
                flush=True,
            )
    must("postgres", "DROP DATABASE IF EXISTS corpus_case WITH (FORCE);")
    groups = {}
    for r in results:
        g = groups.setdefault(r["group"], [0, 0])
        g[0] += r["ok"]
        g[1] += 1
    print("  ".join(f"{g} {n}/{of}" for g, (n, of) in sorted(groups.items())))
    if a.json:
        Path(a.json).write_text(json.dumps(results, indent=1))
    if skipped:
        print(f"{skipped} skipped")
    print(f"{passed} passed, {failed} failed")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
