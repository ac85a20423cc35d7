//! What `safedelete.events`, `safedelete.stats` and `reset_stats()` ask.

use crate::pg::pg_sys;
use safedelete_core::event::{Counter, Event};
use safedelete_core::message::{Report, SQLSTATE_NOT_READY};

use crate::pg::function::{ResultRows, Value, function};
use crate::pg::{backend, roles};
use crate::record::{self, Memory, ring};

/// The shared memory, or why there is none (55000).
fn memory() -> Result<&'static Memory, Report> {
    record::memory().ok_or_else(|| {
        Report::plain(
            SQLSTATE_NOT_READY,
            "safedelete must be loaded via shared_preload_libraries to keep events and counters".to_owned(),
            None,
            Some("Add it and restart the server: ALTER SYSTEM SET shared_preload_libraries = 'safedelete'; (with the \
                libraries that stand there already)".to_owned()),
        )
    })
}

fn sees_all() -> bool {
    let user = roles::current().0;
    pg_sys::superuser_arg(user) || pg_sys::has_privs_of_role(user, pg_sys::ROLE_PG_MONITOR.into())
}

function!(
    /// `read_events() RETURNS SETOF record`: the ring's events, oldest first. Superusers and members of
    /// pg_monitor see all; others those of their own role, as the role that was judged or that had
    /// logged in. Raises 55000 where the library was not preloaded.
    safedelete_read_events,
    pg_finfo_safedelete_read_events,
    |call| {
        let memory = memory()?;
        let rows = ResultRows::of(call);
        let (all, own) = (sees_all(), roles::current().0.to_u32());
        let events = ring::read(memory).filter_map(|event| Event::decode(&event));
        for event in events.filter(|event| all || event.role == own || event.session_role == own) {
            let number = |count: Option<u64>| count.map_or(Value::Null, |count| Value::Bigint(count as i64));
            let text = |text: String| if text.is_empty() { Value::Null } else { Value::Text(text) };
            rows.put(vec![
                Value::Timestamp(event.time),
                text(event.database),
                text(event.user),
                text(event.session_user),
                text(event.application),
                event.command.map_or(Value::Null, |command| command.tag().into()),
                text(event.relation),
                event.rule.map_or(Value::Null, |rule| rule.word().into()),
                event.verdict.word().into(),
                number(event.rows),
                number(event.limit),
                text(event.limit_source),
                text(event.reason),
                // Whoever owns a SECURITY DEFINER function is not shown what its callers wrote.
                if all || event.session_role == own { text(event.query) } else { Value::Null },
                // What SQL of 0.2.0 does not ask for.
                Value::Bigint(event.id as i64),
                number(event.xid),
                number(event.lsn),
            ]);
        }
        Ok(pg_sys::Datum::from(0))
    }
);

function!(
    /// `read_stats() RETURNS SETOF record`: the counters of each database. Raises 55000 where the library
    /// was not preloaded.
    safedelete_read_stats,
    pg_finfo_safedelete_read_stats,
    |call| {
        let stats = memory()?.stats();
        let rows = ResultRows::of(call);
        for counted in stats.read() {
            let name = backend::database_name(counted.database);
            let mut values = vec![Value::Oid(counted.database), Value::from(name)];
            let mut counters = counted.counters.iter().map(|count| Value::Bigint(*count as i64));
            values.extend(counters.by_ref().take(Counter::FIRST));
            values.push(Value::Timestamp(stats.since()));
            // What SQL of 0.2.0 does not ask for.
            values.extend(counters);
            rows.put(values);
        }
        Ok(pg_sys::Datum::from(0))
    }
);

function!(
    /// `reset_stats() RETURNS void`: counts from zero again, in every database. EXECUTE is the
    /// owner's to grant. Raises 55000 where the library was not preloaded.
    safedelete_reset_stats,
    pg_finfo_safedelete_reset_stats,
    |_| {
        let stats = memory()?.stats();
        stats.reset(pg_sys::GetCurrentTimestamp());
        Ok(pg_sys::Datum::from(0))
    }
);
