-- incident: a clean-up migration whose DELETE has lost its WHERE
-- source: "3 Lines of SQL Wiped Our Entire AWS Database", Speedcraft Tech Labs, DEV Community, undated (read 2026)
-- what happened: The migration was to delete the sessions of one retired kind. The reviewed file said
--   WHERE session_type = 'legacy_auth'; the file that was run said nothing, and every session went.
-- expect: refuse 21000
-- rule: where
-- message: DELETE on table "user_sessions" requires a WHERE clause
-- check: SELECT count(*) = 600 FROM user_sessions
-- check: SELECT count(*) = 1 FROM information_schema.columns WHERE table_name = 'users' AND column_name = 'legacy_auth'
CREATE TABLE users (id int PRIMARY KEY, legacy_auth text);
CREATE TABLE user_sessions (id int PRIMARY KEY, user_id int NOT NULL REFERENCES users, session_type text NOT NULL);
INSERT INTO users SELECT g, 'md5' FROM generate_series(1, 200) g;
INSERT INTO user_sessions SELECT g, 1 + g % 200, CASE WHEN g % 10 = 0 THEN 'legacy_auth' ELSE 'web' END
FROM generate_series(1, 600) g;
ANALYZE;

-- statement:
BEGIN;
ALTER TABLE users DROP COLUMN legacy_auth;
DELETE FROM user_sessions;
COMMIT;
