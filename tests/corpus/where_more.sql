-- More of rule `where`, found by probing: each was wrong once, or is near to what was.

-- case: probe-optional-coalesce-null
-- group: where
-- why: folding leaves COALESCE(id) of one argument
-- expect: refuse 21000
PREPARE d(int) AS DELETE FROM accounts WHERE id = COALESCE($1, id);
EXECUTE d(NULL);

-- case: probe-optional-coalesce-plpgsql
-- group: where
-- why: the same in a function
-- expect: refuse 21000
CREATE FUNCTION f(p int) RETURNS void LANGUAGE plpgsql AS 'BEGIN DELETE FROM accounts WHERE id = COALESCE(p, id); END';
SELECT f(NULL);

-- case: probe-optional-coalesce-bound
-- group: harmless
-- expect: allow
PREPARE d(int) AS DELETE FROM accounts WHERE id = COALESCE($1, id);
EXECUTE d(4);

-- case: probe-distinct-from-null-parameter
-- group: where
-- why: is id IS NOT NULL then
-- expect: refuse 21000
PREPARE d(int) AS DELETE FROM accounts WHERE id IS DISTINCT FROM $1;
EXECUTE d(NULL);

-- case: probe-recursive-cte-names-target
-- group: harmless
-- why: its first arm starts at the target row
-- expect: allow
DELETE FROM orders t WHERE EXISTS (WITH RECURSIVE up AS (SELECT t.id AS id UNION ALL SELECT id + 1000 FROM up WHERE id < 4000) SELECT 1 FROM up WHERE up.id = 4003);

-- case: probe-derived-union-names-target
-- group: harmless
-- why: the second arm names the target
-- expect: allow
DELETE FROM accounts a WHERE EXISTS (SELECT 1 FROM (SELECT 1 AS x UNION ALL SELECT a.id) s WHERE s.x = 5);

-- case: probe-scalar-union-names-target
-- group: harmless
-- why: the second arm names the target
-- expect: allow
DELETE FROM accounts a WHERE 5 = (SELECT 1 WHERE false UNION ALL SELECT a.id);

-- case: probe-nearest-neighbour
-- group: harmless
-- why: ORDER BY with LIMIT selects by the target row
-- expect: allow
DELETE FROM accounts a WHERE 5 IN (SELECT account FROM churned c ORDER BY abs(c.account - a.id) LIMIT 1);

-- case: probe-nearest-neighbour-derived
-- group: harmless
-- expect: allow
DELETE FROM accounts a WHERE EXISTS (SELECT 1 FROM (SELECT account FROM churned c ORDER BY abs(c.account - a.id) LIMIT 1) s WHERE s.account = 5);

-- case: probe-window-names-target
-- group: harmless
-- why: the window is ordered by the target row
-- expect: allow
DELETE FROM accounts t WHERE EXISTS (SELECT 1 FROM (SELECT row_number() OVER (ORDER BY abs(c.account - t.id)) rn, c.account FROM churned c) s WHERE rn = 1 AND account = 5);

-- case: probe-group-by-names-target
-- group: harmless
-- expect: allow
DELETE FROM accounts t WHERE EXISTS (SELECT 1 FROM churned c GROUP BY (c.account + 900 = t.id) HAVING count(*) = 1);

-- case: probe-anti-join-or-null
-- group: harmless
-- why: NOT of an OR is an AND; o.total is not free, it is the sub-select's own
-- expect: allow
DELETE FROM accounts a WHERE id > 0 AND id < 50 AND false OR NOT EXISTS (SELECT 1 FROM orders o WHERE o.account_id = a.id OR o.total IS NULL);

-- case: probe-group-having-18
-- group: harmless
-- why: 18 names grouped columns through RTE_GROUP (passes on 15-17)
-- expect: allow
DELETE FROM accounts t WHERE EXISTS (SELECT 1 FROM (SELECT t.id AS x, 1 AS y) s GROUP BY x HAVING x = 5);

-- case: probe-group-scalar-18
-- group: harmless
-- why: the same (passes on 15-17)
-- expect: allow
DELETE FROM accounts t WHERE 5 = (SELECT t.id + 1 FROM churned c GROUP BY t.id + 1);

-- case: probe-trap-grouped-18
-- group: where
-- why: 18: RTE_GROUP hides the trap (passes on 15-17)
-- expect: refuse 21000
DELETE FROM accounts WHERE id IN (SELECT id FROM churned GROUP BY id, account + 1);

-- case: probe-unreferenced-cte-not-folded
-- group: harmless
-- why: PostgreSQL never plans a CTE that nothing refers to
-- expect: allow
DELETE FROM accounts a WHERE id < 3 AND id > 5 OR EXISTS (WITH x AS (SELECT 1 FROM churned WHERE 1/0 = 1) SELECT 1 FROM churned c GROUP BY c.account HAVING c.account = a.id AND c.account < 5);

-- case: probe-check-or
-- group: where
-- why: the OR as a whole is the CHECK
-- setup: CREATE TABLE k (id int, kind text NOT NULL CHECK (kind IN ('a', 'b'))); ALTER TABLE k OWNER TO app
-- expect: refuse 21000
DELETE FROM k WHERE kind = 'a' OR kind = 'b';

-- case: probe-check-two-columns-or
-- group: where
-- why: the same
-- setup: CREATE TABLE k (a int NOT NULL, b int NOT NULL, CHECK (a > 0 OR b > 0)); ALTER TABLE k OWNER TO app
-- expect: refuse 21000
DELETE FROM k WHERE a > 0 OR b > 0;

-- case: probe-check-not-bool
-- group: where
-- why: NOT is not asked of the prover
-- setup: CREATE TABLE k (id int, gone bool NOT NULL CHECK (NOT gone)); ALTER TABLE k OWNER TO app
-- expect: refuse 21000
DELETE FROM k WHERE NOT gone;

-- case: probe-check-bool-false
-- group: where
-- setup: CREATE TABLE k (id int, gone bool NOT NULL CHECK (NOT gone)); ALTER TABLE k OWNER TO app
-- expect: refuse 21000
DELETE FROM k WHERE gone = false;

-- case: probe-check-not-true
-- group: where
-- why: negated conditions are not asked of the prover
-- expect: refuse 21000
DELETE FROM accounts WHERE (balance < 0) IS NOT TRUE;

-- case: probe-check-enum
-- group: where
-- why: enums are not among the scalar types
-- setup: CREATE TYPE st AS ENUM ('new', 'old', 'x'); CREATE TABLE k (s st NOT NULL CHECK (s IN ('new', 'old'))); ALTER TABLE k OWNER TO app
-- expect: refuse 21000
DELETE FROM k WHERE s IN ('new', 'old');

-- case: probe-enum-complementary
-- group: where
-- setup: CREATE TYPE st AS ENUM ('new', 'old', 'x'); CREATE TABLE k (s st NOT NULL); ALTER TABLE k OWNER TO app
-- expect: refuse 21000
DELETE FROM k WHERE s = 'new' OR s <> 'new';

-- case: probe-check-lower
-- group: where
-- why: a text result is not plain
-- setup: CREATE TABLE k (e text NOT NULL CHECK (e = lower(e))); ALTER TABLE k OWNER TO app
-- expect: refuse 21000
DELETE FROM k WHERE e = lower(e);

-- case: probe-whole-row-equals-itself
-- group: where
-- why: a whole-row reference counts as a column, and a row is never NULL
-- expect: refuse 21000
DELETE FROM accounts a WHERE a = a;

-- case: probe-whole-row-not-distinct
-- group: where
-- expect: refuse 21000
DELETE FROM accounts a WHERE a IS NOT DISTINCT FROM a;

-- case: probe-self-or-null
-- group: where
-- expect: refuse 21000
DELETE FROM accounts WHERE plan = plan OR plan IS NULL;

-- case: probe-distinct-complementary
-- group: where
-- expect: refuse 21000
DELETE FROM accounts WHERE plan IS DISTINCT FROM 'a' OR plan IS NOT DISTINCT FROM 'a';

-- case: probe-complementary-two-columns
-- group: where
-- why: arms are proved on one column only
-- expect: refuse 21000
DELETE FROM orders WHERE id > account_id OR id <= account_id;

-- case: probe-merge-by-source-or
-- group: harmless
-- why: AND condition counts
-- min-pg: 17
-- expect: allow
MERGE INTO accounts a USING churned c ON a.id = c.account + 500 OR c.account = 999 WHEN NOT MATCHED BY SOURCE AND a.id < 0 THEN DELETE;

-- case: probe-merge-by-source-negated-or
-- group: harmless
-- why: the negated OR is an AND
-- min-pg: 17
-- expect: allow
MERGE INTO settings a USING churned c ON a.name = c.account::text OR c.account = 999 WHEN NOT MATCHED BY SOURCE THEN DELETE;

-- case: probe-trap-same-expression
-- group: where
-- why: the trap through a function
-- expect: refuse 21000
DELETE FROM accounts WHERE lower(email) IN (SELECT lower(email) FROM churned);

-- case: probe-refuse-01
-- group: where
-- expect: refuse 21000
DELETE FROM events WHERE CASE WHEN 1 = 1 THEN true ELSE id = 1 END;

-- case: probe-refuse-02
-- group: where
-- expect: refuse 21000
DELETE FROM events WHERE coalesce(NULL, true);

-- case: probe-refuse-03
-- group: where
-- expect: refuse 21000
DELETE FROM events WHERE (SELECT true);

-- case: probe-refuse-04
-- group: where
-- expect: refuse 21000
DELETE FROM events WHERE current_setting('a.b', true) IS NULL OR kind = 'x';

-- case: probe-refuse-05
-- group: where
-- expect: refuse 21000
DELETE FROM events WHERE (at IS NULL) IS NOT TRUE;

-- case: probe-refuse-06
-- group: where
-- expect: refuse 21000
DELETE FROM events WHERE at BETWEEN at AND at;

-- case: probe-refuse-07
-- group: where
-- expect: refuse 21000
DELETE FROM events WHERE id IS NOT DISTINCT FROM id;

-- case: probe-refuse-08
-- group: where
-- expect: refuse 21000
DELETE FROM accounts WHERE (id, email) <= (id, email);

-- case: probe-refuse-09
-- group: where
-- expect: refuse 21000
DELETE FROM accounts WHERE id IN (id, 5, 6);

-- case: probe-refuse-10
-- group: where
-- expect: refuse 21000
DELETE FROM accounts WHERE ctid = ctid;

-- case: probe-refuse-11
-- group: where
-- expect: refuse 21000
DELETE FROM accounts WHERE xmin = xmin;

-- case: probe-refuse-12
-- group: where
-- expect: refuse 21000
DELETE FROM accounts WHERE ROW(id, email) IS NOT NULL;

-- case: probe-refuse-13
-- group: where
-- expect: refuse 21000
DELETE FROM accounts WHERE email COLLATE "C" = email COLLATE "C";

-- case: probe-refuse-14
-- group: where
-- expect: refuse 21000
DELETE FROM accounts WHERE active IS TRUE OR active IS NOT TRUE;

-- case: probe-refuse-15
-- group: where
-- expect: refuse 21000
DELETE FROM accounts WHERE active = true OR active = false;

-- case: probe-refuse-16
-- group: where
-- expect: refuse 21000
DELETE FROM accounts WHERE active IS TRUE OR active IS FALSE;

-- case: probe-refuse-17
-- group: where
-- expect: refuse 21000
DELETE FROM accounts WHERE plan = 'a' OR plan <> 'a' OR plan IS NULL;

-- case: probe-refuse-18
-- group: where
-- expect: refuse 21000
DELETE FROM accounts WHERE id IN (1, 2) OR id NOT IN (1, 2);

-- case: probe-refuse-19
-- group: where
-- expect: refuse 21000
DELETE FROM accounts WHERE id BETWEEN 1 AND 5 OR id NOT BETWEEN 1 AND 5;

-- case: probe-refuse-20
-- group: where
-- expect: refuse 21000
DELETE FROM accounts WHERE email LIKE 'a%' OR email NOT LIKE 'a%';

-- case: probe-refuse-21
-- group: where
-- expect: refuse 21000
DELETE FROM accounts WHERE NOT (id > 5 AND id <= 5);

-- case: probe-refuse-22
-- group: where
-- expect: refuse 21000
DELETE FROM accounts WHERE 0 <= balance OR id = 1;

-- case: probe-refuse-23
-- group: where
-- expect: refuse 21000
DELETE FROM accounts WHERE id NOT IN (SELECT id FROM churned);

-- case: probe-refuse-24
-- group: where
-- expect: refuse 21000
DELETE FROM accounts WHERE id = ANY (ARRAY(SELECT id FROM churned ORDER BY since LIMIT 100));

-- case: probe-refuse-25
-- group: where
-- expect: refuse 21000
DELETE FROM accounts WHERE id = (SELECT id FROM churned LIMIT 1);

-- case: probe-refuse-26
-- group: where
-- expect: refuse 21000
DELETE FROM accounts WHERE (id, email) = (SELECT id, email FROM churned LIMIT 1);

-- case: probe-refuse-27
-- group: where
-- expect: refuse 21000
DELETE FROM accounts WHERE id IN (WITH c AS (SELECT id FROM churned) SELECT id FROM c);

-- case: probe-refuse-28
-- group: where
-- expect: refuse 21000
DELETE FROM accounts WHERE id IN (SELECT id FROM churned a JOIN churned b USING (account));

-- case: probe-refuse-29
-- group: where
-- expect: refuse 21000
DELETE FROM accounts WHERE id IN (SELECT account FROM churned UNION SELECT id FROM churned);

-- case: probe-refuse-30
-- group: where
-- expect: refuse 21000
DELETE FROM accounts WHERE id IN (SELECT l.z FROM churned, LATERAL (SELECT id AS z) l);

-- case: probe-refuse-31
-- group: where
-- expect: refuse 21000
WITH c AS (SELECT account FROM churned) DELETE FROM accounts WHERE id IN (SELECT id FROM c);

-- case: probe-refuse-32
-- group: where
-- expect: refuse 21000
DELETE FROM accounts WHERE EXISTS (SELECT 1 FROM (SELECT id AS x FROM churned) s WHERE s.x = accounts.id);

-- case: probe-refuse-33
-- group: where
-- expect: refuse 21000
DELETE FROM accounts WHERE EXISTS (SELECT 1 FROM churned WHERE id IN (SELECT id FROM churned));

-- case: probe-refuse-34
-- group: where
-- expect: refuse 21000
DELETE FROM accounts a WHERE EXISTS (SELECT count(*) FROM churned c WHERE c.account = a.id);

-- case: probe-refuse-35
-- group: where
-- expect: refuse 21000
DELETE FROM accounts a WHERE EXISTS (SELECT a.id UNION SELECT c.account FROM churned c);

-- case: probe-refuse-36
-- group: where
-- expect: refuse 21000
UPDATE orders o SET note = 'x' FROM orders p WHERE p.id = p.id;

-- case: probe-refuse-37
-- group: where
-- expect: refuse 21000
DELETE FROM all_accounts WHERE id IN (SELECT id FROM churned);

-- case: probe-refuse-38
-- group: where
-- expect: refuse 21000
DO $$ BEGIN EXECUTE 'DELETE FROM accounts WHERE $1 IS NULL OR id = $1' USING NULL::int; END $$;

-- case: probe-allow-39
-- group: harmless
-- expect: allow
DELETE FROM events WHERE NULL;

-- case: probe-allow-40
-- group: harmless
-- expect: allow
DELETE FROM events WHERE id IS NULL;

-- case: probe-allow-41
-- group: harmless
-- expect: allow
DELETE FROM accounts WHERE (id, plan) = (id, NULL);

-- case: probe-allow-42
-- group: harmless
-- expect: allow
DELETE FROM accounts WHERE id < 3 OR id > 998;

-- case: probe-allow-43
-- group: harmless
-- expect: allow
DELETE FROM accounts WHERE (id, email) < (id, email);

-- case: probe-allow-44
-- group: harmless
-- expect: allow
DELETE FROM accounts a WHERE a::text LIKE '(5,%';

-- case: probe-allow-45
-- group: harmless
-- expect: allow
DELETE FROM accounts WHERE id IN (SELECT id FROM churned INTERSECT SELECT account + 500 FROM churned);

-- case: probe-allow-46
-- group: harmless
-- expect: allow
DELETE FROM accounts WHERE id IN (SELECT id FROM churned WHERE account + 500 = id);

-- case: probe-allow-47
-- group: harmless
-- expect: allow
UPDATE accounts a SET plan = 'x' FROM churned c WHERE EXISTS (SELECT a.id INTERSECT SELECT c.account);

-- case: probe-allow-48
-- group: harmless
-- expect: allow
DELETE FROM accounts a WHERE EXISTS (SELECT 1 FROM generate_series(1, a.id) g WHERE g = 990);

-- case: probe-allow-49
-- group: harmless
-- expect: allow
DELETE FROM accounts t WHERE EXISTS (SELECT 1 FROM unnest(ARRAY[t.id]) u(x) WHERE x = 990);

-- case: probe-allow-50
-- group: harmless
-- expect: allow
DELETE FROM accounts t WHERE (SELECT bool_or(c.account + 500 = t.id) FROM churned c);

-- case: probe-allow-51
-- group: harmless
-- expect: allow
DELETE FROM accounts a WHERE NOT EXISTS (SELECT count(*) FROM churned c WHERE c.account = a.id);

-- case: probe-allow-52
-- group: harmless
-- expect: allow
DO $$ BEGIN EXECUTE 'DELETE FROM accounts WHERE $1 IS NULL OR id = $1' USING 990; END $$;

-- case: probe-rls-true
-- group: where
-- why: a permissive policy that is true
-- as: tenant
-- setup: CREATE POLICY p ON documents USING (true)
-- expect: refuse 21000
DELETE FROM documents;

-- case: probe-rls-restrictive
-- group: harmless
-- why: a restrictive policy still restricts
-- as: tenant
-- setup: CREATE POLICY p ON documents USING (true); CREATE POLICY r ON documents AS RESTRICTIVE USING (owner = current_user)
-- expect: allow
DELETE FROM documents;

-- case: probe-no-inherit-check-tree
-- group: harmless
-- why: a child need not satisfy it
-- setup: CREATE TABLE k (v int NOT NULL CONSTRAINT q CHECK (v > 0) NO INHERIT); CREATE TABLE kc () INHERITS (k); ALTER TABLE k OWNER TO app; ALTER TABLE kc OWNER TO app
-- expect: allow
DELETE FROM k WHERE v > 0;

-- case: probe-no-inherit-check-only
-- group: where
-- setup: CREATE TABLE k (v int NOT NULL CONSTRAINT q CHECK (v > 0) NO INHERIT); CREATE TABLE kc () INHERITS (k); ALTER TABLE k OWNER TO app
-- expect: refuse 21000
DELETE FROM ONLY k WHERE v > 0;

-- case: probe-not-valid-check
-- group: harmless
-- setup: CREATE TABLE k (v int NOT NULL); ALTER TABLE k ADD CHECK (v > 0) NOT VALID; ALTER TABLE k OWNER TO app
-- expect: allow
DELETE FROM k WHERE v > 0;

-- case: exists-over-an-optional-parameter-left-null
-- group: where
-- why: the sub-select's own condition is never true, so no row is selected
-- expect: allow
PREPARE p(int) AS DELETE FROM orders WHERE EXISTS (SELECT 1 FROM accounts a WHERE a.id = orders.account_id AND a.balance > $1);
EXECUTE p(NULL);

-- case: exists-over-nothing
-- group: where
-- expect: allow
-- check: SELECT count(*) = 20000 FROM events
DELETE FROM events WHERE EXISTS (SELECT 1 FROM churned WHERE false);

-- case: not-exists-over-nothing
-- group: where
-- expect: refuse 21000
DELETE FROM events WHERE NOT EXISTS (SELECT 1 FROM churned WHERE account = events.id AND NULL);

-- case: boolean-tests-that-cover-with-a-third-arm
-- group: where
-- expect: refuse 21000
UPDATE accounts SET plan = 'x' WHERE active IS TRUE OR active IS NOT TRUE OR NOT active;

-- case: a-flag-in-a-list-of-both
-- group: where
-- expect: refuse 21000
DELETE FROM accounts WHERE active IN (true, false);

-- case: a-flag-in-a-bound-list-of-both
-- group: where
-- expect: refuse 21000
PREPARE p(bool, bool) AS DELETE FROM accounts WHERE active IN ($1, $2);
EXECUTE p(true, false);

-- case: a-flag-in-a-list-of-one
-- group: where
-- expect: allow
DELETE FROM accounts WHERE active IN (false, NULL) AND id < 5;

-- case: a-flag-that-may-be-null-in-a-list-of-both
-- group: where
-- setup: CREATE TABLE k (flag bool); ALTER TABLE k OWNER TO app
-- expect: allow
DELETE FROM k WHERE flag IN (true, false);

-- case: differs-from-any-of-a-list
-- group: where
-- expect: refuse 21000
DELETE FROM accounts WHERE id <> ANY (ARRAY[1, 2]);

-- case: differs-from-any-of-a-bound-list
-- group: where
-- expect: refuse 21000
PREPARE p(int, int) AS DELETE FROM accounts WHERE id <> ANY (ARRAY[$1, $2]);
EXECUTE p(1, 2);

-- case: differs-from-any-of-one
-- group: where
-- set: max_fraction = 1
-- expect: allow
UPDATE accounts SET plan = 'x' WHERE id <> ANY ('{1}');

-- case: differs-from-all-of-a-list
-- group: where
-- set: max_fraction = 1
-- expect: allow
UPDATE accounts SET plan = 'x' WHERE id <> ALL ('{1, 2}');

-- case: differs-from-any-of-a-long-list
-- group: where
-- expect: refuse 21000
DELETE FROM accounts WHERE id <> ANY ('{1,2,3,4,5,6,7,8,9,10,11,12,13,14}');

-- case: differs-from-any-of-equal-values
-- group: where
-- set: max_fraction = 1
-- expect: allow
UPDATE accounts SET plan = 'x' WHERE balance <> ANY ('{1.0, 1.00, NULL}');

-- case: differs-from-any-negated
-- group: where
-- setup: CREATE TABLE k (c int NOT NULL CHECK (c = 5)); INSERT INTO k VALUES (5); ALTER TABLE k OWNER TO app
-- expect: allow
-- check: SELECT count(*) = 1 FROM k
DELETE FROM k WHERE (c <> ANY (array_fill(5, ARRAY[100]) || 6)) IS FALSE;

-- case: differs-from-any-or-null
-- group: where
-- expect: refuse 21000
DELETE FROM accounts WHERE plan <> ANY ('{a, b}') OR plan IS NULL;

-- case: flags-of-lists-in-arms
-- group: where
-- expect: refuse 21000
DELETE FROM accounts WHERE active = ANY ('{t}') OR active = ANY ('{f}');

-- case: not-in-an-empty-list
-- group: where
-- why: the filter that an ORM leaves when there is nothing to exclude
-- expect: refuse 21000
DELETE FROM accounts WHERE id <> ALL ('{}'::int[]);

-- case: not-in-an-empty-bound-list
-- group: where
-- expect: refuse 21000
PREPARE p(int[]) AS DELETE FROM accounts WHERE NOT (id = ANY ($1));
EXECUTE p('{}');

-- case: in-an-empty-list
-- group: where
-- expect: allow
-- check: SELECT count(*) > 0 FROM accounts
DELETE FROM accounts WHERE id = ANY ('{}'::int[]);

-- case: itself-nullable-column
-- group: where
-- why: a parameter of the column's name writes it by accident
-- expect: refuse 21000
-- message: column "plan" of the table with itself
DELETE FROM accounts WHERE plan = plan;

-- case: itself-optional-filters
-- group: where
-- why: every filter is left out
-- expect: refuse 21000
PREPARE d(text, text) AS DELETE FROM accounts WHERE plan = COALESCE($1, plan) AND email = COALESCE($2, email);
SET plan_cache_mode = force_generic_plan;
EXECUTE d(NULL, NULL);

-- case: itself-one-filter-of-two
-- group: harmless
-- expect: allow
PREPARE d(text, text) AS DELETE FROM accounts WHERE plan = COALESCE($1, plan) AND email = COALESCE($2, email);
SET plan_cache_mode = force_generic_plan;
EXECUTE d(NULL, 'nobody@example.org');

-- case: itself-lossy-cast
-- group: harmless
-- why: it finds whole numbers
-- expect: allow
UPDATE accounts SET plan = 'x' WHERE balance::int = balance AND false OR balance::int <> balance;

-- case: itself-self-join
-- group: harmless
-- why: two range table entries of one table
-- expect: allow
DELETE FROM accounts a USING accounts b WHERE a.email = b.email AND a.id > b.id;

-- case: trap-behind-a-cast
-- group: where
-- expect: refuse 21000
-- message: Column "id" inside the sub-select
DELETE FROM accounts WHERE id IN (SELECT id::bigint FROM churned);

-- case: trap-behind-an-inner-sub-select
-- group: where
-- expect: refuse 21000
DELETE FROM accounts WHERE id::text IN (SELECT i FROM (SELECT id::text AS i FROM churned) s);

-- case: trap-scalar-sub-select
-- group: where
-- expect: refuse 21000
DELETE FROM accounts WHERE id = (SELECT id::bigint FROM churned LIMIT 1);

-- case: trap-beside-a-tie
-- group: harmless
-- why: the sub-select is tied by another column
-- expect: allow
DELETE FROM accounts a WHERE EXISTS (SELECT 1 FROM churned c WHERE a.id::bigint = id AND c.account = a.id AND c.account < 5);

-- case: rule-instead-condition-is-not-the-where
-- group: where
-- setup: CREATE TABLE k (id int, v int); ALTER TABLE k OWNER TO app; CREATE RULE keep AS ON DELETE TO k WHERE OLD.v > 1000 DO INSTEAD NOTHING
-- expect: refuse 21000
-- message: requires a WHERE clause
DELETE FROM k;

-- case: rule-instead-condition-beside-a-where
-- group: harmless
-- setup: CREATE TABLE k (id int, v int); ALTER TABLE k OWNER TO app; CREATE RULE keep AS ON DELETE TO k WHERE OLD.v > 1000 DO INSTEAD NOTHING
-- expect: allow
DELETE FROM k WHERE v = 3;

-- case: rule-made-view
-- group: where
-- setup: CREATE TABLE k (id int, v int); CREATE VIEW kv AS SELECT * FROM k; CREATE RULE d AS ON DELETE TO kv DO INSTEAD DELETE FROM k WHERE id = OLD.id; ALTER TABLE k OWNER TO app; ALTER VIEW kv OWNER TO app
-- expect: refuse 21000
DELETE FROM kv;

-- case: rule-made-view-beside-a-where
-- group: harmless
-- setup: CREATE TABLE k (id int, v int); CREATE VIEW kv AS SELECT * FROM k; CREATE RULE d AS ON DELETE TO kv DO INSTEAD DELETE FROM k WHERE id = OLD.id; ALTER TABLE k OWNER TO app; ALTER VIEW kv OWNER TO app
-- expect: allow
DELETE FROM kv WHERE v = 3;

-- case: set-returning-function-in-exists
-- group: harmless
-- why: how many rows it returns is the target row's
-- setup: CREATE TABLE k (id int, tags text[]); ALTER TABLE k OWNER TO app
-- expect: allow
DELETE FROM k WHERE EXISTS (SELECT unnest(tags));

-- case: null-in-list-is-not-true
-- group: where
-- why: it is false or NULL, so IS NOT TRUE is every row
-- expect: refuse 21000
DELETE FROM accounts WHERE (id NOT IN (1, NULL)) IS NOT TRUE;

-- case: null-in-list-is-true
-- group: harmless
-- expect: allow
DELETE FROM accounts WHERE (id IN (1, NULL)) IS TRUE;

-- case: check-function-of-somebody
-- group: harmless
-- why: a CHECK constraint's function is nothing that a DELETE runs
-- setup: CREATE FUNCTION f(int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN $1; END'; REVOKE EXECUTE ON FUNCTION f FROM public; CREATE TABLE k (x int NOT NULL, CHECK (x > f(-5))); GRANT ALL ON k TO app
-- expect: allow
DELETE FROM k WHERE x > 45;
