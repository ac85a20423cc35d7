-- Prints what the database knows of the extension: of each of its objects, and of what hangs on them (row types, rules,
-- columns, indexes), every fact that does not hang on an OID, one a line. Installations that are alike print the same.
\set ON_ERROR_STOP 1
CREATE FUNCTION pg_temp.facts_of(class oid, object oid) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
  catalog text := class::regclass::text;
  fact record;
  found_row jsonb;
BEGIN
  -- The catalog's row without what is different in every database: OIDs, transactions, trees that hold OIDs, sizes.
  EXECUTE format('SELECT to_jsonb(t) FROM %s t WHERE t.oid = $1', catalog) INTO found_row USING object;
  FOR fact IN
    SELECT a.attname AS name, found_row ->> a.attname AS value, a.attname LIKE '%owner' AS is_role
    FROM pg_attribute a
    WHERE a.attrelid = class AND a.attnum > 0 AND NOT a.attisdropped
      AND (a.attname LIKE '%owner'
        OR a.atttypid NOT IN ('oid'::regtype, 'oid[]'::regtype, 'oidvector'::regtype, 'xid'::regtype,
          'pg_node_tree'::regtype, 'regproc'::regtype))
      AND a.attname NOT IN ('relpages', 'reltuples', 'relallvisible', 'relallfrozen')
  LOOP
    RETURN NEXT format('%s = %s', fact.name,
      CASE WHEN fact.is_role THEN pg_get_userbyid(fact.value::oid)::text ELSE coalesce(fact.value, 'NULL') END);
  END LOOP;

  -- What the OIDs and trees stand for, as SQL.
  RETURN NEXT 'definition = ' || coalesce(CASE catalog
    WHEN 'pg_proc' THEN (
      SELECT CASE WHEN p.prokind <> 'a' THEN pg_get_functiondef(p.oid)
        ELSE format('aggregate (%s), %s, %s, of %s from %s', pg_get_function_arguments(p.oid), a.aggtransfn,
          a.aggfinalfn, a.aggtranstype::regtype, a.agginitval) END
      FROM pg_proc p LEFT JOIN pg_aggregate a ON a.aggfnoid = p.oid WHERE p.oid = object)
    WHEN 'pg_class' THEN (
      SELECT CASE WHEN c.relkind IN ('v', 'm') THEN pg_get_viewdef(c.oid)
        WHEN c.relkind = 'i' THEN pg_get_indexdef(c.oid)
        WHEN c.relkind = 'S' THEN (SELECT (to_jsonb(s) - 'seqrelid' - 'seqtypid')::text || seqtypid::regtype
                                   FROM pg_sequence s WHERE seqrelid = c.oid) END
      FROM pg_class c WHERE c.oid = object)
    WHEN 'pg_rewrite' THEN pg_get_ruledef(object)
    WHEN 'pg_constraint' THEN pg_get_constraintdef(object)
    WHEN 'pg_trigger' THEN pg_get_triggerdef(object)
    WHEN 'pg_attrdef' THEN (SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef WHERE oid = object)
    WHEN 'pg_policy' THEN (
      SELECT format('to %s using (%s) check (%s)', polroles::regrole[], pg_get_expr(polqual, polrelid),
        pg_get_expr(polwithcheck, polrelid))
      FROM pg_policy WHERE oid = object)
    WHEN 'pg_operator' THEN (
      SELECT format('%s %s %s, result %s, negator %s, commutator %s, restrict %s, join %s', oprleft::regtype, oprcode,
        oprright::regtype, oprresult::regtype, oprnegate::regoperator, oprcom::regoperator, oprrest, oprjoin)
      FROM pg_operator WHERE oid = object)
    WHEN 'pg_type' THEN (
      SELECT format('%s %s %s %s, of %s, default %s, labels %s', typinput, typoutput, typreceive, typsend,
        typbasetype::regtype, typdefault,
        (SELECT string_agg(enumlabel, ', ' ORDER BY enumsortorder) FROM pg_enum WHERE enumtypid = object))
      FROM pg_type WHERE oid = object)
    WHEN 'pg_cast' THEN (
      SELECT format('%s as %s by %s', castsource::regtype, casttarget::regtype, castfunc::regprocedure)
      FROM pg_cast WHERE oid = object)
    WHEN 'pg_extension' THEN (
      SELECT format('schema %s, tables %s, conditions %s', extnamespace::regnamespace, extconfig::regclass[],
        extcondition)
      FROM pg_extension WHERE oid = object)
    END, 'none');

  IF catalog = 'pg_class' THEN
    FOR fact IN
      -- Some minor releases note a version in every column's options.
      SELECT a.attname AS name, a.attnum AS number,
        to_jsonb(a) - '{attrelid,atttypid,attcollation,attcacheoff,attoptions}'::text[] AS value,
        (SELECT string_agg(o, ', ') FROM unnest(a.attoptions) o WHERE o NOT LIKE 'pg_attver=%') AS options,
        format_type(a.atttypid, a.atttypmod) AS type, a.attcollation::regcollation AS collation
      FROM pg_attribute a WHERE a.attrelid = object AND a.attnum > 0 ORDER BY a.attnum
    LOOP
      RETURN NEXT format('column %s = %s %s %s, options %s, comment %s', fact.name, fact.type, fact.collation,
        fact.value, fact.options, col_description(object, fact.number));
    END LOOP;
  END IF;

  RETURN NEXT 'comment = ' || coalesce(obj_description(object, catalog), 'none');
  RETURN QUERY SELECT format('initial privileges of column %s = %s %s', i.objsubid, i.privtype, i.initprivs)
    FROM pg_init_privs i WHERE i.classoid = class AND i.objoid = object;
  RETURN QUERY SELECT format('label of column %s = %s %s', l.objsubid, l.provider, l.label)
    FROM pg_seclabel l WHERE l.classoid = class AND l.objoid = object;
  RETURN QUERY
    SELECT format('column %s depends on %s (%s)', d.objsubid,
      pg_describe_object(d.refclassid, d.refobjid, d.refobjsubid), d.deptype)
    FROM pg_depend d WHERE d.classid = class AND d.objid = object;
  RETURN QUERY
    SELECT format('column %s depends on %s %s (%s)', d.objsubid, d.refclassid::regclass,
      CASE d.refclassid WHEN 'pg_authid'::regclass THEN pg_get_userbyid(d.refobjid)::text ELSE d.refobjid::text END,
      d.deptype)
    FROM pg_shdepend d JOIN pg_database b ON b.oid = d.dbid AND b.datname = current_database()
    WHERE d.classid = class AND d.objid = object;
END $$;

-- Members, the extension's schema (which PostgreSQL makes, and which is no member), whatever is in it, and what hangs
-- on these.
WITH RECURSIVE extension AS (
  SELECT oid, extnamespace FROM pg_extension WHERE extname = 'safedelete'
), objects(classid, objid) AS (
  SELECT 'pg_extension'::regclass::oid, oid FROM extension
  UNION SELECT 'pg_namespace'::regclass, extnamespace FROM extension
  UNION SELECT 'pg_proc'::regclass, p.oid FROM pg_proc p JOIN extension e ON p.pronamespace = e.extnamespace
  UNION SELECT 'pg_class'::regclass, c.oid FROM pg_class c JOIN extension e ON c.relnamespace = e.extnamespace
  UNION SELECT 'pg_type'::regclass, t.oid FROM pg_type t JOIN extension e ON t.typnamespace = e.extnamespace
  UNION SELECT 'pg_operator'::regclass, o.oid FROM pg_operator o JOIN extension e ON o.oprnamespace = e.extnamespace
  UNION
  SELECT d.classid, d.objid FROM pg_depend d JOIN objects o ON d.refclassid = o.classid AND d.refobjid = o.objid
  WHERE d.deptype IN ('e', 'i', 'a', 'P') AND d.objid <> 0
)
SELECT i.type || ' ' || i.identity || ': ' || f
FROM objects o, pg_identify_object(o.classid, o.objid, 0) i, pg_temp.facts_of(o.classid, o.objid) f
ORDER BY (i.type || ' ' || i.identity || ': ' || f) COLLATE "C";
DROP FUNCTION pg_temp.facts_of;
