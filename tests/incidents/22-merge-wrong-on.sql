-- incident: MERGE whose ON compares the source with itself
-- source: documented pattern: "MERGE", PostgreSQL documentation, on join_condition: "Only columns from the target table that
--   attempt to match data_source rows should appear"
-- what happened: ON d.sku = d.sku has the right columns and the wrong alias. It is true for every pair, so that each row
--   of the target is matched.
-- expect: refuse 21000
-- rule: where (the action needs ON or its own condition to restrict the target)
-- message: MERGE on table "stock" matches every row: it requires a WHERE clause
-- check: SELECT sum(quantity) = 15000 FROM stock
CREATE TABLE stock (sku int PRIMARY KEY, quantity int NOT NULL);
CREATE TABLE delivery (sku int PRIMARY KEY, quantity int NOT NULL);
INSERT INTO stock SELECT g, 10 FROM generate_series(1, 1500) g;
INSERT INTO delivery VALUES (17, 40);
ANALYZE;

-- statement:
MERGE INTO stock AS s USING delivery AS d ON d.sku = d.sku
WHEN MATCHED THEN UPDATE SET quantity = s.quantity + d.quantity
WHEN NOT MATCHED THEN INSERT VALUES (d.sku, d.quantity);
