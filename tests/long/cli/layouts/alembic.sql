BEGIN;

-- Running upgrade  -> ae1027a6acf

DELETE FROM customers WHERE id = 42;

INSERT INTO alembic_version (version_num) VALUES ('ae1027a6acf') RETURNING alembic_version.version_num;

COMMIT;
