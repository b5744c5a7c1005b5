//! Certificates and keys of the simulator, for tests with a TLS handshake of their own.

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// The certificate that is called `name`.
pub(crate) fn certificate(name: &str) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(&file(&format!("{name}.crt"))).unwrap()
}

/// Its key.
pub(crate) fn key(name: &str) -> PrivateKeyDer<'static> {
    PrivateKeyDer::from_pem_slice(&file(&format!("{name}.key"))).unwrap()
}

fn file(name: &str) -> Vec<u8> {
    std::fs::read(format!("../../testdata/simulator/{name}")).unwrap()
}
