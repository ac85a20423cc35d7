-- After the rows: a constraint that the old ones break, so it proves nothing.
ALTER TABLE t ADD CHECK (h > 0) NOT VALID;
ALTER TABLE tp ADD CHECK (h > 0) NOT VALID;
ALTER TABLE ti ADD CHECK (h > 0) NOT VALID;

-- Before 18 a child may do without its parent's NOT NULL.
DO $$ BEGIN
  ALTER TABLE ti_child ALTER h DROP NOT NULL;
  UPDATE ti_child SET h = NULL WHERE b = 3 AND m > 6;
EXCEPTION WHEN invalid_table_definition THEN NULL;
END $$;

-- Runs a statement, takes it back, and tells its row count or its error: 'rows 7', '21000 …'.
CREATE FUNCTION outcome(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE n bigint; detail text;
BEGIN
  EXECUTE statement;
  GET DIAGNOSTICS n = ROW_COUNT;
  RAISE EXCEPTION USING ERRCODE = 'FZ000', MESSAGE = n;
EXCEPTION
  WHEN SQLSTATE 'FZ000' THEN RETURN 'rows ' || SQLERRM;
  WHEN SQLSTATE '21000' THEN
    GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
    RETURN SQLSTATE || ' ' || SQLERRM || CASE WHEN detail ~ 'with itself' THEN ' (itself)' ELSE '' END;
  WHEN query_canceled OR assert_failure OR OTHERS THEN RETURN SQLSTATE || ' ' || SQLERRM;
END $$;

-- The same of a prepared statement with its values, by a custom or a generic plan.
CREATE FUNCTION outcome(statement text, execution text, mode text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE result text;
BEGIN
  PERFORM set_config('plan_cache_mode', mode, true);
  BEGIN
    EXECUTE statement;
  EXCEPTION WHEN OTHERS THEN RETURN SQLSTATE || ' ' || SQLERRM;
  END;
  result := outcome(execution);
  DEALLOCATE fuzz;
  RETURN result;
END $$;
