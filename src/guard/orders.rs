//! What a plan carries about its guard: written when the plan is finished, read when an execution
//! begins. It is all that a cached plan remembers of the analysis.

use crate::pg::pg_sys;

use crate::analysis::Qualification;
use crate::pg::write::Write;
use crate::pg::{nodes, raw};

/// How rows come by the node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// Each is a row to be written.
    Rows,
    /// What is written is known to the parent only (MERGE, upsert).
    Parent,
    /// A foreign server writes some of them by itself; without RETURNING they do not come by.
    Direct { returning: bool },
}

/// What a plan carries about its guard, in `custom_private`.
#[derive(Clone, Copy, Debug)]
pub struct Orders {
    pub write: Write,
    pub qualification: Qualification,
    pub target_index: i32,
    /// The input may bring a target row more than once.
    pub repeats: bool,
    /// Where a row's ctid and tableoid stand in the input, from 1; 0 where they do not.
    pub ctid: i32,
    pub tableoid: i32,
    /// Where the whole row of a view stands, by which its rows are told apart; 0 where they are not.
    pub whole_row: i32,
    /// The input carries nothing but ctid and tableoid.
    pub tids_only: bool,
    pub flow: Flow,
    /// The node evaluates what of the SET list may see what is written meanwhile.
    pub projects: bool,
    /// The input evaluates such parts of the SET list: all of them before the first write.
    pub evaluates_early: bool,
    /// The one relation that is written, where the input does not tell a row's.
    pub leaf: pg_sys::Oid,
    /// Of a deferred finding.
    pub conditions: *mut pg_sys::List,
    /// Parts of the relation that have policies of their own, by OID.
    pub parts: *mut pg_sys::List,
}

impl Orders {
    /// A constant of these bytes, and the lists. Owns nothing, so that it may run in `frame::call`.
    ///
    /// # Safety
    /// No frame above owns anything, up to `frame::call` or PostgreSQL.
    #[allow(ffi_unwind_calls, reason = "runs in frame::call and owns nothing")]
    pub unsafe fn as_list(&self) -> *mut pg_sys::List {
        const SIZE: usize = pg_sys::VARHDRSZ + size_of::<Orders>();
        let nothing = pg_sys::InvalidOid;
        // SAFETY: makes nodes in the current memory context; a varlena has its bytes behind its head.
        unsafe {
            let value = raw::palloc0(SIZE).cast::<pg_sys::varlena>();
            pgrx::set_varsize_4b(value, SIZE as i32);
            value.byte_add(pg_sys::VARHDRSZ).cast::<Orders>().write_unaligned(*self);
            let fixed = raw::makeConst(pg_sys::BYTEAOID, -1, nothing, -1, value.into(), false, false);
            let mut whole = raw::lappend(std::ptr::null_mut(), fixed.cast());
            whole = raw::lappend(whole, self.conditions.cast());
            raw::lappend(whole, self.parts.cast())
        }
    }

    /// Reads what `as_list` wrote; the list may have been copied since.
    ///
    /// # Safety
    /// `list` is the `custom_private` of a guard.
    pub unsafe fn read(list: *mut pg_sys::List) -> Option<Orders> {
        // SAFETY: by contract; a plan stays in the process that made it.
        unsafe {
            let mut items = nodes::items::<pg_sys::Node>(list);
            let (fixed, conditions, parts) = (items.next()?, items.next()?, items.next()?);
            let value = (*fixed.cast::<pg_sys::Const>()).constvalue.cast_mut_ptr::<pg_sys::varlena>();
            let orders = value.byte_add(pg_sys::VARHDRSZ).cast::<Orders>().read_unaligned();
            Some(Orders { conditions: conditions.cast(), parts: parts.cast(), ..orders })
        }
    }
}
