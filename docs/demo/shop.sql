-- A small shop with several customers, for the demo.
CREATE TABLE customers (id int PRIMARY KEY, name text NOT NULL, closed_at date);
CREATE TABLE invoices (id int PRIMARY KEY, customer_id int NOT NULL REFERENCES customers, total numeric NOT NULL CHECK (total >= 0));
CREATE TABLE invoice_lines (id int PRIMARY KEY, invoice_id int NOT NULL REFERENCES invoices ON DELETE CASCADE, article text);
CREATE TABLE shipments (id int PRIMARY KEY, customer_id int NOT NULL, address text);
CREATE TABLE closed (customer int, since date);
INSERT INTO customers SELECT g, 'Customer ' || g, CASE WHEN g = 42 THEN date '2024-05-01' END FROM generate_series(1, 200) g;
INSERT INTO invoices SELECT g, 1 + g % 200, g % 900 FROM generate_series(1, 10000) g;
INSERT INTO invoice_lines SELECT g, 1 + g % 10000, 'article ' || g % 70 FROM generate_series(1, 40000) g;
INSERT INTO shipments SELECT g, 1 + g % 200, 'Street ' || g FROM generate_series(1, 12000) g;
INSERT INTO closed VALUES (42, '2024-05-01');
CREATE INDEX ON invoices (customer_id);
CREATE INDEX ON invoice_lines (invoice_id);
ANALYZE;
