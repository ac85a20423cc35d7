-- incident: prisma migrate reset (or migrate dev that finds drift), with drop guarded
-- source: "Configuration to disallow database reset", prisma issue 21483, GitHub, 2024 ("one of our dev reset the db
--   accidentally")
-- what happened: The command drops and makes the database or its schema anew. Whose DATABASE_URL is in the environment is
--   whose data is gone.
-- expect: refuse SD001
-- rule: rows, with commands that name drop (DROP SCHEMA counts the tables in it)
-- set: commands = delete, update, merge, truncate, drop
-- message: DROP on table "customers" exceeds the limit of 1000 rows
-- check: SELECT count(*) = 2000 FROM public.customers
CREATE TABLE customers (id int PRIMARY KEY);
INSERT INTO customers SELECT g FROM generate_series(1, 2000) g;
ANALYZE;

-- statement:
DROP SCHEMA "public" CASCADE;
CREATE SCHEMA "public";
