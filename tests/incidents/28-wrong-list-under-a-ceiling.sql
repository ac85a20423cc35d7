-- incident: a list of ids that were the ids of something else, in a session with a ceiling of its own
-- source: "Post-Incident Review on the Atlassian April 2022 outage", Atlassian, 2022
-- what happened: as 26. The script was meant for one app on some customers' sites, and its author knew about how many.
-- expect: refuse SD001
-- rule: own (own_max_rows, which the session sets itself)
-- message: DELETE on table "sites" exceeds the limit of 100 rows
-- set: own_max_rows = 100
-- check: SELECT count(*) = 200000 FROM sites
CREATE TABLE sites (id int PRIMARY KEY);
INSERT INTO sites SELECT g FROM generate_series(1, 200000) g;
ANALYZE;

-- statement:
DELETE FROM sites WHERE id = ANY (ARRAY(SELECT 200 * g FROM generate_series(1, 883) g));
