--liquibase formatted sql

--changeset shop:1
SET LOCAL safedelete.allow_rows = 1200;
SET LOCAL safedelete.reason = 'INC-7';
DELETE FROM shipments;
--rollback DELETE FROM customers;

--changeset shop:2
DELETE FROM invoices WHERE id = 1;
--rollback DELETE FROM invoices WHERE id = 2;
