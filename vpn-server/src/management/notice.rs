//! What the management interface says by itself, and the lines of histories.

use std::net::IpAddr;
use std::sync::Arc;

use pki_core::time::Timestamp;
use tracing::Level;
use vpn_proto::Password;

use super::history::LogLine;
use super::reception::ClientNews;
use crate::auth::login::{ClientFacts, LoginAttempt, Occasion};
use crate::control::connection::{Connection, Usage};
use crate::hooks::{Environment, describe_attempt, describe_connection, describe_stranger};
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

/// Which variables of clients are told; the levels are those of OpenVPN's `env-filter`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum EnvironmentFilter {
    #[default]
    Everything,
    IdentityAndCertificates,
    Identity,
    Nothing,
}

/// The lines about what happened to a client.
pub(super) fn client_news(news: &ClientNews, filter: EnvironmentFilter) -> Vec<String> {
    match news {
        ClientNews::Asks(attempt) => asks(attempt, filter),
        ClientNews::Responds(attempt, response) => {
            let (client, key) = (attempt.client.number, key_id(attempt));
            let head = format!(">CLIENT:CR_RESPONSE,{client},{key},{}", safe(response.as_str()));
            with_environment(head, &describe_attempt(attempt), None, filter)
        }
        ClientNews::Established(client, connection) => established(client, connection, filter),
        ClientNews::Left(client, session) => left(client, session.as_ref(), filter),
    }
}

fn asks(attempt: &LoginAttempt, filter: EnvironmentFilter) -> Vec<String> {
    let occasion = match attempt.occasion {
        Occasion::Connect => "CONNECT",
        Occasion::Renegotiation => "REAUTH",
    };
    let head = format!(">CLIENT:{occasion},{},{}", attempt.client.number, key_id(attempt));
    let password = attempt.password.as_ref();
    with_environment(head, &describe_attempt(attempt), password, filter)
}

fn established(client: &ClientFacts, connection: &Connection, filter: EnvironmentFilter) -> Vec<String> {
    let number = client.number;
    let v6 = connection.address_v6.map(IpAddr::V6);
    let addresses = [Some(IpAddr::V4(connection.address)), v6].into_iter().flatten();
    let mut lines: Vec<String> =
        addresses.map(|address| format!(">CLIENT:ADDRESS,{number},{address},1")).collect();
    let environment = describe_connection(client, connection);
    lines.extend(with_environment(format!(">CLIENT:ESTABLISHED,{number}"), &environment, None, filter));
    lines
}

fn left(
    client: &ClientFacts,
    session: Option<&(Arc<Connection>, Usage)>,
    filter: EnvironmentFilter,
) -> Vec<String> {
    let environment = match session {
        Some((connection, usage)) => {
            let mut environment = describe_connection(client, connection);
            environment.set("bytes_received", usage.ingress_bytes);
            environment.set("bytes_sent", usage.egress_bytes);
            environment
        }
        None => describe_stranger(client),
    };
    with_environment(format!(">CLIENT:DISCONNECT,{}", client.number), &environment, None, filter)
}

fn with_environment(
    head: String,
    environment: &Environment,
    password: Option<&Password>,
    filter: EnvironmentFilter,
) -> Vec<String> {
    let password = password.map(|password| ("password", password.as_str()));
    let variables = environment.iter().chain(password).filter(|(name, _)| filter.passes(name));
    let lines = variables.map(|(name, value)| format!(">CLIENT:ENV,{name}={}", safe(value)));
    std::iter::once(head).chain(lines).chain([">CLIENT:ENV,END".to_owned()]).collect()
}

/// The first TLS session of a client has the number 1.
const fn key_id(attempt: &LoginAttempt) -> u32 {
    attempt.key.saturating_add(1)
}

impl EnvironmentFilter {
    pub(super) const fn of_level(level: u32) -> Self {
        match level {
            0 => Self::Everything,
            1 => Self::IdentityAndCertificates,
            2 => Self::Identity,
            _ => Self::Nothing,
        }
    }

    fn passes(self, name: &str) -> bool {
        let is_identity = || {
            matches!(name, "username" | "password" | "X509_0_CN" | "session_id")
                || name.starts_with("tls_serial_")
        };
        match self {
            Self::Everything => true,
            Self::IdentityAndCertificates => name.starts_with("X509_") || is_identity(),
            Self::Identity => is_identity(),
            Self::Nothing => false,
        }
    }
}

/// What a client has moved.
pub(super) fn byte_count(client: &ClientStatus) -> String {
    format!(">BYTECOUNT_CLI:{},{},{}", client.client_id, client.received, client.sent)
}

/// A value never makes a line of its own.
fn safe(value: &str) -> String {
    value.chars().map(|character| if character.is_control() { '_' } else { character }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::connection::connection;
    use crate::testing::login::{attempt, facts};

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
    fn ops_03_a_client_that_asks_is_described_without_a_line_of_its_own_making() {
        let mut attempt = attempt("alice", "a\r\n>CLIENT:ESTABLISHED,9");
        attempt.client =
            Arc::new(ClientFacts { common_name: "a\r\n>CLIENT:ESTABLISHED,9".to_owned(), ..facts(true) });
        let lines = told(&ClientNews::Asks(Arc::new(attempt)));
        assert_eq!(lines.first().unwrap(), ">CLIENT:CONNECT,7,1");
        assert_eq!(lines.last().unwrap(), ">CLIENT:ENV,END");
        assert!(lines.iter().all(|line| !line.contains(['\r', '\n'])), "{lines:?}");
        for line in [
            ">CLIENT:ENV,common_name=a__>CLIENT:ESTABLISHED,9",
            ">CLIENT:ENV,password=a__>CLIENT:ESTABLISHED,9",
            ">CLIENT:ENV,untrusted_ip=192.0.2.2",
            ">CLIENT:ENV,IV_VER=2.6.14",
        ] {
            assert!(lines.contains(&line.to_owned()), "{line} is not in {lines:?}");
        }
    }

    #[test]
    fn a_client_that_came_has_its_addresses_first() {
        let news = ClientNews::Established(Arc::new(facts(true)), Arc::new(connection()));
        let lines = told(&news);
        assert_eq!(
            lines[..3],
            [">CLIENT:ADDRESS,7,10.8.0.2,1", ">CLIENT:ADDRESS,7,fd00:8::1000,1", ">CLIENT:ESTABLISHED,7"]
        );
        assert!(lines.contains(&">CLIENT:ENV,trusted_ip=192.0.2.2".to_owned()), "{lines:?}");
        assert!(lines.contains(&">CLIENT:ENV,ifconfig_pool_remote_ip=10.8.0.2".to_owned()), "{lines:?}");
        assert!(!lines.iter().any(|line| line.contains("password")), "{lines:?}");
    }

    #[test]
    fn a_client_that_leaves_has_figures_if_it_had_a_tunnel() {
        let usage = Usage { ingress_bytes: 84, egress_bytes: 168, ..Usage::default() };
        let session = Some((Arc::new(connection()), usage));
        let lines = told(&ClientNews::Left(Arc::new(facts(true)), session));
        assert_eq!(lines[0], ">CLIENT:DISCONNECT,7");
        assert!(lines.contains(&">CLIENT:ENV,bytes_received=84".to_owned()), "{lines:?}");
        assert!(lines.contains(&">CLIENT:ENV,bytes_sent=168".to_owned()), "{lines:?}");
        let without = told(&ClientNews::Left(Arc::new(facts(true)), None));
        assert!(without.contains(&">CLIENT:ENV,common_name=client1".to_owned()), "{without:?}");
        assert!(!without.iter().any(|line| line.contains("bytes_")), "{without:?}");
    }

    #[test]
    fn byte_counts_are_those_of_the_client() {
        assert_eq!(byte_count(&client()), ">BYTECOUNT_CLI:4,84,168");
    }

    fn told(news: &ClientNews) -> Vec<String> {
        client_news(news, EnvironmentFilter::Everything)
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
