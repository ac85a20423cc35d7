# Ways to a distributed table by which nobody should come past the guard.
limit="exceeds the limit of"
for call in "create_intermediate_result('x', 'DELETE FROM dist WHERE v > 0 RETURNING id')" \
  "broadcast_intermediate_result('x', 'DELETE FROM dist WHERE v > 0 RETURNING id')"; do
  refuses "Citus's function that runs a query: ${call%%(*}" "DELETE on table \"dist\" $limit" "SELECT $call"
done
check_match "run_command_on_shards" "ERROR:  DELETE on table \"dist_[0-9]+\" $limit" \
  "$(said c "SELECT result FROM run_command_on_shards('dist', 'DELETE FROM %s WHERE v > 0')")"
check_match "run_command_on_placements" "requires a WHERE clause" \
  "$(said c "SELECT result FROM run_command_on_placements('dist', 'DELETE FROM %s')")"
for function in run_command_on_workers run_command_on_all_nodes run_command_on_coordinator; do
  check_match "$function" "DELETE on table .*dist.* $limit" \
    "$(said c "SELECT $function('DELETE FROM dist WHERE v > 0')")"
done
check_match "master_run_on_worker" "requires a WHERE clause" "$(said c "SELECT master_run_on_worker(
  ARRAY['127.0.0.1'], ARRAY[${ports[w1]}], ARRAY['DELETE FROM dist'], false)")"
said c "CREATE FUNCTION deletes(k bigint) RETURNS void LANGUAGE plpgsql AS 'BEGIN DELETE FROM dist WHERE v > 0; END'" \
  "SELECT create_distributed_function('deletes(bigint)', 'k', colocate_with := 'dist')" \
  "CREATE PROCEDURE deleting(k bigint) LANGUAGE plpgsql AS 'BEGIN DELETE FROM dist WHERE v > 0; END'" \
  "SELECT create_distributed_function('deleting(bigint)', 'k', colocate_with := 'dist')" >/dev/null
check_match "a function that is pushed to a worker" "$limit" "$(said c "SELECT deletes(5)")"
check_match "a procedure that is pushed to a worker" "$limit" "$(said c "CALL deleting(5)")"
said c "CREATE TABLE plain (id int)" "INSERT INTO plain VALUES (1)" "CREATE VIEW seen AS SELECT * FROM plain" \
  "CREATE FUNCTION fires() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN DELETE FROM dist WHERE v > 0; RETURN NULL; END'" \
  "CREATE TRIGGER t AFTER INSERT ON plain FOR EACH ROW EXECUTE FUNCTION fires()" >/dev/null 2>&1
refuses "a trigger of a local table" "DELETE on table \"dist\" $limit" "INSERT INTO plain VALUES (2)"
said c "DROP TRIGGER t ON plain" >/dev/null
refuses "a rule" "DELETE on table \"dist\" (matches every row|requires)" \
  "CREATE RULE r AS ON INSERT TO plain WHERE NEW.id = 3 DO ALSO DELETE FROM dist; INSERT INTO plain VALUES (3)"
refuses "a rule of a view: Citus's own error" "^ERROR:  missing FROM-clause entry for table \"seen\"" \
  "CREATE RULE r AS ON DELETE TO seen DO INSTEAD DELETE FROM dist WHERE v < 5; DELETE FROM seen WHERE id = 1"
many="DELETE FROM dist WHERE v > \$1"
refuses "a plan that was kept" "$limit" "PREPARE p(int) AS $many; EXECUTE p(9999); EXECUTE p(9999); EXECUTE p(9999);
  EXECUTE p(9999); EXECUTE p(9999); EXECUTE p(9999); EXECUTE p(0)"
refuses "a plan that was kept: where" "matches every row" \
  "PREPARE p(int) AS DELETE FROM dist WHERE id = \$1 OR \$1 IS NULL;
  EXECUTE p(1); EXECUTE p(2); EXECUTE p(3); EXECUTE p(4); EXECUTE p(5); EXECUTE p(6); EXECUTE p(NULL)"
for setting in "citus.multi_shard_modify_mode = sequential" "citus.enable_ddl_propagation = off" \
  "citus.enable_fast_path_router_planner = off" "citus.enable_local_execution = off" \
  "citus.enable_router_execution = off"; do
  refuses "$setting" "DELETE on table \"dist\" $limit" "SET LOCAL $setting; DELETE FROM dist WHERE v > 0"
  refuses "$setting: TRUNCATE" "TRUNCATE on table \"dist\" $limit" "SET LOCAL $setting; TRUNCATE dist"
done
refuses "the name of Citus's own sessions, taken later" "cannot execute a distributed query from a query on a shard" \
  "SET LOCAL application_name = 'citus_internal gpid=10000000001'; DELETE FROM dist WHERE v > 0"
refuses "ONLY" "DELETE on table \"dist\" $limit" "DELETE FROM ONLY dist WHERE v > 0"
refuses "TRUNCATE of several" "TRUNCATE on table \"(dist|ref)\" $limit" "TRUNCATE dist, ref"
refuses "TRUNCATE with CASCADE" "TRUNCATE on table \"(par|chi)\" $limit" "TRUNCATE par CASCADE"
refuses "with a local table" "DELETE on table \"dist\" $limit 500 rows" \
  "CREATE TEMP TABLE l AS SELECT generate_series(1, 600) i;
  SET LOCAL safedelete.max_rows = 500; DELETE FROM dist USING l WHERE l.i = dist.id"
refuses "by a sub-select with LIMIT" "DELETE on table \"dist\" $limit" \
  "DELETE FROM dist WHERE id IN (SELECT id FROM dist WHERE v > 0 LIMIT 9000)"
refuses "MERGE of a table that Citus keeps here" "MERGE on table \"clocal\" $limit" \
  "MERGE INTO clocal USING (SELECT id FROM clocal WHERE id <= 600) s ON clocal.id = s.id WHEN MATCHED THEN DELETE"

# From a worker, which has the metadata, too.
on_worker() { check_match "on a worker: $1" "$2" "$(said w1 BEGIN "$3" ROLLBACK)"; }
on_worker "a CTE" "$limit" "WITH d AS (DELETE FROM dist WHERE v > 0 RETURNING id) SELECT count(*) FROM d"
on_worker "a reference table" "$limit" "DELETE FROM ref WHERE v > 0"
on_worker "a single shard" "$limit" "DELETE FROM single WHERE v > 0"
on_worker "a table that is kept on the coordinator" "$limit" "DELETE FROM clocal WHERE v > 0"
on_worker "where" "requires a WHERE clause" "UPDATE dist SET v = 0"
on_worker "TRUNCATE" "$limit" "TRUNCATE dist"
on_worker "a loop" "$limit 100 rows" "SET LOCAL safedelete.max_rows = 100; DO \$\$ BEGIN
  FOR i IN 1..120 LOOP DELETE FROM dist WHERE id = i; END LOOP; END \$\$"
on_worker "EXPLAIN ANALYZE" "$limit" "EXPLAIN ANALYZE DELETE FROM dist WHERE v > 0"
on_worker "a cascade" "DELETE on table \"chi\" $limit 4 rows" \
  "SET LOCAL safedelete.max_rows = 4; DELETE FROM par WHERE id = 7"
check "nothing is gone" 10000 "$(said c "SELECT count(*) FROM dist")"

# Tables that were there before they were distributed, and schemas that are.
of c psql -qXAt >/dev/null 2>&1 <<'SQL'
CREATE TABLE left_over (id int PRIMARY KEY, v int);
INSERT INTO left_over SELECT g, g FROM generate_series(1, 1000) g;
SELECT create_distributed_table('left_over', 'id');
SET citus.enable_schema_based_sharding = on;
CREATE SCHEMA tenant1;
CREATE TABLE tenant1.t (id int PRIMARY KEY, v int);
INSERT INTO tenant1.t SELECT g, g FROM generate_series(1, 1000) g;
SQL
refuses "rows left behind: counted once" "DELETE on table \"left_over\" $limit 500 rows" \
  "DELETE FROM left_over WHERE v > 0"
passes "rows left behind: half of what counts" "DELETE FROM left_over WHERE v <= 500"
passes "rows left behind: Citus takes them away" "SELECT truncate_local_data_after_distributing_table('left_over')"
refuses "a schema's table" "DELETE on table \"t\" $limit 500 rows" "DELETE FROM tenant1.t WHERE v > 0"
refuses "a schema's table: where" "requires a WHERE clause" "UPDATE tenant1.t SET v = 0"
refuses "a schema's table: TRUNCATE" "TRUNCATE on table \"t\" $limit" "TRUNCATE tenant1.t"
refuses "a schema's tables: DROP SCHEMA" "DROP on table \"t\" $limit" "$drop; DROP SCHEMA tenant1 CASCADE"

# Writes of CTEs beside others, which Citus sends to one shard as a whole.
three="SET LOCAL safedelete.max_rows = 300"
refuses "a CTE that names another" "DELETE on table \"single\" $limit 500 rows" \
  "WITH a AS (SELECT id FROM ref), d AS (DELETE FROM single WHERE id IN (SELECT id FROM a) RETURNING 1) SELECT FROM d"
refuses "a CTE that names another, below a write" "DELETE on table \"tenant\" $limit 300 rows" \
  "$three; WITH a AS (SELECT id FROM tenant WHERE tid = 1), d AS (DELETE FROM tenant WHERE tid = 1
    AND id IN (SELECT id FROM a) RETURNING 1) UPDATE tenant SET v = 1 WHERE tid = 1 AND id = 3"
refuses "a CTE that names one that writes" "DELETE on table \"tenant\" $limit 300 rows" \
  "$three; WITH a AS (UPDATE log SET id = id WHERE tid = 1 AND id <= 200 RETURNING id), b AS (DELETE FROM tenant
    WHERE tid = 1 AND (id IN (SELECT id FROM a) OR id > 200) RETURNING 1) SELECT FROM b"
refuses "a CTE that names one that writes: UPDATE" "UPDATE on table \"tenant\" $limit 300 rows" \
  "$three; WITH a AS (UPDATE log SET id = id WHERE tid = 1 AND id <= 200 RETURNING id), b AS (UPDATE tenant SET v = -1
    WHERE tid = 1 AND (id IN (SELECT id FROM a) OR id > 200) RETURNING 1) SELECT FROM b"
passes "a CTE that names one that writes: within the limit" \
  "$three; WITH a AS (UPDATE log SET id = id WHERE tid = 1 AND id <= 200 RETURNING id), b AS (UPDATE tenant SET v = -1
    WHERE tid = 1 AND id IN (SELECT id FROM a) RETURNING 1) SELECT FROM b WHERE false"
