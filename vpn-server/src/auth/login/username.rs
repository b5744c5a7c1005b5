//! User names: text that may stand in logs, files and environments without changing their meaning (CRT-07).

use std::fmt;

use pki_core::text::is_deceptive;

/// A user name as a client sent it, fit for use.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Username(String);

/// Why a text is no user name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidUsername {
    /// It has no characters.
    #[error("the user name is empty")]
    Empty,
    /// It is longer than [`Username::MAX_LENGTH`].
    #[error("the user name has {0} octets, at most {max} are taken", max = Username::MAX_LENGTH)]
    TooLong(usize),
    /// It has characters that end a line, drive a terminal or hide.
    #[error("the user name has a control or invisible character")]
    Unprintable,
}

impl Username {
    /// The longest name, in octets.
    pub const MAX_LENGTH: usize = 255;

    /// Takes a name as it is: nothing is trimmed or folded, names are compared octet by octet.
    ///
    /// # Errors
    ///
    /// [`InvalidUsername`] for a text that is empty, too long, or holds control, bidirectional or invisible characters.
    pub fn parse(text: &str) -> Result<Self, InvalidUsername> {
        match text.len() {
            0 => Err(InvalidUsername::Empty),
            length if length > Self::MAX_LENGTH => Err(InvalidUsername::TooLong(length)),
            _ if text.chars().any(is_deceptive) => Err(InvalidUsername::Unprintable),
            _ => Ok(Self(text.to_owned())),
        }
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Username {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_names_of_all_scripts_pass_unchanged() {
        for name in ["alice", "alice@company.com", "DOMAIN\\alice", "Zoë", "東京", " a "] {
            assert_eq!(Username::parse(name).unwrap().as_str(), name);
        }
    }

    #[test]
    fn crt_07_what_could_be_taken_for_something_else_is_refused() {
        for name in ["a\nb", "a\0b", "a\u{202e}b", "a\u{200b}", "\u{1b}[31m"] {
            assert_eq!(Username::parse(name), Err(InvalidUsername::Unprintable), "{name:?}");
        }
        assert_eq!(Username::parse(""), Err(InvalidUsername::Empty));
    }

    #[test]
    fn the_longest_name_passes_and_one_octet_more_does_not() {
        assert!(Username::parse(&"x".repeat(Username::MAX_LENGTH)).is_ok());
        let longer = "x".repeat(Username::MAX_LENGTH + 1);
        assert_eq!(Username::parse(&longer), Err(InvalidUsername::TooLong(256)));
    }
}
