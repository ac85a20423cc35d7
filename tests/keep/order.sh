# Part of tests/keep/run: rows that are written more than once by one statement of the client, and sums that come to
# keep_from only later.

database again
run "CREATE TABLE t (id int PRIMARY KEY, v int, n int)" "INSERT INTO t SELECT g, g, 0 FROM generate_series(1, 400) g" \
  "CREATE FUNCTION again() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN UPDATE t SET v = v + 1000, n = n + 1 WHERE id = NEW.id; RETURN NULL; END'" \
  "CREATE TRIGGER again AFTER UPDATE ON t FOR EACH ROW WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION again()" \
  "CREATE TABLE counter (id int PRIMARY KEY, n int)" "INSERT INTO counter VALUES (1, 0)" \
  "CREATE FUNCTION counts() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN UPDATE counter SET n = n + 1 WHERE id = 1; RETURN OLD; END'" \
  "CREATE TRIGGER counts BEFORE DELETE ON t FOR EACH ROW EXECUTE FUNCTION counts()" \
  "CREATE TABLE parent (id int PRIMARY KEY)" "INSERT INTO parent SELECT generate_series(1, 400)" \
  "CREATE TABLE child (id int PRIMARY KEY, parent int REFERENCES parent ON UPDATE CASCADE ON DELETE CASCADE)" \
  "INSERT INTO child SELECT g, 1 + g % 400 FROM generate_series(1, 1000) g"
keep t counter parent child
before=$(sums t counter parent child)
allowed "UPDATE t SET v = -v" >/dev/null
check "what a row trigger writes of a statement's rows is undone before the statement" "t 800 0 0" "$(run \
  "SET session_replication_role = replica" "SELECT concat_ws(' ', relation, restored, already_there, changed_since)
    FROM safedelete.restore($(newest))")"
check "as it was" "$before" "$(sums t counter parent child)"
allowed "DELETE FROM t" >/dev/null
check "a row that is written for each row of a statement" "counter 400 0 0
t 400 0 0" "$(restore)"
check "as it was" "$before" "$(sums t counter parent child)"
allowed "UPDATE parent SET id = id + 10000" >/dev/null
check "keys that cascade: parents bring their children along" "child 0 1000 0
parent 400 0 0" "$(restore)"
check "as it was" "$before" "$(sums t counter parent child)"

for table in t counter parent child; do
  sql -c "SELECT safedelete.set_policy('$table', '{\"keep\": \"7 days\", \"keep_from\": 100}')"
done >/dev/null
run "DO \$\$ BEGIN FOR i IN 1..150 LOOP DELETE FROM t WHERE id = i; END LOOP; END \$\$"
check "a sum that comes to keep_from is kept from its first row" 150 \
  "$(sql -c "SELECT rows FROM safedelete.kept WHERE event = $(newest) AND relation = 'public.t'")"
check "and comes back" "counter 150 0 0
t 150 0 0" "$(restore)"
check "as it was" "$before" "$(sums t counter parent child)"
run "INSERT INTO child SELECT 1000 + g, 7 FROM generate_series(1, 200) g"
before=$(sums parent child)
run "DELETE FROM parent WHERE id = 7"
check "one parent is kept whose children come to keep_from" "child 203 0 0
parent 1 0 0" "$(restore)"
check "as it was" "$before" "$(sums parent child)"
check "below it, one statement keeps nothing" "$(kept)" "$(run "DELETE FROM child WHERE id BETWEEN 990 AND 999"; kept)"
