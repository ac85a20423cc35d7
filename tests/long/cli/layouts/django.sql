BEGIN;
--
-- Add field since to customer
--
ALTER TABLE "customers" ADD COLUMN "joined" date DEFAULT '2026-01-01' NOT NULL;
ALTER TABLE "customers" ALTER COLUMN "joined" DROP DEFAULT;
--
-- Raw SQL operation
--
DELETE FROM "customers" WHERE "id" = 42;
COMMIT;
