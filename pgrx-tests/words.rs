//! The author's word in a statement: what the analysis takes out of its condition, and what comes of it when the
//! statement runs. The functions are known by schema, name and type, so the tests' own will do.

use pgrx::prelude::*;
use pgrx::{PgSqlErrorCode, PgTryBuilder, Spi};

fn prepare() {
    Spi::run(
        "CREATE SCHEMA safedelete;
         CREATE FUNCTION safedelete.exactly(n bigint) RETURNS boolean LANGUAGE sql STABLE AS 'SELECT 1 / 0 = 1';
         CREATE FUNCTION safedelete.at_most(n bigint) RETURNS boolean LANGUAGE sql STABLE AS 'SELECT 1 / 0 = 1';
         CREATE FUNCTION safedelete.exactly(n text) RETURNS boolean LANGUAGE sql STABLE AS 'SELECT true';
         CREATE FUNCTION public.exactly(n bigint) RETURNS boolean LANGUAGE sql STABLE AS 'SELECT true';
         CREATE TABLE t (id int PRIMARY KEY, k int);
         CREATE TABLE p (id int, k int) PARTITION BY LIST (k);
         CREATE TABLE p0 PARTITION OF p FOR VALUES IN (0);
         CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1);
         CREATE VIEW threes AS SELECT * FROM t WHERE k = 3;
         CREATE VIEW few AS SELECT * FROM t WHERE safedelete.at_most(2);
         INSERT INTO t SELECT g, g % 10 FROM generate_series(1, 100) g;
         INSERT INTO p SELECT g, g % 2 FROM generate_series(1, 20) g",
    )
    .expect("tables");
}

/// What a statement comes to: the rows that it wrote, or the SQLSTATE.
fn run(sql: &str) -> Result<usize, String> {
    PgTryBuilder::new(|| {
        Spi::connect_mut(|client| {
            // A DO block undoes what it has done.
            let block = "DO $do$ DECLARE n bigint; BEGIN EXECUTE current_setting('test.sql'); \
                 GET DIAGNOSTICS n = ROW_COUNT; PERFORM set_config('test.rows', n::text, false); \
                 PERFORM set_config('test.state', '', false); \
                 RAISE EXCEPTION 'undone' USING ERRCODE = 'P0099'; \
                 EXCEPTION WHEN SQLSTATE 'P0099' THEN PERFORM set_config('test.rows', n::text, false); \
                 WHEN OTHERS THEN PERFORM set_config('test.state', SQLSTATE, false); END $do$";
            client.update("SELECT set_config('test.sql', $1, false)", None, &[sql.into()]).expect("set");
            client.update("SELECT set_config('test.state', '', false)", None, &[]).expect("set");
            client.update(block, None, &[]).expect("the block keeps errors");
            let told = |name: &str| -> String {
                client
                    .select(&format!("SELECT current_setting('test.{name}', true)"), None, &[])
                    .expect("a setting")
                    .first()
                    .get_one::<String>()
                    .expect("text")
                    .unwrap_or_default()
            };
            let state = told("state");
            if state.is_empty() { Ok(told("rows").parse().unwrap_or(0)) } else { Err(state) }
        })
    })
    .catch_when(PgSqlErrorCode::ERRCODE_INTERNAL_ERROR, |_| Err("XX000".to_owned()))
    .execute()
}

fn check(table: &[(&str, Result<usize, &str>)]) {
    prepare();
    for (sql, expected) in table {
        assert_eq!(run(sql), expected.map_err(str::to_owned), "{sql}");
    }
}

const UNMET: Result<usize, &str> = Err("SD002");
const NO_NUMBER: Result<usize, &str> = Err("22023");
/// Left in the statement, and so run.
const LEFT: Result<usize, &str> = Err("22012");

#[pg_extern]
fn test_numbers_of_rows() {
    check(&[
        ("DELETE FROM t WHERE k = 3 AND safedelete.exactly(10)", Ok(10)),
        ("DELETE FROM t WHERE k = 3 AND safedelete.exactly(9)", UNMET),
        ("DELETE FROM t WHERE k = 3 AND safedelete.exactly(11)", UNMET),
        ("DELETE FROM t WHERE k = 3 AND safedelete.at_most(10)", Ok(10)),
        ("DELETE FROM t WHERE k = 3 AND safedelete.at_most(9)", UNMET),
        ("DELETE FROM t WHERE k = 3 AND safedelete.at_most(11) AND safedelete.exactly(10)", Ok(10)),
        ("DELETE FROM t WHERE k = 3 AND safedelete.at_most(9) AND safedelete.exactly(10)", UNMET),
        ("DELETE FROM t WHERE id = 3 AND safedelete.exactly(1)", Ok(1)),
        ("DELETE FROM t WHERE id = 1000 AND safedelete.exactly(1)", UNMET),
        ("DELETE FROM t WHERE id = 1000 AND safedelete.exactly(0)", Ok(0)),
        ("DELETE FROM t WHERE id = 3 AND safedelete.at_most(0)", UNMET),
        ("UPDATE t SET k = 0 FROM generate_series(1, 5) g WHERE t.k = 3 AND safedelete.exactly(10)", Ok(10)),
        ("UPDATE threes SET k = 3 WHERE id < 50 AND safedelete.exactly(5)", Ok(5)),
        ("DELETE FROM few WHERE k = 3", UNMET),
        ("DELETE FROM few WHERE id < 3", Ok(2)),
        ("DELETE FROM p WHERE id <= 10 AND safedelete.exactly(10)", Ok(10)),
        ("UPDATE p SET k = 1 WHERE id <= 10 AND safedelete.exactly(9)", UNMET),
        ("WITH d AS (DELETE FROM t WHERE k = 3 AND safedelete.exactly(9)) SELECT 1", UNMET),
        (
            "MERGE INTO t USING generate_series(1, 5) g ON id = g AND safedelete.exactly(5) WHEN MATCHED THEN DELETE",
            Ok(5),
        ),
        (
            "MERGE INTO t USING generate_series(1, 5) g ON id = g AND safedelete.at_most(4) WHEN MATCHED THEN DELETE",
            UNMET,
        ),
        (
            "INSERT INTO t VALUES (1, 1), (200, 1) ON CONFLICT (id) DO UPDATE SET k = 0 WHERE safedelete.exactly(1)",
            Ok(2),
        ),
        (
            "INSERT INTO t VALUES (1, 1), (200, 1) ON CONFLICT (id) DO UPDATE SET k = 0 WHERE safedelete.exactly(2)",
            UNMET,
        ),
    ]);
}

#[pg_extern]
fn test_what_is_a_number() {
    check(&[
        ("DELETE FROM t WHERE k = 3 AND safedelete.exactly(n => 10)", Ok(10)),
        ("DELETE FROM t WHERE k = 3 AND safedelete.exactly(5 + 5)", Ok(10)),
        ("DELETE FROM t WHERE k = 3 AND safedelete.exactly(cardinality('{1,2}'::int[]))", UNMET),
        ("DELETE FROM t WHERE k = 3 AND safedelete.exactly(current_setting('port')::bigint)", UNMET),
        ("DELETE FROM t WHERE k = 3 AND safedelete.exactly(9223372036854775807)", UNMET),
        ("DELETE FROM t WHERE k = 3 AND safedelete.at_most(9223372036854775807)", Ok(10)),
        ("DELETE FROM t WHERE k = 3 AND safedelete.exactly(NULL::bigint)", NO_NUMBER),
        ("DELETE FROM t WHERE k = 3 AND safedelete.at_most(-1)", NO_NUMBER),
        ("DELETE FROM t WHERE k = 3 AND safedelete.exactly(id)", NO_NUMBER),
        ("DELETE FROM t WHERE k = 3 AND safedelete.exactly(random()::bigint)", NO_NUMBER),
        ("DELETE FROM t WHERE k = 3 AND safedelete.exactly((SELECT count(*) FROM t))", NO_NUMBER),
        ("DELETE FROM t WHERE k = 3 AND safedelete.exactly(10 / 0)", Err("22012")),
    ]);
}

#[pg_extern]
fn test_what_is_taken_for_one() {
    check(&[
        ("DELETE FROM t WHERE k = 3 AND public.exactly(7)", Ok(10)),
        ("DELETE FROM t WHERE k = 3 AND safedelete.exactly('7'::text)", Ok(10)),
        ("DELETE FROM t WHERE k = 3 AND (id > 0 AND (safedelete.exactly(10) AND id < 200))", Ok(10)),
        ("DELETE FROM t WHERE k = 3 AND NOT safedelete.exactly(10)", LEFT),
        ("DELETE FROM t WHERE k = 3 AND (id = 0 OR safedelete.exactly(10))", LEFT),
        ("DELETE FROM t WHERE k = 3 AND safedelete.exactly(10) = true", LEFT),
        ("DELETE FROM t WHERE k = 3 AND COALESCE(safedelete.exactly(10), true)", LEFT),
        ("SELECT FROM t WHERE safedelete.exactly(10)", LEFT),
        // A table of this transaction is free, but not of its author's word.
        ("DELETE FROM t WHERE safedelete.exactly(10)", UNMET),
    ]);
}
