//! The options string that both sides put into their key-method-2 message.
//!
//! A mismatch never breaks a connection, clients only log it; of the client's string the server needs the transport and
//! the cipher of clients that cannot negotiate (protocol reference section 6.1).

/// The string a server sends for a tunnel with `tun_mtu`, in answer to the client's: over the same transport.
#[must_use]
pub fn server_options(tun_mtu: u16, client: &str) -> String {
    let is_tcp = client.split(',').any(|option| option == TCP_CLIENT.name);
    options(tun_mtu, if is_tcp { &TCP_SERVER } else { &UDP }, "tls-server")
}

/// The string a client sends over UDP.
#[cfg(any(feature = "client", test))]
#[must_use]
pub fn client_options(tun_mtu: u16) -> String {
    options(tun_mtu, &UDP, "tls-client")
}

/// A transport as stock peers name it, and the octets by which they think a packet on it exceeds its tunnel packet when
/// no cipher is configured.
struct Proto {
    name: &'static str,
    assumed_overhead: u32,
}

const UDP: Proto = Proto { name: "proto UDPv4", assumed_overhead: 41 };
const TCP_CLIENT: Proto = Proto { name: "proto TCPv4_CLIENT", assumed_overhead: 43 };
const TCP_SERVER: Proto = Proto { name: "proto TCPv4_SERVER", assumed_overhead: 43 };

fn options(tun_mtu: u16, proto: &Proto, role: &str) -> String {
    let link_mtu = u32::from(tun_mtu) + proto.assumed_overhead;
    format!(
        "V4,dev-type tun,link-mtu {link_mtu},tun-mtu {tun_mtu},{},auth SHA1,keysize 128,key-method 2,{role}",
        proto.name
    )
}

/// The value of `cipher` in a peer's options string.
#[must_use]
pub fn cipher(options: &str) -> Option<&str> {
    options.split(',').find_map(|option| option.strip_prefix("cipher "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equals_what_a_stock_server_sends_over_either_transport() {
        assert_eq!(
            server_options(1500, &client_options(1500)),
            "V4,dev-type tun,link-mtu 1541,tun-mtu 1500,proto UDPv4,auth SHA1,keysize 128,key-method 2,tls-server"
        );
        assert_eq!(
            server_options(1500, &options(1500, &TCP_CLIENT, "tls-client")),
            "V4,dev-type tun,link-mtu 1543,tun-mtu 1500,proto TCPv4_SERVER,auth SHA1,keysize 128,key-method 2,tls-server"
        );
        assert!(client_options(1500).ends_with("tls-client"));
    }

    #[test]
    fn finds_the_cipher() {
        assert_eq!(cipher("V4,dev-type tun,cipher BF-CBC,auth SHA1"), Some("BF-CBC"));
        assert_eq!(cipher("V4,dev-type tun"), None);
    }
}
