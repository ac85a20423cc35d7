//! Whether an index scan finds at most one row: a unique index with every key column bound by
//! equality. What is asked of an index is kept, for every point write asks it.

use once_cell::unsync::Lazy;
use pgrx::pg_sys;
use pgrx::pg_sys::NodeTag;
use rustc_hash::FxHashMap;

use crate::pg::local::Local;
use crate::pg::{nodes, relations};

struct Index {
    /// Of a unique index that is checked at once (a deferrable constraint's may hold duplicates
    /// for a while), the operator family of each key column.
    families: Option<Vec<pg_sys::Oid>>,
}

#[derive(Default)]
struct Known {
    indexes: FxHashMap<pg_sys::Oid, Index>,
    /// Whether an operator is a family's equality.
    equalities: FxHashMap<(pg_sys::Oid, pg_sys::Oid), bool>,
}

static KNOWN: Local<Lazy<Known>> = Local::new(Lazy::new(Known::default));
/// The last that was asked: index and operator, with the verdict.
static LAST: Local<Option<((pg_sys::Oid, pg_sys::Oid), bool)>> = Local::new(None);

/// Forgets an index, or all of them. Called by the relcache callback; raises nothing.
pub fn forget(relation: pg_sys::Oid) {
    KNOWN.with(|known| {
        LAST.set(None);
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
    let asked = single_operator(quals).map(|operator| (index, operator));
    if let Some((last, verdict)) = LAST.get()
        && asked == Some(last)
    {
        // Nearly every write ends here: sessions write the same table again and again.
        return verdict;
    }
    // SAFETY: by contract.
    let verdict = unsafe { look_up(index, quals) };
    // One condition binds all columns or it does not, whichever column it is on.
    LAST.set(asked.map(|asked| (asked, verdict)));
    verdict
}

/// The operator, where there is one condition.
#[inline]
fn single_operator(quals: *mut pg_sys::List) -> Option<pg_sys::Oid> {
    if nodes::length(quals) != 1 {
        return None;
    }
    let qual = nodes::items::<pg_sys::Node>(quals).next()?;
    // SAFETY: the tag says OpExpr.
    nodes::cast::<pg_sys::OpExpr, _>(qual, NodeTag::T_OpExpr).map(|op| unsafe { (*op).opno })
}

/// # Safety
/// As `is_lookup`.
unsafe fn look_up(index: pg_sys::Oid, quals: *mut pg_sys::List) -> bool {
    if let Some(verdict) = KNOWN.with(|known| known.verdict(index, quals)) {
        return verdict;
    }
    if relations::kind(index) != pg_sys::RELKIND_INDEX {
        // An index that another extension only supposes, for EXPLAIN. Its OID may be another's later.
        return false;
    }
    learn(index, quals);
    KNOWN.with(|known| known.verdict(index, quals)).unwrap_or(false)
}

/// The column of the index and the operator of each `column op value`.
fn bindings(quals: *mut pg_sys::List) -> impl Iterator<Item = (usize, pg_sys::Oid)> {
    nodes::items::<pg_sys::Node>(quals).filter_map(|qual| {
        let op = nodes::cast::<pg_sys::OpExpr, _>(qual, NodeTag::T_OpExpr)?;
        // SAFETY: the tag says OpExpr.
        let (operator, args) = unsafe { ((*op).opno, (*op).args) };
        let column = nodes::items::<pg_sys::Node>(args).next()?;
        let var = nodes::cast::<pg_sys::Var, _>(column, NodeTag::T_Var)?;
        // SAFETY: the tag says Var; fix_indexqual_references makes it the index's column.
        let number = unsafe { (*var).varattno };
        Some((usize::try_from(number - 1).ok()?, operator))
    })
}

impl Known {
    /// The verdict, where all that it takes is known.
    fn verdict(&self, index: pg_sys::Oid, quals: *mut pg_sys::List) -> Option<bool> {
        let Some(families) = &self.indexes.get(&index)?.families else { return Some(false) };
        let mut bound = 0u64;
        for (at, operator) in bindings(quals) {
            if let Some(family) = families.get(at)
                && *self.equalities.get(&(operator, *family))?
            {
                bound |= 1 << at;
            }
        }
        Some(bound == (1 << families.len()) - 1)
    }
}

/// Looks up what a verdict takes.
fn learn(index: pg_sys::Oid, quals: *mut pg_sys::List) {
    let families = families(index);
    for (at, operator) in bindings(quals) {
        let Some(family) = families.as_ref().and_then(|families| families.get(at)) else { continue };
        // SAFETY: a catalog cache look-up.
        let strategy = unsafe { pg_sys::get_op_opfamily_strategy(operator, *family) };
        let equality = strategy == pg_sys::BTEqualStrategyNumber as i32;
        KNOWN.with(|known| known.equalities.insert((operator, *family), equality));
    }
    KNOWN.with(|known| known.indexes.insert(index, Index { families }));
}

/// Of a unique index that is checked at once, the operator family of each key column.
fn families(index: pg_sys::Oid) -> Option<Vec<pg_sys::Oid>> {
    // SAFETY: the plan holds a lock on the index; it is open while it is read.
    unsafe {
        let opened = pg_sys::index_open(index, pg_sys::NoLock as i32);
        let form = &*(*opened).rd_index;
        let unique = form.indisunique && form.indimmediate;
        let keys = form.indnkeyatts as usize;
        let families = unique.then(|| (0..keys).map(|i| *(*opened).rd_opfamily.add(i)).collect());
        pg_sys::index_close(opened, pg_sys::NoLock as i32);
        families
    }
}
