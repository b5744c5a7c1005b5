//! The options string that both sides put into their key-method-2 message.
//!
//! A mismatch never breaks a connection, clients only log it; of the client's string the server needs the cipher of
//! clients that cannot negotiate (protocol reference section 6.1).

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
    options.split(',').find_map(|option| option.strip_prefix("cipher "))
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
    }
}
