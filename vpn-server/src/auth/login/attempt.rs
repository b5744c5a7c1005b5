//! One client that wants in, or shows its credentials again: all that a decider may look at.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use vpn_proto::{Password, PeerInfo, Transport};

use super::{Shown, Username};
use crate::auth::CertificateChain;
use crate::control::connection::CertificateFacts;

/// Counts the clients that asked to be let in since the start of this process, from 0: the CID of the management
/// interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientNumber(pub u64);

/// Somebody asks to be let in, or to stay.
#[derive(Clone, Debug)]
pub struct LoginAttempt {
    /// Who asks.
    pub client: Arc<ClientFacts>,
    /// Counts the client's TLS sessions from 0: the KID of the management interface.
    pub key: u32,
    /// Why the question comes up.
    pub occasion: Occasion,
    /// The user name, if one was sent.
    pub username: Option<Username>,
    /// The field for the password as it came, for programs that take it apart by themselves.
    pub password: Option<Password>,
    /// The same, taken apart.
    pub shown: Option<Shown>,
    /// How a token that was shown stands, where deciders are asked about tokens.
    pub token: Option<TokenStanding>,
}

/// Why a decision is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Occasion {
    /// The client wants to connect.
    Connect,
    /// The client is connected and renegotiates its keys.
    Renegotiation,
}

/// What this server's own tokens say about a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenStanding {
    /// The session id in the token, in base64: the same through all renewals.
    pub session_id: String,
    /// `Initial`, `Authenticated`, `Expired` or `Invalid`, as scripts are told in `session_state`.
    pub state: &'static str,
}

/// What is known about a client before it is let in.
#[derive(Clone, Debug)]
pub struct ClientFacts {
    /// Which client it is.
    pub number: ClientNumber,
    /// Where it is.
    pub remote: SocketAddr,
    /// Whom its certificate names, if it has one; otherwise the user name.
    pub common_name: String,
    /// Its certificate.
    pub certificate: Option<CertificateFacts>,
    /// The groups that its certificate names.
    pub certificate_groups: Arc<[String]>,
    /// The certificate and those between it and the authority, where programs are to be told about them.
    pub chain: Option<CertificateChain>,
    /// What it says of itself.
    pub peer_info: PeerInfo,
    /// What carries its packets.
    pub transport: Transport,
    /// What stands beside the key in its tls-crypt-v2 key: a type octet and its content.
    pub tls_crypt_v2_metadata: Option<Vec<u8>>,
}

impl fmt::Display for ClientNumber {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}
