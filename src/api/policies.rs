//! What `safedelete.policies` and `safedelete.settings_for` ask.

use crate::pg::pg_sys;
use safedelete_core::nodes;
use safedelete_core::policy::{Key, Policy};

use crate::pg::function::{self, ResultRows, Value, function};
use crate::pg::report;
use crate::{engines, policy, settings};

function!(
    /// `policy_is_readable(label text) RETURNS bool`: whether this version can read a label. NULL for
    /// NULL; raises nothing.
    safedelete_policy_is_readable,
    pg_finfo_safedelete_policy_is_readable,
    |call| {
        // Declared STRICT.
        let label = function::text_argument(call, 0).unwrap_or_default();
        Ok(pg_sys::Datum::from(Policy::parse(&label).is_ok()))
    }
);

function!(
    /// `policy_of(target regclass) RETURNS TABLE (setting text, value text, source text)`: the keys that
    /// labels name for a table, the value in force, and the object whose label it is. What is
    /// no setting (`override`) comes always.
    safedelete_policy_of,
    pg_finfo_safedelete_policy_of,
    |call| {
        let rows = ResultRows::of(call);
        let Some(table) = function::oid(call, 0) else { return Ok(pg_sys::Datum::from(0)) };
        if engines::runs(table) {
            let unguarded = engines::unguarded_nodes();
            if !unguarded.is_empty() {
                report::warn(&nodes::unguarded(&unguarded), None);
            }
        }
        let (layers, _) = policy::labels(table);
        let settings = settings::effective();
        let effective = layers.as_ref().map_or(settings, |layers| settings.under(&layers.policy));
        for key in Key::all() {
            let source = match layers.as_ref().and_then(|layers| layers.origin(key)) {
                Some(origin) => format!("policy on {}", origin.object()),
                None if !key.is_setting() => "default".to_owned(),
                None => continue,
            };
            rows.put(vec![key.word().into(), Value::Text(effective.value(key)), Value::Text(source)]);
        }
        Ok(pg_sys::Datum::from(0))
    }
);
