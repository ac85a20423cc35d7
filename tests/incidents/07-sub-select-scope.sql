-- incident: a sub-select on a column that its table does not have
-- source: "SQL Checks Outer Table First", Nathon Dalton, blog, 2012; the trap itself: "INF: Subquery Column Can Be Resolved
--   as Outer Query Column", Microsoft Knowledge Base Q229888
-- what happened: The keys to delete were in a table whose column had another name by a typing error. The name was the
--   outer table's own column then, so that each row was found in the list: all tables that the script touched were empty.
-- expect: refuse 21000
-- rule: where (a sub-select that compares the target with itself)
-- message: DELETE on table "related_rows" matches every row: it requires a WHERE clause
-- check: SELECT count(*) = 800 FROM related_rows
CREATE TABLE related_rows (id int PRIMARY KEY, pk_val int NOT NULL);
INSERT INTO related_rows SELECT g, g % 100 FROM generate_series(1, 800) g;
CREATE TABLE keys_to_delete (pkval int PRIMARY KEY);
INSERT INTO keys_to_delete VALUES (3), (4);
ANALYZE;

-- statement: keys_to_delete has pkval, not pk_val
DELETE FROM related_rows WHERE pk_val IN (SELECT pk_val FROM keys_to_delete);
