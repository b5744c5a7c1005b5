//! What every TLS session of a server has in common: certificate, key, versions.

use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{NoServerSessionStorage, ResolvesServerCert, ServerConfig, ServerConnection};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{SupportedProtocolVersion, version};

use super::verifier::RecordingVerifier;
use super::{TlsFailure, VerdictRecord};
use crate::crypto;
use crate::identity::{CertificateCheck, ClientCertificate};

/// The lowest TLS version that is accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum TlsVersion {
    /// TLS 1.2 and 1.3.
    #[default]
    Tls12,
    /// TLS 1.3 only.
    Tls13,
}

/// The server's certificate chain and key, checked to belong together, and the versions it speaks.
#[derive(Clone, Debug)]
pub struct TlsSettings {
    provider: Arc<CryptoProvider>,
    certificate: Arc<SingleCertAndKey>,
    minimum: TlsVersion,
}

impl TlsSettings {
    /// Checks that the key can be used and belongs to the leaf of `chain`.
    ///
    /// # Errors
    /// [`TlsSettingsError`] says whether the chain is empty, the key unusable with this build's backend, or the
    /// two do not match.
    pub fn new(
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
        minimum: TlsVersion,
    ) -> Result<Self, TlsSettingsError> {
        if chain.is_empty() {
            return Err(TlsSettingsError::NoCertificate);
        }
        let provider = crypto::tls_provider();
        let signing_key = provider
            .key_provider
            .load_private_key(key)
            .map_err(|error| TlsSettingsError::UnusableKey(error.to_string()))?;
        let certified = CertifiedKey::new(chain, signing_key);
        match certified.keys_match() {
            Ok(()) | Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::Unknown)) => {}
            Err(error) => return Err(TlsSettingsError::KeyMismatch(error.to_string())),
        }
        Ok(Self { provider, certificate: Arc::new(SingleCertAndKey::from(certified)), minimum })
    }

    /// A server's side of a new TLS session; `record` receives the verdict on the client's chain.
    ///
    /// Tickets and session storage are off: every session is a full handshake, so that no client is carried past a
    /// revocation (TLS-01).
    pub(crate) fn server_connection(
        &self,
        check: Arc<dyn CertificateCheck>,
        demand: ClientCertificate,
        record: VerdictRecord,
    ) -> Result<ServerConnection, TlsFailure> {
        let verifier = Arc::new(RecordingVerifier::new(check, demand, Arc::clone(&self.provider), record));
        let mut config = ServerConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_protocol_versions(self.minimum.versions())?
            .with_client_cert_verifier(verifier)
            .with_cert_resolver(Arc::clone(&self.certificate) as Arc<dyn ResolvesServerCert>);
        config.send_tls13_tickets = 0;
        config.session_storage = Arc::new(NoServerSessionStorage {});
        Ok(ServerConnection::new(Arc::new(config))?)
    }
}

impl TlsVersion {
    pub(crate) const fn versions(self) -> &'static [&'static SupportedProtocolVersion] {
        match self {
            Self::Tls12 => TLS12_AND_UP,
            Self::Tls13 => TLS13_ONLY,
        }
    }
}

static TLS12_AND_UP: &[&SupportedProtocolVersion] = &[&version::TLS13, &version::TLS12];
static TLS13_ONLY: &[&SupportedProtocolVersion] = &[&version::TLS13];

/// Why a certificate and key cannot serve.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TlsSettingsError {
    /// The chain holds no certificate.
    #[error("there is no server certificate")]
    NoCertificate,
    /// The backend of this build cannot use the key.
    #[error("the server's private key cannot be used: {0}")]
    UnusableKey(String),
    /// Key and certificate do not belong together.
    #[error("the server's private key does not belong to its certificate: {0}")]
    KeyMismatch(String),
}

/// A client's side of a new TLS session, trusting `roots` for the server's chain whatever name it carries.
#[cfg(feature = "client")]
pub(crate) fn client_connection(
    settings: &crate::client::ClientTls,
) -> Result<rustls::client::ClientConnection, TlsFailure> {
    use rustls::client::ClientConfig;
    use rustls::pki_types::ServerName;

    let builder = ClientConfig::builder_with_provider(Arc::clone(&settings.provider))
        .with_protocol_versions(settings.versions)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::clone(&settings.verifier) as _);
    let mut config = match &settings.certificate {
        Some((chain, key)) => builder.with_client_auth_cert(chain.clone(), key.clone_key())?,
        None => builder.with_no_client_auth(),
    };
    config.resumption = rustls::client::Resumption::disabled();
    config.enable_sni = false;
    let name = ServerName::IpAddress(std::net::Ipv4Addr::UNSPECIFIED.into());
    Ok(rustls::client::ClientConnection::new(Arc::new(config), name)?)
}
