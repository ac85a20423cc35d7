--liquibase formatted sql

--changeset shop:0002
SET LOCAL safedelete.allow_rows = 1200;
SET LOCAL safedelete.reason = 'INC-7: shipments move to the new system';
DELETE FROM invoices WHERE customer_id = 42;
DELETE FROM shipments;
DELETE FROM customers WHERE id = 42;
