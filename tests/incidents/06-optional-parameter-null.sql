-- incident: an optional parameter that nobody filled in: $1 IS NULL OR id = $1
-- source: documented pattern: "Use NULL in place of optional SQL parameters", metabase pull request 58713, GitHub, 2025
-- what happened: A query with an optional filter passes NULL for a filter that is not given. In a report that means
--   every row, as it should. In an action that deletes it means the same.
-- expect: refuse 21000
-- rule: where (a parameter counts by its value, at each execution)
-- message: DELETE on table "tickets" matches every row: it requires a WHERE clause
-- check: SELECT count(*) = 499 FROM tickets
CREATE TABLE tickets (id int PRIMARY KEY, subject text NOT NULL);
INSERT INTO tickets SELECT g, 'ticket ' || g FROM generate_series(1, 500) g;
ANALYZE;

-- statement: the same prepared statement, first with the parameter and then without
PREPARE remove (int) AS DELETE FROM tickets WHERE $1 IS NULL OR id = $1;
EXECUTE remove(7);
EXECUTE remove(NULL);
