-- Migration tools' own bookkeeping, as they write it: Knex's lock and Liquibase's are exempt by default, those of Sequel,
-- tern and golang-migrate are named in docs/ci.md, and the rest writes by key.
\set VERBOSITY terse
CREATE SCHEMA real_bookkeeping;
SET search_path = real_bookkeeping;
CREATE TABLE knex_migrations_lock (index serial PRIMARY KEY, is_locked int);
INSERT INTO knex_migrations_lock (is_locked) VALUES (0);
CREATE TABLE knex_migrations (id serial PRIMARY KEY, name text, batch int, migration_time timestamptz);
PREPARE l(int, int) AS update "knex_migrations_lock" set "is_locked" = $1 where "is_locked" = $2;
PREPARE f(int) AS update "knex_migrations_lock" set "is_locked" = $1;
-- One migration without a transaction around it.
EXECUTE l(1, 0);
CREATE TABLE shelf (id int);
INSERT INTO knex_migrations (name, batch, migration_time) VALUES ('001_shelf.js', 1, now());
EXECUTE f(0);
SELECT is_locked FROM knex_migrations_lock;
-- All in one, as by default.
BEGIN; EXECUTE l(1, 0); CREATE TABLE shelf2 (id int); EXECUTE f(0); COMMIT;
SELECT to_regclass('shelf2');
delete from "knex_migrations_lock";
CREATE TABLE databasechangeloglock (id int PRIMARY KEY, locked bool);
INSERT INTO databasechangeloglock VALUES (1, false);
DELETE FROM databasechangeloglock;
-- Refused by default, and let through where they are named.
CREATE TABLE schema_info (version int NOT NULL DEFAULT 0);
INSERT INTO schema_info VALUES (3);
CREATE TABLE schema_version (version int4 NOT NULL);
INSERT INTO schema_version VALUES (7);
UPDATE "schema_info" SET "version" = 4;
update schema_version set version = 8;
SET safedelete.exempt_tables = 'databasechangeloglock, knex_migrations_lock, schema_info, schema_version';
UPDATE "schema_info" SET "version" = 4;
update schema_version set version = 8;
RESET safedelete.exempt_tables;
-- TRUNCATE of one row is within min_rows.
CREATE TABLE schema_migrations (version bigint PRIMARY KEY, dirty bool NOT NULL);
INSERT INTO schema_migrations VALUES (1, false);
BEGIN; TRUNCATE "schema_migrations"; INSERT INTO schema_migrations VALUES (2, true); COMMIT;
-- Rails, Django, Ecto, dbmate, goose, Prisma, Flyway, Atlas, Alembic: by key.
CREATE TABLE alembic_version (version_num varchar(32) NOT NULL);
INSERT INTO alembic_version VALUES ('a1');
UPDATE alembic_version SET version_num = 'b2' WHERE alembic_version.version_num = 'a1';
CREATE TABLE ar_internal_metadata (key text PRIMARY KEY, value text);
INSERT INTO ar_internal_metadata VALUES ('environment', 'production');
UPDATE "ar_internal_metadata" SET "value" = 'production' WHERE "ar_internal_metadata"."key" = 'environment';
-- A table of one row by its form is written whole, also by its key: CHECK says that it is true. Declared, it passes.
CREATE TABLE site_config (id bool PRIMARY KEY DEFAULT true CHECK (id), maintenance bool NOT NULL);
INSERT INTO site_config VALUES (true, false);
UPDATE site_config SET maintenance = true;
UPDATE site_config SET maintenance = true WHERE id;
BEGIN; SET LOCAL safedelete.allow_rows = 1; UPDATE site_config SET maintenance = true WHERE id; COMMIT;
SELECT (SELECT version FROM schema_info), (SELECT version FROM schema_version), (SELECT version FROM schema_migrations),
  (SELECT maintenance FROM site_config);
SET client_min_messages = warning;
DROP SCHEMA real_bookkeeping CASCADE;
