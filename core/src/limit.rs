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

impl Budget {
    /// Whether so many rows are within it (`None`: nobody counts them).
    pub fn holds(self, rows: Option<u64>) -> bool {
        match (self, rows) {
            (Budget::Unlimited, _) => true,
            (Budget::Rows(most), Some(rows)) => rows <= most,
            (Budget::Rows(_), None) => false,
        }
    }

    /// As `allow_rows` is set to it.
    pub fn as_set(self) -> i64 {
        match self {
            Budget::Rows(rows) => i64::try_from(rows).unwrap_or(i64::MAX),
            Budget::Unlimited => -1,
        }
    }
}

/// How many rows a table holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// They were counted.
    Exact(u64),
    /// So many were seen before counting stopped.
    AtLeast(u64),
    /// An estimate, of what cannot be counted here.
    About(u64),
}

impl Size {
    pub fn rows(self) -> u64 {
        match self {
            Size::Exact(rows) | Size::AtLeast(rows) | Size::About(rows) => rows,
        }
    }

    /// Whether counting on would say nothing new.
    pub fn is_final(self) -> bool {
        !matches!(self, Size::AtLeast(_))
    }

    /// The size of two tables together.
    pub fn and(self, other: Size) -> Size {
        let rows = self.rows().saturating_add(other.rows());
        match (self, other) {
            (Size::Exact(_), Size::Exact(_)) => Size::Exact(rows),
            (Size::About(_), _) | (_, Size::About(_)) => Size::About(rows),
            _ => Size::AtLeast(rows),
        }
    }

    /// The same kind of size, of so many rows more.
    pub fn plus(self, more: u64) -> Size {
        self.of(self.rows().saturating_add(more))
    }

    /// The same kind of size, of so many rows fewer.
    pub fn minus(self, fewer: u64) -> Size {
        self.of(self.rows().saturating_sub(fewer))
    }

    fn of(self, rows: u64) -> Size {
        match self {
            Size::Exact(_) => Size::Exact(rows),
            Size::AtLeast(_) => Size::AtLeast(rows),
            Size::About(_) => Size::About(rows),
        }
    }
}

/// Where a limit comes from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Source {
    MaxRows,
    /// `max_fraction` of a table of this size.
    Fraction {
        table: Size,
    },
    /// `max_fraction` of the table is fewer than `min_rows`.
    MinRows {
        table: Size,
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

    /// The limit that a count is over whatever the table's size.
    pub fn over_max_rows(&self, count: u64) -> Option<Limit> {
        self.max_rows.filter(|max| count > *max).map(|rows| Limit { rows, source: Source::MaxRows })
    }

    /// `max_fraction` of so many rows, in whole rows. A fraction as 0.29 is not quite what it was written
    /// as, so a product within its rounding of a whole number is that number.
    pub fn share(&self, table_rows: u64) -> u64 {
        let share = self.max_fraction * table_rows as f64;
        let whole = share.round();
        if (share - whole).abs() <= share * 2.0 * f64::EPSILON { whole as u64 } else { share.floor() as u64 }
    }

    /// How many rows a table has to hold, at the least, for `count` of them to be within `max_fraction`;
    /// `u64::MAX` where none suffice.
    pub fn table_for(&self, count: u64) -> u64 {
        if count <= self.min_rows {
            return 0;
        }
        let quotient = count as f64 / self.max_fraction;
        if quotient.is_nan() || quotient >= (1_u64 << 52) as f64 {
            // No table is as large.
            return u64::MAX;
        }
        // The quotient's rounding is mended: so many rows suffice, and one fewer does not.
        let mut rows = quotient.ceil() as u64;
        while rows > 0 && self.share(rows - 1) >= count {
            rows -= 1;
        }
        while self.share(rows) < count {
            rows += 1;
        }
        rows
    }

    /// The limit for a table (`None`: it has no size, as a view), or `None` where any number of rows may
    /// be written.
    pub fn limit(&self, table: Option<Size>) -> Option<Limit> {
        let by_fraction = table.filter(|_| self.max_fraction < 1.0).map(|table| {
            let share = self.share(table.rows());
            if share < self.min_rows {
                Limit { rows: self.min_rows, source: Source::MinRows { table } }
            } else {
                Limit { rows: share, source: Source::Fraction { table } }
            }
        });
        let by_count = self.max_rows.map(|rows| Limit { rows, source: Source::MaxRows });
        match (by_count, by_fraction) {
            (Some(a), Some(b)) => Some(if a.rows <= b.rows { a } else { b }),
            (a, b) => a.or(b),
        }
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
        let limit = bounds(Some(500), 0.5, 100).limit(Some(Size::Exact(20000))).unwrap();
        assert_eq!((limit.rows, limit.source), (500, Source::MaxRows));
        let limit = bounds(None, 0.5, 100).limit(Some(Size::Exact(20000))).unwrap();
        assert_eq!((limit.rows, limit.source), (10000, Source::Fraction { table: Size::Exact(20000) }));
        let limit = bounds(None, 0.5, 100).limit(Some(Size::Exact(40))).unwrap();
        assert_eq!((limit.rows, limit.source), (100, Source::MinRows { table: Size::Exact(40) }));
    }

    #[test]
    fn one_is_no_fraction_and_a_view_has_no_size() {
        assert_eq!(bounds(None, 1.0, 100).limit(Some(Size::Exact(40))), None);
        assert_eq!(bounds(None, 0.5, 100).limit(None), None);
        assert_eq!(bounds(Some(0), 1.0, 100).limit(None).unwrap().rows, 0);
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
            let table = Size::Exact(u64::from(table_rows));
            let over = bounds.limit(Some(table)).is_some_and(|l| count > l.rows);
            prop_assert_eq!(over, over_count || over_fraction);
            if count <= bounds.surely_within() {
                prop_assert!(!over);
            }
        }

        #[test]
        fn a_fraction_is_what_was_written(
            percent in 0u64..100, table_rows in 0u64..100_000, count in 0u64..100_000,
        ) {
            let bounds = bounds(None, format!("0.{percent:02}").parse().unwrap(), 0);
            let over = bounds.limit(Some(Size::Exact(table_rows))).is_some_and(|l| count > l.rows);
            prop_assert_eq!(over, count * 100 > percent * table_rows);
        }

        #[test]
        fn a_table_of_so_many_rows_suffices_and_of_one_fewer_does_not(
            percent in 1u64..100, min_rows in 0u64..300, count in 0u64..100_000_000,
        ) {
            let bounds = bounds(None, percent as f64 / 100.0, min_rows);
            let limit = |rows| bounds.limit(Some(Size::AtLeast(rows))).unwrap().rows;
            let rows = bounds.table_for(count);
            prop_assert!(limit(rows) >= count);
            prop_assert!(rows == 0 || limit(rows - 1) < count);
        }
    }

    #[test]
    fn no_table_is_large_enough_for_no_fraction() {
        let bounds = bounds(None, 0.0, 10);
        assert_eq!((bounds.table_for(10), bounds.table_for(11)), (0, u64::MAX));
    }
}
