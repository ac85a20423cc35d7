-- Policy: security labels, written and shown from SQL.
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

COMMENT ON SCHEMA safedelete IS 'safedelete: policy and reports; settings are safedelete.*, the guard itself is the library';

-- What the functions and views show a role is its own, or what its rights let it see.
GRANT USAGE ON SCHEMA safedelete TO PUBLIC;

CREATE FUNCTION safedelete.policy_is_readable(label text) RETURNS boolean
LANGUAGE c STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'safedelete_policy_is_readable';
COMMENT ON FUNCTION safedelete.policy_is_readable(text) IS 'whether this version of safedelete can read a label';

CREATE FUNCTION safedelete.policy_of(target regclass, OUT setting text, OUT value text, OUT source text) RETURNS SETOF record
LANGUAGE c STABLE STRICT AS 'MODULE_PATHNAME', 'safedelete_policy_of';
COMMENT ON FUNCTION safedelete.policy_of(regclass) IS 'what labels say of a table, of its partition parents and of its schema';

CREATE FUNCTION safedelete.settings_for(target regclass, OUT setting text, OUT value text, OUT source text) RETURNS SETOF record
LANGUAGE sql STABLE STRICT
BEGIN ATOMIC
  SELECT coalesce(p.setting, substr(s.name, length('safedelete.') + 1)), coalesce(p.value, s.setting), coalesce(p.source, s.source)
  FROM safedelete.policy_of(target) p
  FULL JOIN (SELECT g.name, g.setting, g.source FROM pg_catalog.pg_settings g WHERE g.name LIKE 'safedelete.%') s
    ON s.name = 'safedelete.' || p.setting
  ORDER BY 1;
END;
COMMENT ON FUNCTION safedelete.settings_for(regclass) IS 'each setting as it is in force for a table, and where its value comes from';

-- PostgreSQL asks for the ownership of the object, the label provider for a superuser or a member of
-- safedelete.policy_role; both raise 42501. The provider also says what is wrong with a policy (22023).
-- A call of one of the library's own functions loads it, and so registers the provider.
CREATE FUNCTION safedelete.label_table(target regclass, label text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  kind text := (SELECT CASE c.relkind WHEN 'f' THEN 'FOREIGN TABLE' WHEN 'v' THEN 'VIEW'
                  WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END
                FROM pg_class c WHERE c.oid = target);
BEGIN
  IF kind IS NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'undefined_table', MESSAGE = format('relation with OID %s does not exist', coalesce(target::oid::text, 'NULL'));
  END IF;
  PERFORM safedelete.policy_is_readable(coalesce(label, '{}'));
  EXECUTE format('SECURITY LABEL FOR safedelete ON %s %s IS %L', kind, target, label);
END $$;
COMMENT ON FUNCTION safedelete.label_table(regclass, text) IS 'SECURITY LABEL ON TABLE, from SQL; NULL takes the label away';

CREATE FUNCTION safedelete.label_schema(target regnamespace, label text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_namespace n WHERE n.oid = target) THEN
    RAISE EXCEPTION USING ERRCODE = 'invalid_schema_name', MESSAGE = format('schema with OID %s does not exist', coalesce(target::oid::text, 'NULL'));
  END IF;
  PERFORM safedelete.policy_is_readable(coalesce(label, '{}'));
  EXECUTE format('SECURITY LABEL FOR safedelete ON SCHEMA %s IS %L', target, label);
END $$;
COMMENT ON FUNCTION safedelete.label_schema(regnamespace, text) IS 'SECURITY LABEL ON SCHEMA, from SQL; NULL takes the label away';

CREATE FUNCTION safedelete.policy_text(policy jsonb) RETURNS text
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF policy IS NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed', MESSAGE = 'policy must not be null',
      HINT = 'clear_policy and clear_schema_policy take a policy away.';
  END IF;
  RETURN policy::text;
END $$;
COMMENT ON FUNCTION safedelete.policy_text(jsonb) IS 'a policy as a label';

CREATE FUNCTION safedelete.set_policy(target regclass, policy jsonb) RETURNS void
LANGUAGE sql VOLATILE
BEGIN ATOMIC SELECT safedelete.label_table(target, safedelete.policy_text(policy)); END;
COMMENT ON FUNCTION safedelete.set_policy(regclass, jsonb) IS 'sets the policy of a table, in place of the one it has';

CREATE FUNCTION safedelete.clear_policy(target regclass) RETURNS void
LANGUAGE sql VOLATILE
BEGIN ATOMIC SELECT safedelete.label_table(target, NULL::text); END;
COMMENT ON FUNCTION safedelete.clear_policy(regclass) IS 'takes the policy of a table away';

CREATE FUNCTION safedelete.set_schema_policy(target regnamespace, policy jsonb) RETURNS void
LANGUAGE sql VOLATILE
BEGIN ATOMIC SELECT safedelete.label_schema(target, safedelete.policy_text(policy)); END;
COMMENT ON FUNCTION safedelete.set_schema_policy(regnamespace, jsonb) IS 'sets the policy of a schema, in place of the one it has';

CREATE FUNCTION safedelete.clear_schema_policy(target regnamespace) RETURNS void
LANGUAGE sql VOLATILE
BEGIN ATOMIC SELECT safedelete.label_schema(target, NULL::text); END;
COMMENT ON FUNCTION safedelete.clear_schema_policy(regnamespace) IS 'takes the policy of a schema away';

-- A label that cannot be read counts as the strictest policy; its policy is NULL here.
CREATE VIEW safedelete.policies AS
SELECT CASE WHEN n.oid IS NOT NULL THEN 'schema' WHEN c.relkind = 'p' THEN 'partitioned table'
         WHEN c.relkind = 'f' THEN 'foreign table' ELSE 'table' END AS object_type,
       CASE WHEN n.oid IS NOT NULL THEN quote_ident(n.nspname)
         ELSE quote_ident(s.nspname) || '.' || quote_ident(c.relname) END AS object,
       CASE WHEN safedelete.policy_is_readable(l.label) THEN l.label::jsonb END AS policy,
       l.label
FROM pg_catalog.pg_seclabel l
LEFT JOIN pg_catalog.pg_class c ON l.classoid = 'pg_catalog.pg_class'::regclass AND c.oid = l.objoid
LEFT JOIN pg_catalog.pg_namespace s ON s.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_namespace n ON l.classoid = 'pg_catalog.pg_namespace'::regclass AND n.oid = l.objoid
WHERE l.provider = 'safedelete' AND l.objsubid = 0;
COMMENT ON VIEW safedelete.policies IS 'every table and schema with a policy';
GRANT SELECT ON safedelete.policies TO PUBLIC;

-- Events and counters. Who may see an event is decided in read_events.
CREATE FUNCTION safedelete.read_events(OUT "time" timestamptz, OUT database text, OUT "user" text, OUT login text,
  OUT application text, OUT command text, OUT relation text, OUT rule text, OUT verdict text, OUT rows bigint,
  OUT "limit" bigint, OUT limit_source text, OUT reason text, OUT query text) RETURNS SETOF record
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'safedelete_read_events';
COMMENT ON FUNCTION safedelete.read_events() IS 'the ring of events, oldest first, as far as the role may see them';

CREATE VIEW safedelete.events AS SELECT * FROM safedelete.read_events();
COMMENT ON VIEW safedelete.events IS 'the newest refusals, warnings, overrides, bypasses and policy changes';
GRANT SELECT ON safedelete.events TO PUBLIC;

CREATE FUNCTION safedelete.read_stats(OUT datid oid, OUT database text, OUT guarded bigint, OUT refused_where bigint,
  OUT refused_rows bigint, OUT warned bigint, OUT logged bigint, OUT overridden bigint, OUT bypassed bigint,
  OUT rows_spooled bigint, OUT spool_bytes bigint, OUT since timestamptz) RETURNS SETOF record
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'safedelete_read_stats';
COMMENT ON FUNCTION safedelete.read_stats() IS 'the counters of each database';

CREATE VIEW safedelete.stats AS SELECT * FROM safedelete.read_stats();
COMMENT ON VIEW safedelete.stats IS 'counters of each database since the server''s start or reset_stats()';
GRANT SELECT ON safedelete.stats TO PUBLIC;

CREATE FUNCTION safedelete.reset_stats() RETURNS void
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'safedelete_reset_stats';
COMMENT ON FUNCTION safedelete.reset_stats() IS 'sets the counters of all databases to zero';
REVOKE ALL ON FUNCTION safedelete.reset_stats() FROM PUBLIC;

-- What would happen.
CREATE FUNCTION safedelete.check(sql text, OUT statement integer, OUT line integer, OUT command text, OUT relation text,
  OUT verdict text, OUT rule text, OUT sqlstate text, OUT message text, OUT detail text, OUT hint text,
  OUT estimated_rows bigint, OUT table_rows bigint) RETURNS SETOF record
LANGUAGE c VOLATILE STRICT AS 'MODULE_PATHNAME', 'safedelete_check';
COMMENT ON FUNCTION safedelete.check(text) IS 'what the guard would say of each statement of a script, and of each table it writes; runs nothing';

CREATE FUNCTION safedelete.dry_run(sql text, OUT relation text, OUT command text, OUT rows bigint, OUT table_rows bigint,
  OUT fraction double precision, OUT by text, OUT verdict text, OUT message text) RETURNS SETOF record
LANGUAGE c VOLATILE STRICT AS 'MODULE_PATHNAME', 'safedelete_dry_run';
COMMENT ON FUNCTION safedelete.dry_run(text) IS 'runs statements, counts what they, their foreign keys and their triggers write, and rolls it back';
