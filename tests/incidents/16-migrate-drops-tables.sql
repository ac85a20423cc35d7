-- incident: a migration command for the developer's database, on production, with drop guarded
-- source: "Incident report for February 21st, 2024", Resend, 2024
-- what happened: A migration command was run locally while a feature was built. It pointed at production and dropped all
--   tables. Twelve hours of outage, with a first restore that failed.
-- expect: refuse SD001
-- rule: rows, with commands that name drop
-- set: commands = delete, update, merge, truncate, drop
-- message: DROP on table "emails" exceeds the limit of 4000 rows
-- check: SELECT count(*) = 8000 FROM emails
-- check: SELECT count(*) = 5 FROM domains
CREATE TABLE domains (id int PRIMARY KEY, name text NOT NULL);
CREATE TABLE emails (id int PRIMARY KEY, domain_id int NOT NULL REFERENCES domains);
INSERT INTO domains SELECT g, 'domain ' || g FROM generate_series(1, 5) g;
INSERT INTO emails SELECT g, 1 + g % 5 FROM generate_series(1, 8000) g;
ANALYZE;

-- statement:
BEGIN;
DROP TABLE domains CASCADE;
DROP TABLE emails CASCADE;
COMMIT;
