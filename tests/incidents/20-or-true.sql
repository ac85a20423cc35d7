-- incident: OR 1=1, left in a backfill
-- source: "The deploy that deleted production", jyotsna.tech, notes, undated (read 2026)
-- what happened: A backfill was to update the rows with status 'pending'. Its WHERE said status = 'pending' OR 1=1: every
--   row, and by foreign keys the tables below.
-- expect: refuse 21000
-- rule: where (an OR with an arm that does not restrict)
-- message: UPDATE on table "jobs" matches every row: it requires a WHERE clause
-- check: SELECT count(*) = 50 FROM jobs WHERE region = 'unknown'
CREATE TABLE jobs (id int PRIMARY KEY, status text NOT NULL, region text NOT NULL);
INSERT INTO jobs SELECT g, CASE WHEN g <= 50 THEN 'pending' ELSE 'done' END, CASE WHEN g <= 50 THEN 'unknown' ELSE 'eu' END
FROM generate_series(1, 1500) g;
ANALYZE;

-- statement:
UPDATE jobs SET region = 'us' WHERE status = 'pending' OR 1=1;
