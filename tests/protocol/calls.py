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

# What a function runs outside of any statement belongs to it, whatever portal it has: deferred triggers at COMMIT, and
# calls. So does what EXECUTE's arguments run. A cursor runs its query in a portal of its own, EXECUTE in another.
def loop(statement):
    return f"FOR i IN a..b LOOP {statement} END LOOP;"


def each(statement):
    return loop(f"FOR r IN {statement} LOOP NULL; END LOOP;")


forms = {
    "DELETE": loop("DELETE FROM wire WHERE id = i;"),
    "a cursor": each("DELETE FROM wire WHERE id = i RETURNING *"),
    "a cursor of a text": each("EXECUTE format('DELETE FROM wire WHERE id = %s RETURNING *', i)"),
    "a named cursor": loop("""n := 'n' || i; OPEN n FOR EXECUTE 'DELETE FROM wire WHERE id = $1 RETURNING *' USING i;
        FETCH n INTO r; CLOSE n;"""),
    "a cursor over several": each("DELETE FROM wire WHERE id BETWEEN i * 5 AND i * 5 + 4 RETURNING *"),
    "EXECUTE": loop("EXECUTE format('EXECUTE wire_delete(%s)', i);"),
    "a cursor of EXECUTE": each("EXECUTE format('EXECUTE wire_returning(%s)', i)"),
}
c.query("INSERT INTO wire SELECT generate_series(1, 1000) ON CONFLICT DO NOTHING")
c.query("PREPARE wire_delete(int) AS DELETE FROM wire WHERE id = $1")
c.query("PREPARE wire_returning(int) AS DELETE FROM wire WHERE id = $1 RETURNING *")
c.query("PREPARE wire_select(int) AS SELECT $1")
c.query("CREATE TABLE wire_late (a int, b int)")
c.query("""CREATE FUNCTION wire_late() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN NEW.a := wire_form(NEW.a, NEW.b); RETURN NULL; END $$""")
c.query("""CREATE CONSTRAINT TRIGGER late AFTER INSERT ON wire_late DEFERRABLE INITIALLY DEFERRED
  FOR EACH ROW EXECUTE FUNCTION wire_late()""")


def forms_function(body):
    c.query(f"""CREATE OR REPLACE FUNCTION wire_form(a int, b int) RETURNS int LANGUAGE plpgsql AS
      $$ DECLARE r record; n refcursor; BEGIN {body} RETURN 1; END $$""")
    return int(c.query("SELECT 'wire_form'::regproc::oid")[0])


for name, body in forms.items():
    function = forms_function(body)
    check(f"{name}, called by the protocol", ["SD001"], c.call(function, 1, 101))
    check(f"{name}, by EXECUTE's arguments", ["SD001"], c.query("EXECUTE wire_delete(wire_form(1, 101))"))
    check(f"{name}, by those of a SELECT", ["SD001"], c.query("EXECUTE wire_select(wire_form(1, 101))"))
    check(f"{name}, at COMMIT", ["SD001"], c.query("INSERT INTO wire_late VALUES (1, 101)"))
    c.query("BEGIN")
    c.query("INSERT INTO wire_late VALUES (1, 101)")
    check(f"{name}, before two-phase COMMIT", ["SD001"], c.query("PREPARE TRANSACTION 'wire'"))
    c.query("ROLLBACK")

# A row that the sum has written before counts once there.
for name, statement in {
    "a list": "UPDATE wire SET v = v + 1 WHERE id IN (1, 2, 3);",
    "an array": "UPDATE wire SET v = v + 1 WHERE id = ANY ('{1, 2, 3}'::int[]);",
    "a cursor": "FOR r IN UPDATE wire SET v = v + 1 WHERE id = 1 RETURNING * LOOP NULL; END LOOP;",
}.items():
    function = forms_function(loop(statement))
    check(f"{name} again and again, called by the protocol", ["called"], c.call(function, 1, 101))
    check(f"{name}, at COMMIT", ["INSERT 0 1"], c.query("INSERT INTO wire_late VALUES (1, 101)"))
c.query("DROP TABLE wire_late")
c.query("DROP FUNCTION wire_late(), wire_form(int, int)")

# The next statement obeys a policy, where its transaction has held its locks for a while: Parse takes them.
other = Connection()
delete = "DELETE FROM wire WHERE id = $1"


def begins(how):
    """A transaction that has the table's locks, and another session's word since."""
    if how == "a pipeline":
        c.session.send(c.session.message(b"P", b"wire_held\0" + delete.encode() + b"\0\0\0"),
                       c.session.message(b"H", b""))
        # What has no answer of its own has to have arrived.
        while c.session.read(1) != b"1":
            pass
        c.session.read(4)
    else:
        c.query("BEGIN")
        if how == "a chain":
            c.query("COMMIT AND CHAIN")
        c.session.prepare("wire_held", delete)
    other.query("""SECURITY LABEL FOR safedelete ON TABLE wire IS '{"max_rows": 0}'""")


for how in ("a block", "a chain", "a pipeline"):
    for name, ask in {
        "a string": lambda: c.query("DELETE FROM wire WHERE id = 900"),
        "EXECUTE": lambda: c.query("EXECUTE wire_delete(900)"),
        "EXECUTE of what holds them": lambda: c.query("EXECUTE wire_held(900)"),
        "Bind": lambda: said(c.session.execute("wire_held", "900")),
    }.items():
        other.query("SECURITY LABEL FOR safedelete ON TABLE wire IS NULL")
        c.session.send(c.session.message(b"C", b"Swire_held\0"), c.session.message(b"S", b""))
        c.session.answer()
        for row in range(1, 7):
            c.query(f"EXECUTE wire_delete({row})")
            c.query(f"DELETE FROM wire WHERE id = {row + 10}")
        begins(how)
        check(f"{how}, {name}: obeys a new policy", ["SD001"], ask())
        c.query("ROLLBACK")
other.query("""SECURITY LABEL FOR safedelete ON TABLE wire IS '{"mode": "off"}'""")
c.query("BEGIN")
c.session.prepare("", "UPDATE wire SET v = 0")
other.query("SECURITY LABEL FOR safedelete ON TABLE wire IS NULL")
check("what was analysed without a guard has one", ["21000"], said(c.session.execute("")))
c.query("ROLLBACK")
c.query("DEALLOCATE ALL")

# Each statement of a string is one, whatever is computed while it is planned, and whatever ran before.
c.query("INSERT INTO wire SELECT generate_series(1, 1000) ON CONFLICT DO NOTHING")
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
