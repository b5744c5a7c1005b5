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
            routes: connections.iter().flat_map(|snapshot| RouteStatus::all(at, snapshot)).collect(),
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
            address_v6: connection.address_v6.map_or_else(String::new, |address| address.to_string()),
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
    /// Both addresses, then the networks.
    fn all(at: Timestamp, snapshot: &ConnectionSnapshot) -> Vec<Self> {
        let connection = &snapshot.connection;
        let silence = i64::try_from(snapshot.silence.as_secs()).unwrap_or(i64::MAX);
        let route = |destination: String| Self {
            destination,
            common_name: connection.client.common_name.clone(),
            remote: snapshot.remote,
            last_reference: at.plus_seconds(-silence),
        };
        let addresses =
            [Some(connection.address.to_string()), connection.address_v6.map(|v6| v6.to_string())];
        let networks = snapshot.networks.iter().map(ToString::to_string);
        addresses.into_iter().flatten().chain(networks).map(route).collect()
    }
}
