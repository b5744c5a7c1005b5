//! Why a certificate was revoked: one meaning, three spellings (command line, index.txt, CRL).

use std::fmt;

/// A reason of RFC 5280 section 5.3.1 that easy-rsa knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum RevocationReason {
    Unspecified,
    KeyCompromise,
    AuthorityCompromise,
    AffiliationChanged,
    Superseded,
    CessationOfOperation,
    CertificateHold,
}

impl RevocationReason {
    /// All of them, in the order of their codes.
    pub const ALL: [Self; 7] = [
        Self::Unspecified,
        Self::KeyCompromise,
        Self::AuthorityCompromise,
        Self::AffiliationChanged,
        Self::Superseded,
        Self::CessationOfOperation,
        Self::CertificateHold,
    ];

    /// Reads a reason as people type it: the full word, easy-rsa's two letters, or any beginning from there on.
    ///
    /// # Errors
    /// For anything else.
    pub fn from_user(word: &str) -> Result<Self, UnknownReason> {
        let is_meant = |reason: &&Self| {
            let (abbreviation, prefix) = reason.abbreviations();
            word == abbreviation || word == reason.as_str() || word.starts_with(prefix)
        };
        Self::ALL
            .iter()
            .find(is_meant)
            .copied()
            .ok_or_else(|| UnknownReason(word.to_owned()))
    }

    /// Reads index.txt's spelling; OpenSSL's extended forms with an argument count as their plain reason.
    #[must_use]
    pub fn from_index(word: &str) -> Option<Self> {
        match word.split_once(',').map_or(word, |(reason, _)| reason) {
            "holdInstruction" => Some(Self::CertificateHold),
            "keyTime" => Some(Self::KeyCompromise),
            "CAkeyTime" => Some(Self::AuthorityCompromise),
            plain => Self::ALL
                .into_iter()
                .find(|reason| reason.as_str().eq_ignore_ascii_case(plain)),
        }
    }

    /// The spelling of index.txt and of easy-rsa's full words.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unspecified => "unspecified",
            Self::KeyCompromise => "keyCompromise",
            Self::AuthorityCompromise => "CACompromise",
            Self::AffiliationChanged => "affiliationChanged",
            Self::Superseded => "superseded",
            Self::CessationOfOperation => "cessationOfOperation",
            Self::CertificateHold => "certificateHold",
        }
    }

    /// The CRLReason code.
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Unspecified => 0,
            Self::KeyCompromise => 1,
            Self::AuthorityCompromise => 2,
            Self::AffiliationChanged => 3,
            Self::Superseded => 4,
            Self::CessationOfOperation => 5,
            Self::CertificateHold => 6,
        }
    }

    /// The two letters, and the shortest beginning that is enough.
    fn abbreviations(self) -> (&'static str, &'static str) {
        match self {
            Self::Unspecified => ("us", "uns"),
            Self::KeyCompromise => ("kc", "key"),
            Self::AuthorityCompromise => ("cc", "ca"),
            Self::AffiliationChanged => ("ac", "aff"),
            Self::Superseded => ("ss", "sup"),
            Self::CessationOfOperation => ("co", "ces"),
            Self::CertificateHold => ("ch", "cer"),
        }
    }
}

impl fmt::Display for RevocationReason {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

/// A word that is no reason.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "unknown revocation reason '{0}': use unspecified, keyCompromise, CACompromise, affiliationChanged, superseded, \
     cessationOfOperation or certificateHold"
)]
pub struct UnknownReason(String);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_easy_rsa_is_understood() {
        for (words, reason) in [
            (["unspecified", "us", "uns"], RevocationReason::Unspecified),
            (["keyCompromise", "kc", "key"], RevocationReason::KeyCompromise),
            (
                ["CACompromise", "cc", "ca"],
                RevocationReason::AuthorityCompromise,
            ),
            (
                ["affiliationChanged", "ac", "affil"],
                RevocationReason::AffiliationChanged,
            ),
            (["superseded", "ss", "super"], RevocationReason::Superseded),
            (
                ["cessationOfOperation", "co", "ces"],
                RevocationReason::CessationOfOperation,
            ),
            (
                ["certificateHold", "ch", "cert"],
                RevocationReason::CertificateHold,
            ),
        ] {
            for word in words {
                assert_eq!(RevocationReason::from_user(word), Ok(reason), "{word}");
            }
            assert_eq!(RevocationReason::from_index(reason.as_str()), Some(reason));
        }
        assert!(RevocationReason::from_user("").is_err());
        assert!(RevocationReason::from_user("bored").is_err());
    }

    #[test]
    fn openssls_extended_forms_count_as_their_plain_reason() {
        let hold = RevocationReason::from_index("holdInstruction,1.2.840.10040.2.2");
        assert_eq!(hold, Some(RevocationReason::CertificateHold));
        assert_eq!(
            RevocationReason::from_index("keyTime,20200101000000Z"),
            Some(RevocationReason::KeyCompromise)
        );
        assert_eq!(RevocationReason::from_index("nonsense"), None);
    }
}
