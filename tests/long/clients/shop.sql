-- The shop that each tool's migrations work on, in a database of their own.
CREATE TABLE customers (id int PRIMARY KEY, name text NOT NULL);
CREATE TABLE invoices (id int PRIMARY KEY, customer_id int NOT NULL REFERENCES customers, total numeric NOT NULL);
CREATE TABLE shipments (id int PRIMARY KEY, customer_id int NOT NULL, address text NOT NULL);
INSERT INTO customers SELECT g, 'Customer ' || g FROM generate_series(1, 200) g;
INSERT INTO invoices SELECT g, 1 + g % 200, g % 900 FROM generate_series(1, 1000) g;
INSERT INTO shipments SELECT g, 1 + g % 200, 'Street ' || g FROM generate_series(1, 1200) g;
