-- incident: MERGE that deletes what its source does not have, from an empty source
-- source: "MERGE and DELETE", Stephen Tirone, blog, 2014
-- what happened: The files of three hospitals were in the wrong folder, so that the staging table stayed empty. WHEN NOT
--   MATCHED BY SOURCE THEN DELETE took every row of the fact table.
-- expect: refuse SD001
-- rule: rows (ON restricts, so that only the count tells)
-- min-pg: 17
-- message: MERGE on table "visits" exceeds the limit of 2000 rows
-- check: SELECT count(*) = 4000 FROM visits
CREATE TABLE visits (id int PRIMARY KEY, hospital int NOT NULL);
CREATE TABLE staging (id int PRIMARY KEY, hospital int NOT NULL);
INSERT INTO visits SELECT g, 1 + g % 3 FROM generate_series(1, 4000) g;
ANALYZE;

-- statement:
MERGE INTO visits AS v USING staging AS s ON v.id = s.id
WHEN MATCHED THEN UPDATE SET hospital = s.hospital
WHEN NOT MATCHED THEN INSERT VALUES (s.id, s.hospital)
WHEN NOT MATCHED BY SOURCE THEN DELETE;
