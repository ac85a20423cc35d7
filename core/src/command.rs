//! Which commands are guarded: the values of `safedelete.commands`.

use core::fmt;

/// A guarded command. The numbers are those of events, which outlive the library (`event.rs`): a new one
/// takes the next, and none is used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Command {
    Delete = 0,
    Update = 1,
    Merge = 2,
    Upsert = 3,
    Truncate = 4,
    Drop = 5,
}

impl Command {
    pub const ALL: [Command; 6] =
        [Command::Delete, Command::Update, Command::Merge, Command::Upsert, Command::Truncate, Command::Drop];

    /// The word in `safedelete.commands`.
    pub fn word(self) -> &'static str {
        match self {
            Command::Delete => "delete",
            Command::Update => "update",
            Command::Merge => "merge",
            Command::Upsert => "upsert",
            Command::Truncate => "truncate",
            Command::Drop => "drop",
        }
    }

    /// The name a message starts with.
    pub fn tag(self) -> &'static str {
        match self {
            Command::Delete => "DELETE",
            Command::Update => "UPDATE",
            Command::Merge => "MERGE",
            Command::Upsert => "INSERT ON CONFLICT",
            Command::Truncate => "TRUNCATE",
            Command::Drop => "DROP",
        }
    }

    /// The number that an event and a plan carry; see [`Command::from_code`].
    pub fn code(self) -> i32 {
        self as i32
    }

    pub fn from_code(code: i32) -> Option<Command> {
        Command::ALL.into_iter().find(|command| command.code() == code)
    }
}

/// A set of commands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Commands(u8);

impl Commands {
    /// The default of `safedelete.commands`.
    pub const DEFAULT: Commands =
        Commands::of(&[Command::Delete, Command::Update, Command::Merge, Command::Truncate]);
    pub const ALL: Commands = Commands::of(&Command::ALL);

    const fn of(commands: &[Command]) -> Commands {
        match commands {
            [] => Commands(0),
            [first, others @ ..] => Commands(Commands::of(others).0 | 1 << *first as u8),
        }
    }

    pub fn contains(self, command: Command) -> bool {
        self.0 & (1 << command as u8) != 0
    }

    /// Reads a list such as `delete, update`; letter case and blanks do not matter.
    ///
    /// # Errors
    /// What is wrong with the first word that names no command, as a DETAIL.
    pub fn parse(list: &str) -> Result<Commands, String> {
        let mut commands = Commands(0);
        for word in list.split(',').map(str::trim) {
            if word.is_empty() && list.trim().is_empty() {
                continue;
            }
            match Commands::of_word(word) {
                Some(command) => commands.0 |= command.0,
                None => {
                    return Err(format!(
                        "\"{word}\" is none of delete, update, merge, truncate, drop, upsert."
                    ));
                }
            }
        }
        Ok(commands)
    }

    fn of_word(word: &str) -> Option<Commands> {
        let command = Command::ALL.into_iter().find(|c| c.word().eq_ignore_ascii_case(word))?;
        Some(Commands::of(&[command]))
    }

    /// The set of these words; `None` where one names no command.
    pub fn of_words(words: &[String]) -> Option<Commands> {
        words.iter().try_fold(Commands(0), |all, word| Some(Commands(all.0 | Commands::of_word(word)?.0)))
    }
}

impl fmt::Display for Commands {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        let words: Vec<_> =
            Command::ALL.into_iter().filter(|c| self.contains(*c)).map(Command::word).collect();
        formatter.write_str(&words.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_what_the_documentation_says() {
        assert_eq!(Commands::parse("delete, update, merge, truncate"), Ok(Commands::DEFAULT));
        assert_eq!(Commands::DEFAULT.to_string(), "delete, update, merge, truncate");
        assert_eq!(Commands::parse(&Commands::ALL.to_string()), Ok(Commands::ALL));
    }

    #[test]
    fn blanks_and_case_do_not_matter() {
        assert_eq!(Commands::parse(" DELETE ,\tupdate"), Commands::parse("delete,update"));
        assert_eq!(Commands::parse("  "), Ok(Commands(0)));
    }

    #[test]
    fn an_unknown_or_empty_word_is_named() {
        let detail = Commands::parse("delete, remove").unwrap_err();
        assert!(detail.starts_with("\"remove\" is none of "), "{detail}");
        assert!(Command::ALL.into_iter().all(|command| detail.contains(command.word())), "{detail}");
        assert!(Commands::parse("delete,,update").unwrap_err().starts_with("\"\" is none of "));
    }

    /// A new one belongs into `ALL`, too.
    fn number(command: Command) -> i32 {
        match command {
            Command::Delete => 0,
            Command::Update => 1,
            Command::Merge => 2,
            Command::Upsert => 3,
            Command::Truncate => 4,
            Command::Drop => 5,
        }
    }

    #[test]
    fn numbers_stay() {
        assert_eq!(Command::ALL.map(Command::code), Command::ALL.map(number));
        assert!(Command::ALL.map(number).into_iter().eq(0..6));
    }

    #[test]
    fn codes_come_back() {
        for command in Command::ALL {
            assert_eq!(Command::from_code(command.code()), Some(command));
        }
        assert_eq!(Command::from_code(99), None);
    }
}
