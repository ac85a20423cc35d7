-- The schema is the extension's alone; check tells columns and budgets, and takes sizes.
\echo Use "ALTER EXTENSION safedelete UPDATE" to load this file. \quit

-- Names are PostgreSQL's own, whatever the schema safedelete holds.
SET LOCAL search_path = pg_catalog, pg_temp;

-- A name in this schema is found by every call of ours, so an overload that somebody put there would run with the rights of
-- whoever calls. None but superusers may own the schema or add to it, and it holds the extension alone.
DO $$
DECLARE
  own record;
  others text[];
  grantees text;
BEGIN
  SELECT n.oid, n.nspacl, n.nspowner, a.rolname, a.rolsuper INTO own
  FROM pg_namespace n JOIN pg_authid a ON a.oid = n.nspowner WHERE n.nspname = 'safedelete';

  -- What an extension's script made depends on it (e), and else what lies in a schema on that; parts of it on the whole.
  -- Publications and default privileges only name the schema.
  SELECT array_agg(o.type || ' ' || o.identity ORDER BY o.type, o.identity) INTO others
  FROM pg_extension e, LATERAL (
    SELECT d.classid, d.objid FROM pg_depend d
    WHERE d.refclassid = 'pg_namespace'::regclass AND d.refobjid = own.oid
      AND d.classid NOT IN ('pg_publication_namespace'::regclass, 'pg_default_acl'::regclass)
      AND (d.classid, d.objid) <> ('pg_extension'::regclass, e.oid)
    EXCEPT
    SELECT d.classid, d.objid FROM pg_depend d
    WHERE d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid AND d.deptype = 'e'
    UNION ALL
    -- Nor is its own what another role may change.
    SELECT s.classid, s.objid FROM pg_shdepend s JOIN pg_authid a ON a.oid = s.refobjid AND NOT a.rolsuper
    WHERE s.dbid = (SELECT b.oid FROM pg_database b WHERE b.datname = current_database())
      AND s.refclassid = 'pg_authid'::regclass AND s.deptype = 'o'
      AND ((s.classid, s.objid) = ('pg_extension'::regclass, e.oid) OR EXISTS (SELECT FROM pg_depend d
        WHERE d.classid = s.classid AND d.objid = s.objid
          AND d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid AND d.deptype = 'e'))
  ) foreign_object, LATERAL pg_identify_object(foreign_object.classid, foreign_object.objid, 0) o
  WHERE e.extname = 'safedelete';

  IF NOT own.rolsuper OR others IS NOT NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state', SCHEMA = 'safedelete',
      MESSAGE = 'schema "safedelete" is not for the extension alone',
      DETAIL = concat_ws(' ',
        CASE WHEN NOT own.rolsuper THEN format('It belongs to role "%s", which is no superuser.', own.rolname) END,
        'It holds what is not the extension''s, or not a superuser''s: ' || array_to_string(others[:5], ', ')
          || CASE WHEN cardinality(others) > 5 THEN format(' and %s more', cardinality(others) - 5) ELSE '' END || '.'),
      HINT = 'Look at what it holds, and have the extension make a schema of its own (policies stay in force): DROP EXTENSION safedelete; ALTER SCHEMA safedelete RENAME TO safedelete_before; CREATE EXTENSION safedelete;';
  END IF;

  SELECT string_agg(DISTINCT CASE x.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(a.rolname) END, ', ') INTO grantees
  FROM aclexplode(own.nspacl) x LEFT JOIN pg_authid a ON a.oid = x.grantee
  WHERE x.privilege_type = 'CREATE' AND x.grantee <> own.nspowner AND a.rolsuper IS NOT TRUE;
  IF grantees IS NOT NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state', SCHEMA = 'safedelete',
      MESSAGE = 'schema "safedelete" is not for the extension alone',
      DETAIL = format('Others than superusers may create objects in it: %s.', grantees),
      -- Default privileges may have granted it, with the schema that CREATE EXTENSION itself makes.
      HINT = format('Run this, and then ALTER EXTENSION again: CREATE SCHEMA IF NOT EXISTS safedelete; REVOKE CREATE ON SCHEMA safedelete FROM %s CASCADE;', grantees);
  END IF;
END $$;

-- What a statement expects of itself. A guarded statement has these taken out of its condition; what is planned or run
-- raises, once, and for NULL as well.
CREATE FUNCTION safedelete.not_enforced(internal) RETURNS internal
LANGUAGE c STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'safedelete_not_enforced';
COMMENT ON FUNCTION safedelete.not_enforced(internal) IS 'planner support: an error for exactly and at_most where nobody enforces them';

CREATE FUNCTION safedelete.exactly(n bigint) RETURNS boolean
LANGUAGE c STABLE CALLED ON NULL INPUT PARALLEL SAFE SUPPORT safedelete.not_enforced AS 'MODULE_PATHNAME', 'safedelete_exactly';
COMMENT ON FUNCTION safedelete.exactly(bigint) IS 'in a WHERE clause: the number of rows that the statement is to write, or it fails';

CREATE FUNCTION safedelete.at_most(n bigint) RETURNS boolean
LANGUAGE c STABLE CALLED ON NULL INPUT PARALLEL SAFE SUPPORT safedelete.not_enforced AS 'MODULE_PATHNAME', 'safedelete_at_most';
COMMENT ON FUNCTION safedelete.at_most(bigint) IS 'in a WHERE clause: the most rows that the statement may write, or it fails';

-- A result that has more columns is another type.
DROP FUNCTION safedelete.check(text);
CREATE FUNCTION safedelete.check(sql text, sizes jsonb DEFAULT NULL, OUT statement integer, OUT line integer,
  OUT "column" integer, OUT command text, OUT relation text, OUT verdict text, OUT rule text, OUT sqlstate text,
  OUT message text, OUT detail text, OUT hint text, OUT estimated_rows bigint, OUT table_rows bigint,
  OUT allow_rows bigint, OUT reason text) RETURNS SETOF record
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'safedelete_check_0_3';
COMMENT ON FUNCTION safedelete.check(text, jsonb) IS 'what the guard would say of each statement of a script, and of each table it writes, given the tables'' sizes or their own; runs nothing';

-- Everything that is read here anyone may read; it waits for no lock.
CREATE FUNCTION safedelete.sizes() RETURNS jsonb
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
  SELECT jsonb_build_object(
    'database', current_database(),
    'taken', now(),
    'settings', (SELECT coalesce(jsonb_object_agg(s.name, s.setting), '{}') FROM pg_settings s
      WHERE s.name = ANY ('{safedelete.mode,safedelete.commands,safedelete.require_where,safedelete.max_rows,safedelete.max_fraction,safedelete.min_rows,safedelete.scope,safedelete.exempt_tables,safedelete.require_reason}')
        AND s.setting IS DISTINCT FROM s.boot_val),
    'schemas', (SELECT coalesce(jsonb_agg(jsonb_build_object('schema', n.nspname, 'policy', l.label::jsonb) ORDER BY n.nspname), '[]')
      FROM pg_seclabel l JOIN pg_namespace n ON n.oid = l.objoid
      WHERE l.provider = 'safedelete' AND l.classoid = 'pg_namespace'::regclass AND safedelete.policy_is_readable(l.label)),
    'tables', (SELECT coalesce(jsonb_agg(jsonb_strip_nulls(jsonb_build_object('schema', n.nspname, 'table', c.relname,
        -- A partitioned table holds what its partitions hold.
        'rows', CASE WHEN c.relkind = 'p' THEN NULL WHEN c.reltuples >= 0 THEN c.reltuples::bigint ELSE pg_stat_get_live_tuples(c.oid) END,
        'policy', (SELECT l.label::jsonb FROM pg_seclabel l
          WHERE l.provider = 'safedelete' AND l.classoid = 'pg_class'::regclass AND l.objoid = c.oid AND l.objsubid = 0
            AND safedelete.policy_is_readable(l.label))))
        ORDER BY n.nspname, c.relname), '[]')
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE c.relkind IN ('r', 'p', 'f') AND c.relpersistence <> 't'
        AND n.nspname <> ALL ('{pg_catalog,pg_toast,information_schema,safedelete}')));
END;
COMMENT ON FUNCTION safedelete.sizes() IS 'about how many rows each table holds, the policies and the settings, for check elsewhere';

-- Events have numbers, and a place to recover to. Views that others have made of these stay.
CREATE FUNCTION safedelete.read_ring(OUT "time" timestamptz, OUT database text, OUT "user" text, OUT login text,
  OUT application text, OUT command text, OUT relation text, OUT rule text, OUT verdict text, OUT rows bigint,
  OUT "limit" bigint, OUT limit_source text, OUT reason text, OUT query text, OUT id bigint, OUT xid xid8,
  OUT lsn pg_lsn) RETURNS SETOF record
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'safedelete_read_events';
COMMENT ON FUNCTION safedelete.read_ring() IS 'the ring of events, oldest first, as far as the role may see them';
CREATE OR REPLACE VIEW safedelete.events AS SELECT * FROM safedelete.read_ring();
DROP FUNCTION safedelete.read_events();

CREATE FUNCTION safedelete.read_counters(OUT datid oid, OUT database text, OUT guarded bigint, OUT refused_where bigint,
  OUT refused_rows bigint, OUT warned bigint, OUT logged bigint, OUT overridden bigint, OUT bypassed bigint,
  OUT rows_spooled bigint, OUT spool_bytes bigint, OUT since timestamptz, OUT refused_own bigint,
  OUT refused_expected bigint) RETURNS SETOF record
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'safedelete_read_stats';
COMMENT ON FUNCTION safedelete.read_counters() IS 'the counters of each database';
CREATE OR REPLACE VIEW safedelete.stats AS SELECT * FROM safedelete.read_counters();
DROP FUNCTION safedelete.read_stats();

-- What large writes take, kept to be given back. Written by the library for whoever writes, so nobody needs a right to
-- it, and read through the views and functions below. Not in dumps: it is no backup, and what was forgotten stays so.
CREATE TABLE safedelete.kept_writes (
  event bigint NOT NULL,
  write bigint NOT NULL,
  relation oid NOT NULL,
  schema_name text NOT NULL,
  table_name text NOT NULL,
  command text NOT NULL,
  columns text[] NOT NULL,
  at timestamptz NOT NULL,
  until timestamptz NOT NULL,
  "user" text NOT NULL,
  login text NOT NULL,
  application text,
  reason text,
  restored_at timestamptz,
  restored_by text,
  command_id bigint NOT NULL
);
COMMENT ON TABLE safedelete.kept_writes IS 'a line for what one statement wrote in one table, with the names of its columns';
CREATE INDEX kept_writes_event ON safedelete.kept_writes (event);
CREATE UNIQUE INDEX kept_writes_write ON safedelete.kept_writes (write);
CREATE INDEX kept_writes_until ON safedelete.kept_writes (until);
CREATE TABLE safedelete.kept_data (
  write bigint NOT NULL,
  "row" bigint NOT NULL,
  rows integer NOT NULL,
  old text[] NOT NULL,
  new text[]
);
COMMENT ON TABLE safedelete.kept_data IS 'the rows of kept_writes, some in a line, from the number row on: the columns of one row after the other as texts, before and (UPDATE) after';
CREATE INDEX kept_data_write ON safedelete.kept_data (write, "row");
CREATE SEQUENCE safedelete.kept_writes_write_seq;
COMMENT ON SEQUENCE safedelete.kept_writes_write_seq IS 'numbers the lines of kept_writes';
REVOKE ALL ON safedelete.kept_writes, safedelete.kept_data FROM PUBLIC;

CREATE FUNCTION safedelete.keep_rows() RETURNS trigger
LANGUAGE c AS 'MODULE_PATHNAME', 'safedelete_keep_rows';
COMMENT ON FUNCTION safedelete.keep_rows() IS 'what the triggers of tables run whose policy says keep';

CREATE FUNCTION safedelete.keep_tables(target regclass DEFAULT NULL) RETURNS void
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'safedelete_keep_tables';
COMMENT ON FUNCTION safedelete.keep_tables(regclass) IS 'makes the triggers that keep rows, where policy or safedelete.keep asks for them, of a table or of all';

CREATE FUNCTION safedelete.row_texts(value record, columns text[]) RETURNS text[]
LANGUAGE c STABLE STRICT AS 'MODULE_PATHNAME', 'safedelete_row_texts';
COMMENT ON FUNCTION safedelete.row_texts(record, text[]) IS 'columns of a row as texts, whatever the session''s settings';

CREATE FUNCTION safedelete.row_of(shape anyelement, columns text[], texts text[]) RETURNS anyelement
LANGUAGE c STABLE AS 'MODULE_PATHNAME', 'safedelete_row_of';
COMMENT ON FUNCTION safedelete.row_of(anyelement, text[], text[]) IS 'a row of the type of the first argument, from texts by the names of its columns';

CREATE FUNCTION safedelete.changed_columns(columns text[], old text[], new text[]) RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
  SELECT coalesce(array_agg(u.c ORDER BY u.n), '{}')
  FROM ROWS FROM (unnest(columns), unnest(old), unnest(new)) WITH ORDINALITY u(c, o, w, n)
  WHERE u.o IS DISTINCT FROM u.w;
END;
COMMENT ON FUNCTION safedelete.changed_columns(text[], text[], text[]) IS 'the columns in which two rows differ';

CREATE FUNCTION safedelete.note_kept(verdict text, relation text, rows bigint) RETURNS void
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'safedelete_note_kept';
COMMENT ON FUNCTION safedelete.note_kept(text, text, bigint) IS 'an event of rows that were given back or forgotten';
REVOKE EXECUTE ON FUNCTION safedelete.note_kept(text, text, bigint) FROM PUBLIC;

-- A table that is gone has no owner, so only superusers are of it.
CREATE FUNCTION safedelete.owns_kept(relation oid, who name) RETURNS boolean
LANGUAGE sql STABLE
BEGIN ATOMIC
  SELECT coalesce((SELECT a.rolsuper FROM pg_roles a WHERE a.rolname = who), false)
    OR coalesce((SELECT pg_has_role(who, c.relowner, 'USAGE') FROM pg_class c WHERE c.oid = relation), false);
END;
COMMENT ON FUNCTION safedelete.owns_kept(oid, name) IS 'whether a role may see the kept rows of a table';

CREATE VIEW safedelete.kept WITH (security_barrier) AS
  SELECT w.event, CASE WHEN c.oid IS NOT NULL THEN format('%I.%I', n.nspname, c.relname)
      ELSE format('%I.%I', w.schema_name, w.table_name) END AS relation,
    c.oid IS NOT NULL AS is_there, string_agg(DISTINCT w.command, ', ' ORDER BY w.command) AS command,
    sum((SELECT sum(d.rows) FROM safedelete.kept_data d WHERE d.write = w.write))::bigint AS rows,
    min(w.at) AS at, min(w.until) AS until, min(w."user") AS "user", min(w.login) AS login,
    min(w.application) AS application, min(w.reason) AS reason, max(w.restored_at) AS restored_at,
    max(w.restored_by) AS restored_by
  FROM safedelete.kept_writes w
    LEFT JOIN (pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace) ON c.oid = w.relation
  WHERE safedelete.owns_kept(w.relation, current_user) OR pg_has_role(current_user, 'pg_monitor', 'USAGE')
  GROUP BY w.event, w.relation, w.schema_name, w.table_name, c.oid, n.nspname, c.relname;
COMMENT ON VIEW safedelete.kept IS 'what is kept: a line for each event and table';

-- piece is the number of the first row of the line of kept_data that a row is in; command_id says in which order the
-- transaction's statements began, and write in which they ended.
CREATE VIEW safedelete.kept_rows WITH (security_barrier) AS
  SELECT r.event, r.relation, r.command, r.at, jsonb_object(r.columns, r.old_texts) AS old,
    CASE WHEN r.new_texts IS NOT NULL THEN jsonb_object(r.columns, r.new_texts) END AS new,
    r.write, r."row", r.columns, r.old_texts, r.new_texts, r.piece, r.command_id
  FROM (
    SELECT w.command_id, w.event, w.relation::regclass AS relation, w.command, w.at, w.write, d."row" + n AS "row", w.columns,
      d.old[n * cardinality(w.columns) + 1 : (n + 1) * cardinality(w.columns)] AS old_texts,
      d.new[n * cardinality(w.columns) + 1 : (n + 1) * cardinality(w.columns)] AS new_texts, d."row" AS piece
    FROM safedelete.kept_writes w JOIN safedelete.kept_data d USING (write) CROSS JOIN generate_series(0, d.rows - 1) n
    WHERE safedelete.owns_kept(w.relation, current_user)) r;
COMMENT ON VIEW safedelete.kept_rows IS 'the kept rows of tables that the role owns, each value as a text by its column''s name';
GRANT SELECT ON safedelete.kept, safedelete.kept_rows TO PUBLIC;

-- What runs as the extension's owner is told by a function in C who has called it: current_user is the owner there, and
-- the client's role is not who calls where somebody's function, index or policy runs in another's session.
CREATE FUNCTION safedelete.hold_kept(number bigint) RETURNS void
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'safedelete_hold_kept';
COMMENT ON FUNCTION safedelete.hold_kept(bigint) IS 'takes an event''s kept rows for itself, and its tables as they are, until the transaction ends';

CREATE FUNCTION safedelete.forget(target regclass, key jsonb) RETURNS bigint
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'safedelete_forget';
COMMENT ON FUNCTION safedelete.forget(regclass, jsonb) IS 'takes the rows that have these values out of what is kept of a table';

-- Two who restore an event at once, or forget rows of it, do so one after the other.
CREATE FUNCTION safedelete.hold_kept_for(number bigint, who text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  line record;
  is_there boolean := false;
  rows_left boolean;
BEGIN
  FOR line IN SELECT * FROM safedelete.kept_writes w WHERE w.event = number ORDER BY w.write FOR UPDATE LOOP
    is_there := true;
    IF NOT safedelete.owns_kept(line.relation, who::name) THEN
      RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege',
        MESSAGE = format('permission denied for the kept rows of table "%s.%s"', line.schema_name, line.table_name),
        DETAIL = format('Role "%s" does not own the table, nor is a member of who does.', who),
        SCHEMA = line.schema_name, TABLE = line.table_name;
    END IF;
  END LOOP;
  rows_left := EXISTS (SELECT FROM safedelete.kept_writes w JOIN safedelete.kept_data d USING (write) WHERE w.event = number);
  IF is_there AND NOT rows_left THEN
    SELECT * INTO line FROM safedelete.kept_writes w WHERE w.event = number ORDER BY w.restored_at LIMIT 1;
    IF line.restored_at IS NOT NULL THEN
      RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
        MESSAGE = format('event %s has been restored already', number),
        DETAIL = format('Role "%s" did so at %s.', line.restored_by, date_trunc('second', line.restored_at));
    END IF;
  END IF;
  IF NOT rows_left THEN
    RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
      MESSAGE = format('nothing is kept of event %s', number),
      DETAIL = 'It was not kept, its time has passed, or its rows were forgotten.',
      HINT = 'SELECT * FROM safedelete.kept; shows what is kept. What one statement wrote is kept under the first of its events.';
  END IF;
END $$;
COMMENT ON FUNCTION safedelete.hold_kept_for(bigint, text) IS 'what hold_kept does for its caller';
REVOKE EXECUTE ON FUNCTION safedelete.hold_kept_for(bigint, text) FROM PUBLIC;

-- What has been given back is kept no more. Each row that has not is a line of its own then.
CREATE FUNCTION safedelete.settle_kept_for(number bigint, unsettled bigint[], who text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  line record;
BEGIN
  PERFORM safedelete.hold_kept_for(number, who);
  FOR line IN
    WITH gone AS (
      DELETE FROM safedelete.kept_data d USING safedelete.kept_writes w
      WHERE w.event = number AND d.write = w.write
      RETURNING w.schema_name, w.table_name, cardinality(w.columns) AS width, d.*),
    stays AS (
      INSERT INTO safedelete.kept_data
      SELECT g.write, g."row" + n, 1, g.old[n * g.width + 1 : (n + 1) * g.width], g.new[n * g.width + 1 : (n + 1) * g.width]
      FROM gone g CROSS JOIN generate_series(0, g.rows - 1) n
        JOIN (SELECT unsettled[i][1] AS write, unsettled[i][2] AS "row" FROM generate_subscripts(unsettled, 1) i) u
          ON u.write = g.write AND u."row" = g."row" + n
      RETURNING write)
    SELECT g.schema_name, g.table_name,
      sum(g.rows) - sum((SELECT count(*) FROM stays s WHERE s.write = g.write)) AS rows
    FROM (SELECT g.schema_name, g.table_name, g.write, sum(g.rows) AS rows FROM gone g GROUP BY 1, 2, 3) g
    GROUP BY 1, 2
  LOOP
    IF line.rows > 0 THEN
      PERFORM safedelete.note_kept('restored', format('%s.%s', line.schema_name, line.table_name), line.rows::bigint);
    END IF;
  END LOOP;
  UPDATE safedelete.kept_writes w SET restored_at = clock_timestamp(), restored_by = who WHERE w.event = number;
END $$;
COMMENT ON FUNCTION safedelete.settle_kept_for(bigint, bigint[], text) IS 'takes out what has been given back, but the rows that are named';
REVOKE EXECUTE ON FUNCTION safedelete.settle_kept_for(bigint, bigint[], text) FROM PUBLIC;

-- How a table's rows are told apart: its primary key's columns, and how one is found by a row (%1$s) of its type.
-- NULL where it has none.
CREATE FUNCTION safedelete.key_of(target regclass, OUT columns text[], OUT matches text) RETURNS record
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT array_agg(a.attname::text ORDER BY k.n),
    string_agg(format('x.%1$s OPERATOR(%2$s.%3$s) (%%1$s).%1$s', replace(quote_ident(a.attname), '%', '%%'),
      replace(quote_ident(n.nspname), '%', '%%'), replace(o.oprname, '%', '%%')), ' AND ' ORDER BY k.n)
  FROM pg_index i
    CROSS JOIN ROWS FROM (unnest(i.indkey::smallint[]), unnest(i.indclass::oid[])) WITH ORDINALITY k(attnum, class, n)
    JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
    JOIN pg_opclass c ON c.oid = k.class
    JOIN pg_amop p ON p.amopfamily = c.opcfamily AND p.amoplefttype = c.opcintype AND p.amoprighttype = c.opcintype
      AND (p.amopstrategy = 3 OR i.indisexclusion)
    JOIN pg_operator o ON o.oid = p.amopopr AND (o.oprname = '=' OR NOT i.indisexclusion) JOIN pg_namespace n ON n.oid = o.oprnamespace
  WHERE i.indrelid = target AND i.indisprimary AND k.n <= i.indnkeyatts
$$;
COMMENT ON FUNCTION safedelete.key_of(regclass) IS 'the columns of a table''s primary key, and how a row is found by them';

-- The unique indexes of a table whose columns are all that they hang on: those with expressions or conditions are left to
-- PostgreSQL, and so are exclusion constraints. A line for each column, with the operator by which it is the same.
CREATE FUNCTION safedelete.unique_columns(target regclass, OUT index oid, OUT place bigint, OUT "column" name,
  OUT same_by text) RETURNS SETOF record
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT i.indexrelid, k.n, a.attname, format('OPERATOR(%I.%s)', n.nspname, o.oprname)
  FROM pg_index i
    CROSS JOIN ROWS FROM (unnest(i.indkey::smallint[]), unnest(i.indclass::oid[])) WITH ORDINALITY k(attnum, class, n)
    JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
    JOIN pg_opclass c ON c.oid = k.class
    JOIN pg_amop p ON p.amopfamily = c.opcfamily AND p.amoplefttype = c.opcintype AND p.amoprighttype = c.opcintype
      AND p.amopstrategy = 3
    JOIN pg_operator o ON o.oid = p.amopopr JOIN pg_namespace n ON n.oid = o.oprnamespace
  WHERE i.indrelid = target AND i.indisunique AND NOT i.indisexclusion AND i.indisvalid AND i.indexprs IS NULL
    AND i.indpred IS NULL AND k.n <= i.indnkeyatts
$$;
COMMENT ON FUNCTION safedelete.unique_columns(regclass) IS 'the columns of a table''s unique indexes, and how each is compared';

-- Whether another row (y) has what a row (x) would have in the columns of a unique index, with these columns as in f.o: a
-- condition for each index that they are part of, true where it is free. Those with expressions or conditions are left to
-- PostgreSQL, and those that are checked later.
CREATE FUNCTION safedelete.leaves_free(target regclass, sets text[]) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT coalesce(string_agg(format(' AND NOT EXISTS (SELECT FROM %s y WHERE %s AND (y.tableoid, y.ctid) IS DISTINCT FROM (x.tableoid, x.ctid))',
    target, u.same), ''), '')
  FROM (
    SELECT string_agg(format('y.%1$I %2$s %3$s.%1$I', c."column", c.same_by,
      CASE WHEN c."column" = ANY (sets) THEN '(f.o)' ELSE 'x' END), ' AND ' ORDER BY c.place) AS same
    FROM safedelete.unique_columns(target) c JOIN pg_index i ON i.indexrelid = c.index
    WHERE i.indimmediate AND NOT i.indisprimary
    GROUP BY c.index HAVING bool_or(c."column" = ANY (sets))) u
$$;
COMMENT ON FUNCTION safedelete.leaves_free(regclass, text[]) IS 'a condition that no other row has what a unique index allows once';

-- Of a table's columns now, those that kept rows have as well; and of those, the ones that are gone.
CREATE FUNCTION safedelete.kept_columns(target regclass, was text[], OUT shared text[], OUT gone text[]) RETURNS record
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT coalesce(array_agg(w.c ORDER BY w.n) FILTER (WHERE a.attgenerated = ''), '{}'),
    array_agg(w.c ORDER BY w.n) FILTER (WHERE a.attname IS NULL)
  FROM unnest(was) WITH ORDINALITY w(c, n)
    LEFT JOIN pg_attribute a ON a.attrelid = target AND a.attname = w.c AND a.attnum > 0 AND NOT a.attisdropped
$$;
COMMENT ON FUNCTION safedelete.kept_columns(regclass, text[]) IS 'the kept columns that a table has, and has no more';

CREATE FUNCTION safedelete.root_of(target regclass) RETURNS oid
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT coalesce(pg_partition_root(target)::oid, target::oid)
$$;
COMMENT ON FUNCTION safedelete.root_of(regclass) IS 'the partitioned table on top of a partition, or the table itself';

-- The tables of an event, parents before children; of those that refer to each other any first.
CREATE FUNCTION safedelete.kept_tables(number bigint) RETURNS TABLE (place bigint, target regclass)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  pending oid[] := ARRAY(SELECT r.relation::oid FROM safedelete.kept_rows r WHERE r.event = number GROUP BY 1 ORDER BY min(r.write));
  next_one oid;
BEGIN
  place := 0;
  WHILE cardinality(pending) > 0 LOOP
    SELECT p.oid INTO next_one FROM unnest(pending) WITH ORDINALITY p(oid, n)
    ORDER BY EXISTS (
      SELECT FROM pg_constraint f, unnest(pending) q(oid)
      WHERE f.contype = 'f' AND q.oid <> p.oid
        AND f.conrelid IN (SELECT p.oid UNION ALL SELECT t.relid FROM pg_partition_tree(p.oid) t UNION ALL SELECT a.relid FROM pg_partition_ancestors(p.oid) a)
        AND f.confrelid IN (SELECT q.oid UNION ALL SELECT t.relid FROM pg_partition_tree(q.oid) t UNION ALL SELECT a.relid FROM pg_partition_ancestors(q.oid) a)
      ), p.n
    LIMIT 1;
    pending := array_remove(pending, next_one);
    place := place + 1;
    target := next_one;
    RETURN NEXT;
  END LOOP;
END $$;
COMMENT ON FUNCTION safedelete.kept_tables(bigint) IS 'the tables of an event, parents first';

CREATE FUNCTION safedelete.partly_old(columns text[], old text[], new text[], are_old text[]) RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
  SELECT array_agg(CASE WHEN u.c = ANY (are_old) THEN u.o ELSE u.w END ORDER BY u.n)
  FROM ROWS FROM (unnest(columns), unnest(old), unnest(new)) WITH ORDINALITY u(c, o, w, n);
END;
COMMENT ON FUNCTION safedelete.partly_old(text[], text[], text[], text[]) IS 'a row as it is now, but for some columns';

-- The columns that a foreign key refers to.
CREATE FUNCTION safedelete.referred_columns(target regclass) RETURNS text[]
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT ARRAY(SELECT DISTINCT a.attname::text
  FROM pg_constraint f JOIN pg_attribute a ON a.attrelid = f.confrelid AND a.attnum = ANY (f.confkey)
  WHERE f.contype = 'f' AND f.confrelid IN (SELECT target UNION ALL SELECT t.relid FROM pg_partition_tree(target) t
    UNION ALL SELECT p.relid FROM pg_partition_ancestors(target) p))
$$;
COMMENT ON FUNCTION safedelete.referred_columns(regclass) IS 'the columns of a table that a foreign key refers to';

-- The statement that gives deleted rows back: $1 the lines of kept_writes, $2 and $3 the first piece and the last, $5 the
-- rows in question (NULL: all), $6 those that are not. A row comes back where its key is free. It gives how many came, how many
-- were there already, and names those left. PostgreSQL tells of no conflict on a table with constraints that are checked
-- later, and has no ON CONFLICT where a rule is on UPDATE, even if it is passed: there it is looked for, and an exclusion
-- constraint's is PostgreSQL's error.
CREATE FUNCTION safedelete.deleted_back(target regclass, columns text[]) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  keys text[];
  matches text;
  targets text := (SELECT string_agg(format('%I', c), ', ' ORDER BY n) FROM unnest(columns) WITH ORDINALITY u(c, n));
  sources text := (SELECT string_agg(format('(f.r).%I', c), ', ' ORDER BY n) FROM unnest(columns) WITH ORDINALITY u(c, n));
  is_later CONSTANT boolean := EXISTS (SELECT FROM pg_rewrite r WHERE r.ev_class = target AND r.ev_type = '2')
    OR EXISTS (SELECT FROM pg_index i WHERE NOT i.indimmediate
      AND i.indrelid IN (SELECT target UNION ALL SELECT t.relid FROM pg_partition_tree(target) t));
  free text;
  these CONSTANT text := $q$ AND ($5 IS NULL OR (k.write, k."row") IN (SELECT $5[i][1], $5[i][2] FROM pg_catalog.generate_subscripts($5, 1) i))
        AND ($6 IS NULL OR (k.write, k."row") NOT IN (SELECT $6[i][1], $6[i][2] FROM pg_catalog.generate_subscripts($6, 1) i))$q$;
BEGIN
  SELECT k.columns, k.matches INTO keys, matches FROM safedelete.key_of(target) k;
  IF columns = '{}' THEN
    RETURN format($q$
      WITH put AS (
        INSERT INTO %1$s SELECT FROM safedelete.kept_rows k
        WHERE k.write = ANY ($1) AND k.piece BETWEEN $2 AND $3%2$s RETURNING 1)
      SELECT (SELECT count(*) FROM put), 0::bigint, NULL::bigint[]$q$, target, these);
  END IF;
  IF keys IS NULL OR NOT keys <@ columns THEN
    RETURN format($q$
      WITH f AS MATERIALIZED (
        SELECT safedelete.row_of(NULL::%1$s, k.columns, k.old_texts) AS r, k.write, k."row" FROM safedelete.kept_rows k
        WHERE k.write = ANY ($1) AND k.piece BETWEEN $2 AND $3%4$s),
      put AS (
        INSERT INTO %1$s AS x (%2$s) OVERRIDING SYSTEM VALUE SELECT %3$s FROM f ORDER BY f.write, f."row" RETURNING 1)
      SELECT (SELECT count(*) FROM put), 0::bigint, NULL::bigint[]$q$, target, targets, sources, these);
  END IF;
  IF is_later THEN
    SELECT string_agg(format('NOT EXISTS (SELECT FROM %s y WHERE %s)', target, u.same), ' AND ') INTO free
    FROM (
      SELECT string_agg(format('y.%1$I %2$s (f.r).%1$I', c."column", c.same_by), ' AND ') AS same
      FROM safedelete.unique_columns(target) c GROUP BY c.index HAVING bool_and(c."column" = ANY (columns))) u;
  END IF;
  RETURN format($q$
    WITH k AS MATERIALIZED (
      SELECT safedelete.row_of(NULL::%1$s, k.columns, k.old_texts) AS r, k.write, k."row" FROM safedelete.kept_rows k
      WHERE k.write = ANY ($1) AND k.piece BETWEEN $2 AND $3%7$s),
    f AS MATERIALIZED (
      SELECT DISTINCT ON (safedelete.row_texts(k.r, %4$L)) safedelete.row_texts(k.r, %4$L) AS key, k.r, k.write, k."row"
      FROM k ORDER BY safedelete.row_texts(k.r, %4$L), k.write, k."row"),
    put AS (
      INSERT INTO %1$s AS x (%2$s) OVERRIDING SYSTEM VALUE SELECT %3$s FROM f%8$s ORDER BY f.write, f."row"
      %9$s RETURNING safedelete.row_texts(x.*, %4$L) AS key),
    rest AS MATERIALIZED (
      SELECT f.write, f."row", coalesce((
        SELECT safedelete.row_texts(x.*, %5$L) OPERATOR(pg_catalog.=) safedelete.row_texts(f.r, %5$L)
        FROM %1$s x WHERE %6$s), false) AS is_same
      FROM f LEFT JOIN put ON put.key OPERATOR(pg_catalog.=) f.key WHERE put.key IS NULL)
    SELECT (SELECT count(*) FROM put), (SELECT count(*) FROM rest WHERE rest.is_same),
      (SELECT pg_catalog.array_agg(ARRAY[rest.write, rest."row"]) FROM rest WHERE NOT rest.is_same)$q$,
    target, targets, sources, keys, columns, format(matches, 'f.r'), these, ' WHERE ' || free,
    CASE WHEN NOT is_later THEN 'ON CONFLICT DO NOTHING' END);
END $$;
COMMENT ON FUNCTION safedelete.deleted_back(regclass, text[]) IS 'the statement that gives deleted rows back';

-- The statement that gives updated rows back which changed in these columns: $1 the line of kept_writes, $2 and $3 the
-- first piece and the last, $4 the columns, $5 and $6 as above. Columns that are back
-- already were put before those that are left. A row is given back where those are still what the statement wrote.
CREATE FUNCTION safedelete.updated_back(target regclass, columns text[], changed text[], sets text[], are_back text[]) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  keys text[];
  matches text;
  back text[] := ARRAY(SELECT c FROM unnest(changed) c WHERE c = ANY (columns));
  put text[] := ARRAY(SELECT c FROM unnest(back) c WHERE c = ANY (sets));
  these CONSTANT text := $q$ AND ($5 IS NULL OR (k.write, k."row") IN (SELECT $5[i][1], $5[i][2] FROM pg_catalog.generate_subscripts($5, 1) i))
        AND ($6 IS NULL OR (k.write, k."row") NOT IN (SELECT $6[i][1], $6[i][2] FROM pg_catalog.generate_subscripts($6, 1) i))$q$;
BEGIN
  SELECT k.columns, k.matches INTO keys, matches FROM safedelete.key_of(target) k;
  IF keys IS NULL OR NOT keys <@ columns THEN
    RETURN $q$
      SELECT 0::bigint, 0::bigint, pg_catalog.array_agg(ARRAY[k.write, k."row"]) FROM safedelete.kept_rows k
      WHERE k.write = ANY ($1) AND k.piece BETWEEN $2 AND $3
        AND safedelete.changed_columns(k.columns, k.old_texts, k.new_texts) OPERATOR(pg_catalog.=) $4$q$ || these;
  END IF;
  IF put = '{}' THEN
    RETURN $q$
      SELECT 0::bigint, count(*), NULL::bigint[] FROM safedelete.kept_rows k
      WHERE k.write = ANY ($1) AND k.piece BETWEEN $2 AND $3
        AND safedelete.changed_columns(k.columns, k.old_texts, k.new_texts) OPERATOR(pg_catalog.=) $4$q$ || these;
  END IF;
  RETURN format($q$
    WITH f AS MATERIALIZED (
      SELECT safedelete.row_of(NULL::%1$s, k.columns, k.old_texts) AS o,
        safedelete.row_of(NULL::%1$s, k.columns, %8$s) AS n, k.write, k."row" FROM safedelete.kept_rows k
      WHERE k.write = ANY ($1) AND k.piece BETWEEN $2 AND $3
        AND safedelete.changed_columns(k.columns, k.old_texts, k.new_texts) OPERATOR(pg_catalog.=) $4%7$s),
    put AS (
      UPDATE %1$s AS x SET %2$s FROM f
      WHERE %3$s AND safedelete.row_texts(x.*, %4$L) OPERATOR(pg_catalog.=) safedelete.row_texts(f.n, %4$L) %5$s
      RETURNING f.write, f."row"),
    rest AS MATERIALIZED (
      SELECT f.write, f."row", coalesce((
        SELECT safedelete.row_texts(x.*, %4$L) OPERATOR(pg_catalog.=) safedelete.row_texts(f.o, %4$L)
        FROM %1$s x WHERE %6$s), false) AS is_same
      FROM f LEFT JOIN put USING (write, "row") WHERE put.write IS NULL)
    SELECT (SELECT count(*) FROM put), (SELECT count(*) FROM rest WHERE rest.is_same),
      (SELECT pg_catalog.array_agg(ARRAY[rest.write, rest."row"]) FROM rest WHERE NOT rest.is_same)$q$,
    target, (SELECT string_agg(format('%1$I = (f.o).%1$I', c), ', ') FROM unnest(put) c), format(matches, 'f.n'), back,
    concat(CASE WHEN keys && put THEN format('AND NOT EXISTS (SELECT FROM %s x WHERE %s)', target, format(matches, 'f.o')) END,
      safedelete.leaves_free(target, put)),
    format(matches, 'f.o'), these, CASE WHEN are_back = '{}' THEN 'k.new_texts'
      ELSE format('safedelete.partly_old(k.columns, k.old_texts, k.new_texts, %L)', are_back) END);
END $$;
COMMENT ON FUNCTION safedelete.updated_back(regclass, text[], text[], text[], text[]) IS 'the statement that gives updated rows back';

-- Whether a table's rules on INSERT and UPDATE can be left aside, as COPY leaves them: a row goes where it was, and who
-- restores is a member of the table's owner. Those that hold in replicas (ENABLE ALWAYS, ENABLE REPLICA) cannot.
CREATE FUNCTION safedelete.may_pass_rules(target regclass) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT NOT EXISTS (SELECT FROM pg_rewrite r WHERE r.ev_class = target AND r.ev_type IN ('2', '3') AND r.ev_enabled IN ('A', 'R'))
$$;
COMMENT ON FUNCTION safedelete.may_pass_rules(regclass) IS 'whether a table''s rules can be left aside';

-- Runs one of these statements with its parameters; its row. fires: what it fires, fires at once. passes_rules: as
-- may_pass_rules says.
CREATE FUNCTION safedelete.put_back(statement text, fires boolean, passes_rules boolean, writes bigint[], first bigint, last bigint,
  columns text[], these bigint[], not_these bigint[], OUT restored bigint, OUT already_there bigint, OUT left_out bigint[]) RETURNS record
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'safedelete_put_back';
COMMENT ON FUNCTION safedelete.put_back(text, boolean, boolean, bigint[], bigint, bigint, text[], bigint[], bigint[]) IS 'runs a statement that gives rows back, together with those before';

-- Runs the next one. Foreign keys are checked, and triggers fire, when all its statements have run: what an event took
-- was whole, while one table's rows of it, or a row's first version, may refer to what is not back yet. But keys that
-- others refer to take those along at once, while nothing that is back refers to what they are.
CREATE FUNCTION safedelete.give_back_together(number bigint, on_conflict text, settles boolean) RETURNS jsonb
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'safedelete_give_back_together';
COMMENT ON FUNCTION safedelete.give_back_together(bigint, text, boolean) IS 'gives an event''s rows back as one statement would';

-- It runs with the rights of who calls it, and leaves search_path alone, for triggers see it.
CREATE FUNCTION safedelete.give_back_rows(number bigint, on_conflict text, settles boolean, OUT lines jsonb,
  OUT unsettled bigint[]) RETURNS record
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  chunk CONSTANT bigint := 100000;
  all_rows bigint;
  done bigint := 0;
  tables regclass[];
  place integer;
  line record;
  sums bigint[];
  notes text[];
  found bigint;
  same bigint;
  left_out bigint[];
  from_row bigint;
  to_row bigint;
  shared text[];
  gone text[];
  statement text;
  first_statement text;
  -- Of each kind of groups the statements.
  kind text;
  at_kind integer;
  kinds text[] := '{}'::text[];
  statements text[] := '{}'::text[];
  first_statements text[] := '{}'::text[];
  pass_rules boolean[] := '{}'::boolean[];
  key_columns text[];
  referred text[];
  these bigint[];
  blocked bigint[];
  passes_rules boolean;
  -- A row may be kept of its partition, or of a table above: of each table the first of its tree, and of that how many
  -- rows are back.
  trees integer[];
  are_back bigint[];
  -- Of each group of rows: its table, the rows that were left of it, an array as a text, and how many of its tree were
  -- back by then.
  pass integer := 0;
  at_group integer;
  group_left bigint[];
  of_place integer[] := '{}'::integer[];
  were_left text[] := '{}'::text[];
  some_left boolean := false;
  were_back bigint[] := '{}'::bigint[];
BEGIN
  PERFORM safedelete.hold_kept(number);
  SELECT pg_catalog.array_agg(t.target ORDER BY t.place) INTO tables FROM safedelete.kept_tables(number) t;
  FOREACH place IN ARRAY ARRAY(SELECT pg_catalog.generate_subscripts(tables, 1)) LOOP
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid = tables[place]::oid) THEN
      RAISE EXCEPTION USING ERRCODE = 'undefined_table',
        MESSAGE = pg_catalog.format('table %s does not exist any more',
          (SELECT k.relation FROM safedelete.kept k WHERE k.event = number AND NOT k.is_there LIMIT 1)),
        DETAIL = 'Its rows are kept until their time.',
        HINT = pg_catalog.format('They can be read: SELECT old FROM safedelete.kept_rows WHERE event = %s;', number);
    END IF;
    key_columns[place] := safedelete.referred_columns(tables[place])::text;
    trees[place] := (SELECT pg_catalog.min(p) FROM pg_catalog.generate_subscripts(tables, 1) p
      WHERE safedelete.root_of(tables[p]) = safedelete.root_of(tables[place]));
    are_back[place] := 0;
  END LOOP;
  SELECT count(*) INTO all_rows FROM safedelete.kept_rows r WHERE r.event = number;
  sums := pg_catalog.array_fill(0::bigint, ARRAY[pg_catalog.cardinality(tables), 3]);
  notes := pg_catalog.array_fill(NULL::text, ARRAY[pg_catalog.cardinality(tables)]);
  unsettled := '{}'::bigint[];

  -- A table after the other (a tree of partitions is one), parents first; of each what the statement wrote that began
  -- last first, for what a trigger has written of a statement's row is undone before the statement is. What was deleted
  -- between two updates is one group. Of one statement nobody knows in which order: rows that are left, because a key is
  -- taken or a row not there yet, are tried again when others of the table have come back since.
  LOOP
    pass := pass + 1;
    at_group := 0;
    FOR line IN
      WITH w AS (
        SELECT r.relation, r.write, r.new_texts IS NOT NULL AS updates, r.columns,
          CASE WHEN r.new_texts IS NOT NULL THEN safedelete.changed_columns(r.columns, r.old_texts, r.new_texts) END AS changed,
          pg_catalog.max(r."row") AS rows, pg_catalog.max(r.command_id) AS command_id
        FROM safedelete.kept_rows r WHERE r.event = number GROUP BY 1, 2, 3, 4, 5),
      -- Of one statement updates that change keys which others refer to are before what was deleted, others after.
      o AS (
        SELECT w.*, CASE WHEN NOT w.updates THEN 1 WHEN bool_or(w.changed OPERATOR(pg_catalog.&&)
          key_columns[pg_catalog.array_position(tables, w.relation)]::text[]) OVER (PARTITION BY trees[pg_catalog.array_position(tables, w.relation)], w.command_id) THEN 0
          ELSE 2 END AS turn FROM w),
      g AS (
        SELECT o.*, count(*) FILTER (WHERE o.updates) OVER (PARTITION BY trees[pg_catalog.array_position(tables, o.relation)]
          ORDER BY o.command_id DESC, o.turn, o.write DESC, o.rows DESC, o.changed ROWS UNBOUNDED PRECEDING) AS after FROM o)
      SELECT pg_catalog.array_position(tables, g.relation) AS place, g.updates, g.columns, g.changed, g.after,
        pg_catalog.array_agg(g.write ORDER BY g.write) AS writes, pg_catalog.max(g.rows) AS rows, pg_catalog.min(g.turn) AS turn,
        pg_catalog.max(g.command_id) AS command_id
      FROM g GROUP BY g.relation, g.after, g.updates, g.columns, g.changed
      ORDER BY trees[pg_catalog.array_position(tables, g.relation)], g.after, g.updates DESC,
        pg_catalog.array_position(tables, g.relation), g.columns
    LOOP
      at_group := at_group + 1;
      place := line.place;
      IF pass > 1 AND (were_left[at_group] = '{}' OR were_back[at_group] = are_back[trees[place]]) THEN
        CONTINUE;
      END IF;
      -- A loop's rows are as many groups, of few kinds.
      kind := pg_catalog.jsonb_build_array(place, line.updates, line.columns, line.changed)::text;
      at_kind := pg_catalog.array_position(kinds, kind);
      IF at_kind IS NULL THEN
        SELECT k.shared, k.gone INTO shared, gone FROM safedelete.kept_columns(tables[place], line.columns) k;
        passes_rules := safedelete.may_pass_rules(tables[place]);
        IF gone IS NOT NULL THEN
          notes[place] := pg_catalog.format('columns that are gone: %s', pg_catalog.array_to_string(gone, ', '));
        END IF;
        IF line.updates THEN
          IF notes[place] IS NULL AND (SELECT k.columns IS NULL FROM safedelete.key_of(tables[place]) k) THEN
            notes[place] := 'no primary key, so updated rows cannot be found';
          END IF;
          referred := ARRAY(SELECT c FROM pg_catalog.unnest(line.changed) c
            WHERE c = ANY (key_columns[place]::text[]) AND c = ANY (shared));
          first_statement := CASE WHEN pg_catalog.cardinality(referred) > 0 THEN
            safedelete.updated_back(tables[place], shared, line.changed, referred, '{}') END;
          statement := safedelete.updated_back(tables[place], shared, line.changed,
            ARRAY(SELECT c FROM pg_catalog.unnest(line.changed) c WHERE c <> ALL (referred)), referred);
        ELSE
          first_statement := NULL;
          statement := safedelete.deleted_back(tables[place], shared);
        END IF;
        kinds := pg_catalog.array_append(kinds, kind);
        first_statements := pg_catalog.array_append(first_statements, first_statement);
        statements := pg_catalog.array_append(statements, statement);
        pass_rules := pg_catalog.array_append(pass_rules, passes_rules);
      ELSE
        passes_rules := pass_rules[at_kind];
        first_statement := first_statements[at_kind];
        statement := statements[at_kind];
      END IF;
      IF line.updates THEN
        -- Its own count is its budget, where a rule asks for one.
        IF pg_catalog.current_setting('safedelete.allow_rows') <> '-1'
            AND pg_catalog.current_setting('safedelete.allow_rows')::bigint < all_rows THEN
          PERFORM pg_catalog.set_config('safedelete.allow_rows', all_rows::text, true);
          IF pg_catalog.current_setting('safedelete.reason') = '' THEN
            PERFORM pg_catalog.set_config('safedelete.reason', pg_catalog.format(CASE WHEN settles THEN 'restore of event %s' ELSE 'preview of the restore of event %s' END, number), true);
          END IF;
        END IF;
      END IF;
      -- What was updated before it was updated again, or deleted, is given back after that has been, or not at all: whose
      -- row is there now, else? Of what the same statement has deleted nothing is back before its keys are.
      blocked := NULL;
      IF line.updates AND (some_left AND EXISTS (SELECT FROM pg_catalog.generate_subscripts(were_left, 1) n
          WHERE were_left[n] <> '{}' AND trees[of_place[n]] = trees[place]) OR pass = 1 AND line.turn = 0 AND EXISTS (SELECT
          FROM safedelete.kept_rows t WHERE t.event = number AND t.new_texts IS NULL
            AND trees[pg_catalog.array_position(tables, t.relation)] = trees[place] AND t.command_id = line.command_id)) THEN
        SELECT pg_catalog.array_agg(ARRAY[k.write, k."row"]) INTO blocked FROM safedelete.kept_rows k
        WHERE k.write = ANY (line.writes)
          AND safedelete.changed_columns(k.columns, k.old_texts, k.new_texts) OPERATOR(pg_catalog.=) line.changed
          AND (pass = 1 OR (k.write, k."row") IN (SELECT b.w[i][1], b.w[i][2]
            FROM (SELECT were_left[at_group]::bigint[] AS w) b, pg_catalog.generate_subscripts(b.w, 1) i))
          AND (k.columns::text, k.new_texts::text) IN (
            SELECT t.columns::text, t.old_texts::text FROM safedelete.kept_rows t
            WHERE t.event = number AND trees[pg_catalog.array_position(tables, t.relation)] = trees[place]
              AND (pass = 1 AND line.turn = 0 AND t.new_texts IS NULL AND t.command_id = line.command_id
                OR (t.write, t."row") IN (SELECT b.w[i][1], b.w[i][2]
                  FROM pg_catalog.generate_subscripts(were_left, 1) n, LATERAL (SELECT were_left[n]::bigint[] AS w) b,
                    pg_catalog.generate_subscripts(b.w, 1) i WHERE trees[of_place[n]] = trees[place])));
      END IF;
      group_left := coalesce(blocked, '{}'::bigint[]);
      from_row := 1;
      WHILE from_row <= line.rows LOOP
        to_row := from_row + chunk - 1;
        these := CASE WHEN pass > 1 THEN were_left[at_group]::bigint[] END;
        IF first_statement IS NULL THEN
          SELECT p.restored, p.already_there, p.left_out INTO found, same, left_out
          FROM safedelete.put_back(statement, false, passes_rules, line.writes, from_row, to_row, line.changed, these, blocked) p;
        ELSE
          SELECT p.restored, p.already_there, p.left_out INTO found, same, left_out
          FROM safedelete.put_back(first_statement, true, passes_rules, line.writes, from_row, to_row, line.changed, these, blocked) p;
          PERFORM safedelete.put_back(statement, false, passes_rules, line.writes, from_row, to_row, line.changed, these,
            blocked OPERATOR(pg_catalog.||) left_out);
        END IF;
        from_row := to_row + 1;
        sums[place][1] := sums[place][1] + found;
        are_back[trees[place]] := are_back[trees[place]] + found;
        sums[place][2] := sums[place][2] + same;
        group_left := group_left OPERATOR(pg_catalog.||) left_out;
        IF pass = 1 THEN
          done := done + found + same + coalesce(pg_catalog.array_length(left_out, 1), 0);
          IF all_rows > chunk THEN
            RAISE NOTICE 'event %: % of % rows', number, done, all_rows;
          END IF;
        END IF;
      END LOOP;
      sums[place][3] := sums[place][3] + coalesce(pg_catalog.array_length(group_left, 1), 0)
        - CASE WHEN pass > 1 THEN pg_catalog.array_length(were_left[at_group]::bigint[], 1) ELSE 0 END;
      of_place[at_group] := place;
      were_left[at_group] := group_left::text;
      some_left := some_left OR pg_catalog.cardinality(group_left) > 0;
      were_back[at_group] := are_back[trees[place]];
    END LOOP;
    EXIT WHEN pass = 10 OR NOT EXISTS (SELECT FROM pg_catalog.generate_subscripts(were_left, 1) n
      WHERE were_left[n] <> '{}' AND were_back[n] <> are_back[trees[of_place[n]]]);
  END LOOP;
  FOREACH statement IN ARRAY were_left LOOP
    unsettled := unsettled OPERATOR(pg_catalog.||) statement::bigint[];
  END LOOP;
  IF on_conflict = 'refuse' AND pg_catalog.cardinality(unsettled) > 0 THEN
    RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
      MESSAGE = pg_catalog.format('event %s cannot be restored whole: %s of its rows have changed since', number, pg_catalog.array_length(unsettled, 1)),
      DETAIL = pg_catalog.concat((SELECT pg_catalog.string_agg(pg_catalog.format('%s: %s', tables[p], sums[p][3]), ', ') FROM pg_catalog.generate_subscripts(tables, 1) p WHERE sums[p][3] > 0),
        '. A deleted row has changed where its key is taken, an updated one where it is not what the statement wrote, or its old key is taken.'),
      HINT = pg_catalog.format('To restore the others and leave these as they are: SELECT * FROM safedelete.restore(%s, on_conflict => ''skip'');', number);
  END IF;
  SELECT pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object('relation', tables[p]::text, 'restored', sums[p][1], 'already_there', sums[p][2],
    'changed_since', sums[p][3], 'note', notes[p]) ORDER BY p) INTO lines FROM pg_catalog.generate_subscripts(tables, 1) p;
END $$;
COMMENT ON FUNCTION safedelete.give_back_rows(bigint, text, boolean) IS 'the statements of give_back_together';

CREATE FUNCTION safedelete.give_back(event bigint, on_conflict text, settles boolean, OUT relation text,
  OUT restored bigint, OUT already_there bigint, OUT changed_since bigint, OUT note text) RETURNS SETOF record
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  budget text := pg_catalog.current_setting('safedelete.allow_rows');
  why text := pg_catalog.current_setting('safedelete.reason');
  lines jsonb;
BEGIN
  IF on_conflict IS NULL OR on_conflict NOT IN ('refuse', 'skip') THEN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'on_conflict must be refuse or skip';
  END IF;
  IF event IS NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'the number of an event must not be NULL';
  END IF;
  lines := safedelete.give_back_together(event, on_conflict, settles);
  PERFORM pg_catalog.set_config('safedelete.allow_rows', budget, true), pg_catalog.set_config('safedelete.reason', why, true);
  RETURN QUERY SELECT l.relation, l.restored, l.already_there, l.changed_since, l.note
    FROM pg_catalog.jsonb_to_recordset(lines) l(relation text, restored bigint, already_there bigint, changed_since bigint, note text);
END $$;
COMMENT ON FUNCTION safedelete.give_back(bigint, text, boolean) IS 'what restore does, and preview_restore rolls back';

CREATE FUNCTION safedelete.restore(event bigint, on_conflict text DEFAULT 'refuse', OUT relation text,
  OUT restored bigint, OUT already_there bigint, OUT changed_since bigint, OUT note text) RETURNS SETOF record
LANGUAGE sql VOLATILE
BEGIN ATOMIC
  SELECT b.relation, b.restored, b.already_there, b.changed_since, b.note FROM safedelete.give_back(event, on_conflict, true) b;
END;
COMMENT ON FUNCTION safedelete.restore(bigint, text) IS 'gives back what an event''s statement took, as far as nobody has changed it since';

CREATE FUNCTION safedelete.preview_restore(event bigint, OUT relation text, OUT restored bigint, OUT already_there bigint,
  OUT changed_since bigint, OUT note text) RETURNS SETOF record
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  lines jsonb;
BEGIN
  BEGIN
    SELECT pg_catalog.jsonb_agg(pg_catalog.to_jsonb(r)) INTO lines FROM safedelete.give_back(event, 'skip', false) r;
    RAISE EXCEPTION USING ERRCODE = 'SD004', MESSAGE = lines::text;
  EXCEPTION WHEN SQLSTATE 'SD004' THEN
    NULL;
  END;
  RETURN QUERY SELECT l.relation, l.restored, l.already_there, l.changed_since, l.note
    FROM pg_catalog.jsonb_to_recordset(lines) l(relation text, restored bigint, already_there bigint, changed_since bigint, note text);
END $$;
COMMENT ON FUNCTION safedelete.preview_restore(bigint) IS 'what restore would do: does it, and rolls it back';

-- Values in the form in which they are kept, where the columns are still there. What reads them may be anybody's (a
-- domain's checks), so it runs as who calls, and for none but who may see the rows: forget_for refuses others.
CREATE FUNCTION safedelete.key_as_kept(target regclass, key jsonb) RETURNS jsonb
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  names text[];
  texts text[];
BEGIN
  IF NOT safedelete.owns_kept(target, current_user) OR jsonb_typeof(key) IS DISTINCT FROM 'object' THEN
    RETURN key;
  END IF;
  SELECT array_agg(k.key), array_agg(k.value) INTO names, texts FROM jsonb_each_text(key) k;
  IF names IS NULL OR EXISTS (SELECT FROM unnest(names) n WHERE NOT EXISTS (SELECT FROM pg_attribute a
      WHERE a.attrelid = target AND a.attname = n AND a.attnum > 0 AND NOT a.attisdropped)) THEN
    RETURN key;
  END IF;
  EXECUTE format('SELECT safedelete.row_texts(safedelete.row_of(NULL::%s, $1, $2), $1)', target) INTO texts USING names, texts;
  RETURN jsonb_object(names, texts);
END $$;
COMMENT ON FUNCTION safedelete.key_as_kept(regclass, jsonb) IS 'a key in the form in which values are kept';

CREATE FUNCTION safedelete.forget_for(target regclass, key jsonb, who text) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  names text[];
  texts text[];
  gone bigint;
BEGIN
  IF NOT safedelete.owns_kept(target, who::name) THEN
    RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege', MESSAGE = format('must be owner of table %s', target);
  END IF;
  IF jsonb_typeof(key) IS DISTINCT FROM 'object' OR key = '{}' THEN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'a key is an object of column names and values',
      HINT = 'For example: SELECT safedelete.forget(''customers'', ''{"id": 42}'');';
  END IF;
  SELECT array_agg(k.key), array_agg(k.value) INTO names, texts FROM jsonb_each_text(key) k;
  -- Who is at work on a piece makes others of it, which a statement that waits for the piece does not see.
  PERFORM FROM safedelete.kept_writes w
  WHERE w.relation IN (SELECT target UNION ALL SELECT t.relid FROM pg_partition_tree(target) t
    UNION ALL SELECT a.relid FROM pg_partition_ancestors(target) a)
  ORDER BY w.write FOR UPDATE;
  WITH pieces AS (
    SELECT d.ctid AS place, array_agg(i) AS found, cardinality(w.columns) AS width
    FROM safedelete.kept_writes w JOIN safedelete.kept_data d USING (write) CROSS JOIN generate_series(0, d.rows - 1) i
    WHERE w.relation IN (SELECT target UNION ALL SELECT t.relid FROM pg_partition_tree(target) t
        UNION ALL SELECT a.relid FROM pg_partition_ancestors(target) a)
      AND (NOT EXISTS (SELECT FROM ROWS FROM (unnest(names), unnest(texts)) k(n, v)
          WHERE d.old[i * cardinality(w.columns) + array_position(w.columns, k.n)] IS DISTINCT FROM k.v)
        OR d.new IS NOT NULL AND NOT EXISTS (SELECT FROM ROWS FROM (unnest(names), unnest(texts)) k(n, v)
          WHERE d.new[i * cardinality(w.columns) + array_position(w.columns, k.n)] IS DISTINCT FROM k.v))
    GROUP BY d.ctid, w.columns),
  out AS (
    DELETE FROM safedelete.kept_data d USING pieces p WHERE d.ctid = p.place RETURNING d.*, p.found, p.width),
  rest AS (
    INSERT INTO safedelete.kept_data
    SELECT o.write, o."row" + n, 1, o.old[n * o.width + 1 : (n + 1) * o.width], o.new[n * o.width + 1 : (n + 1) * o.width]
    FROM out o CROSS JOIN generate_series(0, o.rows - 1) n WHERE n <> ALL (o.found))
  SELECT coalesce(sum(cardinality(o.found)), 0) INTO gone FROM out o;
  PERFORM safedelete.note_kept('forgotten', (SELECT format('%s.%s', n.nspname, c.relname)
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = target), gone);
  RETURN gone;
END $$;
COMMENT ON FUNCTION safedelete.forget_for(regclass, jsonb, text) IS 'what forget does for its caller';
REVOKE EXECUTE ON FUNCTION safedelete.forget_for(regclass, jsonb, text) FROM PUBLIC;

-- Rows whose time has passed, in pieces; what another session is at work on is left to it.
CREATE FUNCTION safedelete.purge_kept(most bigint DEFAULT NULL) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  gone bigint;
BEGIN
  WITH out AS (
    DELETE FROM safedelete.kept_data d
    WHERE d.ctid IN (SELECT o.ctid FROM safedelete.kept_data o
      WHERE o.write IN (SELECT w.write FROM safedelete.kept_writes w WHERE w.until < now()
        ORDER BY w.until LIMIT most FOR UPDATE SKIP LOCKED)
      LIMIT most FOR UPDATE SKIP LOCKED)
    RETURNING d.rows)
  SELECT coalesce(sum(o.rows), 0) INTO gone FROM out o;
  DELETE FROM safedelete.kept_writes w
  WHERE w.ctid IN (SELECT o.ctid FROM safedelete.kept_writes o WHERE o.until < now()
    AND NOT EXISTS (SELECT FROM safedelete.kept_data d WHERE d.write = o.write) LIMIT most FOR UPDATE SKIP LOCKED);
  RETURN gone;
END $$;
COMMENT ON FUNCTION safedelete.purge_kept(bigint) IS 'takes out kept rows whose time has passed: all, or about so many';

CREATE FUNCTION safedelete.keep_unlogged(on_off boolean) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  kind text := CASE WHEN on_off THEN 'UNLOGGED' ELSE 'LOGGED' END;
BEGIN
  EXECUTE 'ALTER TABLE safedelete.kept_data SET ' || kind;
  EXECUTE 'ALTER TABLE safedelete.kept_writes SET ' || kind;
END $$;
COMMENT ON FUNCTION safedelete.keep_unlogged(boolean) IS 'whether kept rows are unlogged: no publication takes them in, and a crash empties them';
REVOKE EXECUTE ON FUNCTION safedelete.keep_unlogged(boolean) FROM PUBLIC;
