//! Whether an index scan finds at most one row: a unique index with every key column bound by
//! equality. What is asked of an index is kept, for every point write asks it.

use std::rc::Rc;

use once_cell::unsync::Lazy;
use pgrx::pg_sys;
use pgrx::pg_sys::NodeTag;
use rustc_hash::FxHashMap;

use crate::pg::local::Local;
use crate::pg::nodes;

struct Index {
    /// Of a unique index that is checked at once (a deferrable constraint's may hold duplicates
    /// for a while), the operator family of each key column.
    families: Option<Vec<pg_sys::Oid>>,
}

#[derive(Default)]
struct Known {
    indexes: FxHashMap<pg_sys::Oid, Rc<Index>>,
    /// Whether an operator is a family's equality.
    equalities: FxHashMap<(pg_sys::Oid, pg_sys::Oid), bool>,
}

static KNOWN: Local<Lazy<Known>> = Local::new(Lazy::new(Known::default));

/// Forgets an index, or all of them. Called by the relcache callback; raises nothing.
pub fn forget(relation: pg_sys::Oid) {
    KNOWN.with(|known| {
        if relation == pg_sys::InvalidOid {
            known.indexes.clear();
            known.equalities.clear();
        } else {
            known.indexes.remove(&relation);
        }
    });
}

/// # Safety
/// `quals` are an index scan's on `index`, which the plan has locked.
pub unsafe fn is_lookup(index: pg_sys::Oid, quals: *mut pg_sys::List) -> bool {
    let facts = facts(index);
    let Some(families) = &facts.families else { return false };
    let mut bound = 0u64;
    for qual in nodes::items::<pg_sys::Node>(quals) {
        let Some(op) = nodes::cast::<pg_sys::OpExpr, _>(qual, NodeTag::T_OpExpr) else { continue };
        // SAFETY: the tag says OpExpr.
        let (operator, args) = unsafe { ((*op).opno, (*op).args) };
        let column = nodes::items::<pg_sys::Node>(args).next().unwrap_or(std::ptr::null_mut());
        let Some(var) = nodes::cast::<pg_sys::Var, _>(column, NodeTag::T_Var) else { continue };
        // SAFETY: the tag says Var; fix_indexqual_references makes it the index's column.
        let number = unsafe { (*var).varattno };
        if let Some(family) = usize::try_from(number - 1).ok().and_then(|at| families.get(at))
            && is_equality(operator, *family)
        {
            bound |= 1 << (number - 1);
        }
    }
    bound == (1 << families.len()) - 1
}

fn facts(index: pg_sys::Oid) -> Rc<Index> {
    if let Some(facts) = KNOWN.with(|known| known.indexes.get(&index).cloned()) {
        return facts;
    }
    // SAFETY: the plan holds a lock on the index; it is open while it is read.
    let facts = Rc::new(unsafe {
        let opened = pg_sys::index_open(index, pg_sys::NoLock as i32);
        let form = &*(*opened).rd_index;
        let unique = form.indisunique && form.indimmediate;
        let keys = form.indnkeyatts as usize;
        let families = unique.then(|| (0..keys).map(|i| *(*opened).rd_opfamily.add(i)).collect());
        pg_sys::index_close(opened, pg_sys::NoLock as i32);
        Index { families }
    });
    KNOWN.with(|known| known.indexes.insert(index, Rc::clone(&facts)));
    facts
}

fn is_equality(operator: pg_sys::Oid, family: pg_sys::Oid) -> bool {
    if let Some(known) = KNOWN.with(|known| known.equalities.get(&(operator, family)).copied()) {
        return known;
    }
    // SAFETY: a catalog cache look-up.
    let strategy = unsafe { pg_sys::get_op_opfamily_strategy(operator, family) };
    let equality = strategy == pg_sys::BTEqualStrategyNumber as i32;
    KNOWN.with(|known| known.equalities.insert((operator, family), equality));
    equality
}
