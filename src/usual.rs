//! Whether a session is as nearly every one nearly always is, in one word: nearly every statement asks once, where each
//! room would have to be asked. What is otherwise is a bit, which the room that knows of it sets and clears.

use crate::pg::local::Local;

/// What may be otherwise.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Unusual {
    /// There is a sum or an open subtransaction.
    Sums,
    /// An engine's library is loaded, or has not been asked for.
    Engine,
    /// `scope` is not `statement`.
    Scope,
    /// A dry run goes on.
    Rehearsal,
    /// `own_max_rows` is set.
    OwnCeiling,
    /// It was changed in this transaction.
    OwnCeilingChanged,
    /// A statement of this transaction has an owner other than the portal.
    Owner,
    /// A utility command has run in this transaction, and may have taken locks.
    Utility,
}

impl Unusual {
    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// The library may have been loaded in the middle of a transaction.
static BITS: Local<u8> = Local::new(Unusual::Engine.bit() | Unusual::Utility.bit());

/// Whether nothing is otherwise.
#[inline(always)]
pub fn is_usual() -> bool {
    BITS.get() == 0
}

/// Whether nothing is that a write has to know which starts now, as new as everything that it hangs on.
#[inline(always)]
pub fn starts_usual() -> bool {
    BITS.get() & !Unusual::Utility.bit() == 0
}

/// Whether this is so. Several may be asked for at once: whether any is.
#[inline(always)]
pub fn is<const N: usize>(asked: [Unusual; N]) -> bool {
    let bits = asked.iter().fold(0, |bits, what| bits | what.bit());
    BITS.get() & bits != 0
}

/// Something is so from now on, or not any more.
#[inline]
pub fn set(what: Unusual, is_so: bool) {
    let others = BITS.get() & !what.bit();
    BITS.set(if is_so { others | what.bit() } else { others });
}
