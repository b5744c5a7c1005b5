//! From a finished TLS session and two key-method-2 messages to key material, by either method.

use super::prf::expand_keys;
use super::{EXPORTER_LABEL, KeyMaterial};
use crate::ids::SessionId;
use crate::tls::{TlsFailure, TlsStream};
use crate::wire::key_method2::KeySource;

/// How data keys come about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyDerivation {
    /// The TLS exporter (protocol reference section 7.1).
    TlsExporter,
    /// The PRF over the random octets of both key-method-2 messages (section 7.2).
    Prf,
}

/// The random octets of both key-method-2 messages.
pub(crate) struct KeySources {
    pub(crate) client: KeySource,
    pub(crate) server: KeySource,
}

/// The session ids of both sides.
#[derive(Clone, Copy)]
pub(crate) struct BothIds {
    pub(crate) client: SessionId,
    pub(crate) server: SessionId,
}

/// Why there is no key material.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DerivationError {
    #[error("the TLS exporter failed: {0}")]
    Exporter(#[from] TlsFailure),
    #[error("the client sent no pre-master secret")]
    NoPreMaster,
    #[error("the material does not fit the cipher")]
    Cipher,
}

impl KeyDerivation {
    pub(crate) fn derive(
        self,
        tls: &TlsStream,
        sources: &KeySources,
        ids: BothIds,
    ) -> Result<KeyMaterial, DerivationError> {
        match self {
            Self::TlsExporter => Ok(KeyMaterial::new(tls.export(EXPORTER_LABEL)?)),
            Self::Prf => expand_keys(&sources.client, &sources.server, ids.client, ids.server)
                .ok_or(DerivationError::NoPreMaster),
        }
    }
}
