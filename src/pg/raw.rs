//! PostgreSQL functions without pgrx's boundary, for bare frames and for `frame::call`. An error
//! raised below them jumps over the Rust frames that called them, so callers own nothing.
//! Declarations follow the headers named in each group.

use core::ffi::{c_char, c_int, c_void};

use pgrx::pg_sys;

pub type Walker = unsafe extern "C-unwind" fn(*mut pg_sys::Node, *mut c_void) -> bool;
pub type Mutator = unsafe extern "C-unwind" fn(*mut pg_sys::Node, *mut c_void) -> *mut pg_sys::Node;
pub type StateWalker = unsafe extern "C-unwind" fn(*mut pg_sys::PlanState, *mut c_void) -> bool;

unsafe extern "C-unwind" {
    // optimizer/planner.h, optimizer/optimizer.h
    pub fn standard_planner(
        parse: *mut pg_sys::Query,
        query_string: *const c_char,
        cursor_options: c_int,
        bound_params: pg_sys::ParamListInfo,
        #[cfg(since_19)] explain: *mut pg_sys::ExplainState,
    ) -> *mut pg_sys::PlannedStmt;
    pub fn contain_volatile_functions(node: *mut pg_sys::Node) -> bool;

    // executor/executor.h
    pub fn ExecInitExpr(node: *mut pg_sys::Expr, parent: *mut pg_sys::PlanState) -> *mut pg_sys::ExprState;
    pub fn CreateExprContext(estate: *mut pg_sys::EState) -> *mut pg_sys::ExprContext;
    pub fn standard_ExecutorStart(query: *mut pg_sys::QueryDesc, eflags: c_int);
    pub fn standard_ExecutorRun(
        query: *mut pg_sys::QueryDesc,
        direction: pg_sys::ScanDirection::Type,
        count: u64,
        #[cfg(not(since_18))] once: bool,
    );
    pub fn standard_ExecutorFinish(query: *mut pg_sys::QueryDesc);
    pub fn standard_ExecutorEnd(query: *mut pg_sys::QueryDesc);
    pub fn CreateQueryDesc(
        plan: *mut pg_sys::PlannedStmt,
        text: *const c_char,
        snapshot: pg_sys::Snapshot,
        crosscheck: pg_sys::Snapshot,
        destination: *mut pg_sys::DestReceiver,
        parameters: pg_sys::ParamListInfo,
        environment: *mut pg_sys::QueryEnvironment,
        options: c_int,
    ) -> *mut pg_sys::QueryDesc;
    pub fn FreeQueryDesc(query: *mut pg_sys::QueryDesc);
    pub fn ExecEndNode(node: *mut pg_sys::PlanState);
    pub fn ExecInitNode(
        node: *mut pg_sys::Plan,
        estate: *mut pg_sys::EState,
        eflags: c_int,
    ) -> *mut pg_sys::PlanState;
    pub fn ExecReScan(node: *mut pg_sys::PlanState);
    pub fn ExecGetResultSlotOps(
        state: *mut pg_sys::PlanState,
        is_fixed: *mut bool,
    ) -> *const pg_sys::TupleTableSlotOps;
    pub fn slot_getsomeattrs_int(slot: *mut pg_sys::TupleTableSlot, attnum: c_int);

    // tcop/utility.h
    pub fn standard_ProcessUtility(
        statement: *mut pg_sys::PlannedStmt,
        query_string: *const c_char,
        read_only_tree: bool,
        context: pg_sys::ProcessUtilityContext::Type,
        params: pg_sys::ParamListInfo,
        environment: *mut pg_sys::QueryEnvironment,
        destination: *mut pg_sys::DestReceiver,
        completion: *mut pg_sys::QueryCompletion,
    );

    // fmgr.h, utils/builtins.h
    pub fn OutputFunctionCall(function: *mut pg_sys::FmgrInfo, value: pg_sys::Datum) -> *mut c_char;
    pub fn OidFunctionCall2Coll(
        function: pg_sys::Oid,
        collation: pg_sys::Oid,
        first: pg_sys::Datum,
        second: pg_sys::Datum,
    ) -> pg_sys::Datum;
    pub fn OidFunctionCall3Coll(
        function: pg_sys::Oid,
        collation: pg_sys::Oid,
        first: pg_sys::Datum,
        second: pg_sys::Datum,
        third: pg_sys::Datum,
    ) -> pg_sys::Datum;
    pub fn cstring_to_text(text: *const c_char) -> *mut pg_sys::text;

    // utils/tuplestore.h
    pub fn tuplestore_begin_heap(
        random_access: bool,
        inter_transaction: bool,
        max_kilobytes: c_int,
    ) -> *mut pg_sys::Tuplestorestate;
    pub fn tuplestore_puttupleslot(state: *mut pg_sys::Tuplestorestate, slot: *mut pg_sys::TupleTableSlot);
    pub fn tuplestore_gettupleslot(
        state: *mut pg_sys::Tuplestorestate,
        forward: bool,
        copy: bool,
        slot: *mut pg_sys::TupleTableSlot,
    ) -> bool;
    pub fn tuplestore_end(state: *mut pg_sys::Tuplestorestate);

    // utils/tuplesort.h
    pub fn tuplesort_begin_datum(
        data_type: pg_sys::Oid,
        operator: pg_sys::Oid,
        collation: pg_sys::Oid,
        nulls_first: bool,
        max_kilobytes: c_int,
        coordinate: *mut c_void,
        options: c_int,
    ) -> *mut pg_sys::Tuplesortstate;
    pub fn tuplesort_putdatum(state: *mut pg_sys::Tuplesortstate, value: pg_sys::Datum, is_null: bool);
    pub fn tuplesort_performsort(state: *mut pg_sys::Tuplesortstate);
    pub fn tuplesort_getdatum(
        state: *mut pg_sys::Tuplesortstate,
        forward: bool,
        #[cfg(since_16)] copy: bool,
        value: *mut pg_sys::Datum,
        is_null: *mut bool,
        abbreviated: *mut pg_sys::Datum,
    ) -> bool;
    pub fn tuplesort_end(state: *mut pg_sys::Tuplesortstate);

    // common/hashfn.h; raises nothing
    pub fn hash_bytes_extended(bytes: *const u8, length: c_int, seed: u64) -> u64;

    // nodes/nodeFuncs.h: macros over the _impl functions from 16 on
    #[cfg_attr(since_16, link_name = "expression_tree_walker_impl")]
    pub fn expression_tree_walker(node: *mut pg_sys::Node, walker: Walker, context: *mut c_void) -> bool;
    #[cfg_attr(since_16, link_name = "query_tree_walker_impl")]
    pub fn query_tree_walker(
        query: *mut pg_sys::Query,
        walker: Walker,
        context: *mut c_void,
        flags: c_int,
    ) -> bool;

    #[cfg_attr(since_16, link_name = "planstate_tree_walker_impl")]
    pub fn planstate_tree_walker(
        state: *mut pg_sys::PlanState,
        walker: StateWalker,
        context: *mut c_void,
    ) -> bool;

    #[cfg_attr(since_16, link_name = "expression_tree_mutator_impl")]
    pub fn expression_tree_mutator(
        node: *mut pg_sys::Node,
        mutator: Mutator,
        context: *mut c_void,
    ) -> *mut pg_sys::Node;

    pub fn check_functions_in_node(
        node: *mut pg_sys::Node,
        checker: unsafe extern "C-unwind" fn(pg_sys::Oid, *mut c_void) -> bool,
        context: *mut c_void,
    ) -> bool;

    // nodes/pg_list.h, nodes/makefuncs.h, nodes/nodeFuncs.h, nodes/nodes.h
    pub fn lappend(list: *mut pg_sys::List, datum: *mut c_void) -> *mut pg_sys::List;
    pub fn makeConst(
        kind: pg_sys::Oid,
        modifier: i32,
        collation: pg_sys::Oid,
        length: c_int,
        value: pg_sys::Datum,
        is_null: bool,
        by_value: bool,
    ) -> *mut pg_sys::Const;
    pub fn exprType(expression: *const pg_sys::Node) -> pg_sys::Oid;
    pub fn exprTypmod(expression: *const pg_sys::Node) -> i32;
    pub fn exprCollation(expression: *const pg_sys::Node) -> pg_sys::Oid;
    pub fn makeVar(
        of: c_int,
        number: pg_sys::AttrNumber,
        kind: pg_sys::Oid,
        modifier: i32,
        collation: pg_sys::Oid,
        levels_up: pg_sys::Index,
    ) -> *mut pg_sys::Var;
    pub fn makeTargetEntry(
        expression: *mut pg_sys::Expr,
        number: pg_sys::AttrNumber,
        name: *mut c_char,
        junk: bool,
    ) -> *mut pg_sys::TargetEntry;
    pub fn equal(one: *const c_void, other: *const c_void) -> bool;
    pub fn copyObjectImpl(node: *const c_void) -> *mut c_void;

    // utils/palloc.h, utils/memutils.h, utils/datum.h
    pub fn AllocSetContextCreateInternal(
        parent: pg_sys::MemoryContext,
        name: *const c_char,
        first: usize,
        block: usize,
        most: usize,
    ) -> pg_sys::MemoryContext;
    pub fn MemoryContextDelete(context: pg_sys::MemoryContext);
    pub fn palloc0(size: usize) -> *mut c_void;
    pub fn MemoryContextAllocHuge(context: pg_sys::MemoryContext, size: usize) -> *mut c_void;
    pub fn repalloc_huge(pointer: *mut c_void, size: usize) -> *mut c_void;
    pub fn pfree(pointer: *mut c_void);
    pub fn MemoryContextRegisterResetCallback(
        context: pg_sys::MemoryContext,
        callback: *mut pg_sys::MemoryContextCallback,
    );
    pub fn datumGetSize(value: pg_sys::Datum, by_value: bool, length: c_int) -> usize;

    // pgstat.h
    pub fn pgstat_assoc_relation(relation: pg_sys::Relation);

    // storage/bufmgr.h, access/heapam.h
    pub fn ReadBufferExtended(
        relation: pg_sys::Relation,
        fork: pg_sys::ForkNumber::Type,
        block: pg_sys::BlockNumber,
        mode: pg_sys::ReadBufferMode::Type,
        strategy: pg_sys::BufferAccessStrategy,
    ) -> pg_sys::Buffer;
    #[cfg_attr(since_19, link_name = "LockBufferInternal")]
    pub fn LockBuffer(buffer: pg_sys::Buffer, mode: c_int);
    pub fn UnlockReleaseBuffer(buffer: pg_sys::Buffer);
    pub fn GetAccessStrategy(kind: pg_sys::BufferAccessStrategyType::Type) -> pg_sys::BufferAccessStrategy;
    pub fn FreeAccessStrategy(strategy: pg_sys::BufferAccessStrategy);
    pub fn HeapTupleSatisfiesVisibility(
        tuple: pg_sys::HeapTuple,
        snapshot: pg_sys::Snapshot,
        buffer: pg_sys::Buffer,
    ) -> bool;
    pub fn ReadBuffer(relation: pg_sys::Relation, block: pg_sys::BlockNumber) -> pg_sys::Buffer;
    pub fn ReleaseBuffer(buffer: pg_sys::Buffer);
    pub fn GetHeapamTableAmRoutine() -> *const pg_sys::TableAmRoutine;

    // parser/parse_node.h, parser/parse_relation.h
    pub fn make_parsestate(parent: *mut pg_sys::ParseState) -> *mut pg_sys::ParseState;
    pub fn addRangeTableEntryForRelation(
        state: *mut pg_sys::ParseState,
        relation: pg_sys::Relation,
        lockmode: c_int,
        alias: *mut pg_sys::Alias,
        inherits: bool,
        in_from: bool,
    ) -> *mut pg_sys::ParseNamespaceItem;

    // utils/snapmgr.h
    pub fn GetTransactionSnapshot() -> pg_sys::Snapshot;
    pub fn PushActiveSnapshot(snapshot: pg_sys::Snapshot);
    pub fn PopActiveSnapshot();

    // miscadmin.h
    pub fn GetUserIdAndSecContext(user: *mut pg_sys::Oid, context: *mut c_int);
    pub fn SetUserIdAndSecContext(user: pg_sys::Oid, context: c_int);

    // executor/tuptable.h, executor/executor.h
    pub fn ExecFindJunkAttributeInTlist(list: *mut pg_sys::List, name: *const c_char) -> pg_sys::AttrNumber;
    pub fn ExecGetResultType(state: *mut pg_sys::PlanState) -> pg_sys::TupleDesc;
    pub fn ExecAllocTableSlot(
        table: *mut *mut pg_sys::List,
        descriptor: pg_sys::TupleDesc,
        ops: *const pg_sys::TupleTableSlotOps,
        #[cfg(since_19)] flags: u16,
    ) -> *mut pg_sys::TupleTableSlot;

    // access/tableam.h, executor/tuptable.h
    pub fn table_slot_create(
        relation: pg_sys::Relation,
        list: *mut *mut pg_sys::List,
    ) -> *mut pg_sys::TupleTableSlot;
    pub fn ExecDropSingleTupleTableSlot(slot: *mut pg_sys::TupleTableSlot);

    // funcapi.h
    pub fn InitMaterializedSRF(call: pg_sys::FunctionCallInfo, flags: u32);

    // access/xact.h, utils/elog.h
    pub fn BeginInternalSubTransaction(name: *const c_char);
    pub fn RollbackAndReleaseCurrentSubTransaction();
    pub fn ReleaseCurrentSubTransaction();
    pub fn ReThrowError(error: *mut pg_sys::ErrorData) -> !;
    pub fn CopyErrorData() -> *mut pg_sys::ErrorData;

    // executor/spi.h
    pub fn SPI_connect() -> c_int;
    pub fn SPI_execute(text: *const c_char, read_only: bool, count: core::ffi::c_long) -> c_int;
    pub fn SPI_execute_with_args(
        text: *const c_char,
        count: c_int,
        types: *mut pg_sys::Oid,
        values: *mut pg_sys::Datum,
        nulls: *const c_char,
        read_only: bool,
        limit: core::ffi::c_long,
    ) -> c_int;
    pub fn SPI_finish() -> c_int;
    pub fn SPI_prepare(text: *const c_char, count: c_int, types: *mut pg_sys::Oid) -> pg_sys::SPIPlanPtr;
    pub fn SPI_execute_snapshot(
        plan: pg_sys::SPIPlanPtr,
        values: *mut pg_sys::Datum,
        nulls: *const c_char,
        snapshot: pg_sys::Snapshot,
        crosscheck: pg_sys::Snapshot,
        read_only: bool,
        fire_triggers: bool,
        limit: core::ffi::c_long,
    ) -> c_int;
    pub fn SPI_returntuple(row: pg_sys::HeapTuple, descriptor: pg_sys::TupleDesc) -> pg_sys::HeapTupleHeader;

    // commands/trigger.h, utils/tuplestore.h, funcapi.h
    pub fn AfterTriggerBeginQuery();
    pub fn AfterTriggerEndQuery(estate: *mut pg_sys::EState);
    pub fn tuplestore_tuple_count(store: *mut pg_sys::Tuplestorestate) -> i64;
    pub fn HeapTupleHeaderGetDatum(tuple: pg_sys::HeapTupleHeader) -> pg_sys::Datum;

    // parser/parser.h, tcop/tcopprot.h, utils/guc.h, miscadmin.h
    pub fn raw_parser(text: *const c_char, mode: pg_sys::RawParseMode::Type) -> *mut pg_sys::List;
    pub fn pg_analyze_and_rewrite_fixedparams(
        statement: *mut pg_sys::RawStmt,
        text: *const c_char,
        types: *const pg_sys::Oid,
        count: c_int,
        environment: *mut pg_sys::QueryEnvironment,
    ) -> *mut pg_sys::List;
    pub fn pg_analyze_and_rewrite_varparams(
        statement: *mut pg_sys::RawStmt,
        text: *const c_char,
        types: *mut *mut pg_sys::Oid,
        count: *mut c_int,
        environment: *mut pg_sys::QueryEnvironment,
    ) -> *mut pg_sys::List;
    pub fn pg_analyze_and_rewrite_withcb(
        statement: *mut pg_sys::RawStmt,
        text: *const c_char,
        setup: *mut c_void,
        argument: *mut c_void,
        environment: *mut pg_sys::QueryEnvironment,
    ) -> *mut pg_sys::List;
    pub fn ExecuteDoStmt(state: *mut pg_sys::ParseState, statement: *mut pg_sys::DoStmt, atomic: bool);
    pub fn pg_plan_query(
        query: *mut pg_sys::Query,
        text: *const c_char,
        options: c_int,
        parameters: pg_sys::ParamListInfo,
        #[cfg(since_19)] explain: *mut pg_sys::ExplainState,
    ) -> *mut pg_sys::PlannedStmt;
    pub fn ExecSetVariableStmt(statement: *mut pg_sys::VariableSetStmt, top_level: bool);
    pub fn ProcessInterrupts();

    // storage/ipc.h, storage/shmem.h, storage/lwlock.h
    pub fn RequestAddinShmemSpace(size: usize);
    pub fn ShmemInitStruct(name: *const c_char, size: usize, found: *mut bool) -> *mut c_void;
    pub fn LWLockAcquire(lock: *mut pg_sys::LWLock, mode: pg_sys::LWLockMode::Type) -> bool;
    pub fn LWLockRelease(lock: *mut pg_sys::LWLock);
    pub fn on_shmem_exit(function: pg_sys::pg_on_exit_callback, argument: pg_sys::Datum);

    // access/xact.h
    pub fn IsTransactionBlock() -> bool;
    pub fn IsTransactionState() -> bool;
    pub fn GetCurrentCommandId(used: bool) -> pg_sys::CommandId;
    pub fn GetCurrentStatementStartTimestamp() -> pg_sys::TimestampTz;
    pub fn GetCurrentTransactionStartTimestamp() -> pg_sys::TimestampTz;

    pub fn TransactionIdIsCurrentTransactionId(xid: pg_sys::TransactionId) -> bool;

    // access/htup_details.h, access/genam.h
    pub fn HeapTupleHeaderGetCmin(header: pg_sys::HeapTupleHeader) -> pg_sys::CommandId;
    pub fn HeapTupleGetUpdateXid(header: pg_sys::HeapTupleHeader) -> pg_sys::TransactionId;
    pub fn HeapTupleHeaderGetCmax(header: pg_sys::HeapTupleHeader) -> pg_sys::CommandId;
    pub fn index_rescan(
        scan: pg_sys::IndexScanDesc,
        keys: pg_sys::ScanKey,
        count: c_int,
        orderings: pg_sys::ScanKey,
        order_count: c_int,
    );
    pub fn index_getnext_slot(
        scan: pg_sys::IndexScanDesc,
        direction: pg_sys::ScanDirection::Type,
        slot: *mut pg_sys::TupleTableSlot,
    ) -> bool;

    // commands/trigger.h
    pub fn pg_trigger_depth(call: pg_sys::FunctionCallInfo) -> pg_sys::Datum;

    // stdlib.h, utils/guc.h
    pub fn set_config_option(
        name: *const c_char,
        value: *const c_char,
        context: pg_sys::GucContext::Type,
        source: pg_sys::GucSource::Type,
        action: pg_sys::GucAction::Type,
        change: bool,
        level: c_int,
        is_reload: bool,
    ) -> c_int;
    pub fn GetConfigOptionResetString(name: *const c_char) -> *const c_char;
    pub fn GetConfigOption(name: *const c_char, missing_ok: bool, restrict: bool) -> *const c_char;
    #[cfg(not(since_16))]
    pub fn malloc(size: usize) -> *mut c_void;
    #[cfg(since_16)]
    pub fn guc_malloc(level: c_int, size: usize) -> *mut c_void;

    // utils/inval.h
    pub fn AcceptInvalidationMessages();

    // executor/executor.h
    #[cfg(not(since_16))]
    pub fn ExecCheckRTPerms(table: *mut pg_sys::List, raise: bool) -> bool;
    #[cfg(since_16)]
    pub fn ExecCheckPermissions(table: *mut pg_sys::List, infos: *mut pg_sys::List, raise: bool) -> bool;

    // executor/execPartition.h
    pub fn ExecFindPartition(
        state: *mut pg_sys::ModifyTableState,
        root: *mut pg_sys::ResultRelInfo,
        routing: *mut pg_sys::PartitionTupleRouting,
        slot: *mut pg_sys::TupleTableSlot,
        estate: *mut pg_sys::EState,
    ) -> *mut pg_sys::ResultRelInfo;

    // utils/plancache.h
    pub safe fn ResetPlanCache();

    // catalog/pg_inherits.h, which pgrx does not bind
    pub fn has_superclass(relation: pg_sys::Oid) -> bool;
    pub fn find_all_inheritors(
        parent: pg_sys::Oid,
        lockmode: pg_sys::LOCKMODE,
        numparents: *mut *mut pg_sys::List,
    ) -> *mut pg_sys::List;

    // utils/partcache.h, which pgrx does not bind
    pub fn RelationGetPartitionQual(relation: pg_sys::Relation) -> *mut pg_sys::List;

    // utils/elog.h: pgrx keeps these to itself
    fn pg_re_throw() -> !;
    fn FlushErrorState();
    pub fn errstart(level: c_int, domain: *const c_char) -> bool;
    pub fn errcode(sqlstate: c_int) -> c_int;
    pub fn errmsg_internal(format: *const c_char, ...) -> c_int;
    pub fn errdetail_internal(format: *const c_char, ...) -> c_int;
    pub fn errhint(format: *const c_char, ...) -> c_int;
    pub fn err_generic_string(field: c_int, text: *const c_char) -> c_int;
    pub fn errfinish(file: *const c_char, line: c_int, function: *const c_char);
}

/// Throws the error on that PostgreSQL holds.
///
/// # Safety
/// PostgreSQL's error stack must not be empty, and no frame above may own anything.
#[allow(ffi_unwind_calls, reason = "this is the rethrow itself; by contract no frame above owns anything")]
pub unsafe fn throw_on() -> ! {
    // SAFETY: see the contract.
    unsafe { pg_re_throw() }
}

/// Empties PostgreSQL's error stack, which neither raises an error nor takes memory.
///
/// # Safety
/// What is on it must be the caller's to swallow.
#[allow(ffi_unwind_calls, reason = "raises nothing")]
pub unsafe fn forget_errors() {
    // SAFETY: see the contract.
    unsafe { FlushErrorState() }
}
