//! Reading PostgreSQL's node trees: tags, lists, casts.

use super::pg_sys;
use pgrx::pg_sys::NodeTag;

/// The tag of a node; `T_Invalid` for NULL.
pub fn tag<T>(node: *const T) -> NodeTag {
    if node.is_null() {
        return NodeTag::T_Invalid;
    }
    // SAFETY: every node starts with its tag.
    unsafe { (*node.cast::<pg_sys::Node>()).type_ }
}

/// The node as a `T` where its tag says so.
pub fn cast<T, N>(node: *mut N, is: NodeTag) -> Option<*mut T> {
    (tag(node) == is).then_some(node.cast())
}

/// The pointers of a list; NULL is the empty list.
pub fn items<T>(list: *const pg_sys::List) -> impl Iterator<Item = *mut T> {
    // SAFETY: a List holds `length` cells at `elements`, and is not changed while it is read.
    (0..length(list)).map(move |i| unsafe { (*(*list).elements.add(i)).ptr_value.cast() })
}

/// The integers of a list.
pub fn integers(list: *const pg_sys::List) -> impl Iterator<Item = i32> {
    // SAFETY: as in `items`.
    (0..length(list)).map(move |i| unsafe { (*(*list).elements.add(i)).int_value })
}

/// The OIDs of a list.
pub fn oids(list: *const pg_sys::List) -> impl Iterator<Item = pg_sys::Oid> {
    // SAFETY: as in `items`.
    (0..length(list)).map(move |i| unsafe { (*(*list).elements.add(i)).oid_value })
}

pub fn length(list: *const pg_sys::List) -> usize {
    // SAFETY: NULL or a List.
    if list.is_null() { 0 } else { unsafe { (*list).length as usize } }
}

/// The range table entry of a number counted from 1.
pub fn range_table_entry(rtable: *const pg_sys::List, index: u32) -> Option<*mut pg_sys::RangeTblEntry> {
    items(rtable).nth((index as usize).checked_sub(1)?)
}

/// The characters of a String node.
///
/// # Safety
/// `node` is a String node.
pub unsafe fn string(node: *mut pg_sys::Node) -> *const core::ffi::c_char {
    // SAFETY: by contract.
    unsafe { (*node.cast::<pg_sys::String>()).sval }
}

/// Casts that change a value's type but not the value.
pub fn strip_relabel(mut node: *mut pg_sys::Node) -> *mut pg_sys::Node {
    while let Some(relabel) = cast::<pg_sys::RelabelType, _>(node, NodeTag::T_RelabelType) {
        // SAFETY: the tag says RelabelType.
        node = unsafe { (*relabel).arg.cast() };
    }
    node
}

/// A list of these nodes.
pub fn list<T>(nodes: impl IntoIterator<Item = *mut T>) -> *mut pg_sys::List {
    nodes.into_iter().fold(std::ptr::null_mut(), |list, node| {
        // SAFETY: lappend allocates in the current memory context.
        unsafe { pg_sys::lappend(list, node.cast()) }
    })
}

/// A list of OIDs.
pub fn oid_list(values: &[pg_sys::Oid]) -> *mut pg_sys::List {
    values.iter().fold(std::ptr::null_mut(), |list, value| {
        // SAFETY: lappend_oid allocates in the current memory context.
        unsafe { pg_sys::lappend_oid(list, *value) }
    })
}

/// How many elements a constant array has; `None` where it is NULL.
///
/// # Safety
/// `constant` is of an array's type.
pub unsafe fn array_length(constant: *mut pg_sys::Const) -> Option<u64> {
    // SAFETY: by contract; an array's dimensions follow its head.
    unsafe {
        if (*constant).constisnull {
            return None;
        }
        let array =
            pg_sys::pg_detoast_datum((*constant).constvalue.cast_mut_ptr()).cast::<pg_sys::ArrayType>();
        u64::try_from(pg_sys::ArrayGetNItems((*array).ndim, array.add(1).cast::<i32>())).ok()
    }
}

/// The same without a call of PostgreSQL's, for bare frames; `None` also where the array is not stored
/// plainly, as makeConst has it.
///
/// # Safety
/// `constant` is of an array's type.
pub unsafe fn plain_array_length(constant: *mut pg_sys::Const) -> Option<u64> {
    // SAFETY: by contract; an array's dimensions follow its head.
    unsafe {
        if (*constant).constisnull || (*constant).constlen != -1 {
            return None;
        }
        let array = (*constant).constvalue.cast_mut_ptr::<pg_sys::ArrayType>();
        if !pgrx::varatt_is_4b_u(array.cast()) {
            return None;
        }
        let dimensions =
            std::slice::from_raw_parts(array.add(1).cast::<i32>(), (*array).ndim.clamp(0, 6) as usize);
        let product = dimensions.iter().map(|length| (*length).max(0) as u64).product();
        Some(if dimensions.is_empty() { 0 } else { product })
    }
}
