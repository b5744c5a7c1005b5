//! The question that a client asks beside the password.

use std::fmt;

use super::ProfileError;
use crate::text::is_deceptive;

/// What `static-challenge` shows; the answer, such as a one-time code, is shown while it is typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge(String);

impl Challenge {
    /// The longest question, in characters: what fits into the windows of clients.
    pub const MAX_LENGTH: usize = 100;

    /// Reads a question that can stand between double quotes.
    ///
    /// # Errors
    /// [`ProfileError::Challenge`].
    pub fn parse(text: &str) -> Result<Self, ProfileError> {
        let has_words = !text.trim().is_empty() && text.chars().count() <= Self::MAX_LENGTH;
        let leaves_quotes = text.contains(['"', '\'', '\\', '<', '>', '\u{feff}']);
        if !has_words || leaves_quotes || text.chars().any(is_deceptive) {
            return Err(ProfileError::Challenge { text: text.escape_debug().to_string() });
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for Challenge {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cfg_01_a_question_cannot_leave_its_quotes() {
        for text in ["Enter MFA code ", "Code?", "Código: "] {
            assert_eq!(Challenge::parse(text).unwrap().to_string(), text);
        }
        let too_long = "x".repeat(Challenge::MAX_LENGTH + 1);
        for text in ["", " ", "a\"b", "a\\", "a\nup x", "</ca>", "it's", "a\u{202e}b", &too_long] {
            assert!(matches!(Challenge::parse(text), Err(ProfileError::Challenge { .. })), "{text:?}");
        }
    }
}
