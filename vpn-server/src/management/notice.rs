//! What the management interface says by itself, and the lines of histories.

use std::net::{IpAddr, SocketAddr};

use pki_core::time::Timestamp;
use tracing::Level;

use super::history::LogLine;
use crate::status::ClientStatus;

/// What the server is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ServerState {
    /// It starts.
    Connecting,
    /// It serves; its address in the tunnel.
    Connected(IpAddr),
    /// It stops.
    Exiting,
}

/// A state and its time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct StateEntry {
    pub(super) at: Timestamp,
    pub(super) state: ServerState,
}

impl StateEntry {
    /// Time, name, detail, tunnel address, remote address and port, local address and port, IPv6 tunnel address.
    pub(super) fn line(&self) -> String {
        let (name, detail, address) = match &self.state {
            ServerState::Connecting => ("CONNECTING", "", None),
            ServerState::Connected(address) => ("CONNECTED", "SUCCESS", Some(address)),
            ServerState::Exiting => ("EXITING", "SIGTERM", None),
        };
        let (v4, v6) = match address {
            Some(IpAddr::V4(address)) => (address.to_string(), String::new()),
            Some(IpAddr::V6(address)) => (String::new(), address.to_string()),
            None => (String::new(), String::new()),
        };
        format!("{},{name},{detail},{v4},,,,,{v6}", self.at.unix_seconds())
    }
}

impl LogLine {
    /// Time, flags and text, as OpenVPN writes them.
    pub(super) fn line(&self) -> String {
        let flags = match self.level {
            Level::ERROR => "N",
            Level::WARN => "W",
            Level::INFO => "I",
            Level::DEBUG | Level::TRACE => "D",
        };
        format!("{},{flags},{}", self.unix_time, self.text)
    }
}

/// A client came: `>CLIENT:ESTABLISHED` with its environment, then where it can be reached.
pub(super) fn established(client: &ClientStatus) -> Vec<String> {
    let ClientStatus { client_id, .. } = client;
    let mut lines = vec![format!(">CLIENT:ESTABLISHED,{client_id}")];
    lines.extend(environment(client));
    let addresses = [&client.address, &client.address_v6].into_iter().filter(|address| !address.is_empty());
    lines.extend(addresses.map(|address| format!(">CLIENT:ADDRESS,{client_id},{address},1")));
    lines
}

/// A client left.
pub(super) fn disconnected(client: &ClientStatus) -> Vec<String> {
    let mut lines = vec![format!(">CLIENT:DISCONNECT,{}", client.client_id)];
    lines.push(format!(">CLIENT:ENV,bytes_received={}", client.received));
    lines.push(format!(">CLIENT:ENV,bytes_sent={}", client.sent));
    lines.extend(environment(client));
    lines
}

/// What a client has moved.
pub(super) fn byte_count(client: &ClientStatus) -> String {
    format!(">BYTECOUNT_CLI:{},{},{}", client.client_id, client.received, client.sent)
}

fn environment(client: &ClientStatus) -> Vec<String> {
    let ClientStatus { common_name, remote, address, address_v6, since, username, .. } = client;
    let (trusted_ip, trusted_port) = trusted(*remote);
    let optional = |name, value: &str| (!value.is_empty()).then(|| (name, value.to_owned()));
    let variables = [
        Some(("common_name", common_name.clone())),
        username.clone().map(|username| ("username", username)),
        Some((trusted_ip, remote.ip().to_canonical().to_string())),
        Some((trusted_port, remote.port().to_string())),
        optional("ifconfig_pool_remote_ip", address),
        optional("ifconfig_pool_remote_ip6", address_v6),
        Some(("time_unix", since.unix_seconds().to_string())),
    ];
    let lines =
        variables.into_iter().flatten().map(|(name, value)| format!(">CLIENT:ENV,{name}={}", safe(&value)));
    lines.chain([">CLIENT:ENV,END".to_owned()]).collect()
}

const fn trusted(remote: SocketAddr) -> (&'static str, &'static str) {
    match remote.ip().to_canonical() {
        IpAddr::V4(_) => ("trusted_ip", "trusted_port"),
        IpAddr::V6(_) => ("trusted_ip6", "trusted_port"),
    }
}

/// A value never makes a line of its own.
fn safe(value: &str) -> String {
    value.chars().map(|character| if character.is_control() { '_' } else { character }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_has_the_nine_fields_of_a_stock_server() {
        let entry = |state| StateEntry { at: Timestamp::from_unix_seconds(1_795_176_814), state };
        let v4 = ServerState::Connected("10.8.0.1".parse().unwrap());
        assert_eq!(entry(v4).line(), "1795176814,CONNECTED,SUCCESS,10.8.0.1,,,,,");
        let v6 = ServerState::Connected("fd00:8::1".parse().unwrap());
        assert_eq!(entry(v6).line(), "1795176814,CONNECTED,SUCCESS,,,,,,fd00:8::1");
        for state in [ServerState::Connecting, ServerState::Exiting] {
            assert_eq!(entry(state).line().matches(',').count(), 8);
        }
    }

    #[test]
    fn ops_03_a_client_that_comes_is_described_without_a_line_of_its_own_making() {
        let mut client = client();
        client.common_name = "a\r\n>CLIENT:ESTABLISHED,9".to_owned();
        let lines = established(&client);
        assert_eq!(lines[0], ">CLIENT:ESTABLISHED,4");
        assert_eq!(lines[1], ">CLIENT:ENV,common_name=a__>CLIENT:ESTABLISHED,9");
        assert_eq!(lines[lines.len() - 2..], [">CLIENT:ENV,END", ">CLIENT:ADDRESS,4,10.8.0.2,1"]);
        assert!(lines.contains(&">CLIENT:ENV,trusted_ip=192.0.2.2".to_owned()));
    }

    #[test]
    fn a_client_that_leaves_has_figures() {
        let lines = disconnected(&client());
        assert_eq!(
            lines[..3],
            [">CLIENT:DISCONNECT,4", ">CLIENT:ENV,bytes_received=84", ">CLIENT:ENV,bytes_sent=168"]
        );
        assert_eq!(lines.last().unwrap(), ">CLIENT:ENV,END");
        assert_eq!(byte_count(&client()), ">BYTECOUNT_CLI:4,84,168");
    }

    fn client() -> ClientStatus {
        ClientStatus {
            common_name: "client1".to_owned(),
            remote: "[::ffff:192.0.2.2]:59974".parse().unwrap(),
            address: "10.8.0.2".to_owned(),
            address_v6: String::new(),
            received: 84,
            sent: 168,
            since: Timestamp::from_unix_seconds(1),
            username: None,
            client_id: 4,
            peer_id: 3,
            cipher: "AES-256-GCM",
        }
    }
}
