# Part of tests/keep/run: the incident that the demo shows, let through, and given back.

database incident
run "SET safedelete.mode = off" "\\i docs/demo/shop.sql"
tables="customers invoices invoice_lines shipments closed"
before=$(sums $tables)
run "SELECT safedelete.set_schema_policy('public', '{\"keep\": \"7 days\", \"keep_from\": 1}')" >/dev/null
migrate() {
  { echo "SET safedelete.allow_rows = -1; SET safedelete.reason = 'remove customer 42';"
    cat docs/demo/migration.sql; } | sql -f -
}
check "the migration runs, declared" "" "$(migrate)"
check "and all is lost that it was not to take" 0 "$(sql -c "SELECT count(*) FROM shipments")"
check "each statement has its event" "invoice_lines 200
invoices 50
shipments 12000
customers 1" "$(sql -F' ' -c "SELECT substr(relation, 8), rows FROM safedelete.kept ORDER BY event")"
restored=$(for event in $(sql -c "SELECT event FROM safedelete.kept ORDER BY event DESC"); do
  sql -F' ' -c "SELECT * FROM safedelete.restore($event)"; done)
check "restored, the last first" "customers 1 0 0 
shipments 12000 0 0 
invoices 50 0 0 
invoice_lines 200 0 0 " "$restored"
check "every table is as it was" "$before" "$(sums $tables)"
run "SELECT safedelete.set_schema_policy('public', '{\"keep\": \"7 days\"}')" "SET safedelete.allow_rows = -1" \
  "SET safedelete.scope = transaction" "\\i docs/demo/migration.sql" >/dev/null
check "a migration as one sum is one event" "customers 1 0 0
invoice_lines 200 0 0
invoices 50 0 0
shipments 12000 0 0" "$(restore)"
check "every table is as it was, again" "$before" "$(sums $tables)"
