-- incident: the semicolon typed before the WHERE, in psql
-- source: "War Story: Accidentally Ran A Database Update Without Where Clause", Wavvel, blog, 2023
-- what happened: After a bug fix the old rows were to be corrected. The closing semicolon came by habit, before the
--   filter: tens of thousands of rows were multiplied.
-- expect: refuse 21000
-- rule: where
-- message: UPDATE on table "measurements" requires a WHERE clause
-- check: SELECT sum(x) = 30000 FROM measurements
CREATE TABLE measurements (id int PRIMARY KEY, x numeric NOT NULL, calculated_at date NOT NULL);
INSERT INTO measurements SELECT g, 1, date '2019-01-01' + g % 300 FROM generate_series(1, 30000) g;
ANALYZE;

-- statement: psql then waits for the rest of a second statement, WHERE calculated_at < ...
UPDATE measurements SET x = x * 1.1;
