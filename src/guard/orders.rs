//! What a plan carries about its guard: written when the plan is finished, read when an execution
//! begins. It is all that a cached plan remembers of the analysis.
//!
//! A ModifyTable has a list of what foreign data wrappers keep, an element for each relation that it writes. The
//! orders are one element more: PostgreSQL copies it with the plan, and nobody reads it, for every reader goes by
//! the relations. The rest of the plan is PostgreSQL's own.

use crate::pg::pg_sys;
use pgrx::pg_sys::NodeTag;

use crate::analysis::{Finding, Qualification};
use crate::pg::write::Write;
use crate::pg::{nodes, raw};
use std::ops::Deref;

/// How rows come by the guard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// Each is a row to be written.
    Rows,
    /// What is written is known to the parent only (MERGE, upsert).
    Parent,
    /// A foreign server writes some of them by itself; without RETURNING they do not come by.
    Direct { returning: bool },
}

/// What a plan carries about its guard, but for lists.
#[derive(Clone, Copy, Debug)]
#[repr(align(8))]
pub struct Facts {
    pub write: Write,
    pub qualification: Qualification,
    /// Only the settings and the number of its rows say what it may do: it is qualified, brings each row once, and
    /// has no parts or words of its own.
    pub is_plain: bool,
    pub target_index: i32,
    /// The input may bring a target row more than once.
    pub repeats: bool,
    /// Where a row's ctid and tableoid stand in the input, from 1; 0 where they do not.
    pub ctid: i32,
    pub tableoid: i32,
    /// Where the whole row of a view stands, by which its rows are told apart; 0 where they are not.
    pub whole_row: i32,
    /// A row that came again is not handed on where the statement has deleted it: nothing would become of it.
    pub skips: bool,
    /// The input carries nothing but ctid and tableoid.
    pub tids_only: bool,
    pub flow: Flow,
    /// A Result above the input evaluates what of the SET list may see what is written meanwhile.
    pub projects: bool,
    /// The input evaluates such parts of the SET list: all of them before the first write.
    pub evaluates_early: bool,
    /// The one relation that is written, where the input does not tell a row's.
    pub leaf: pg_sys::Oid,
}

/// What a plan carries about its guard. Good for as long as the plan is.
#[derive(Clone, Copy, Debug)]
pub struct Orders {
    facts: *const Facts,
    /// Of a deferred finding.
    pub conditions: *mut pg_sys::List,
    /// Parts of the relation that have policies of their own, by OID.
    pub parts: *mut pg_sys::List,
    /// What the statement expects of its number of rows, as analysis/expected.rs has it.
    pub expected: *mut pg_sys::List,
}

impl Deref for Orders {
    type Target = Facts;

    #[inline(always)]
    fn deref(&self) -> &Facts {
        // SAFETY: `of` has found them in the plan.
        unsafe { &*self.facts }
    }
}

/// Where the facts stand behind the head of their constant's value, so that they are aligned.
const AT: usize = 8;

/// Tells orders from what others might put there: the type modifier of their constant, "SafD".
const MARK: i32 = 0x5361_6644;

impl Orders {
    /// Of facts that live as long, where no ModifyTable carries them.
    pub fn of_facts(facts: &Facts, conditions: *mut pg_sys::List, expected: *mut pg_sys::List) -> Orders {
        Orders { facts, conditions, parts: std::ptr::null_mut(), expected }
    }
}

impl Facts {
    /// Of a write that no ModifyTable shows: another runs it, whole.
    pub fn of_whole_statement(finding: &Finding) -> Facts {
        Facts {
            write: finding.write,
            qualification: finding.qualification,
            is_plain: false,
            target_index: finding.target_index,
            // Nobody here tells its rows apart.
            repeats: true,
            ctid: 0,
            tableoid: 0,
            whole_row: 0,
            skips: false,
            tids_only: false,
            flow: Flow::Rows,
            projects: false,
            evaluates_early: false,
            leaf: finding.write.relation,
        }
    }

    /// Gives them to a ModifyTable: a constant of these bytes, and the lists of `Orders`. Owns nothing, so that it may
    /// run in `frame::call`.
    ///
    /// # Safety
    /// `modify` is of a finished plan that is ours to change; no frame above owns anything, up to `frame::call`
    /// or PostgreSQL.
    #[allow(ffi_unwind_calls, reason = "runs in frame::call and owns nothing")]
    pub unsafe fn give(&self, modify: *mut pg_sys::ModifyTable, lists: [*mut pg_sys::List; 3]) {
        const SIZE: usize = AT + size_of::<Facts>();
        let nothing = pg_sys::InvalidOid;
        // SAFETY: makes nodes in the current memory context; a varlena has its bytes behind its head.
        unsafe {
            let value = raw::palloc0(SIZE).cast::<pg_sys::varlena>();
            pgrx::set_varsize_4b(value, SIZE as i32);
            value.byte_add(AT).cast::<Facts>().write(*self);
            let fixed = raw::makeConst(pg_sys::BYTEAOID, MARK, nothing, -1, value.into(), false, false);
            let mut whole = raw::lappend(std::ptr::null_mut(), fixed.cast());
            for list in lists {
                whole = raw::lappend(whole, list.cast());
            }
            (*modify).fdwPrivLists = raw::lappend((*modify).fdwPrivLists, whole.cast());
        }
    }
}

impl Orders {
    /// Whether a ModifyTable may have orders: one that has none has as many lists as relations.
    ///
    /// # Safety
    /// `modify` is of a finished plan.
    #[inline(always)]
    pub unsafe fn may_be_in(modify: *const pg_sys::ModifyTable) -> bool {
        // SAFETY: by contract.
        unsafe { nodes::length((*modify).fdwPrivLists) > nodes::length((*modify).resultRelations) }
    }

    /// Reads what `give` wrote; the plan may have been copied since.
    ///
    /// # Safety
    /// `modify` is of a finished plan.
    pub unsafe fn of(modify: *const pg_sys::ModifyTable) -> Option<Orders> {
        // SAFETY: by contract, casts follow tags; a plan stays in the process that made it.
        unsafe {
            if !Orders::may_be_in(modify) {
                return None;
            }
            let lists = (*modify).fdwPrivLists;
            let last = (*(*lists).elements.add(nodes::length(lists) - 1)).ptr_value;
            let whole = nodes::cast::<pg_sys::List, _>(last, NodeTag::T_List)?;
            if nodes::length(whole) != 4 {
                return None;
            }
            let item = |i: usize| (*(*whole).elements.add(i)).ptr_value;
            let fixed = nodes::cast::<pg_sys::Const, _>(item(0), NodeTag::T_Const)?;
            if (*fixed).consttypmod != MARK {
                return None;
            }
            // datumCopy's memory is aligned as palloc's.
            let facts = (*fixed).constvalue.cast_mut_ptr::<pg_sys::varlena>().byte_add(AT).cast::<Facts>();
            Some(Orders {
                facts,
                conditions: item(1).cast(),
                parts: item(2).cast(),
                expected: item(3).cast(),
            })
        }
    }
}
