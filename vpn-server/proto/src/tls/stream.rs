//! One TLS session as a converter: octets of the peer in, messages out; messages in, octets for the peer out.

use std::io::{Read, Write};

use rustls::Connection;
use zeroize::Zeroizing;

use super::records::RecordBuffer;

/// One TLS session of the control channel.
pub(crate) struct TlsStream {
    connection: Connection,
    records: RecordBuffer,
}

impl TlsStream {
    pub(crate) fn new(connection: impl Into<Connection>) -> Self {
        Self { connection: connection.into(), records: RecordBuffer::default() }
    }

    /// Takes octets in order and returns the application messages that are complete with them, one per TLS record.
    ///
    /// After an error [`TlsStream::take_outgoing`] still holds the alert for the peer.
    pub(crate) fn receive(&mut self, octets: &[u8]) -> Result<Vec<Zeroizing<Vec<u8>>>, TlsFailure> {
        self.records.extend(octets);
        let mut messages = vec![];
        while let Some(record) = self.records.next()? {
            messages.extend(self.receive_record(&record)?);
        }
        Ok(messages)
    }

    fn receive_record(&mut self, mut record: &[u8]) -> Result<Option<Zeroizing<Vec<u8>>>, TlsFailure> {
        while !record.is_empty() {
            let taken =
                self.connection.read_tls(&mut record).map_err(|error| TlsFailure::Io(error.to_string()))?;
            if taken == 0 {
                return Err(TlsFailure::Closed);
            }
            let state = self.connection.process_new_packets()?;
            if state.plaintext_bytes_to_read() > 0 {
                let mut message = Zeroizing::new(vec![0; state.plaintext_bytes_to_read()]);
                let read = self.connection.reader().read(&mut message);
                read.map_err(|error| TlsFailure::Io(error.to_string()))?;
                return Ok(Some(message));
            }
        }
        Ok(None)
    }

    /// Queues one message as one TLS record.
    pub(crate) fn send(&mut self, message: &[u8]) -> Result<(), TlsFailure> {
        self.connection.writer().write_all(message).map_err(|error| TlsFailure::Io(error.to_string()))
    }

    /// Octets for the peer.
    pub(crate) fn take_outgoing(&mut self) -> Vec<u8> {
        let mut octets = vec![];
        while self.connection.wants_write() {
            if self.connection.write_tls(&mut octets).is_err() {
                break;
            }
        }
        octets
    }

    /// Exports keying material (RFC 5705, RFC 8446 section 7.5) without a context.
    pub(crate) fn export(&self, label: &'static str) -> Result<Zeroizing<[u8; 256]>, TlsFailure> {
        let exported = match &self.connection {
            Connection::Server(connection) => {
                connection.export_keying_material([0; 256], label.as_bytes(), None)
            }
            Connection::Client(connection) => {
                connection.export_keying_material([0; 256], label.as_bytes(), None)
            }
        };
        Ok(exported.map(Zeroizing::new)?)
    }

    /// What was negotiated; `unknown` before the handshake is that far.
    pub(crate) fn summary(&self) -> TlsSummary {
        let version = match self.connection.protocol_version() {
            Some(rustls::ProtocolVersion::TLSv1_2) => "TLSv1.2",
            Some(rustls::ProtocolVersion::TLSv1_3) => "TLSv1.3",
            _ => "unknown",
        };
        let suite = self.connection.negotiated_cipher_suite().and_then(|suite| suite.suite().as_str());
        TlsSummary { version, cipher_suite: suite.unwrap_or("unknown") }
    }
}

/// What a TLS session negotiated, in the words of logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TlsSummary {
    /// `TLSv1.2`, `TLSv1.3` or `unknown`.
    pub version: &'static str,
    /// The cipher suite's standard name.
    pub cipher_suite: &'static str,
}

/// Why a TLS session cannot go on.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum TlsFailure {
    #[error(transparent)]
    Tls(#[from] rustls::Error),
    #[error("a TLS record of {0} octets")]
    RecordTooLong(usize),
    #[error("the peer closed the TLS session")]
    Closed,
    #[error("{0}")]
    Io(String),
}

impl TlsFailure {
    /// Stable kebab-case code for logs and metrics.
    pub(crate) fn code(&self) -> &'static str {
        use rustls::{CertificateError, Error};

        match self {
            Self::Tls(Error::NoCertificatesPresented) => "no-client-certificate",
            Self::Tls(Error::InvalidCertificate(CertificateError::UnknownIssuer)) => "untrusted-certificate",
            Self::Tls(Error::InvalidCertificate(_)) => "bad-certificate",
            Self::Tls(Error::AlertReceived(_)) => "tls-alert-received",
            Self::Tls(Error::PeerIncompatible(_)) => "tls-incompatible",
            Self::Tls(_) | Self::RecordTooLong(_) | Self::Io(_) => "tls-failed",
            Self::Closed => "tls-closed",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rustls::client::{ClientConfig, ClientConnection, Resumption};
    use rustls::pki_types::pem::PemObject;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
    use rustls::{HandshakeKind, ProtocolVersion};

    use super::*;
    use crate::client::ClientTls;
    use crate::identity::{CertificateCheck, CertificateVerdict, ClientCertificate, Denial, PeerIdentity};
    use crate::tls::{TlsSettings, TlsVersion, VerdictRecord};

    struct Everybody;

    impl CertificateCheck for Everybody {
        fn check(&self, chain: &[CertificateDer<'_>]) -> CertificateVerdict {
            let identity = PeerIdentity { common_name: String::new(), fingerprint: [1; 32], path: vec![] };
            match chain {
                [_] => CertificateVerdict::Accepted(identity),
                _ => CertificateVerdict::Untrusted(Denial::new("chain", "", "")),
            }
        }
    }

    fn file(name: &str) -> Vec<u8> {
        std::fs::read(format!("../../testdata/simulator/{name}")).unwrap()
    }

    fn certificate(name: &str) -> CertificateDer<'static> {
        CertificateDer::from_pem_slice(&file(&format!("{name}.crt"))).unwrap()
    }

    fn key(name: &str) -> PrivateKeyDer<'static> {
        PrivateKeyDer::from_pem_slice(&file(&format!("{name}.key"))).unwrap()
    }

    fn server() -> TlsStream {
        let settings =
            TlsSettings::new(vec![certificate("server")], key("server"), TlsVersion::Tls12).unwrap();
        let record = VerdictRecord::default();
        let demand = ClientCertificate::Required;
        TlsStream::new(settings.server_connection(Arc::new(Everybody), demand, record).unwrap())
    }

    /// A client that would use every ticket and send early data if it could.
    fn eager_client(only_tls12: bool) -> Arc<ClientConfig> {
        let chain = || vec![certificate("client1")];
        let tls = ClientTls::new(chain(), key("client1"), certificate("server"), TlsVersion::Tls12);
        let tls = if only_tls12 { tls.only_tls12() } else { tls };
        let mut config = ClientConfig::builder_with_provider(crate::crypto::tls_provider())
            .with_protocol_versions(tls.versions)
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(Arc::clone(&tls.verifier))
            .with_client_auth_cert(chain(), key("client1"))
            .unwrap();
        config.resumption = Resumption::in_memory_sessions(8);
        config.enable_early_data = true;
        Arc::new(config)
    }

    fn connection(config: &Arc<ClientConfig>) -> ClientConnection {
        ClientConnection::new(Arc::clone(config), ServerName::try_from("server").unwrap()).unwrap()
    }

    fn written(client: &mut ClientConnection) -> Vec<u8> {
        let mut octets = vec![];
        while client.wants_write() {
            client.write_tls(&mut octets).unwrap();
        }
        octets
    }

    fn shake_hands(client: &mut ClientConnection, server: &mut TlsStream) {
        while client.is_handshaking() || client.wants_write() {
            server.receive(&written(client)).unwrap();
            let answer = server.take_outgoing();
            client.read_tls(&mut &answer[..]).unwrap();
            client.process_new_packets().unwrap();
        }
    }

    #[test]
    fn tls_01_every_handshake_is_a_whole_one_without_tickets_and_early_data() {
        for (only_tls12, version) in [(false, ProtocolVersion::TLSv1_3), (true, ProtocolVersion::TLSv1_2)] {
            let config = eager_client(only_tls12);
            for _ in 0..3 {
                let mut client = connection(&config);
                assert!(client.early_data().is_none());
                shake_hands(&mut client, &mut server());
                assert_eq!(client.protocol_version(), Some(version));
                assert_eq!(client.tls13_tickets_received(), 0);
                // A post-quantum server may ask for another key share, which is a whole handshake, too.
                assert!(matches!(
                    client.handshake_kind(),
                    Some(HandshakeKind::Full | HandshakeKind::FullWithHelloRetryRequest)
                ));
            }
        }
    }

    #[test]
    fn tls_01_a_renegotiation_within_tls_is_refused() {
        let (mut client, mut server) = (connection(&eager_client(true)), server());
        shake_hands(&mut client, &mut server);
        let hello = written(&mut connection(&eager_client(true)));
        assert!(server.receive(&hello).is_err());
    }

    #[test]
    fn tls_02_a_hello_may_come_octet_by_octet() {
        let (mut client, mut server) = (connection(&eager_client(false)), server());
        for octet in written(&mut client) {
            assert!(server.receive(&[octet]).unwrap().is_empty());
        }
        assert!(!server.take_outgoing().is_empty());
    }

    #[test]
    fn tls_02_empty_records_and_an_early_end_are_failures_and_no_loop() {
        const CLOSE_NOTIFY: [u8; 7] = [21, 3, 3, 0, 2, 1, 0];
        assert!(server().receive(&[22, 3, 3, 0, 0].repeat(1000)).is_err());
        assert!(server().receive(&[23, 3, 3, 0, 0].repeat(1000)).is_err());
        let (mut client, mut in_the_middle) = (connection(&eager_client(false)), server());
        in_the_middle.receive(&written(&mut client)).unwrap();
        let outcome = in_the_middle.receive(&CLOSE_NOTIFY.repeat(3));
        assert!(
            outcome.is_err()
                || in_the_middle.receive(&written(&mut connection(&eager_client(false)))).is_err()
        );
    }

    #[test]
    fn tls_02_a_handshake_message_longer_than_64_kib_is_refused() {
        let mut server = server();
        let claim = [&[22, 3, 1, 0x40, 0][..], &[1, 1, 0, 1], &vec![0; 0x4000 - 4]].concat();
        let rest = [&[22, 3, 1, 0x40, 0][..], &vec![0; 0x4000]].concat();
        let refused = server.receive(&claim).is_err() || (0..8).any(|_| server.receive(&rest).is_err());
        assert!(refused);
    }

    #[test]
    fn key_07_private_keys_are_used_by_the_crypto_backend_only() {
        let manifest = include_str!("../../Cargo.toml");
        assert!(
            !manifest.lines().any(|line| line.starts_with("rsa")),
            "its private operations take variable time"
        );
    }
}
