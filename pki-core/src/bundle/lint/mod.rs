//! What a client profile does, line by line, and what is dangerous or wrong in it (threat model CFG-02).
//!
//! For profiles that come from somewhere else: nothing in them is run, opened or followed. What each directive means is a
//! table; what is judged are the directive with its arguments, the certificates and keys inside, and what is missing.
//! Judged are the octets that are given; whoever uses the profile afterwards must use the same octets.

mod credentials;
mod directive;
mod doubt;
mod knowledge;
mod whole;

use zeroize::Zeroizing;

use self::doubt::Doubt;
use super::document::{Directive, MAXIMUM_SIZE, Place, entries};
use crate::time::Timestamp;

pub use knowledge::Reception;

/// What the judgement depends on besides the text.
#[derive(Clone, Copy, Debug)]
pub struct Circumstances {
    /// The present: certificates expire.
    pub now: Timestamp,
    /// The permission bits of the file, if it is one.
    pub mode: Option<u32>,
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Worth knowing.
    Note,
    /// Weaker than it should be, or not going to work everywhere.
    Warning,
    /// Dangerous, or not going to work at all.
    Error,
}

/// Something about a profile that its reader should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The line, counted from 1; none for what is missing.
    pub line: Option<usize>,
    /// Its directive; empty for what is missing.
    pub directive: String,
    /// How bad it is.
    pub severity: Severity,
    /// A kebab-case code that never changes once published.
    pub code: &'static str,
    /// What is the matter, as a sentence.
    pub message: String,
    /// What to do about it, as a sentence.
    pub help: &'static str,
}

/// What one directive is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// The line, counted from 1.
    pub line: usize,
    /// The name of the directive.
    pub directive: String,
    /// What it does; nothing is known of an unknown one.
    pub meaning: Option<&'static str>,
    /// What comes of it with a Postern server.
    pub postern: Reception,
    /// What the AWS VPN Client does with it.
    pub aws: Reception,
    /// What OpenVPN 3, and with it OpenVPN Connect, does with it.
    pub openvpn3: Reception,
}

/// The judgement of a profile.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LintReport {
    /// Every directive in the order of the profile.
    pub explanations: Vec<Explanation>,
    /// What there is to say, by line; what is missing comes last.
    pub findings: Vec<Finding>,
}

impl LintReport {
    /// How bad the worst finding is.
    #[must_use]
    pub fn worst(&self) -> Option<Severity> {
        self.findings.iter().map(|finding| finding.severity).max()
    }
}

impl Severity {
    /// The word for lists and programs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// Judges the text of a profile. Any octets have an answer: what cannot be read is a finding.
#[must_use]
pub fn lint(text: &[u8], circumstances: Circumstances) -> LintReport {
    let mut profile = Profile::new(circumstances);
    if text.len() > MAXIMUM_SIZE {
        let message = format!("the file is larger than {MAXIMUM_SIZE} octets; nothing in it was judged");
        profile.missing(Severity::Error, Doubt::ProfileTooLarge, message, "Name the file of a profile.");
        return profile.report;
    }
    let text = Zeroizing::new(String::from_utf8_lossy(text).into_owned());
    profile.read(&text, 0);
    whole::judge(&mut profile);
    profile.report.findings.sort_by_key(|finding| finding.line.unwrap_or(usize::MAX));
    profile.report
}

/// A profile while it is read: what was found so far, and what the later judgements need.
struct Profile {
    circumstances: Circumstances,
    report: LintReport,
    directives: Vec<(usize, Directive)>,
}

impl Profile {
    fn new(circumstances: Circumstances) -> Self {
        Self { circumstances, report: LintReport::default(), directives: Vec::new() }
    }

    /// Lines of a block are counted on from the line where it begins.
    fn read(&mut self, text: &str, lines_before: usize) {
        for entry in entries("", text) {
            if self.report.explanations.len() + self.report.findings.len() > MOST_REMARKS {
                let message = "the profile is longer than any real one; the rest was not judged".to_owned();
                return self.missing(Severity::Error, Doubt::ProfileTooLarge, message, "Do not use it.");
            }
            match entry {
                Ok(found) => {
                    let line = lines_before + line_of(&found.place);
                    self.take(line, found);
                }
                Err(problem) => self.report_syntax(lines_before, &problem),
            }
        }
    }

    fn take(&mut self, line: usize, found: Directive) {
        directive::explain(self, line, &found);
        directive::judge(self, line, &found);
        match &found.inline {
            Some(block) if found.name == "connection" => {
                let text = Zeroizing::new(block.as_str().to_owned());
                self.read(&text, line);
            }
            _ => self.directives.push((line, found)),
        }
    }

    fn report_syntax(&mut self, lines_before: usize, problem: &super::document::SyntaxError) {
        use super::document::SyntaxError;

        let (line, message) = match problem {
            SyntaxError::Line { place, problem } => (line_of(place), problem.to_string()),
            SyntaxError::OpenBlock { place, name } => (line_of(place), format!("<{name}> has no </{name}>")),
            SyntaxError::TooLarge { .. } | SyntaxError::StrayArgument(_) => (0, problem.to_string()),
        };
        self.report.findings.push(Finding {
            line: Some(lines_before + line),
            directive: String::new(),
            severity: Severity::Error,
            code: Doubt::Syntax.code(),
            message,
            help: "Correct the line; every client refuses the profile.",
        });
    }

    fn find(&self, name: &str) -> Option<&Directive> {
        self.directives.iter().map(|(_, directive)| directive).find(|directive| directive.name == name)
    }

    fn add(&mut self, at: At<'_>, severity: Severity, doubt: Doubt, message: String, help: &'static str) {
        let directive = at.directive.to_owned();
        self.report.findings.push(Finding {
            line: Some(at.line),
            directive,
            severity,
            code: doubt.code(),
            message,
            help,
        });
    }

    fn missing(&mut self, severity: Severity, doubt: Doubt, message: String, help: &'static str) {
        let directive = String::new();
        self.report.findings.push(Finding {
            line: None,
            directive,
            severity,
            code: doubt.code(),
            message,
            help,
        });
    }
}

/// Real profiles have some dozens of directives.
const MOST_REMARKS: usize = 10_000;

/// A line and the directive that stands there.
#[derive(Clone, Copy)]
struct At<'a> {
    line: usize,
    directive: &'a str,
}

fn line_of(place: &Place) -> usize {
    match place {
        Place::CommandLine => 0,
        Place::File { line, .. } => *line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CIRCUMSTANCES: Circumstances =
        Circumstances { now: Timestamp::from_unix_seconds(1_795_161_600), mode: Some(0o600) };

    fn judged(text: &str) -> LintReport {
        lint(text.as_bytes(), CIRCUMSTANCES)
    }

    fn codes(text: &str) -> Vec<(Option<usize>, &'static str)> {
        judged(text).findings.iter().map(|finding| (finding.line, finding.code)).collect()
    }

    #[test]
    fn cfg_02_programs_are_found_in_every_disguise() {
        let disguises = [
            "up /tmp/x",
            "--up \"sh -c id\"",
            "setenv opt up /tmp/x",
            "setenv opt setenv opt up /tmp/x",
            "<connection>\nup /tmp/x\n</connection>",
            "'up' x",
            "u\\p x\nup x",
        ];
        for text in disguises {
            assert!(codes(text).iter().any(|(_, code)| *code == "runs-program"), "{text}");
        }
    }

    #[test]
    fn lines_of_a_connection_block_are_those_of_the_file() {
        let text = "client\n<connection>\nremote a.example\nplugin /tmp/x.so\n</connection>\nlog /etc/x\n";
        let found = codes(text);
        assert!(found.contains(&(Some(4), "loads-code")), "{found:?}");
        assert!(found.contains(&(Some(6), "writes-file")), "{found:?}");
    }

    #[test]
    fn reading_goes_on_behind_a_line_that_cannot_be_read() {
        let found = codes("remote \"a\nkey C:\\vpn\\a.key\nup x\n<ca>\nup hidden\n");
        assert_eq!(
            found[..4],
            [(Some(1), "syntax"), (Some(2), "syntax"), (Some(3), "runs-program"), (Some(4), "syntax"),]
        );
    }

    #[test]
    fn any_octets_have_an_answer() {
        for octets in [&b"\xff\xfe\0up"[..], b"", b"<>\n</x>\n<x", &[b'\n'; 100]] {
            assert!(!lint(octets, CIRCUMSTANCES).findings.is_empty());
        }
        let too_large = lint(&vec![b'\n'; MAXIMUM_SIZE + 1], CIRCUMSTANCES);
        assert_eq!(too_large.findings[0].code, "profile-too-large");
        let too_long = lint("x\n".repeat(MAXIMUM_SIZE / 2).as_bytes(), CIRCUMSTANCES);
        assert!(too_long.findings.len() < MOST_REMARKS + 10);
        assert!(too_long.findings.iter().any(|finding| finding.code == "profile-too-large"));
    }

    #[test]
    fn every_directive_is_explained_with_what_each_program_does_with_it() {
        let report = judged("client\npersist-tun\ncomp-lzo\nnonsense 1\n");
        let told: Vec<_> = report
            .explanations
            .iter()
            .map(|told| (told.line, told.postern.as_str(), told.aws.as_str(), told.openvpn3.as_str()))
            .collect();
        assert_eq!(
            told,
            [
                (1, "works", "works", "works"),
                (2, "works", "works", "ignored"),
                (3, "ignored", "refused", "works"),
                (4, "refused", "refused", "refused"),
            ]
        );
    }

    #[test]
    fn key_05_no_finding_repeats_a_secret() {
        let text = "<key>\nhunter2\n</key>\n<auth-user-pass>\nalice\nhunter2\n</auth-user-pass>\n";
        assert!(!format!("{:?}", judged(text)).contains("hunter2"));
    }
}
