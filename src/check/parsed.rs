//! What the parse tree says of a statement by itself: its command, and the statement that it carries.

use crate::pg::attempt::attempt;
use crate::pg::nodes::{Node, Statement};
use crate::pg::{pg_sys, text};

/// The statement that a utility command runs. Plain EXPLAIN runs nothing.
pub fn carried(node: Node) -> Option<Node> {
    match node.statement() {
        Statement::ExplainStmt(explain) if is_analyze(explain) => explain.query(),
        // COPY of a table has no query.
        Statement::CopyStmt(copy) => copy.query(),
        Statement::CreateTableAsStmt(create) => create.query(),
        Statement::DeclareCursorStmt(declare) => declare.query(),
        _ => None,
    }
}

/// The command, as a command tag names it.
pub fn command_name(node: Node) -> String {
    text::from_server(node.command_name())
}

/// Where ANALYZE is no truth value, EXPLAIN is refused.
fn is_analyze(explain: Node<pg_sys::ExplainStmt>) -> bool {
    attempt(|| explain.has_option(c"analyze")).unwrap_or(true)
}
