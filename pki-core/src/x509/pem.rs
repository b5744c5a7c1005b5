//! Certificates and revocation lists out of files: PEM with any text around it, or one object in DER.

use rustls_pki_types::pem::{self, PemObject as _};
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer};

/// Why a file holds no readable objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PemError {
    /// Neither a `-----BEGIN` line of the wanted kind nor DER.
    #[error("no {wanted} in it: neither a \"-----BEGIN {wanted}-----\" line nor DER")]
    NothingFound {
        /// The label of the wanted objects.
        wanted: &'static str,
    },
    /// A block without an end, or with characters that are not base64.
    #[error("damaged PEM: {0}")]
    Damaged(PemDamage),
}

/// What is wrong inside a PEM block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PemDamage {
    /// The `-----END` line is missing: a half-written file.
    #[error("a block has no END line")]
    NoEnd,
    /// The content is not base64.
    #[error("a block is not base64")]
    NotBase64,
    /// The `-----BEGIN` line is malformed.
    #[error("a BEGIN line is malformed")]
    BadBegin,
}

/// Every certificate of a file, in its order.
pub fn certificates(file: &[u8]) -> Result<Vec<Vec<u8>>, PemError> {
    if starts_as_der(file) {
        return Ok(vec![file.to_vec()]);
    }
    let sections = CertificateDer::pem_slice_iter(file).map(|der| der.map(|der| der.to_vec()));
    collect(sections, "CERTIFICATE")
}

/// Every revocation list of a file, in its order.
pub fn revocation_lists(file: &[u8]) -> Result<Vec<Vec<u8>>, PemError> {
    if starts_as_der(file) {
        return Ok(vec![file.to_vec()]);
    }
    let sections =
        CertificateRevocationListDer::pem_slice_iter(file).map(|der| der.map(|der| der.as_ref().to_vec()));
    collect(sections, "X509 CRL")
}

/// A SEQUENCE with a long length: text in front of PEM never looks like it, small DER objects do not exist here.
fn starts_as_der(file: &[u8]) -> bool {
    matches!(file, [0x30, length, ..] if *length >= 0x80)
}

fn collect(
    sections: impl Iterator<Item = Result<Vec<u8>, pem::Error>>,
    wanted: &'static str,
) -> Result<Vec<Vec<u8>>, PemError> {
    let objects: Vec<Vec<u8>> = sections.collect::<Result<_, _>>().map_err(damage)?;
    if objects.is_empty() {
        return Err(PemError::NothingFound { wanted });
    }
    Ok(objects)
}

fn damage(error: pem::Error) -> PemError {
    PemError::Damaged(if matches!(error, pem::Error::MissingSectionEnd { .. }) {
        PemDamage::NoEnd
    } else if matches!(error, pem::Error::IllegalSectionStart { .. }) {
        PemDamage::BadBegin
    } else {
        PemDamage::NotBase64
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLOCK: &str = "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n";

    #[test]
    fn reads_several_blocks_with_text_between_and_skips_other_kinds() {
        let key = BLOCK.replace("CERTIFICATE", "PRIVATE KEY");
        let file = format!("Certificate:\n    Data:\n{BLOCK}words\r\n{key}{BLOCK}");
        assert_eq!(certificates(file.as_bytes()).unwrap(), [[0x30, 0x00], [0x30, 0x00]]);
    }

    #[test]
    fn a_half_written_block_is_an_error_not_an_absence() {
        let half = &BLOCK[..40];
        assert_eq!(certificates(half.as_bytes()), Err(PemError::Damaged(PemDamage::NoEnd)));
        let garbled = BLOCK.replace("MAA=", "M*A=");
        assert_eq!(certificates(garbled.as_bytes()), Err(PemError::Damaged(PemDamage::NotBase64)));
    }

    #[test]
    fn text_without_a_block_has_nothing() {
        assert_eq!(
            revocation_lists(BLOCK.as_bytes()).unwrap_err().to_string(),
            "no X509 CRL in it: neither a \"-----BEGIN X509 CRL-----\" line nor DER"
        );
        assert!(certificates(b"").is_err());
    }
}
