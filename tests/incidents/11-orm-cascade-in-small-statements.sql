-- incident: an ORM that cascades by itself, in many small statements
-- source: "Lessons Learned from a Cascade Deletion Incident", warrenu.github.io, blog, 2024; Django's on_delete=CASCADE
-- what happened: The records that were to go took related ones with them, which nobody had meant. Django sends the
--   cascade itself, as DELETE ... WHERE id IN (...) in batches within a transaction: each is small, and qualified.
-- expect: refuse SD001
-- rule: rows, with scope = transaction: the rows of all the transaction's statements are one sum
-- set: scope = transaction
-- message: DELETE on table "payments" exceeds the limit of 2000 rows
-- check: SELECT count(*) = 4000 FROM payments
-- check: SELECT count(*) = 1000 FROM orders
CREATE TABLE orders (id int PRIMARY KEY, is_test boolean NOT NULL);
CREATE TABLE payments (id int PRIMARY KEY, order_id int NOT NULL REFERENCES orders);
INSERT INTO orders SELECT g, g <= 400 FROM generate_series(1, 1000) g;
INSERT INTO payments SELECT g, 1 + g % 400 FROM generate_series(1, 4000) g;
ANALYZE;

-- statement: 41 of them, 40 with up to 100 rows of payments
BEGIN;
SELECT format('DELETE FROM payments WHERE id IN (%s)', string_agg(id::text, ',')) FROM payments GROUP BY id / 100 \gexec
DELETE FROM orders WHERE is_test;
COMMIT;
