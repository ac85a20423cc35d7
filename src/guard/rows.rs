//! Distinct target rows: a set of (tableoid, ctid), as a bitmap for each page, within a bound of memory.
//! Adding a row is for bare frames where there is room: it allocates nothing then.

use rustc_hash::{FxHashMap, FxHashSet};

use super::identity::Identity;
use crate::pg::pg_sys;

/// A line pointer is a bit; on pages of 8 kB heap tables have up to 291.
const WORDS: usize = 5;
const OFFSETS: usize = WORDS * 64;

type Page = (pg_sys::Oid, u32);
type Other = (pg_sys::Oid, u32, u16);

#[derive(Default)]
pub struct DistinctRows {
    /// The page of the last row: rows of a page come together as a rule. It is among `pages`, too, with less.
    last: Option<Page>,
    bits: [u64; WORDS],
    pages: FxHashMap<Page, [u64; WORDS]>,
    /// Of larger pages, and of table access methods that number rows in their own way.
    others: FxHashSet<Other>,
    /// No page is added any more.
    is_full: bool,
    /// The tables of rows that found no room, by the number that their keys have for them.
    tables: Vec<pg_sys::Oid>,
    numbers: FxHashMap<pg_sys::Oid, u16>,
}

/// Whether a row has come by before.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Came {
    /// It has not, or has nothing to tell it by.
    First,
    Again,
    /// There is no room for it, and that is to be seen when the input has ended: a key to tell it by, among those that
    /// there was none for.
    Beyond(u64),
}

impl Came {
    #[inline(always)]
    pub fn told(is_new: bool) -> Came {
        if is_new { Came::First } else { Came::Again }
    }
}

impl DistinctRows {
    /// Whether a row can be added as it is; not, where `add` has to be called.
    #[inline]
    pub fn has_room(&self) -> bool {
        self.pages.len() < self.pages.capacity() && self.others.len() < self.others.capacity()
    }

    /// Adds a row of the page of the last one, for which there is always room; whether it was new. `None` where it is
    /// of another page.
    #[inline(always)]
    pub fn insert_again(&mut self, row: Identity) -> Option<bool> {
        let offset = usize::from(row.offset);
        let is_of_last = self.last == Some((row.table, row.block())) && offset < OFFSETS;
        is_of_last.then(|| set(&mut self.bits, offset))
    }

    /// Adds a row, for which there is room; whether it was new.
    #[inline(never)]
    pub fn insert(&mut self, row: Identity) -> bool {
        let (table, block, offset) = (row.table, row.block(), usize::from(row.offset));
        if offset >= OFFSETS {
            return self.others.insert((table, block, row.offset));
        }
        if self.last != Some((table, block)) {
            self.turn_to((table, block));
        }
        set(&mut self.bits, offset)
    }

    #[inline(never)]
    fn turn_to(&mut self, page: Page) {
        self.put_back();
        self.bits = *self.pages.entry(page).or_default();
        self.last = Some(page);
    }

    /// All pages are up to date.
    fn put_back(&mut self) {
        if let Some(last) = self.last.take()
            && let Some(bits) = self.pages.get_mut(&last)
        {
            *bits = self.bits;
        }
    }

    /// Adds a row within `most` bytes; `None` where memory has run out.
    pub fn add(&mut self, row: Identity, most: usize) -> Option<Came> {
        let (table, block, offset) = (row.table, row.block(), usize::from(row.offset));
        self.put_back();
        let (pages, others) = (self.pages.len().max(16), self.others.len().max(1));
        let bytes = table_bytes::<(Page, [u64; WORDS])>(self.pages.len() + pages)
            + table_bytes::<Other>(self.others.len() + others);
        self.is_full |= bytes > most;
        if !self.is_full {
            self.pages.try_reserve(pages).ok()?;
            self.others.try_reserve(others).ok()?;
            return Some(Came::told(self.insert(row)));
        }
        if offset >= OFFSETS {
            if self.others.contains(&(table, block, row.offset)) {
                return Some(Came::Again);
            }
        } else if let Some(page) = self.pages.get_mut(&(table, block)) {
            return Some(Came::told(set(page, offset)));
        }
        let number = match self.numbers.get(&table) {
            Some(number) => *number,
            None => match u16::try_from(self.tables.len()) {
                Ok(number) => {
                    self.tables.try_reserve(1).ok()?;
                    self.numbers.try_reserve(1).ok()?;
                    self.tables.push(table);
                    self.numbers.insert(table, number);
                    number
                }
                // Nobody writes so many tables at once.
                Err(_) => {
                    self.pages.try_reserve(1).ok()?;
                    self.others.try_reserve(1).ok()?;
                    return Some(Came::told(self.insert(row)));
                }
            },
        };
        Some(Came::Beyond(u64::from(number) << 48 | u64::from(block) << 16 | u64::from(row.offset)))
    }

    /// The table of a key.
    pub fn table_of(&self, key: u64) -> pg_sys::Oid {
        self.tables.get((key >> 48) as usize).copied().unwrap_or(pg_sys::InvalidOid)
    }
}

/// Whether the bit was not set.
#[inline]
fn set(page: &mut [u64; WORDS], offset: usize) -> bool {
    let word = &mut page[offset / 64];
    let before = *word;
    *word |= 1 << (offset % 64);
    *word != before
}

/// What a hash table for so many entries takes: a power of two, seven eighths full, and a byte for each.
fn table_bytes<T>(entries: usize) -> usize {
    (entries * 8).div_ceil(7).next_power_of_two() * (size_of::<T>() + 1)
}
