-- incident: the development database is cleared, on the other server
-- source: "I'll just clear down the database before break. What's the worst that could happen? It's a trial",
--   The Register (Who, Me?), 2019
-- what happened: The usual DELETE FROM PAYMENTS before lunch, for some 50 test rows. The connection was the trial
--   system's, where 30,000 card payments waited to be settled.
-- expect: refuse 21000
-- rule: where
-- message: DELETE on table "payments" requires a WHERE clause
-- check: SELECT count(*) = 30000 FROM payments
CREATE TABLE payments (id int PRIMARY KEY, amount numeric NOT NULL);
INSERT INTO payments SELECT g, 10 FROM generate_series(1, 30000) g;
ANALYZE;

-- statement:
DELETE FROM PAYMENTS;
