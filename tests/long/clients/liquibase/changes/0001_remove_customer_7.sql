--liquibase formatted sql

--changeset shop:0001
DELETE FROM invoices WHERE customer_id = 7;
DELETE FROM shipments WHERE customer_id = 7;
DELETE FROM customers WHERE id = 7;
