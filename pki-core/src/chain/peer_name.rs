//! Whether a certificate carries an expected name among its alternative names.
//!
//! The common name is never a substitute. Wildcards stand for exactly one leftmost label (RFC 9525 section 6.3).

use std::fmt;
use std::net::IpAddr;

use super::rejection::Reason;
use crate::x509::Certificate;
use crate::x509::general_name::GeneralName;

/// A name that a certificate is expected to carry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PeerName {
    /// A host name.
    Dns(String),
    /// An address.
    Ip(IpAddr),
    /// A mailbox; its local part is compared exactly.
    Email(String),
}

/// Why a text is not the name of a peer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{text}\" is not a name of the form dns:HOST, ip:ADDRESS or email:MAILBOX")]
pub struct PeerNameError {
    /// The text.
    pub text: String,
}

impl PeerName {
    /// Reads `dns:HOST`, `ip:ADDRESS` or `email:MAILBOX`.
    pub fn parse(text: &str) -> Result<Self, PeerNameError> {
        let error = || PeerNameError { text: text.to_owned() };
        let (kind, value) = text.split_once(':').ok_or_else(error)?;
        match kind {
            "dns" if is_host_name(value) => Ok(Self::Dns(value.to_owned())),
            "ip" => value.parse().map(Self::Ip).map_err(|_| error()),
            "email" if split_mailbox(value).is_some() => Ok(Self::Email(value.to_owned())),
            _ => Err(error()),
        }
    }
}

impl fmt::Display for PeerName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dns(host) => write!(out, "dns:{host}"),
            Self::Ip(address) => write!(out, "ip:{address}"),
            Self::Email(mailbox) => write!(out, "email:{mailbox}"),
        }
    }
}

pub(super) fn check(leaf: &Certificate, expected: &PeerName) -> Result<(), Reason> {
    let names = leaf.extensions().alternative_names.as_ref();
    let carried = names.is_some_and(|names| names.value.iter().any(|name| matches(name, expected)));
    if carried { Ok(()) } else { Err(Reason::NameMismatch { expected: expected.to_string() }) }
}

fn matches(name: &GeneralName, expected: &PeerName) -> bool {
    match (name, expected) {
        (GeneralName::Dns(pattern), PeerName::Dns(host)) => host_matches(pattern, host),
        (GeneralName::Ip(address), PeerName::Ip(expected)) => address == expected,
        (GeneralName::Email(mailbox), PeerName::Email(expected)) => same_mailbox(mailbox, expected),
        _ => false,
    }
}

fn host_matches(pattern: &str, host: &str) -> bool {
    match pattern.strip_prefix("*.") {
        Some(parent) => {
            let covers_a_public_registry = !parent.contains('.');
            let rest = host.split_once('.').map(|(_, rest)| rest);
            is_host_name(parent)
                && !covers_a_public_registry
                && rest.is_some_and(|rest| rest.eq_ignore_ascii_case(parent))
        }
        None => is_host_name(pattern) && pattern.eq_ignore_ascii_case(host),
    }
}

/// Whether two mailboxes are one: the host regardless of case, the local part exactly.
pub(super) fn same_mailbox(one: &str, other: &str) -> bool {
    match (split_mailbox(one), split_mailbox(other)) {
        (Some((local, host)), Some((other_local, other_host))) => {
            local == other_local && host.eq_ignore_ascii_case(other_host)
        }
        _ => false,
    }
}

/// Local part and host of a mailbox.
pub(super) fn split_mailbox(mailbox: &str) -> Option<(&str, &str)> {
    let (local, host) = mailbox.split_once('@')?;
    (!local.is_empty() && is_host_name(host)).then_some((local, host))
}

/// Labels of letters, digits, hyphens and underscores, without a final dot.
pub(super) fn is_host_name(text: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|octet| octet.is_ascii_alphanumeric() || octet == b'-' || octet == b'_')
    };
    text.len() <= 253 && text.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wildcard_stands_for_one_label_on_the_left() {
        assert!(host_matches("*.example.com", "a.example.com"));
        assert!(host_matches("*.Example.com", "A.eXample.com"));
        for (pattern, host) in [
            ("*.example.com", "example.com"),
            ("*.example.com", "a.b.example.com"),
            ("a.*.example.com", "a.b.example.com"),
            ("f*.example.com", "foo.example.com"),
            ("*", "example"),
            ("*.com", "example.com"),
            (".example.com", "a.example.com"),
            ("example.com.", "example.com"),
        ] {
            assert!(!host_matches(pattern, host), "{pattern} {host}");
        }
    }

    #[test]
    fn mailboxes_compare_the_host_without_case_only() {
        assert!(same_mailbox("a@Example.com", "a@example.com"));
        assert!(!same_mailbox("A@example.com", "a@example.com"));
        assert!(!same_mailbox("a@b@example.com", "a@b@example.com"));
    }

    #[test]
    fn names_are_given_with_their_kind() {
        assert_eq!(PeerName::parse("dns:a.example").unwrap(), PeerName::Dns("a.example".into()));
        assert_eq!(PeerName::parse("ip:::1").unwrap().to_string(), "ip:::1");
        assert_eq!(PeerName::parse("email:a@b.c").unwrap().to_string(), "email:a@b.c");
        for bad in ["a.example", "dns:", "dns:*.example", "ip:1.2.3", "email:a", "uri:x", "dns:a..b"] {
            assert!(PeerName::parse(bad).is_err(), "{bad}");
        }
    }
}
