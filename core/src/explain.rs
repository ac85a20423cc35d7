//! What EXPLAIN says binds a write.

use crate::limit::Budget;
use crate::message::{Terms, rows};
use crate::standing::Standing;

/// EXPLAIN's form of the limits of a write before the size of its table is asked for: none that binds nobody, and a
/// budget that counts where it is larger.
pub fn bounds(terms: &Terms, standing: &Standing) -> String {
    let bounds = &terms.bounds;
    let budget = match standing.budget {
        _ if standing.bypassed => return "none (bypass_role)".to_owned(),
        Ok(Some(Budget::Unlimited)) => return "none (allow_rows)".to_owned(),
        Ok(Some(Budget::Rows(count))) => Some(count),
        Ok(None) | Err(_) => None,
    };
    let mut limits = Vec::new();
    if let Some(max) = bounds.max_rows {
        limits.push(match budget {
            Some(count) if count > max => format!("{} (allow_rows)", rows(count)),
            _ => format!("{} ({})", rows(max), key("max_rows", terms.max_rows.as_deref())),
        });
    }
    if bounds.max_fraction < 1.0 {
        let fraction = key("max_fraction", terms.max_fraction.as_deref());
        limits.push(match budget {
            Some(count) if count > bounds.min_rows => {
                format!(
                    "{} of the rows ({fraction}), at least {} (allow_rows)",
                    percent(bounds.max_fraction),
                    rows(count)
                )
            }
            _ => format!(
                "{} of the rows ({fraction}), at least {} ({})",
                percent(bounds.max_fraction),
                rows(bounds.min_rows),
                key("min_rows", terms.min_rows.as_deref())
            ),
        });
    }
    if limits.is_empty() { "none".to_owned() } else { limits.join("; ") }
}

/// A setting's short name, and the object whose policy says it.
fn key(name: &str, policy_on: Option<&str>) -> String {
    match policy_on {
        None => name.to_owned(),
        Some(object) => format!("{name}, policy on {object}"),
    }
}

/// A fraction as people say it.
fn percent(fraction: f64) -> String {
    format!("{}%", (fraction * 1e8).round() / 1e6)
}

#[cfg(test)]
mod tests {
    use super::bounds as explained;
    use super::*;
    use crate::limit::Bounds;
    use crate::mode::Mode;

    #[test]
    fn explain_tells_the_bounds_as_they_bind() {
        let bounds =
            |max_rows, max_fraction| Terms::of_settings(Bounds { max_rows, max_fraction, min_rows: 1000 });
        let standing = |budget| Standing { mode: Mode::Enforce, bypassed: false, budget: Ok(budget) };
        let bypassed = Standing { bypassed: true, ..standing(None) };
        assert_eq!(explained(&bounds(None, 1.0), &standing(None)), "none");
        assert_eq!(
            explained(&bounds(None, 0.29), &standing(None)),
            "29% of the rows (max_fraction), at least 1000 rows (min_rows)"
        );
        assert_eq!(
            explained(&bounds(Some(5000), 0.5), &standing(Some(Budget::Rows(2000)))),
            "5000 rows (max_rows); 50% of the rows (max_fraction), at least 2000 rows (allow_rows)"
        );
        let terms = Terms { max_rows: Some("schema \"audit\"".into()), ..bounds(Some(3), 1.0) };
        assert_eq!(explained(&terms, &standing(None)), "3 rows (max_rows, policy on schema \"audit\")");
        assert_eq!(explained(&terms, &standing(Some(Budget::Unlimited))), "none (allow_rows)");
        assert_eq!(explained(&terms, &bypassed), "none (bypass_role)");
        assert_eq!(explained(&bounds(None, 0.5), &bypassed), "none (bypass_role)");
    }
}
