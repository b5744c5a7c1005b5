//! A connection with a place.

use std::net::Ipv4Addr;

use pki_core::time::Timestamp;
use vpn_proto::{PeerInfo, Transport};

use crate::auth::login::ClientNumber;
use crate::control::connection::{CertificateFacts, Connection, ConnectionId, DeviceFacts, Negotiated};

/// Of alice, by her certificate alone.
pub(crate) fn connection() -> Connection {
    Connection {
        id: ConnectionId::from_random([7; 9]),
        number: ClientNumber(7),
        started: Timestamp::from_unix_seconds(1_795_159_308),
        remote: "192.0.2.2:59974".parse().unwrap(),
        address: Ipv4Addr::new(10, 8, 0, 2),
        address_v6: Some("fd00:8::1000".parse().unwrap()),
        client: CertificateFacts {
            common_name: "alice@company.com".to_owned(),
            serial: "0A1B".to_owned(),
            issuer_key: "11".repeat(32),
            fingerprint: "22".repeat(32),
        },
        identity: "alice@company.com".to_owned(),
        groups: vec!["it".to_owned(), "board".to_owned()],
        posture_statuses: Vec::new(),
        transport: Transport::Udp,
        username: None,
        device: DeviceFacts {
            platform: Some("linux".to_owned()),
            version: Some("2.6.14".to_owned()),
            peer_info: PeerInfo::parse("IV_VER=2.6.14\nIV_PLAT=linux\nUV_ASSET=42\n"),
        },
        negotiated: Negotiated {
            tls_version: "TLSv1.3",
            tls_cipher_suite: "TLS13_AES_256_GCM_SHA384",
            data_cipher: "AES-256-GCM",
        },
    }
}
