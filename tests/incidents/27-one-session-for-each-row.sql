-- incident: a shell loop, with a session of its own for each account
-- source: "We Deleted the Database in Production: The Backup That Wasn't", xqa.io, blog, 2025
-- what happened: A script looked for test accounts and ran, for each of them, psql -c "DELETE FROM inventory WHERE
--   account_id = '...'" and so on for 14 tables. When it was done, the database was empty.
-- expect: allow
-- rule: none: each session deletes few rows, and a sum ends with its statement or transaction
-- check: SELECT count(*) = 0 FROM inventory
CREATE TABLE inventory (id int PRIMARY KEY, account_id int NOT NULL);
INSERT INTO inventory SELECT g, 1 + g % 20 FROM generate_series(1, 1000) g;
ANALYZE;

-- statement: 20 of them; each in a transaction of its own, as from 20 sessions
SELECT format('DELETE FROM inventory WHERE account_id = %s', g) FROM generate_series(1, 20) g \gexec
