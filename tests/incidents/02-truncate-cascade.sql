-- incident: TRUNCATE ... CASCADE of a new table empties the old ones that refer to it
-- source: "Post mortem on Linear incident from Jan 24th, 2024", Linear, 2024
-- what happened: A migration cleared two new tables that nobody used yet. CASCADE went on to the tables with foreign keys
--   to them: descriptions of issues, comments, notifications. Restoring took two days. The tables' names are ours.
-- expect: refuse SD001
-- rule: rows (TRUNCATE counts each table that it reaches)
-- message: TRUNCATE on table "issues" exceeds the limit of 2500 rows
-- check: SELECT count(*) = 5000 FROM issues
-- check: SELECT count(*) = 9000 FROM comments
CREATE TABLE new_documents (id int PRIMARY KEY);
CREATE TABLE issues (id int PRIMARY KEY, title text NOT NULL, document_id int REFERENCES new_documents);
CREATE TABLE comments (id int PRIMARY KEY, issue_id int NOT NULL REFERENCES issues, body text NOT NULL);
INSERT INTO issues SELECT g, 'issue ' || g, NULL FROM generate_series(1, 5000) g;
INSERT INTO comments SELECT g, 1 + g % 5000, 'comment' FROM generate_series(1, 9000) g;
ANALYZE;

-- statement:
TRUNCATE TABLE new_documents CASCADE;
