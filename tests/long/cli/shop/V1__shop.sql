CREATE TABLE customers (id int PRIMARY KEY, name text);
CREATE TABLE invoices (id int PRIMARY KEY, customer_id int REFERENCES customers);
CREATE TABLE shipments (id int PRIMARY KEY, customer_id int);
INSERT INTO customers VALUES (42, 'Löwe & Söhne');
CREATE INDEX shipments_customer_id ON shipments (customer_id);
