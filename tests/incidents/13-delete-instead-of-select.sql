-- incident: DELETE in place of SELECT, and four more tables by foreign keys
-- source: "Deleted a table in production and lost four more table data with ON DELETE CASCADE", Nobu, DEV Community, 2024
-- what happened: The production data was to be looked at. The line DELETE FROM posts was run instead of its SELECT, and
--   foreign keys that pointed the wrong way carried it to users, comments, likes and points.
-- expect: refuse 21000
-- rule: where
-- message: DELETE on table "posts" requires a WHERE clause
-- check: SELECT count(*) = 300 FROM posts
-- check: SELECT count(*) = 300 FROM users
-- check: SELECT count(*) = 300 FROM comments
CREATE TABLE posts (id int PRIMARY KEY);
CREATE TABLE users (id int PRIMARY KEY, post_id int NOT NULL REFERENCES posts ON DELETE CASCADE);
CREATE TABLE comments (id int PRIMARY KEY, user_id int NOT NULL REFERENCES users ON DELETE CASCADE);
INSERT INTO posts SELECT g FROM generate_series(1, 300) g;
INSERT INTO users SELECT g, g FROM generate_series(1, 300) g;
INSERT INTO comments SELECT g, g FROM generate_series(1, 300) g;
ANALYZE;

-- statement:
DELETE FROM posts;
