//! Rows that the running sum has made itself: versions of this transaction's, no older than the sum. It has
//! counted them already, or inserted them, so they count no more. A statement of the client's by itself
//! reaches none; what runs below another one looks at the header of each row that it reaches, but only where
//! the transaction has written rows of the table at all.

use super::identity;
use super::orders::Orders;
use super::state::{GuardState, Made, orders_of};
use crate::ledger::{self, Summed};
use crate::levels;
use crate::pg::pg_sys::NodeTag;
use crate::pg::slots::clear;
use crate::pg::{compat, execution, frame, heap, nodes, pg_sys, raw, relations, sizes};
use crate::settings::{self, SumOver};
use safedelete_core::command::Command;

/// Whether a row version was made by the sum of `of`.
///
/// # Safety
/// `header` is a heap tuple's, on a pinned page.
#[inline]
#[allow(ffi_unwind_calls, reason = "raises nothing of a version that is there")]
unsafe fn is_made(header: pg_sys::HeapTupleHeader, of: Summed) -> Made {
    // SAFETY: by contract; cmin is asked of versions of this transaction's alone.
    unsafe {
        let frozen = (pg_sys::HEAP_XMIN_COMMITTED | pg_sys::HEAP_XMIN_INVALID) as u16;
        if (*header).t_infomask & frozen == frozen
            || !raw::TransactionIdIsCurrentTransactionId((*header).t_choice.t_heap.t_xmin)
        {
            return Made::default();
        }
        let command = raw::HeapTupleHeaderGetCmin(header);
        if command < ledger::began() {
            return Made::default();
        }
        let updates = (*header).t_infomask & pg_sys::HEAP_UPDATED as u16 != 0;
        Made {
            by_sum: !ledger::is_uncounted(of, command, updates),
            inserted: !updates && !ledger::may_have_copied(command),
            by_own: !settings::ceiling::was_none(command) && (updates || !ledger::has_rewritten(command)),
        }
    }
}

/// Whether a row that goes with its table adds to nothing that counts it.
///
/// # Safety
/// As `is_made`.
unsafe fn is_made_for_all(header: pg_sys::HeapTupleHeader, relation: pg_sys::Oid, only: bool) -> bool {
    // SAFETY: by contract.
    let made = unsafe { is_made(header, Summed { relation, only }) };
    made.by_sum && made.by_own
}

/// Of the rows of some tables that go whole, those that the running sum of `of` has made, and those of them that it
/// has inserted; `None` where it can have made none.
pub fn among(tables: &[pg_sys::Oid], of: Summed) -> Option<(u64, u64)> {
    if levels::starts_whole_statement() && settings::scope() == SumOver::Statement {
        return None;
    }
    let mut made = None;
    for table in tables.iter().filter(|table| relations::kind(**table) == pg_sys::RELKIND_RELATION) {
        let look = sizes::with_open(*table, |opened| {
            // SAFETY: open and locked, and stays so until this returns; what is asked raises nothing.
            unsafe {
                frame::call(|| {
                    (heap::is_heap(opened) && compat::may_have_made(opened))
                        .then(|| heap::rows_of_which(opened, is_made_for_all, (of.relation, of.only)))
                })
            }
        });
        if let sizes::Look::Has(Some((rows, fresh))) = look {
            let (all, inserted) = made.unwrap_or((0, 0));
            made = Some((all + rows, inserted + fresh));
        }
    }
    made
}

/// Whether the tuple in a slot was.
///
/// # Safety
/// `slot` is NULL or a slot.
#[inline]
unsafe fn slot_is_made(slot: *mut pg_sys::TupleTableSlot, of: Summed) -> Made {
    // SAFETY: by contract; the cast follows the kind of slot.
    unsafe {
        if slot.is_null() || !std::ptr::eq((*slot).tts_ops, &raw const pg_sys::TTSOpsBufferHeapTuple) {
            return Made::default();
        }
        let header = header_of(slot);
        if header.is_null() { Made::default() } else { is_made(header, of) }
    }
}

/// The header of the tuple in a slot; NULL where it holds none.
///
/// # Safety
/// `slot` is one for tuples of a heap.
#[inline]
unsafe fn header_of(slot: *mut pg_sys::TupleTableSlot) -> pg_sys::HeapTupleHeader {
    // SAFETY: by contract.
    unsafe {
        let tuple = (*slot.cast::<pg_sys::BufferHeapTupleTableSlot>()).base.tuple;
        if tuple.is_null() { std::ptr::null_mut() } else { (*tuple).t_data }
    }
}

/// Whether the one row that a finished point write has written was made by its sum. For a bare frame.
///
/// # Safety
/// `query` is a finished point write of one row; no frame above owns anything.
pub(super) unsafe fn by_point_write(query: *mut pg_sys::QueryDesc, of: Summed) -> Made {
    // SAFETY: by contract; casts follow tags. The plan is a ModifyTable above a scan of one relation.
    unsafe {
        let is_whole = levels::is_whole_statement() && settings::scope() == SumOver::Statement;
        if is_whole { Made::default() } else { by_write_below(query, of) }
    }
}

/// The same of a write that is known to be below the client's statement.
///
/// # Safety
/// As `by_point_write`.
#[inline]
pub(super) unsafe fn by_write_below(query: *mut pg_sys::QueryDesc, of: Summed) -> Made {
    // SAFETY: as the caller says; casts follow tags. The plan is a ModifyTable above a scan of one relation.
    unsafe {
        let modify = (*query).planstate.cast::<pg_sys::ModifyTableState>();
        if nodes::tag(modify) != NodeTag::T_ModifyTableState {
            return Made::default();
        }
        let result = (*modify).resultRelInfo;
        if (*query).operation == pg_sys::CmdType::CMD_UPDATE {
            // ExecModifyTable fetches the old version, and nobody clears it.
            return slot_is_made((*result).ri_oldTupleSlot, of);
        }
        let relation = (*result).ri_RelationDesc;
        if compat::may_have_made(relation) {
            deleted_was_made(query, (*modify).ps.lefttree, relation, of)
        } else {
            Made::default()
        }
    }
}

/// # Safety
/// As `by_point_write`; `scan` has found the row that was deleted.
#[cold]
#[allow(ffi_unwind_calls, reason = "called by bare frames, which own nothing")]
unsafe fn deleted_was_made(
    query: *mut pg_sys::QueryDesc,
    scan: *mut pg_sys::PlanState,
    relation: pg_sys::Relation,
    of: Summed,
) -> Made {
    // SAFETY: by contract; casts follow tags. The scan has come to its end and is asked for nothing more.
    unsafe {
        let slot = (*scan.cast::<pg_sys::ScanState>()).ss_ScanTupleSlot;
        match nodes::tag(scan) {
            NodeTag::T_IndexScanState => {
                // The keys find one row in the statement's snapshot, which sees it still.
                let state = scan.cast::<pg_sys::IndexScanState>();
                let index = (*state).iss_ScanDesc;
                if index.is_null() {
                    return Made::default();
                }
                let keys = (*state).iss_NumScanKeys;
                raw::index_rescan(index, (*state).iss_ScanKeys, keys, std::ptr::null_mut(), 0);
                if raw::index_getnext_slot(index, pg_sys::ScanDirection::ForwardScanDirection, slot) {
                    slot_is_made(slot, of)
                } else {
                    Made::default()
                }
            }
            NodeTag::T_TidScanState
                if std::ptr::eq((*slot).tts_ops, &raw const pg_sys::TTSOpsBufferHeapTuple) =>
            {
                // TidNext leaves there where it has looked last.
                let mut tid = (*slot.cast::<pg_sys::BufferHeapTupleTableSlot>()).base.tupdata.t_self;
                let cid = (*(*query).estate).es_output_cid;
                if fetch(relation, &mut tid, slot) && heap::deleted_by(header_of(slot)) == Some(cid) {
                    slot_is_made(slot, of)
                } else {
                    Made::default()
                }
            }
            _ => Made::default(),
        }
    }
}

/// Fetches a row version, whoever may see it.
///
/// # Safety
/// `relation` is an open heap; `slot` is one for its tuples.
#[allow(ffi_unwind_calls, reason = "called by bare frames, which own nothing")]
unsafe fn fetch(
    relation: pg_sys::Relation,
    tid: *mut pg_sys::ItemPointerData,
    slot: *mut pg_sys::TupleTableSlot,
) -> bool {
    // SAFETY: by contract.
    unsafe {
        (*tid).ip_posid != pg_sys::InvalidOffsetNumber
            && match (*(*relation).rd_tableam).tuple_fetch_row_version {
                Some(fetch) => fetch(relation, tid, &raw mut pg_sys::SnapshotAnyData, slot),
                None => false,
            }
    }
}

/// Who has counted a row before that has come to a guard.
///
/// # Safety
/// `guard` runs and looks; `slot` holds a row of its child; no frame above owns anything.
#[cold]
#[allow(ffi_unwind_calls, reason = "called by bare frames, which own nothing")]
pub(super) unsafe fn came(guard: *mut GuardState, slot: *mut pg_sys::TupleTableSlot) -> Made {
    // SAFETY: by contract.
    unsafe {
        let orders = &(*guard).orders;
        if orders.ctid == 0 {
            return Made::default();
        }
        let Some(identity) = identity::identity(slot, orders) else { return Made::default() };
        let leaf = identity::leaf(slot, orders);
        let Some(relation) = execution::written((*guard).estate).find(|relation| (**relation).rd_id == leaf)
        else {
            return Made::default();
        };
        if !heap::is_heap(relation) || !compat::may_have_made(relation) {
            return Made::default();
        }
        if (*guard).looked_at.is_null() {
            let estate = (*guard).estate;
            let previous = pg_sys::CurrentMemoryContext;
            pg_sys::CurrentMemoryContext = (*estate).es_query_cxt;
            (*guard).looked_at = compat::alloc_table_slot(
                &raw mut (*estate).es_tupleTable,
                (*relation).rd_att,
                &raw const pg_sys::TTSOpsBufferHeapTuple,
            );
            pg_sys::CurrentMemoryContext = previous;
        }
        let of = summed(orders);
        let at = (*guard).looked_at;
        let is_there = fetch(relation, &mut identity.tid(), at);
        let made = if is_there { slot_is_made(at, of) } else { Made::default() };
        clear(at);
        made
    }
}

/// Who has counted the row before that an upsert has updated last.
///
/// # Safety
/// `guard` runs below `parent`, which has updated a row.
#[cold]
#[allow(ffi_unwind_calls, reason = "called by bare frames, which own nothing")]
pub(super) unsafe fn was_upserted(guard: *mut GuardState) -> Made {
    // SAFETY: by contract.
    unsafe {
        let orders = &(*guard).orders;
        let result = upserted(guard);
        if result.is_null() {
            return Made::default();
        }
        let relation = (*result).ri_RelationDesc;
        let on_conflict = (*result).ri_onConflict;
        if on_conflict.is_null() || !heap::is_heap(relation) || !compat::may_have_made(relation) {
            return Made::default();
        }
        // ExecOnConflictUpdate clears the slot, and leaves there which version it has locked.
        let slot = (*on_conflict).oc_Existing;
        if slot.is_null() || !std::ptr::eq((*slot).tts_ops, &raw const pg_sys::TTSOpsBufferHeapTuple) {
            return Made::default();
        }
        let mut tid = (*slot.cast::<pg_sys::BufferHeapTupleTableSlot>()).base.tupdata.t_self;
        let is_there = fetch(relation, &mut tid, slot);
        let made = if is_there { slot_is_made(slot, summed(orders)) } else { Made::default() };
        clear(slot);
        made
    }
}

/// What an upsert has updated a row of: the table that it names, or the partition that the last row went to.
///
/// # Safety
/// As `was_upserted`.
unsafe fn upserted(guard: *mut GuardState) -> *mut pg_sys::ResultRelInfo {
    // SAFETY: by contract; the lists hold what their names say.
    unsafe {
        let parent = (*guard).parent;
        if (*parent).mt_partition_tuple_routing.is_null() {
            return (*parent).resultRelInfo;
        }
        let routed =
            nodes::items::<pg_sys::ResultRelInfo>((*(*guard).estate).es_tuple_routing_result_relations);
        let leaf = (*guard).last_leaf;
        let mut of_leaf =
            routed.filter(|result: &*mut pg_sys::ResultRelInfo| (*(**result).ri_RelationDesc).rd_id == leaf);
        of_leaf.next().unwrap_or(std::ptr::null_mut())
    }
}

/// Whether a row that is to come to a guard can have been made by its sum: not, where no table that is
/// written holds any. The statement's snapshot is taken, and sees nothing that is written later.
///
/// # Safety
/// `guard` is about to start; the result relations are open.
pub(super) unsafe fn may_come(guard: *mut GuardState) -> bool {
    // SAFETY: by contract.
    unsafe {
        if levels::starts_whole_statement() && settings::scope() == SumOver::Statement {
            return false;
        }
        // An upsert opens partitions as it goes.
        let opens = orders_of(guard).write.command == Command::Upsert
            && !(*(*guard).parent).mt_partition_tuple_routing.is_null();
        opens || execution::written((*guard).estate).any(|relation| compat::may_have_made(relation))
    }
}

fn summed(orders: &Orders) -> Summed {
    // Planned and started, so it is known; else as it stands.
    let as_it_stands = Summed { relation: orders.write.relation, only: orders.write.only };
    crate::analysis::target::known_summed(orders.write).unwrap_or(as_it_stands)
}
