//! Distinct rows, and how a SQLSTATE is packed.

use pgrx::pg_sys;
use pgrx::prelude::*;

use crate::guard::identity::Identity;
use crate::guard::rows::DistinctRows;

fn row(table: u32, block: u32, offset: u16) -> Identity {
    let ip_blkid = pg_sys::BlockIdData { bi_hi: (block >> 16) as u16, bi_lo: block as u16 };
    let row = Identity::new(pg_sys::ItemPointerData { ip_blkid, ip_posid: offset }, pg_sys::Oid::from(table));
    let tid = row.tid();
    assert_eq!(
        (tid.ip_blkid.bi_hi, tid.ip_blkid.bi_lo, tid.ip_posid),
        (ip_blkid.bi_hi, ip_blkid.bi_lo, offset)
    );
    assert_eq!(row.block(), block);
    row
}

#[pg_extern]
fn test_a_row_counts_once() {
    let mut rows = DistinctRows::default();
    assert!(rows.insert(row(1, 0, 1)));
    assert!(!rows.insert(row(1, 0, 1)));
    assert!(rows.insert(row(2, 0, 1)), "another partition's row");
    // Neither block and offset nor the two ranges of offsets may run into each other.
    for block in [0, 1, 65535, 65536, u32::MAX - 1] {
        for offset in [2, 511, 512, 513, 2047, u16::MAX] {
            assert!(rows.insert(row(1, block, offset)), "{block} {offset}");
        }
    }
    assert!(!rows.insert(row(1, 65536, 2047)));
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
