--liquibase formatted sql

--changeset shop:0002
DELETE FROM invoices WHERE customer_id = 42;
DELETE FROM shipments;
DELETE FROM customers WHERE id = 42;
