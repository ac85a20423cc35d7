-- incident: one row deleted, and the foreign keys below it
-- source: documented pattern: "Cascade Delete Nightmare", Sanjeev Sharma, webcoderspeed.com, undated (read 2026)
-- what happened: ON DELETE CASCADE at each level: the organization that a test had made, its users, their orders. The
--   name fitted one organization, and that was the real one.
-- expect: refuse SD001
-- rule: rows (what a foreign key deletes counts against the limits of its table)
-- message: DELETE on table "users" exceeds the limit of 500 rows
-- check: SELECT count(*) = 10 FROM organizations
-- check: SELECT count(*) = 1000 FROM users
-- check: SELECT count(*) = 3000 FROM orders
CREATE TABLE organizations (id int PRIMARY KEY, name text NOT NULL);
CREATE TABLE users (id int PRIMARY KEY, org_id int NOT NULL REFERENCES organizations ON DELETE CASCADE);
CREATE TABLE orders (id int PRIMARY KEY, user_id int NOT NULL REFERENCES users ON DELETE CASCADE);
INSERT INTO organizations SELECT g, CASE g WHEN 1 THEN 'test-org' ELSE 'org ' || g END FROM generate_series(1, 10) g;
INSERT INTO users SELECT g, CASE WHEN g <= 950 THEN 1 ELSE 2 END FROM generate_series(1, 1000) g;
INSERT INTO orders SELECT g, 1 + g % 1000 FROM generate_series(1, 3000) g;
ANALYZE;

-- statement:
DELETE FROM organizations WHERE name = 'test-org';
