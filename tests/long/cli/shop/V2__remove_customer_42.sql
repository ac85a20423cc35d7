-- Customer 42 has asked for it (Löschantrag).
DELETE FROM invoices WHERE customer_id = 42;
DELETE FROM shipments;
DELETE FROM customers WHERE id = 42;
