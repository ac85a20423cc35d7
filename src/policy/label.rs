//! The security label provider `safedelete`: checks a policy when it is written, says who may write
//! one, and makes every session take it in; reads a label back. PostgreSQL keeps the labels (in
//! pg_seclabel), dumps and restores them. Registered whatever `mode` is, so that dumps restore.

use std::ffi::CStr;

use crate::pg::pg_sys;
use safedelete_core::message::{
    Report, SQLSTATE_INVALID, SQLSTATE_NOT_ALLOWED, SQLSTATE_NOT_SUPPORTED, SQLSTATE_WARNING,
};
use safedelete_core::policy::{BadPolicy, Policy};

use super::changes;
use super::origin::Origin;
use crate::pg::labels::{self, Provider};
use crate::pg::local::Lent;
use crate::pg::relations::{self, quoted_literal};
use crate::pg::{report, roles, text};
use crate::settings;

/// What labels the running command has written.
static WRITTEN: Lent<Vec<Origin>> = Lent::new(Vec::new());

/// Whose labels have been written since this was asked last.
pub fn take_written() -> Vec<Origin> {
    WRITTEN.with(std::mem::take)
}

struct Safedelete;

impl Provider for Safedelete {
    const NAME: &'static CStr = c"safedelete";

    fn relabel(object: &pg_sys::ObjectAddress, label: Option<&CStr>) -> Result<(), Report> {
        write(object, label.map(text::from_server).as_deref())
    }
}

/// Registers the provider.
pub fn register() {
    labels::register::<Safedelete>();
}

fn write(object: &pg_sys::ObjectAddress, label: Option<&str>) -> Result<(), Report> {
    let origin = labelled(object)?;
    may_write(origin)?;
    if let Some(label) = label {
        Policy::parse(label)
            .map_err(|bad| Report::plain(SQLSTATE_INVALID, bad.message, Some(bad.detail), None))?;
    }
    invalidate(origin);
    WRITTEN.with(|written| written.push(origin));
    changes::note(&origin.object(), label);
    Ok(())
}

/// What a label on this object is about.
fn labelled(object: &pg_sys::ObjectAddress) -> Result<Origin, Report> {
    let refused = |detail: &str| {
        let message = "safedelete keeps policy for tables and schemas only".to_owned();
        Err(Report::plain(SQLSTATE_NOT_SUPPORTED, message, Some(detail.to_owned()), None))
    };
    match object.classId {
        pg_sys::NamespaceRelationId => Ok(Origin::Schema(object.objectId)),
        pg_sys::RelationRelationId if object.objectSubId != 0 => {
            refused("A column has no policy of its own.")
        }
        pg_sys::RelationRelationId => match relations::kind(object.objectId) {
            pg_sys::RELKIND_RELATION | pg_sys::RELKIND_PARTITIONED_TABLE | pg_sys::RELKIND_FOREIGN_TABLE => {
                if relations::is_exempt(object.objectId) {
                    return refused("System catalogs and temporary tables are never guarded.");
                }
                Ok(Origin::Table(object.objectId))
            }
            _ => refused("Views, materialized views and sequences have none: label the tables below."),
        },
        _ => refused("Tables are ordinary, partitioned and foreign tables, and partitions."),
    }
}

fn may_write(origin: Origin) -> Result<(), Report> {
    let user = roles::current().0;
    let listed = settings::POLICY_ROLE.names();
    if pg_sys::superuser_arg(user) || roles::is_member_of_any(user, &listed) {
        return Ok(());
    }
    Err(Report::plain(
        SQLSTATE_NOT_ALLOWED,
        format!("permission denied to change the policy on {}", origin.object()),
        Some(format!(
            "Role \"{}\" is neither a superuser nor a member of a role in safedelete.policy_role.",
            roles::name(user)
        )),
        Some("A superuser can let a role write policy: ALTER SYSTEM SET safedelete.policy_role = 'role_name'; SELECT \
            pg_reload_conf();".to_owned()),
    ))
}

/// Lets every session read the policy anew and plan anew, when this transaction commits (and this
/// one when the command ends, or is undone): pg_seclabel itself tells nobody.
fn invalidate(origin: Origin) {
    match origin {
        Origin::Table(table) if relations::kind(table) != pg_sys::RELKIND_PARTITIONED_TABLE => {
            pg_sys::CacheInvalidateRelcacheByRelid(table)
        }
        // The sessions' plans all hang on the namespace catalog, and so does `policy::forget`. Naming
        // a schema's tables, or a table's partitions, instead would miss those that no other session
        // can see yet, or that come between now and the commit.
        _ => pg_sys::CacheInvalidateCatalog(pg_sys::NamespaceRelationId),
    }
}

/// The label of an object, read. One that cannot be read, as a newer version may write, must open
/// nothing: it counts as the strictest, with a WARNING.
pub fn read(origin: Origin) -> Option<Policy> {
    let label = stored(origin)?;
    Some(Policy::parse(&label).unwrap_or_else(|bad| {
        warn_unreadable(origin, &bad);
        Policy::STRICTEST
    }))
}

/// The label of an object as it is stored.
fn stored(origin: Origin) -> Option<String> {
    let (class, object) = match origin {
        Origin::Table(table) => (pg_sys::RelationRelationId, table),
        Origin::Schema(schema) => (pg_sys::NamespaceRelationId, schema),
    };
    labels::stored::<Safedelete>(class, object)
}

fn warn_unreadable(origin: Origin, bad: &BadPolicy) {
    let object = origin.object();
    let warning = Report::plain(
        SQLSTATE_WARNING,
        format!("the policy on {object} cannot be read, so nothing may be modified there"),
        Some(format!("{}. {}", sentence(&bad.message), bad.detail)),
        Some(match origin {
            Origin::Table(table) => format!(
                "Write it anew: SELECT safedelete.set_policy({}::regclass, '{{\"max_rows\": 1000}}'::jsonb);",
                quoted_literal(&relations::qualified_name(table))
            ),
            Origin::Schema(schema) => format!(
                "Write it anew: SELECT safedelete.set_schema_policy({}::regnamespace, '{{\"max_rows\": \
                 1000}}'::jsonb);",
                quoted_literal(&relations::quoted_name(&relations::schema_name(schema)))
            ),
        }),
    );
    report::warn(&warning, None);
}

fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}
