//! A level: where in the nesting a statement stands, and whose it is.

use super::outermost;
use crate::pg::{backend, portal};

/// What a level is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Query,
    /// Of the client's; any other is a `Utility`.
    Execute,
    /// EXPLAIN ANALYZE runs its statement.
    ExplainAnalyze,
    /// CREATE EXTENSION and ALTER EXTENSION run a script.
    Extension,
    Utility,
}

/// Whether what starts at a level is PostgreSQL's own, or an engine's (engines.rs).
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum HandsOn {
    No,
    /// No, but what starts there may be a function of an engine's.
    Asks,
    /// A function of an engine's is called, which empties and drops tables as its own work. Queries that it runs it has
    /// from its caller (create_intermediate_result), or from the owner of a table; an engine writes rows by none.
    Engine,
    Yes,
}

/// Where in the nesting the backend is. Every query enters a level, so this part of it is one word; whom it belongs to
/// is another, which changes only where a level is entered from outside.
#[derive(Clone, Copy)]
#[repr(align(8))]
pub struct Level {
    pub(super) depth: u32,
    pub(super) kind: Kind,
    /// The statement of this level is PostgreSQL's own; see exemption.rs.
    pub(super) is_postgres: bool,
    /// And so is what starts at this level.
    pub(super) hands_on: HandsOn,
    /// A utility command of the client's, whose sum ends with it.
    pub(super) owns: bool,
}

pub(super) const OUTSIDE: Level =
    Level { depth: 0, kind: Kind::Query, is_postgres: false, hands_on: HandsOn::No, owns: false };

impl Level {
    /// Whether what ends now is the client's own statement, by itself or by EXECUTE.
    #[inline]
    pub fn is_clients_own(&self) -> bool {
        match self.depth {
            0 => outermost::is_clients(),
            _ => self.is_clients_execute(),
        }
    }

    /// Whether this is EXECUTE, the client's own: not that of a function outside of everything.
    #[inline]
    pub(super) fn is_execute(&self) -> bool {
        self.kind == Kind::Execute
    }

    /// Whether it runs its query, too: what its arguments call runs below it, cursors among that.
    #[inline]
    pub(super) fn is_clients_execute(&self) -> bool {
        self.is_execute() && portal::is_hidden() && portal::runs_query()
    }

    /// Whether what starts or ends now runs below the client's statement.
    #[inline]
    pub fn is_below(&self) -> bool {
        self.depth > 0 && !self.is_clients_execute()
    }

    /// Whether the statement of this level is PostgreSQL's own write.
    #[inline]
    pub fn is_postgres(&self) -> bool {
        self.is_postgres
    }

    /// Whether what starts at this level is.
    #[inline]
    pub fn starts_postgres(&self) -> bool {
        if self.depth == 0 {
            return outermost::is_postgres();
        }
        // Event triggers of CREATE EXTENSION run outside of the script.
        self.hands_on == HandsOn::Yes && (self.kind != Kind::Extension || backend::creates_extension())
    }

    /// Whether the statement of this level is a call of an engine's function, whose work is the engine's own.
    pub fn is_engines(&self) -> bool {
        self.hands_on == HandsOn::Engine
    }

    /// Whether no statement of the client runs.
    #[inline]
    pub fn is_outside(&self) -> bool {
        self.depth == 0
    }

    /// How many levels are entered.
    pub fn depth(&self) -> u32 {
        self.depth
    }

    /// Whether what is planned now is run by EXPLAIN ANALYZE: its plan may carry more than its
    /// execution needs.
    #[inline]
    pub fn is_explaining(&self) -> bool {
        self.kind == Kind::ExplainAnalyze
    }
}
