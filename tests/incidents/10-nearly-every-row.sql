-- incident: a condition that is there, and true for 99.99 % of the rows
-- source: "Eloquent forceDelete shouldn't ignore global scopes", laravel/framework pull request 44751, GitHub, 2022
-- what happened: A query was prepared with care: get and count were right. forceDelete of the same query left out the
--   model's scopes. 13000 more rows went, data of hundreds of accounts. The condition that was left is ours.
-- expect: refuse SD001
-- rule: rows
-- message: DELETE on table "accounts" exceeds the limit of 6500 rows
-- check: SELECT count(*) = 13001 FROM accounts
CREATE TABLE accounts (id int PRIMARY KEY, type text NOT NULL, paused_at date, closed_at date);
INSERT INTO accounts SELECT g, 'subscriber', CASE WHEN g > 1 THEN date '2022-10-01' END, NULL
FROM generate_series(1, 13001) g;
ANALYZE;

-- statement: with its scope it would have been ... AND type = 'trial'
DELETE FROM accounts WHERE paused_at IS NOT NULL;
