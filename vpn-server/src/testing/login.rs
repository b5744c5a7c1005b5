//! Clients that want in.

use std::sync::Arc;

use vpn_proto::{Password, PeerInfo, Transport};

use crate::auth::login::{ClientFacts, ClientNumber, LoginAttempt, Occasion, Shown, Username};
use crate::control::connection::CertificateFacts;

/// A client with a certificate that sends a user name and a password.
pub(crate) fn attempt(username: &str, password: &str) -> LoginAttempt {
    let password = Password::new(password.to_owned());
    LoginAttempt {
        username: Some(Username::parse(username).unwrap()),
        shown: Some(Shown::parse(&password)),
        password: Some(password),
        ..nobody(true)
    }
}

/// A client that sends no user name.
pub(crate) fn nobody(with_certificate: bool) -> LoginAttempt {
    LoginAttempt {
        client: Arc::new(facts(with_certificate)),
        key: 0,
        occasion: Occasion::Connect,
        username: None,
        password: None,
        shown: None,
        token: None,
    }
}

/// What is known of a client.
pub(crate) fn facts(with_certificate: bool) -> ClientFacts {
    ClientFacts {
        number: ClientNumber(7),
        remote: "192.0.2.2:59974".parse().unwrap(),
        common_name: "client1".to_owned(),
        certificate: with_certificate.then(|| CertificateFacts {
            common_name: "client1".to_owned(),
            serial: "0A1B".to_owned(),
            issuer_key: "11".repeat(32),
            fingerprint: "22".repeat(32),
        }),
        certificate_groups: Arc::from([]),
        chain: None,
        peer_info: PeerInfo::parse("IV_VER=2.6.14\nIV_PLAT=linux\n"),
        transport: Transport::Udp,
        tls_crypt_v2_metadata: None,
    }
}
