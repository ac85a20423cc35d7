-- What a newer major of PostgreSQL brings: statements that the older ones do not know.

-- case: old-and-new-are-returned-of-no-refused-write
-- group: where
-- why: RETURNING's old and new are the target's, but no condition on it
-- min-pg: 18
-- expect: refuse 21000
-- message: UPDATE on table "events" requires a WHERE clause\n
-- check: SELECT count(*) = 20000 FROM events WHERE payload <> ''
UPDATE events SET payload = '' RETURNING old.payload, new.payload;

-- case: old-in-a-cte-is-counted-once
-- group: rows
-- why: a row's old and new version are one row
-- min-pg: 18
-- set: max_rows = 50
-- expect: allow
-- check: SELECT count(*) = 50 FROM orders WHERE note = 'x'
WITH moved AS (UPDATE orders SET note = 'x' WHERE id <= 50 RETURNING WITH (OLD AS was, NEW AS is_now) was.id, is_now.note)
SELECT count(*) FROM moved;

-- case: old-in-merge
-- group: rows
-- min-pg: 18
-- set: max_rows = 50
-- expect: refuse SD001
-- message: MERGE on table "orders" exceeds the limit of 50 rows
-- check: SELECT count(*) = 5000 FROM orders WHERE note IS NULL
MERGE INTO orders o USING accounts a ON o.account_id = a.id AND a.id <= 20
WHEN MATCHED THEN UPDATE SET note = 'x' RETURNING merge_action(), old.note, new.note;

-- case: a-not-null-constraint-that-is-not-valid
-- group: where
-- why: rows from before it may be NULL, so IS NOT NULL selects
-- min-pg: 18
-- expect: allow
-- check: SELECT count(*) = 5 FROM readings
CREATE TABLE readings (v int);
INSERT INTO readings SELECT CASE WHEN g % 2 = 0 THEN g END FROM generate_series(1, 10) g;
ALTER TABLE readings ADD CONSTRAINT known NOT NULL v NOT VALID;
DELETE FROM readings WHERE v IS NOT NULL;

-- case: the-same-once-validated
-- group: where
-- min-pg: 18
-- setup: CREATE TABLE readings (v int); GRANT ALL ON readings TO app; INSERT INTO readings SELECT generate_series(1, 10); ALTER TABLE readings ADD CONSTRAINT known NOT NULL v NOT VALID; ALTER TABLE readings VALIDATE CONSTRAINT known
-- expect: refuse 21000
-- check: SELECT count(*) = 10 FROM readings
DELETE FROM readings WHERE v IS NOT NULL;

-- case: a-check-constraint-that-is-not-enforced
-- group: where
-- why: nothing holds the rows to it
-- min-pg: 18
-- setup: CREATE TABLE readings (v int NOT NULL); GRANT ALL ON readings TO app; INSERT INTO readings SELECT generate_series(-4, 5); ALTER TABLE readings ADD CHECK (v > 0) NOT ENFORCED
-- expect: allow
-- check: SELECT count(*) = 5 FROM readings
DELETE FROM readings WHERE v > 0;

-- case: the-same-enforced
-- group: where
-- min-pg: 18
-- setup: CREATE TABLE readings (v int NOT NULL CHECK (v > 0)); GRANT ALL ON readings TO app; INSERT INTO readings SELECT generate_series(1, 10)
-- expect: refuse 21000
-- check: SELECT count(*) = 10 FROM readings
DELETE FROM readings WHERE v > 0;

-- case: half-of-a-temporal-key
-- group: rows
-- why: WITHOUT OVERLAPS: the other half of the key tells a row's versions apart
-- min-pg: 18
-- setup: CREATE EXTENSION btree_gist; CREATE TABLE prices (item int, valid daterange, price int, PRIMARY KEY (item, valid WITHOUT OVERLAPS)); GRANT ALL ON prices TO app; INSERT INTO prices SELECT 1, daterange('2020-01-01'::date + g, '2020-01-02'::date + g), g FROM generate_series(1, 300) g
-- set: max_rows = 100
-- expect: refuse SD001
-- message: UPDATE on table "prices" exceeds the limit of 100 rows
-- check: SELECT sum(price) = 45150 FROM prices
UPDATE prices SET price = 0 WHERE item = 1;

-- case: a-whole-temporal-key
-- group: harmless
-- min-pg: 18
-- setup: CREATE EXTENSION btree_gist; CREATE TABLE prices (item int, valid daterange, price int, PRIMARY KEY (item, valid WITHOUT OVERLAPS)); GRANT ALL ON prices TO app; INSERT INTO prices SELECT 1, daterange('2020-01-01'::date + g, '2020-01-02'::date + g), g FROM generate_series(1, 300) g
-- expect: allow
-- check: SELECT count(*) = 299 FROM prices
DELETE FROM prices WHERE item = 1 AND valid = daterange('2020-02-01', '2020-02-02');

-- case: a-virtual-column-compared-with-itself
-- group: where
-- min-pg: 18
-- setup: CREATE TABLE carts (net int, gross int GENERATED ALWAYS AS (net * 2)); GRANT ALL ON carts TO app; INSERT INTO carts SELECT generate_series(1, 10)
-- expect: refuse 21000
-- message: compares column "gross" of the table with itself
-- check: SELECT count(*) = 10 FROM carts
DELETE FROM carts WHERE gross = gross;

-- case: a-virtual-column-restricts
-- group: harmless
-- min-pg: 18
-- setup: CREATE TABLE carts (net int, gross int GENERATED ALWAYS AS (net * 2)); GRANT ALL ON carts TO app; INSERT INTO carts SELECT generate_series(1, 10)
-- expect: allow
-- check: SELECT count(*) = 9 FROM carts
DELETE FROM carts WHERE gross = 8;

-- case: on-conflict-do-select-writes-nothing
-- group: harmless
-- why: of rows that are there it reads and locks; it changes none
-- min-pg: 19
-- set: commands = delete, update, merge, truncate, upsert
-- set: max_rows = 5
-- expect: allow
-- check: SELECT count(*) = 40 FROM settings WHERE value = 'v'
INSERT INTO settings SELECT 's' || g, 'new' FROM generate_series(1, 40) g
ON CONFLICT (name) DO SELECT FOR UPDATE RETURNING value;

-- case: on-conflict-do-select-in-a-cte-of-a-delete
-- group: rows
-- why: what it returns may say what another command deletes
-- min-pg: 19
-- set: max_rows = 5
-- expect: refuse SD001
-- message: DELETE on table "settings" exceeds the limit of 5 rows
-- check: SELECT count(*) = 40 FROM settings
WITH taken AS (INSERT INTO settings SELECT 's' || g, 'new' FROM generate_series(1, 40) g
               ON CONFLICT (name) DO SELECT RETURNING name)
DELETE FROM settings s USING taken t WHERE s.name = t.name;

-- case: on-conflict-do-update-is-counted-beside-it
-- group: rows
-- min-pg: 19
-- set: commands = upsert
-- set: max_rows = 5
-- expect: refuse SD001
-- message: INSERT ON CONFLICT on table "settings" exceeds the limit of 5 rows
-- check: SELECT count(*) = 40 FROM settings WHERE value = 'v'
WITH there AS (INSERT INTO settings SELECT 's' || g, 'new' FROM generate_series(1, 40) g
               ON CONFLICT (name) DO SELECT RETURNING name)
INSERT INTO settings SELECT name, 'new' FROM there ON CONFLICT (name) DO UPDATE SET value = excluded.value;

-- case: repack-writes-every-row-and-none
-- group: harmless
-- why: it makes the table anew, with the same rows
-- as: postgres
-- min-pg: 19
-- set: commands = delete, update, merge, truncate, upsert, drop
-- set: max_rows = 0
-- expect: allow
-- check: SELECT (SELECT count(*) FROM accounts) = 1000 AND (SELECT count(*) FROM events) = 20000
REPACK accounts;
REPACK accounts USING INDEX accounts_pkey;
REPACK (ANALYZE) events;
REPACK measures_q1;

-- case: repack-of-a-table-whose-index-calls-a-function-that-deletes
-- group: reach
-- why: what PostgreSQL itself does is free, what a function does that it calls is not
-- as: postgres
-- min-pg: 19
-- setup: CREATE FUNCTION tidy(int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN IF current_setting(''shop.tidy'', true) = ''on'' THEN PERFORM public.purge_plpgsql(); END IF; RETURN $1; END'; ALTER FUNCTION purge_plpgsql SET search_path = public; CREATE INDEX ON settings (tidy(length(name)))
-- expect: refuse 21000
-- message: DELETE on table "events" requires a WHERE clause
-- check: SELECT count(*) = 20000 FROM events
SET shop.tidy = on;
REPACK settings;

-- case: wait-for-lsn
-- group: harmless
-- min-pg: 19
-- expect: allow
WAIT FOR LSN '0/0' WITH (TIMEOUT '100ms', NO_THROW);
