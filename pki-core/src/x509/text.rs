//! Characters that must not reach a log line or decide who somebody is.

use std::fmt;

/// Whether a character is invisible, moves the cursor, or changes the reading direction.
///
/// Controls (Cc), line and paragraph separators, bidirectional controls, zero-width characters and the soft hyphen
/// (threat model CRT-07, OPS-03).
#[must_use]
pub(crate) fn is_deceptive(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{ad}'
                | '\u{61c}'
                | '\u{180e}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

/// Text from a certificate, fit for one line of a log: deceptive characters and backslashes are escaped.
pub(crate) struct Printable<'a>(pub(crate) &'a str);

impl fmt::Display for Printable<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write as _;
        self.0.chars().try_for_each(|character| match character {
            '\\' => out.write_str("\\\\"),
            hidden if is_deceptive(hidden) => write!(out, "{}", hidden.escape_unicode()),
            plain => out.write_char(plain),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ops_03_hidden_characters_are_spelled_out() {
        assert_eq!(Printable("a\r\nb").to_string(), "a\\u{d}\\u{a}b");
        assert_eq!(Printable("\u{202e}gpj.exe").to_string(), "\\u{202e}gpj.exe");
        assert_eq!(Printable("a\\b").to_string(), "a\\\\b");
        assert_eq!(Printable("jürgen müller").to_string(), "jürgen müller");
    }
}
