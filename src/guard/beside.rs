//! The other tables that a statement takes whole: the budget that a HINT proposes has to suffice for each.

use std::rc::Rc;

use crate::pg::count;
use crate::pg::pg_sys;
use safedelete_core::limit::Size;

pub enum Beside {
    Nothing,
    /// Each with what counts with it; the table that is judged may be among them.
    Tables(Rc<[(pg_sys::Oid, Vec<pg_sys::Oid>)]>),
    Unknown,
}

impl Beside {
    /// The most rows that one of them holds beside `table`, where counting is cheap.
    pub fn most_rows(&self, table: pg_sys::Oid) -> Option<u64> {
        let tables = match self {
            Beside::Nothing => return Some(0),
            Beside::Tables(tables) => tables,
            Beside::Unknown => return None,
        };
        let mut others = tables.iter().filter(|(other, _)| *other != table);
        others.try_fold(0, |most, (_, members)| match count::for_texts(members.clone(), 0) {
            Size::Exact(rows) => Some(rows.max(most)),
            _ => None,
        })
    }
}
