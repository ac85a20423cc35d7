"""Random tables for the truth-checking fuzzers: partitioned, inherited, foreign, tied by foreign keys, triggers and
rules, seen through views. Every row has a `uid` of its own, which it keeps wherever it moves.

Where tables are *counted*, row triggers note each row that is written, and the highest number of distinct rows that a
sum came to, so that what an inner exception undid is known too. Where they are not, they have no such triggers (point
writes are planned differently then, and foreign tables written directly), and the truth is the difference between
before and after.
"""

import json
from dataclasses import dataclass, field

LOOPBACK = """
CREATE EXTENSION IF NOT EXISTS postgres_fdw;
DROP SERVER IF EXISTS loopback CASCADE;
CREATE SERVER loopback FOREIGN DATA WRAPPER postgres_fdw
  OPTIONS (host '{host}', port '{port}', dbname '{database}', options '-c safedelete.mode=off');
CREATE USER MAPPING FOR PUBLIC SERVER loopback OPTIONS (user 'postgres', password_required 'false');
"""

# fz.as_TABLE says, for each statement, which command writes the table directly and by which name (`merge t0`); what
# triggers and foreign keys write goes by its own. Sequences outlive what is rolled back.
COUNTING = """
CREATE SEQUENCE uid; CREATE SEQUENCE tick; CREATE SEQUENCE fired; CREATE TABLE gone (gone_id int);
CREATE TABLE seen (sum text, name text, written int, PRIMARY KEY (sum, name, written));
INSERT INTO gone VALUES (1), (2);
CREATE FUNCTION said(name text) RETURNS text LANGUAGE sql AS
  $$ SELECT coalesce(current_setting('fz.' || name, true), '') $$;
CREATE FUNCTION direct(name text, said text) RETURNS void LANGUAGE sql AS
  $$ SELECT set_config('fz.as_' || name, said, true) $$;
CREATE FUNCTION note(command text, name text, written int) RETURNS void LANGUAGE plpgsql AS $$
DECLARE count int;
BEGIN
  PERFORM nextval('fz.fired');
  IF written > fz.said('born')::int THEN RETURN; END IF;
  IF command <> ALL (string_to_array(fz.said('commands'), ',')) THEN RETURN; END IF;
  INSERT INTO fz.seen VALUES (fz.said('sum'), name, written) ON CONFLICT DO NOTHING;
  IF NOT FOUND THEN RETURN; END IF;
  count := coalesce(nullif(fz.said('n_' || name), ''), '0')::int + 1;
  PERFORM set_config('fz.n_' || name, count::text, true);
  EXECUTE format('SELECT setval(%L, greatest(%s, last_value)) FROM fz.%I', 'fz.peak_' || name, count, 'peak_' || name);
END $$;
CREATE FUNCTION written() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE said text := fz.said('as_' || TG_ARGV[0]);
BEGIN
  IF TG_OP = 'DELETE' AND fz.said('moving') = OLD.uid::text THEN   -- an UPDATE that moves the row to another partition
    PERFORM set_config('fz.moving', '', true);
    RETURN OLD;
  ELSIF TG_OP = 'UPDATE' THEN
    PERFORM set_config('fz.moving', CASE WHEN NEW.k IS DISTINCT FROM OLD.k THEN OLD.uid::text ELSE '' END, true);
  END IF;
  IF pg_trigger_depth() > 1 OR said = '' THEN said := lower(TG_OP) || ' ' || TG_ARGV[1]; END IF;
  PERFORM fz.note(split_part(said, ' ', 1), split_part(said, ' ', 2), OLD.uid);
  IF TG_TABLE_NAME = ANY (string_to_array(TG_ARGV[2], ',')) AND split_part(said, ' ', 2) <> TG_TABLE_NAME THEN
    PERFORM fz.note(split_part(said, ' ', 1), TG_TABLE_NAME, OLD.uid);   -- a partition with a policy of its own
  END IF;
  IF TG_OP = 'UPDATE' THEN RETURN NEW; ELSE RETURN OLD; END IF;
END $$;
"""

INSTEAD = """
CREATE VIEW {view} AS SELECT id, k, v, s, b, ref, uid FROM {table};
CREATE FUNCTION {view}_write() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM fz.note(split_part(fz.said('as_{view}'), ' ', 1), '{view}', OLD.uid);
  IF TG_OP = 'DELETE' THEN {on_delete}; RETURN OLD; END IF;
  {on_update}; RETURN NEW;
END $$;
CREATE TRIGGER instead INSTEAD OF UPDATE OR DELETE ON {view} FOR EACH ROW EXECUTE FUNCTION {view}_write();
"""

KINDS = ["plain"] * 6 + ["range", "list", "hash"] * 2 + ["inherit"] * 2
FOREIGN_KINDS = ["plain", "foreign", "foreign child", "foreign partition"]


@dataclass
class View:
    name: str
    restricts: bool = False  # by a WHERE of its own
    instead: bool = False  # INSTEAD OF triggers: a table of its own


@dataclass
class Table:
    name: str
    kind: str
    rows: int
    parts: list = field(default_factory=list)
    key: bool = False  # PRIMARY KEY (id)
    unique: bool = True  # no two rows have the same id
    v_not_null: bool = False
    check: str = ""
    reference: tuple = None  # (table, on delete, on update)
    own_reference: bool = False
    trigger: str = ""  # what it writes
    inserts: bool = False  # something inserts rows while others are written
    rule: str = ""
    security: bool = False  # row security
    labels: dict = field(default_factory=dict)  # policies, of the table and of its parts
    views: list = field(default_factory=list)

    @property
    def inherited(self):
        return self.kind in ("inherit", "foreign child")

    @property
    def partitioned(self):
        return self.kind in ("range", "list", "hash", "foreign partition")

    @property
    def foreign(self):
        return self.kind.startswith("foreign")

    @property
    def nested(self):
        """The name by which triggers and foreign keys write it."""
        return f"{self.name}_only" if self.inherited and self.reference else self.name

    @property
    def labelled_parts(self):
        """Partitions and children that are counted by themselves where the whole is named."""
        return [part for part in self.parts if part in self.labels]

    def label(self, name):
        """The policy that holds for one of its sums."""
        if name in self.parts:
            return (self.labels.get(self.name, {}) if self.partitioned else {}) | self.labels.get(name, {})
        return self.labels.get(self.name, {}) if name in (self.name, f"{self.name}_only") else {}

    def names(self):
        """All sums that it may have, with what its size is read from."""
        yield self.name, self.name
        if self.inherited:
            yield f"{self.name}_only", f"ONLY {self.name}"
        for part in self.parts:
            yield part, part


class Tables(list):
    """The tables of one seed, and what is common to them."""

    def __init__(self, session, rng, version, counted=None):
        self.session, self.rng, self.version = session, rng, version
        self.foreign = rng.random() < 0.2 and not counted
        self.counted = not self.foreign and rng.random() < 0.6 if counted is None else counted
        self.role = "fuzz_app" if rng.random() < 0.2 else ""
        self.make()

    def run(self, sql):
        result = self.session.query(sql)
        if result.error:
            raise SystemExit(f"set-up: {result.describe()}: {sql[:300]}")

    def make(self):
        self.run("RESET ALL; SET client_min_messages = error; SET safedelete.mode = off")
        self.run(
            "DROP SCHEMA IF EXISTS fz CASCADE; DROP SCHEMA IF EXISTS far CASCADE; CREATE SCHEMA fz; CREATE SCHEMA far"
        )
        self.run("SET search_path = fz, public")
        self.run(COUNTING)
        for number in range(self.rng.randint(2, 4)):
            kind = self.rng.choice(FOREIGN_KINDS if self.foreign else KINDS)
            self.append(Table(f"t{number}", kind, self.rng.choice([0, 5, 20, 40, 60, 60] + [300] * (not self.counted))))
            self.create(self[-1])
        for number, table in enumerate(self):
            self.tie(table, self[:number])
        for table in self:
            self.fill(table)
        for number, table in enumerate(self):
            if not self.foreign:
                self.react(table, self[number + 1 :])
            self.label(table)
            if self.counted:
                self.count(table)
            self.show(table)
            self.analyze(table)
        for table in self:
            for name in [name for name, _ in table.names()] + [view.name for view in table.views]:
                self.run(f"CREATE SEQUENCE peak_{name} MINVALUE 0")
        self.run(
            "GRANT ALL ON SCHEMA fz TO PUBLIC; GRANT ALL ON ALL TABLES IN SCHEMA fz TO PUBLIC;"
            "GRANT ALL ON ALL SEQUENCES IN SCHEMA fz TO PUBLIC"
        )

    def create(self, t):
        rng, name = self.rng, t.name
        t.v_not_null = rng.random() < 0.4
        columns = [
            "id int NOT NULL",
            "k int NOT NULL DEFAULT 0",
            f"v int{' NOT NULL DEFAULT 0' * t.v_not_null}",
            "s text",
            "b bool",
            "uid int DEFAULT nextval('fz.uid')",
            "ref int",
            "par int",
        ]
        dropped = rng.random() < 0.25
        if dropped:
            columns.insert(rng.randint(0, 4), "dropped int")
        if not self.foreign and rng.random() < 0.4:
            virtual = self.version >= 18 and rng.random() < 0.5
            columns.append(f"g int GENERATED ALWAYS AS (id * 2){'' if virtual else ' STORED'}")
        if t.kind == "plain" and rng.random() < 0.4:
            t.check = rng.choice(["id >= 0 AND k >= 0", "v > -100", "length(s) < 100000"])
            columns.append(f"CHECK ({t.check})")
        columns = ", ".join(columns)
        if t.kind in ("foreign", "foreign child", "foreign partition"):
            self.run(f"CREATE TABLE far.{name} ({columns})")
        far = f"SERVER loopback OPTIONS (schema_name 'far', table_name '{name}')"
        by = {"range": "RANGE (k)", "list": "LIST (k)", "hash": "HASH (k)", "foreign partition": "LIST (k)"}.get(t.kind)
        if t.kind == "foreign":
            self.run(f"CREATE FOREIGN TABLE {name} ({columns}) {far}")
        else:
            self.run(f"CREATE TABLE {name} ({columns}){f' PARTITION BY {by}' if by else ''}")
        if dropped:
            self.run(
                f"ALTER TABLE {name} DROP COLUMN dropped" + f"; ALTER TABLE far.{name} DROP COLUMN dropped" * t.foreign
            )
        t.parts = [
            f"{name}_{n}"
            for n in range({"plain": 0, "foreign": 0, "range": 3, "inherit": 1, "foreign child": 1}.get(t.kind, 2))
        ]
        bounds = {
            "range": ["FROM (0) TO (3)", "FROM (3) TO (6)", "FROM (6) TO (1000)"],
            "hash": ["WITH (MODULUS 2, REMAINDER 0)", "WITH (MODULUS 2, REMAINDER 1)"],
        }.get(t.kind, [])
        for part, bound in zip(t.parts, bounds):
            self.run(f"CREATE TABLE {part} PARTITION OF {name} FOR VALUES {bound}")
        if t.kind == "list":
            # The second is attached, so that its columns may lie otherwise.
            self.run(
                f"CREATE TABLE {name}_0 PARTITION OF {name} FOR VALUES IN (0, 1, 2); CREATE TABLE {name}_1 (LIKE "
                f"{name}_0 INCLUDING ALL)"
            )
            self.run(f"ALTER TABLE {name} ATTACH PARTITION {name}_1 DEFAULT")
        elif t.kind == "foreign partition":
            self.run(
                f"CREATE TABLE {name}_0 PARTITION OF {name} FOR VALUES IN (0, 1, 2); CREATE FOREIGN TABLE {name}_1 "
                f"PARTITION OF {name} DEFAULT {far}"
            )
        elif t.kind == "inherit":
            self.run(f"CREATE TABLE {name}_0 (x int) INHERITS ({name})")
        elif t.kind == "foreign child":
            self.run(f"CREATE FOREIGN TABLE {name}_0 () INHERITS ({name}) {far}")
        if rng.random() < 0.8 and not (t.foreign and t.partitioned):
            t.key = t.kind == "plain"
            columns = "id, k" if t.partitioned else "id"
            for relation in {"foreign": [f"far.{name}"], "inherit": [name, *t.parts]}.get(t.kind, [name]):
                self.run(f"ALTER TABLE {relation} ADD PRIMARY KEY ({columns})")
            t.unique = t.kind in ("plain", "foreign")
        else:
            t.unique = False
        if t.kind != "foreign" and rng.random() < 0.4:
            self.run(f"CREATE INDEX ON {'ONLY ' * (t.kind == 'foreign partition')}{name} (k)")

    def tie(self, t, before):
        """Foreign keys."""
        rng = self.rng
        keyed = [u for u in before if u.key]
        if keyed and not t.foreign and rng.random() < 0.7:
            u, on_delete = rng.choice(keyed), rng.choice(["CASCADE", "CASCADE", "SET NULL", "SET DEFAULT", "NO ACTION"])
            on_update = rng.choice(["CASCADE", "NO ACTION", "SET NULL"])
            deferred = " DEFERRABLE INITIALLY DEFERRED" if on_delete == "NO ACTION" and rng.random() < 0.5 else ""
            self.run(
                f"ALTER TABLE {t.name} ADD FOREIGN KEY (ref) REFERENCES {u.name} (id) ON DELETE {on_delete} ON "
                f"UPDATE {on_update}{deferred}"
            )
            t.reference = (u, on_delete, on_update)
            if rng.random() < 0.5:
                self.run(f"CREATE INDEX ON {t.name} (ref)")
        if t.key and rng.random() < 0.3:
            t.own_reference = True
            self.run(
                f"ALTER TABLE {t.name} ADD FOREIGN KEY (par) REFERENCES {t.name} (id) ON DELETE CASCADE ON UPDATE "
                f"CASCADE"
            )

    def count(self, t):
        for relation in [t.name, *t.parts] if t.inherited else [t.name]:
            nested = t.nested if relation == t.name else t.name
            self.run(
                f"CREATE TRIGGER aaa BEFORE UPDATE OR DELETE ON {relation} FOR EACH ROW EXECUTE FUNCTION "
                f"written('{t.name}', '{nested}', '{','.join(t.labelled_parts)}')"
            )

    def fill(self, t):
        rng, u = self.rng, t.reference and t.reference[0]
        ref = f"CASE WHEN g % 3 > 0 THEN 1 + g % {u.rows} END" if u and u.rows else "NULL::int"
        par = "CASE WHEN g % 4 = 0 AND g > 1 THEN g / 2 END" if t.own_reference else "NULL::int"
        s = "repeat(md5(g::text), 200)" if rng.random() < 0.15 else "'s' || g % 5"
        v = "g % 7" if t.v_not_null else "nullif(g % 7, 0)"
        b = "CASE g % 3 WHEN 0 THEN true WHEN 1 THEN false END"
        row = f"g, g % 10, {v}, {s}, {b}, {ref}, {par}"
        into = "(id, k, v, s, b, ref, par)"
        # Statistics that are old: of a table that was smaller, or larger, and dead rows.
        past = rng.choice(["", "", "smaller", "larger"])
        if past == "smaller":
            self.run(f"ANALYZE {t.name}")
        if past == "larger" and not t.foreign:
            self.run(
                f"INSERT INTO {t.name} {into} SELECT {row} FROM generate_series(10001, 12000) g"
                if not t.own_reference and not u
                else ""
            )
            self.run(f"ANALYZE {t.name}; DELETE FROM {t.name} WHERE id > 10000")
        if t.rows:
            self.run(f"INSERT INTO {t.name} {into} SELECT {row} FROM generate_series(1, {t.rows}) g")
        if t.inherited:
            self.run(f"INSERT INTO {t.name}_0 {into} SELECT {row} FROM generate_series({t.rows} + 1, {t.rows} + 15) g")
        t.past = past

    def analyze(self, t):
        """Foreign tables always: their size is what ANALYZE found."""
        if t.foreign:
            self.run("; ".join(f"ANALYZE {relation}" for relation in [t.name, *t.parts]))
        elif not t.past and self.rng.random() < 0.85:
            self.run(
                "; ".join(f"ANALYZE {relation}" for relation in [t.name, *(t.parts if self.rng.random() < 0.8 else [])])
            )

    def react(self, t, after):
        """Triggers, rules and row security; what they write is further down, so that nothing goes round in circles."""
        rng = self.rng
        if not after:
            return
        u = rng.choice(after)
        only = "ONLY " if u.inherited and u.reference else ""
        if rng.random() < 0.35 and not t.inherited:
            t.trigger = rng.choice(
                [
                    f"DELETE FROM {only}{u.name} WHERE id = OLD.id",
                    f"UPDATE {only}{u.name} SET v = coalesce(v, 0) + 1 WHERE id = OLD.id",
                    f"UPDATE {only}{u.name} SET v = coalesce(v, 0) + 1 WHERE k = OLD.k",
                    f"DELETE FROM {only}{u.name} WHERE k = OLD.k AND id > 20",
                    f"UPDATE {only}{u.name} SET v = coalesce(v, 0) + 1 WHERE id = 1",  # a counter
                    f"INSERT INTO {u.name} (id, k) VALUES (OLD.id + 3000, 1); UPDATE {only}{u.name} SET v = 1 WHERE "
                    f"id = OLD.id + 3000",
                ]
            )
            u.inserts |= "INSERT" in t.trigger
            self.run(
                f"CREATE FUNCTION {t.name}_after() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {t.trigger}; RETURN "
                f"NULL; END $$"
            )
            self.run(
                f"CREATE TRIGGER zzz AFTER DELETE{rng.choice(['', ' OR UPDATE'])} ON {t.name} FOR EACH ROW EXECUTE "
                f"FUNCTION {t.name}_after()"
            )
        elif rng.random() < 0.2 and t.kind == "plain":
            t.trigger = f"UPDATE {only}{u.name} SET s = 'tt' WHERE id IN (SELECT id FROM o)"
            self.run(
                f"CREATE FUNCTION {t.name}_after() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {t.trigger}; RETURN "
                f"NULL; END $$"
            )
            self.run(
                f"CREATE TRIGGER zzz AFTER DELETE ON {t.name} REFERENCING OLD TABLE AS o FOR EACH STATEMENT EXECUTE "
                f"FUNCTION {t.name}_after()"
            )
        elif rng.random() < 0.25 and not t.inherited and not u.inherited:
            t.rule = rng.choice(
                [
                    f"ON DELETE TO {t.name} DO ALSO DELETE FROM {u.name} WHERE {u.name}.id = OLD.id",
                    f"ON DELETE TO {t.name} DO ALSO NOTIFY gone",
                    f"ON UPDATE TO {t.name} DO ALSO UPDATE {u.name} SET v = NEW.id WHERE {u.name}.id = OLD.id",
                    f"ON DELETE TO {t.name} WHERE OLD.k < 5 DO INSTEAD UPDATE {u.name} SET v = 1 WHERE {u.name}.id "
                    f"= OLD.id",
                    f"ON DELETE TO {t.name} WHERE OLD.v > 3 DO INSTEAD NOTHING",
                    f"ON UPDATE TO {t.name} WHERE NEW.v IS DISTINCT FROM OLD.v DO ALSO INSERT INTO gone VALUES "
                    f"(OLD.id)",
                    f"ON DELETE TO {t.name} DO INSTEAD UPDATE {t.name} SET b = true WHERE {t.name}.id = OLD.id",
                ]
            )
            self.run(f"CREATE RULE rule AS {t.rule}")
        if self.role and rng.random() < 0.5:
            t.security = True
            self.run(
                f"ALTER TABLE {t.name} ENABLE ROW LEVEL SECURITY; CREATE POLICY all_of ON {t.name} USING "
                f"({rng.choice(['k < 5', 'b IS NOT NULL', 'id > 3'])})"
            )

    def label(self, t):
        """Policies, of the table or of a part of it."""
        rng = self.rng
        for name in [t.name, *t.parts]:
            if rng.random() < 0.15:
                label = {
                    "max_rows": rng.choice([0, 3, 10, 30]),
                    "max_fraction": rng.choice([0.1, 0.4, 1]),
                    "min_rows": rng.choice([0, 10, 50]),
                    "override": False,
                }
                t.labels[name] = {key: label[key] for key in rng.sample(list(label), rng.randint(1, 2))}
                self.run(f"SELECT safedelete.set_policy('{name}', '{json.dumps(t.labels[name])}')")

    def show(self, t):
        rng, name = self.rng, f"{t.name}_view"
        if rng.random() < 0.3:
            where = rng.choice(["", "", " WHERE id > 10", " WHERE k < 5"])
            option = rng.choice(["", " WITH LOCAL CHECK OPTION", " WITH CASCADED CHECK OPTION"]) if where else ""
            self.run(f"CREATE VIEW {name} AS SELECT * FROM {t.name}{where}{option}")
            t.views.append(View(name, bool(where)))
            if rng.random() < 0.4:
                inner, outer = bool(where), rng.choice(["", " WHERE k < 8"])
                self.run(f"CREATE VIEW {name}_2 AS SELECT * FROM {name}{outer}")
                t.views.append(View(f"{name}_2", inner or bool(outer)))
        if rng.random() < 0.15 and not t.rule and not t.foreign:
            only = "ONLY " if t.inherited and t.reference else ""
            on_delete = rng.choice([f"DELETE FROM {only}{t.name} WHERE id = OLD.id", "NULL"])
            on_update = rng.choice(
                [f"UPDATE {only}{t.name} SET v = NEW.v, s = NEW.s, b = NEW.b WHERE id = OLD.id", "NULL"]
            )
            self.run(INSTEAD.format(view=f"{t.name}_instead", table=t.name, on_delete=on_delete, on_update=on_update))
            t.views.append(View(f"{t.name}_instead", instead=True))
