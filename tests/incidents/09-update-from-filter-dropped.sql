-- incident: UPDATE ... FROM that has kept its join, and lost what it was to filter
-- source: devtoolshub.info, blog, page "sql-formatter-prevented-disaster", 2026 (seen in review, before it ran)
-- what happened: A batch job that expires pending orders older than 90 days was rewritten for EF Core. The generated
--   UPDATE joined orders with customers and had no WHERE: it would have expired all 2.7 million orders. In PostgreSQL
--   the join is a WHERE, so that the statement looks qualified.
-- expect: refuse SD001
-- rule: rows
-- message: UPDATE on table "orders" exceeds the limit of 10000 rows
-- check: SELECT count(*) = 0 FROM orders WHERE status = 'expired'
CREATE TABLE customers (id int PRIMARY KEY);
CREATE TABLE orders (id int PRIMARY KEY, customer_id int NOT NULL REFERENCES customers, status text NOT NULL);
INSERT INTO customers SELECT g FROM generate_series(1, 1000) g;
INSERT INTO orders SELECT g, 1 + g % 1000, 'shipped' FROM generate_series(1, 20000) g;
ANALYZE;

-- statement:
UPDATE orders AS o SET status = 'expired' FROM customers AS c WHERE o.customer_id = c.id;
