//! Triggers: what a trigger function is called with, and those of ours that a relation has.

use std::ffi::CStr;

use pgrx::pg_sys::NodeTag;
use safedelete_core::command::Command;

use super::moves::{self, Moved};
use super::nodes::{self, Nodes};
use super::rows::{self, Row, Transition};
use super::{frame, pg_sys, raw, text};

/// What a statement-level trigger function of ours is called for.
#[derive(Clone, Copy)]
pub struct Fired(*mut pg_sys::TriggerData);

impl Fired {
    /// `None` where the function is not called as a trigger.
    pub fn of(call: pg_sys::FunctionCallInfo) -> Option<Fired> {
        // SAFETY: the call's context, NULL or a node; the cast follows the tag.
        unsafe {
            let data = (*call).context;
            (nodes::tag(data) == NodeTag::T_TriggerData).then_some(Fired(data.cast()))
        }
    }

    /// Whether its trigger is marked internal, which a user's cannot be.
    pub fn is_internal(self) -> bool {
        // SAFETY: what `of` has found has a trigger.
        unsafe { (*(*self.0).tg_trigger).tgisinternal }
    }

    /// The table, which is open while the trigger runs.
    pub fn relation(self) -> pg_sys::Relation {
        // SAFETY: what `of` has found.
        unsafe { (*self.0).tg_relation }
    }

    pub fn table(self) -> pg_sys::Oid {
        // SAFETY: as above.
        unsafe { (*self.relation()).rd_id }
    }

    pub fn command(self) -> Option<Command> {
        // SAFETY: as above.
        match unsafe { (*self.0).tg_event } & pg_sys::TRIGGER_EVENT_OPMASK {
            pg_sys::TRIGGER_EVENT_DELETE => Some(Command::Delete),
            pg_sys::TRIGGER_EVENT_UPDATE => Some(Command::Update),
            pg_sys::TRIGGER_EVENT_TRUNCATE => Some(Command::Truncate),
            _ => None,
        }
    }

    /// The tables whose rows a foreign key deletes or changes when a row of this one goes or changes.
    pub fn acted_upon(self) -> Vec<pg_sys::Oid> {
        // SAFETY: as above; the relation's triggers are there while it is open.
        unsafe { of_actions(listed((*self.relation()).trigdesc)) }
    }

    /// How many rows were deleted or updated.
    pub fn rows(self) -> u64 {
        let moved = self.moved().rows;
        // SAFETY: as above.
        let rows = unsafe { rows::count((*self.0).tg_oldtable) };
        if self.command() == Some(Command::Delete) { rows.saturating_sub(moved) } else { rows + moved }
    }

    /// What of them has moved between partitions, by MERGE.
    pub fn moved(self) -> Moved {
        // SAFETY: as above.
        moves::count_of(unsafe { (*self.0).tg_oldtable })
    }

    /// Whether each row of an UPDATE as it was has one as it is: by their order, they are told apart.
    pub fn has_pairs(self) -> bool {
        // SAFETY: as above.
        unsafe { rows::count((*self.0).tg_oldtable) == rows::count((*self.0).tg_newtable) }
    }

    /// Calls `each` with every row that was deleted, or updated, as it was and as it is now.
    pub fn each_row(self, mut each: impl FnMut(Row, Option<Row>)) {
        // SAFETY: as above.
        let (relation, old, new) = unsafe { (self.relation(), (*self.0).tg_oldtable, (*self.0).tg_newtable) };
        let updates = self.command() == Some(Command::Update);
        let moved = if updates { Vec::new() } else { moves::places_of(old) };
        let mut moved = moved.into_iter().peekable();
        // SAFETY: as above.
        let (Some(mut was), mut is) =
            (unsafe { (Transition::of(old, relation), Transition::of(new, relation)) })
        else {
            return;
        };
        let mut place = 0;
        while let Some(row) = was.next() {
            let now = is.as_mut().and_then(Transition::next);
            if moved.next_if_eq(&place).is_none() {
                each(row, now);
            }
            place += 1;
        }
        was.end();
        is.into_iter().for_each(Transition::end);
        if updates {
            // SAFETY: as above.
            unsafe { moves::each_of(old, relation, |was, is| each(was, Some(is))) };
        }
    }
}

/// As many triggers as a write of one row looks through.
const FEW: usize = 4;

/// # Safety
/// `described` is NULL or a relation's triggers, and lives as long.
unsafe fn listed<'a>(described: *const pg_sys::TriggerDesc) -> &'a [pg_sys::Trigger] {
    // SAFETY: by contract.
    unsafe {
        if described.is_null() {
            return &[];
        }
        std::slice::from_raw_parts((*described).triggers, (*described).numtriggers as usize)
    }
}

/// The triggers of a relation, as its cache entry has them.
pub(super) fn triggers<T>(table: pg_sys::Oid, read: impl FnOnce(&[pg_sys::Trigger]) -> T) -> T {
    // SAFETY: the caller's statement holds a lock on the table, or the entry is read before anything else
    // happens; it is open while it is read.
    unsafe {
        let opened = pg_sys::RelationIdGetRelation(table);
        if opened.is_null() {
            return read(&[]);
        }
        let found = read(listed((*opened).trigdesc));
        pg_sys::RelationClose(opened);
        found
    }
}

/// Whether a trigger is one that a library has made for itself: marked internal, and of a name that begins so.
fn is_own(trigger: &pg_sys::Trigger, prefix: &CStr) -> bool {
    // SAFETY: a trigger has a name.
    trigger.tgisinternal
        && unsafe { CStr::from_ptr(trigger.tgname) }.to_bytes().starts_with(prefix.to_bytes())
}

/// Triggers that a library has made for itself.
pub fn own(table: pg_sys::Oid, prefix: &CStr) -> Vec<pg_sys::Oid> {
    triggers(table, |all| {
        all.iter().filter(|trigger| is_own(trigger, prefix)).map(|trigger| trigger.tgoid).collect()
    })
}

/// How many of those fire: in this session, or in any.
pub fn own_that_fire(table: pg_sys::Oid, prefix: &CStr, in_any: bool) -> usize {
    let fires = |trigger: &&pg_sys::Trigger| {
        if in_any { trigger.tgenabled as u8 == pg_sys::TRIGGER_FIRES_ALWAYS } else { fires(trigger) }
    };
    triggers(table, |all| all.iter().filter(|trigger| is_own(trigger, prefix)).filter(fires).count())
}

/// Whether a trigger fires in this session.
pub(super) fn fires(trigger: &pg_sys::Trigger) -> bool {
    // SAFETY: reads a backend variable.
    let is_replica =
        unsafe { pg_sys::SessionReplicationRole } == pg_sys::SESSION_REPLICATION_ROLE_REPLICA as i32;
    match trigger.tgenabled as u8 {
        pg_sys::TRIGGER_FIRES_ALWAYS => true,
        pg_sys::TRIGGER_FIRES_ON_ORIGIN => !is_replica,
        pg_sys::TRIGGER_FIRES_ON_REPLICA => is_replica,
        _ => false,
    }
}

/// Whether there are triggers, few, and all a library's own.
///
/// # Safety
/// `described` is NULL or a relation's triggers.
pub unsafe fn are_all_own(described: *const pg_sys::TriggerDesc, prefix: &CStr) -> bool {
    // SAFETY: by contract.
    unsafe {
        let all = listed(described);
        (1..=FEW).contains(&all.len()) && all.iter().all(|trigger| is_own(trigger, prefix))
    }
}

/// Whether one of them is a library's own.
///
/// # Safety
/// `described` is NULL or a relation's triggers.
pub unsafe fn has_own(described: *const pg_sys::TriggerDesc, prefix: &CStr) -> bool {
    // SAFETY: by contract.
    unsafe {
        listed(described).iter().any(|trigger| {
            trigger.tgisinternal && CStr::from_ptr(trigger.tgname).to_bytes().starts_with(prefix.to_bytes())
        })
    }
}

/// As [`Fired::acted_upon`].
pub fn acted_upon(table: pg_sys::Oid) -> Vec<pg_sys::Oid> {
    triggers(table, of_actions)
}

fn of_actions(all: &[pg_sys::Trigger]) -> Vec<pg_sys::Oid> {
    const ACTIONS: [u32; 6] = [
        pg_sys::F_RI_FKEY_CASCADE_DEL,
        pg_sys::F_RI_FKEY_SETNULL_DEL,
        pg_sys::F_RI_FKEY_SETDEFAULT_DEL,
        pg_sys::F_RI_FKEY_CASCADE_UPD,
        pg_sys::F_RI_FKEY_SETNULL_UPD,
        pg_sys::F_RI_FKEY_SETDEFAULT_UPD,
    ];
    all.iter()
        .filter(|trigger| ACTIONS.contains(&trigger.tgfoid.to_u32()))
        .map(|trigger| trigger.tgconstrrelid)
        .collect()
}

/// Makes a trigger by CREATE TRIGGER's own function, marked internal: dumps leave it out, the owner's ALTER TABLE …
/// DISABLE TRIGGER USER does not reach it, and nobody needs a privilege for it. It fires whatever the session's
/// replication role is. Takes CREATE TRIGGER's lock.
pub fn create_internal(table: pg_sys::Oid, statement: &str) {
    let text = text::to_server(statement).as_ptr();
    let list = frame::call(|| {
        #[allow(ffi_unwind_calls, reason = "inside frame::call; the closure owns nothing")]
        // SAFETY: NUL-terminated.
        unsafe {
            raw::raw_parser(text, pg_sys::RawParseMode::RAW_PARSE_DEFAULT)
        }
    });
    let none = pg_sys::InvalidOid;
    // SAFETY: the parser's list of statements, whose only one is CREATE TRIGGER by the caller's text.
    unsafe {
        for parsed in Nodes::<pg_sys::RawStmt>::of(list).iter() {
            let create = (*parsed.as_ptr()).stmt;
            if nodes::tag(create) == NodeTag::T_CreateTrigStmt {
                pg_sys::CreateTriggerFiringOn(
                    create.cast(),
                    text,
                    table,
                    none,
                    none,
                    none,
                    none,
                    none,
                    std::ptr::null_mut(),
                    true,
                    false,
                    pg_sys::TRIGGER_FIRES_ALWAYS as core::ffi::c_char,
                );
            }
        }
    }
    pg_sys::CommandCounterIncrement();
}

/// Drops a trigger.
pub fn drop(trigger: pg_sys::Oid) {
    let address =
        pg_sys::ObjectAddress { classId: pg_sys::TriggerRelationId, objectId: trigger, objectSubId: 0 };
    // SAFETY: a trigger's address.
    unsafe {
        pg_sys::performDeletion(
            &address,
            pg_sys::DropBehavior::DROP_RESTRICT,
            pg_sys::PERFORM_DELETION_INTERNAL as i32,
        );
    }
    pg_sys::CommandCounterIncrement();
}
