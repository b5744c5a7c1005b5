//! The options string that both sides put into their key-method-2 message.
//!
//! A mismatch never breaks a connection, clients only log it; of the client's string the server needs what a client
//! cannot negotiate: cipher and digest of old ones, and framing (protocol reference section 6.1).

/// The string a server sends for a tunnel with `tun_mtu` over UDP.
#[must_use]
pub fn server_options(tun_mtu: u16) -> String {
    options(tun_mtu, "tls-server")
}

/// The string a client sends.
#[cfg(any(feature = "client", test))]
#[must_use]
pub fn client_options(tun_mtu: u16) -> String {
    options(tun_mtu, "tls-client")
}

/// Octets by which stock peers think a datagram exceeds its tunnel packet when no cipher is configured.
const ASSUMED_OVERHEAD: u32 = 41;

fn options(tun_mtu: u16, role: &str) -> String {
    let link_mtu = u32::from(tun_mtu) + ASSUMED_OVERHEAD;
    format!(
        "V4,dev-type tun,link-mtu {link_mtu},tun-mtu {tun_mtu},proto UDPv4,auth SHA1,keysize 128,key-method 2,{role}"
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
    fn equals_what_a_stock_server_sends() {
        assert_eq!(
            server_options(1500),
            "V4,dev-type tun,link-mtu 1541,tun-mtu 1500,proto UDPv4,auth SHA1,keysize 128,key-method 2,tls-server"
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
