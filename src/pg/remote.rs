//! How many rows a foreign table holds, asked of its server through its wrapper: by `count(*)`, which the wrapper
//! sends whole where it can, and where few decide by rows without columns, up to so many.

use super::pg_sys;

use super::{compat, frame, raw, slots};

/// Up to so many rows are fetched; to know of more it is cheaper to have them counted over there.
const FEW: u64 = 20_000;

/// Counts the rows of a foreign table up to `enough`, and whether these are all. The server is asked as the running
/// statement asks it: in its transaction, with the user mapping of `role` (InvalidOid is the current user), whose
/// privileges here the statement has been checked for.
///
/// # Safety
/// `opened` is a foreign table, open and locked.
pub unsafe fn count(opened: pg_sys::Relation, role: pg_sys::Oid, enough: u64) -> (u64, bool) {
    // SAFETY: by contract; the closure owns nothing.
    frame::call(|| unsafe { ask(opened, role, enough) })
}

/// # Safety
/// As `count`; runs in `frame::call` and owns nothing.
#[allow(ffi_unwind_calls, reason = "runs in frame::call and owns nothing")]
unsafe fn ask(opened: pg_sys::Relation, role: pg_sys::Oid, enough: u64) -> (u64, bool) {
    let whole = enough > FEW;
    // SAFETY: what the executor does of a plan of its own; an error gives all of it back with the (sub)transaction.
    unsafe {
        let outside = pg_sys::CurrentMemoryContext;
        let memory = raw::AllocSetContextCreateInternal(
            outside,
            c"safedelete count".as_ptr(),
            pg_sys::ALLOCSET_SMALL_MINSIZE as usize,
            pg_sys::ALLOCSET_SMALL_INITSIZE as usize,
            pg_sys::ALLOCSET_DEFAULT_MAXSIZE as usize,
        );
        pg_sys::CurrentMemoryContext = memory;
        let has_snapshot = pg_sys::ActiveSnapshotSet();
        if !has_snapshot {
            raw::PushActiveSnapshot(raw::GetTransactionSnapshot());
        }
        let text = c"SELECT pg_catalog.count(*)".as_ptr();
        let nothing = std::ptr::null_mut();
        let plan = raw::standard_planner(
            query(opened, role, whole),
            text,
            0,
            std::ptr::null_mut(),
            #[cfg(since_19)]
            std::ptr::null_mut(),
        );
        compat::ask_nobody(plan);
        let execution = raw::CreateQueryDesc(
            plan,
            text,
            pg_sys::GetActiveSnapshot(),
            std::ptr::null_mut(),
            (&raw const pg_sys::None_Receiver).read(),
            nothing,
            std::ptr::null_mut(),
            0,
        );
        raw::standard_ExecutorStart(execution, 0);
        pg_sys::CurrentMemoryContext = (*(*execution).estate).es_query_cxt;
        let state = (*execution).planstate;
        let (mut rows, mut ended) = (0, false);
        while !ended && rows < enough {
            let Some(next) = (*state).ExecProcNode else { break };
            if pg_sys::InterruptPending != 0 {
                raw::ProcessInterrupts();
            }
            let slot = next(state);
            if slots::is_empty(slot) {
                ended = true;
            } else if whole {
                slots::get_some_attributes(slot, 1);
                rows = (*(*slot).tts_values).value() as u64;
                ended = true;
            } else {
                rows += 1;
            }
        }
        pg_sys::CurrentMemoryContext = memory;
        raw::standard_ExecutorFinish(execution);
        raw::standard_ExecutorEnd(execution);
        raw::FreeQueryDesc(execution);
        if !has_snapshot {
            raw::PopActiveSnapshot();
        }
        pg_sys::CurrentMemoryContext = outside;
        raw::MemoryContextDelete(memory);
        (rows, ended)
    }
}

/// `SELECT count(*) FROM ONLY` the table, or without the count. Made by hand, for a name would be looked up with the
/// current user's privileges, who may have got here through a view.
///
/// # Safety
/// As `ask`.
#[allow(ffi_unwind_calls, reason = "runs in frame::call and owns nothing")]
unsafe fn query(opened: pg_sys::Relation, role: pg_sys::Oid, counted: bool) -> *mut pg_sys::Query {
    // SAFETY: palloc0 gives zeroes, which are what a node begins with but for its tag.
    unsafe {
        let state = raw::make_parsestate(std::ptr::null_mut());
        let lock = pg_sys::AccessShareLock as i32;
        raw::addRangeTableEntryForRelation(state, opened, lock, std::ptr::null_mut(), false, true);
        compat::read_as(state, role);
        let from = made::<pg_sys::RangeTblRef>(pg_sys::NodeTag::T_RangeTblRef);
        (*from).rtindex = 1;
        let jointree = made::<pg_sys::FromExpr>(pg_sys::NodeTag::T_FromExpr);
        (*jointree).fromlist = raw::lappend(std::ptr::null_mut(), from.cast());
        let query = made::<pg_sys::Query>(pg_sys::NodeTag::T_Query);
        (*query).commandType = pg_sys::CmdType::CMD_SELECT;
        (*query).canSetTag = true;
        (*query).rtable = (*state).p_rtable;
        #[cfg(since_16)]
        {
            (*query).rteperminfos = (*state).p_rteperminfos;
        }
        (*query).jointree = jointree;
        if counted {
            let count = made::<pg_sys::Aggref>(pg_sys::NodeTag::T_Aggref);
            (*count).aggfnoid = pg_sys::Oid::from(pg_sys::F_COUNT_);
            (*count).aggtype = pg_sys::INT8OID;
            (*count).aggstar = true;
            (*count).aggkind = pg_sys::AGGKIND_NORMAL as core::ffi::c_char;
            (*count).aggno = -1;
            (*count).aggtransno = -1;
            (*count).location = -1;
            let column = raw::makeTargetEntry(count.cast(), 1, c"count".as_ptr().cast_mut(), false);
            (*query).targetList = raw::lappend(std::ptr::null_mut(), column.cast());
            (*query).hasAggs = true;
        }
        query
    }
}

/// # Safety
/// `T` is the node of this tag.
#[allow(ffi_unwind_calls, reason = "runs in frame::call and owns nothing")]
unsafe fn made<T>(tag: pg_sys::NodeTag) -> *mut T {
    // SAFETY: by contract; a node begins with its tag.
    unsafe {
        let node = raw::palloc0(size_of::<T>());
        node.cast::<pg_sys::NodeTag>().write(tag);
        node.cast()
    }
}
