//! What happens to a write that the rules refuse: the values of `safedelete.mode`.

/// The numbers are those that PostgreSQL writes to the setting's variable, an int.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum Mode {
    Off = 0,
    Log = 1,
    Warn = 2,
    Enforce = 3,
}

impl Mode {
    pub const ALL: [Mode; 4] = [Mode::Off, Mode::Log, Mode::Warn, Mode::Enforce];

    /// The word in `safedelete.mode`.
    pub fn word(self) -> &'static str {
        match self {
            Mode::Off => "off",
            Mode::Log => "log",
            Mode::Warn => "warn",
            Mode::Enforce => "enforce",
        }
    }

    /// The mode of a word, in any letter case, as PostgreSQL reads an enum setting.
    pub fn parse(word: &str) -> Option<Mode> {
        Mode::ALL.into_iter().find(|mode| mode.word().eq_ignore_ascii_case(word))
    }
}
