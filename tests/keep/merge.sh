# Part of tests/keep/run: MERGE, and whole states that no order of single rows leads back to.

database merge
run "CREATE TABLE p (id int, k int, v text, PRIMARY KEY (id, k)) PARTITION BY LIST (k)" \
  "CREATE TABLE p0 PARTITION OF p FOR VALUES IN (0)" \
  "CREATE TABLE p1 (v text, gone int, k int NOT NULL, id int NOT NULL)" "ALTER TABLE p1 DROP COLUMN gone" \
  "ALTER TABLE p ATTACH PARTITION p1 FOR VALUES IN (1)" \
  "CREATE TABLE p2 PARTITION OF p FOR VALUES IN (2) PARTITION BY RANGE (id)" \
  "CREATE TABLE p20 PARTITION OF p2 DEFAULT" "CREATE TABLE bare (id int, k int) PARTITION BY LIST (k)" \
  "CREATE TABLE bare0 PARTITION OF bare FOR VALUES IN (0)" "CREATE TABLE bare1 PARTITION OF bare DEFAULT" \
  "INSERT INTO p SELECT g, g % 3, 'v' || g FROM generate_series(1, 600) g" \
  "INSERT INTO bare SELECT g, 0 FROM generate_series(1, 300) g"
keep p bare
before=$(sums p0 p1 p20)
# What a restore has updated is kept, too.
clear() { run "DELETE FROM safedelete.kept_data" "DELETE FROM safedelete.kept_writes"; }
given_back() { sql -c "SELECT concat_ws(' ', relation, restored, already_there, changed_since)
  FROM safedelete.restore($(newest)${1:+, '$1'})"; }
inserted="WHEN NOT MATCHED THEN INSERT VALUES (i, 1, 'inserted')"
while IFS='|' read -r about merge rows; do
  merge=${merge/DELETED/WHEN MATCHED AND i % 3 = 0 THEN DELETE}
  check "MERGE: $about" "" "$(allowed "SET LOCAL enable_hashjoin = off" "SET LOCAL enable_mergejoin = off" \
    "MERGE INTO p a USING generate_series(1, 900) i ON a.id = i ${merge/INSERTED/$inserted}")"
  check "is kept" "$rows" "$(sql -c "SELECT string_agg(command || ' ' || n, ',' ORDER BY command) FROM (SELECT command,
    count(*) AS n FROM safedelete.kept_rows WHERE event = $(newest) GROUP BY 1) c")"
  check "and comes back" "p 600 0 0" "$(given_back)"
  sql -c "DELETE FROM p WHERE id > 600"
  check "as it was" "$before" "$(sums p0 p1 p20)"
done <<'MERGES'
rows that move|WHEN MATCHED THEN UPDATE SET k = (k + 1) % 3|UPDATE 600
rows that move, and others|WHEN MATCHED THEN UPDATE SET k = (k + i % 2) % 3, v = 'm'|UPDATE 600
that move and that it deletes|DELETED WHEN MATCHED THEN UPDATE SET k = 3 - k|DELETE 200,UPDATE 400
and inserts|DELETED WHEN MATCHED THEN UPDATE SET k = (k + i) % 3, v = concat(v, '!') INSERTED|DELETE 200,UPDATE 400
only updated, beside inserted ones|WHEN MATCHED THEN UPDATE SET v = 'm' INSERTED|UPDATE 600
MERGES
allowed "MERGE INTO bare a USING generate_series(1, 300) i ON a.id = i
  WHEN MATCHED AND i <= 100 THEN DELETE WHEN MATCHED THEN UPDATE SET k = 1" >/dev/null
check "without a key, what was deleted comes back, and what has moved is not doubled" "bare 100 0 200" \
  "$(given_back skip)"
check "it stays" "100 200" "$(sql -F' ' -c "SELECT count(*) FILTER (WHERE k = 0), count(*) FILTER (WHERE k = 1)
  FROM bare")"
run "CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'" \
  "CREATE TRIGGER nothing BEFORE INSERT ON p1 FOR EACH ROW WHEN (NEW.id = 3) EXECUTE FUNCTION nothing()"
allowed "MERGE INTO p a USING generate_series(1, 600) i ON a.id = i WHEN MATCHED AND i > 300 THEN DELETE
  WHEN MATCHED THEN UPDATE SET k = (k + 1) % 3" >/dev/null
check "a row that a trigger drops where it was to go was deleted" "301" \
  "$(sql -c "SELECT count(*) FROM safedelete.kept_rows WHERE event = $(newest) AND command = 'DELETE'")"
check "and comes back" "p 600 0 0" "$(given_back)"
check "as it was" "$before" "$(sums p0 p1 p20)"
run "DROP TRIGGER nothing ON p1" "CREATE FUNCTION counts() RETURNS trigger LANGUAGE plpgsql AS
  'BEGIN UPDATE p SET v = v || ''+'' WHERE id = NEW.id % 600 + 1 AND k = (NEW.id % 600 + 1) % 3; RETURN NULL; END'" \
  "CREATE TRIGGER counts AFTER INSERT ON p2 FOR EACH ROW WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION counts()"
allowed "MERGE INTO p a USING generate_series(1, 600) i ON a.id = i
  WHEN MATCHED AND k = 1 THEN UPDATE SET k = 2" >/dev/null
check "triggers that write the same table meanwhile" "p 400 0 0" "$(given_back)"
run "DROP TRIGGER counts ON p2"
run "DELETE FROM p" "INSERT INTO p SELECT g, g % 3, 'v' || g FROM generate_series(1, 600) g" >/dev/null
check "as it was" "$before" "$(sums p0 p1 p20)"
[ "$PG_MAJOR" -lt 17 ] || {
  allowed "WITH moved AS (MERGE INTO p a USING generate_series(1, 300) i ON a.id = i
    WHEN MATCHED AND i % 4 = 0 THEN DELETE WHEN MATCHED THEN UPDATE SET k = (k + 1) % 3 RETURNING a.id)
    UPDATE p SET v = 'other' WHERE id > 300 + (SELECT count(*) FROM moved) * 0" >/dev/null
  check "in a CTE, beside another write of the table" "p 600 0 0" "$(given_back)"
  check "as it was" "$before" "$(sums p0 p1 p20)"
}
run "SET safedelete.scope = transaction" "BEGIN" "SET LOCAL safedelete.allow_rows = -1" \
  "UPDATE p SET k = 2 - k, v = 'x' WHERE id % 4 = 0" "UPDATE p0 SET v = 'y'" "TRUNCATE p" "COMMIT" >/dev/null
check "rows kept of a table and of its partitions" "" "$(sql -o /dev/null -c "SELECT safedelete.restore($(newest))")"
check "as it was" "$before" "$(sums p0 p1 p20)"

# What one statement took may refer to what it changed, in either table.
run "CREATE TABLE parent (id int PRIMARY KEY, v int)" \
  "CREATE TABLE child (id int PRIMARY KEY, a int REFERENCES parent ON DELETE CASCADE ON UPDATE CASCADE,
    b int REFERENCES parent ON DELETE SET NULL ON UPDATE CASCADE)" \
  "CREATE TABLE strict (id int PRIMARY KEY, a int REFERENCES parent)" \
  "INSERT INTO parent SELECT g, g FROM generate_series(1, 300) g" \
  "INSERT INTO child SELECT g, 1 + g % 300, 1 + (g * 7) % 300 FROM generate_series(1, 600) g"
keep parent child strict
before=$(sums parent child)
allowed "MERGE INTO parent p USING generate_series(1, 300) i ON p.id = i
  WHEN MATCHED AND i % 3 = 0 THEN DELETE WHEN MATCHED THEN UPDATE SET id = id + 1000" >/dev/null
check "deleted rows that refer to changed keys" "child parent" "$(given_back | cut -d' ' -f1 | sort | xargs)"
check "as it was" "$before" "$(sums parent child)"
allowed "MERGE INTO parent p USING generate_series(1, 300) i ON p.id = i
  WHEN MATCHED AND i <= 100 THEN DELETE WHEN MATCHED AND i <= 200 THEN UPDATE SET id = id - 100" >/dev/null
given_back >/dev/null
check "keys that were taken from deleted rows" "$before" "$(sums parent child)"
clear
allowed "DELETE FROM parent WHERE id <= 100" "UPDATE parent SET id = id - 100 WHERE id BETWEEN 101 AND 200" >/dev/null
run "SET safedelete.scope = transaction" "BEGIN" "SET LOCAL safedelete.allow_rows = -1" \
  "DELETE FROM parent WHERE id <= 50" "UPDATE parent SET id = id - 100 WHERE id BETWEEN 101 AND 120" \
  "UPDATE child SET a = 200 WHERE id > 300" "DELETE FROM child WHERE id > 500" "COMMIT" >/dev/null
for event in $(sql -c "SELECT DISTINCT event FROM safedelete.kept WHERE restored_at IS NULL
    ORDER BY event DESC"); do
  sql -o /dev/null -c "SELECT FROM safedelete.restore($event)"
done
check "several statements, one after the other" "$before" "$(sums parent child)"
run "CREATE TABLE node (id int PRIMARY KEY, up int REFERENCES node ON DELETE SET NULL ON UPDATE CASCADE)" \
  "INSERT INTO node SELECT g, nullif(g / 2, 0) FROM generate_series(1, 600) g"
keep node
nodes=$(sums node)
allowed "MERGE INTO node n USING generate_series(1, 600) i ON n.id = i
  WHEN MATCHED AND i % 5 = 0 THEN DELETE WHEN MATCHED AND i % 2 = 0 THEN UPDATE SET id = -id" >/dev/null
given_back >/dev/null
check "rows of one table that refer to each other" "$nodes" "$(sums node)"
clear
allowed "DELETE FROM child WHERE id > 100" "DELETE FROM parent WHERE id > 100" >/dev/null
event=$(sql -c "SELECT min(event) FROM safedelete.kept")
check "children whose parents are gone are refused when all is there" 23503 \
  "$(sql -c "SELECT * FROM safedelete.restore($event)" | state)"
check "and nothing is done, nor told" "99 0" "$(sql -F' ' -c "SELECT count(*), (SELECT count(*) FROM safedelete.events
  WHERE verdict = 'restored' AND id > $event) FROM child")"
check "their parents before" "" "$(for event in $(newest) $event; do
  sql -o /dev/null -c "SELECT FROM safedelete.restore($event)"; done)"
check "as it was" "$before" "$(sums parent child)"
check "what gives rows back together is not to be had by itself" "55000 55000" "$(run \
  "SELECT safedelete.put_back('DELETE FROM child', false, true, NULL, 1, 1, NULL, NULL, NULL)" \
  "SELECT safedelete.give_back_rows($(sql -c "SELECT max(event) FROM safedelete.kept"), 'skip', true)" | states)"
