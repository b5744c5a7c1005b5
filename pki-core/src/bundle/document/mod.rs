//! The text of an OpenVPN configuration, a server's or a client's: directives in their order, each with its words and
//! its inline block.
//!
//! Pure: reads no file, knows no directive. What a directive means is decided by whoever reads it: [`super::lint`] for
//! client profiles, the server for stock configurations.

pub mod words;

use std::fmt;

use zeroize::Zeroizing;

pub use words::InvalidLine;

/// The most octets of a configuration; inline certificates and keys are a few kilobytes each.
pub const MAXIMUM_SIZE: usize = 1 << 20;

/// One directive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directive {
    /// Its name, without leading dashes.
    pub name: String,
    /// The words behind it.
    pub arguments: Vec<String>,
    /// The text between `<name>` and `</name>`.
    pub inline: Option<InlineText>,
    /// Where it stands.
    pub place: Place,
}

/// Where a directive stands.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// On the command line.
    CommandLine,
    /// In a file.
    File {
        /// The file as it was named.
        file: String,
        /// The line, counted from 1.
        line: usize,
    },
}

/// The text of an inline block, which may be a key.
#[derive(Clone, PartialEq, Eq)]
pub struct InlineText(Zeroizing<String>);

/// Why a text is not a configuration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SyntaxError {
    /// A line that cannot be split into words.
    #[error("{place}: {problem}")]
    Line {
        /// Where.
        place: Place,
        /// What is wrong with it.
        problem: InvalidLine,
    },
    /// An inline block without an end.
    #[error("{place}: <{name}> has no </{name}>")]
    OpenBlock {
        /// Where it begins.
        place: Place,
        /// Its name.
        name: String,
    },
    /// Larger than any configuration.
    #[error("{file} is larger than {MAXIMUM_SIZE} octets")]
    TooLarge {
        /// The file.
        file: String,
    },
    /// An argument of the command line that belongs to no option.
    #[error("'{}' belongs to no option", .0.escape_debug())]
    StrayArgument(String),
}

impl SyntaxError {
    /// What to do about it.
    #[must_use]
    pub const fn help(&self) -> &'static str {
        match self {
            Self::Line { .. } => "quote arguments with spaces: push \"route 10.7.0.0 255.255.255.0\"",
            Self::OpenBlock { .. } => "close the block on a line of its own",
            Self::TooLarge { .. } => "name the file of the configuration",
            Self::StrayArgument(_) => {
                "write --OPTION ARGUMENT..., or the name of one configuration file alone"
            }
        }
    }
}

/// Reads the text of a configuration; `file` is its name for messages.
///
/// # Errors
///
/// [`SyntaxError`] names the first line that cannot be read.
pub fn parse(file: &str, text: &str) -> Result<Vec<Directive>, SyntaxError> {
    if text.len() > MAXIMUM_SIZE {
        return Err(SyntaxError::TooLarge { file: file.to_owned() });
    }
    entries(file, text).collect()
}

/// Every directive of a text, and what is wrong with the lines that hold none.
pub(crate) fn entries<'a>(
    file: &'a str,
    text: &'a str,
) -> impl Iterator<Item = Result<Directive, SyntaxError>> + 'a {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut lines = text.lines().zip(1..);
    std::iter::from_fn(move || {
        loop {
            let (line, number) = lines.next()?;
            let place = Place::File { file: file.to_owned(), line: number };
            let words = match words::split(line) {
                Ok(words) => words,
                Err(problem) => return Some(Err(SyntaxError::Line { place, problem })),
            };
            let Some((first, arguments)) = words.split_first() else { continue };
            let Some(name) = opening_tag(first) else {
                return Some(Ok(directive(first, arguments, place)));
            };
            let inline = block(&name, &place, lines.by_ref().map(|(line, _)| line));
            return Some(inline.map(|inline| Directive {
                name,
                arguments: Vec::new(),
                inline: Some(inline),
                place,
            }));
        }
    })
}

/// Reads the words of a command line in the way of `openvpn`: `--option argument...`, or one file alone.
///
/// # Errors
///
/// [`SyntaxError::StrayArgument`].
pub fn parse_command_line(words: &[String]) -> Result<Vec<Directive>, SyntaxError> {
    if let [file] = words
        && !file.starts_with("--")
    {
        return Ok(vec![directive("config", std::slice::from_ref(file), Place::CommandLine)]);
    }
    let mut directives: Vec<Directive> = Vec::new();
    for word in words {
        match (word.strip_prefix("--"), directives.last_mut()) {
            (Some(name), _) => directives.push(directive(name, &[], Place::CommandLine)),
            (None, Some(last)) => last.arguments.push(word.clone()),
            (None, None) => return Err(SyntaxError::StrayArgument(word.clone())),
        }
    }
    Ok(directives)
}

impl InlineText {
    /// The text, each line with its end.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<String> for InlineText {
    fn from(text: String) -> Self {
        Self(Zeroizing::new(text))
    }
}

impl fmt::Debug for InlineText {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "InlineText({} octets)", self.0.len())
    }
}

impl fmt::Display for Place {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CommandLine => out.write_str("command line"),
            Self::File { file, line } => write!(out, "{}:{line}", file.escape_debug()),
        }
    }
}

fn directive(name: &str, arguments: &[String], place: Place) -> Directive {
    let name = name.strip_prefix("--").unwrap_or(name).to_owned();
    Directive { name, arguments: arguments.to_vec(), inline: None, place }
}

fn opening_tag(word: &str) -> Option<String> {
    let name = word.strip_prefix('<')?.strip_suffix('>')?;
    (!name.is_empty() && !name.starts_with('/')).then(|| name.to_owned())
}

/// The lines up to the closing tag, which may be indented.
fn block<'a>(
    name: &str,
    place: &Place,
    lines: impl Iterator<Item = &'a str>,
) -> Result<InlineText, SyntaxError> {
    let end = format!("</{name}>");
    let mut text = Zeroizing::new(String::new());
    for line in lines {
        if line.trim_start().starts_with(&end) {
            return Ok(InlineText(text));
        }
        text.push_str(line);
        text.push('\n');
    }
    Err(SyntaxError::OpenBlock { place: place.clone(), name: name.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directives_keep_their_order_and_know_their_line() {
        let text = "\u{feff}# a server\nport 1194\r\n\n--proto udp ; comment\npush \"route 10.7.0.0 255.255.255.0\"\n";
        let directives = parse("server.conf", text).unwrap();
        let shown: Vec<_> = directives
            .iter()
            .map(|directive| format!("{} {} {:?}", directive.place, directive.name, directive.arguments))
            .collect();
        assert_eq!(
            shown,
            [
                r#"server.conf:2 port ["1194"]"#,
                r#"server.conf:4 proto ["udp"]"#,
                r#"server.conf:5 push ["route 10.7.0.0 255.255.255.0"]"#,
            ]
        );
    }

    #[test]
    fn an_inline_block_is_taken_as_it_is() {
        let text = "<ca>\n# not a comment\n  -----BEGIN \"CERTIFICATE\\\n  </ca>\nport 1\n";
        let directives = parse("f", text).unwrap();
        let block = directives[0].inline.as_ref().unwrap();
        assert_eq!(block.as_str(), "# not a comment\n  -----BEGIN \"CERTIFICATE\\\n");
        assert_eq!((directives[0].name.as_str(), directives[1].name.as_str()), ("ca", "port"));
        assert_eq!(directives[1].place, Place::File { file: "f".to_owned(), line: 5 });
    }

    #[test]
    fn key_05_an_inline_key_is_not_shown_in_debug_output() {
        let directives = parse("f", "<key>\nvery secret\n</key>\n").unwrap();
        let debug = format!("{directives:?}");
        assert!(!debug.contains("secret") && debug.contains("12 octets"), "{debug}");
    }

    #[test]
    fn what_cannot_be_read_is_named_with_its_line() {
        let cases = [
            ("port 1\npush \"x\n", "f:2: a \" is opened and not closed on the same line"),
            ("\n<ca>\nabc\n", "f:2: <ca> has no </ca>"),
            (
                "</ca>\n<>\nkey \\x",
                "f:3: '\\x' is no escape: a backslash stands before a backslash, a double quote or a space",
            ),
        ];
        for (text, expected) in cases {
            let error = parse("f", text).unwrap_err();
            assert_eq!(error.to_string(), expected);
            assert!(!error.help().is_empty());
        }
    }

    #[test]
    fn a_configuration_has_a_limit() {
        let line = "# 16 octets long\n";
        assert!(parse("f", &line.repeat(MAXIMUM_SIZE / line.len())).is_ok());
        let too_large = parse("f", &line.repeat(MAXIMUM_SIZE / line.len() + 1)).unwrap_err();
        assert_eq!(too_large, SyntaxError::TooLarge { file: "f".to_owned() });
    }

    #[test]
    fn a_command_line_is_options_with_their_arguments_or_one_file() {
        let words = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let directives = parse_command_line(&words(&[
            "--server",
            "10.8.0.0",
            "255.255.255.0",
            "--float",
            "--port",
            "443",
        ]))
        .unwrap();
        let shown: Vec<_> =
            directives.iter().map(|directive| (&*directive.name, directive.arguments.len())).collect();
        assert_eq!(shown, [("server", 2), ("float", 0), ("port", 1)]);
        let alone = parse_command_line(&words(&["server.conf"])).unwrap();
        assert_eq!((&*alone[0].name, &*alone[0].arguments[0]), ("config", "server.conf"));
        assert_eq!(
            parse_command_line(&words(&["server.conf", "--float"])),
            Err(SyntaxError::StrayArgument("server.conf".to_owned()))
        );
        assert_eq!(parse_command_line(&[]), Ok(Vec::new()));
    }
}
