#!/usr/bin/env python3
"""Statements as the protocol sends them, which psql cannot: function calls, portals that are run in parts.

Needs a running server that has the library; prints 'N passed, N failed'.
"""
import struct

from checks import check, closing
from wire import Session


def said(result):
    """Values, commands' tags, and the SQLSTATE of an error."""
    return [value for value, *_ in result.rows] + result.tags + ([result.state] if result.error else [])


class Connection:
    """A session whose answers are lists: commands' tags, values, SQLSTATEs."""

    def __init__(self):
        self.session = Session("postgres", "postgres")

    def query(self, text):
        return said(self.session.query(text))

    def execute(self, text, most=0, times=1):
        """The extended protocol: a statement that is bound once and run in parts of `most` rows."""
        self.session.prepare("", text)
        return said(self.session.execute("", pieces=times, rows=most))

    def call(self, function, *numbers):
        return said(self.session.call(function, *(struct.pack("!i", number) for number in numbers)))


c = Connection()
c.query("DROP TABLE IF EXISTS wire CASCADE")
c.query("CREATE TABLE wire (id int PRIMARY KEY, v int DEFAULT 0)")
c.query("INSERT INTO wire SELECT generate_series(1, 1000)")
c.query("ANALYZE wire")
c.query("""CREATE FUNCTION wire_range(a int, b int) RETURNS int LANGUAGE plpgsql AS
  $$ BEGIN DELETE FROM wire WHERE id BETWEEN a AND b; RETURN 1; END $$""")
c.query("""CREATE FUNCTION wire_loop(a int, b int) RETURNS int LANGUAGE plpgsql AS
  $$ BEGIN FOR i IN a..b LOOP DELETE FROM wire WHERE id = i; END LOOP; RETURN 1; END $$""")
c.query("""CREATE FUNCTION wire_one(a int) RETURNS int LANGUAGE plpgsql AS
  $$ BEGIN DELETE FROM wire WHERE id = a; RETURN a; END $$""")
c.query("""CREATE FUNCTION wire_cursor(a int, b int) RETURNS int LANGUAGE plpgsql AS
  $$ DECLARE r record; BEGIN
    FOR r IN SELECT wire_one(g) FROM generate_series(a, b) g LOOP NULL; END LOOP; RETURN 1; END $$""")
c.query("""CREATE FUNCTION wire_dynamic(a int, b int) RETURNS int LANGUAGE plpgsql AS
  $$ BEGIN
    FOR i IN a..b LOOP EXECUTE format('DO $x$ BEGIN DELETE FROM wire WHERE id = %s; END $x$', i); END LOOP;
    RETURN 1; END $$""")
oid = {name: int(c.query(f"SELECT '{name}'::regproc::oid")[0])
       for name in ("wire_range", "wire_loop", "wire_cursor", "wire_dynamic")}
c.query("SET safedelete.max_rows = 100")

# Each function call of the protocol is a statement of its own.
for name in oid:
    c.query("BEGIN")
    check(f"{name}: a call within the limit", ["called"], c.call(oid[name], 1, 60))
    check(f"{name}: and another", ["called"], c.call(oid[name], 100, 159))
    check(f"{name}: a statement after a call", ["DELETE 60"], c.query("DELETE FROM wire WHERE id BETWEEN 200 AND 259"))
    check(
        f"{name}: likewise in the extended protocol",
        ["DELETE 60"],
        c.execute("DELETE FROM wire WHERE id BETWEEN 300 AND 359"),
    )
    check(f"{name}: a call over the limit", ["SD001"], c.call(oid[name], 400, 500))
    c.query("ROLLBACK")
    check(f"{name}: by itself, too", ["SD001"], c.call(oid[name], 1, 101))

# Deferred triggers fire at COMMIT, outside of the calls: one statement.
c.query("CREATE TABLE wire_log (a int, b int)")
c.query("""CREATE FUNCTION wire_later() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN PERFORM wire_range(NEW.a, NEW.b); RETURN NULL; END $$""")
c.query("""CREATE CONSTRAINT TRIGGER later AFTER INSERT ON wire_log DEFERRABLE INITIALLY DEFERRED
  FOR EACH ROW EXECUTE FUNCTION wire_later()""")
c.query("""CREATE FUNCTION wire_defer(a int, b int) RETURNS int LANGUAGE plpgsql AS
  $$ BEGIN INSERT INTO wire_log VALUES (a, b); RETURN 1; END $$""")
oid["wire_defer"] = int(c.query("SELECT 'wire_defer'::regproc::oid")[0])
c.query("BEGIN")
check("a call, and what it defers", ["called"], c.call(oid["wire_range"], 1, 60))
check("is not counted with it", ["called"], c.call(oid["wire_defer"], 61, 120))
check("before COMMIT", ["called"], c.call(oid["wire_range"], 121, 180))
c.query("SAVEPOINT s")
check("several that are deferred", ["called"], c.call(oid["wire_defer"], 200, 245))
check("are one statement at COMMIT", ["SD001"], c.query("COMMIT"))
c.query("BEGIN")
check("a call", ["called"], c.call(oid["wire_range"], 1, 60))
check("defers", ["called"], c.call(oid["wire_defer"], 61, 120))
check("and COMMIT is within the limit", ["COMMIT"], c.query("COMMIT"))

# Each statement of a string is one, whatever is computed while it is planned, and whatever ran before.
c.query("INSERT INTO wire SELECT generate_series(1, 120)")
two = "DELETE FROM wire WHERE id BETWEEN 200 AND 229 + 30; DELETE FROM wire WHERE id BETWEEN 300 AND 359"
c.query("BEGIN")
check("statements of a string", ["DELETE 60", "DELETE 60"], c.query(two))
c.query("ROLLBACK")
c.query("BEGIN")
c.call(oid["wire_range"], 1, 60)
check("after a call", ["DELETE 60", "DELETE 60"], c.query(two))
c.query("ROLLBACK")
check("over the limit", ["SD001"], c.query("DELETE FROM wire WHERE id BETWEEN 200 AND 200 + 100"))

# A portal that is run in parts keeps its sum.
c.query("BEGIN")
parts = c.execute("SELECT wire_one(g) FROM generate_series(1, 101) g", most=50, times=3)
check("a portal in parts is one statement", ["suspended", "suspended", "SD001"], [p for p in parts if not p.isdigit()])
c.query("ROLLBACK")
c.query("DROP TABLE wire, wire_log CASCADE")
for name in ("range", "loop", "cursor", "dynamic", "defer"):
    c.query(f"DROP FUNCTION wire_{name}(int, int)")
c.query("DROP FUNCTION wire_one(int), wire_later()")

# What another session sets between a Bind and its Execute: a guard asks for it, a point write has begun with its Bind.
def bound(statement, meanwhile):
    """A statement that is bound, and executed when another session has run a command."""
    session = Session("postgres", "postgres")
    session.prepare("", statement)
    session.send(session.bind("", ()), session.message(b"H", b""))
    assert session.read(5)[:1] == b"2", "no BindComplete"
    c.query(meanwhile)
    session.send(session.message(b"E", b"\0\0\0\0\0"), session.message(b"S", b""))
    result = said(session.answer())
    session.close()
    return result


c.query("CREATE TABLE held (id int PRIMARY KEY)")
c.query("INSERT INTO held SELECT generate_series(1, 1000)")
c.query("CREATE EXTENSION safedelete")
none = """SELECT safedelete.set_policy('held', '{"max_rows": 0, "min_rows": 0}')"""
check("a range that is bound before a policy", ["SD001"], bound("DELETE FROM held WHERE id < 50", none))
c.query("SELECT safedelete.clear_policy('held')")
check("a row that is bound before a policy", ["DELETE 1"], bound("DELETE FROM held WHERE id = 1", none))
check("and the next one", ["SD001"], c.execute("DELETE FROM held WHERE id = 2"))
c.query("DROP EXTENSION safedelete")
c.query("DROP TABLE held")

closing()
