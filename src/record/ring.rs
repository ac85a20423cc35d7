//! The ring of events. Each slot is a sequence lock: odd while it is written, then twice the number of
//! its event and two. Who wants to write takes the next number; where its slot is still being
//! written (by somebody who was overtaken by a whole round), it takes another. Readers look at the
//! sequence before and after.

use std::sync::atomic::{AtomicU64, Ordering, fence};

use safedelete_core::event::{self, Encoded, WORDS};

use super::shared::{MEMORY, Memory};

#[repr(C)]
pub struct Slot {
    sequence: AtomicU64,
    words: [AtomicU64; WORDS],
}

/// The slots, behind the head.
fn slots(memory: &Memory) -> &'static [Slot] {
    let head = MEMORY.load(Ordering::Relaxed);
    // SAFETY: `startup` asked for so much memory, zeroed it, and it holds atomics alone.
    unsafe { std::slice::from_raw_parts(head.add(1).cast::<Slot>(), memory.slots as usize) }
}

/// Writes an event in place of the oldest, and numbers it where it has no number yet.
pub fn write(memory: &Memory, event: &mut Encoded) {
    match event::id(event) {
        0 => event::set_id(event, memory.last_id.fetch_add(1, Ordering::Relaxed) + 1),
        known => {
            memory.last_id.fetch_max(known, Ordering::Relaxed);
        }
    }
    let slots = slots(memory);
    // As many tries as there can be writers would do; a ring smaller than that may lose an event.
    for _ in 0..1000 {
        let number = memory.written.fetch_add(1, Ordering::Relaxed);
        let slot = &slots[(number % memory.slots) as usize];
        let before = slot.sequence.load(Ordering::Relaxed);
        if before & 1 == 1 || before > 2 * number {
            continue;
        }
        let writing = 2 * number + 1;
        if slot.sequence.compare_exchange(before, writing, Ordering::Acquire, Ordering::Relaxed).is_err() {
            continue;
        }
        fence(Ordering::Release);
        for (word, value) in slot.words.iter().zip(event.iter()) {
            word.store(*value, Ordering::Relaxed);
        }
        slot.sequence.store(writing + 1, Ordering::Release);
        return;
    }
}

/// Every whole event, the oldest first; one at a time, for a ring may be large.
pub fn read(memory: &Memory) -> impl Iterator<Item = Box<Encoded>> {
    let slots = slots(memory);
    let mut order: Vec<_> = slots
        .iter()
        .map(|slot| slot.sequence.load(Ordering::Relaxed))
        .zip(slots)
        .filter(|s| s.0 > 0)
        .collect();
    order.sort_unstable_by_key(|(sequence, _)| *sequence);
    order.into_iter().filter_map(|(_, slot)| read_slot(slot))
}

fn read_slot(slot: &Slot) -> Option<Box<Encoded>> {
    // Who writes is about to be done; where writers overtake the reader all the time, it goes on.
    for _ in 0..1000 {
        let before = slot.sequence.load(Ordering::Acquire);
        if before == 0 {
            return None;
        }
        if before & 1 == 1 {
            std::hint::spin_loop();
            continue;
        }
        let mut event = Box::new([0; WORDS]);
        for (value, word) in event.iter_mut().zip(&slot.words) {
            *value = word.load(Ordering::Relaxed);
        }
        fence(Ordering::Acquire);
        if slot.sequence.load(Ordering::Relaxed) == before {
            return Some(event);
        }
    }
    None
}
