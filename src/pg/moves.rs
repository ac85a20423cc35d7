//! MERGE into a partitioned table. PostgreSQL writes a row that it moves to another partition into the transition
//! tables as deleted here and inserted there, which nobody can tell from rows that it deletes and inserts; and once it
//! has inserted a row, what it updates is told as that row. So the input of such a ModifyTable is watched: between two
//! rows of it lies one action, and what that has added to the transition tables says what it was.

use super::local::Local;
use super::nodes;
use super::rows::{Row, Transition};
use super::slots;
use super::{frame, growing, pg_sys, raw};
use pgrx::pg_sys::NodeTag;

/// What trigger.c keeps of a table and command: its AfterTriggersTableData, the same in every major from 15 on.
#[repr(C)]
struct Tables {
    table: pg_sys::Oid,
    command: pg_sys::CmdType::Type,
    states: [bool; 3],
    events: [*mut core::ffi::c_void; 3],
    old: *mut pg_sys::Tuplestorestate,
    new: *mut pg_sys::Tuplestorestate,
}

/// As many rows as there are where one action ends and the next begins.
#[derive(Clone, Copy, Default)]
struct Counts {
    /// By the action DELETE.
    deletes: f64,
    old: i64,
    inserted: i64,
}

/// A row that has moved: its places, from 0, among the rows that were deleted and inserted.
#[derive(Clone, Copy)]
struct Move {
    old: i64,
    new: i64,
}

struct Watch {
    /// The one that began before.
    next: *mut Watch,
    input: *mut pg_sys::PlanState,
    pull: pg_sys::ExecProcNodeMtd,
    modify: *const pg_sys::ModifyTableState,
    capture: *mut pg_sys::TransitionCaptureState,
    old: *mut pg_sys::Tuplestorestate,
    inserted: *mut pg_sys::Tuplestorestate,
    updated: *mut pg_sys::Tuplestorestate,
    before: Counts,
    has_ended: bool,
    is_unclear: bool,
    moves: Vec<Move>,
    /// An error skips the end of an execution: this goes with its memory.
    callback: pg_sys::MemoryContextCallback,
}

/// Those at work, the newest first.
static WATCHES: Local<*mut Watch> = Local::new(std::ptr::null_mut());

/// Watches the MERGEs of a query into partitioned tables whose triggers are so. For bare frames.
///
/// # Safety
/// `query` has started and has not run; no frame above owns anything.
#[inline]
pub unsafe fn watch(
    query: *const pg_sys::QueryDesc,
    are_so: impl Fn(*const pg_sys::TriggerDesc) -> bool + Copy,
) {
    // SAFETY: by contract; casts follow tags.
    unsafe {
        let main = (*query).planstate;
        if (*query).operation == pg_sys::CmdType::CMD_MERGE {
            watch_one(main, are_so);
        }
        let estate = (*query).estate;
        if !estate.is_null() && !(*estate).es_auxmodifytables.is_null() {
            for modify in nodes::items::<pg_sys::PlanState>((*estate).es_auxmodifytables) {
                watch_one(modify, are_so);
            }
        }
    }
}

/// # Safety
/// As `watch`; `state` is one of its states.
#[inline]
unsafe fn watch_one(state: *mut pg_sys::PlanState, are_so: impl Fn(*const pg_sys::TriggerDesc) -> bool) {
    // SAFETY: by contract; a ModifyTable that runs has a result relation, which is open.
    unsafe {
        let Some(modify) = nodes::cast::<pg_sys::ModifyTableState, _>(state, NodeTag::T_ModifyTableState)
        else {
            return;
        };
        let root = (*modify).rootResultRelInfo;
        if (*modify).operation == pg_sys::CmdType::CMD_MERGE
            && (*(*(*root).ri_RelationDesc).rd_rel).relkind as u8 == pg_sys::RELKIND_PARTITIONED_TABLE
            && !(*modify).mt_transition_capture.is_null()
            && are_so((*root).ri_TrigDesc)
        {
            frame::guarded(|| begin(modify));
        }
    }
}

/// # Safety
/// As `watch_one`; it captures rows of a partitioned table.
unsafe fn begin(modify: *mut pg_sys::ModifyTableState) {
    // SAFETY: by contract. What is captured is of the query's triggers, and ends after it.
    unsafe {
        let root = (*modify).rootResultRelInfo;
        let memory = (*(*modify).ps.state).es_query_cxt;
        if !(*(*modify).mt_transition_capture).tcs_insert_new_table {
            // Where a row has moved to is among the inserted.
            let mut described = *(*root).ri_TrigDesc;
            described.trig_insert_new_table = true;
            let table = (*(*root).ri_RelationDesc).rd_id;
            let outer = pg_sys::CurrentMemoryContext;
            pg_sys::CurrentMemoryContext = memory;
            (*modify).mt_transition_capture =
                pg_sys::MakeTransitionCaptureState(&mut described, table, pg_sys::CmdType::CMD_MERGE);
            pg_sys::CurrentMemoryContext = outer;
        }
        let capture = (*modify).mt_transition_capture;
        let old = tables((*capture).tcs_delete_private.cast(), pg_sys::CmdType::CMD_DELETE);
        let updated = tables((*capture).tcs_update_private.cast(), pg_sys::CmdType::CMD_UPDATE);
        let inserted = tables((*capture).tcs_insert_private.cast(), pg_sys::CmdType::CMD_INSERT);
        let (Some(old), Some(updated), Some(inserted)) = (old, updated, inserted) else { return };
        let input = (*modify).ps.lefttree;
        let watch = Box::into_raw(Box::new(Watch {
            next: WATCHES.get(),
            input,
            pull: (*input).ExecProcNodeReal,
            modify,
            capture,
            old: old.old,
            inserted: inserted.new,
            updated: updated.old,
            before: Counts::default(),
            has_ended: false,
            is_unclear: false,
            moves: Vec::new(),
            callback: pg_sys::MemoryContextCallback {
                func: Some(end),
                arg: std::ptr::null_mut(),
                next: std::ptr::null_mut(),
            },
        }));
        (*watch).callback.arg = watch.cast();
        (*watch).before = count(watch);
        pg_sys::MemoryContextRegisterResetCallback(memory, &raw mut (*watch).callback);
        WATCHES.set(watch);
        // ExecProcNodeFirst, which stands before the input's function, stays.
        let stands_alone =
            (*input).ExecProcNode.map(|next| next as usize) == (*watch).pull.map(|next| next as usize);
        (*input).ExecProcNodeReal = Some(pull);
        if stands_alone {
            (*input).ExecProcNode = Some(pull);
        }
    }
}

/// What is kept of a command; `None` where it is not as it should be.
///
/// # Safety
/// `tables` is NULL, or trigger.c's.
unsafe fn tables<'t>(tables: *const Tables, command: pg_sys::CmdType::Type) -> Option<&'t Tables> {
    // SAFETY: by contract.
    unsafe { tables.as_ref() }.filter(|tables| tables.command == command)
}

/// The memory of an execution goes.
unsafe extern "C-unwind" fn end(watch: *mut core::ffi::c_void) {
    let watch = watch.cast::<Watch>();
    // SAFETY: this is called once, and nobody runs the execution any more; those that are linked live.
    unsafe {
        let mut at = WATCHES.as_ptr();
        while !(*at).is_null() && *at != watch {
            at = &raw mut (**at).next;
        }
        if *at == watch {
            *at = (*watch).next;
        }
        frame::undisturbed((), || drop(Box::from_raw(watch)));
    }
}

/// The input's next row. A bare frame.
#[allow(ffi_unwind_calls, reason = "a bare frame: it owns nothing and cannot panic")]
unsafe extern "C-unwind" fn pull(input: *mut pg_sys::PlanState) -> *mut pg_sys::TupleTableSlot {
    // SAFETY: the input of one that is linked.
    unsafe {
        let mut watch = WATCHES.get();
        while (*watch).input != input {
            watch = (*watch).next;
        }
        look(watch);
        (*(*watch).capture).tcs_original_insert_tuple = std::ptr::null_mut();
        let Some(next) = (*watch).pull else { return std::ptr::null_mut() };
        let slot = next(input);
        (*watch).before = count(watch);
        (*watch).has_ended = slots::is_empty(slot);
        slot
    }
}

/// # Safety
/// `watch` is linked.
#[allow(ffi_unwind_calls, reason = "it reads a number")]
unsafe fn count(watch: *const Watch) -> Counts {
    // SAFETY: by contract; what it looks at lives as long.
    unsafe {
        Counts {
            deletes: (*(*watch).modify).mt_merge_deleted,
            old: raw::tuplestore_tuple_count((*watch).old),
            inserted: raw::tuplestore_tuple_count((*watch).inserted),
        }
    }
}

/// Looks what the action before has done.
///
/// # Safety
/// `watch` is linked; no frame above owns anything.
#[inline]
unsafe fn look(watch: *mut Watch) {
    // SAFETY: by contract.
    unsafe {
        let (before, now) = ((*watch).before, count(watch));
        if now.old == before.old || (*watch).has_ended {
            return;
        }
        if now.old - before.old != 1 || now.inserted - before.inserted > 2 {
            // Another write of the query's, into the same table.
            (*watch).is_unclear = true;
        } else if now.deletes == before.deletes && now.inserted > before.inserted {
            frame::guarded(|| {
                growing::push(&mut (*watch).moves, Move { old: before.old, new: before.inserted });
            });
        }
        // One that a trigger has dropped where it was to move to is gone.
    }
}

/// Those at work whose rows such a transition table has.
fn of(store: *mut pg_sys::Tuplestorestate) -> impl Iterator<Item = *mut Watch> {
    let mut watch = WATCHES.get();
    std::iter::from_fn(move || {
        // SAFETY: those that are linked live.
        unsafe {
            while !watch.is_null() && (*watch).old != store && (*watch).updated != store {
                watch = (*watch).next;
            }
            let found = watch;
            if !found.is_null() {
                watch = (*found).next;
            }
            (!found.is_null()).then_some(found)
        }
    })
}

/// What of a trigger's rows has moved between partitions.
#[derive(Clone, Copy)]
pub struct Moved {
    pub rows: u64,
    /// Which of them have, nobody can say.
    pub is_unclear: bool,
}

/// How many rows of a transition table of a DELETE have only moved, or have, beside those of an UPDATE.
pub fn count_of(store: *mut pg_sys::Tuplestorestate) -> Moved {
    let mut moved = Moved { rows: 0, is_unclear: false };
    if !WATCHES.get().is_null() && !store.is_null() {
        for watch in of(store) {
            // SAFETY: those that are linked live.
            let (moves, is_unclear) = unsafe { ((*watch).moves.len(), (*watch).is_unclear) };
            moved.rows += moves as u64;
            moved.is_unclear |= is_unclear;
        }
    }
    moved
}

/// The places of those among the rows that were deleted, in their order.
pub fn places_of(store: *mut pg_sys::Tuplestorestate) -> Vec<i64> {
    let mut places = Vec::new();
    for watch in of(store) {
        // SAFETY: as above.
        for moved in unsafe { &(*watch).moves } {
            growing::push(&mut places, moved.old);
        }
    }
    places.sort_unstable();
    places
}

/// Calls `each` with every row that moved beside those of an UPDATE, as it was and as it is.
///
/// # Safety
/// `store` is a transition table of `relation`.
pub unsafe fn each_of(
    store: *mut pg_sys::Tuplestorestate,
    relation: pg_sys::Relation,
    mut each: impl FnMut(Row, Row),
) {
    for watch in of(store) {
        // SAFETY: by contract; they are of one table, and live while its triggers fire.
        unsafe {
            let old = Transition::of((*watch).old, relation);
            let new = Transition::of((*watch).inserted, relation);
            let (Some(mut old), Some(mut new)) = (old, new) else { continue };
            for moved in &(*watch).moves {
                if let (Some(was), Some(is)) = (old.at(moved.old), new.at(moved.new)) {
                    each(was, is);
                }
            }
            old.end();
            new.end();
        }
    }
}
