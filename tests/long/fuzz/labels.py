#!/usr/bin/env python3
"""Policies for SECURITY LABEL, set_policy and set_schema_policy, on the server of PGHOST; tests/long/fuzz/run starts
both.

A policy is a JSON object that docs/policy.md allows, then mutated. What it ought to say is read here by Python's JSON
and that page's table alone. It fails where
  lost         the backend ends, or does not answer
  accepted     it is stored, and the page forbids it
  refused      it is refused, and the page allows it; or by another SQLSTATE than 22023 (of set_policy also those of
               jsonb: class 22, and 54001 for its depth)
  stored       what the catalog, safedelete.policies or settings_for give back is not what was written; after a refusal,
               not what was there before

Case SEED/NUMBER is the same on every machine.
"""

import argparse, json, os, random, sys, time
from check import crashes, must, wait_for_server
from mutate import NUMBERS, ODD
from wire import Lost, Session

MODES = ["off", "log", "warn", "enforce"]
COMMANDS = ["delete", "update", "merge", "truncate", "drop", "upsert"]
KEYS = ["mode", "commands", "require_where", "max_rows", "max_fraction", "min_rows", "override"]
MOST_BYTES = 8192
VALUES = [
    "null",
    "true",
    "false",
    "[]",
    "{}",
    '""',
    '"off"',
    '"OFF"',
    '"enforce "',
    '"delete"',
    '["delete", "delete"]',
    '["delete", null]',
    '[["delete"]]',
    '"delete,"',
    '"delete,,update"',
    '" delete , UPDATE"',
    '"all"',
    '"0"',
    '"true"',
    '"\\u006ff\\u0066"',
    '"\\ud800"',
    '"\\u0000"',
    '"\\x"',
    "-0",
    "0.0",
    "1.0",
    "1.5",
    "0.5",
    "1e0",
    "1E-2",
    "5e-1",
    "0e999999999",
    "-1",
    "-2",
    "-0.0",
    "01",
    "+1",
    ".5",
    "1.",
    "2147483647",
    "2147483648",
    "1e309",
    "1e-400",
    "4.9e-324",
    "0.99999999999999999999",
    "1.00000000000000000001",
    "NaN",
    "Infinity",
    "-Infinity",
    "0x10",
    "'off'",
    "off",
    "// x",
    "/**/1",
    '{"a": {"a": {}}}',
    "[" * 200 + "]" * 200,
    '"' + "x" * 9000 + '"',
    *NUMBERS,
]
UNSURE = object()


class Bad(Exception):
    pass


def valid(rng):
    value = {
        "mode": lambda: rng.choice(MODES),
        "commands": lambda: rng.choice((lambda c: c, ", ".join, ",".join))(rng.sample(COMMANDS, rng.randrange(1, 7))),
        "require_where": lambda: rng.random() < 0.5,
        "max_rows": lambda: rng.choice((-1, 0, 1, 50, 2147483647)),
        "max_fraction": lambda: rng.choice((0, 1, 0.5, 0.01, 1e-9, 0.30000000000000004)),
        "min_rows": lambda: rng.choice((0, 1, 100, 2147483647)),
        "override": lambda: rng.random() < 0.5,
    }
    return [(key, value[key]()) for key in rng.sample(KEYS, rng.randrange(len(KEYS) + 1))]


def written(rng, pairs):
    """JSON with some of the freedom that it leaves."""
    blank = lambda: rng.choice(("", "", " ", "\n", "\t", "  ", "\r\n"))
    items = []
    for key, value in pairs:
        name = json.dumps(key)
        if key and rng.random() < 0.1:
            at = rng.randrange(len(key))
            name = f'"{key[:at]}\\u{ord(key[at]):04x}{key[at + 1:]}"'
        items.append(
            blank()
            + name
            + blank()
            + ":"
            + blank()
            + (value if isinstance(value, Raw) else json.dumps(value))
            + blank()
        )
    return blank() + "{" + ",".join(items) + "}" + blank()


class Raw(str):
    """A value as it is written."""


def policy(rng):
    pairs = valid(rng)
    for _ in range(rng.choice((0, 0, 1, 1, 1, 2))):
        kind = rng.randrange(5)
        if kind == 0 and pairs:
            at = rng.randrange(len(pairs))
            pairs[at] = (pairs[at][0], Raw(rng.choice(VALUES)))
        elif kind == 1:
            pairs.append((rng.choice(KEYS), Raw(rng.choice(VALUES))))
        elif kind == 2 and pairs:
            pairs.append(rng.choice(pairs))
        elif kind == 3:
            pairs.append(
                (
                    rng.choice(
                        [
                            "",
                            "Mode",
                            "max-rows",
                            "max_rows ",
                            "mode\u200b",
                            "scope",
                            "exempt_tables",
                            "__proto__",
                            "é" * 30,
                            *KEYS,
                        ]
                    ),
                    1,
                )
            )
    text = written(rng, pairs)
    for _ in range(rng.choice((0, 0, 0, 0, 1, 2))):
        at = rng.randrange(len(text) + 1)
        kind = rng.randrange(7)
        if kind == 0:
            text = text[:at] + text[at + rng.choice((1, 1, 2, 9)):]
        elif kind == 1:
            text = (
                text[:at]
                + rng.choice([*'{}[]:,"\\ 0-e.', *ODD, "\\u", "\\ud83d\\ude00", "null", "/*", "#", "\ufeff"])
                + text[at:]
            )
        elif kind == 2:
            text = text + rng.choice((text, " {}", ",", "\x00", "x", "]", "\ufeff"))
        elif kind == 3:
            text = text[:at]
        elif kind == 4:
            depth = rng.choice((1, 50, 127, 128, 129, 3000, 100_000))
            text = rng.choice(
                (
                    "[" * depth + text + "]" * depth,
                    '{"mode":' * depth + text + "}" * depth,
                    "[" * depth,
                    text[:-1] + ',"x":' + "[" * depth,
                )
            )
        elif kind == 5:
            text = (
                text[:at]
                + " " * rng.choice((100, MOST_BYTES - len(text.encode()), MOST_BYTES + 1 - len(text.encode()), 100_000))
                + text[at:]
            )
        else:
            text = text.swapcase()
    return text.replace("\0", "")


def meaning(text):
    """What docs/policy.md says of a policy: its settings, UNSURE where a value's spelling is left open, or Bad."""
    def pairs(items):
        return [("object", *items)]

    def wrong(name):
        raise Bad(name)

    if len(text.encode()) > MOST_BYTES:
        raise Bad("too long")
    try:
        tree = json.loads(
            text,
            object_pairs_hook=pairs,
            parse_constant=wrong,
            parse_int=lambda d: ("whole", d),
            parse_float=lambda d: ("broken", d),
        )
    except (ValueError, RecursionError) as error:
        raise Bad(str(error)) from error
    if not (isinstance(tree, list) and tree and isinstance(tree[0], tuple) and tree[0][0] == "object"):
        raise Bad("no object")
    found, unsure = {}, False
    for key, value in tree[0][1:]:
        if key not in KEYS or key in found:
            raise Bad(f"key {key}")
        found[key] = None
        number = value[1] if isinstance(value, tuple) else None
        if key == "mode":
            if not isinstance(value, str) or value.lower() not in MODES:
                raise Bad(key)
            found[key] = value.lower()
        elif key == "commands":
            words = [word.strip() for word in value.split(",")] if isinstance(value, str) else value
            if not isinstance(words, list) or any(not isinstance(word, str) for word in words):
                raise Bad(key)
            if words == [""]:
                words = []
            if any(word.lower() not in COMMANDS for word in words):
                raise Bad(key)
            found[key] = {word.lower() for word in words}
        elif key in ("require_where", "override"):
            if not isinstance(value, bool):
                raise Bad(key)
            found[key] = value
        elif number is None:
            raise Bad(key)
        elif key in ("max_rows", "min_rows"):
            if len(number) > 12 or (value[0] == "broken" and float(number) % 1):
                raise Bad(key)
            if value[0] == "broken" or number == "-0":
                # 1.0, 1e2: whole numbers, but not written as integers.
                unsure = True
                if not (-1 if key == "max_rows" else 0) <= float(number) < 2**31:
                    raise Bad(key)
            elif not (-1 if key == "max_rows" else 0) <= int(number) < 2**31:
                raise Bad(key)
            found[key] = float(number)
        else:
            if len(number) > 20 or "e" in number.lower():
                unsure = True   # at the edges of a double
            if not 0 <= float(number) <= 1:
                raise Bad(key)
            found[key] = float(number)
    return UNSURE if unsure else found


def same(found, shown):
    """Whether settings_for shows what a policy says."""
    for key, value in found.items():
        got = shown.get(key)
        if got is None:
            return False
        if isinstance(value, set):
            got, value = {word.strip() for word in got.split(",") if word.strip()}, value
        elif isinstance(value, bool):
            got = got in ("on", "true", "t")
        elif isinstance(value, float):
            got = float(got)
        if got != value:
            return False
    return True


STORED = """SELECT (SELECT label FROM pg_seclabel WHERE provider = 'safedelete' AND objoid = CASE WHEN $1 = 'schema'
  THEN 'labelled'::regnamespace::oid
  ELSE to_regclass('labelled.' || $1)::oid END)"""


def examine(session, rng, text, told):
    """The problems of a case; says in `told` whether it was stored."""
    target = rng.choice(("plain", "plain", "parted", "part", "schema"))
    way = rng.choice(("label", "label", "jsonb"))
    before = session.ask(STORED, target).rows
    if way == "label":
        literal = "E'" + text.replace("\\", "\\\\").replace("'", "''") + "'"
        what = "SCHEMA labelled" if target == "schema" else f"TABLE labelled.{target}"
        result = session.query(f"SECURITY LABEL FOR safedelete ON {what} IS {literal}")
        stored = text
    else:
        normal = session.ask("SELECT $1::jsonb::text", text)
        function, kind = ("set_schema_policy", "regnamespace") if target == "schema" else ("set_policy", "regclass")
        name = "labelled" if target == "schema" else f"labelled.{target}"
        result = session.ask(f"SELECT safedelete.{function}($1::{kind}, $2::jsonb)", name, text)
        if normal.error:
            if result.state != normal.state:
                yield f"refused: {result.describe()}, and jsonb says {normal.describe()}"
            if result.state[:2] != "22" and result.state != "54001":
                yield f"refused: {result.describe()}"
            return
        stored = normal.rows[0][0]
    try:
        found = meaning(stored)
    except Bad as bad:
        found = bad
    after = session.ask(STORED, target).rows
    if result.error:
        if result.state != "22023":
            yield f"refused: {result.describe()}"
        if isinstance(found, dict):
            yield f"refused: {result.describe()} {result.error.get('D')}, but it says {found}"
        if after != before:
            yield f"stored: {after}, and was {before}"
        return
    told["stored"] += 1
    if isinstance(found, Bad):
        yield f"accepted: {found}"
    if after != [(stored,)]:
        yield f"stored: {after}"
    shown = session.ask("SELECT policy = $1::text::jsonb FROM safedelete.policies WHERE label = $1", stored)
    if shown.error or ("t",) not in shown.rows:
        yield f"stored: safedelete.policies gives {shown.describe()} {shown.rows}"
    if isinstance(found, dict) and target != "schema":
        shown = session.query(
            f"SELECT setting, value, source FROM safedelete.settings_for('labelled.{target}') WHERE source = 'policy "
            f"on table \"labelled.{target}\"'"
        )
        values = {row[0]: row[1] for row in shown.rows}
        if shown.error or set(values) != set(found) or not same(found, values):
            yield f"stored: settings_for gives {values}, it says {found} ({shown.describe()})"


def connect():
    return Session("postgres", "fuzz_labels", client_min_messages="error")


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--seconds", type=int, default=int(os.environ.get("FUZZ_SECONDS", 60)) // 3)
    p.add_argument("--only", type=int, help="one case of the seed; prints it")
    a = p.parse_args()
    admin = Session("postgres", "postgres")
    must(admin, "DROP DATABASE IF EXISTS fuzz_labels WITH (FORCE)")
    must(admin, "CREATE DATABASE fuzz_labels")
    admin.close()
    session = connect()
    must(session, "CREATE EXTENSION safedelete; CREATE SCHEMA labelled; CREATE TABLE labelled.plain (id int)")
    must(
        session,
        "CREATE TABLE labelled.parted (id int) PARTITION BY LIST (id); CREATE TABLE labelled.part PARTITION OF "
        "labelled.parted DEFAULT",
    )
    passed = failed = number = 0
    told = {"stored": 0}
    end = time.time() + a.seconds
    while time.time() < end if a.only is None else number == 0:
        rng = random.Random(f"safedelete labels {a.seed}/{number if a.only is None else a.only}")
        text = policy(rng)
        try:
            problems = list(examine(session, rng, text, told))
        except Lost as lost:
            problems = [f"lost: {lost}"]
            wait_for_server()
            session = connect()
        passed, failed = passed + (not problems), failed + bool(problems)
        if problems or a.only is not None:
            name = number if a.only is None else a.only
            print(
                f"{'not ok -' if problems else 'ok -'} {a.seed}/{name}: {text[:1000]!r} ({len(text)})",
                *problems,
                sep="\n    ",
                flush=True,
            )
        number += 1
    failed += crashes()
    print(f"policies, seed {a.seed}: {number}, {told['stored']} stored")
    print(f"{passed} passed, {failed} failed")
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
