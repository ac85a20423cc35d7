-- incident: a blank line before the WHERE, which the editor takes for the end of the statement
-- source: "Blank line as statement delimiter ambiguity", dbeaver/dbeaver issue 22489, GitHub, 2024; it tells of
--   "How I destroyed the company's DB", Anton Zaides, Substack
-- what happened: UPDATE orders SET is_deleted = true, a blank line, WHERE id in (...). Ctrl+Enter on the first line ran
--   the first two lines alone: every order was marked as deleted, on a weekend.
-- expect: refuse 21000
-- rule: where
-- message: UPDATE on table "orders" requires a WHERE clause
-- check: SELECT NOT bool_or(is_deleted) FROM orders
CREATE TABLE orders (id int PRIMARY KEY, is_deleted boolean NOT NULL DEFAULT false);
INSERT INTO orders SELECT g FROM generate_series(1, 1000) g;
ANALYZE;

-- statement: what reached the server
UPDATE orders
SET is_deleted = true;
