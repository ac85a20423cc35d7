//! Distinct rows, and how a SQLSTATE is packed.

use pgrx::pg_sys;
use pgrx::prelude::*;

use crate::guard::rows::DistinctRows;

fn tid(block: u32, offset: u16) -> pg_sys::ItemPointerData {
    pg_sys::ItemPointerData {
        ip_blkid: pg_sys::BlockIdData { bi_hi: (block >> 16) as u16, bi_lo: block as u16 },
        ip_posid: offset,
    }
}

#[pg_extern]
fn test_a_row_counts_once() {
    let mut rows = DistinctRows::default();
    let (one, two) = (pg_sys::Oid::from(1), pg_sys::Oid::from(2));
    assert!(rows.insert(one, tid(0, 1)));
    assert!(!rows.insert(one, tid(0, 1)));
    assert!(rows.insert(two, tid(0, 1)), "another partition's row");
    // Neither block and offset nor the two ranges of offsets may run into each other.
    for block in [0, 1, 65535, 65536, u32::MAX - 1] {
        for offset in [2, 511, 512, 513, 2047, u16::MAX] {
            assert!(rows.insert(one, tid(block, offset)), "{block} {offset}");
        }
    }
    assert!(!rows.insert(one, tid(65536, 2047)));
}

#[pg_extern]
fn test_sqlstates_are_packed_as_postgresql_packs_them() {
    assert_eq!(
        crate::pg::report::pack(*b"21000"),
        pg_sys::errcodes::PgSqlErrorCode::ERRCODE_CARDINALITY_VIOLATION as i32
    );
    assert_eq!(
        crate::pg::report::pack(*b"22023"),
        pg_sys::errcodes::PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE as i32
    );
}
