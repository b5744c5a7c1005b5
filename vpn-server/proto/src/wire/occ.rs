//! The options string that both sides put into their key-method-2 message.
//!
//! A mismatch never breaks a connection, clients only log it; of the client's string the server needs what a client
//! cannot negotiate: cipher and digest of old ones, and framing (protocol reference section 6.1).

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
    value(options, "cipher ")
}

/// The value of `auth` where a peer says no digest because its `cipher` needs none.
pub const NO_DIGEST: &str = "[null-digest]";

/// The value of `auth` in a peer's options string: the digest of its packets where the cipher is no AEAD.
#[must_use]
pub fn auth(options: &str) -> Option<&str> {
    value(options, "auth ")
}

/// Whether a peer's profile asks for compression; of whatever kind, the option has this name.
#[must_use]
pub fn has_compression(options: &str) -> bool {
    options.split(',').any(|option| option == "comp-lzo")
}

/// Whether a peer's profile asks for fragmentation inside the tunnel.
#[must_use]
pub fn has_fragmentation(options: &str) -> bool {
    options.split(',').any(|option| option == "mtu-dynamic")
}

fn value<'a>(options: &'a str, name: &str) -> Option<&'a str> {
    options.split(',').find_map(|option| option.strip_prefix(name))
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
        assert_eq!(auth("V4,dev-type tun,cipher BF-CBC,auth SHA1"), Some("SHA1"));
    }

    #[test]
    fn finds_what_changes_the_form_of_packets() {
        assert!(has_compression("V4,proto UDPv4,comp-lzo,auth SHA1"));
        assert!(has_fragmentation("V4,proto UDPv4,mtu-dynamic,auth SHA1"));
        for options in ["", "V4,proto UDPv4,auth SHA1", "V4,comp-lzo-no,mtu-dynamics"] {
            assert!(!has_compression(options) && !has_fragmentation(options), "{options}");
        }
    }
}
