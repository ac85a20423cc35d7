//! Query levels. A Var counts levels upwards; a scope is the level an expression stands in, linked
//! to those around it, so that a Var can be followed to what it really names.

use pgrx::pg_sys;
use pgrx::pg_sys::NodeTag;

use crate::pg::nodes;

#[derive(Clone, Copy)]
pub struct Scope<'a> {
    /// The level's Query; NULL at the top when only conditions were kept.
    query: *mut pg_sys::Query,
    up: Option<&'a Scope<'a>>,
}

/// What a Var of a subquery, a CTE or a join stands for, and the scope that reads it.
pub struct Resolved<'a> {
    pub expression: *mut pg_sys::Node,
    pub query: *mut pg_sys::Query,
    /// The scope around `query`; `expression` stands in a scope below it.
    pub around: &'a Scope<'a>,
}

impl<'a> Scope<'a> {
    pub fn top(query: *mut pg_sys::Query) -> Scope<'static> {
        Scope { query, up: None }
    }

    pub fn below(&'a self, query: *mut pg_sys::Query) -> Scope<'a> {
        Scope { query, up: Some(self) }
    }

    pub fn is_top(&self) -> bool {
        self.up.is_none()
    }

    /// The scope `levels` above this one.
    pub fn level(&'a self, levels: u32) -> Option<&'a Scope<'a>> {
        (0..levels).try_fold(self, |scope, _| scope.up)
    }

    /// What column `attribute` of range table entry `index` of this level is an output of, where
    /// that is a subquery or a CTE.
    pub fn output(&'a self, index: u32, attribute: i16) -> Option<Resolved<'a>> {
        if self.query.is_null() || attribute <= 0 {
            return None;
        }
        // SAFETY: the level's Query; each field belongs to the entry's kind.
        unsafe {
            let entry = nodes::range_table_entry((*self.query).rtable, index)?;
            let (query, around) = match (*entry).rtekind {
                pg_sys::RTEKind::RTE_SUBQUERY => ((*entry).subquery, self),
                pg_sys::RTEKind::RTE_CTE if !(*entry).self_reference => {
                    let home = self.level((*entry).ctelevelsup)?;
                    if home.query.is_null() {
                        return None;
                    }
                    let name = core::ffi::CStr::from_ptr((*entry).ctename);
                    let cte = nodes::items::<pg_sys::CommonTableExpr>((*home.query).cteList)
                        .find(|cte| core::ffi::CStr::from_ptr((**cte).ctename) == name)?;
                    if (*cte).cterecursive {
                        return None;
                    }
                    (nodes::cast::<pg_sys::Query, _>((*cte).ctequery, NodeTag::T_Query)?, home)
                }
                _ => return None,
            };
            let expression = column_of(query, attribute)?;
            Some(Resolved { expression, query, around })
        }
    }

    /// The expression a join's merged or renamed column stands for, in this same scope.
    pub fn join_column(&self, index: u32, attribute: i16) -> Option<*mut pg_sys::Node> {
        if self.query.is_null() || attribute <= 0 {
            return None;
        }
        // SAFETY: the level's Query; joinaliasvars belongs to a join.
        unsafe {
            let entry = nodes::range_table_entry((*self.query).rtable, index)?;
            if (*entry).rtekind != pg_sys::RTEKind::RTE_JOIN {
                return None;
            }
            nodes::items((*entry).joinaliasvars).nth(attribute as usize - 1)
        }
    }
}

/// Output column `attribute` of a Query.
///
/// # Safety
/// `query` is a Query.
pub unsafe fn column_of(query: *mut pg_sys::Query, attribute: i16) -> Option<*mut pg_sys::Node> {
    // SAFETY: by contract.
    unsafe {
        nodes::items::<pg_sys::TargetEntry>((*query).targetList)
            .find(|entry| (**entry).resno == attribute && !(**entry).resjunk)
            .map(|entry| (*entry).expr.cast())
    }
}
