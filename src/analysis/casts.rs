//! Values without what relabels or casts them.

use crate::pg::nodes::{Kind, Node};
use crate::pg::{operators, pg_sys};

/// Without relabelling and collations.
pub fn strip_plain(mut node: Node) -> Node {
    loop {
        node = node.without_relabel();
        match node.as_a::<pg_sys::CollateExpr>().and_then(|collate| collate.arg()) {
            Some(inner) => node = inner,
            None => return node,
        }
    }
}

/// A value without casts and collations, and whether none of them loses anything.
pub fn strip_casts(mut node: Node) -> (Node, bool) {
    let mut whole = true;
    loop {
        node = strip_plain(node);
        let inner = match node.kind() {
            Kind::CoerceToDomain(cast) => cast.arg(),
            Kind::CoerceViaIO(cast) => {
                whole = false;
                cast.arg()
            }
            Kind::FuncExpr(function) => cast_value(function).inspect(|value| {
                whole &= loses_nothing(function, *value);
            }),
            _ => None,
        };
        match inner {
            Some(inner) => node = inner,
            None => return (node, whole),
        }
    }
}

/// What a function that stands for a cast casts.
fn cast_value(function: Node<pg_sys::FuncExpr>) -> Option<Node> {
    use pg_sys::CoercionForm::{COERCE_EXPLICIT_CAST, COERCE_IMPLICIT_CAST};
    let casts = matches!(function.funcformat, COERCE_EXPLICIT_CAST | COERCE_IMPLICIT_CAST);
    function.args().first().filter(|_| casts)
}

/// Whether a cast is one that PostgreSQL makes by itself, which are those to a wider type, or one
/// between integers, which gives the same number or an error.
fn loses_nothing(function: Node<pg_sys::FuncExpr>, value: Node) -> bool {
    if function.args().len() != 1 {
        // To a length.
        return false;
    }
    let (to, from) = (function.funcresulttype, value.type_of());
    let is_integer = |t| matches!(t, pg_sys::INT2OID | pg_sys::INT4OID | pg_sys::INT8OID);
    (is_integer(to) && is_integer(from)) || operators::implicit_cast(to, from) == Some(function.funcid)
}

/// An array without a cast of its elements.
pub fn without_array_cast(mut node: Node) -> Node {
    loop {
        node = node.without_relabel();
        let inner = match node.kind() {
            Kind::ArrayCoerceExpr(cast) => cast.arg(),
            Kind::CollateExpr(collate) => collate.arg(),
            _ => None,
        };
        match inner {
            Some(inner) => node = inner,
            None => return node,
        }
    }
}
