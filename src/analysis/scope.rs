//! Query levels. A Var counts levels upwards; a scope is the level an expression stands in, linked
//! to those around it, so that a Var can be followed to what it really names.

use core::ffi::CStr;

use super::casts::without_array_cast;
use crate::pg::nodes::{Kind, Node, Nodes};
use crate::pg::{compat, pg_sys};

#[derive(Clone, Copy)]
pub struct Scope<'s, 't> {
    /// The level's Query; `None` at the top when only conditions were kept.
    query: Option<Node<'t, pg_sys::Query>>,
    up: Option<&'s Scope<'s, 't>>,
}

/// The values that a set gives, a row each, where it is written out: `unnest(ARRAY[…])`.
pub fn listed(set: Node) -> Option<Nodes> {
    let unnest =
        set.as_a::<pg_sys::FuncExpr>().filter(|call| call.funcid.to_u32() == pg_sys::F_UNNEST_ANYARRAY)?;
    let list = without_array_cast(unnest.args().first()?).as_a::<pg_sys::ArrayExpr>()?;
    (!list.multidims).then(|| list.elements())
}

/// A function in FROM whose one column is such a set.
pub fn is_listed(function: Node<pg_sys::RangeTblFunction>) -> bool {
    function.funcexpr().is_some_and(|set| listed(set).is_some() && !pg_sys::type_is_rowtype(set.type_of()))
}

/// What is shown a value that a column stands for, and the scope that the value stands in.
pub type Visit<'v, 't> = &'v mut dyn for<'s> FnMut(Node<'t>, &'s Scope<'s, 't>) -> bool;

impl<'s, 't> Scope<'s, 't> {
    pub fn top(query: Option<Node<'t, pg_sys::Query>>) -> Scope<'s, 't> {
        Scope { query, up: None }
    }

    pub fn below(&'s self, query: Node<'t, pg_sys::Query>) -> Scope<'s, 't> {
        Scope { query: Some(query), up: Some(self) }
    }

    pub fn query(&self) -> Option<Node<'t, pg_sys::Query>> {
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
    pub fn level(&'s self, levels: u32) -> Option<&'s Scope<'s, 't>> {
        (0..levels).try_fold(self, |scope, _| scope.up)
    }

    fn entry(&self, index: i32) -> Option<Node<'t, pg_sys::RangeTblEntry>> {
        self.query?.rtable().number(index as u32)
    }

    /// Visits what column `attribute` of range table entry `index` of this level is an output of, where that is a
    /// subquery, a CTE or VALUES: each arm's, of a set operation, and each list's. Whether a visit gave true.
    pub fn any_output(&self, index: i32, attribute: i16, visit: Visit<'_, 't>) -> bool {
        let Some(entry) = self.entry(index).filter(|_| attribute > 0) else { return false };
        match entry.rtekind {
            pg_sys::RTEKind::RTE_SUBQUERY => {
                entry.subquery().is_some_and(|query| self.any_output_of(query, attribute, visit))
            }
            // A recursive CTE's own reference adds nothing to its first arm.
            pg_sys::RTEKind::RTE_CTE if !entry.self_reference => {
                let Some(home) = self.level(entry.ctelevelsup) else { return false };
                let query = entry.ctename().and_then(|name| home.cte(name));
                query.is_some_and(|query| home.any_output_of(query, attribute, visit))
            }
            // Its functions stand in this scope. Those before may have given several columns.
            pg_sys::RTEKind::RTE_FUNCTION => {
                let mut before = 0;
                entry.functions().iter().any(|function| {
                    let number = i32::from(attribute) - before;
                    before += function.funccolcount;
                    number == 1
                        && is_listed(function)
                        && function.funcexpr().is_some_and(|set| visit(set, self))
                })
            }
            // Its lists stand in this scope.
            pg_sys::RTEKind::RTE_VALUES => entry.values_lists().iter().any(|list| match list.kind() {
                Kind::List(row) => row.number(attribute as u32).is_some_and(|value| visit(value, self)),
                _ => false,
            }),
            _ => false,
        }
    }

    /// The same of a Query right below this scope.
    pub fn any_output_of(
        &self,
        query: Node<'t, pg_sys::Query>,
        attribute: i16,
        visit: Visit<'_, 't>,
    ) -> bool {
        let below = self.below(query);
        if query.setOperations().is_none() {
            return column_of(query, attribute).is_some_and(|column| visit(column, &below));
        }
        // The arms of a set operation are the subqueries of its range table.
        query
            .rtable()
            .iter()
            .filter(|entry| entry.rtekind == pg_sys::RTEKind::RTE_SUBQUERY)
            .filter_map(|entry| entry.subquery())
            .any(|arm| below.any_output_of(arm, attribute, visit))
    }

    /// A CTE of this level.
    fn cte(&self, name: &CStr) -> Option<Node<'t, pg_sys::Query>> {
        let cte = self.query?.cteList().iter().find(|cte| cte.ctename() == Some(name))?;
        cte.ctequery()?.as_a()
    }

    /// The expression a join's merged or renamed column, or a grouped one, stands for in this scope.
    pub fn alias(&self, index: i32, attribute: i16) -> Option<Node<'t>> {
        let entry = self.entry(index).filter(|_| attribute > 0)?;
        let aliases: Nodes = if entry.rtekind == pg_sys::RTEKind::RTE_JOIN {
            entry.joinaliasvars()
        } else {
            compat::group_expressions(entry)
        };
        aliases.number(attribute as u32)
    }
}

/// Output column `attribute` of a Query.
fn column_of(query: Node<pg_sys::Query>, attribute: i16) -> Option<Node> {
    query.targetList().iter().find(|entry| entry.resno == attribute && !entry.resjunk)?.expr()
}
