//! PostgreSQL's node trees, with types. `Node<'t, OpExpr>` is an OpExpr of a tree that stays as it is for `'t`;
//! `Node<'t>` is any node, and [`Node::kind`] tells which. Where a tree comes from PostgreSQL, [`Node::of`] takes it
//! in hand, and what is read of it from there on needs no trust: a type implies its tag, and each pointer of a node is
//! one that [`kinds`] declares. Handles own nothing, so bare frames may hold them.

pub mod arrays;
pub mod expressions;
#[allow(dead_code, reason = "every pointer that is declared may be read")]
mod kinds;
mod statements;
mod walk;

use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::ops::Deref;
use std::ptr::NonNull;

use pgrx::pg_sys::NodeTag;

use super::pg_sys;
pub use kinds::{Kind, Statement};
pub use walk::{Visitor, Walk, calls, walk};

/// A node type that a tag of its own belongs to.
///
/// # Safety
/// Every node with the tag is a `Self`.
pub unsafe trait Tagged {
    const TAG: NodeTag;
}

/// A node of zeroes, as makeNode makes it, in the current memory context.
pub fn make<T: Tagged>() -> *mut T {
    let node = pg_sys::palloc0(size_of::<T>()).cast::<T>();
    // SAFETY: memory of the size, whose head is the tag.
    unsafe { (*node.cast::<pg_sys::Node>()).type_ = T::TAG };
    node
}

/// A node of a tree; its fields are read through [`Deref`], its pointers through the functions of their names.
#[repr(transparent)]
pub struct Node<'t, T = pg_sys::Node>(NonNull<T>, PhantomData<&'t T>);

impl<'t, T> Node<'t, T> {
    /// Takes a tree in hand; `None` for NULL.
    ///
    /// # Safety
    /// NULL, or a T whose pointers are as PostgreSQL's headers declare them, and theirs. For `'t` nothing of it is
    /// freed, and nobody changes it but through these handles.
    #[inline(always)]
    pub unsafe fn of(node: *mut T) -> Option<Node<'t, T>> {
        Some(Node(NonNull::new(node)?, PhantomData))
    }

    #[inline(always)]
    pub fn as_ptr(self) -> *mut T {
        self.0.as_ptr()
    }

    /// The same, as any node.
    #[inline(always)]
    pub fn any(self) -> Node<'t> {
        Node(self.0.cast(), PhantomData)
    }
}

#[allow(dead_code, reason = "what handles can")]
impl<'t> Node<'t> {
    #[inline(always)]
    pub fn tag(self) -> NodeTag {
        self.type_
    }

    /// The node as a T where it is one.
    #[inline(always)]
    pub fn as_a<T: Tagged>(self) -> Option<Node<'t, T>> {
        (self.tag() == T::TAG).then_some(Node(self.0.cast(), PhantomData))
    }

    #[inline(always)]
    pub fn is_a<T: Tagged>(self) -> bool {
        self.tag() == T::TAG
    }

    /// The numbers of a list of integers; none of another node.
    pub fn integers(self) -> impl Iterator<Item = i32> + use<'t> {
        let is_list = self.tag() == NodeTag::T_IntList;
        // SAFETY: the tag says a list of integers.
        unsafe { integers(if is_list { self.as_ptr().cast() } else { std::ptr::null() }) }
    }

    /// Whether it is a parameter that the statement is given a value for.
    #[inline(always)]
    pub fn is_given(self) -> bool {
        self.as_a::<pg_sys::Param>().is_some_and(|param| param.paramkind == pg_sys::ParamKind::PARAM_EXTERN)
    }

    /// Whether it is a constant or such a parameter, relabelled perhaps.
    #[inline(always)]
    pub fn is_value(self) -> bool {
        self.without_relabel().is_plain_value()
    }

    /// The same, without a cast.
    #[inline(always)]
    pub fn is_plain_value(self) -> bool {
        self.is_a::<pg_sys::Const>() || self.is_given()
    }

    /// Without casts that change a value's type but not the value.
    #[inline]
    pub fn without_relabel(mut self) -> Node<'t> {
        while let Some(inner) = self.as_a::<pg_sys::RelabelType>().and_then(|relabel| relabel.arg()) {
            self = inner;
        }
        self
    }
}

impl<T> Deref for Node<'_, T> {
    type Target = T;

    #[inline(always)]
    fn deref(&self) -> &T {
        // SAFETY: a T that stays for 't, by the contract of `of`; what changes nodes holds no reference into them.
        unsafe { self.0.as_ref() }
    }
}

impl<T> Clone for Node<'_, T> {
    #[inline(always)]
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Node<'_, T> {}

/// The same node, not an equal one.
impl<T> PartialEq for Node<'_, T> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl<T> Eq for Node<'_, T> {}

impl<T> Hash for Node<'_, T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

/// A list of nodes of a tree; NULL is the empty one.
#[repr(transparent)]
pub struct Nodes<'t, T = pg_sys::Node>(*mut pg_sys::List, PhantomData<&'t T>);

#[allow(dead_code, reason = "what handles can")]
impl<'t, T> Nodes<'t, T> {
    /// # Safety
    /// NULL or a list of Ts, as in [`Node::of`].
    #[inline(always)]
    pub unsafe fn of(list: *mut pg_sys::List) -> Nodes<'t, T> {
        Nodes(list, PhantomData)
    }

    #[inline(always)]
    pub fn as_ptr(self) -> *mut pg_sys::List {
        self.0
    }

    #[inline(always)]
    pub fn len(self) -> usize {
        // SAFETY: NULL or a list, by the contract of `of`.
        unsafe { length(self.0) }
    }

    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The list as a node; `None` for the empty one.
    #[inline(always)]
    pub fn as_node(self) -> Option<Node<'t>> {
        Some(Node(NonNull::new(self.0.cast())?, PhantomData))
    }

    /// The element at a place, from 0.
    #[inline(always)]
    pub fn get(self, at: usize) -> Option<Node<'t, T>> {
        if at >= self.len() {
            return None;
        }
        // SAFETY: a List holds `length` cells at `elements`; by contract a T or NULL is in each.
        unsafe { Node::of((*(*self.0).elements.add(at)).ptr_value.cast()) }
    }

    /// The element that PostgreSQL counts from 1, as range table indexes and column numbers.
    #[inline(always)]
    pub fn number(self, number: u32) -> Option<Node<'t, T>> {
        self.get((number as usize).checked_sub(1)?)
    }

    pub fn first(self) -> Option<Node<'t, T>> {
        self.get(0)
    }

    /// Both of two.
    #[inline(always)]
    pub fn pair(self) -> Option<(Node<'t, T>, Node<'t, T>)> {
        if self.len() == 2 { self.get(0).zip(self.get(1)) } else { None }
    }

    /// The elements in order, without NULLs.
    #[inline(always)]
    pub fn iter(self) -> impl DoubleEndedIterator<Item = Node<'t, T>> + Clone {
        (0..self.len()).filter_map(move |at| self.get(at))
    }
}

/// A list made in the current memory context.
impl<'t, T> FromIterator<Node<'t, T>> for Nodes<'t, T> {
    fn from_iter<I: IntoIterator<Item = Node<'t, T>>>(nodes: I) -> Self {
        Nodes(list(nodes.into_iter().map(Node::as_ptr)), PhantomData)
    }
}

impl<T> Clone for Nodes<'_, T> {
    #[inline(always)]
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Nodes<'_, T> {}

// The same without handles, for the rooms that are all memory of PostgreSQL's: hooks, guard, record.

/// The tag of a node; `T_Invalid` for NULL.
///
/// # Safety
/// NULL or a node.
#[inline(always)]
pub unsafe fn tag<T>(node: *const T) -> NodeTag {
    // SAFETY: by contract; every node starts with its tag.
    if node.is_null() { NodeTag::T_Invalid } else { unsafe { (*node.cast::<pg_sys::Node>()).type_ } }
}

/// The node as a `T` where its tag says so.
///
/// # Safety
/// NULL or a node; `is` is the tag of a T.
#[inline(always)]
pub unsafe fn cast<T, N>(node: *mut N, is: NodeTag) -> Option<*mut T> {
    // SAFETY: by contract.
    unsafe { (tag(node) == is).then_some(node.cast()) }
}

/// The pointers of a list; NULL is the empty list.
///
/// # Safety
/// NULL or a list of such pointers, which is not changed while it is read.
#[inline(always)]
pub unsafe fn items<T>(list: *const pg_sys::List) -> impl Iterator<Item = *mut T> {
    // SAFETY: by contract; a List holds `length` cells at `elements`.
    unsafe { (0..length(list)).map(move |i| (*(*list).elements.add(i)).ptr_value.cast()) }
}

/// The integers of a list.
///
/// # Safety
/// As `items`, of integers.
#[inline(always)]
pub unsafe fn integers(list: *const pg_sys::List) -> impl Iterator<Item = i32> {
    // SAFETY: as in `items`.
    unsafe { (0..length(list)).map(move |i| (*(*list).elements.add(i)).int_value) }
}

/// The OIDs of a list.
///
/// # Safety
/// As `items`, of OIDs.
#[inline(always)]
pub unsafe fn oids(list: *const pg_sys::List) -> impl Iterator<Item = pg_sys::Oid> {
    // SAFETY: as in `items`.
    unsafe { (0..length(list)).map(move |i| (*(*list).elements.add(i)).oid_value) }
}

/// # Safety
/// NULL or a list.
#[inline(always)]
pub unsafe fn length(list: *const pg_sys::List) -> usize {
    // SAFETY: by contract.
    if list.is_null() { 0 } else { unsafe { (*list).length as usize } }
}

/// The range table entry of a number counted from 1.
///
/// # Safety
/// A range table.
#[inline(always)]
pub unsafe fn range_table_entry(
    rtable: *const pg_sys::List,
    index: u32,
) -> Option<*mut pg_sys::RangeTblEntry> {
    // SAFETY: by contract.
    unsafe { items(rtable).nth((index as usize).checked_sub(1)?) }
}

/// A list of these nodes.
pub fn list<T>(nodes: impl IntoIterator<Item = *mut T>) -> *mut pg_sys::List {
    nodes.into_iter().fold(std::ptr::null_mut(), |list, node| {
        // SAFETY: lappend allocates in the current memory context.
        unsafe { pg_sys::lappend(list, node.cast()) }
    })
}

/// A list of integers.
pub fn integer_list<'t>(values: impl IntoIterator<Item = i32>) -> Option<Node<'t>> {
    // SAFETY: a list that is made here, in the current memory context.
    unsafe {
        let nothing = std::ptr::null_mut();
        Node::of(values.into_iter().fold(nothing, |list, value| pg_sys::lappend_int(list, value)).cast())
    }
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
