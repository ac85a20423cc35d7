-- incident: continuous integration drops the database and makes it anew, with drop guarded
-- source: "Today's Outage", GitHub, 2010
-- what happened: Each run of the test suite destroyed and re-created the database. A configuration error gave it
--   production's. (GitHub's was MySQL; the step is the same.)
-- expect: refuse SD001
-- rule: DROP DATABASE is refused where commands name drop, for nobody counts its rows
-- set: commands = delete, update, merge, truncate, drop
-- message: DROP on database "incident" is not allowed
-- check: SELECT count(*) = 500 FROM repositories
CREATE TABLE repositories (id int PRIMARY KEY);
INSERT INTO repositories SELECT g FROM generate_series(1, 500) g;
ANALYZE;

-- statement: db is the database of this script
\connect postgres
DROP DATABASE :"db";
