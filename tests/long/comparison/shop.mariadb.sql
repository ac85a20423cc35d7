-- The tables of shop.sql for MariaDB.
DROP DATABASE IF EXISTS shop;
CREATE DATABASE shop;
USE shop;
CREATE TABLE customers (id int PRIMARY KEY, name varchar(100) NOT NULL, closed bool NOT NULL);
INSERT INTO customers SELECT seq, concat('Customer ', seq), seq % 100 = 0 FROM seq_1_to_1000;
CREATE TABLE orders (id int PRIMARY KEY, customer_id int NOT NULL,
  amount int NOT NULL, status varchar(10) NOT NULL, INDEX (customer_id),
  FOREIGN KEY (customer_id) REFERENCES customers (id) ON DELETE CASCADE);
INSERT INTO orders SELECT seq, CASE WHEN seq <= 6000 THEN 1 ELSE 2 + seq % 999 END, seq % 1000,
  CASE WHEN seq % 500 = 0 THEN 'void' ELSE 'open' END FROM seq_1_to_10000;
CREATE TABLE orders_was AS SELECT * FROM orders;
CREATE TABLE closed (customer int NOT NULL);
INSERT INTO closed VALUES (7);
CREATE VIEW all_orders AS SELECT * FROM orders;
CREATE VIEW void_orders AS SELECT * FROM orders WHERE status = 'void';
ANALYZE TABLE customers, orders;
