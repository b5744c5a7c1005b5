//! What becomes of each directive, in words that an administrator can act on.

use std::fmt;

use super::document::Place;

/// What became of one directive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The directive's name.
    pub directive: String,
    /// Where it stands.
    pub place: Place,
    /// What became of it.
    pub fate: Fate,
}

/// What can become of a directive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It means here what it means there.
    Done,
    /// Something like it is done; the text says what.
    Adapted(&'static str),
    /// Nothing is done, because nothing needs to be; the text says why.
    Ignored(&'static str),
    /// It cannot be done, and a server without it would not be the one that was asked for.
    Refused(Problem),
}

/// Why a directive is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// It is not there, for the reason given.
    #[error("{0}")]
    Unsupported(&'static str),
    /// OpenVPN knows no such directive, or a newer one does.
    #[error("unknown directive{}", did_you_mean(*.0))]
    Unknown(Option<&'static str>),
    /// It has too few or too many arguments.
    #[error("the form is: {0}")]
    Arguments(&'static str),
    /// An argument does not parse.
    #[error("'{}' is not {expected}", value.escape_debug())]
    Value {
        /// The argument.
        value: String,
        /// What it should be.
        expected: &'static str,
    },
    /// It contradicts a directive before it.
    #[error("it contradicts '{0}'")]
    Contradicts(&'static str),
}

/// The findings for a whole configuration, in its order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    findings: Vec<Finding>,
}

impl Report {
    /// Notes what became of a directive.
    pub(super) fn add(&mut self, finding: Finding) {
        self.findings.push(finding);
    }

    /// All findings.
    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// The findings for directives that are refused.
    pub fn refused(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| matches!(finding.fate, Fate::Refused(_)))
    }

    /// The findings that a person should read: everything that is not simply done.
    pub fn remarkable(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| finding.fate != Fate::Done)
    }
}

impl Fate {
    /// Stable name of the kind of fate.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Adapted(_) => "adapted",
            Self::Ignored(_) => "ignored",
            Self::Refused(_) => "refused",
        }
    }

    /// What there is to say about it.
    #[must_use]
    pub fn reason(&self) -> String {
        match self {
            Self::Done => String::new(),
            Self::Adapted(reason) | Self::Ignored(reason) => (*reason).to_owned(),
            Self::Refused(problem) => problem.to_string(),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { directive, place, fate } = self;
        write!(out, "{place}: {}: {}", directive.escape_debug(), fate.code())?;
        match fate {
            Fate::Done => Ok(()),
            Fate::Adapted(_) | Fate::Ignored(_) | Fate::Refused(_) => write!(out, ": {}", fate.reason()),
        }
    }
}

/// One finding per line.
impl fmt::Display for Report {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.findings.iter().try_for_each(|finding| writeln!(out, "{finding}"))
    }
}

fn did_you_mean(suggestion: Option<&'static str>) -> String {
    suggestion.map_or_else(String::new, |name| format!("; did you mean '{name}'?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_says_where_what_and_why() {
        let cases = [
            (Fate::Done, "command line: port: done"),
            (Fate::Ignored("it is not needed"), "command line: port: ignored: it is not needed"),
            (
                Fate::Refused(Problem::Unknown(Some("proto"))),
                "command line: port: refused: unknown directive; did you mean 'proto'?",
            ),
            (
                Fate::Refused(Problem::Value { value: "a\u{1b}".to_owned(), expected: "a port" }),
                "command line: port: refused: 'a\\u{1b}' is not a port",
            ),
        ];
        for (fate, expected) in cases {
            let finding = Finding { directive: "port".to_owned(), place: Place::CommandLine, fate };
            assert_eq!(finding.to_string(), expected);
        }
    }
}
