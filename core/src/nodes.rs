//! What is told of other nodes, whose rows are an engine's.

use crate::message::{Report, SQLSTATE_WARNING};

/// Nodes on which this library is not loaded, each as HOST:PORT.
pub fn unguarded(nodes: &[String]) -> Report {
    let (which, it) = match nodes {
        [_] => ("a node", "it"),
        _ => ("nodes", "them"),
    };
    Report::plain(
        SQLSTATE_WARNING,
        format!("safedelete is not loaded on {which} that a client may write on: {}", nodes.join(", ")),
        Some(format!("What clients send to {it} directly is not judged; what comes by way of this node is.")),
        Some(
            "Preload it there, behind the library that distributes the tables, and restart: \
             shared_preload_libraries = '..., safedelete'."
                .to_owned(),
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::unguarded;

    #[test]
    fn one_and_several() {
        let one = unguarded(&["w1:5432".to_owned()]);
        assert_eq!(one.message, "safedelete is not loaded on a node that a client may write on: w1:5432");
        let two = unguarded(&["w1:5432".to_owned(), "w2:5432".to_owned()]);
        assert!(two.message.ends_with("w1:5432, w2:5432"));
    }
}
