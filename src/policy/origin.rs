//! What carries policy.

use crate::pg::{pg_sys, relations};

/// The object that carries a label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Origin {
    Table(pg_sys::Oid),
    Schema(pg_sys::Oid),
}

impl Origin {
    /// As messages name it: `table "public.events"`.
    pub fn object(self) -> String {
        match self {
            Origin::Table(table) => {
                format!("table \"{}\"", relations::full_name(table))
            }
            Origin::Schema(schema) => format!("schema \"{}\"", relations::schema_name(schema)),
        }
    }
}
