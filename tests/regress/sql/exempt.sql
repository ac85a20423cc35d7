-- Migration tools write their own bookkeeping without a WHERE, as their sources have it.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS safedelete;
RESET client_min_messages;
SHOW safedelete.exempt_tables;
-- Knex, lib/migrations/migrate/Migrator.js: _lockMigrations, _freeLock, forceFreeMigrationsLock. By default exempt.
CREATE TABLE knex_migrations_lock (index serial PRIMARY KEY, is_locked int);
INSERT INTO knex_migrations_lock(is_locked) VALUES (0);
PREPARE lock(int, int) AS update "knex_migrations_lock" set "is_locked" = $1 where "is_locked" = $2;
PREPARE free(int) AS update "knex_migrations_lock" set "is_locked" = $1;
EXECUTE lock(1, 0);
EXECUTE free(0);
SELECT is_locked FROM knex_migrations_lock;
BEGIN; EXECUTE lock(1, 0); CREATE TABLE shelf (id int); EXECUTE free(0); COMMIT;
SELECT to_regclass('shelf');
delete from "knex_migrations_lock";
insert into "knex_migrations_lock" ("is_locked") values (0);
-- Its migrations are not, nor is a lock table of another name.
CREATE TABLE knex_migrations (id serial PRIMARY KEY, name text);
INSERT INTO knex_migrations(name) VALUES ('001_shelf.js');
DELETE FROM knex_migrations;
CREATE TABLE my_migrations_lock (index serial PRIMARY KEY, is_locked int);
UPDATE my_migrations_lock SET is_locked = 0;
-- A list takes the place of the default, for plans that are there already, too.
SET safedelete.exempt_tables = 'databasechangeloglock, public.schema_info, public.schema_version, my_migrations_lock';
EXECUTE free(0);
UPDATE my_migrations_lock SET is_locked = 0;
-- Sequel, lib/sequel/extensions/migration.rb: IntegerMigrator#set_migration_version.
CREATE TABLE schema_info (version int NOT NULL DEFAULT 0);
INSERT INTO schema_info VALUES (3);
BEGIN; UPDATE "schema_info" SET "version" = 4; COMMIT;
-- tern, migrate/migrate.go: MigrateTo, whose reset all takes back the migration's own budget, and what the session had set.
CREATE TABLE schema_version (version int4 NOT NULL);
INSERT INTO schema_version VALUES (7);
BEGIN; SET LOCAL safedelete.allow_rows = 10; CREATE TABLE x (i int); reset all; update public.schema_version set version = 8; COMMIT;
ALTER DATABASE regress_regress SET safedelete.exempt_tables = 'public.schema_info, public.schema_version';
\c -
BEGIN; SET LOCAL safedelete.allow_rows = 10; CREATE TABLE x (i int); reset all; update public.schema_version set version = 8; COMMIT;
SELECT (SELECT version FROM schema_info), (SELECT version FROM schema_version);
-- A table of that name elsewhere is guarded.
CREATE SCHEMA regress_elsewhere;
CREATE TABLE regress_elsewhere.schema_version (version int4 NOT NULL);
UPDATE regress_elsewhere.schema_version SET version = 1;
ALTER DATABASE regress_regress RESET safedelete.exempt_tables;
\c -
-- golang-migrate, database/postgres/postgres.go: SetVersion. One row is within min_rows; where not one is free, it is named.
CREATE TABLE schema_migrations (version bigint PRIMARY KEY, dirty bool NOT NULL);
INSERT INTO schema_migrations VALUES (1, false);
BEGIN; TRUNCATE "public"."schema_migrations"; INSERT INTO schema_migrations VALUES (2, true); COMMIT;
SET safedelete.min_rows = 0;
TRUNCATE "public"."schema_migrations";
SET safedelete.exempt_tables = 'schema_migrations';
BEGIN; TRUNCATE "public"."schema_migrations"; INSERT INTO schema_migrations VALUES (3, true); COMMIT;
RESET safedelete.exempt_tables;
RESET safedelete.min_rows;
-- By key, as Rails, Django, Ecto, dbmate, goose, Prisma, Flyway, Atlas and Alembic do: nothing to exempt.
CREATE TABLE alembic_version (version_num varchar(32) NOT NULL);
INSERT INTO alembic_version VALUES ('a1');
UPDATE alembic_version SET version_num = 'b2' WHERE alembic_version.version_num = 'a1';
-- One row of an application's, without a WHERE: its table's policy says that it needs none, or the WHERE is written.
CREATE TABLE site_config (id bool PRIMARY KEY DEFAULT true CHECK (id), maintenance bool NOT NULL);
INSERT INTO site_config VALUES (true, false);
UPDATE site_config SET maintenance = true;
SELECT FROM safedelete.set_policy('site_config'::regclass, '{"require_where": false}'::jsonb);
UPDATE site_config SET maintenance = true;
-- A table whose flagged rows are nearly all of it: a policy takes the fraction away, and not the WHERE.
CREATE TABLE job_entry (id int PRIMARY KEY, done bool);
INSERT INTO job_entry SELECT g, g > 40 FROM generate_series(1, 5040) g;
DELETE FROM job_entry WHERE done;
SELECT FROM safedelete.set_policy('job_entry'::regclass, '{"max_fraction": 1}'::jsonb);
DELETE FROM job_entry WHERE done;
DELETE FROM job_entry;
DROP TABLE knex_migrations_lock, shelf, knex_migrations, my_migrations_lock, schema_info, schema_version, x,
  schema_migrations, alembic_version, site_config, job_entry;
DROP SCHEMA regress_elsewhere CASCADE;
DROP EXTENSION safedelete;
