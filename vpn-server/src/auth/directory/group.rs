//! Names of groups, as rules compare them.

use std::fmt;

use pki_core::text::is_deceptive;

/// A group as a directory or a handler names it: a distinguished name, a SID or any other text. Compared octet by octet.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupName(String);

/// Why a text is no name of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidGroupName {
    /// It has no characters.
    #[error("the name of the group is empty")]
    Empty,
    /// It is longer than [`GroupName::MAX_LENGTH`].
    #[error("the name of the group has {0} characters, at most {max} are taken", max = GroupName::MAX_LENGTH)]
    TooLong(usize),
    /// It has characters that end a line, drive a terminal or hide.
    #[error("the name of the group has a control or invisible character")]
    Unprintable,
}

impl GroupName {
    /// The longest name, in characters.
    pub const MAX_LENGTH: usize = 255;

    /// Takes a name as it is.
    ///
    /// # Errors
    ///
    /// [`InvalidGroupName`] for a text that is empty, too long, or holds control, bidirectional or invisible characters.
    pub fn parse(text: &str) -> Result<Self, InvalidGroupName> {
        match text.chars().count() {
            0 => Err(InvalidGroupName::Empty),
            length if length > Self::MAX_LENGTH => Err(InvalidGroupName::TooLong(length)),
            _ if text.chars().any(is_deceptive) => Err(InvalidGroupName::Unprintable),
            _ => Ok(Self(text.to_owned())),
        }
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name, for those who keep it.
    #[must_use]
    pub fn into_string(self) -> String {
        self.0
    }
}

impl fmt::Display for GroupName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distinguished_names_sids_and_words_pass_unchanged() {
        for name in ["cn=Admins,ou=groups,dc=example,dc=org", "S-1-5-21-1-2-3-512", "Büro"] {
            assert_eq!(GroupName::parse(name).unwrap().as_str(), name);
        }
    }

    #[test]
    fn the_longest_name_passes_and_one_character_more_does_not() {
        assert!(GroupName::parse(&"ü".repeat(GroupName::MAX_LENGTH)).is_ok());
        let longer = "ü".repeat(GroupName::MAX_LENGTH + 1);
        assert_eq!(GroupName::parse(&longer), Err(InvalidGroupName::TooLong(256)));
    }

    #[test]
    fn crt_07_names_that_could_be_taken_for_others_are_refused() {
        for name in ["a\nb", "a\0b", "a\u{202e}b", "a\u{200b}"] {
            assert_eq!(GroupName::parse(name), Err(InvalidGroupName::Unprintable), "{name:?}");
        }
        assert_eq!(GroupName::parse(""), Err(InvalidGroupName::Empty));
    }
}
