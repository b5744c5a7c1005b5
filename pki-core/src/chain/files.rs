//! Judging a certificate by files alone: trust anchors, intermediates, revocation lists, the certificate.
//!
//! The same [`verify`] as in the server's handshakes, with one distinction more: a file that holds nothing to judge by is
//! not a rejection, because nothing was found out about the certificate.

use super::{ChainPolicy, PeerName, Purpose, Rejection, Request, Revocation, VerifiedPath, verify};
use super::{TrustAnchors, TrustAnchorsError};
use crate::crl::{Crl, CrlError, CrlRefusal, RevocationIndex, RevocationIndexBuilder};
use crate::pem::{self, PemError};
use crate::time::Timestamp;
use crate::x509::Certificate;

/// Contents of files: PEM with any number of objects and text around them, or one object in DER.
#[derive(Clone, Copy, Debug)]
pub struct FileRequest<'a> {
    /// The CAs to trust.
    pub authorities: &'a [u8],
    /// Certificates that may lie between; never trusted by themselves.
    pub intermediates: Option<&'a [u8]>,
    /// Revocation lists. If given, every certificate below the anchor must be covered by a current one.
    pub lists: Option<&'a [u8]>,
    /// The certificate to judge; further ones in the file count as intermediates.
    pub leaf: &'a [u8],
    /// What it is to be used for.
    pub purpose: Purpose,
    /// A name it must carry.
    pub name: Option<&'a PeerName>,
    /// How strict to be.
    pub policy: &'a ChainPolicy,
    /// The present.
    pub now: Timestamp,
}

/// Why a certificate was not accepted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileRejection {
    /// A file holds nothing of the kind that it was given for; nothing was judged.
    #[error("{role}: {cause}")]
    NothingToJudge {
        /// What the file was given for.
        role: &'static str,
        /// What is wrong with it.
        cause: PemError,
    },
    /// A trust anchor cannot be read.
    #[error("trust anchors: {0}")]
    Anchors(TrustAnchorsError),
    /// A revocation list cannot be read or relied on.
    #[error(transparent)]
    List(#[from] CrlRefusal),
    /// The certificate is not acceptable.
    #[error(transparent)]
    Rejected(#[from] Rejection),
}

impl FileRejection {
    /// A stable identifier for scripts, logs and documentation.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NothingToJudge { .. } => "nothing-to-judge",
            Self::Anchors(error) => error.code(),
            Self::List(refusal) => refusal.code(),
            Self::Rejected(rejection) => rejection.code(),
        }
    }

    /// What to do next.
    #[must_use]
    pub fn help(&self) -> &'static str {
        match self {
            Self::NothingToJudge { .. } => "give files with certificates or revocation lists in PEM or DER",
            Self::Anchors(error) => error.help(),
            Self::List(refusal) => refusal.help(),
            Self::Rejected(rejection) => rejection.help(),
        }
    }

    /// Whether something was found out about the certificate.
    #[must_use]
    pub fn is_verdict(&self) -> bool {
        !matches!(self, Self::NothingToJudge { .. })
    }
}

/// Judges a certificate. Lists of CAs that have nothing to do with it are ignored, unusable ones are not.
///
/// # Errors
/// [`FileRejection`].
pub fn verify_files(request: &FileRequest<'_>) -> Result<VerifiedPath, FileRejection> {
    let anchors = TrustAnchors::from_pem(request.authorities).map_err(anchors_error)?;
    let mut sent = certificates("certificate", request.leaf)?;
    if let Some(file) = request.intermediates {
        sent.extend(certificates("intermediates", file)?);
    }
    let index = request.lists.map(|lists| revocation_index(lists, &anchors, &sent)).transpose()?;
    let sent: Vec<&[u8]> = sent.iter().map(Vec::as_slice).collect();
    Ok(verify(&Request {
        leaf_and_intermediates: &sent,
        anchors: &anchors,
        purpose: request.purpose,
        revocation: index.as_ref().map_or(Revocation::Unchecked, Revocation::Required),
        name: request.name,
        policy: request.policy,
        now: request.now,
    })?)
}

fn anchors_error(error: TrustAnchorsError) -> FileRejection {
    match error {
        TrustAnchorsError::Pem(cause) => FileRejection::NothingToJudge { role: "trust anchors", cause },
        TrustAnchorsError::Certificate { .. } => FileRejection::Anchors(error),
    }
}

fn certificates(role: &'static str, file: &[u8]) -> Result<Vec<Vec<u8>>, FileRejection> {
    pem::certificates(file).map_err(|cause| FileRejection::NothingToJudge { role, cause })
}

fn revocation_index(
    file: &[u8],
    anchors: &TrustAnchors,
    sent: &[Vec<u8>],
) -> Result<RevocationIndex, FileRejection> {
    let lists = Crl::parse_file(file).map_err(|error| match error {
        CrlError::Pem(cause) => FileRejection::NothingToJudge { role: "revocation lists", cause },
        unreadable => CrlRefusal::Unreadable(unreadable).into(),
    })?;
    let issuers: Vec<Certificate> = sent[1..].iter().flat_map(|der| Certificate::parse(der)).collect();
    let mut builder = RevocationIndexBuilder::new(anchors.crl_issuers().chain(&issuers));
    for list in lists {
        match builder.add(list) {
            Ok(()) | Err(CrlRefusal::ForeignIssuer { .. }) => {}
            Err(refusal) => return Err(refusal.into()),
        }
    }
    Ok(builder.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str) -> Vec<u8> {
        std::fs::read(format!("{}/../testdata/chain/easyrsa/{path}", env!("CARGO_MANIFEST_DIR"))).unwrap()
    }

    fn judge(authorities: &[u8], lists: Option<&[u8]>, leaf: &[u8]) -> Result<VerifiedPath, FileRejection> {
        verify_files(&FileRequest {
            authorities,
            intermediates: None,
            lists,
            leaf,
            purpose: Purpose::Client,
            name: None,
            policy: &ChainPolicy::general(),
            now: Timestamp::from_unix_seconds(1_900_000_000),
        })
    }

    #[test]
    fn pem_and_der_are_judged_alike() {
        let (authority, leaf) = (file("rsa/ca.crt"), file("rsa/issued/client1.crt"));
        let der = |pem| pem::certificates(pem).unwrap().remove(0);
        assert!(judge(&authority, None, &leaf).is_ok());
        assert!(judge(&der(&authority), Some(&file("rsa/crl.pem")), &der(&leaf)).is_ok());
    }

    #[test]
    fn a_list_of_another_authority_covers_nobody() {
        let (authority, leaf) = (file("rsa/ca.crt"), file("rsa/issued/client1.crt"));
        let refusal = judge(&authority, Some(&file("ec/crl.pem")), &leaf).unwrap_err();
        assert!(matches!(refusal, FileRejection::Rejected(_)) && refusal.is_verdict(), "{refusal}");
    }

    #[test]
    fn a_file_of_something_else_is_no_verdict() {
        let leaf = file("rsa/issued/client1.crt");
        for (authorities, lists) in [(&b"nothing"[..], None), (&leaf, Some(&b"nothing"[..]))] {
            let refusal = judge(authorities, lists, &leaf).unwrap_err();
            assert!(!refusal.is_verdict(), "{refusal}");
            assert_eq!(refusal.code(), "nothing-to-judge");
        }
    }
}
