# Rows that foreign keys delete or change on the nodes count by their own table's limits.
of c psql -qXAt >/dev/null 2>&1 <<'SQL'
CREATE TABLE par (id int PRIMARY KEY);
CREATE TABLE chi (id int, pid int REFERENCES par ON DELETE CASCADE, PRIMARY KEY (pid, id));
SELECT create_distributed_table('par', 'id');
SELECT create_distributed_table('chi', 'pid', colocate_with := 'par');
INSERT INTO par SELECT generate_series(1, 1000);
INSERT INTO chi SELECT g, p FROM generate_series(1, 5) g, generate_series(1, 1000) p;
CREATE TABLE tree (tid int, id int, parent int, PRIMARY KEY (tid, id),
  FOREIGN KEY (tid, parent) REFERENCES tree ON DELETE CASCADE);
SELECT create_distributed_table('tree', 'tid');
INSERT INTO tree SELECT t, g, nullif(g / 2, 0) FROM generate_series(1, 20) t, generate_series(1, 127) g;
CREATE TABLE kind (id int PRIMARY KEY, v int UNIQUE);
SELECT create_reference_table('kind');
INSERT INTO kind SELECT g, g FROM generate_series(0, 101) g;
CREATE TABLE thing (id int PRIMARY KEY, k int REFERENCES kind ON DELETE SET NULL,
  w int REFERENCES kind (v) ON UPDATE CASCADE);
SELECT create_distributed_table('thing', 'id');
INSERT INTO thing SELECT g, g % 100 FROM generate_series(1, 10000) g;
UPDATE thing SET w = id % 100 WHERE id <= 5000;
CREATE TABLE event (tid int, id int, k int REFERENCES kind);
SELECT create_distributed_table('event', 'tid');
INSERT INTO event SELECT t, g, 100 FROM generate_series(1, 4) t, generate_series(1, 500) g;
CREATE ROLE cleaner LOGIN;
GRANT SELECT, DELETE ON par TO cleaner;
SQL
both() { # NAME REGEX WITHIN BEYOND: what is within the limit, and what is beyond it
  passes "$1" "$3"
  refuses "$1, beyond" "$2" "$4"
}
three="SET LOCAL safedelete.max_rows = 300"
chi="DELETE on table \"chi\" exceeds the limit of"
both "cascade" "$chi 300 rows" "$three; DELETE FROM par WHERE id <= 60" "$three; DELETE FROM par WHERE id <= 61"
# Types of these names are looked up before PostgreSQL's, if nothing says otherwise.
own_types="CREATE TEMP TABLE IF NOT EXISTS text (a int); CREATE TEMP TABLE IF NOT EXISTS oid (a int)"
both "cascade: beside temporary types" "$chi 300 rows" "$three; $own_types; DELETE FROM par WHERE id <= 60" \
  "$three; $own_types; DELETE FROM par WHERE id <= 61"
both "cascade: by key" "$chi 4 rows" "SET LOCAL safedelete.max_rows = 5; DELETE FROM par WHERE id = 7" \
  "SET LOCAL safedelete.max_rows = 4; DELETE FROM par WHERE id = 7"
both "cascade: by parameters" "$chi 300 rows" \
  "$three; PREPARE a(int) AS DELETE FROM par WHERE id < \$1; EXECUTE a(61)" \
  "$three; PREPARE a(int) AS DELETE FROM par WHERE id < \$1; EXECUTE a(62)"
both "cascade: joined" "$chi 300 rows" "$three; DELETE FROM par USING ref WHERE ref.id = par.id AND ref.v <= 60" \
  "$three; DELETE FROM par USING ref WHERE ref.id = par.id AND ref.v <= 61"
both "cascade: of a CTE" "$chi 300 rows" \
  "$three; WITH d AS (DELETE FROM par WHERE id <= 60 RETURNING 1) SELECT FROM d WHERE false" \
  "$three; WITH d AS (DELETE FROM par WHERE id <= 61 RETURNING 1) SELECT FROM d WHERE false"
loop() { echo "SET LOCAL safedelete.max_rows = 20; DO \$\$ BEGIN FOR i IN 1..$1 LOOP
  DELETE FROM par WHERE id = i; END LOOP; END \$\$"; }
both "cascade: a loop" "$chi 20 rows" "$(loop 4)" "$(loop 5)"
both "cascade: the fraction of its table" "$chi 2500 rows" "DELETE FROM par WHERE id <= 500" \
  "SET LOCAL safedelete.max_rows = -1; SELECT safedelete.set_policy('par', '{\"max_fraction\": 1}');
    DELETE FROM par WHERE id <= 501"
both "cascade: policy" "$chi 10 rows" \
  "SELECT safedelete.set_policy('chi', '{\"max_rows\": 10}'); DELETE FROM par WHERE id <= 2" \
  "SELECT safedelete.set_policy('chi', '{\"max_rows\": 10}'); DELETE FROM par WHERE id <= 3"
both "cascade: own_max_rows" "$chi 10 rows" "SET LOCAL safedelete.own_max_rows = 10; DELETE FROM par WHERE id <= 2" \
  "SET LOCAL safedelete.own_max_rows = 10; DELETE FROM par WHERE id <= 3"
passes "cascade: a budget" "$three; SET LOCAL safedelete.allow_rows = 305; DELETE FROM par WHERE id <= 61"
check "cascade: dry_run" "par|DELETE|600|1000|statement|refused
chi|DELETE|3000|5000|cascade|refused" "$(said c "SELECT relation, command, rows, table_rows, by, verdict
  FROM safedelete.dry_run('DELETE FROM par WHERE id <= 600')")"
both "cascade: who may not read the table that refers" "$chi 300 rows" \
  "$three; SET LOCAL ROLE cleaner; DELETE FROM par WHERE id <= 60" \
  "$three; SET LOCAL ROLE cleaner; DELETE FROM par WHERE id <= 61"
both "cascade: a table that refers to itself" "DELETE on table \"tree\" exceeds the limit of 126 rows" \
  "SET LOCAL safedelete.max_rows = 127; DELETE FROM tree WHERE tid = 3 AND id = 1" \
  "SET LOCAL safedelete.max_rows = 126; DELETE FROM tree WHERE tid = 3 AND id = 1"
passes "cascade: a row that is selected as well is one" \
  "SET LOCAL safedelete.max_rows = 127; DELETE FROM tree WHERE tid = 3 AND id <= 64"
thing="UPDATE on table \"thing\" exceeds the limit of"
both "SET NULL" "$thing 99 rows" "DELETE FROM kind WHERE id = 101" \
  "SET LOCAL safedelete.max_rows = 99; DELETE FROM kind WHERE id = 4"
both "ON UPDATE CASCADE" "$thing 50 rows" "SET LOCAL safedelete.max_rows = 50; UPDATE kind SET v = -v WHERE id = 4" \
  "SET LOCAL safedelete.max_rows = 50; UPDATE kind SET v = -v WHERE id IN (4, 5)"
passes "ON UPDATE CASCADE: a key that stays" "SET LOCAL safedelete.max_rows = 60; UPDATE kind SET v = v WHERE id < 50"
# What counts goes over connections that the transaction needs afterwards.
passes "a reference table, after a count of what refers to it" "DELETE FROM event WHERE tid = 1;
  UPDATE kind SET v = -v WHERE id = 100"
passes "a count of what refers to a reference table, after that" "UPDATE kind SET v = -v WHERE id = 100;
  DELETE FROM event WHERE tid = 1"
