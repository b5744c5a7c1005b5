//! Who a client is and what it claims to be able to do.

use std::sync::Arc;
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    CertificateError, DigitallySignedStruct, Error, NamedGroup, SignatureScheme, SupportedProtocolVersion,
};

use crate::crypto;
use crate::data::ReplayWindowSize;
use crate::moment::Moment;
use crate::tls::TlsVersion;
use crate::wire::key_method2::Password;
use crate::wire::occ;
use crate::wire::peer_info::PeerInfo;
use crate::wrapping::ClientWrapping;

/// The settings of a [`Client`](super::Client).
pub struct ClientConfig {
    /// Its certificate and whom it trusts.
    pub tls: ClientTls,
    /// How it wraps control packets.
    pub wrapping: ClientWrapping,
    /// The Unix time of [`Moment`] 0.
    pub unix_time_of_origin: Duration,
    /// Its user name and password.
    pub credentials: Option<(String, Password)>,
    /// What it says of itself, lines `KEY=value`.
    pub peer_info: String,
    /// Its options string (see [`crate::wire::occ`]). Where the server pushes nothing about them, the client's cipher,
    /// digest and framing are what it says here.
    pub options: String,
    /// How much of order data packets may be in.
    pub replay_window: ReplayWindowSize,
    /// Time from the first datagram to the tunnel.
    pub handshake_timeout: Duration,
}

impl ClientConfig {
    /// A client that says of itself what OpenVPN 2.6 says.
    #[must_use]
    pub fn new(tls: ClientTls) -> Self {
        let peer_info = "IV_VER=2.6.14\nIV_PLAT=linux\nIV_TCPNL=1\nIV_MTU=1600\nIV_NCP=2\n\
             IV_CIPHERS=AES-256-GCM:AES-128-GCM:CHACHA20-POLY1305\nIV_PROTO=990\n";
        Self {
            tls,
            wrapping: ClientWrapping::Plain,
            unix_time_of_origin: Duration::ZERO,
            credentials: None,
            peer_info: peer_info.to_owned(),
            options: occ::client_options(1500),
            replay_window: ReplayWindowSize::default(),
            handshake_timeout: Duration::from_secs(60),
        }
    }

    pub(super) fn unix_time(&self, now: Moment) -> u32 {
        let since_epoch = self.unix_time_of_origin + now.saturating_since(Moment::default());
        u32::try_from(since_epoch.as_secs()).unwrap_or(u32::MAX)
    }

    pub(super) fn asks_by_itself(&self) -> bool {
        crate::negotiate::asks_by_itself(&PeerInfo::parse(&self.peer_info))
    }
}

/// A client's certificate, key and trust.
pub struct ClientTls {
    pub(crate) provider: Arc<CryptoProvider>,
    pub(crate) versions: &'static [&'static SupportedProtocolVersion],
    pub(crate) verifier: Arc<dyn ServerCertVerifier>,
    /// The certificate chain and its key, where the client has any.
    pub(crate) certificate: Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>,
}

impl ClientTls {
    /// A client that shows `chain`, proves it with `key`, and takes only the server whose leaf is `server`.
    #[must_use]
    pub fn new(
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
        server: CertificateDer<'static>,
        minimum: TlsVersion,
    ) -> Self {
        Self { certificate: Some((chain, key)), ..Self::without_certificate(server, minimum) }
    }

    /// A client that shows no certificate, and takes only the server whose leaf is `server`.
    #[must_use]
    pub fn without_certificate(server: CertificateDer<'static>, minimum: TlsVersion) -> Self {
        let provider = crypto::tls_provider();
        let verifier = Arc::new(PinnedServer { leaf: server, provider: Arc::clone(&provider) });
        Self { provider, versions: minimum.versions(), verifier, certificate: None }
    }

    /// The same, but with the one TLS version that `versions` names.
    #[must_use]
    pub fn only_tls12(self) -> Self {
        Self { versions: TLS12_ONLY, ..self }
    }

    /// The same, but with the key exchanges of clients before post-quantum ones: what OpenSSL 3.0 to 3.4 offers.
    #[must_use]
    pub fn only_classical_key_exchange(self) -> Self {
        let mut provider = CryptoProvider::clone(&self.provider);
        provider.kx_groups.retain(|group| CLASSICAL_KEY_EXCHANGES.contains(&group.name()));
        Self { provider: Arc::new(provider), ..self }
    }
}

const CLASSICAL_KEY_EXCHANGES: [NamedGroup; 3] =
    [NamedGroup::X25519, NamedGroup::secp256r1, NamedGroup::secp384r1];

static TLS12_ONLY: &[&SupportedProtocolVersion] = &[&rustls::version::TLS12];

/// Trusts one server certificate, whatever name it carries: OpenVPN does not look at host names either.
#[derive(Debug)]
struct PinnedServer {
    leaf: CertificateDer<'static>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for PinnedServer {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if *leaf == self.leaf {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(Error::InvalidCertificate(CertificateError::UnknownIssuer))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_from_before_post_quantum_key_exchanges_offers_the_classical_ones_only() {
        let server = CertificateDer::from(vec![]);
        let tls = ClientTls::without_certificate(server, TlsVersion::Tls12).only_classical_key_exchange();
        let names: Vec<_> = tls.provider.kx_groups.iter().map(|group| group.name()).collect();
        assert!(!names.is_empty() && names.iter().all(|name| CLASSICAL_KEY_EXCHANGES.contains(name)));
    }
}
