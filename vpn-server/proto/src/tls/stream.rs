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
