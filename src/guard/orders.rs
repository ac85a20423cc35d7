//! What a plan carries about its guard: written when the plan is finished, read when an execution
//! begins. It is all that a cached plan remembers of the analysis.

use crate::pg::pg_sys;
use safedelete_core::command::Command;

use crate::analysis::Qualification;
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

/// What a plan carries about its guard, in `custom_private`: an integer list, and the conditions
/// of a deferred finding.
#[derive(Clone, Copy, Debug)]
pub struct Orders {
    pub command: Command,
    pub relation: pg_sys::Oid,
    pub only: bool,
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
    pub conditions: *mut pg_sys::List,
    /// Parts of the relation that have policies of their own, by OID.
    pub parts: *mut pg_sys::List,
}

impl Orders {
    /// Owns nothing, so that it may run in `frame::call`.
    ///
    /// # Safety
    /// No frame above owns anything, up to `frame::call` or PostgreSQL.
    #[allow(ffi_unwind_calls, reason = "runs in frame::call and owns nothing")]
    pub unsafe fn write(&self) -> *mut pg_sys::List {
        let (qualification, column) = match self.qualification {
            Qualification::Qualified => (0, 0),
            Qualification::NoWhere => (1, 0),
            Qualification::MatchesEveryRow => (2, 0),
            Qualification::OuterColumn(column) => (3, column),
            Qualification::Deferred => (4, 0),
            Qualification::ComparedWithItself(column) => (5, column),
        };
        let flow = match self.flow {
            Flow::Rows => 0,
            Flow::Parent => 1,
            Flow::Direct { returning: false } => 2,
            Flow::Direct { returning: true } => 3,
        };
        let flags = self.command.code()
            | i32::from(self.only) << 4
            | i32::from(self.repeats) << 5
            | i32::from(self.tids_only) << 6
            | i32::from(self.projects) << 7
            | flow << 8
            | i32::from(self.evaluates_early) << 10
            | i32::from(self.whole_row > 0) << 11
            | qualification << 12
            | i32::from(column) << 16;
        // As many as a List holds without a second piece of memory.
        let numbers = [
            flags,
            self.relation.to_u32() as i32,
            self.leaf.to_u32() as i32,
            self.target_index,
            // A view's rows have no ctid.
            (if self.whole_row > 0 { self.whole_row } else { self.ctid }) << 16 | self.tableoid,
        ];
        // SAFETY: makes lists in the current memory context.
        unsafe {
            let mut list = std::ptr::null_mut();
            for number in numbers {
                list = raw::lappend_int(list, number);
            }
            let mut whole = raw::lappend(std::ptr::null_mut(), list.cast());
            whole = raw::lappend(whole, self.conditions.cast());
            raw::lappend(whole, self.parts.cast())
        }
    }

    /// Reads what `write` wrote; the list may have been copied since.
    pub fn read(list: *mut pg_sys::List) -> Option<Orders> {
        let mut items = nodes::items::<pg_sys::List>(list);
        let (numbers, conditions, parts) = (items.next()?, items.next()?, items.next()?);
        let mut numbers = nodes::integers(numbers);
        let mut next = || numbers.next();
        let flags = next()?;
        let relation = pg_sys::Oid::from(next()? as u32);
        let leaf = pg_sys::Oid::from(next()? as u32);
        let target_index = next()?;
        // A target list has fewer entries than 2^16.
        let places = next()?;
        let has_whole_row = flags & 1 << 11 != 0;
        Some(Orders {
            command: Command::from_code(flags & 0xf)?,
            relation,
            only: flags & 1 << 4 != 0,
            qualification: match flags >> 12 & 0xf {
                0 => Qualification::Qualified,
                1 => Qualification::NoWhere,
                2 => Qualification::MatchesEveryRow,
                3 => Qualification::OuterColumn((flags >> 16) as i16),
                5 => Qualification::ComparedWithItself((flags >> 16) as i16),
                _ => Qualification::Deferred,
            },
            target_index,
            repeats: flags & 1 << 5 != 0,
            ctid: if has_whole_row { 0 } else { places >> 16 },
            whole_row: if has_whole_row { places >> 16 } else { 0 },
            tableoid: places & 0xffff,
            tids_only: flags & 1 << 6 != 0,
            projects: flags & 1 << 7 != 0,
            evaluates_early: flags & 1 << 10 != 0,
            flow: match flags >> 8 & 3 {
                0 => Flow::Rows,
                1 => Flow::Parent,
                2 => Flow::Direct { returning: false },
                _ => Flow::Direct { returning: true },
            },
            leaf,
            conditions,
            parts,
        })
    }
}
