-- The guard is the library: it needs no SQL objects. The extension owns the schema "safedelete",
-- which later versions fill, and which its control file makes.
\echo Use "CREATE EXTENSION safedelete" to load this file. \quit

COMMENT ON SCHEMA safedelete IS 'safedelete: settings are safedelete.*; the guard itself is the library';
