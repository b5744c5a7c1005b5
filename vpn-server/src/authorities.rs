//! The authorities by which this server, as a client of directories and handlers, checks those that it speaks to.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

/// Where the distributions keep the authorities of the host, most usual first.
const OF_THE_HOST: [&str; 3] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem"];

/// Why there are no authorities.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuthoritiesError {
    /// The file cannot be read.
    #[error("cannot read the authorities {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The operating system's answer.
        source: std::io::Error,
    },
    /// There is no usable certificate in it.
    #[error("there is no certificate of an authority in {}", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// The host has none, and none were named.
    #[error("this host has no file with authorities")]
    NoneOnHost,
    /// The TLS library takes nothing of what it was given.
    #[error("TLS cannot be set up: {0}")]
    Tls(#[from] rustls::Error),
}

impl AuthoritiesError {
    /// Stable name of this cause.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => "authorities-unreadable",
            Self::Empty { .. } | Self::NoneOnHost => "authorities-missing",
            Self::Tls(_) => "tls-not-usable",
        }
    }

    /// What to do about it.
    #[must_use]
    pub const fn help(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } | Self::Empty { .. } => {
                "name a PEM file with the authority that issued the other server's certificate"
            }
            Self::NoneOnHost => "install the package ca-certificates, or name a PEM file with the key 'ca'",
            Self::Tls(_) => "report this: the TLS library refuses its own defaults",
        }
    }
}

/// The authorities in a PEM file, or those of the host.
///
/// # Errors
///
/// [`AuthoritiesError`] when there are none.
pub(crate) fn read(path: Option<&Path>) -> Result<Vec<CertificateDer<'static>>, AuthoritiesError> {
    let of_host = || OF_THE_HOST.iter().map(Path::new).find(|path| path.exists());
    let path = path.or_else(of_host).ok_or(AuthoritiesError::NoneOnHost)?;
    let pem =
        fs::read(path).map_err(|source| AuthoritiesError::Unreadable { path: path.to_owned(), source })?;
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(&pem).filter_map(Result::ok).collect();
    if certificates.is_empty() {
        return Err(AuthoritiesError::Empty { path: path.to_owned() });
    }
    Ok(certificates)
}

/// TLS as a client that trusts the authorities in `path`, or those of the host.
///
/// # Errors
///
/// [`AuthoritiesError`] when there are none, or none that can be used.
pub(crate) fn client_config(path: Option<&Path>) -> Result<Arc<ClientConfig>, AuthoritiesError> {
    let mut roots = RootCertStore::empty();
    let (usable, _) = roots.add_parsable_certificates(read(path)?);
    if usable == 0 {
        let path = path.map(Path::to_owned).unwrap_or_default();
        return Err(AuthoritiesError::Empty { path });
    }
    let config = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
    Ok(Arc::new(config.with_root_certificates(roots).with_no_client_auth()))
}

/// The cryptography of this build; passed explicitly, because a build may hold both.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    #[cfg(feature = "aws_lc_rs")]
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    #[cfg(all(feature = "ring", not(feature = "aws_lc_rs")))]
    let provider = rustls::crypto::ring::default_provider();
    Arc::new(provider)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_certificates_is_no_file_of_authorities() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ca.pem");
        assert_eq!(read(Some(&path)).unwrap_err().code(), "authorities-unreadable");
        fs::write(&path, "nothing").unwrap();
        assert_eq!(read(Some(&path)).unwrap_err().code(), "authorities-missing");
        assert!(client_config(Some(&path)).is_err());
    }

    #[test]
    fn an_authority_is_taken_from_its_file() {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut parameters = rcgen::CertificateParams::new(Vec::new()).unwrap();
        parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let authority = parameters.self_signed(&key).unwrap();
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ca.pem");
        fs::write(&path, format!("a comment\n{}", authority.pem())).unwrap();
        assert_eq!(read(Some(&path)).unwrap().len(), 1);
        assert!(client_config(Some(&path)).is_ok());
    }
}
