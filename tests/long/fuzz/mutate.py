"""Scripts for tests/long/fuzz/check.py: what people wrote in tests/regress, tests/incidents and tests/corpus, and
damage to it."""

import re
from pathlib import Path

TESTS = Path(__file__).resolve().parents[2]
TOKEN = re.compile(r"""
    --[^\n]*\n? | /\*.*?\*/ | (?P<dollar>\$(?:[A-Za-z_]\w*)?\$).*?(?P=dollar)
  | [eEbBxXnN]?'(?:[^'\\]|''|\\.)*' | [uU]&["'](?:[^"'])*["'] | "(?:[^"]|"")*"
  | [^\W\d]\w*\$? | \$\d+ | \d[\w.]* | \s+ | ::|:=|=>|<=|>=|<>|!=|\|\| | .""", re.X | re.S)
WORDS = """
    SELECT DELETE FROM UPDATE SET WHERE MERGE INTO USING ON WHEN MATCHED NOT THEN DO NOTHING TRUNCATE CASCADE DROP TABLE
    SCHEMA INSERT VALUES CONFLICT WITH RECURSIVE AS RETURNING ONLY IN EXISTS ANY ALL ARRAY NULL true false IS DISTINCT
    AND OR BETWEEN LIKE CASE ELSE END BEGIN COMMIT ROLLBACK SAVEPOINT RELEASE PREPARE EXECUTE DEALLOCATE DECLARE CURSOR
    FETCH CURRENT OF EXPLAIN ANALYZE COPY TO STDOUT STDIN CREATE FUNCTION RETURNS LANGUAGE plpgsql sql ATOMIC CALL
    LATERAL JOIN LEFT UNION EXCEPT GROUP BY ORDER LIMIT FOR SHARE DEFAULT VIEW TEMP IF TABLESAMPLE LOCK REINDEX VACUUM
    DISCARD RESET SESSION LOCAL ctid tableoid xmin id NEW OLD NOTIFY LISTEN IMPORT GRANT REVOKE OWNED REASSIGN DATABASE
    IDENTITY TRANSACTION ISOLATION ( ) [ ] { } , ; . .. * = < > + - / % ^ | & # ~ ! @ ? : :: := $1 $0 $2147483647
    $99999 ' " $$ $a$ /* */ -- \\ U&' E'
    0 1 -1 7 5000 2147483648 -9223372036854775808 1e400 1e-400 0x7f 1_000 .5 5. 'x' E'\\x' ''
""".split()
NUMBERS = [
    "0",
    "-0",
    "1",
    "-1",
    "2147483647",
    "2147483648",
    "-2147483649",
    "9223372036854775808",
    "1e308",
    "1e309",
    "1e-400",
    "9" * 400,
    "0." + "0" * 300 + "1",
    "1e",
    "1.2.3",
    "0x",
    "1__0",
    "NaN",
    "'Infinity'::float8",
]
PSQL = [
    "\\copy t from x",
    "\\i other.sql",
    "\\set x `rm y`",
    "\\gset",
    "\\;",
    "\\.",
    "\\d+ orders",
    "\\c other",
    "\\if true",
    "\\\\",
]
ODD = [
    "é",
    "漢字",
    "😀",
    "\u202e",
    "\u00a0",
    "\ufeff",
    "\u2028",
    "\u0085",
    "ﬀ",
    "e\u0301",
    "\x01",
    "\x0b",
    "\x0c",
    "\x7f",
    "\r",
    "\t",
    "ı",
    "ß",
]
SETTINGS = [
    "SET safedelete.allow_rows = {n}",
    "SET LOCAL safedelete.allow_rows = {n}",
    "SET safedelete.mode = off",
    "SET search_path = pg_catalog",
    "SET LOCAL search_path = nowhere, public",
    "SET ROLE app",
    "SET ROLE none",
    "SET ROLE postgres",
    "RESET ROLE",
    "RESET ALL",
    "DISCARD ALL",
    "SET SESSION AUTHORIZATION app",
    "SET SESSION AUTHORIZATION DEFAULT",
    "BEGIN",
    "COMMIT",
    "ROLLBACK",
    "COMMIT AND CHAIN",
    "SAVEPOINT a",
    "ROLLBACK TO a",
    "RELEASE a",
    "SAVEPOINT b",
    "PREPARE TRANSACTION 'x'",
    "COMMIT PREPARED 'x'",
    "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE",
    "BEGIN READ ONLY",
    "SET statement_timeout = 1",
    "SET safedelete.nothing = 1",
    "SET safedelete.reason TO DEFAULT",
    "SET safedelete.exempt_tables = 'public.*'",
    "SET safedelete.commands = ''",
    "LOCK TABLE orders",
    "LISTEN fuzz",
    "PREPARE p AS DELETE FROM orders",
    "EXECUTE p",
    "DEALLOCATE ALL",
    "DECLARE c CURSOR WITH HOLD FOR SELECT 1",
    "SELECT pg_advisory_lock(1)",
    "SELECT nextval('s')",
    "SELECT set_config('search_path', '', false)",
    "DO 'BEGIN EXECUTE ''DELETE FROM orders''; END'",
    "LOAD 'plpgsql'",
    "CREATE TEMP TABLE orders (id int)",
    "DROP OWNED BY app",
    "SET client_encoding = 'LATIN1'",
    "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
    "SET CONSTRAINTS ALL DEFERRED",
    "VACUUM FULL",
    "CHECKPOINT",
    "ALTER SYSTEM SET port = 1",
    "SET safedelete.allow_rows FROM CURRENT",
    "REINDEX SYSTEM fuzz",
]
BLOCKS = [
    "DO $blk$ BEGIN {sql}; END $blk$",
    "DO $blk$ DECLARE r record; n int := 1; BEGIN FOR r IN SELECT 1 LOOP {sql}; END LOOP; END $blk$",
    "CREATE FUNCTION ff() RETURNS void LANGUAGE sql AS $blk${sql}$blk$",
    "CREATE FUNCTION ff() RETURNS void LANGUAGE sql BEGIN ATOMIC {sql}; END",
    "CREATE OR REPLACE PROCEDURE ff(a int) LANGUAGE plpgsql AS $blk$ BEGIN {sql}; EXCEPTION WHEN OTHERS THEN {sql}; "
    "END $blk$",
    "EXPLAIN ANALYZE {sql}",
    "EXPLAIN (ANALYZE off) {sql}",
    "COPY ({sql} RETURNING *) TO STDOUT",
    "WITH w AS ({sql} RETURNING *) SELECT * FROM w",
    "PREPARE pp AS {sql}; EXECUTE pp",
    "PREPARE pp(int) AS {sql}; EXECUTE pp(1)",
    "CREATE TABLE made AS WITH w AS ({sql} RETURNING *) SELECT * FROM w",
    "DECLARE cc CURSOR FOR {sql}",
    "CREATE RULE rr AS ON INSERT TO orders DO ALSO {sql}",
    "DO $blk$ BEGIN IF true THEN {sql}; ELSE NULL; END IF; END $blk$",
    "CREATE VIEW made AS SELECT 1; {sql}",
    "BEGIN; {sql}; COMMIT",
    "SET LOCAL safedelete.allow_rows = {n}; {sql}",
    "CREATE SCHEMA made CREATE TABLE x (id int); {sql}",
]


class Seed:
    """A file's statements, and the SQL that makes the tables they are about."""

    def __init__(self, path):
        self.name = f"{path.parent.name if path.parent.name != 'sql' else 'regress'}_{path.stem}".replace("-", "_")
        text = "\n".join(line for line in path.read_text().splitlines() if not line.startswith(("\\", "-- ")))
        self.statements = [s for s in split(text) if s.strip()]
        self.schema = ";\n".join(
            s
            for s in self.statements
            if re.match(r"\s*(CREATE (?!EXTENSION|ROLE|DATABASE|SERVER|USER)|INSERT)", s, re.I)
        )
        # Scripts inside: what is handed to check, dry_run and DO.
        for inner in re.findall(r"\$(\w*)\$(.*?)\$\1\$", text, re.S):
            self.statements += [s for s in split(inner[1]) if s.strip()]

    @property
    def writes(self):
        return [s for s in self.statements if re.match(r"\s*(DELETE|UPDATE|MERGE|TRUNCATE|WITH|INSERT)\b", s, re.I)]


def seeds():
    paths = [*sorted(TESTS.glob("regress/sql/*.sql")), *sorted(TESTS.glob("incidents/*.sql"))]
    corpus = [path for path in sorted(TESTS.glob("corpus/*.sql")) if path.name != "schema.sql"]
    found = [Seed(path) for path in paths]
    shop = Seed(TESTS / "corpus" / "schema.sql")
    shop.name = "shop"
    for path in corpus:
        shop.statements += Seed(path).statements
    return [shop] * (len(found) // 2) + found


def tokens(text):
    return [match[0] for match in TOKEN.finditer(text)]


def split(text):
    """Statements, by semicolons that are tokens. A body in BEGIN ATOMIC falls apart."""
    statements, current = [], []
    for token in tokens(text):
        if token == ";":
            statements.append("".join(current))
            current = []
        else:
            current.append(token)
    return [*statements, "".join(current)]


# Mutations: a text and a source of chance to a text, or to bytes.

def delete_tokens(rng, text):
    t = tokens(text)
    at = rng.randrange(len(t) + 1)
    return "".join(t[:at] + t[at + rng.choice((1, 1, 1, 2, 3, 8)):])


def repeat_tokens(rng, text):
    t = tokens(text)
    at, size = rng.randrange(len(t) + 1), rng.choice((1, 1, 2, 5, 20))
    return "".join(t[:at] + t[at:at + size] * rng.choice((2, 2, 3, 50)) + t[at + size:])


def swap_tokens(rng, text):
    t = tokens(text)
    if len(t) > 1:
        a, b = rng.randrange(len(t)), rng.randrange(len(t))
        t[a], t[b] = t[b], t[a]
    return "".join(t)


def put_word(rng, text):
    t = tokens(text)
    at = rng.randrange(len(t) + 1)
    return "".join(t[:at] + [f" {rng.choice(WORDS)} "] + t[at + rng.randrange(2):])


def put_number(rng, text):
    t = tokens(text)
    numbers = [i for i, token in enumerate(t) if token[:1].isdigit()]
    if numbers:
        t[rng.choice(numbers)] = rng.choice(NUMBERS)
    return "".join(t)


def damage_quotes(rng, text):
    places = [m.start() for m in re.finditer(r"""['"$\\]|/\*|\*/|--""", text)]
    if not places or rng.random() < 0.3:
        at = rng.randrange(len(text) + 1)
        return (
            text[:at]
            + rng.choice(["'", '"', "$$", "$x$", "$é$", "/*", "*/", "--", "\\", "U&'\\", "E'\\u", "E'\\777", "''''"])
            + text[at:]
        )
    at = rng.choice(places)
    return text[:at] + text[at + rng.choice((1, 1, 2)):]


def requote(rng, text):
    tag = rng.choice(["$$", "$a$", "$A_1$", "$é$", "$" + "t" * 200 + "$", "'"])
    return f"DO {tag}{text}{tag}" if rng.random() < 0.5 else f"SELECT {tag}{text}{tag}"


def nest_comment(rng, text):
    at = rng.randrange(len(text) + 1)
    depth = rng.choice((1, 2, 7, 300))
    return (
        text[:at]
        + "/* " * depth
        + rng.choice(["", "';", "--\n", "$$"])
        + " */" * max(0, depth + rng.choice((0, 0, 0, -1, 1)))
        + text[at:]
    )


def put_odd(rng, text):
    at = rng.randrange(len(text) + 1)
    return text[:at] + rng.choice(ODD) * rng.choice((1, 1, 3, 40)) + text[at:]


def put_psql(rng, text):
    lines = text.split("\n")
    lines.insert(rng.randrange(len(lines) + 1), rng.choice(PSQL))
    return "\n".join(lines)


def put_copy(rng, text):
    return rng.choice(
        [
            text + ";\nCOPY orders FROM STDIN;\n1\t2\t\\N\n3\t'\t;\n\\.\n",
            "COPY orders (id) FROM STDIN WITH (FORMAT csv);" + text,
            text + "; COPY (SELECT 1) TO PROGRAM 'false'",
        ]
    )


def put_setting(rng, text):
    statement = rng.choice(SETTINGS).replace("{n}", rng.choice(("-1", "0", "5", "5000", "2147483648", "x")))
    return f"{statement};\n{text}" if rng.random() < 0.7 else f"{text};\n{statement}"


def wrap(rng, text):
    return rng.choice(BLOCKS).replace("{n}", rng.choice(("-1", "3"))).replace("{sql}", text)


def cut(rng, text):
    at = rng.randrange(len(text) + 1)
    return text[:at] if rng.random() < 0.7 else text[at:]


def break_bytes(rng, text):
    """Bytes that need be no characters: cut, flipped, or of another encoding."""
    kind = rng.randrange(4)
    data = bytearray(text.encode())
    if kind == 0:
        at = rng.randrange(len(data) + 1)
        data[at:at] = rng.choice(["漢", "é", "😀"]).encode()[:-1]
    elif kind == 1 and data:
        data[rng.randrange(len(data))] = rng.randrange(1, 256)
    elif kind == 2:
        data = bytearray((text + " é ß").encode("utf-16-le").replace(b"\0", b""))
    else:
        at = rng.randrange(len(data) + 1)
        data[at:at] = bytes(
            rng.choice(
                [[0xFF], [0xC0, 0x80], [0xED, 0xA0, 0x80], [0xF8, 0x88], [0xA4, 0xA2], [0x8E, 0x5C], [0x81, 0x5C]]
            )
        )
    return bytes(data)


LIGHT = [put_number, put_word, delete_tokens, swap_tokens, repeat_tokens]
ALL = LIGHT + [
    damage_quotes,
    requote,
    nest_comment,
    put_odd,
    put_psql,
    put_copy,
    put_setting,
    put_setting,
    wrap,
    wrap,
    wrap,
    cut,
]


def large(rng, statements):
    """What is long or deep: limits of the parser, of the stack and of memory."""
    n = rng.choice((10, 100, 1000, 5000))
    some = rng.choice(statements)
    condition = rng.choice(("id = 1", "id IS NOT NULL", "true", "id IN (SELECT id FROM tiny)"))
    delete = "DELETE FROM orders WHERE "
    return rng.choice(
        [
            lambda: ";\n".join(rng.choice(statements) for _ in range(n // 4)),
            lambda: delete + "(" * n + condition + ")" * n,
            lambda: delete + "NOT " * n + condition,
            lambda: delete + " OR ".join(f"id = {i}" for i in range(n)),
            lambda: delete + " AND ".join(f"(id > {i} OR customer < {i})" for i in range(n // 4)),
            lambda: delete + "(" * n + "id = 0" + "".join(f" OR id = {i})" for i in range(n)),
            lambda: delete + "id IN (" + ", ".join(map(str, range(n * 4))) + ")",
            lambda: delete + "id = 1" + " + 1" * n,
            lambda: delete + "CASE WHEN true THEN " * (n // 2) + condition + " END" * (n // 2),
            lambda: delete + "id IN (SELECT id FROM orders WHERE " * (n // 125) + condition + ")" * (n // 125),
            lambda: delete + "EXISTS (SELECT 1 WHERE " * (n // 10) + condition + ")" * (n // 10),
            lambda: "WITH "
            + ", ".join(f"w{i} AS (DELETE FROM orders WHERE id = {i} RETURNING id)" for i in range(n // 20 + 1))
            + " SELECT 1",
            lambda: "EXPLAIN ANALYZE " * (n // 10) + delete + condition,
            lambda: nested_blocks(min(n, 1000) // 10 + 1, delete + condition),
            lambda: "DO $$ BEGIN " + "IF true THEN " * n + delete + condition + ";" + " END IF;" * n + " END $$",
            lambda: "DO $$ BEGIN " + "BEGIN " * n + delete + condition + ";" + " END;" * n + " END $$",
            lambda: "DO $$ BEGIN " + (delete + condition + ";") * (n // 2) + " END $$",
            lambda: "/*" * n + some + "*/" * n + some,
            lambda: "SELECT '" + "x" * (n * 200) + "'; " + some,
            lambda: delete + '"' + "é" * n + '" = 1',
            lambda: ";" * n + some + ";" * n,
            lambda: "\n" * n + some,
            lambda: "SAVEPOINT a; SET LOCAL safedelete.allow_rows = 5; " * (n // 4) + some + "; RELEASE a" * (n // 4),
            lambda: "BEGIN; SET safedelete.allow_rows = 5; COMMIT; " * (n // 4) + some,
            lambda: "PREPARE p0 AS "
            + delete
            + condition
            + "".join(f"; PREPARE p{i} AS EXECUTE p{i - 1}" for i in range(1, n // 20 + 1)),
            lambda: "TRUNCATE " + ", ".join(["orders"] * n),
            lambda: "DROP TABLE " + ", ".join(["orders", "nowhere.t", "a.b.c"] * (n // 4 + 1)),
            lambda: "UPDATE orders SET " + ", ".join(["customer = 1"] * n),
            lambda: "SELECT " + "f(" * n + "1" + ")" * n,
            lambda: "SELECT 1" + " UNION SELECT 1" * (n // 4) + "; " + some,
            lambda: "MERGE INTO orders USING tiny ON true" + " WHEN MATCHED AND orders.id = 1 THEN DELETE" * (n // 4),
            lambda: "CREATE FUNCTION f() RETURNS void LANGUAGE sql AS $$"
            + (delete + condition + ";") * (n // 4)
            + "$$",
        ]
    )()


def nested_blocks(depth, inner):
    for i in range(depth):
        inner = f"DO $d{i}$ BEGIN {inner}; END $d{i}$"
    return inner
