//! A moment of the server: clients, routes to them, and counters.

use std::net::SocketAddr;

use pki_core::time::Timestamp;

use crate::control::ConnectionSnapshot;

/// What a status shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusReport {
    /// The moment.
    pub at: Timestamp,
    /// The connected clients, oldest first.
    pub clients: Vec<ClientStatus>,
    /// Which addresses lead to them.
    pub routes: Vec<RouteStatus>,
}

/// One client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientStatus {
    /// Its common name.
    pub common_name: String,
    /// Where it is.
    pub remote: SocketAddr,
    /// Its IPv4 address in the tunnel.
    pub address: String,
    /// Its IPv6 address in the tunnel; empty if it has none.
    pub address_v6: String,
    /// Bytes from it.
    pub received: u64,
    /// Bytes to it.
    pub sent: u64,
    /// When it was let in.
    pub since: Timestamp,
    /// The user name that it sent.
    pub username: Option<String>,
    /// Its number since the start of the server.
    pub client_id: u64,
    /// Its number in data packets.
    pub peer_id: u32,
    /// The cipher of data packets.
    pub cipher: &'static str,
}

/// One address or network that leads to a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteStatus {
    /// The address, or a network with its length.
    pub destination: String,
    /// The client's common name.
    pub common_name: String,
    /// Where the client is.
    pub remote: SocketAddr,
    /// When something was heard of the client.
    pub last_reference: Timestamp,
}

impl StatusReport {
    /// The report on `connections` at `at`.
    #[must_use]
    pub fn new(at: Timestamp, connections: &[ConnectionSnapshot]) -> Self {
        let mut connections: Vec<&ConnectionSnapshot> = connections.iter().collect();
        connections.sort_by_key(|snapshot| snapshot.client_id);
        Self {
            at,
            clients: connections.iter().map(|snapshot| ClientStatus::new(snapshot)).collect(),
            routes: connections.iter().map(|snapshot| RouteStatus::new(at, snapshot)).collect(),
        }
    }
}

impl ClientStatus {
    fn new(snapshot: &ConnectionSnapshot) -> Self {
        let connection = &snapshot.connection;
        Self {
            common_name: connection.client.common_name.clone(),
            remote: snapshot.remote,
            address: connection.address.to_string(),
            address_v6: String::new(),
            received: snapshot.usage.ingress_bytes,
            sent: snapshot.usage.egress_bytes,
            since: connection.started,
            username: connection.username.clone(),
            client_id: snapshot.client_id,
            peer_id: snapshot.peer_id.get(),
            cipher: connection.negotiated.data_cipher,
        }
    }
}

impl RouteStatus {
    fn new(at: Timestamp, snapshot: &ConnectionSnapshot) -> Self {
        let silence = i64::try_from(snapshot.silence.as_secs()).unwrap_or(i64::MAX);
        Self {
            destination: snapshot.connection.address.to_string(),
            common_name: snapshot.connection.client.common_name.clone(),
            remote: snapshot.remote,
            last_reference: at.plus_seconds(-silence),
        }
    }
}
