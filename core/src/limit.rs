//! Rule `rows`: which limit binds a table, and whether a count is over it.

/// The settings that bound a write, as they are in force for one table.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bounds {
    /// `max_rows`; `None` for -1.
    pub max_rows: Option<u64>,
    /// `max_fraction`, from 0 to 1; 1 is no limit.
    pub max_fraction: f64,
    /// `min_rows`: a write of at most this many rows is never refused for its fraction.
    pub min_rows: u64,
}

/// A row budget that `allow_rows` declares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Budget {
    Rows(u64),
    Unlimited,
}

/// Where a limit comes from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Source {
    MaxRows,
    /// `max_fraction` of about so many rows.
    Fraction {
        table_rows: f64,
    },
    /// `max_fraction` of the table is fewer than `min_rows`.
    MinRows {
        table_rows: f64,
    },
    AllowRows,
}

/// The most rows a write may modify.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limit {
    pub rows: u64,
    pub source: Source,
}

impl Bounds {
    pub const UNLIMITED: Bounds = Bounds { max_rows: None, max_fraction: 1.0, min_rows: 0 };

    /// Whether any number of rows is within the bounds.
    pub fn unlimited(&self) -> bool {
        self.max_rows.is_none() && self.max_fraction >= 1.0
    }

    /// A count up to which no write can be over the limit, whatever the table's size: the size is
    /// asked for only beyond it.
    pub fn surely_within(&self) -> u64 {
        let by_fraction = if self.max_fraction >= 1.0 { u64::MAX } else { self.min_rows };
        by_fraction.min(self.max_rows.unwrap_or(u64::MAX))
    }

    /// The limit for a table of `table_rows` rows (`None`: it has no size, as a view), or `None`
    /// where any number of rows may be written.
    pub fn limit(&self, table_rows: Option<f64>) -> Option<Limit> {
        let by_fraction = table_rows.filter(|_| self.max_fraction < 1.0).map(|table_rows| {
            // More than fraction * table is, for whole rows, more than its floor.
            let share = (self.max_fraction * table_rows.max(0.0)).floor() as u64;
            if share < self.min_rows {
                Limit { rows: self.min_rows, source: Source::MinRows { table_rows } }
            } else {
                Limit { rows: share, source: Source::Fraction { table_rows } }
            }
        });
        let by_count = self.max_rows.map(|rows| Limit { rows, source: Source::MaxRows });
        match (by_count, by_fraction) {
            (Some(a), Some(b)) => Some(if a.rows <= b.rows { a } else { b }),
            (a, b) => a.or(b),
        }
    }
}

/// What an honoured budget makes of a limit: it replaces the limit where it is larger.
pub fn with_budget(limit: Option<Limit>, budget: Budget) -> Option<Limit> {
    match (limit, budget) {
        (None, _) | (_, Budget::Unlimited) => None,
        (Some(limit), Budget::Rows(rows)) if rows > limit.rows => {
            Some(Limit { rows, source: Source::AllowRows })
        }
        (limit, _) => limit,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bounds(max_rows: Option<u64>, max_fraction: f64, min_rows: u64) -> Bounds {
        Bounds { max_rows, max_fraction, min_rows }
    }

    #[test]
    fn the_smaller_of_count_and_fraction_binds() {
        let limit = bounds(Some(500), 0.5, 100).limit(Some(20000.0)).unwrap();
        assert_eq!((limit.rows, limit.source), (500, Source::MaxRows));
        let limit = bounds(None, 0.5, 100).limit(Some(20000.0)).unwrap();
        assert_eq!((limit.rows, limit.source), (10000, Source::Fraction { table_rows: 20000.0 }));
        let limit = bounds(None, 0.5, 100).limit(Some(40.0)).unwrap();
        assert_eq!((limit.rows, limit.source), (100, Source::MinRows { table_rows: 40.0 }));
    }

    #[test]
    fn one_is_no_fraction_and_a_view_has_no_size() {
        assert_eq!(bounds(None, 1.0, 100).limit(Some(40.0)), None);
        assert_eq!(bounds(None, 0.5, 100).limit(None), None);
        assert_eq!(bounds(Some(0), 1.0, 100).limit(None).unwrap().rows, 0);
    }

    #[test]
    fn a_budget_never_lowers_a_limit() {
        let limit = bounds(None, 0.5, 100).limit(Some(20000.0));
        assert_eq!(with_budget(limit, Budget::Rows(1)), limit);
        assert_eq!(with_budget(limit, Budget::Rows(19999)).unwrap().source, Source::AllowRows);
        assert_eq!(with_budget(limit, Budget::Unlimited), None);
    }

    proptest! {
        #[test]
        fn the_limit_says_what_the_rule_says(
            max_rows in prop::option::of(0u64..3000), fraction in 0.0f64..1.2, min_rows in 0u64..300,
            table_rows in 0u32..5000, count in 0u64..6000,
        ) {
            let bounds = bounds(max_rows, fraction, min_rows);
            let over_count = max_rows.is_some_and(|max| count > max);
            let over_fraction = fraction < 1.0 && count > min_rows
                && count as f64 > fraction * f64::from(table_rows);
            let over = bounds.limit(Some(f64::from(table_rows))).is_some_and(|l| count > l.rows);
            prop_assert_eq!(over, over_count || over_fraction);
            if count <= bounds.surely_within() {
                prop_assert!(!over);
            }
        }
    }
}
