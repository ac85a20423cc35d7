-- The tables that every case starts from. One customer has 6000 of the 10000 orders.
CREATE TABLE customers (id int PRIMARY KEY, name text NOT NULL, closed bool NOT NULL);
INSERT INTO customers SELECT g, 'Customer ' || g, g % 100 = 0 FROM generate_series(1, 1000) g;
CREATE TABLE orders (id int PRIMARY KEY, customer_id int NOT NULL REFERENCES customers ON DELETE CASCADE,
  amount int NOT NULL, status text NOT NULL);
INSERT INTO orders SELECT g, CASE WHEN g <= 6000 THEN 1 ELSE 2 + g % 999 END, g % 1000,
  CASE WHEN g % 500 = 0 THEN 'void' ELSE 'open' END FROM generate_series(1, 10000) g;
CREATE INDEX ON orders (customer_id);
CREATE TABLE orders_was AS SELECT * FROM orders;
CREATE TABLE closed (customer int NOT NULL);
INSERT INTO closed VALUES (7);
CREATE VIEW all_orders AS SELECT * FROM orders;
CREATE VIEW void_orders AS SELECT * FROM orders WHERE status = 'void';
CREATE ROLE app;
GRANT ALL ON ALL TABLES IN SCHEMA public TO app;
ANALYZE;
