//! The audit log: one line of JSON for everything that was signed, revoked or put aside, and for every private
//! key that was exported or got another passphrase, each carrying the SHA-256 of the line before.
//!
//! A line is written in the same change as what it tells, so there is never one without the other. Whoever changes a line
//! breaks the chain behind it; cutting lines off the end is noticed by whoever noted the last digest elsewhere. The log is
//! evidence, not a source: nothing is ever decided by it.

use std::fmt::Write;

use sha2::{Digest, Sha256};

use crate::time::Timestamp;

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// An authority was made.
    BuildCa,
    /// A certificate was issued.
    Issue,
    /// A certificate was renewed.
    Renew,
    /// A certificate was revoked.
    Revoke,
    /// A revocation list was published.
    GenCrl,
    /// A revocation list was published although it was worse than the one before.
    ForceCrl,
    /// Discrepancies were repaired.
    Repair,
    /// The key or certificate of the authority was replaced.
    RollOver,
    /// A certificate was put aside.
    Expire,
    /// A private key was written into another container.
    ExportKey,
    /// A key got another passphrase, or lost it.
    SetPass,
    /// A request, key or certificate of somebody else was taken over.
    Import,
}

impl Action {
    /// The word in the log.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BuildCa => "build-ca",
            Self::Issue => "issue",
            Self::Renew => "renew",
            Self::Revoke => "revoke",
            Self::GenCrl => "gen-crl",
            Self::ForceCrl => "gen-crl-forced",
            Self::Repair => "repair",
            Self::RollOver => "ca-roll-over",
            Self::Expire => "expire",
            Self::ExportKey => "export-key",
            Self::SetPass => "set-pass",
            Self::Import => "import",
        }
    }
}

/// One line, before it has its place in the chain.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Event<'a> {
    pub(crate) action: Action,
    pub(crate) at: Timestamp,
    /// Serial number of a certificate or number of a list.
    pub(crate) serial: &'a str,
    /// Subject, reason, or what else there is to know.
    pub(crate) detail: &'a str,
}

impl Event<'_> {
    /// The line that follows `previous`, the last one of the log; without its end.
    pub(crate) fn after(&self, previous: Option<&str>) -> String {
        let number = previous.and_then(number_of).map_or(1, |number| number.saturating_add(1));
        let mut line =
            format!("{{\"n\":{number},\"at\":\"{}\",\"action\":\"{}\"", self.at, self.action.as_str());
        push_field(&mut line, "serial", self.serial);
        push_field(&mut line, "detail", self.detail);
        let uid = rustix::process::getuid().as_raw();
        let digest = previous.map_or_else(|| "0".repeat(64), digest_of);
        // Writing to a String cannot fail.
        let _ = write!(line, ",\"uid\":{uid},\"previous\":\"{digest}\"}}");
        line
    }
}

/// What a look at the whole log has found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditReport {
    /// Unbroken lines.
    pub entries: usize,
    /// SHA-256 of the last unbroken line: noted elsewhere, it proves later that nothing was cut off.
    pub head: Option<String>,
    /// The first line, counted from 1, that does not follow the one before it.
    pub broken_at: Option<usize>,
}

/// Follows the chain from its beginning.
#[must_use]
pub fn verify(log: &[u8]) -> AuditReport {
    let mut previous: Option<&str> = None;
    for (index, line) in log.split_inclusive(|octet| *octet == b'\n').enumerate() {
        let text = line.strip_suffix(b"\n").and_then(|line| std::str::from_utf8(line).ok());
        let Some(text) = text.filter(|text| follows(text, previous)) else {
            return AuditReport { entries: index, head: previous.map(digest_of), broken_at: Some(index + 1) };
        };
        previous = Some(text);
    }
    let entries = previous.and_then(number_of).unwrap_or_default();
    AuditReport {
        entries: usize::try_from(entries).unwrap_or(usize::MAX),
        head: previous.map(digest_of),
        broken_at: None,
    }
}

fn follows(line: &str, previous: Option<&str>) -> bool {
    let number = previous.and_then(number_of).map_or(1, |number| number.saturating_add(1));
    let digest = previous.map_or_else(|| "0".repeat(64), digest_of);
    number_of(line) == Some(number) && line.ends_with(&format!(",\"previous\":\"{digest}\"}}"))
}

fn number_of(line: &str) -> Option<u64> {
    let rest = line.strip_prefix("{\"n\":")?;
    rest[..rest.find(',')?].parse().ok()
}

fn digest_of(line: &str) -> String {
    Sha256::digest(line.as_bytes()).iter().fold(String::with_capacity(64), |mut text, octet| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{octet:02x}");
        text
    })
}

fn push_field(line: &mut String, name: &str, value: &str) {
    if value.is_empty() {
        return;
    }
    let _ = write!(line, ",\"{name}\":\"");
    for character in value.chars() {
        match character {
            '"' | '\\' => line.extend(['\\', character]),
            control if control.is_control() => {
                let _ = write!(line, "\\u{:04x}", u32::from(control));
            }
            other => line.push(other),
        }
    }
    line.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_unix_seconds(1_795_161_600);

    fn event<'a>(serial: &'a str, detail: &'a str) -> Event<'a> {
        Event { action: Action::Issue, at: NOW, serial, detail }
    }

    fn log() -> String {
        let first = event("01", "/CN=alice").after(None);
        let second = event("02", "/CN=\"bob\"\n\\").after(Some(&first));
        let third = event("03", "").after(Some(&second));
        format!("{first}\n{second}\n{third}\n")
    }

    #[test]
    fn pki_13_every_line_is_json_and_carries_the_digest_of_the_one_before() {
        let log = log();
        let lines: Vec<&str> = log.lines().collect();
        let expected = format!(
            r#"{{"n":2,"at":"2026-11-20T08:00:00Z","action":"issue","serial":"02","detail":"/CN=\"bob\"\u000a\\","uid":{},"previous":"{}"}}"#,
            rustix::process::getuid().as_raw(),
            digest_of(lines[0])
        );
        assert_eq!(lines[1], expected);
        let report = verify(log.as_bytes());
        assert_eq!((report.entries, report.broken_at), (3, None));
        assert_eq!(report.head, log.lines().last().map(digest_of));
    }

    #[test]
    fn pki_13_a_changed_removed_or_added_line_breaks_the_chain() {
        let log = log();
        let lines: Vec<&str> = log.lines().collect();
        let broken_at = |log: String| verify(log.as_bytes()).broken_at;
        assert_eq!(broken_at(log.replace("alice", "mallory")), Some(2));
        assert_eq!(broken_at(format!("{}\n{}\n", lines[0], lines[2])), Some(2));
        assert_eq!(broken_at(format!("{}\n{}\n", lines[1], lines[2])), Some(1));
        assert_eq!(broken_at(format!("{log}{{\"n\":4}}\n")), Some(4));
        assert_eq!(broken_at(log.trim_end().to_owned()), Some(3), "half a line");
    }

    #[test]
    fn an_empty_log_is_in_order() {
        assert_eq!(verify(b""), AuditReport { entries: 0, head: None, broken_at: None });
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_without_a_panic(text in ".{0,200}") {
            let _ = verify(text.as_bytes());
            let _ = event("01", &text).after(Some(&text));
        }
    }
}
