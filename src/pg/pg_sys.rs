//! PostgreSQL's types, variables and functions, as pgrx binds them, but that an error of a function's stays
//! on PostgreSQL's error stack, whole, while Rust unwinds (`frame::call`). pgrx's own boundary copies the
//! error first, which takes memory: where there is none left the copy fails, its copy fails, and so on until
//! PostgreSQL ends every backend (PANIC: ERRORDATA_STACK_SIZE exceeded).
//!
//! What stands here hides pgrx's function of the same name; types and variables are pgrx's. `make lint` looks
//! for calls of functions that are missing here. What runs other people's code, or has to be called from a
//! bare frame, is in `raw`.

use core::ffi::{CStr, c_char, c_int, c_void};

pub use pgrx::pg_sys::*;

use super::frame;

/// Declares functions as bindgen has them; one that differs from this major's does not compile. After `=`
/// stands the symbol of what is a static inline function in PostgreSQL's headers.
macro_rules! functions {
    ($(
        $(#[$major:meta])*
        fn $name:ident($($argument:ident: $type:ty),*) $(-> $result:ty)? $(= $symbol:literal)?;
    )*) => {$(
        function! {
            #[doc = "# Safety"]
            #[doc = "As PostgreSQL's function of this name asks; inside `frame::guarded`."]
            $(#[$major])* [unsafe] fn $name($($argument: $type),*) $(-> $result)? $(= $symbol)?;
        }
    )*};
}

/// As `functions`, of those that take nothing but values, and raise an error where one means nothing.
macro_rules! functions_of_values {
    ($($(#[$major:meta])* fn $name:ident($($argument:ident: $type:ty),*) $(-> $result:ty)?;)*) => {$(
        function! { $(#[$major])* [] fn $name($($argument: $type),*) $(-> $result)?; }
    )*};
}

/// Likewise, of those that give a text, which is in the current memory context, or NULL.
macro_rules! functions_that_give_texts {
    ($(fn $name:ident($($argument:ident: $type:ty),*);)*) => {$(
        #[allow(non_snake_case, reason = "PostgreSQL's own")]
        pub fn $name<'t>($($argument: $type),*) -> Option<&'t CStr> {
            function! { [] fn $name($($argument: $type),*) -> *mut c_char; }
            let text = $name($($argument),*);
            // SAFETY: NULL, or a NUL-terminated text.
            (!text.is_null()).then(|| unsafe { CStr::from_ptr(text) })
        }
    )*};
}

macro_rules! function {
    ($(#[$about:meta])* [$($unsafe:ident)?] fn $name:ident($($argument:ident: $type:ty),*)
     $(-> $result:ty)? $(= $symbol:literal)?;) => {
        $(#[$about])*
        #[allow(non_snake_case, clippy::too_many_arguments, reason = "PostgreSQL's own")]
        pub $($unsafe)? fn $name($($argument: $type),*) $(-> $result)? {
            unsafe extern "C-unwind" {
                $(#[link_name = $symbol])?
                fn $name($($argument: $type),*) $(-> $result)?;
            }
            const _: unsafe fn($($type),*) $(-> $result)? = pgrx::pg_sys::$name;
            frame::call(|| {
                #[allow(ffi_unwind_calls, reason = "inside frame::call; the closure owns nothing")]
                // SAFETY: by the contract of PostgreSQL's function; declared as bindgen declares it.
                unsafe { $name($($argument),*) }
            })
        }
    };
}

#[cfg(not(since_19))]
type ArrayPointer = *mut ArrayType;
#[cfg(since_19)]
type ArrayPointer = *const ArrayType;

functions! {
    fn AllocSetContextCreateInternal(
        parent: MemoryContext, name: *const c_char, min_context_size: usize, init_block_size: usize,
        max_block_size: usize
    ) -> MemoryContext;
    fn array_contains_nulls(array: ArrayPointer) -> bool;
    fn ArrayGetNItems(ndim: c_int, dims: *const c_int) -> c_int;
    fn AtEOXact_GUC(is_commit: bool, nest_level: c_int);
    fn CatalogCloseIndexes(indstate: CatalogIndexState);
    fn CatalogOpenIndexes(heap_rel: Relation) -> CatalogIndexState;
    fn CatalogTupleInsertWithInfo(heap_rel: Relation, tup: HeapTuple, indstate: CatalogIndexState);
    fn CacheRegisterRelcacheCallback(func: RelcacheCallbackFunction, arg: Datum);
    fn CacheRegisterSyscacheCallback(cacheid: c_int, func: SyscacheCallbackFunction, arg: Datum);
    fn canonicalize_qual(qual: *mut Expr, is_check: bool) -> *mut Expr;
    fn ChangeVarNodes(node: *mut Node, old_varno: c_int, new_varno: c_int, sublevels_up: c_int);
    fn ConditionalLockRelationOid(relid: Oid, lockmode: LOCKMODE) -> bool;
    fn construct_md_array(
        elems: *mut Datum, nulls: *mut bool, ndims: c_int, dims: *mut c_int, lbs: *mut c_int, elmtype: Oid,
        elmlen: c_int, elmbyval: bool, elmalign: c_char
    ) -> *mut ArrayType;
    fn contain_mutable_functions(clause: *mut Node) -> bool;
    fn contain_subplans(clause: *mut Node) -> bool;
    fn contain_var_clause(node: *mut Node) -> bool;
    fn contain_volatile_functions(clause: *mut Node) -> bool;
    fn copyObjectImpl(obj: *const c_void) -> *mut c_void;
    fn CreateCommandTag(parsetree: *mut Node) -> CommandTag::Type;
    #[cfg(not(since_19))]
    fn CreateTriggerFiringOn(
        stmt: *mut CreateTrigStmt, query_string: *const c_char, rel_oid: Oid, ref_rel_oid: Oid,
        constraint_oid: Oid, index_oid: Oid, funcoid: Oid, parent_trigger_oid: Oid, when_clause: *mut Node,
        is_internal: bool, in_partition: bool, trigger_fires_when: c_char
    ) -> ObjectAddress;
    #[cfg(since_19)]
    fn CreateTriggerFiringOn(
        stmt: *const CreateTrigStmt, query_string: *const c_char, rel_oid: Oid, ref_rel_oid: Oid,
        constraint_oid: Oid, index_oid: Oid, funcoid: Oid, parent_trigger_oid: Oid, when_clause: *mut Node,
        is_internal: bool, in_partition: bool, trigger_fires_when: c_char
    ) -> ObjectAddress;
    fn cstring_to_text(s: *const c_char) -> *mut text;
    fn deconstruct_array(
        array: ArrayPointer, elmtype: Oid, elmlen: c_int, elmbyval: bool, elmalign: c_char,
        elemsp: *mut *mut Datum, nullsp: *mut *mut bool, nelemsp: *mut c_int
    );
    fn DecrTupleDescRefCount(tupdesc: TupleDesc);
    fn bms_next_member(a: *const Bitmapset, prevbit: c_int) -> c_int;
    fn defGetBoolean(def: *mut DefElem) -> bool;
    fn deparse_expression(
        expr: *mut Node, dpcontext: *mut List, forceprefix: bool, showimplicit: bool
    ) -> *mut c_char;
    fn DefineCustomBoolVariable(
        name: *const c_char, short_desc: *const c_char, long_desc: *const c_char,
        value_addr: *mut bool, boot_value: bool, context: GucContext::Type,
        flags: c_int, check_hook: GucBoolCheckHook, assign_hook: GucBoolAssignHook, show_hook: GucShowHook
    );
    fn DefineCustomEnumVariable(
        name: *const c_char, short_desc: *const c_char, long_desc: *const c_char,
        value_addr: *mut c_int, boot_value: c_int, options: *const config_enum_entry, context: GucContext::Type,
        flags: c_int, check_hook: GucEnumCheckHook, assign_hook: GucEnumAssignHook, show_hook: GucShowHook
    );
    fn DefineCustomIntVariable(
        name: *const c_char, short_desc: *const c_char, long_desc: *const c_char,
        value_addr: *mut c_int, boot_value: c_int, min_value: c_int, max_value: c_int, context: GucContext::Type,
        flags: c_int, check_hook: GucIntCheckHook, assign_hook: GucIntAssignHook, show_hook: GucShowHook
    );
    fn DefineCustomRealVariable(
        name: *const c_char, short_desc: *const c_char, long_desc: *const c_char,
        value_addr: *mut f64, boot_value: f64, min_value: f64, max_value: f64, context: GucContext::Type,
        flags: c_int, check_hook: GucRealCheckHook, assign_hook: GucRealAssignHook, show_hook: GucShowHook
    );
    fn DefineCustomStringVariable(
        name: *const c_char, short_desc: *const c_char, long_desc: *const c_char,
        value_addr: *mut *mut c_char, boot_value: *const c_char, context: GucContext::Type,
        flags: c_int, check_hook: GucStringCheckHook, assign_hook: GucStringAssignHook, show_hook: GucShowHook
    );
    fn DropPreparedStatement(name: *const c_char, show_error: bool);
    fn eval_const_expressions(root: *mut PlannerInfo, node: *mut Node) -> *mut Node;
    fn equal(a: *const c_void, b: *const c_void) -> bool;
    fn estimate_rel_size(
        rel: Relation, attr_widths: *mut i32, pages: *mut BlockNumber, tuples: *mut f64,
        allvisfrac: *mut f64
    );
    fn ExecDropSingleTupleTableSlot(slot: *mut TupleTableSlot);
    fn ExplainPropertyInteger(
        qlabel: *const c_char, unit: *const c_char, value: i64, es: *mut ExplainState
    );
    fn ExplainPropertyList(qlabel: *const c_char, data: *mut List, es: *mut ExplainState);
    fn ExplainPropertyText(qlabel: *const c_char, value: *const c_char, es: *mut ExplainState);
    fn expression_planner(expr: *mut Expr) -> *mut Expr;
    fn expression_returns_set(clause: *mut Node) -> bool;
    fn exprType(expr: *const Node) -> Oid;
    fn find_coercion_pathway(
        target_type_id: Oid,
        source_type_id: Oid,
        ccontext: CoercionContext::Type,
        funcid: *mut Oid
    ) -> CoercionPathType::Type;
    fn find_rendezvous_variable(var_name: *const c_char) -> *mut *mut c_void;
    fn find_tabstat_entry(rel_id: Oid) -> *mut PgStat_TableStatus;
    fn get_atttypetypmodcoll(
        relid: Oid, attnum: AttrNumber, typid: *mut Oid, typmod: *mut i32, collid: *mut Oid
    );
    fn fmgr_info(function_id: Oid, finfo: *mut FmgrInfo);
    fn format_type_extended(type_oid: Oid, typemod: i32, flags: u16) -> *mut c_char;
    fn get_extension_oid(extname: *const c_char, missing_ok: bool) -> Oid;
    fn get_fn_expr_argtype(flinfo: *mut FmgrInfo, argnum: c_int) -> Oid;
    fn get_func_signature(funcid: Oid, argtypes: *mut *mut Oid, nargs: *mut c_int) -> Oid;
    fn get_namespace_oid(nspname: *const c_char, missing_ok: bool) -> Oid;
    fn get_primary_key_attnos(relid: Oid, deferrable_ok: bool, constraint_oid: *mut Oid) -> *mut Bitmapset;
    fn get_relname_relid(relname: *const c_char, relnamespace: Oid) -> Oid;
    fn get_role_oid(rolename: *const c_char, missing_ok: bool) -> Oid;
    fn get_typlenbyvalalign(typid: Oid, typlen: *mut i16, typbyval: *mut bool, typalign: *mut c_char);
    fn get_view_query(view: Relation) -> *mut Query;
    fn GetAttributeByNum(tuple: HeapTupleHeader, attrno: AttrNumber, is_null: *mut bool) -> Datum;
    fn GetCommandTagName(command_tag: CommandTag::Type) -> *const c_char;
    fn GetLockStatusData() -> *mut LockData;
    fn GetSecurityLabel(object: *const ObjectAddress, provider: *const c_char) -> *mut c_char;
    fn getTypeInputInfo(typ: Oid, typ_input: *mut Oid, typ_io_param: *mut Oid);
    fn getTypeOutputInfo(typ: Oid, typ_output: *mut Oid, typ_is_varlena: *mut bool);
    fn GetXLogReplayRecPtr(replay_tli: *mut TimeLineID) -> XLogRecPtr;
    fn heap_deform_tuple(tuple: HeapTuple, tuple_desc: TupleDesc, values: *mut Datum, isnull: *mut bool);
    #[cfg(not(since_17))]
    fn heap_form_tuple(tuple_descriptor: TupleDesc, values: *mut Datum, isnull: *mut bool) -> HeapTuple;
    #[cfg(since_17)]
    fn heap_form_tuple(tuple_descriptor: TupleDesc, values: *const Datum, isnull: *const bool) -> HeapTuple;
    fn HeapTupleHeaderGetDatum(tuple: HeapTupleHeader) -> Datum;
    fn IncrementVarSublevelsUp(node: *mut Node, delta_sublevels_up: c_int, min_sublevels_up: c_int);
    fn index_close(relation: Relation, lockmode: LOCKMODE);
    fn index_open(relation_id: Oid, lockmode: LOCKMODE) -> Relation;
    #[cfg(not(since_19))]
    fn InstrAlloc(n: c_int, instrument_options: c_int, async_mode: bool) -> *mut Instrumentation;
    #[cfg(since_19)]
    fn InstrAllocNode(instrument_options: c_int, async_mode: bool) -> *mut NodeInstrumentation;
    fn InputFunctionCall(flinfo: *mut FmgrInfo, text: *mut c_char, typioparam: Oid, typmod: i32) -> Datum;
    fn IsSystemClass(relid: Oid, reltuple: Form_pg_class) -> bool;
    fn lappend(list: *mut List, datum: *mut c_void) -> *mut List;
    fn lappend_int(list: *mut List, datum: c_int) -> *mut List;
    fn lappend_oid(list: *mut List, datum: Oid) -> *mut List;
    fn load_external_function(
        filename: *const c_char, funcname: *const c_char, signal_not_found: bool,
        filehandle: *mut *mut c_void
    ) -> *mut c_void;
    #[cfg(not(since_17))]
    fn LockHeldByMe(tag: *const LOCKTAG, mode: LOCKMODE) -> bool;
    #[cfg(since_17)]
    fn LockHeldByMe(tag: *const LOCKTAG, mode: LOCKMODE, or_stronger: bool) -> bool;
    fn LockRelationOid(relid: Oid, lockmode: LOCKMODE);
    fn LockRelease(tag: *const LOCKTAG, mode: LOCKMODE, of_session: bool) -> bool;
    fn MakeTransitionCaptureState(
        trigdesc: *mut TriggerDesc, relid: Oid, cmd_type: CmdType::Type
    ) -> *mut TransitionCaptureState;
    fn MakeSingleTupleTableSlot(tupdesc: TupleDesc, tts_ops: *const TupleTableSlotOps) -> *mut TupleTableSlot;
    fn make_and_qual(qual1: *mut Node, qual2: *mut Node) -> *mut Node;
    fn make_ands_implicit(clause: *mut Expr) -> *mut List;
    fn make_opclause(
        opno: Oid, opresulttype: Oid, opretset: bool, leftop: *mut Expr, rightop: *mut Expr,
        opcollid: Oid, inputcollid: Oid
    ) -> *mut Expr;
    fn makeBoolExpr(boolop: BoolExprType::Type, args: *mut List, location: c_int) -> *mut Expr;
    fn makeConst(
        consttype: Oid, consttypmod: i32, constcollid: Oid, constlen: c_int, constvalue: Datum,
        constisnull: bool, constbyval: bool
    ) -> *mut Const;
    fn makeDefElem(name: *mut c_char, arg: *mut Node, location: c_int) -> *mut DefElem;
    fn makeParamList(num_params: c_int) -> ParamListInfo;
    #[cfg(not(since_17))]
    fn makeRangeVarFromNameList(names: *mut List) -> *mut RangeVar;
    #[cfg(since_17)]
    fn makeRangeVarFromNameList(names: *const List) -> *mut RangeVar;
    fn makeString(text: *mut c_char) -> *mut String;
    fn makeVar(
        varno: c_int, varattno: AttrNumber, vartype: Oid, vartypmod: i32, varcollid: Oid,
        varlevelsup: Index
    ) -> *mut Var;
    fn MarkGUCPrefixReserved(class_name: *const c_char);
    fn MemoryContextDelete(context: MemoryContext);
    fn MemoryContextRegisterResetCallback(context: MemoryContext, cb: *mut MemoryContextCallback);
    fn MemoryContextReset(context: MemoryContext);
    fn MemoryContextStrdup(context: MemoryContext, string: *const c_char) -> *mut c_char;
    fn negate_clause(node: *mut Node) -> *mut Node;
    fn OffsetVarNodes(node: *mut Node, offset: c_int, sublevels_up: c_int);
    fn OidInputFunctionCall(function_id: Oid, text: *mut c_char, typioparam: Oid, typmod: i32) -> Datum;
    fn OidOutputFunctionCall(function_id: Oid, val: Datum) -> *mut c_char;
    fn op_input_types(opno: Oid, lefttype: *mut Oid, righttype: *mut Oid);
    fn performDeletion(object: *const ObjectAddress, behavior: DropBehavior::Type, flags: c_int);
    fn pfree(pointer: *mut c_void);
    fn pg_any_to_server(s: *const c_char, len: c_int, encoding: c_int) -> *mut c_char;
    fn pg_detoast_datum(datum: *mut varlena) -> *mut varlena;
    fn pg_mbcharcliplen(text: *const c_char, len: c_int, limit: c_int) -> c_int;
    fn pg_mbcliplen(text: *const c_char, len: c_int, limit: c_int) -> c_int;
    fn pg_mbstrlen_with_len(text: *const c_char, limit: c_int) -> c_int;
    fn pg_server_to_any(s: *const c_char, len: c_int, encoding: c_int) -> *mut c_char;
    fn pg_get_querydef(query: *mut Query, pretty: bool) -> *mut c_char;
    fn predicate_implied_by(predicate_list: *mut List, clause_list: *mut List, weak: bool) -> bool;
    fn pull_var_clause(node: *mut Node, flags: c_int) -> *mut List;
    fn quote_identifier(ident: *const c_char) -> *const c_char;
    fn quote_literal_cstr(rawstr: *const c_char) -> *mut c_char;
    fn RangeVarGetRelidExtended(
        relation: *const RangeVar, lockmode: LOCKMODE, flags: u32, callback: RangeVarGetRelidCallback,
        callback_arg: *mut c_void
    ) -> Oid;
    #[cfg(not(since_18))]
    fn ReplaceVarsFromTargetList(
        node: *mut Node, target_varno: c_int, sublevels_up: c_int, target_rte: *mut RangeTblEntry,
        targetlist: *mut List, nomatch_option: ReplaceVarsNoMatchOption::Type, nomatch_varno: c_int,
        outer_has_sublinks: *mut bool
    ) -> *mut Node;
    #[cfg(since_18)]
    fn ReplaceVarsFromTargetList(
        node: *mut Node, target_varno: c_int, sublevels_up: c_int, target_rte: *mut RangeTblEntry,
        targetlist: *mut List, result_relation: c_int, nomatch_option: ReplaceVarsNoMatchOption::Type,
        nomatch_varno: c_int, outer_has_sublinks: *mut bool
    ) -> *mut Node;
    fn register_label_provider(provider: *const c_char, hook: check_object_relabel_type);
    fn RegisterSubXactCallback(callback: SubXactCallback, arg: *mut c_void);
    fn RegisterSnapshot(snapshot: Snapshot) -> Snapshot;
    fn RegisterXactCallback(callback: XactCallback, arg: *mut c_void);
    fn relation_close(relation: Relation, lockmode: LOCKMODE);
    fn RelationClose(relation: Relation);
    fn RelationGetFKeyList(relation: Relation) -> *mut List;
    fn RelationGetIndexList(relation: Relation) -> *mut List;
    fn RelationGetIndexPredicate(relation: Relation) -> *mut List;
    fn RelationGetNumberOfBlocksInFork(relation: Relation, fork_num: ForkNumber::Type) -> BlockNumber;
    fn RelationIdGetRelation(relation_id: Oid) -> Relation;
    fn ReleaseCatCacheList(list: *mut CatCList);
    fn ReleaseSysCache(tuple: HeapTuple);
    fn ScanKeyInit(
        entry: ScanKey, attribute_number: AttrNumber, strategy: StrategyNumber, procedure: RegProcedure,
        argument: Datum
    );
    fn SearchSysCache1(cache_id: c_int, key1: Datum) -> HeapTuple;
    fn SearchSysCacheList(cache_id: c_int, nkeys: c_int, key1: Datum, key2: Datum, key3: Datum) -> *mut catclist;
    fn set_config_option(
        name: *const c_char, value: *const c_char, context: GucContext::Type, source: GucSource::Type,
        action: GucAction::Type, change_val: bool, elevel: c_int, is_reload: bool
    ) -> c_int;
    fn SPI_getvalue(tuple: HeapTuple, descriptor: TupleDesc, number: c_int) -> *mut c_char;
    fn stringToNode(text: *const c_char) -> *mut c_void;
    fn SysCacheGetAttr(cache_id: c_int, tup: HeapTuple, attribute_number: AttrNumber, is_null: *mut bool) -> Datum;
    fn systable_beginscan(
        heap_relation: Relation, index_id: Oid, index_ok: bool, snapshot: Snapshot, nkeys: c_int,
        key: ScanKey
    ) -> SysScanDesc;
    fn systable_beginscan_ordered(
        heap_relation: Relation, index_relation: Relation, snapshot: Snapshot, nkeys: c_int, key: ScanKey
    ) -> SysScanDesc;
    fn systable_endscan_ordered(sysscan: SysScanDesc);
    fn systable_getnext_ordered(sysscan: SysScanDesc, direction: ScanDirection::Type) -> HeapTuple;
    fn systable_endscan(sysscan: SysScanDesc);
    fn systable_getnext(sysscan: SysScanDesc) -> HeapTuple;
    fn table_close(relation: Relation, lockmode: LOCKMODE);
    fn table_open(relation_id: Oid, lockmode: LOCKMODE) -> Relation;
    #[cfg(not(since_19))]
    fn table_beginscan(
        rel: Relation, snapshot: Snapshot, nkeys: c_int, key: *mut ScanKeyData
    ) -> TableScanDesc = "table_beginscan__pgrx_cshim";
    #[cfg(since_19)]
    fn table_beginscan(
        rel: Relation, snapshot: Snapshot, nkeys: c_int, key: *mut ScanKeyData, flags: u32
    ) -> TableScanDesc = "table_beginscan__pgrx_cshim";
    fn table_endscan(scan: TableScanDesc) = "table_endscan__pgrx_cshim";
    fn table_scan_getnextslot(
        sscan: TableScanDesc, direction: ScanDirection::Type, slot: *mut TupleTableSlot
    ) -> bool = "table_scan_getnextslot__pgrx_cshim";
    fn table_slot_create(rel: Relation, reglist: *mut *mut List) -> *mut TupleTableSlot;
    fn text_to_cstring(t: *const text) -> *mut c_char;
    #[cfg(since_18)]
    fn TupleDescAttr(
        tupdesc: TupleDesc, i: c_int
    ) -> *mut FormData_pg_attribute = "TupleDescAttr__pgrx_cshim";
    fn tuplestore_alloc_read_pointer(state: *mut Tuplestorestate, eflags: c_int) -> c_int;
    fn tuplestore_gettupleslot(
        state: *mut Tuplestorestate, forward: bool, copy: bool, slot: *mut TupleTableSlot
    ) -> bool;
    fn tuplestore_rescan(state: *mut Tuplestorestate);
    fn tuplestore_select_read_pointer(state: *mut Tuplestorestate, ptr: c_int);
    fn tuplestore_tuple_count(state: *mut Tuplestorestate) -> i64;
    #[cfg(not(since_17))]
    fn tuplestore_putvalues(
        state: *mut Tuplestorestate, tdesc: TupleDesc, values: *mut Datum, isnull: *mut bool
    );
    #[cfg(since_17)]
    fn tuplestore_putvalues(
        state: *mut Tuplestorestate, tdesc: TupleDesc, values: *const Datum, isnull: *const bool
    );
    fn typenameTypeId(pstate: *mut ParseState, type_name: *const TypeName) -> Oid;
    fn UnregisterSnapshot(snapshot: Snapshot);
    fn UnlockRelationOid(relid: Oid, lockmode: LOCKMODE);
    fn visibilitymap_count(rel: Relation, all_visible: *mut BlockNumber, all_frozen: *mut BlockNumber);
}

functions_of_values! {
    fn ActiveSnapshotSet() -> bool;
    fn AfterTriggerPendingOnRel(relid: Oid) -> bool;
    fn CacheInvalidateCatalog(catalog_id: Oid);
    fn CacheInvalidateRelcacheByRelid(relid: Oid);
    fn check_stack_depth();
    fn CommandCounterIncrement();
    fn fetch_search_path(include_implicit: bool) -> *mut List;
    fn func_strict(funcid: Oid) -> bool;
    fn func_volatile(funcid: Oid) -> c_char;
    fn get_attavgwidth(relid: Oid, attnum: AttrNumber) -> i32;
    fn get_element_type(typid: Oid) -> Oid;
    fn get_func_leakproof(funcid: Oid) -> bool;
    fn get_func_namespace(funcid: Oid) -> Oid;
    fn get_mergejoin_opfamilies(opno: Oid) -> *mut List;
    fn get_negator(opno: Oid) -> Oid;
    #[cfg(not(since_18))]
    fn get_op_btree_interpretation(opno: Oid) -> *mut List;
    #[cfg(since_18)]
    fn get_op_index_interpretation(opno: Oid) -> *mut List;
    fn get_op_opfamily_strategy(opno: Oid, opfamily: Oid) -> c_int;
    fn get_opcode(opno: Oid) -> RegProcedure;
    fn get_rel_namespace(relid: Oid) -> Oid;
    fn get_rel_persistence(relid: Oid) -> c_char;
    fn get_rel_relispartition(relid: Oid) -> bool;
    fn get_rel_relkind(relid: Oid) -> c_char;
    fn getBaseType(typid: Oid) -> Oid;
    fn get_typavgwidth(typid: Oid, typmod: i32) -> i32;
    fn get_typtype(typid: Oid) -> c_char;
    fn GetActiveSnapshot() -> Snapshot;
    fn GetCurrentSubTransactionId() -> SubTransactionId;
    fn GetCurrentTimestamp() -> TimestampTz;
    fn GetDatabaseEncoding() -> c_int;
    fn getObjectDescription(object: *const ObjectAddress, missing_ok: bool) -> *mut c_char;
    fn GetFdwRoutineByServerId(serverid: Oid) -> *mut FdwRoutine;
    fn GetForeignServerIdByRelId(relid: Oid) -> Oid;
    fn GetOuterUserId() -> Oid;
    fn GetLatestSnapshot() -> Snapshot;
    fn getOwnedSequences(relid: Oid) -> *mut List;
    fn GetSessionUserId() -> Oid;
    fn GetTopFullTransactionId() -> FullTransactionId;
    fn GetTopFullTransactionIdIfAny() -> FullTransactionId;
    fn GetUserId() -> Oid;
    fn GetXLogInsertRecPtr() -> XLogRecPtr;
    fn has_privs_of_role(member: Oid, role: Oid) -> bool;
    fn IsInParallelMode() -> bool;
    fn IsLogicalWorker() -> bool;
    fn isOtherTempNamespace(namespace_id: Oid) -> bool;
    fn IsTransactionBlock() -> bool;
    fn makeBoolConst(value: bool, isnull: bool) -> *mut Node;
    fn makeNullConst(consttype: Oid, consttypmod: i32, constcollid: Oid) -> *mut Const;
    fn makeTargetEntry(expr: *mut Expr, resno: AttrNumber, resname: *mut c_char, resjunk: bool) -> *mut TargetEntry;
    fn NewGUCNestLevel() -> c_int;
    fn lookup_rowtype_tupdesc(type_id: Oid, typmod: i32) -> TupleDesc;
    fn nextval_internal(relid: Oid, check_permissions: bool) -> i64;
    fn op_hashjoinable(opno: Oid, inputtype: Oid) -> bool;
    fn op_strict(opno: Oid) -> bool;
    fn palloc(size: usize) -> *mut c_void;
    fn palloc0(size: usize) -> *mut c_void;
    fn pg_attribute_aclcheck_all(table_oid: Oid, roleid: Oid, mode: AclMode, how: AclMaskHow::Type) -> AclResult::Type;
    fn pg_class_aclcheck(table_oid: Oid, roleid: Oid, mode: AclMode) -> AclResult::Type;
    fn pgstat_fetch_stat_tabentry(relid: Oid) -> *mut PgStat_StatTabEntry;
    fn RecoveryInProgress() -> bool;
    fn RelationIsVisible(relid: Oid) -> bool;
    fn ResetAllOptions();
    fn relation_open(relation_id: Oid, lockmode: LOCKMODE) -> Relation;
    fn superuser_arg(roleid: Oid) -> bool;
    fn try_relation_open(relation_id: Oid, lockmode: LOCKMODE) -> Relation;
    fn type_is_rowtype(typid: Oid) -> bool;
}

functions_that_give_texts! {
    fn get_attname(relid: Oid, attnum: AttrNumber, missing_ok: bool);
    fn get_database_name(dbid: Oid);
    fn get_func_name(funcid: Oid);
    fn get_namespace_name(nspid: Oid);
    fn get_rel_name(relid: Oid);
    fn GetUserNameFromId(roleid: Oid, noerr: bool);
}
