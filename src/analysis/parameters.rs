//! Parameters of a statement, whose values an execution brings.

use crate::pg::nodes::{self, Node, Walk};
use crate::pg::pg_sys;

/// Whether a tree has external parameters anywhere, sub-selects included.
pub fn has_parameters(node: Node) -> bool {
    highest_parameter(node) > 0
}

/// The highest external parameter of a tree, 0 where there is none.
pub fn highest_parameter(node: Node) -> i32 {
    let mut highest = 0;
    nodes::walk(node, &mut |node: Node| {
        if let Some(param) = node.as_a::<pg_sys::Param>()
            && param.paramkind == pg_sys::ParamKind::PARAM_EXTERN
        {
            highest = highest.max(param.paramid);
        }
        Walk::Into
    });
    highest
}
