-- incident: an ORM's filter whose value is undefined, so that the condition is dropped
-- source: "where: { shop: undefined }: The entire table data was accidentally deleted", prisma issue 20169, GitHub, 2023
-- what happened: prisma.theme.deleteMany({ where: { shop } }) with shop undefined deleted every shop's themes. TypeORM
--   (pull request 12626, 2026), Remult (issue 570, 2024) and LoopBack (issue 479, 2015) have reports of the same.
-- expect: refuse 21000
-- rule: where (1=1 is what ORMs write where no condition is left)
-- message: DELETE on table "theme" matches every row: it requires a WHERE clause
-- check: SELECT count(*) = 900 FROM theme
CREATE TABLE theme (id int PRIMARY KEY, shop text NOT NULL);
INSERT INTO theme SELECT g, 'shop ' || g % 30 FROM generate_series(1, 900) g;
ANALYZE;

-- statement:
DELETE FROM "public"."theme" WHERE 1=1;
