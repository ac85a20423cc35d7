//! What a TRUNCATE is going to take, and whether PostgreSQL is going to let it: ExecuteTruncate's and
//! ExecuteTruncateGuts' checks in their order, and their locks, without changing anything and
//! without raising anything that PostgreSQL would not raise at the same place.

use crate::pg::pg_sys;
use rustc_hash::FxHashSet;

use crate::pg::foreign_keys::{ForeignKeys, Walk};
use crate::pg::locks::{self, Use};
use crate::pg::nodes::Node;
use crate::pg::{inheritance, relations, text};

/// The tables that a TRUNCATE takes.
#[derive(Default)]
pub struct Reach {
    /// Those that it names, each with what it takes below it, itself first.
    pub named: Vec<(pg_sys::Oid, Vec<pg_sys::Oid>)>,
    /// Those that CASCADE adds.
    pub cascaded: Vec<pg_sys::Oid>,
    /// What only looks goes on where there is nothing of a name: it may be there when the TRUNCATE runs.
    pub missing: Vec<Obstacle>,
}

/// Why PostgreSQL refuses a TRUNCATE.
pub enum Obstacle {
    Missing { schema: Option<String>, name: String },
    NotATable(pg_sys::Oid),
    ForeignTable(pg_sys::Oid),
    SystemCatalog(pg_sys::Oid),
    NotAllowed(pg_sys::Oid),
    OtherSessions(pg_sys::Oid),
    InUse(pg_sys::Oid, Use),
    OnlyOfPartitioned(pg_sys::Oid),
    Referenced(pg_sys::Oid),
    NotOwner(pg_sys::Oid),
}

/// Finds what a TRUNCATE is going to take. With `locks`, it takes PostgreSQL's, and waits and fails as
/// PostgreSQL does; else it only looks.
pub fn of(truncate: Node<pg_sys::TruncateStmt>, locks: bool) -> Result<Reach, Obstacle> {
    let mut search = Search { locks, reach: Reach::default(), all: Vec::new(), known: FxHashSet::default() };
    for name in truncate.relations().iter() {
        search.name(name)?;
    }
    if truncate.behavior == pg_sys::DropBehavior::DROP_CASCADE {
        search.cascade()?;
    } else {
        search.refuse_referenced()?;
    }
    if truncate.restart_seqs {
        search.sequences()?;
    }
    Ok(search.reach)
}

struct Search {
    locks: bool,
    reach: Reach,
    /// Everything that has been found, in the order in which PostgreSQL takes it.
    all: Vec<pg_sys::Oid>,
    known: FxHashSet<pg_sys::Oid>,
}

impl Search {
    fn name(&mut self, name: Node<pg_sys::RangeVar>) -> Result<(), Obstacle> {
        let refuses = |table| {
            if table == pg_sys::InvalidOid {
                return Err(missing(name));
            }
            kind(table)?;
            privileges(table)
        };
        let found = if self.locks {
            locks::find_and_lock(name, refuses)
        } else {
            let table = locks::find(name);
            refuses(table).map(|()| table)
        };
        let table = match found {
            Err(missing @ Obstacle::Missing { .. }) if !self.locks => {
                self.reach.missing.push(missing);
                return Ok(());
            }
            found => found?,
        };
        if self.known.contains(&table) {
            return Ok(());
        }
        self.take(table)?;
        if !name.inh {
            if relations::kind(table) == pg_sys::RELKIND_PARTITIONED_TABLE {
                return Err(Obstacle::OnlyOfPartitioned(table));
            }
            self.reach.named.push((table, vec![table]));
            return Ok(());
        }
        let members = if self.locks { locks::members(table) } else { inheritance::members(table) };
        for member in members.iter().copied() {
            if !self.known.contains(&member) {
                kind(member)?;
                self.take(member)?;
            }
        }
        self.reach.named.push((table, members));
        Ok(())
    }

    /// Adds a table, unless something uses it.
    fn take(&mut self, table: pg_sys::Oid) -> Result<(), Obstacle> {
        if relations::is_other_temp(table) {
            return Err(Obstacle::OtherSessions(table));
        }
        if self.locks
            && let Some(used) = locks::use_in_this_session(table)
        {
            return Err(Obstacle::InUse(table, used));
        }
        self.known.insert(table);
        self.all.push(table);
        Ok(())
    }

    /// Adds the tables that refer to what has been found, and so on. Each is locked before its own
    /// referrers are looked for; where that has let something in, the keys are read anew.
    fn cascade(&mut self) -> Result<(), Obstacle> {
        if !self.all.iter().any(|table| may_be_referenced(*table)) {
            return Ok(());
        }
        loop {
            let before = locks::invalidations();
            let keys = ForeignKeys::read();
            let mut walk = Walk::default();
            let mut from = self.all.clone();
            loop {
                let found = keys.referring(&mut walk, &from, &self.known);
                if found.is_empty() {
                    break;
                }
                for table in found.iter().copied() {
                    if self.locks {
                        locks::lock_exclusively(table);
                    }
                    kind(table)?;
                    privileges(table)?;
                    self.take(table)?;
                    self.reach.cascaded.push(table);
                }
                from = found;
            }
            if locks::invalidations() == before {
                return Ok(());
            }
        }
    }

    /// Without CASCADE, nothing else may refer to what has been found.
    fn refuse_referenced(&self) -> Result<(), Obstacle> {
        let candidates: Vec<_> = self.all.iter().copied().filter(|table| may_be_referenced(*table)).collect();
        if candidates.is_empty() {
            return Ok(());
        }
        let known: FxHashSet<_> = candidates.iter().copied().collect();
        match ForeignKeys::read().referring(&mut Walk::default(), &candidates, &known).first() {
            Some(referrer) => Err(Obstacle::Referenced(*referrer)),
            None => Ok(()),
        }
    }

    /// RESTART IDENTITY asks for the sequences that belong to what has been found.
    fn sequences(&self) -> Result<(), Obstacle> {
        for table in self.all.iter().copied() {
            for sequence in relations::owned_sequences(table) {
                if self.locks {
                    locks::lock_exclusively(sequence);
                }
                if !relations::is_own(sequence) {
                    return Err(Obstacle::NotOwner(sequence));
                }
            }
        }
        Ok(())
    }
}

/// truncate_check_rel: tables, foreign tables that can be truncated, no system catalogs.
fn kind(table: pg_sys::Oid) -> Result<(), Obstacle> {
    match relations::kind(table) {
        pg_sys::RELKIND_FOREIGN_TABLE if !can_truncate(table) => return Err(Obstacle::ForeignTable(table)),
        pg_sys::RELKIND_FOREIGN_TABLE | pg_sys::RELKIND_RELATION | pg_sys::RELKIND_PARTITIONED_TABLE => {}
        _ => return Err(Obstacle::NotATable(table)),
    }
    if relations::is_protected_catalog(table) { Err(Obstacle::SystemCatalog(table)) } else { Ok(()) }
}

/// truncate_check_perms
fn privileges(table: pg_sys::Oid) -> Result<(), Obstacle> {
    if relations::may_truncate(table) { Ok(()) } else { Err(Obstacle::NotAllowed(table)) }
}

/// Whether a foreign table's wrapper knows TRUNCATE.
fn can_truncate(table: pg_sys::Oid) -> bool {
    // SAFETY: a foreign table has a server; its wrapper's handler gives an FdwRoutine, or raises.
    unsafe {
        let routine = pg_sys::GetFdwRoutineByServerId(pg_sys::GetForeignServerIdByRelId(table));
        (*routine).ExecForeignTruncate.is_some()
    }
}

/// Whether foreign keys can refer to a table, as heap_truncate_check_FKs asks first.
fn may_be_referenced(table: pg_sys::Oid) -> bool {
    relations::catalogued(table, |row| {
        row.relhastriggers || row.relkind as u8 == pg_sys::RELKIND_PARTITIONED_TABLE
    })
    .unwrap_or(false)
}

fn missing(name: Node<pg_sys::RangeVar>) -> Obstacle {
    Obstacle::Missing {
        schema: name.schemaname().map(text::from_server),
        name: name.relname().map(text::from_server).unwrap_or_default(),
    }
}

impl Obstacle {
    /// What PostgreSQL says.
    pub fn reason(&self) -> String {
        let name = |table: &pg_sys::Oid| relations::name(*table);
        match self {
            Obstacle::Missing { schema: Some(schema), name } => {
                format!("relation \"{schema}.{name}\" does not exist")
            }
            Obstacle::Missing { schema: None, name } => format!("relation \"{name}\" does not exist"),
            Obstacle::NotATable(table) => format!("\"{}\" is not a table", name(table)),
            Obstacle::ForeignTable(table) => format!("cannot truncate foreign table \"{}\"", name(table)),
            Obstacle::SystemCatalog(table) => {
                format!("permission denied: \"{}\" is a system catalog", name(table))
            }
            Obstacle::NotAllowed(table) => format!("permission denied for table {}", name(table)),
            Obstacle::OtherSessions(_) => "cannot truncate temporary tables of other sessions".to_owned(),
            Obstacle::InUse(table, Use::Open) => format!(
                "cannot TRUNCATE \"{}\" because it is being used by active queries in this session",
                name(table)
            ),
            Obstacle::InUse(table, Use::PendingTriggers) => {
                format!("cannot TRUNCATE \"{}\" because it has pending trigger events", name(table))
            }
            Obstacle::OnlyOfPartitioned(_) => "cannot truncate only a partitioned table".to_owned(),
            Obstacle::Referenced(_) => {
                "cannot truncate a table referenced in a foreign key constraint".to_owned()
            }
            Obstacle::NotOwner(sequence) => format!("must be owner of sequence {}", name(sequence)),
        }
    }

    pub fn sqlstate(&self) -> [u8; 5] {
        match self {
            Obstacle::Missing { .. } => *b"42P01",
            Obstacle::NotATable(_) | Obstacle::OnlyOfPartitioned(_) => *b"42809",
            Obstacle::ForeignTable(_) | Obstacle::OtherSessions(_) | Obstacle::Referenced(_) => *b"0A000",
            Obstacle::SystemCatalog(_) | Obstacle::NotAllowed(_) | Obstacle::NotOwner(_) => *b"42501",
            Obstacle::InUse(..) => *b"55006",
        }
    }

    /// The relation that it is about, quoted where SQL needs it.
    pub fn relation(&self) -> Option<String> {
        match self {
            Obstacle::Missing { schema, name } => {
                let name = relations::quoted_name(name);
                Some(match schema {
                    Some(schema) => format!("{}.{name}", relations::quoted_name(schema)),
                    None => name,
                })
            }
            Obstacle::NotATable(table)
            | Obstacle::ForeignTable(table)
            | Obstacle::SystemCatalog(table)
            | Obstacle::NotAllowed(table)
            | Obstacle::OtherSessions(table)
            | Obstacle::InUse(table, _)
            | Obstacle::OnlyOfPartitioned(table)
            | Obstacle::Referenced(table)
            | Obstacle::NotOwner(table) => Some(relations::qualified_name(*table)),
        }
    }
}
