//! Which handler is asked, and how.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

/// Everything about a handler, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectHandlerSettings {
    /// Who is asked.
    pub target: HandlerTarget,
    /// How long an answer may take.
    pub timeout: Duration,
    /// How many clients it is asked about at once.
    pub limit: u32,
    /// PEM file with the authorities of a web service; without one those of the host count.
    pub authorities: Option<PathBuf>,
}

/// Who is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HandlerTarget {
    /// A program, by its absolute path.
    Program(PathBuf),
    /// A web service, by its URL.
    Service(String),
}

/// Why a text names no handler.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidHandler {
    /// It is of no known kind.
    #[error("it begins neither with exec: nor with http:// nor with https://")]
    Kind,
    /// The program would be looked for somewhere.
    #[error("the program has no absolute path")]
    RelativeProgram,
    /// The URL is none.
    #[error("it is no URL with a host")]
    Url,
    /// More time than clients have.
    #[error("it may take at most {max} s", max = ConnectHandlerSettings::LONGEST_TIMEOUT.as_secs())]
    TooLong,
    /// More threads than a host should have for this.
    #[error("it may be asked about at most {max} clients at once", max = ConnectHandlerSettings::GREATEST_LIMIT)]
    TooMany,
}

impl ConnectHandlerSettings {
    /// How long an answer may take at most, and by default.
    pub const LONGEST_TIMEOUT: Duration = Duration::from_secs(30);
    /// How many clients it is asked about at once by default.
    pub const DEFAULT_LIMIT: u32 = 16;
    /// The most that this can be.
    pub const GREATEST_LIMIT: u32 = 256;
}

impl InvalidHandler {
    /// What to do about it.
    #[must_use]
    pub const fn help(&self) -> &'static str {
        match self {
            Self::Kind | Self::RelativeProgram | Self::Url => {
                "write exec:/usr/local/bin/handler or https://handler.example.com/connect"
            }
            Self::TooLong | Self::TooMany => "choose a smaller number",
        }
    }
}

impl FromStr for HandlerTarget {
    type Err = InvalidHandler;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(path) = text.strip_prefix("exec:") {
            return if path.starts_with('/') {
                Ok(Self::Program(path.into()))
            } else {
                Err(InvalidHandler::RelativeProgram)
            };
        }
        let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
        let rest = rest.ok_or(InvalidHandler::Kind)?;
        let has_host =
            rest.starts_with(|character: char| character.is_ascii_alphanumeric() || character == '[');
        let is_printable = text.chars().all(|character| character.is_ascii_graphic());
        if has_host && is_printable { Ok(Self::Service(text.to_owned())) } else { Err(InvalidHandler::Url) }
    }
}

impl fmt::Display for HandlerTarget {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Program(path) => write!(out, "exec:{}", path.display()),
            Self::Service(url) => out.write_str(url),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn handlers_are_programs_or_web_services_and_read_back() {
        for text in
            ["exec:/bin/handler", "http://127.0.0.1:8080/connect", "https://[::1]/", "https://a.example"]
        {
            assert_eq!(text.parse::<HandlerTarget>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_no_handler_is_refused_with_its_reason() {
        for (text, problem) in [
            ("/bin/handler", InvalidHandler::Kind),
            ("arn:aws:lambda:x", InvalidHandler::Kind),
            ("exec:handler", InvalidHandler::RelativeProgram),
            ("exec:", InvalidHandler::RelativeProgram),
            ("https://", InvalidHandler::Url),
            ("https:///path", InvalidHandler::Url),
            ("http://a/b c", InvalidHandler::Url),
            ("http://a/\r\nHost: b", InvalidHandler::Url),
        ] {
            assert_eq!(text.parse::<HandlerTarget>(), Err(problem), "{text}");
        }
    }
}
