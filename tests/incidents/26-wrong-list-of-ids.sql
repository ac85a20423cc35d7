-- incident: a list of ids that were the ids of something else
-- source: "Post-Incident Review on the Atlassian April 2022 outage", Atlassian, 2022
-- what happened: An app was to be removed from some customers' sites. The script got the ids of the sites, not of the app,
--   and deleted 883 sites of 775 customers. The longest restore took 14 days. (No SQL is published; this is its shape.)
-- expect: allow
-- rule: none by default: 883 of 200000 rows are 0.4 %. With max_rows = 100 each such statement is refused
-- check: SELECT count(*) = 200000 - 883 FROM sites
CREATE TABLE sites (id int PRIMARY KEY);
INSERT INTO sites SELECT g FROM generate_series(1, 200000) g;
ANALYZE;

-- statement:
DELETE FROM sites WHERE id = ANY (ARRAY(SELECT 200 * g FROM generate_series(1, 883) g));
