-- incident: a function that makes the local database anew, on production
-- source: "I deleted the production database by accident", KeepTheScore, casparwre.de, 2020
-- what happened: The function drops and creates the tables of the local database. A setting named the production
--   database; seven hours of data were lost.
-- expect: allow
-- rule: none by default: commands do not name drop, for migrations drop tables rightly. With drop they do, see 16
-- check: SELECT to_regclass('public.score') IS NULL
CREATE TABLE score (id int PRIMARY KEY);
INSERT INTO score SELECT g FROM generate_series(1, 3000) g;
ANALYZE;

-- statement:
DROP TABLE IF EXISTS "score";
