//! The text of a label: a JSON object, its keys and their values, and what is wrong with it.

use core::fmt;

use serde::Deserializer as _;
use serde::de::{Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::keys::{KEYS, Key};

/// What is wrong with a label: message and DETAIL of SQLSTATE 22023.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadPolicy {
    pub message: String,
    pub detail: String,
}

pub fn bad_value(key: Key, value: &str) -> BadPolicy {
    BadPolicy {
        message: format!("invalid value for policy key \"{}\": {}", key.word(), shown(value)),
        detail: key.definition().range.to_owned(),
    }
}

fn all_words() -> String {
    let [others @ .., last] = KEYS.map(|of| of.word);
    format!("{} and {last}", others.join(", "))
}

/// What a user wrote, short and on one line.
fn shown(text: &str) -> String {
    const MOST: usize = 40;
    let mut line: String = text.chars().take(MOST).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().nth(MOST).is_some() {
        line.push_str("...");
    }
    line
}

/// The keys of a label with their values as written: each once, in the label's order.
pub fn pairs(label: &str) -> Result<Vec<(Key, &RawValue)>, BadPolicy> {
    let mut reader = Reader { pairs: Vec::new(), reading: None, wrong: None };
    let mut json = serde_json::Deserializer::from_str(label);
    let outcome = json.deserialize_map(&mut reader).and_then(|()| json.end());
    match (reader.wrong, reader.reading, outcome) {
        (Some(wrong), ..) => Err(wrong),
        (None, _, Ok(())) => Ok(reader.pairs),
        (None, Some(key), Err(error)) => Err(BadPolicy {
            message: format!("invalid value for policy key \"{}\"", key.word()),
            detail: format!("{} JSON: {error}.", key.definition().range),
        }),
        (None, None, Err(error)) => Err(BadPolicy {
            message: "policy is not a JSON object".to_owned(),
            detail: format!("JSON: {error}."),
        }),
    }
}

struct Reader<'a> {
    pairs: Vec<(Key, &'a RawValue)>,
    /// The key whose value is being read.
    reading: Option<Key>,
    wrong: Option<BadPolicy>,
}

impl<'a> Visitor<'a> for &mut Reader<'a> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(word) = map.next_key::<String>()? {
            let wrong = match Key::all().find(|key| key.word() == word) {
                None => BadPolicy {
                    message: format!("unrecognized policy key \"{}\"", shown(&word)),
                    detail: format!("The keys are {}.", all_words()),
                },
                Some(key) if self.pairs.iter().any(|(known, _)| *known == key) => BadPolicy {
                    message: format!("policy key \"{word}\" is given more than once"),
                    detail: "Each key can be given once.".to_owned(),
                },
                Some(key) => {
                    self.reading = Some(key);
                    self.pairs.push((key, map.next_value()?));
                    self.reading = None;
                    continue;
                }
            };
            self.wrong = Some(wrong);
            return Err(A::Error::custom("refused"));
        }
        Ok(())
    }
}
