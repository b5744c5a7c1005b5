//! Why a revocation list is not made or not replaced.

use crate::cert::CertificateError;
use crate::error::{ErrorKind, Explain};
use crate::time::Timestamp;

/// Why a revocation list is not made or not replaced.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PublishError {
    /// The published list cannot be read, so nothing tells what must not be lost.
    #[error("the published crl.pem is damaged")]
    PublishedDamaged,
    /// The published list was made by somebody else.
    #[error("the published crl.pem was issued by another authority")]
    PublishedForeign,
    /// The new list would expire before the published one.
    #[error("the new list would expire at {new}, the published one at {published}")]
    NextUpdateEarlier {
        /// End of the new list.
        new: Timestamp,
        /// End of the published list.
        published: Timestamp,
    },
    /// Certificates of the published list are not marked revoked in index.txt.
    #[error(
        "{count} certificates of the published list are not revoked in index.txt, serial {example} among them"
    )]
    WouldShrink {
        /// How many.
        count: usize,
        /// One of them.
        example: String,
    },
    /// A row of index.txt has an unreadable revocation date or reason.
    #[error("index.txt: the revocation '{field}' of serial {serial} is not readable")]
    IndexRow {
        /// The serial number as it stands there.
        serial: String,
        /// The field as it stands there.
        field: String,
    },
    /// Signing failed or the validity is impossible.
    #[error(transparent)]
    Signing(#[from] CertificateError),
}

impl Explain for PublishError {
    fn code(&self) -> &'static str {
        match self {
            Self::PublishedDamaged => "crl-damaged",
            Self::PublishedForeign => "crl-foreign",
            Self::NextUpdateEarlier { .. } => "crl-next-update-earlier",
            Self::WouldShrink { .. } => "crl-would-shrink",
            Self::IndexRow { .. } => "index-row-damaged",
            Self::Signing(cause) => cause.code(),
        }
    }

    fn kind(&self) -> ErrorKind {
        match self {
            Self::PublishedDamaged | Self::PublishedForeign | Self::IndexRow { .. } => ErrorKind::Environment,
            Self::NextUpdateEarlier { .. } | Self::WouldShrink { .. } => ErrorKind::Denied,
            Self::Signing(cause) => cause.kind(),
        }
    }

    fn help(&self) -> String {
        match self {
            Self::PublishedDamaged | Self::PublishedForeign => {
                "Put the right crl.pem back, or replace it with --force.".into()
            }
            Self::NextUpdateEarlier { .. } => {
                "Check the clock, choose more --days, or replace the list with --force.".into()
            }
            Self::WouldShrink { .. } => {
                "Restore the rows in index.txt; if these certificates really are valid again, use --force."
                    .into()
            }
            Self::IndexRow { .. } => "Correct the row in index.txt.".into(),
            Self::Signing(cause) => cause.help(),
        }
    }
}
