//! What each kind of client calls things: the directives of a profile, client by client.
//!
//! No profile but that of the AWS client has `reneg-sec 0`: a client whose keys never age waits for a person no longer
//! than its hand-window, whatever time the server gives (`AUTH_PENDING`). The server renews first, by its own clock.

use super::{Protocol, Remote};

/// The kind of client that a profile is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dialect {
    /// Only what OpenVPN 2.4 to 3 and the AWS client all know.
    #[default]
    Any,
    /// OpenVPN 2.4 and 2.5.
    OpenVpn24,
    /// OpenVPN 2.6 and later.
    OpenVpn26,
    /// OpenVPN Connect, and everything else with the OpenVPN 3 core.
    Connect,
    /// The AWS VPN Client, which refuses directives that it does not know.
    Aws,
    /// NetworkManager with its OpenVPN plugin, which turns a profile into a connection.
    NetworkManager,
}

impl Dialect {
    /// Every kind.
    pub const ALL: [Self; 6] =
        [Self::Any, Self::OpenVpn24, Self::OpenVpn26, Self::Connect, Self::Aws, Self::NetworkManager];

    /// The name of the client, for messages.
    #[must_use]
    pub const fn product(self) -> &'static str {
        match self {
            Self::Any => "every client",
            Self::OpenVpn24 => "OpenVPN 2.4",
            Self::OpenVpn26 => "OpenVPN 2.6",
            Self::Connect => "OpenVPN Connect",
            Self::Aws => "the AWS VPN Client",
            Self::NetworkManager => "NetworkManager",
        }
    }

    /// Whether it knows tls-auth and tls-crypt.
    pub(super) const fn knows_static_keys(self) -> bool {
        !matches!(self, Self::Aws)
    }

    /// Whether it knows tls-crypt-v2, which came with OpenVPN 2.5.
    pub(super) const fn knows_tls_crypt_v2(self) -> bool {
        !matches!(self, Self::Aws | Self::OpenVpn24)
    }

    /// The directives that every profile of this kind has, one per line.
    pub(super) fn directives(self, remote: &Remote) -> String {
        let Remote { host, port, protocol } = remote;
        let connection = format!("client\ndev tun\nproto {protocol}\nremote {host} {port}\n");
        let own: String = self.own_directives().iter().map(|line| format!("{line}\n")).collect();
        let farewell = self.says_farewell() && *protocol == Protocol::Udp;
        connection + &own + if farewell { "explicit-exit-notify 1\n" } else { "" }
    }

    const fn own_directives(self) -> &'static [&'static str] {
        match self {
            Self::Any => &[
                "resolv-retry infinite",
                "nobind",
                "persist-key",
                "persist-tun",
                "remote-cert-tls server",
                "cipher AES-256-GCM",
                "verb 3",
            ],
            Self::Aws => &[
                "resolv-retry infinite",
                "nobind",
                "persist-key",
                "persist-tun",
                "remote-cert-tls server",
                "cipher AES-256-GCM",
                "verb 3",
                "reneg-sec 0",
            ],
            Self::OpenVpn24 => &[
                "resolv-retry infinite",
                "nobind",
                "persist-key",
                "persist-tun",
                "remote-cert-tls server",
                "tls-version-min 1.2",
                "cipher AES-256-GCM",
                "ncp-ciphers AES-256-GCM:AES-128-GCM",
                "verb 3",
            ],
            Self::OpenVpn26 => &[
                "resolv-retry infinite",
                "nobind",
                "persist-key",
                "persist-tun",
                "remote-cert-tls server",
                "tls-version-min 1.2",
                "data-ciphers AES-256-GCM:AES-128-GCM:CHACHA20-POLY1305",
                "verb 3",
            ],
            Self::Connect => {
                &["nobind", "remote-cert-tls server", "tls-version-min 1.2", "cipher AES-256-GCM", "verb 3"]
            }
            Self::NetworkManager => &[
                "nobind",
                "remote-cert-tls server",
                "tls-version-min 1.2",
                "cipher AES-256-GCM",
                "data-ciphers AES-256-GCM:AES-128-GCM:CHACHA20-POLY1305",
            ],
        }
    }

    /// Whether the client tells the server over UDP that it leaves; the others do so without being told, or not at all.
    const fn says_farewell(self) -> bool {
        matches!(self, Self::OpenVpn24 | Self::OpenVpn26)
    }
}
