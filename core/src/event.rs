//! Events: what the ring in shared memory keeps of refusals, of what went through although a rule
//! refuses it, and of policy changes. An event has a fixed size, so that a writer needs no
//! allocation in shared memory and an old one is simply written over. And what is counted of them.
//!
//! The ring outlives the server, and the library: record/file.rs writes events as they are encoded here. Where
//! that changes, so does its MAGIC.

mod counter;

use crate::command::Command;
use crate::message::Rule;
pub use counter::Counter;

/// What became of a statement. A new one takes the next number, and none is used again: they are in files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Verdict {
    Refused = 0,
    /// `mode` is warn.
    Warned = 1,
    /// `mode` is log.
    Logged = 2,
    /// `allow_rows`.
    Overridden = 3,
    /// `bypass_role`.
    Bypassed = 4,
    /// No statement's: a policy was written.
    Policy = 5,
    /// Kept rows were given back.
    Restored = 6,
    /// Kept rows were taken out for good.
    Forgotten = 7,
}

impl Verdict {
    const ALL: [Verdict; 8] = [
        Verdict::Refused,
        Verdict::Warned,
        Verdict::Logged,
        Verdict::Overridden,
        Verdict::Bypassed,
        Verdict::Policy,
        Verdict::Restored,
        Verdict::Forgotten,
    ];

    pub fn word(self) -> &'static str {
        match self {
            Verdict::Refused => "refused",
            Verdict::Warned => "warned",
            Verdict::Logged => "logged",
            Verdict::Overridden => "overridden",
            Verdict::Bypassed => "bypassed",
            Verdict::Policy => "policy",
            Verdict::Restored => "restored",
            Verdict::Forgotten => "forgotten",
        }
    }

    /// The verdict that `verdict as u64` numbers.
    fn from_code(code: u64) -> Option<Verdict> {
        Verdict::ALL.into_iter().find(|verdict| *verdict as u64 == code)
    }
}

/// One event. Roles are kept by OID, too: who may see it hangs on that.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// By which it is called: from 1, in the order of writing. 0 until it is written.
    pub id: u64,
    /// The transaction, where it has a number or is about to write: all 64 bits.
    pub xid: Option<u64>,
    /// The end of the WAL, before what the event tells of is committed.
    pub lsn: Option<u64>,
    /// Microseconds, as PostgreSQL's timestamptz counts them.
    pub time: i64,
    pub role: u32,
    pub session_role: u32,
    pub verdict: Verdict,
    pub rule: Option<Rule>,
    pub command: Option<Command>,
    pub rows: Option<u64>,
    pub limit: Option<u64>,
    pub database: String,
    pub user: String,
    pub session_user: String,
    pub application: String,
    /// `schema.table`, or the name of a database or schema.
    pub relation: String,
    pub limit_source: String,
    pub reason: String,
    pub query: String,
}

/// The size of an encoded event, in words of eight bytes.
pub const WORDS: usize = 256;
const BYTES: usize = WORDS * 8;
const HEAD: usize = 72;
/// Of files of 0.2.0, whose events had neither number nor transaction.
const FIRST_HEAD: usize = 48;
/// The most bytes of a reason, here and in a LOG line.
pub const REASON_ROOM: usize = 1024;
/// The most bytes of each text, in the order of the fields. The query, which comes last, has what the others leave,
/// and always so much that its beginning can be read.
const ROOM: [usize; 8] = [63, 63, 63, 63, 129, 160, REASON_ROOM, BYTES];
const _: () = assert!(HEAD + 63 * 4 + 129 + 160 + REASON_ROOM + 2 * ROOM.len() + 390 <= BYTES);

pub type Encoded = [u64; WORDS];

/// Changes the time of an encoded event.
pub fn set_time(event: &mut Encoded, time: i64) {
    event[0] = time as u64;
}

/// Numbers an encoded event.
pub fn set_id(event: &mut Encoded, id: u64) {
    event[6] = id;
}

/// The number of an encoded event.
pub fn id(event: &Encoded) -> u64 {
    event[6]
}

/// Changes where in the WAL an encoded event lies.
pub fn set_lsn(event: &mut Encoded, lsn: Option<u64>) {
    event[8] = lsn.unwrap_or(u64::MAX);
}

impl Event {
    /// Packs the event; texts that are too long are cut at a character's boundary.
    pub fn encode(&self) -> Box<Encoded> {
        let mut bytes = vec![0u8; BYTES];
        let mut put = |at: usize, value: u64| bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
        put(0, self.time as u64);
        put(8, u64::from(self.role) << 32 | u64::from(self.session_role));
        put(16, self.rows.unwrap_or(u64::MAX));
        put(24, self.limit.unwrap_or(u64::MAX));
        put(32, self.verdict as u64);
        let command = self.command.map_or(0xff, |command| command.code() as u64);
        put(40, self.rule.map_or(0xff, |rule| rule as u64) << 8 | command);
        put(48, self.id);
        put(56, self.xid.unwrap_or(u64::MAX));
        put(64, self.lsn.unwrap_or(u64::MAX));
        let mut at = HEAD;
        for (text, room) in self.texts().into_iter().zip(ROOM) {
            let text = cut(text, room.min(BYTES - at - 2));
            bytes[at..at + 2].copy_from_slice(&(text.len() as u16).to_le_bytes());
            bytes[at + 2..at + 2 + text.len()].copy_from_slice(text.as_bytes());
            at += 2 + text.len();
        }
        let mut words = Box::new([0; WORDS]);
        for (word, chunk) in words.iter_mut().zip(bytes.chunks_exact(8)) {
            *word = u64::from_le_bytes(chunk.try_into().unwrap_or_default());
        }
        words
    }

    fn texts(&self) -> [&str; 8] {
        [
            &self.database,
            &self.user,
            &self.session_user,
            &self.application,
            &self.relation,
            &self.limit_source,
            &self.reason,
            &self.query,
        ]
    }

    /// Unpacks an event; `None` where it is none (of another version, or damaged).
    pub fn decode(words: &Encoded) -> Option<Event> {
        let known = |number: u64| Some(number).filter(|number| *number != u64::MAX);
        let event = Event::decode_from(words, HEAD)?;
        Some(Event { id: words[6], xid: known(words[7]), lsn: known(words[8]), ..event })
    }

    /// The same of a file of 0.2.0.
    pub fn decode_first(words: &Encoded) -> Option<Event> {
        Event::decode_from(words, FIRST_HEAD)
    }

    fn decode_from(words: &Encoded, head: usize) -> Option<Event> {
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        let number = |at: usize| words[at / 8];
        let (rule, command) = (number(40) >> 8, number(40) & 0xff);
        let mut at = head;
        let mut text = || {
            let length = usize::from(u16::from_le_bytes([*bytes.get(at)?, *bytes.get(at + 1)?]));
            let found = std::str::from_utf8(bytes.get(at + 2..at + 2 + length)?).ok()?;
            at += 2 + length;
            Some(found.to_owned())
        };
        Some(Event {
            id: 0,
            xid: None,
            lsn: None,
            time: number(0) as i64,
            role: (number(8) >> 32) as u32,
            session_role: number(8) as u32,
            verdict: Verdict::from_code(number(32))?,
            rule: if rule == 0xff { None } else { Some(Rule::from_code(rule)?) },
            command: if command == 0xff { None } else { Some(Command::from_code(command as i32)?) },
            rows: Some(number(16)).filter(|rows| *rows != u64::MAX),
            limit: Some(number(24)).filter(|limit| *limit != u64::MAX),
            database: text()?,
            user: text()?,
            session_user: text()?,
            application: text()?,
            relation: text()?,
            limit_source: text()?,
            reason: text()?,
            query: text()?,
        })
    }
}

/// At most so many bytes of a text, whole characters.
pub fn cut(text: &str, room: usize) -> &str {
    let mut end = text.len().min(room);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn event(text: &str) -> Event {
        Event {
            id: 9,
            xid: Some(1 << 33),
            lsn: None,
            time: -5,
            role: 10,
            session_role: u32::MAX,
            verdict: Verdict::Overridden,
            rule: Some(Rule::Rows),
            command: Some(Command::Drop),
            rows: Some(7),
            limit: None,
            database: text.into(),
            user: text.into(),
            session_user: text.into(),
            application: text.into(),
            relation: text.into(),
            limit_source: text.into(),
            reason: text.into(),
            query: text.into(),
        }
    }

    /// What files hold: a change of this takes another MAGIC.
    #[test]
    fn the_form_stays() {
        let texts = ["d", "u", "s", "a", "r", "l", "w", "q"].map(str::to_owned);
        let [database, user, session_user, application, relation, limit_source, reason, query] = texts;
        let event = Event {
            database,
            user,
            session_user,
            application,
            relation,
            limit_source,
            reason,
            query,
            ..event("")
        };
        let head = [-5_i64 as u64, 0x0000_000a_ffff_ffff, 7, u64::MAX, 3, 0x105];
        let tail = b"\x01\0d\x01\0u\x01\0s\x01\0a\x01\0r\x01\0l\x01\0w\x01\0q";
        let words = event.encode();
        assert_eq!(words[..6], head);
        assert_eq!(words[6..9], [9, 1 << 33, u64::MAX]);
        let bytes: Vec<u8> = words[9..].iter().flat_map(|word| word.to_le_bytes()).collect();
        assert_eq!(&bytes[..24], tail);
        assert!(bytes[24..].iter().all(|byte| *byte == 0));
        assert_eq!((WORDS, Event::decode(&words)), (256, Some(event)));
    }

    // A new one belongs into `ALL`, too.
    fn number(verdict: Verdict) -> u8 {
        match verdict {
            Verdict::Refused => 0,
            Verdict::Warned => 1,
            Verdict::Logged => 2,
            Verdict::Overridden => 3,
            Verdict::Bypassed => 4,
            Verdict::Policy => 5,
            Verdict::Restored => 6,
            Verdict::Forgotten => 7,
        }
    }

    fn number_of_rule(rule: Rule) -> u8 {
        match rule {
            Rule::Where => 0,
            Rule::Rows => 1,
            Rule::Own => 2,
            Rule::Exactly => 3,
            Rule::AtMost => 4,
        }
    }

    /// The order of read_stats' columns, in sql/.
    fn column(counter: Counter) -> u8 {
        match counter {
            Counter::Guarded => 0,
            Counter::RefusedWhere => 1,
            Counter::RefusedRows => 2,
            Counter::Warned => 3,
            Counter::Logged => 4,
            Counter::Overridden => 5,
            Counter::Bypassed => 6,
            Counter::RowsSpooled => 7,
            Counter::SpoolBytes => 8,
            Counter::RefusedOwn => 9,
            Counter::RefusedExpected => 10,
        }
    }

    #[test]
    fn numbers_stay() {
        assert_eq!(Verdict::ALL.map(|verdict| verdict as u8), Verdict::ALL.map(number));
        assert_eq!(Rule::ALL.map(|rule| rule as u8), Rule::ALL.map(number_of_rule));
        assert_eq!(Counter::ALL.map(|counter| counter as u8), Counter::ALL.map(column));
        assert!(Verdict::ALL.map(number).into_iter().eq(0..8));
        assert!(Rule::ALL.map(number_of_rule).into_iter().eq(0..5));
        assert!(Counter::ALL.map(column).into_iter().eq(0..11));
        assert_eq!((Verdict::from_code(8), Rule::from_code(5)), (None, None));
    }

    #[test]
    fn what_is_no_event_is_nothing() {
        assert!(Event::decode(&[u64::MAX; WORDS]).is_none());
        let mut words = *event("x").encode();
        words[9] = u64::MAX;
        assert!(Event::decode(&words).is_none());
    }

    proptest! {
        #[test]
        fn a_short_event_comes_back(text in ".{0,15}") {
            let event = event(&text);
            prop_assert_eq!(Event::decode(&event.encode()), Some(event));
        }

        #[test]
        fn a_long_one_is_cut_at_a_character(text in "[a-zäß\u{20ac}\u{1f600}]{0,3000}") {
            let event = event(&text);
            let back = Event::decode(&event.encode()).unwrap();
            for (long, short) in event.texts().into_iter().zip(back.texts()) {
                prop_assert!(long.starts_with(short));
                prop_assert!(short.len() + 4 > 63.min(long.len()));
            }
        }

        #[test]
        fn any_words_decode_or_do_not(seed in any::<[u64; 32]>()) {
            let mut words = [0; WORDS];
            for (i, word) in words.iter_mut().enumerate() {
                *word = seed[i % 32].rotate_left(i as u32);
            }
            words[4] %= 8;
            words[5] %= 0x400;
            let _ = Event::decode(&words);
        }
    }
}
