//! Hands the client's chain to the [`CertificateCheck`] and keeps the verdict for the session.

use std::fmt;
use std::sync::{Arc, OnceLock};

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};

use crate::identity::{CertificateCheck, CertificateVerdict, ClientCertificate};

/// Where one TLS session's verdict appears once the client has shown its certificate.
#[derive(Clone, Debug, Default)]
pub(crate) struct VerdictRecord(Arc<OnceLock<CertificateVerdict>>);

impl VerdictRecord {
    pub(crate) fn verdict(&self) -> Option<&CertificateVerdict> {
        self.0.get()
    }
}

/// The verifier of one TLS session.
///
/// Certificates that chain to the authority but may not be used pass here: the session refuses them afterwards.
pub(crate) struct RecordingVerifier {
    check: Arc<dyn CertificateCheck>,
    demand: ClientCertificate,
    provider: Arc<CryptoProvider>,
    record: VerdictRecord,
}

impl RecordingVerifier {
    pub(crate) fn new(
        check: Arc<dyn CertificateCheck>,
        demand: ClientCertificate,
        provider: Arc<CryptoProvider>,
        record: VerdictRecord,
    ) -> Self {
        Self { check, demand, provider, record }
    }
}

impl fmt::Debug for RecordingVerifier {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("RecordingVerifier").finish_non_exhaustive()
    }
}

impl ClientCertVerifier for RecordingVerifier {
    fn offer_client_auth(&self) -> bool {
        self.demand != ClientCertificate::NotAsked
    }

    fn client_auth_mandatory(&self) -> bool {
        self.demand == ClientCertificate::Required
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let chain: Vec<_> = std::iter::once(leaf).chain(intermediates).cloned().collect();
        let verdict = self.record.0.get_or_init(|| self.check.check(&chain));
        match verdict {
            CertificateVerdict::Accepted(_) | CertificateVerdict::Denied(..) => {
                Ok(ClientCertVerified::assertion())
            }
            CertificateVerdict::Untrusted(_) => {
                Err(Error::InvalidCertificate(CertificateError::UnknownIssuer))
            }
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
