//! The ring across a restart: the postmaster writes it when it stops, and reads it once when it
//! starts. A file that is not to be read is a LOG line and an empty ring, never a server that does
//! not start.

use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;

use safedelete_core::event::{Encoded, Event, WORDS};

use super::{Memory, memory, ring};
use crate::refusal;

/// Below the data directory, where the postmaster is; pg_stat is where PostgreSQL keeps such files.
const PATH: &str = "pg_stat/safedelete.events";
const PART: &str = "pg_stat/safedelete.events.tmp";
/// Name and version of the file's form; changes when an event's form does.
const MAGIC: [u8; 16] = *b"safedelete ev 01";

/// Writes the ring.
pub fn write() {
    let Some(memory) = memory() else { return };
    if let Err(error) = try_write(memory) {
        let _ = fs::remove_file(PART);
        refusal::log(&format!("safedelete could not write its events to \"{PATH}\": {error}"));
    }
}

fn try_write(memory: &Memory) -> io::Result<()> {
    let events = ring::read(memory);
    let mut body = Vec::with_capacity(events.len() * WORDS * 8);
    for word in events.iter().flat_map(|(_, event)| event.iter()) {
        body.extend_from_slice(&word.to_le_bytes());
    }
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(PART)?;
    file.write_all(&MAGIC)?;
    file.write_all(&checksum(&body).to_le_bytes())?;
    file.write_all(&body)?;
    file.sync_all()?;
    fs::rename(PART, PATH)
}

/// Fills the ring, and removes the file: after a crash it would tell an old story.
pub fn read() {
    let Some(memory) = memory() else { return };
    match try_read() {
        Ok(events) => {
            // No more than there is room for: the newest.
            let first = events.len().saturating_sub(memory.slots as usize);
            for event in &events[first..] {
                ring::write(memory, event);
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => return,
        Err(error) => refusal::log(&format!("safedelete could not read its events from \"{PATH}\": {error}")),
    }
    let _ = fs::remove_file(PATH);
}

fn try_read() -> io::Result<Vec<Encoded>> {
    let foreign = |what| io::Error::new(io::ErrorKind::InvalidData, what);
    let mut bytes = Vec::new();
    fs::File::open(PATH)?.read_to_end(&mut bytes)?;
    let (head, body) = bytes.split_at_checked(24).ok_or_else(|| foreign("it is too short"))?;
    if head[..16] != MAGIC {
        return Err(foreign("it is of another version"));
    }
    if head[16..] != checksum(body).to_le_bytes() || body.len() % (WORDS * 8) != 0 {
        return Err(foreign("it is damaged"));
    }
    body.chunks_exact(WORDS * 8)
        .map(|chunk| {
            let mut event = [0; WORDS];
            for (word, bytes) in event.iter_mut().zip(chunk.chunks_exact(8)) {
                *word = u64::from_le_bytes(bytes.try_into().unwrap_or_default());
            }
            Event::decode(&event).map(|_| event).ok_or_else(|| foreign("it is damaged"))
        })
        .collect()
}

/// FNV-1a: tells a damaged file from a whole one; nobody is to be kept from forging it who can write
/// to the data directory.
fn checksum(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |sum, byte| (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}
