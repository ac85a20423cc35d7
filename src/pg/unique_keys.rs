//! The unique keys of a table, and whether a condition binds one.

use super::nodes::{Kind, Node};
use super::relcache::Opened;
use super::{nodes, pg_sys};

/// Whether a condition, by its top-level AND, leaves one row at most: each column of a unique key that is checked at
/// once equals a constant or a parameter. `index` is what the condition calls the table.
pub fn leaves_one(relation: pg_sys::Oid, index: i32, condition: Node) -> bool {
    let mut bound = Vec::new();
    find_bound(condition, index, &mut bound);
    !bound.is_empty() && keys(relation).iter().any(|key| key.iter().all(|column| bound.contains(column)))
}

fn find_bound(condition: Node, index: i32, bound: &mut Vec<i16>) {
    match condition.kind() {
        Kind::List(arms) => arms.iter().for_each(|arm| find_bound(arm, index, bound)),
        Kind::BoolExpr(and) if and.boolop == pg_sys::BoolExprType::AND_EXPR => {
            and.args().iter().for_each(|arm| find_bound(arm, index, bound));
        }
        Kind::OpExpr(op) => {
            let Some((one, other)) = op.args().pair() else { return };
            let column = [(one, other), (other, one)].into_iter().find_map(|(column, value)| {
                let column = column.without_relabel().as_a::<pg_sys::Var>()?;
                (value.is_value() && column.varno == index && column.varlevelsup == 0)
                    .then_some(column.varattno)
            });
            if let Some(column) = column
                && !pg_sys::get_mergejoin_opfamilies(op.opno).is_null()
            {
                bound.push(column);
            }
        }
        _ => {}
    }
}

/// The columns of each unique index that is checked at once and holds every row.
fn keys(relation: pg_sys::Oid) -> Vec<Vec<i16>> {
    let opened = Opened::locked(relation);
    opened.indexes().filter_map(key).collect()
}

fn key(index: pg_sys::Oid) -> Option<Vec<i16>> {
    // SAFETY: an index of a table that the statement has locked, open while it is read. Key columns are the first of
    // indkey; 0 is an expression.
    unsafe {
        let lock = pg_sys::AccessShareLock as pg_sys::LOCKMODE;
        let opened = pg_sys::index_open(index, lock);
        let form = &*(*opened).rd_index;
        let holds_all = pg_sys::RelationGetIndexPredicate(opened).is_null();
        let mut columns = None;
        if form.indisunique && form.indimmediate && form.indisvalid && holds_all {
            let all = form.indkey.values.as_slice(form.indnkeyatts as usize);
            columns = (!all.contains(&0)).then(|| all.to_vec());
        }
        pg_sys::index_close(opened, lock);
        columns
    }
}

/// The key columns of an index, of a table that is locked; 0 is an expression.
pub fn columns(index: pg_sys::Oid) -> Vec<i16> {
    // SAFETY: as in `key`.
    unsafe {
        let lock = pg_sys::AccessShareLock as pg_sys::LOCKMODE;
        let opened = pg_sys::index_open(index, lock);
        let form = &*(*opened).rd_index;
        let columns = form.indkey.values.as_slice(form.indnkeyatts as usize).to_vec();
        pg_sys::index_close(opened, lock);
        columns
    }
}

impl Opened {
    /// The indexes of a table.
    fn indexes(&self) -> impl Iterator<Item = pg_sys::Oid> {
        // SAFETY: open; gives a list of OIDs, a copy.
        unsafe { nodes::oids(pg_sys::RelationGetIndexList(self.as_ptr())) }
    }
}
