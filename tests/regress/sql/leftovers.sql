-- What a dry run leaves behind: nothing that the session would carry on.
SET client_min_messages = warning;
CREATE EXTENSION safedelete;
CREATE TABLE left_over (id int PRIMARY KEY);
INSERT INTO left_over SELECT generate_series(1, 10);
CREATE VIEW locks AS
  SELECT classid, objid, objsubid, mode FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid();
-- Session-level advisory locks: those that the statements take go, those from before stay.
SELECT pg_advisory_lock(1), pg_advisory_lock_shared(2, 3);
SELECT relation, rows FROM safedelete.dry_run($$
  SELECT pg_advisory_lock(11), pg_advisory_lock(11), pg_advisory_lock_shared(12), pg_advisory_xact_lock(13), pg_try_advisory_lock(14);
  SELECT pg_advisory_lock_shared(1);
  DO 'BEGIN PERFORM pg_advisory_lock(15, 16); END';
  DELETE FROM left_over WHERE id = 1;
$$);
SELECT * FROM locks ORDER BY 1, 2, 3, 4;
-- Those of the transaction around it stay as well.
BEGIN;
SELECT pg_advisory_xact_lock(20);
SELECT count(*) FROM safedelete.dry_run('SELECT pg_advisory_lock(21), pg_advisory_xact_lock(22), pg_advisory_xact_lock(20)');
SELECT objid FROM locks ORDER BY 1;
COMMIT;
SELECT objid FROM locks ORDER BY 1;
-- However it ends.
SELECT * FROM safedelete.dry_run('SELECT pg_advisory_lock(31); SELECT 1 / (id - id) FROM left_over');
SELECT * FROM safedelete.dry_run('SELECT pg_advisory_lock(32); COPY left_over FROM STDIN');
SET statement_timeout = '100ms';
SELECT * FROM safedelete.dry_run('SELECT pg_advisory_lock(33); PREPARE p33 AS SELECT 1; SELECT pg_sleep(10)');
RESET statement_timeout;
SELECT objid FROM locks ORDER BY 1;
SELECT pg_advisory_unlock_all();
-- Prepared statements: likewise. A DEALLOCATE of what was there before does nothing.
PREPARE before AS SELECT 'from before' AS before;
SELECT relation, rows FROM safedelete.dry_run($$
  PREPARE d (int) AS DELETE FROM left_over WHERE id = $1;
  EXECUTE d (1);
  DEALLOCATE d;
  PREPARE d (int) AS DELETE FROM left_over WHERE id <= $1;
  EXECUTE d (2);
  DO 'BEGIN EXECUTE ''PREPARE "De" AS SELECT 1''; END';
  DEALLOCATE before;
  DEALLOCATE ALL;
  PREPARE d (int) AS DELETE FROM left_over WHERE id = $1;
  EXECUTE d (4);
$$);
SELECT name FROM pg_prepared_statements ORDER BY 1;
EXECUTE before;
SELECT * FROM safedelete.dry_run('DEALLOCATE missing');
DEALLOCATE before;
-- What the transaction takes back by itself.
SELECT count(*) FROM safedelete.dry_run($$
  SET safedelete.reason = 'mine'; SELECT set_config('work_mem', '1234kB', false);
  CREATE TEMP TABLE passing (a int); LISTEN somebody; NOTIFY somebody;
  DECLARE c CURSOR WITH HOLD FOR SELECT 1;
  SELECT lo_create(987654);
$$);
SELECT current_setting('safedelete.reason'), current_setting('work_mem') <> '1234kB', to_regclass('passing');
SELECT * FROM pg_listening_channels();
SELECT name FROM pg_cursors;
SELECT count(*) FROM pg_largeobject_metadata WHERE oid = 987654;
SELECT count(*) FROM left_over;
DROP VIEW locks;
DROP TABLE left_over;
DROP EXTENSION safedelete;
