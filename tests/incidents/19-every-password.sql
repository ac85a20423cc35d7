-- incident: one customer's password, for everybody
-- source: "Update without a WHERE", Adam Thurgar, sqlserversupport.com, 2019
-- what happened: A DBA reset a customer's password and forgot the WHERE. Nobody could log in to the web sites any more,
--   thousands of customers.
-- expect: refuse 21000
-- rule: where
-- message: UPDATE on table "users" requires a WHERE clause
-- check: SELECT count(DISTINCT password) = 5000 FROM users
CREATE TABLE users (id int PRIMARY KEY, email text NOT NULL, password text NOT NULL);
INSERT INTO users SELECT g, 'user' || g || '@example.com', md5(g::text) FROM generate_series(1, 5000) g;
ANALYZE;

-- statement:
UPDATE users SET password = md5('new password');
