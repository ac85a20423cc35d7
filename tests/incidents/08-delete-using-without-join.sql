-- incident: DELETE ... USING without the join condition
-- source: documented pattern: "DELETE", PostgreSQL documentation, "PostgreSQL lets you reference columns of other tables in
--   the WHERE condition by specifying the other tables in the USING clause"
-- what happened: USING joins nothing by itself. Where the WHERE names the other table alone, one row that fits there is
--   enough for every row of the target.
-- expect: refuse 21000
-- rule: where (a condition on another table does not restrict the target)
-- message: DELETE on table "films" matches every row: it requires a WHERE clause
-- check: SELECT count(*) = 700 FROM films
CREATE TABLE producers (id int PRIMARY KEY, name text NOT NULL);
CREATE TABLE films (id int PRIMARY KEY, producer_id int NOT NULL REFERENCES producers);
INSERT INTO producers SELECT g, CASE g WHEN 1 THEN 'foo' ELSE 'bar' END FROM generate_series(1, 20) g;
INSERT INTO films SELECT g, 1 + g % 20 FROM generate_series(1, 700) g;
ANALYZE;

-- statement: the documentation's example without its "producer_id = producers.id AND"
DELETE FROM films USING producers WHERE producers.name = 'foo';
