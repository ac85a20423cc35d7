-- incident: AND binds before OR, so that the tenant counts for one arm only
-- source: "fix(orm): keep global scopes out of a top-level orWhere fold", gurenjs/guren pull request 732, GitHub, 2026
-- what happened: The model's scopes went into the same list as the caller's where and orWhere: the SQL was (scope AND
--   status) OR excerpt. Rows of other tenants were read, and written by bulk clean-ups of the same shape.
-- expect: refuse SD001
-- rule: rows (each arm restricts, so that only the count tells)
-- message: DELETE on table "posts" exceeds the limit of 1000 rows
-- check: SELECT count(*) = 2000 FROM posts
CREATE TABLE posts (id int PRIMARY KEY, tenant_id int NOT NULL, status text NOT NULL, excerpt text NOT NULL);
INSERT INTO posts SELECT g, 1 + g % 40, CASE WHEN g % 50 = 0 THEN 'spam' ELSE 'published' END, 'read more'
FROM generate_series(1, 2000) g;
ANALYZE;

-- statement: meant was tenant_id = 7 AND (status = 'spam' OR excerpt LIKE '%more%')
DELETE FROM posts WHERE tenant_id = 7 AND status = 'spam' OR excerpt LIKE '%more%';
