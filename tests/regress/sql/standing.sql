-- Bypass, budget and mode mean the same to the guard, to check and to EXPLAIN, whatever the command.
SET safedelete.commands = 'delete, update, truncate, drop';
SET safedelete.max_rows = 50;
CREATE TABLE ledgers (id int, kind int) PARTITION BY LIST (kind);
CREATE TABLE ledgers_0 PARTITION OF ledgers FOR VALUES IN (0);
CREATE TABLE ledgers_1 PARTITION OF ledgers FOR VALUES IN (1);
INSERT INTO ledgers SELECT g, g % 2 FROM generate_series(1, 400) g;
SELECT safedelete.set_policy('ledgers_1', '{"max_rows": 20}');
ANALYZE ledgers;
CREATE ROLE regress_unchecked SUPERUSER;
CREATE FUNCTION standing() RETURNS TABLE (statement text, verdict text, rule text, message text, told text) LANGUAGE sql AS $$
  SELECT s, verdict, rule, message, substring(detail FROM 'safedelete.allow_rows is not honoured')
  FROM unnest(ARRAY['DELETE FROM ledgers', 'DELETE FROM ledgers WHERE id > 100', 'TRUNCATE ledgers', 'DROP TABLE ledgers',
                    'DROP DATABASE nowhere', 'UPDATE nowhere SET id = 1']) WITH ORDINALITY AS a (s, i),
       safedelete.check(s)
  ORDER BY i
$$;
SELECT * FROM standing();
SET safedelete.mode = warn;
SELECT * FROM standing();
SET safedelete.mode = enforce;
-- A budget that is too small for a statement; with mode warn nothing comes of that either.
SET safedelete.allow_rows = 300;
SELECT * FROM standing();
SET safedelete.mode = warn;
SELECT * FROM standing();
-- What does not count is told where it is refused, and nowhere else.
SET safedelete.require_reason = on;
SELECT * FROM standing();
SET safedelete.mode = enforce;
SELECT * FROM standing();
RESET safedelete.require_reason;
-- EXPLAIN shows what binds, of parts as well.
EXPLAIN (COSTS OFF) DELETE FROM ledgers WHERE id > 100;
SET safedelete.allow_rows = -1;
EXPLAIN (COSTS OFF) DELETE FROM ledgers WHERE id > 100;
SELECT safedelete.set_policy('ledgers_1', '{"max_rows": 20, "override": false}');
EXPLAIN (COSTS OFF) DELETE FROM ledgers WHERE id > 100;
RESET safedelete.allow_rows;
EXPLAIN (COSTS OFF) DELETE FROM ledgers WHERE id > 100;
-- Who is not checked is bound by nothing, and is told what a rule would have said.
SET safedelete.bypass_role = regress_unchecked;
SET ROLE regress_unchecked;
SELECT * FROM standing();
EXPLAIN (COSTS OFF) DELETE FROM ledgers WHERE id > 100;
EXPLAIN (COSTS OFF) DELETE FROM ledgers;
EXPLAIN (COSTS OFF) UPDATE ledgers SET id = 0 WHERE kind = 0;
SET safedelete.mode = warn;
SELECT * FROM standing();
RESET safedelete.mode;
-- As check has said.
BEGIN;
DELETE FROM ledgers;
ROLLBACK;
BEGIN;
TRUNCATE ledgers;
ROLLBACK;
RESET ROLE;
RESET safedelete.bypass_role;
DELETE FROM ledgers WHERE id > 100;
EXPLAIN (COSTS OFF) DELETE FROM ledgers WHERE id > 100;
-- A table of this transaction is free, for check as well.
BEGIN;
CREATE TABLE fresh AS SELECT g AS id FROM generate_series(1, 100) g;
SELECT s, verdict FROM (VALUES ('DELETE FROM fresh'), ('DELETE FROM fresh WHERE id > 1'), ('TRUNCATE fresh')) v (s),
  safedelete.check(s);
DELETE FROM fresh;
ROLLBACK;
-- What is exempt is so whoever asks, in a dry run too.
CREATE TABLE spared AS SELECT g AS id FROM generate_series(1, 400) g;
CREATE TEMPORARY TABLE passing AS SELECT * FROM spared;
SET safedelete.exempt_tables = 'spared';
SELECT format(s, t), verdict, rule FROM unnest(ARRAY['spared', 'passing']) t,
  unnest(ARRAY['DELETE FROM %I', 'DELETE FROM %I WHERE id > 100', 'TRUNCATE %I', 'DROP TABLE %I']) s, safedelete.check(format(s, t));
EXPLAIN (COSTS OFF) DELETE FROM spared;
SELECT relation, command, rows, verdict FROM safedelete.dry_run('DELETE FROM spared; UPDATE passing SET id = 0; TRUNCATE spared');
SELECT count(*) FROM safedelete.dry_run($dry$DO $d$ BEGIN
  RAISE NOTICE '%', (SELECT array_agg(verdict) FROM safedelete.check('DELETE FROM spared; DELETE FROM passing WHERE id > 100; TRUNCATE spared'));
END $d$ $dry$);
RESET safedelete.exempt_tables;
SELECT format(s, t), verdict, rule FROM unnest(ARRAY['spared', 'passing']) t,
  unnest(ARRAY['DELETE FROM %I', 'TRUNCATE %I']) s, safedelete.check(format(s, t));
DROP TABLE passing;
SET safedelete.allow_rows = -1;
DROP TABLE spared;
RESET safedelete.allow_rows;
SELECT safedelete.clear_policy('ledgers_1');
RESET safedelete.max_rows;
RESET safedelete.commands;
DROP TABLE ledgers;
DROP FUNCTION standing();
DROP ROLE regress_unchecked;
