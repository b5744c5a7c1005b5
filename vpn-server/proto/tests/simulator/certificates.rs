//! Identities of the simulated hosts, and an authority that is a table.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use vpn_proto::client::{ClientConfig, ClientTls};
use vpn_proto::{
    CertificateCheck, CertificateRef, CertificateVerdict, Denial, PeerIdentity, TlsSettings, TlsVersion,
};

/// A name with certificate and key.
pub(crate) struct Identity {
    pub(crate) name: &'static str,
    certificate: &'static [u8],
    key: &'static [u8],
}

macro_rules! identity {
    ($name:literal) => {
        Identity {
            name: $name,
            certificate: include_bytes!(concat!("../../../../testdata/simulator/", $name, ".crt")),
            key: include_bytes!(concat!("../../../../testdata/simulator/", $name, ".key")),
        }
    };
}

pub(crate) const SERVER: Identity = identity!("server");
pub(crate) const CLIENTS: [Identity; 3] = [identity!("client1"), identity!("client2"), identity!("client3")];

impl Identity {
    pub(crate) fn certificate(&self) -> CertificateDer<'static> {
        CertificateDer::from_pem_slice(self.certificate).unwrap()
    }

    pub(crate) fn key(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::from_pem_slice(self.key).unwrap()
    }

    pub(crate) fn server_settings(&self, minimum: TlsVersion) -> TlsSettings {
        TlsSettings::new(vec![self.certificate()], self.key(), minimum).unwrap()
    }

    pub(crate) fn client_tls(&self) -> ClientTls {
        ClientTls::new(vec![self.certificate()], self.key(), SERVER.certificate(), TlsVersion::Tls12)
    }

    /// A client that trusts the server and has no certificate.
    pub(crate) fn nobodys_tls() -> ClientTls {
        ClientTls::without_certificate(SERVER.certificate(), TlsVersion::Tls12)
    }

    pub(crate) fn client_config(&self) -> Arc<ClientConfig> {
        Arc::new(ClientConfig::new(self.client_tls()))
    }
}

/// What the simulated authority says of a certificate it knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    Good,
    Revoked,
    Unknown,
}

/// An authority that knows the three clients.
#[derive(Default)]
pub(crate) struct Authority {
    standings: Mutex<BTreeMap<&'static str, Standing>>,
}

impl Authority {
    pub(crate) fn set(&self, name: &'static str, standing: Standing) {
        self.standings.lock().unwrap().insert(name, standing);
    }
}

impl CertificateCheck for Authority {
    fn check(&self, chain: &[CertificateDer<'_>]) -> CertificateVerdict {
        let denial = |code, public: &str| Denial { code, public: public.to_owned(), detail: String::new() };
        let known = CLIENTS.iter().enumerate().find(|(_, client)| client.certificate() == chain[0]);
        let Some((index, client)) = known else {
            return CertificateVerdict::Untrusted(denial("unknown-authority", ""));
        };
        let number = u8::try_from(index).unwrap() + 1;
        let identity = PeerIdentity {
            common_name: client.name.to_owned(),
            fingerprint: [number; 32],
            path: vec![CertificateRef { issuer_key: [0; 32], serial: vec![number] }],
        };
        match self.standings.lock().unwrap().get(client.name).copied().unwrap_or(Standing::Good) {
            Standing::Good => CertificateVerdict::Accepted(identity),
            Standing::Revoked => {
                CertificateVerdict::Denied(identity, denial("revoked", "certificate revoked"))
            }
            Standing::Unknown => CertificateVerdict::Untrusted(denial("unknown-authority", "")),
        }
    }
}
