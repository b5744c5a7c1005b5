//! Splits one line into words as OpenVPN does, in its configuration files and on its management interface.
//!
//! Words are separated by white space. Double quotes keep spaces and know the escapes of a bare word; single quotes keep
//! everything. A backslash stands before a backslash, a double quote or white space, and nowhere else. `#` and `;`
//! begin a comment where a word could begin, not inside of one.

/// The most words of a line; stock OpenVPN takes 16 and no directive needs more.
pub const MAXIMUM_WORDS: usize = 16;

/// Why a line has no words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidLine {
    /// A quoted word does not end on its line.
    #[error("a {0} is opened and not closed on the same line")]
    OpenQuote(char),
    /// The line ends in a lone backslash.
    #[error("the line ends in a backslash that has nothing to protect")]
    TrailingBackslash,
    /// A backslash before something that needs none.
    #[error("'\\{0}' is no escape: a backslash stands before a backslash, a double quote or a space")]
    UnknownEscape(char),
    /// More words than any directive has.
    #[error("the line has more than {MAXIMUM_WORDS} words")]
    TooManyWords,
    /// NUL and other characters that no editor writes.
    #[error("the line holds a control character")]
    ControlCharacter,
}

/// The words of `line`, comments left out.
///
/// # Errors
///
/// [`InvalidLine`] where stock OpenVPN refuses the line, too.
pub fn split(line: &str) -> Result<Vec<String>, InvalidLine> {
    let mut characters = line.trim_end().chars();
    let mut words = Vec::new();
    while let Some(first) = characters.find(|character| !character.is_whitespace()) {
        if matches!(first, '#' | ';') {
            break;
        }
        if words.len() == MAXIMUM_WORDS {
            return Err(InvalidLine::TooManyWords);
        }
        words.push(match first {
            '\'' => verbatim(&mut characters)?,
            '"' => escaped(&mut characters, None, Some('"'))?,
            _ => escaped(&mut characters, Some(first), None)?,
        });
    }
    Ok(words)
}

/// Up to the next single quote.
fn verbatim(characters: &mut std::str::Chars<'_>) -> Result<String, InvalidLine> {
    let mut word = String::new();
    for character in characters {
        match character {
            '\'' => return Ok(word),
            _ => push(&mut word, character)?,
        }
    }
    Err(InvalidLine::OpenQuote('\''))
}

/// Up to `end`, or to white space where there is no `end`; `first` was read already.
fn escaped(
    characters: &mut std::str::Chars<'_>,
    first: Option<char>,
    end: Option<char>,
) -> Result<String, InvalidLine> {
    let mut word = String::new();
    let mut pending = first;
    while let Some(character) = pending.take().or_else(|| characters.next()) {
        match character {
            '\\' => push(&mut word, protected(characters)?)?,
            _ if end == Some(character) => return Ok(word),
            _ if end.is_none() && character.is_whitespace() => return Ok(word),
            _ => push(&mut word, character)?,
        }
    }
    match end {
        Some(quote) => Err(InvalidLine::OpenQuote(quote)),
        None => Ok(word),
    }
}

/// What stands behind a backslash.
fn protected(characters: &mut std::str::Chars<'_>) -> Result<char, InvalidLine> {
    match characters.next() {
        None => Err(InvalidLine::TrailingBackslash),
        Some(character) if matches!(character, '\\' | '"') || character.is_whitespace() => Ok(character),
        Some(other) => Err(InvalidLine::UnknownEscape(other)),
    }
}

fn push(word: &mut String, character: char) -> Result<(), InvalidLine> {
    if character.is_control() && character != '\t' {
        return Err(InvalidLine::ControlCharacter);
    }
    word.push(character);
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn words_are_separated_by_any_white_space() {
        assert_eq!(words("  push\t route   10.7.0.0 \r"), ["push", "route", "10.7.0.0"]);
        assert_eq!(words(""), [""; 0]);
        assert_eq!(words(" \t\r"), [""; 0]);
    }

    #[test]
    fn quotes_keep_spaces_and_a_closing_one_ends_the_word() {
        assert_eq!(words(r#"push "route 10.7.0.0 255.255.255.0""#), ["push", "route 10.7.0.0 255.255.255.0"]);
        assert_eq!(words(r"setenv NAME 'a \ b'"), ["setenv", "NAME", r"a \ b"]);
        assert_eq!(words(r#""a""b"'c'd"#), ["a", "b", "c", "d"]);
        assert_eq!(words(r#"push """#), ["push", ""]);
        assert_eq!(words(r#"it's "it's""#), ["it's", "it's"]);
    }

    #[test]
    fn a_backslash_protects_what_has_a_meaning_and_nothing_else() {
        assert_eq!(words(r#"key C:\\vpn\\my\ key.pem"#), ["key", r"C:\vpn\my key.pem"]);
        assert_eq!(words(r#"echo "say \"hi\" \\""#), ["echo", r#"say "hi" \"#]);
        assert_eq!(words(r"\ a"), [" a"]);
        assert_eq!(split(r"key C:\vpn"), Err(InvalidLine::UnknownEscape('v')));
        assert_eq!(split(r#"echo "a\nb""#), Err(InvalidLine::UnknownEscape('n')));
        assert_eq!(split(r"key a\"), Err(InvalidLine::TrailingBackslash));
    }

    #[test]
    fn comments_begin_where_a_word_could() {
        assert_eq!(words("port 1194 # the usual one"), ["port", "1194"]);
        assert_eq!(words(";push x"), [""; 0]);
        assert_eq!(words("askpass pass#word;1"), ["askpass", "pass#word;1"]);
        assert_eq!(words(r##"echo "#1" ';2'"##), ["echo", "#1", ";2"]);
    }

    #[test]
    fn what_does_not_end_and_what_no_editor_writes_is_refused() {
        assert_eq!(split(r#"push "route"#), Err(InvalidLine::OpenQuote('"')));
        assert_eq!(split("push 'route"), Err(InvalidLine::OpenQuote('\'')));
        assert_eq!(split("push a\0b"), Err(InvalidLine::ControlCharacter));
        assert_eq!(words(&"a ".repeat(MAXIMUM_WORDS)).len(), MAXIMUM_WORDS);
        assert_eq!(split(&"a ".repeat(MAXIMUM_WORDS + 1)), Err(InvalidLine::TooManyWords));
    }

    proptest! {
        #[test]
        fn a_quoted_text_reads_back(text in "[^\\p{Cc}]{0,40}") {
            prop_assert_eq!(split(&quote(&text)).unwrap(), [text]);
        }

        #[test]
        fn no_line_panics(line in "\\PC{0,80}") {
            let _ = split(&line);
        }
    }

    fn words(line: &str) -> Vec<String> {
        split(line).unwrap()
    }

    /// `text` as one word.
    fn quote(text: &str) -> String {
        let mut quoted = String::with_capacity(text.len() + 2);
        quoted.push('"');
        for character in text.chars() {
            if matches!(character, '"' | '\\') {
                quoted.push('\\');
            }
            quoted.push(character);
        }
        quoted.push('"');
        quoted
    }
}
