//! Where clients connect to: `local`, `port`, `proto`, `port-share`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use vpn_proto::Transport;

use super::super::document::Directive;
use super::super::report::{Fate, Problem};
use super::{Arguments, Verdict, parsed};
use crate::config::{ListenAddress, Options};

/// Sockets, as far as directives describe them.
#[derive(Debug, Default)]
pub(super) struct Listening {
    port: Option<u16>,
    protocol: Option<Protocol>,
    locals: Vec<Local>,
    port_share: Option<String>,
}

/// A transport and, where a directive says so, an address family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Protocol {
    transport: Transport,
    family: Family,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    Ipv4,
    /// IPv4 as well, where no address is named.
    Ipv6,
}

/// One `local`: what it leaves out is said by `port` and `proto`.
#[derive(Debug)]
struct Local {
    address: Option<IpAddr>,
    port: Option<u16>,
    protocol: Option<Protocol>,
}

const DEFAULT_PORT: u16 = 1194;
const DEFAULT_PROTOCOL: Protocol = Protocol { transport: Transport::Udp, family: Family::Ipv4 };

impl Listening {
    /// What becomes of `directive`, if it is about sockets.
    pub(super) fn take(&mut self, directive: &Directive) -> Option<Verdict> {
        Some(match directive.name.as_str() {
            "port" | "lport" => self.take_port(directive),
            "proto" => self.take_protocol(directive),
            "local" => self.take_local(directive),
            "port-share" => self.take_port_share(directive),
            _ => return None,
        })
    }

    /// Writes the listen addresses.
    pub(super) fn finish(self, options: &mut Options) {
        let everywhere = [Local { address: None, port: None, protocol: None }];
        let locals = if self.locals.is_empty() { &everywhere } else { self.locals.as_slice() };
        let addresses = locals.iter().flat_map(|local| self.addresses(local));
        options.listen = Some(addresses.map(|address| address.to_string()).collect());
        options.port_share = self.port_share;
    }

    fn take_port(&mut self, directive: &Directive) -> Verdict {
        let [port] = directive.exactly::<1>("port NUMBER")?;
        self.port = Some(parse_port(port)?);
        Ok(Fate::Done)
    }

    fn take_protocol(&mut self, directive: &Directive) -> Verdict {
        let [protocol] = directive.exactly::<1>("proto udp|udp4|udp6|tcp|tcp4|tcp6")?;
        self.protocol = Some(parse_protocol(protocol)?);
        Ok(Fate::Done)
    }

    /// `local ADDRESS [PORT [PROTOCOL]]`; `*` is every address. More than one, and port and protocol, came with 2.7.
    fn take_local(&mut self, directive: &Directive) -> Verdict {
        let (address, rest) = directive.first_and_rest("local ADDRESS [PORT [PROTOCOL]]")?;
        let (port, protocol) = match rest {
            [] => (None, None),
            [port] => (Some(port), None),
            [port, protocol] => (Some(port), Some(protocol)),
            _ => return Err(Problem::Arguments("local ADDRESS [PORT [PROTOCOL]]")),
        };
        let address = match address {
            "*" => None,
            text => Some(parsed(text, "an IP address of this host; names are not resolved")?),
        };
        self.locals.push(Local {
            address,
            port: port.map(|text| parse_port(text)).transpose()?,
            protocol: protocol.map(|text| parse_protocol(text)).transpose()?,
        });
        Ok(Fate::Done)
    }

    fn take_port_share(&mut self, directive: &Directive) -> Verdict {
        let (host, rest) = directive.first_and_rest("port-share HOST PORT [DIRECTORY]")?;
        let (port, fate) = match rest {
            [port] => (port, Fate::Done),
            [port, _] => (port, Fate::Adapted("the directory with origins of connections is not written")),
            _ => return Err(Problem::Arguments("port-share HOST PORT [DIRECTORY]")),
        };
        let port = parse_port(port)?;
        self.port_share = Some(match host.parse::<Ipv6Addr>() {
            Ok(address) => format!("[{address}]:{port}"),
            Err(_) => format!("{host}:{port}"),
        });
        Ok(fate)
    }

    fn addresses(&self, local: &Local) -> Vec<ListenAddress> {
        let port = local.port.or(self.port).unwrap_or(DEFAULT_PORT);
        let protocol = local.protocol.or(self.protocol).unwrap_or(DEFAULT_PROTOCOL);
        let hosts = match (local.address, protocol.family) {
            (Some(address), _) => vec![address],
            (None, Family::Ipv4) => vec![IpAddr::V4(Ipv4Addr::UNSPECIFIED)],
            (None, Family::Ipv6) => {
                vec![IpAddr::V6(Ipv6Addr::UNSPECIFIED), IpAddr::V4(Ipv4Addr::UNSPECIFIED)]
            }
        };
        let address =
            |host| ListenAddress { transport: protocol.transport, address: SocketAddr::new(host, port) };
        hosts.into_iter().map(address).collect()
    }
}

fn parse_port(text: &str) -> Result<u16, Problem> {
    let port: u16 = parsed(text, "a port from 1 to 65535")?;
    match port {
        0 => Err(Problem::Value { value: text.to_owned(), expected: "a port from 1 to 65535" }),
        _ => Ok(port),
    }
}

fn parse_protocol(text: &str) -> Result<Protocol, Problem> {
    let (transport, family) = match text {
        "udp" | "udp4" => (Transport::Udp, Family::Ipv4),
        "udp6" => (Transport::Udp, Family::Ipv6),
        "tcp" | "tcp4" | "tcp-server" | "tcp4-server" => (Transport::Tcp, Family::Ipv4),
        "tcp6" | "tcp6-server" => (Transport::Tcp, Family::Ipv6),
        _ => {
            return Err(Problem::Value {
                value: text.to_owned(),
                expected: "a protocol that a server speaks",
            });
        }
    };
    Ok(Protocol { transport, family })
}

#[cfg(test)]
mod tests {
    use super::super::super::document::parse;
    use super::*;

    #[test]
    fn sockets_are_where_openvpn_has_them() {
        let cases: &[(&str, &[&str])] = &[
            ("", &["udp:0.0.0.0:1194"]),
            ("port 443\nproto tcp-server", &["tcp:0.0.0.0:443"]),
            ("proto udp6", &["udp:[::]:1194", "udp:0.0.0.0:1194"]),
            ("local 192.0.2.1\nport 5000", &["udp:192.0.2.1:5000"]),
            ("lport 7\nlocal 2001:db8::1\nproto udp6", &["udp:[2001:db8::1]:7"]),
            ("local * 443 tcp\nlocal 192.0.2.1", &["tcp:0.0.0.0:443", "udp:192.0.2.1:1194"]),
        ];
        for (text, expected) in cases {
            assert_eq!(listen(text).unwrap().listen.unwrap(), *expected, "{text}");
        }
    }

    #[test]
    fn a_shared_port_names_its_server() {
        let shared = |text| listen(text).unwrap().port_share.unwrap();
        assert_eq!(shared("proto tcp\nport-share localhost 8443"), "localhost:8443");
        assert_eq!(shared("proto tcp\nport-share ::1 8443 /tmp/origins"), "[::1]:8443");
    }

    #[test]
    fn what_is_no_socket_is_refused() {
        for text in [
            "port 0",
            "port 65536",
            "port",
            "port 1 2",
            "proto sctp",
            "proto tcp-client",
            "local host",
            "port-share x",
        ] {
            assert!(listen(text).is_err(), "{text}");
        }
    }

    fn listen(text: &str) -> Result<Options, Problem> {
        let mut listening = Listening::default();
        for directive in parse("f", text).unwrap() {
            listening.take(&directive).unwrap()?;
        }
        let mut options = Options::default();
        listening.finish(&mut options);
        Ok(options)
    }
}
