//! Names that people give to certificates: checked once, here, and typed from then on.
//!
//! [`CommonName`] is what stands in a certificate; [`FileBase`] is the same text where it also becomes part of file
//! names, and therefore stricter. Distinguished names are built in [`crate::dn`].

use std::fmt;

use unicode_normalization::UnicodeNormalization;

use crate::error::{ErrorKind, Explain};

/// The CN of a subject: 1 to 64 visible characters in Unicode normalisation form C.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CommonName(String);

impl CommonName {
    /// X.520's upper bound, in characters.
    pub const MAX_CHARACTERS: usize = 64;

    /// Normalises and checks a common name.
    ///
    /// # Errors
    /// Names what is wrong with the text.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let normalised = normalised(text)?;
        let characters = normalised.chars().count();
        if characters > Self::MAX_CHARACTERS {
            return Err(NameError::TooManyCharacters { name: printable(text), characters });
        }
        Ok(Self(normalised))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CommonName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

/// The stem of `issued/NAME.crt`, `private/NAME.key` and `reqs/NAME.req`: one path component, never a path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileBase(CommonName);

impl FileBase {
    /// Room for the longest ending within the 255 octets of a file name.
    pub const MAX_OCTETS: usize = 200;

    /// Normalises and checks a name for use in file names.
    ///
    /// # Errors
    /// Names what is wrong with the text.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let common_name = CommonName::parse(text)?;
        let name = common_name.as_str();
        if name == "." || name == ".." {
            return Err(NameError::Traversal { name: printable(text) });
        }
        if let Some(separator) = name.chars().find(|character| matches!(character, '/' | '\\')) {
            return Err(NameError::Separator { name: printable(text), separator });
        }
        if let Some(first @ ('-' | '.')) = name.chars().next() {
            return Err(NameError::LeadingCharacter { name: printable(text), first });
        }
        if name.len() > Self::MAX_OCTETS {
            return Err(NameError::TooManyOctets { name: printable(text), octets: name.len() });
        }
        Ok(Self(common_name))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The same text as a common name: easy-rsa uses one name for both.
    #[must_use]
    pub fn common_name(&self) -> &CommonName {
        &self.0
    }
}

impl fmt::Display for FileBase {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

/// Why a text is not a name. The text is shown with everything invisible escaped.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NameError {
    /// Nothing, or only white space.
    #[error("the name is empty")]
    Empty,
    /// White space at one end.
    #[error("the name '{name}' begins or ends with white space")]
    OuterWhiteSpace {
        /// The text, escaped.
        name: String,
    },
    /// A control character, line break or NUL.
    #[error("the name '{name}' contains the control character U+{code_point:04X}")]
    ControlCharacter {
        /// The text, escaped.
        name: String,
        /// The first such character.
        code_point: u32,
    },
    /// A character that cannot be seen or that turns the reading direction.
    #[error("the name '{name}' contains the invisible or direction-changing character U+{code_point:04X}")]
    HiddenCharacter {
        /// The text, escaped.
        name: String,
        /// The first such character.
        code_point: u32,
    },
    /// Longer than X.520 allows.
    #[error("the name '{name}' has {characters} characters, a common name has at most 64")]
    TooManyCharacters {
        /// The text, escaped.
        name: String,
        /// Its length.
        characters: usize,
    },
    /// Too long for a file name.
    #[error("the name '{name}' has {octets} octets, a file name has room for 200")]
    TooManyOctets {
        /// The text, escaped.
        name: String,
        /// Its length in UTF-8.
        octets: usize,
    },
    /// `.` or `..`.
    #[error("the name '{name}' means a directory")]
    Traversal {
        /// The text, escaped.
        name: String,
    },
    /// A character that separates directories.
    #[error("the name '{name}' contains '{separator}', which separates directories")]
    Separator {
        /// The text, escaped.
        name: String,
        /// The first such character.
        separator: char,
    },
    /// A first character that makes an option or a hidden file of it.
    #[error("the name '{name}' begins with '{first}'")]
    LeadingCharacter {
        /// The text, escaped.
        name: String,
        /// The first character.
        first: char,
    },
    /// A name in a certificate or request that cannot be decoded.
    #[error("the name cannot be read")]
    Unreadable,
    /// An attribute of an organisational subject has the wrong form.
    #[error("{attribute} '{value}' is not acceptable: {rule}")]
    Attribute {
        /// The attribute's name in X.520.
        attribute: &'static str,
        /// The text, escaped.
        value: String,
        /// What it should be.
        rule: &'static str,
    },
}

impl Explain for NameError {
    fn code(&self) -> &'static str {
        match self {
            Self::Empty => "name-empty",
            Self::OuterWhiteSpace { .. } => "name-outer-white-space",
            Self::ControlCharacter { .. } => "name-control-character",
            Self::HiddenCharacter { .. } => "name-hidden-character",
            Self::TooManyCharacters { .. } | Self::TooManyOctets { .. } => "name-too-long",
            Self::Traversal { .. } => "name-traversal",
            Self::Separator { .. } => "name-separator",
            Self::LeadingCharacter { .. } => "name-leading-character",
            Self::Unreadable => "name-unreadable",
            Self::Attribute { .. } => "name-attribute",
        }
    }

    fn kind(&self) -> ErrorKind {
        ErrorKind::User
    }

    fn help(&self) -> String {
        match self {
            Self::Attribute { .. } => "Correct the value, or leave it empty to drop the field.".into(),
            Self::Unreadable => "Ask for a new request; nothing was signed.".into(),
            Self::Empty
            | Self::OuterWhiteSpace { .. }
            | Self::ControlCharacter { .. }
            | Self::HiddenCharacter { .. }
            | Self::TooManyCharacters { .. }
            | Self::TooManyOctets { .. }
            | Self::Traversal { .. }
            | Self::Separator { .. }
            | Self::LeadingCharacter { .. } => {
                "Use 1 to 64 visible characters such as client1.domain.tld or alice@company.com.".into()
            }
        }
    }
}

/// Normalisation form C without anything that cannot be seen.
pub(crate) fn normalised(text: &str) -> Result<String, NameError> {
    let name: String = text.nfc().collect();
    if name.trim().is_empty() {
        return Err(NameError::Empty);
    }
    for character in name.chars() {
        if character.is_control() {
            return Err(NameError::ControlCharacter { name: printable(text), code_point: character.into() });
        }
        if is_hidden(character) {
            return Err(NameError::HiddenCharacter { name: printable(text), code_point: character.into() });
        }
    }
    if name.trim().len() != name.len() {
        return Err(NameError::OuterWhiteSpace { name: printable(text) });
    }
    Ok(name)
}

/// Bidirectional controls, zero-width characters, other ignorable code points, white space other than the blank,
/// private and replacement characters: all of Unicode's Default_Ignorable_Code_Point among them.
fn is_hidden(character: char) -> bool {
    let is_foreign_white_space = character != ' ' && character.is_whitespace();
    is_foreign_white_space
        || HIDDEN_RANGES.iter().any(|(first, last)| (*first..=*last).contains(&u32::from(character)))
}

/// The text with everything but plain visible characters escaped, for messages.
fn printable(text: &str) -> String {
    text.chars()
        .flat_map(|character| {
            let escape = character.is_control() || is_hidden(character);
            let (escaped, plain) =
                if escape { (Some(character.escape_unicode()), None) } else { (None, Some(character)) };
            escaped.into_iter().flatten().chain(plain)
        })
        .take(100)
        .collect()
}

const HIDDEN_RANGES: &[(u32, u32)] = &[
    (0x00ad, 0x00ad),
    (0x034f, 0x034f),
    (0x061c, 0x061c),
    (0x115f, 0x1160),
    (0x17b4, 0x17b5),
    (0x180b, 0x180f),
    (0x200b, 0x200f),
    (0x2028, 0x202e),
    (0x2060, 0x206f),
    (0x2800, 0x2800),
    (0x3164, 0x3164),
    (0xe000, 0xf8ff),
    (0xfe00, 0xfe0f),
    (0xfeff, 0xfeff),
    (0xffa0, 0xffa0),
    (0xfff0, 0xfffd),
    (0x1bca0, 0x1bca3),
    (0x1d173, 0x1d17a),
    (0xe0000, 0xe0fff),
    (0xf0000, 0x0010_ffff),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> &'static str {
        FileBase::parse(text).unwrap_err().code()
    }

    #[test]
    fn h1_4_and_h1_6_ordinary_names_are_accepted() {
        for name in [
            "client1.domain.tld",
            "alice@company.com",
            "john doe",
            "jürgen",
            "日本",
            "a=b+c,d",
            "-x".trim_start_matches('-'),
        ] {
            assert_eq!(FileBase::parse(name).unwrap().as_str(), name);
        }
    }

    #[test]
    fn pki_01_paths_are_refused() {
        assert_eq!(refusal(".."), "name-traversal");
        assert_eq!(refusal("."), "name-traversal");
        assert_eq!(refusal("../evil"), "name-separator");
        assert_eq!(refusal("a/b"), "name-separator");
        assert_eq!(refusal("a\\b"), "name-separator");
        assert_eq!(refusal("/etc/passwd"), "name-separator");
        assert_eq!(refusal("-rf"), "name-leading-character");
        assert_eq!(refusal(".hidden"), "name-leading-character");
    }

    #[test]
    fn pki_01_invisible_text_is_refused() {
        assert_eq!(refusal(""), "name-empty");
        assert_eq!(refusal("  "), "name-empty");
        assert_eq!(refusal("a\nb"), "name-control-character");
        assert_eq!(refusal("a\0b"), "name-control-character");
        assert_eq!(refusal("a\u{7f}"), "name-control-character");
        assert_eq!(refusal("a\u{202e}gpj.exe"), "name-hidden-character");
        assert_eq!(refusal("a\u{200b}b"), "name-hidden-character");
        assert_eq!(refusal("a\u{a0}b"), "name-hidden-character");
        assert_eq!(refusal("\u{feff}a"), "name-hidden-character");
        assert_eq!(refusal(" a"), "name-outer-white-space");
    }

    #[test]
    fn pki_01_lengths_are_limited() {
        assert!(FileBase::parse(&"x".repeat(64)).is_ok());
        assert_eq!(refusal(&"x".repeat(65)), "name-too-long");
        assert!(CommonName::parse(&"\u{10348}".repeat(64)).is_ok());
        assert_eq!(refusal(&"\u{10348}".repeat(64)), "name-too-long");
    }

    #[test]
    fn pki_01_both_spellings_of_an_umlaut_are_one_name() {
        assert_eq!(FileBase::parse("ju\u{308}rgen").unwrap(), FileBase::parse("j\u{fc}rgen").unwrap());
    }

    #[test]
    fn messages_show_invisible_characters_escaped() {
        let error = FileBase::parse("a\nb\u{202e}").unwrap_err();
        assert_eq!(error.to_string(), "the name 'a\\u{a}b\\u{202e}' contains the control character U+000A");
    }

    proptest::proptest! {
        #[test]
        fn pki_01_an_accepted_name_is_one_harmless_path_component(text in "\\PC{0,80}|.{0,80}") {
            if let Ok(name) = FileBase::parse(&text) {
                let path = std::path::Path::new(name.as_str());
                proptest::prop_assert_eq!(path.components().count(), 1);
                proptest::prop_assert_eq!(path.file_name().and_then(|it| it.to_str()), Some(name.as_str()));
                proptest::prop_assert_eq!(FileBase::parse(name.as_str()), Ok(name.clone()));
            }
        }
    }
}
