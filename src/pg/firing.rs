//! What a write fires: foreign keys that act on other tables.

use safedelete_core::command::Command;

use super::relcache::Opened;
use super::write::Write;
use super::{inheritance, nodes, pg_sys, trigger, unique_keys};

/// What happens to rows of a table: bits of `pg_trigger.tgtype`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Events(u32);

impl Events {
    pub const INSERT: Events = Events(pg_sys::TRIGGER_TYPE_INSERT);
    pub const DELETE: Events = Events(pg_sys::TRIGGER_TYPE_DELETE);
    pub const UPDATE: Events = Events(pg_sys::TRIGGER_TYPE_UPDATE);

    /// Those that a command may bring.
    pub fn of(command: Command) -> Events {
        match command {
            Command::Delete => Events::DELETE,
            Command::Update => Events::UPDATE,
            Command::Upsert => Events(Events::INSERT.0 | Events::UPDATE.0),
            Command::Merge => Events(Events::INSERT.0 | Events::UPDATE.0 | Events::DELETE.0),
            Command::Truncate => Events(pg_sys::TRIGGER_TYPE_TRUNCATE),
            Command::Drop => Events(0),
        }
    }

    pub fn has(self, other: Events) -> bool {
        self.0 & other.0 != 0
    }
}

/// What happens to a table.
#[derive(Clone, PartialEq, Eq)]
pub struct Happens {
    pub table: pg_sys::Oid,
    /// To its own rows alone.
    pub only: bool,
    pub events: Events,
    /// The columns that an UPDATE sets; `None` where that is not known.
    pub columns: Option<Vec<i16>>,
}

impl Happens {
    /// What a write does, of which no more is known.
    pub fn by(write: Write) -> Happens {
        let Write { command, relation, only } = write;
        Happens { table: relation, only, events: Events::of(command), columns: None }
    }
}

/// What foreign keys do then, by the triggers of a table and of the parts below it.
pub fn follows(what: &Happens) -> Vec<Happens> {
    let members = if what.only { vec![what.table] } else { inheritance::members(what.table) };
    let mut actions = Vec::new();
    for member in members {
        let is_part = member != what.table;
        let fired: Vec<_> = trigger::triggers(member, |all| {
            let all = all.iter().filter(|trigger| what.events.has(Events(trigger.tgtype as u32)));
            // Those of partitions that were made for the whole's are known by it.
            let own = all.filter(|one| trigger::fires(one) && !(is_part && one.tgisclone));
            own.filter_map(Action::of).collect()
        });
        for Action { on, does, by, by_update } in fired {
            if by_update.is_some_and(|key| !is_part && !sets(what, key)) {
                continue;
            }
            let columns = (does == Events::UPDATE).then(|| referring_columns(on, by)).flatten();
            actions.push(Happens { table: on, only: false, events: does, columns });
        }
    }
    actions
}

/// What a foreign key does to the table that refers, for a row whose key goes or changes.
struct Action {
    on: pg_sys::Oid,
    does: Events,
    by: pg_sys::Oid,
    /// For an UPDATE of the key of this index.
    by_update: Option<pg_sys::Oid>,
}

impl Action {
    /// What a trigger does, where it is such an action.
    fn of(trigger: &pg_sys::Trigger) -> Option<Action> {
        let (does, by_update) = match trigger.tgfoid.to_u32() {
            pg_sys::F_RI_FKEY_CASCADE_DEL => (Events::DELETE, false),
            pg_sys::F_RI_FKEY_SETNULL_DEL | pg_sys::F_RI_FKEY_SETDEFAULT_DEL => (Events::UPDATE, false),
            pg_sys::F_RI_FKEY_CASCADE_UPD
            | pg_sys::F_RI_FKEY_SETNULL_UPD
            | pg_sys::F_RI_FKEY_SETDEFAULT_UPD => (Events::UPDATE, true),
            _ => return None,
        };
        let by_update = by_update.then_some(trigger.tgconstrindid);
        Some(Action { on: trigger.tgconstrrelid, does, by: trigger.tgconstraint, by_update })
    }
}

/// Whether an UPDATE may change the key of an index.
fn sets(what: &Happens, key: pg_sys::Oid) -> bool {
    let Some(columns) = &what.columns else { return true };
    unique_keys::columns(key).iter().any(|column| columns.contains(column))
}

/// The columns of a table that a foreign key of it refers with.
fn referring_columns(table: pg_sys::Oid, constraint: pg_sys::Oid) -> Option<Vec<i16>> {
    let opened = Opened::shared(table)?;
    if opened.has_generated() {
        // Those follow the others.
        return None;
    }
    // SAFETY: open; a list of ForeignKeyCacheInfos, which stays while nothing else is read.
    unsafe {
        let keys = pg_sys::RelationGetFKeyList(opened.as_ptr());
        let key =
            nodes::items::<pg_sys::ForeignKeyCacheInfo>(keys).find(|key| (**key).conoid == constraint)?;
        Some((&(*key).conkey)[..(*key).nkeys as usize].to_vec())
    }
}
