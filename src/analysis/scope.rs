//! Query levels. A Var counts levels upwards; a scope is the level an expression stands in, linked
//! to those around it, so that a Var can be followed to what it really names.

use crate::pg::pg_sys;
use pgrx::pg_sys::NodeTag;

use crate::pg::{compat, nodes};

#[derive(Clone, Copy)]
pub struct Scope<'a> {
    /// The level's Query; NULL at the top when only conditions were kept.
    query: *mut pg_sys::Query,
    up: Option<&'a Scope<'a>>,
}

impl<'a> Scope<'a> {
    pub fn top(query: *mut pg_sys::Query) -> Scope<'static> {
        Scope { query, up: None }
    }

    pub fn below(&'a self, query: *mut pg_sys::Query) -> Scope<'a> {
        Scope { query, up: Some(self) }
    }

    pub fn query(&self) -> *mut pg_sys::Query {
        self.query
    }

    /// How many levels are above.
    pub fn depth(&self) -> usize {
        std::iter::successors(self.up, |scope| scope.up).count()
    }

    pub fn is_top(&self) -> bool {
        self.up.is_none()
    }

    /// The scope `levels` above this one.
    pub fn level(&'a self, levels: u32) -> Option<&'a Scope<'a>> {
        (0..levels).try_fold(self, |scope, _| scope.up)
    }

    /// Visits what column `attribute` of range table entry `index` of this level is an output of,
    /// where that is a subquery or a CTE: each arm's, of a set operation. Whether a visit gave true.
    pub fn any_output(
        &self,
        index: u32,
        attribute: i16,
        visit: &mut dyn FnMut(*mut pg_sys::Node, &Scope) -> bool,
    ) -> bool {
        if self.query.is_null() || attribute <= 0 {
            return false;
        }
        // SAFETY: the level's Query; each field belongs to the entry's kind.
        unsafe {
            let Some(entry) = nodes::range_table_entry((*self.query).rtable, index) else { return false };
            match (*entry).rtekind {
                pg_sys::RTEKind::RTE_SUBQUERY => self.any_output_of((*entry).subquery, attribute, visit),
                // A recursive CTE's own reference adds nothing to its first arm.
                pg_sys::RTEKind::RTE_CTE if !(*entry).self_reference => {
                    let Some(home) = self.level((*entry).ctelevelsup) else { return false };
                    home.cte((*entry).ctename)
                        .is_some_and(|query| home.any_output_of(query, attribute, visit))
                }
                _ => false,
            }
        }
    }

    /// The same of a Query right below this scope.
    pub fn any_output_of(
        &self,
        query: *mut pg_sys::Query,
        attribute: i16,
        visit: &mut dyn FnMut(*mut pg_sys::Node, &Scope) -> bool,
    ) -> bool {
        let below = self.below(query);
        // SAFETY: a Query; the arms of a set operation are the subqueries of its range table.
        unsafe {
            if (*query).setOperations.is_null() {
                return column_of(query, attribute).is_some_and(|column| visit(column, &below));
            }
            nodes::items::<pg_sys::RangeTblEntry>((*query).rtable)
                .filter(|entry| (**entry).rtekind == pg_sys::RTEKind::RTE_SUBQUERY)
                .any(|entry| below.any_output_of((*entry).subquery, attribute, visit))
        }
    }

    /// A CTE of this level.
    ///
    /// # Safety
    /// `name` is NUL-terminated.
    unsafe fn cte(&self, name: *const core::ffi::c_char) -> Option<*mut pg_sys::Query> {
        if self.query.is_null() {
            return None;
        }
        // SAFETY: the level's Query and PostgreSQL's names.
        unsafe {
            let name = core::ffi::CStr::from_ptr(name);
            let cte = nodes::items::<pg_sys::CommonTableExpr>((*self.query).cteList)
                .find(|cte| core::ffi::CStr::from_ptr((**cte).ctename) == name)?;
            nodes::cast((*cte).ctequery, NodeTag::T_Query)
        }
    }

    /// The expression a join's merged or renamed column, or a grouped one, stands for in this scope.
    pub fn alias(&self, index: u32, attribute: i16) -> Option<*mut pg_sys::Node> {
        if self.query.is_null() || attribute <= 0 {
            return None;
        }
        // SAFETY: the level's Query; joinaliasvars belongs to a join.
        unsafe {
            let entry = nodes::range_table_entry((*self.query).rtable, index)?;
            let aliases = if (*entry).rtekind == pg_sys::RTEKind::RTE_JOIN {
                (*entry).joinaliasvars
            } else {
                compat::group_expressions(entry)
            };
            nodes::items(aliases).nth(attribute as usize - 1)
        }
    }
}

/// Output column `attribute` of a Query.
///
/// # Safety
/// `query` is a Query.
unsafe fn column_of(query: *mut pg_sys::Query, attribute: i16) -> Option<*mut pg_sys::Node> {
    // SAFETY: by contract.
    unsafe {
        nodes::items::<pg_sys::TargetEntry>((*query).targetList)
            .find(|entry| (**entry).resno == attribute && !(**entry).resjunk)
            .map(|entry| (*entry).expr.cast())
    }
}
