-- Remove the data of former customer 42.
BEGIN;
DELETE FROM invoice_lines WHERE invoice_id IN (SELECT id FROM invoices WHERE customer_id = 42);
DELETE FROM invoices WHERE customer_id = 42;
DELETE FROM shipments;
DELETE FROM customers WHERE id = 42;
COMMIT;
