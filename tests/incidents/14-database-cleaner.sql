-- incident: a test suite's database cleaner, with DATABASE_URL set to production
-- source: "Incident Post-Mortem and Security Advisory: Data Exposure After Outage", Travis CI, 2018
-- what happened: The tests ran in an old terminal where DATABASE_URL still named the production database. The gem
--   Database Cleaner truncated all tables; travis-ci.com was down for five and a half hours.
-- expect: refuse SD001
-- rule: rows (TRUNCATE)
-- message: TRUNCATE on table "builds" exceeds the limit of 1500 rows
-- check: SELECT count(*) = 3000 FROM builds
-- check: SELECT count(*) = 400 FROM repositories
-- check: SELECT count(*) = 250 FROM users
CREATE TABLE users (id serial PRIMARY KEY, login text NOT NULL);
CREATE TABLE repositories (id serial PRIMARY KEY, owner_id int NOT NULL REFERENCES users);
CREATE TABLE builds (id serial PRIMARY KEY, repository_id int NOT NULL REFERENCES repositories);
INSERT INTO users (login) SELECT 'user ' || g FROM generate_series(1, 250) g;
INSERT INTO repositories (owner_id) SELECT 1 + g % 250 FROM generate_series(1, 400) g;
INSERT INTO builds (repository_id) SELECT 1 + g % 400 FROM generate_series(1, 3000) g;
ANALYZE;

-- statement: as the gem writes it for PostgreSQL
TRUNCATE TABLE "public"."builds", "public"."repositories", "public"."users" RESTART IDENTITY CASCADE;
