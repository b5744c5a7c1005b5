//! Lines of words as OpenVPN reads them: blanks separate, quotes join, a backslash takes the next character as it is.

/// Why a line cannot be taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UnbalancedLine {
    /// A quote was opened and not closed.
    #[error("a quote is not closed")]
    OpenQuote,
    /// Nothing follows the backslash.
    #[error("nothing follows the backslash at the end")]
    LoneBackslash,
}

/// Takes a line apart. Inside single quotes a backslash is a character like any other.
///
/// # Errors
///
/// [`UnbalancedLine`] when the line ends inside quotes or behind a backslash.
pub fn split_words(line: &str) -> Result<Vec<String>, UnbalancedLine> {
    let mut words = Vec::new();
    let mut characters = line.trim_start().chars();
    while !characters.as_str().is_empty() {
        words.push(take_word(&mut characters)?);
        characters = characters.as_str().trim_start().chars();
    }
    Ok(words)
}

fn take_word(characters: &mut std::str::Chars<'_>) -> Result<String, UnbalancedLine> {
    let mut word = String::new();
    let mut quote = None;
    while let Some(character) = characters.next() {
        match (quote, character) {
            (None, character) if character.is_whitespace() => return Ok(word),
            (None, '"' | '\'') => quote = Some(character),
            (Some(open), character) if open == character => quote = None,
            (None | Some('"'), '\\') => {
                word.push(characters.next().ok_or(UnbalancedLine::LoneBackslash)?);
            }
            (_, character) => word.push(character),
        }
    }
    if quote.is_some() { Err(UnbalancedLine::OpenQuote) } else { Ok(word) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_separate_and_quotes_join() {
        for (line, words) in [
            ("", &[][..]),
            ("  \t ", &[]),
            ("push", &["push"]),
            ("  a\tb  c ", &["a", "b", "c"]),
            ("push \"route 10.0.0.0 255.0.0.0\"", &["push", "route 10.0.0.0 255.0.0.0"]),
            ("a '' \"\"", &["a", "", ""]),
            ("a\"b c\"'d e'f", &["ab cd ef"]),
            (r#"a\ b "c\"d" 'e\f'"#, &["a b", "c\"d", r"e\f"]),
            ("'it\"s' \"it's\"", &["it\"s", "it's"]),
        ] {
            assert_eq!(split_words(line).unwrap(), words, "{line}");
        }
    }

    #[test]
    fn what_is_opened_has_to_be_closed() {
        for line in ["\"a", "a 'b", "a\"b c"] {
            assert_eq!(split_words(line), Err(UnbalancedLine::OpenQuote), "{line}");
        }
        assert_eq!(split_words("a\\"), Err(UnbalancedLine::LoneBackslash));
    }

    proptest::proptest! {
        #[test]
        fn no_line_makes_it_panic_and_no_word_is_lost(words in proptest::collection::vec("[^\\\\\"]{0,8}", 0..6)) {
            let line = words.iter().map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(" ");
            proptest::prop_assert_eq!(split_words(&line).unwrap(), words);
        }
    }
}
