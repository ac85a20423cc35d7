//! How many rows an index scan finds at most: one, in a unique index with every key column bound by
//! equality; as many as the lists have elements, where `= ANY (…)` binds them. What is asked of an
//! index is kept, for every point write asks it.

use crate::pg::pg_sys;
use rustc_hash::{FxBuildHasher, FxHashMap};

use crate::pg::local::{Lent, Local};
use crate::pg::nodes::{Kind, Node, Nodes};
use crate::pg::relations;
use crate::settings;

struct Index {
    /// Of a unique index that is checked at once (a deferrable constraint's may hold duplicates
    /// for a while), the operator family of each key column.
    families: Option<Vec<pg_sys::Oid>>,
}

struct Indexes {
    indexes: FxHashMap<pg_sys::Oid, Index>,
    /// Whether an operator is a family's equality.
    equalities: FxHashMap<(pg_sys::Oid, pg_sys::Oid), bool>,
}

static INDEXES: Lent<Indexes> = Lent::new(Indexes {
    indexes: FxHashMap::with_hasher(FxBuildHasher),
    equalities: FxHashMap::with_hasher(FxBuildHasher),
});
/// A scan with one condition `column op value`: whether the operator makes it find one row at most, as
/// of a generation of what other sessions have changed.
#[derive(Clone, Copy)]
struct Asked {
    index: pg_sys::Oid,
    operator: pg_sys::Oid,
    as_of: u32,
    finds_one: bool,
}

const SLOTS: usize = 64;
const NOTHING: Asked =
    Asked { index: pg_sys::InvalidOid, operator: pg_sys::InvalidOid, as_of: 0, finds_one: false };

static LAST: Local<[Asked; SLOTS]> = Local::new([NOTHING; SLOTS]);

#[inline]
fn slot(index: pg_sys::Oid) -> usize {
    index.to_u32() as usize % SLOTS
}

/// Forgets an index, or all of them. Called by the relcache callback; raises nothing.
pub fn forget(relation: pg_sys::Oid) {
    INDEXES.with(|known| {
        if relation == pg_sys::InvalidOid {
            known.indexes.clear();
            known.equalities.clear();
        } else {
            known.indexes.remove(&relation);
        }
    });
}

/// The answer, where it was asked before: nearly every write, for sessions write the same tables again
/// and again. Owns and allocates nothing, so bare frames may call it.
///
/// # Safety
/// As `most_rows`.
#[inline]
pub unsafe fn known_lookup(index: pg_sys::Oid, quals: *mut pg_sys::List) -> Option<bool> {
    // SAFETY: by contract.
    let operator = single_operator(unsafe { Nodes::of(quals) })?;
    let last = LAST.at(slot(index));
    (last.index == index && last.operator == operator && last.as_of == settings::generation())
        .then_some(last.finds_one)
}

/// How many rows a scan finds at most, where that can be told.
///
/// # Safety
/// `quals` are an index scan's on `index`, which the plan has locked.
pub unsafe fn most_rows(index: pg_sys::Oid, quals: *mut pg_sys::List) -> Option<u64> {
    // SAFETY: by contract.
    let (known, quals) = unsafe { (known_lookup(index, quals), Nodes::of(quals)) };
    if let Some(finds_one) = known {
        return finds_one.then_some(1);
    }
    let as_of = settings::generation();
    let most = look_up(index, quals);
    if let Some(operator) = single_operator(quals) {
        // One condition binds all columns or it does not, whichever column it is on.
        let finds_one = most.is_some();
        LAST.put(slot(index), Asked { index, operator, as_of, finds_one });
    }
    most
}

/// The operator, where there is one condition.
#[inline(always)]
pub fn single_operator(quals: Nodes) -> Option<pg_sys::Oid> {
    if quals.len() != 1 {
        return None;
    }
    quals.first()?.as_a::<pg_sys::OpExpr>().map(|op| op.opno)
}

fn look_up(index: pg_sys::Oid, quals: Nodes) -> Option<u64> {
    let bindings: Vec<_> = bindings(quals).collect();
    if let Some(most) = INDEXES.with(|indexes| indexes.most_rows(index, &bindings)) {
        return most;
    }
    if relations::kind(index) != pg_sys::RELKIND_INDEX {
        // An index that another extension only supposes, for EXPLAIN. Its OID may be another's later.
        return None;
    }
    learn(index, &bindings);
    INDEXES.with(|indexes| indexes.most_rows(index, &bindings)).flatten()
}

/// `column op value`, or `column op ANY (list)`.
struct Binding {
    /// Of the index, from 0.
    column: usize,
    operator: pg_sys::Oid,
    values: u64,
}

fn bindings(quals: Nodes) -> impl Iterator<Item = Binding> {
    quals.iter().filter_map(|qual| {
        let (operator, args, values) = match qual.kind() {
            Kind::OpExpr(op) => (op.opno, op.args(), 1),
            Kind::ScalarArrayOpExpr(op) if op.useOr => (op.opno, op.args(), elements(op)?),
            _ => return None,
        };
        // fix_indexqual_references makes it the index's column.
        let number = args.first()?.as_a::<pg_sys::Var>()?.varattno;
        Some(Binding { column: usize::try_from(number - 1).ok()?, operator, values })
    })
}

/// How many elements a list has, where the plan tells.
fn elements(op: Node<pg_sys::ScalarArrayOpExpr>) -> Option<u64> {
    if let Kind::ArrayExpr(list) = op.args().get(1)?.without_relabel().kind() {
        return (!list.multidims).then_some(list.elements().len() as u64);
    }
    // NULL finds nothing.
    Some(op.constant_list()?.len().unwrap_or(0))
}

impl Indexes {
    /// The most rows that a scan finds (`None`: any number), where all that it takes is known.
    fn most_rows(&self, index: pg_sys::Oid, bindings: &[Binding]) -> Option<Option<u64>> {
        let Some(families) = &self.indexes.get(&index)?.families else { return Some(None) };
        let mut most = 1u64;
        let mut bound = 0u64;
        for binding in bindings {
            if let Some(family) = families.get(binding.column)
                && *self.equalities.get(&(binding.operator, *family))?
                && bound & 1 << binding.column == 0
            {
                bound |= 1 << binding.column;
                most = most.saturating_mul(binding.values);
            }
        }
        Some((bound == (1 << families.len()) - 1).then_some(most))
    }
}

/// Looks up what a finds_one takes.
fn learn(index: pg_sys::Oid, bindings: &[Binding]) {
    let families = families(index);
    for &Binding { column, operator, .. } in bindings {
        let Some(family) = families.as_ref().and_then(|families| families.get(column)) else { continue };
        let strategy = pg_sys::get_op_opfamily_strategy(operator, *family);
        let equality = strategy == pg_sys::BTEqualStrategyNumber as i32;
        INDEXES.with(|indexes| indexes.equalities.insert((operator, *family), equality));
    }
    INDEXES.with(|indexes| indexes.indexes.insert(index, Index { families }));
}

/// Of a unique index that is checked at once, the operator family of each key column.
fn families(index: pg_sys::Oid) -> Option<Vec<pg_sys::Oid>> {
    // SAFETY: the plan holds a lock on the index; it is open while it is read.
    unsafe {
        let opened = pg_sys::index_open(index, pg_sys::NoLock as i32);
        let form = &*(*opened).rd_index;
        // A GiST index WITHOUT OVERLAPS (18) calls itself unique, and numbers its strategies otherwise.
        let unique =
            form.indisunique && form.indimmediate && (*(*opened).rd_rel).relam == pg_sys::BTREE_AM_OID;
        let keys = form.indnkeyatts as usize;
        let families = unique.then(|| (0..keys).map(|i| *(*opened).rd_opfamily.add(i)).collect());
        pg_sys::index_close(opened, pg_sys::NoLock as i32);
        families
    }
}
