//! Why a certificate was revoked: one meaning, three spellings (command line, index.txt, CRL).

use std::fmt;

/// A reason of RFC 5280 section 5.3.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names are those of RFC 5280")]
pub enum RevocationReason {
    Unspecified,
    KeyCompromise,
    CaCompromise,
    AffiliationChanged,
    Superseded,
    CessationOfOperation,
    CertificateHold,
    RemoveFromCrl,
    PrivilegeWithdrawn,
    AaCompromise,
}

impl RevocationReason {
    /// Reads a reason as people type it: the full word, easy-rsa's two letters, or any beginning from there on.
    ///
    /// # Errors
    /// For anything else.
    pub fn from_user(word: &str) -> Result<Self, UnknownReason> {
        let is_meant = |(reason, letters, beginning): &&(Self, &str, &str)| {
            word == *letters || word == reason.as_str() || word.starts_with(beginning)
        };
        let meant = ABBREVIATIONS.iter().find(is_meant);
        meant.map(|(reason, ..)| *reason).ok_or_else(|| UnknownReason(word.to_owned()))
    }

    /// Reads index.txt's spelling; OpenSSL's extended forms with an argument count as their plain reason.
    #[must_use]
    pub fn from_index(word: &str) -> Option<Self> {
        match word.split_once(',').map_or(word, |(reason, _)| reason) {
            "holdInstruction" => Some(Self::CertificateHold),
            "keyTime" => Some(Self::KeyCompromise),
            "CAkeyTime" => Some(Self::CaCompromise),
            plain => ABBREVIATIONS
                .into_iter()
                .map(|(reason, ..)| reason)
                .find(|reason| reason.as_str().eq_ignore_ascii_case(plain)),
        }
    }

    /// The spelling of index.txt and of easy-rsa's full words.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unspecified => "unspecified",
            Self::KeyCompromise => "keyCompromise",
            Self::CaCompromise => "CACompromise",
            Self::AffiliationChanged => "affiliationChanged",
            Self::Superseded => "superseded",
            Self::CessationOfOperation => "cessationOfOperation",
            Self::CertificateHold => "certificateHold",
            Self::RemoveFromCrl => "removeFromCRL",
            Self::PrivilegeWithdrawn => "privilegeWithdrawn",
            Self::AaCompromise => "AACompromise",
        }
    }

    /// The CRLReason code.
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Unspecified => 0,
            Self::KeyCompromise => 1,
            Self::CaCompromise => 2,
            Self::AffiliationChanged => 3,
            Self::Superseded => 4,
            Self::CessationOfOperation => 5,
            Self::CertificateHold => 6,
            Self::RemoveFromCrl => 8,
            Self::PrivilegeWithdrawn => 9,
            Self::AaCompromise => 10,
        }
    }

    /// The reason with this number in a CRLReason; 7 is not used.
    #[must_use]
    pub const fn from_code(code: u8) -> Option<Self> {
        Some(match code {
            0 => Self::Unspecified,
            1 => Self::KeyCompromise,
            2 => Self::CaCompromise,
            3 => Self::AffiliationChanged,
            4 => Self::Superseded,
            5 => Self::CessationOfOperation,
            6 => Self::CertificateHold,
            8 => Self::RemoveFromCrl,
            9 => Self::PrivilegeWithdrawn,
            10 => Self::AaCompromise,
            _ => return None,
        })
    }
}

/// For each reason that is given here: easy-rsa's two letters, and the shortest beginning that is enough.
const ABBREVIATIONS: [(RevocationReason, &str, &str); 7] = [
    (RevocationReason::Unspecified, "us", "uns"),
    (RevocationReason::KeyCompromise, "kc", "key"),
    (RevocationReason::CaCompromise, "cc", "ca"),
    (RevocationReason::AffiliationChanged, "ac", "aff"),
    (RevocationReason::Superseded, "ss", "sup"),
    (RevocationReason::CessationOfOperation, "co", "ces"),
    (RevocationReason::CertificateHold, "ch", "cer"),
];

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
    fn codes_read_back() {
        for code in 0..=255 {
            assert!(RevocationReason::from_code(code).is_none_or(|reason| reason.code() == code));
        }
        assert_eq!((0..=255).filter_map(RevocationReason::from_code).count(), 10);
    }

    #[test]
    fn every_spelling_of_easy_rsa_is_understood() {
        for (words, reason) in [
            (["unspecified", "us", "uns"], RevocationReason::Unspecified),
            (["keyCompromise", "kc", "key"], RevocationReason::KeyCompromise),
            (["CACompromise", "cc", "ca"], RevocationReason::CaCompromise),
            (["affiliationChanged", "ac", "affil"], RevocationReason::AffiliationChanged),
            (["superseded", "ss", "super"], RevocationReason::Superseded),
            (["cessationOfOperation", "co", "ces"], RevocationReason::CessationOfOperation),
            (["certificateHold", "ch", "cert"], RevocationReason::CertificateHold),
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
