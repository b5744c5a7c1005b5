//! Text of peers in logs: one record stays one line, and no terminal is driven by a certificate's name.

use std::fmt::{self, Write as _};

/// Displays text of a peer with everything escaped that could end a line, drive a terminal or reorder characters:
/// control characters, bidirectional and zero-width formatting, line separators, and the backslash itself.
#[derive(Clone, Copy, Debug)]
pub struct Escaped<'a>(pub &'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            match character {
                '\\' => out.write_str("\\\\")?,
                _ if is_unsafe_to_print(character) => write!(out, "{}", character.escape_unicode())?,
                _ => out.write_char(character)?,
            }
        }
        Ok(())
    }
}

pub(crate) fn is_unsafe_to_print(character: char) -> bool {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ops_03_ordinary_names_are_printed_as_they_are() {
        for name in ["client1.domain.tld", "alice@company.com", "Zoë Ünïcode 東京", ""] {
            assert_eq!(Escaped(name).to_string(), name);
        }
    }

    #[test]
    fn ops_03_a_name_cannot_end_a_line_or_drive_a_terminal() {
        let cases = [
            ("a\nb", "a\\u{a}b"),
            ("a\r\u{1b}[31mb", "a\\u{d}\\u{1b}[31mb"),
            ("a\u{9b}31m", "a\\u{9b}31m"),
            ("a\u{202e}b", "a\\u{202e}b"),
            ("a\u{2028}b", "a\\u{2028}b"),
            ("a\u{200b}b", "a\\u{200b}b"),
            ("a\\nb", "a\\\\nb"),
            ("a\0b", "a\\u{0}b"),
        ];
        for (name, escaped) in cases {
            assert_eq!(Escaped(name).to_string(), escaped);
        }
    }

    proptest::proptest! {
        #[test]
        fn ops_03_nothing_unsafe_remains_and_different_names_stay_different(a in ".{0,20}", b in ".{0,20}") {
            let (shown_a, shown_b) = (Escaped(&a).to_string(), Escaped(&b).to_string());
            proptest::prop_assert!(!shown_a.chars().any(is_unsafe_to_print));
            proptest::prop_assert_eq!(a == b, shown_a == shown_b);
        }
    }
}
