# Part of tests/keep/run: pg_upgrade takes kept rows along, and what keeps them. To the server's own version, or from
# that of OLD_PG_CONFIG.

old_bin=${OLD_PG_CONFIG:+$("$OLD_PG_CONFIG" --bindir)}
old_bin=${old_bin:-$PG_BIN}
checksums=
case $("$old_bin/postgres" --version) in
  *" 15."* | *" 16."* | *" 17."*) [ "$PG_MAJOR" -lt 18 ] || checksums=--no-data-checksums ;;
esac
for node in old new; do
  node_directory $node >/dev/null
done
INITDB_BIN=$old_bin node_init old "shared_preload_libraries = 'safedelete'" "safedelete.min_rows = 100"
INITDB=$checksums node_init new "shared_preload_libraries = 'safedelete'" "safedelete.min_rows = 100"
node_start old "$old_bin"
export PGDATABASE=postgres
# Names before and after the extension's own.
on old sql -c "CREATE EXTENSION safedelete" -c "CREATE TABLE customers (id int PRIMARY KEY, name text)" \
  -c "CREATE SCHEMA zoo" -c "CREATE TABLE zoo.orders (id int, customer int REFERENCES customers ON DELETE CASCADE)" \
  -c "INSERT INTO customers SELECT g, 'c' || g FROM generate_series(1, 400) g" \
  -c "INSERT INTO zoo.orders SELECT g, g % 400 + 1 FROM generate_series(1, 800) g" \
  -c "SELECT safedelete.set_policy('customers', '{\"keep\": \"7 days\"}')" \
  -c "SELECT safedelete.set_schema_policy('zoo', '{\"keep\": \"7 days\"}')" \
  -c "SET safedelete.allow_rows = -1" -c "DELETE FROM customers WHERE id > 10" >/dev/null 2>&1
before=$(on old sql -c "SELECT event, relation, rows FROM safedelete.kept ORDER BY 1, 2")
node_stop old "$old_bin"
new=$(node_path new)
# It writes where it stands.
check "pg_upgrade" "Upgrade Complete" "$(as_owner sh -c "cd '$new' && '$PG_BIN/pg_upgrade' -U postgres -b '$old_bin' \
  -B '$PG_BIN' -d '$(node_path old)/data' -D '$new/data' -s '$new'" 2>&1 | tee "$SERVER_DIR/upgrade.log" |
  grep -x 'Upgrade Complete')"
node_start new
check "takes kept rows along" "$before" "$(on new sql -c "SELECT event, relation, rows FROM safedelete.kept
  ORDER BY 1, 2")"
check "which come back" "customers|390 orders|780" "$(on new sql -c "SELECT
  string_agg(concat(relation, '|', restored), ' ')
  FROM safedelete.restore((SELECT max(event) FROM safedelete.kept))" | sed 's/zoo\.//')"
check "and has tables keep them" "customers|390 orders|780" "$(on new sql -c "SET safedelete.allow_rows = -1" \
  -c "DELETE FROM customers WHERE id > 10" -c "SELECT string_agg(concat(relation, '|', restored), ' ')
  FROM safedelete.restore((SELECT max(event) FROM safedelete.kept))" | sed 's/zoo\.//')"
node_stop new
