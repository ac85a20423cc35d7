//! What the analysis finds of a statement: each row is a statement, and the qualification of the
//! table that it writes.

use std::ffi::CString;

use pgrx::prelude::*;
use pgrx::{Spi, pg_sys};

use crate::analysis::{self, Finding, Qualification};
use crate::pg::nodes::Nodes;

/// The findings of the one query that `sql` is.
fn findings(sql: &str) -> Vec<Option<Finding>> {
    let text = CString::new(sql).expect("no NUL");
    // SAFETY: what PostgreSQL does with a client's string, up to the planner.
    unsafe {
        let parsed = Nodes::<pg_sys::RawStmt>::of(pg_sys::pg_parse_query(text.as_ptr()));
        let raw = parsed.first().expect("one statement").as_ptr();
        let (mut types, mut count) = (std::ptr::null_mut(), 0);
        let queries = pg_sys::pg_analyze_and_rewrite_varparams(
            raw,
            text.as_ptr(),
            &mut types,
            &mut count,
            std::ptr::null_mut(),
        );
        Nodes::of(queries).first().map(analysis::analyse).expect("one query")
    }
}

fn qualification(sql: &str) -> Qualification {
    findings(sql).pop().flatten().unwrap_or_else(|| panic!("no finding: {sql}")).qualification
}

fn check(table: &[(&str, Qualification)]) {
    Spi::run(
        "CREATE TEMP TABLE unused ();
         CREATE TABLE t (id int NOT NULL, n int, m int NOT NULL CHECK (m >= 0), b bool NOT NULL, u int CHECK (u > 0));
         CREATE TABLE s (k int, v int)",
    )
    .expect("tables");
    for (sql, expected) in table {
        assert_eq!(qualification(sql), *expected, "{sql}");
    }
}

use Qualification::{ComparedWithItself, Deferred, MatchesEveryRow, NoWhere, OuterColumn, Qualified};

#[pg_extern]
fn test_conditions() {
    check(&[
        ("DELETE FROM t", NoWhere),
        ("UPDATE t SET n = 1", NoWhere),
        ("DELETE FROM t WHERE true", MatchesEveryRow),
        ("DELETE FROM t WHERE false", Qualified),
        ("DELETE FROM t WHERE NULL", Qualified),
        ("DELETE FROM t WHERE id = 1", Qualified),
        ("DELETE FROM t WHERE id = 1 AND random() < 2", Qualified),
        ("DELETE FROM t WHERE id = 1 OR random() < 2", MatchesEveryRow),
        ("DELETE FROM t WHERE NOT (id = 1 AND random() < 2)", MatchesEveryRow),
        ("DELETE FROM t WHERE id = id", ComparedWithItself(1)),
        ("DELETE FROM t WHERE n = n", ComparedWithItself(2)),
        ("DELETE FROM t WHERE NOT (n = n)", Qualified),
        ("DELETE FROM t WHERE NOT (n <> n)", ComparedWithItself(2)),
        ("DELETE FROM t WHERE n = n AND id = 1", Qualified),
        ("DELETE FROM t WHERE n = n OR id = 1", ComparedWithItself(2)),
        ("DELETE FROM t WHERE n::bigint = n", ComparedWithItself(2)),
        ("DELETE FROM t WHERE n::smallint::numeric = n::numeric", ComparedWithItself(2)),
        ("DELETE FROM t WHERE abs(n) = abs(n)", ComparedWithItself(2)),
        ("DELETE FROM t WHERE n + 0 = n", Qualified),
        ("DELETE FROM t USING t AS o WHERE o.id = t.id", Qualified),
        ("DELETE FROM t WHERE n IS NOT DISTINCT FROM n", ComparedWithItself(2)),
        ("DELETE FROM t WHERE n IS DISTINCT FROM n", Qualified),
        ("DELETE FROM t WHERE (id, m) <= (id, m)", ComparedWithItself(1)),
        ("DELETE FROM t WHERE id BETWEEN id AND id", ComparedWithItself(1)),
        ("DELETE FROM t WHERE id = ANY (ARRAY[5, id])", ComparedWithItself(1)),
        ("DELETE FROM t WHERE id IS NOT NULL", MatchesEveryRow),
        ("DELETE FROM t WHERE n IS NOT NULL", Qualified),
        ("DELETE FROM t WHERE ctid IS NOT NULL", MatchesEveryRow),
        ("DELETE FROM t WHERE t IS NOT NULL", Qualified),
        ("DELETE FROM t USING s WHERE s.k = 1", MatchesEveryRow),
        ("DELETE FROM t USING s WHERE s.k = t.n", Qualified),
    ]);
}

#[pg_extern]
fn test_prover() {
    check(&[
        ("DELETE FROM t WHERE id > 5 OR id <= 5", MatchesEveryRow),
        ("DELETE FROM t WHERE n > 5 OR n <= 5", Qualified),
        ("DELETE FROM t WHERE n > 5 OR n <= 5 OR n IS NULL", MatchesEveryRow),
        ("DELETE FROM t WHERE n IS NULL OR n IS NOT NULL", MatchesEveryRow),
        ("DELETE FROM t WHERE b OR NOT b", MatchesEveryRow),
        ("DELETE FROM t WHERE b IS TRUE OR b IS FALSE", MatchesEveryRow),
        ("DELETE FROM t WHERE m >= 0", MatchesEveryRow),
        ("DELETE FROM t WHERE m > -1", MatchesEveryRow),
        ("DELETE FROM t WHERE m > 0", Qualified),
        ("DELETE FROM t WHERE u > 0", Qualified),
    ]);
}

#[pg_extern]
fn test_sub_selects() {
    check(&[
        ("DELETE FROM t WHERE id IN (SELECT id FROM s)", OuterColumn(1)),
        ("DELETE FROM t WHERE n IN (SELECT n FROM s)", OuterColumn(2)),
        ("DELETE FROM t WHERE id NOT IN (SELECT id FROM s)", OuterColumn(1)),
        ("DELETE FROM t WHERE id = ANY (ARRAY(SELECT id FROM s))", OuterColumn(1)),
        ("DELETE FROM t WHERE id = (SELECT id FROM s LIMIT 1)", OuterColumn(1)),
        ("DELETE FROM t WHERE (id, m) IN (SELECT id, m FROM s)", OuterColumn(1)),
        ("DELETE FROM t WHERE id IN (SELECT id FROM s UNION SELECT k FROM s)", OuterColumn(1)),
        ("DELETE FROM t WHERE id IN (SELECT x.id FROM (SELECT id FROM s) x)", OuterColumn(1)),
        ("DELETE FROM t WHERE id IN (WITH x AS (SELECT id FROM s) SELECT id FROM x)", OuterColumn(1)),
        ("DELETE FROM t WHERE EXISTS (SELECT 1 FROM s WHERE id = t.id)", OuterColumn(1)),
        ("DELETE FROM t WHERE id IN (SELECT id::bigint FROM s)", OuterColumn(1)),
        ("DELETE FROM t WHERE id::text IN (SELECT id FROM (SELECT id::text FROM s) x)", OuterColumn(1)),
        ("DELETE FROM t WHERE id = (SELECT id::bigint FROM s LIMIT 1)", OuterColumn(1)),
        ("DELETE FROM t WHERE EXISTS (SELECT 1 FROM s WHERE t.id::bigint = id)", OuterColumn(1)),
        ("DELETE FROM t WHERE EXISTS (SELECT 1 FROM s WHERE t.id::bigint = id AND s.k = t.m)", Qualified),
        ("DELETE FROM t WHERE EXISTS (SELECT generate_series(1, n))", Qualified),
        ("DELETE FROM t WHERE id IN (SELECT k FROM s)", Qualified),
        ("DELETE FROM t WHERE (id, m) IN (SELECT id, k FROM s)", Qualified),
        ("DELETE FROM t WHERE id IN (SELECT id FROM s WHERE s.k = t.m)", Qualified),
        ("DELETE FROM t WHERE EXISTS (SELECT 1 FROM s WHERE s.k = t.id)", Qualified),
        ("DELETE FROM t WHERE NOT EXISTS (SELECT 1 FROM s WHERE s.k = t.id)", Qualified),
        ("DELETE FROM t WHERE EXISTS (SELECT t.id FROM s)", MatchesEveryRow),
        ("DELETE FROM t WHERE EXISTS (SELECT count(*) FROM s WHERE s.k = t.id)", MatchesEveryRow),
        ("DELETE FROM t WHERE EXISTS (SELECT t.id INTERSECT SELECT k FROM s)", Qualified),
        ("DELETE FROM t WHERE EXISTS (SELECT 1 FROM s WHERE s.k = t.id OR s.v = 1)", Qualified),
        ("DELETE FROM t WHERE NOT EXISTS (SELECT 1 FROM s WHERE s.k = t.id OR s.v = 1)", Qualified),
        (
            "DELETE FROM t WHERE EXISTS (SELECT 1 FROM (SELECT 1 AS x UNION ALL SELECT t.id) a WHERE a.x = 5)",
            Qualified,
        ),
        ("DELETE FROM t WHERE 5 IN (SELECT k FROM s ORDER BY abs(s.k - t.id) LIMIT 1)", Qualified),
        ("DELETE FROM t WHERE coalesce(id IN (SELECT id FROM s), false)", OuterColumn(1)),
        ("DELETE FROM t WHERE CASE WHEN id IN (SELECT id FROM s) THEN true ELSE false END", OuterColumn(1)),
        ("DELETE FROM t WHERE coalesce(id IN (SELECT k FROM s), false)", Qualified),
        ("DELETE FROM t WHERE (SELECT count(*) FROM s WHERE s.k = t.id) = 0", Qualified),
        ("DELETE FROM t WHERE (EXISTS (SELECT 1 FROM s WHERE s.k = t.id)) IS TRUE", Qualified),
        ("DELETE FROM t WHERE id::text IN (SELECT id::text FROM s)", OuterColumn(1)),
        ("DELETE FROM t WHERE t IN (SELECT t FROM s)", OuterColumn(0)),
        ("DELETE FROM t WHERE id IN (SELECT id FROM s GROUP BY id, k)", OuterColumn(1)),
    ]);
}

#[pg_extern]
fn test_parameters() {
    check(&[
        ("DELETE FROM t WHERE id = $1", Qualified),
        ("DELETE FROM t WHERE id = ANY ($1::int[])", Qualified),
        ("DELETE FROM t WHERE $1::int IS NULL OR id = $1", Deferred),
        ("DELETE FROM t WHERE $1::int = $1", Deferred),
        ("DELETE FROM t WHERE m >= $1", Deferred),
    ]);
}

#[pg_extern]
fn test_which_parts_are_found() {
    Spi::run("CREATE TABLE t (id int NOT NULL); CREATE TEMP TABLE own (id int)").expect("tables");
    let found = findings(
        "WITH d AS (DELETE FROM t RETURNING id), i AS (INSERT INTO t VALUES (1) RETURNING id) UPDATE t SET id = 1 \
         FROM d WHERE t.id = d.id",
    );
    let found: Vec<_> = found.into_iter().map(|f| f.map(|f| f.qualification)).collect();
    assert_eq!(found, [Some(NoWhere), None, Some(Qualified)]);
    assert!(findings("DELETE FROM own")[0].is_none(), "temporary tables are free");
    assert!(findings("DELETE FROM pg_description").iter().all(Option::is_none), "catalogs are free");
    assert!(findings("SELECT 1").is_empty());
    assert!(findings("DELETE FROM ONLY t")[0].is_some_and(|f| f.write.only));
}
