//! The ring across a restart: the postmaster writes it when it stops, and reads it once when it
//! starts. A file that is not to be read is a LOG line and an empty ring, never a server that does
//! not start.

use std::fs::{self, OpenOptions};
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;

use safedelete_core::event::{Encoded, Event, WORDS};

use super::ring;
use super::shared::{Memory, memory};
use crate::pg::report;

/// Below the data directory, where the postmaster is; pg_stat is where PostgreSQL keeps such files.
const PATH: &str = "pg_stat/safedelete.events";
const PART: &str = "pg_stat/safedelete.events.tmp";
/// Name and version of the file's form; changes when an event's form does.
const MAGIC: [u8; 16] = *b"safedelete ev 02";
/// Of 0.2.0, which is read, too.
const FIRST_MAGIC: [u8; 16] = *b"safedelete ev 01";
const SIZE: usize = WORDS * 8;

/// Writes the ring.
pub fn write() {
    let Some(memory) = memory() else { return };
    if let Err(error) = try_write(memory) {
        let _ = fs::remove_file(PART);
        report::log(&format!("safedelete could not write its events to \"{PATH}\": {error}"));
    }
}

fn try_write(memory: &Memory) -> io::Result<()> {
    let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(PART)?;
    let mut file = BufWriter::new(file);
    file.write_all(&MAGIC)?;
    let mut sum = CHECKSUM;
    for event in ring::read(memory) {
        let bytes = bytes(&event);
        sum = checksum(sum, &bytes);
        file.write_all(&bytes)?;
    }
    file.write_all(&sum.to_le_bytes())?;
    file.into_inner()?.sync_all()?;
    fs::rename(PART, PATH)
}

/// Fills the ring, and removes the file: after a crash it would tell an old story.
pub fn read() {
    let Some(memory) = memory() else { return };
    match try_read(memory) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return,
        Err(error) => report::log(&format!("safedelete could not read its events from \"{PATH}\": {error}")),
    }
    let _ = fs::remove_file(PATH);
}

/// Reads the file twice: once to see that it is whole, and then into the ring, as far as there is room.
fn try_read(memory: &Memory) -> io::Result<()> {
    let mut file = BufReader::new(fs::File::open(PATH)?);
    let mut magic = [0; MAGIC.len()];
    file.read_exact(&mut magic).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => foreign("it is too short"),
        _ => error,
    })?;
    let decode = match magic {
        MAGIC => Event::decode,
        FIRST_MAGIC => Event::decode_first,
        _ => return Err(foreign("it is of another version")),
    };
    let length = file.get_ref().metadata()?.len();
    let body = length.checked_sub((MAGIC.len() + 8) as u64).ok_or_else(|| foreign("it is too short"))?;
    if body % SIZE as u64 != 0 {
        return Err(foreign("it is damaged"));
    }
    let count = body / SIZE as u64;
    let mut sum = CHECKSUM;
    for _ in 0..count {
        sum = checksum(sum, &read_bytes(&mut file)?);
    }
    let mut written = [0; 8];
    file.read_exact(&mut written)?;
    if written != sum.to_le_bytes() {
        return Err(foreign("it is damaged"));
    }
    // The newest.
    let skip = count.saturating_sub(memory.slots);
    file.seek(SeekFrom::Start(MAGIC.len() as u64 + skip * SIZE as u64))?;
    for _ in skip..count {
        let event = words(&read_bytes(&mut file)?);
        if let Some(event) = decode(&event) {
            ring::write(memory, &mut event.encode());
        }
    }
    Ok(())
}

fn foreign(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

fn read_bytes(file: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; SIZE];
    file.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn bytes(event: &Encoded) -> Vec<u8> {
    event.iter().flat_map(|word| word.to_le_bytes()).collect()
}

fn words(bytes: &[u8]) -> Encoded {
    let mut event = [0; WORDS];
    for (word, bytes) in event.iter_mut().zip(bytes.chunks_exact(8)) {
        *word = u64::from_le_bytes(bytes.try_into().unwrap_or_default());
    }
    event
}

/// FNV-1a: tells a damaged file from a whole one; nobody is to be kept from forging it who can write
/// to the data directory.
fn checksum(sum: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(sum, |sum, byte| (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

const CHECKSUM: u64 = 0xcbf2_9ce4_8422_2325;
