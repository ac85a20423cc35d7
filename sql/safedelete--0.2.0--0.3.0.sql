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
        AND n.nspname <> ALL ('{pg_catalog,pg_toast,information_schema}')));
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
