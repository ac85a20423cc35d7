-- incident: a clean-up of test users, in a range where ten real ones lived
-- source: "We Deleted 10 Real Users with a Test-Cleanup Script - RCA", sm1ck, DEV Community, 2026
-- what happened: DELETE FROM users WHERE id BETWEEN -91111200 AND -91111100, on production. The range was for test users;
--   the sequence for sign-ups by OAuth had come there too.
-- expect: allow
-- rule: none: it is qualified, and ten of the rows are few. What is right only its author can know
-- check: SELECT count(*) = 0 FROM users WHERE id < 0
CREATE TABLE users (id int PRIMARY KEY);
INSERT INTO users SELECT g FROM generate_series(1, 3000) g;
INSERT INTO users SELECT -g FROM generate_series(91111101, 91111110) g;
ANALYZE;

-- statement:
DELETE FROM users WHERE id BETWEEN -91111200 AND -91111100;
