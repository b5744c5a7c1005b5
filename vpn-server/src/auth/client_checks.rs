//! What a client's certificate has to pass beside the rules for chains and the revocation list, where an administrator
//! says so: `verify-x509-name` and `crl-verify DIRECTORY dir` of OpenVPN.

use std::fmt;
use std::str::FromStr;

use pki_core::chain::VerifiedPath;
use pki_core::crl::CertificateId;
use vpn_proto::Denial;

use super::refusal::public_reason;
use super::revoked_serials::RevokedSerials;

/// Further checks of clients' certificates.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientChecks {
    /// The name that certificates must have.
    pub name: Option<NameRule>,
    /// Serial numbers that are revoked without a list.
    pub revoked: RevokedSerials,
}

/// The name that certificates of clients must have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NameRule {
    /// Exactly this subject, as OpenVPN writes it: `C=US, O=Org, CN=name`.
    Subject(String),
    /// Exactly this common name.
    CommonName(String),
    /// A common name that begins so.
    CommonNamePrefix(String),
}

/// Why a text is not a rule about names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a name and what it is: subject, name or name-prefix")]
pub struct InvalidNameRule;

impl ClientChecks {
    /// Why a client whose chain is good is refused nevertheless.
    pub(super) fn objection(&self, path: &VerifiedPath) -> Option<Denial> {
        self.revocation(&path.certificates).or_else(|| self.name_objection(path))
    }

    /// Why a session with these certificates has to end, if one of them is revoked.
    pub(super) fn revocation(&self, path: &[CertificateId]) -> Option<Denial> {
        let serial = path.iter().map(CertificateId::serial).find(|serial| self.revoked.contains(serial))?;
        Some(Denial {
            code: "revoked",
            public: public_reason("revoked").to_owned(),
            detail: format!("the certificate with serial {serial} stands in the directory of revoked ones"),
        })
    }

    fn name_objection(&self, path: &VerifiedPath) -> Option<Denial> {
        let rule = self.name.as_ref().filter(|rule| !rule.accepts(path))?;
        Some(Denial {
            code: "name-not-allowed",
            public: public_reason("name-not-allowed").to_owned(),
            detail: format!(
                "the certificate \"{}\" does not have the name that is asked for: {rule}",
                path.subject
            ),
        })
    }
}

impl NameRule {
    fn accepts(&self, path: &VerifiedPath) -> bool {
        let common_name = path.common_name.as_deref().unwrap_or_default();
        match self {
            Self::Subject(subject) => path.subject == *subject,
            Self::CommonName(name) => common_name == name,
            Self::CommonNamePrefix(prefix) => common_name.starts_with(prefix),
        }
    }
}

impl FromStr for NameRule {
    type Err = InvalidNameRule;

    /// The kind is the last word; a subject has spaces.
    fn from_str(text: &str) -> Result<Self, InvalidNameRule> {
        let (name, kind) = text.rsplit_once(' ').ok_or(InvalidNameRule)?;
        let name = match name.trim() {
            "" => return Err(InvalidNameRule),
            name => name.to_owned(),
        };
        match kind {
            "subject" => Ok(Self::Subject(name)),
            "name" => Ok(Self::CommonName(name)),
            "name-prefix" => Ok(Self::CommonNamePrefix(name)),
            _ => Err(InvalidNameRule),
        }
    }
}

impl fmt::Display for NameRule {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Subject(name) => write!(out, "{name} subject"),
            Self::CommonName(name) => write!(out, "{name} name"),
            Self::CommonNamePrefix(name) => write!(out, "{name} name-prefix"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_a_name_and_a_kind() {
        let rule = |text: &str| text.parse::<NameRule>();
        let subject = NameRule::Subject("C=US, O=Acme, CN=gate".to_owned());
        assert_eq!(rule("C=US, O=Acme, CN=gate subject"), Ok(subject.clone()));
        assert_eq!(rule(&subject.to_string()), Ok(subject));
        assert_eq!(rule("client- name-prefix"), Ok(NameRule::CommonNamePrefix("client-".to_owned())));
        for wrong in ["", "name", " name", "alice", "alice names"] {
            assert_eq!(rule(wrong), Err(InvalidNameRule), "{wrong}");
        }
    }
}
