//! What programs are told about a client, in the variables that scripts for OpenVPN know (protocol reference 11.2).

use std::net::IpAddr;

use pki_core::x509::Certificate;
use sha1::{Digest, Sha1};
use sha2::Sha256;

use super::Environment;
use crate::auth::CertificateChain;
use crate::auth::login::{ClientFacts, LoginAttempt};
use crate::control::connection::Connection;
use crate::observe::decimal;

/// All variables about a client that wants in, but for its password.
#[must_use]
pub fn describe_attempt(attempt: &LoginAttempt) -> Environment {
    let mut environment = Environment::default();
    describe_client(&mut environment, &attempt.client, "untrusted");
    if let Some(username) = &attempt.username {
        environment.set("username", username);
    }
    if let Some(token) = &attempt.token {
        environment.set("session_id", &token.session_id);
        environment.set("session_state", token.state);
    }
    environment
}

/// All variables about a client that was not let in.
#[must_use]
pub fn describe_stranger(client: &ClientFacts) -> Environment {
    let mut environment = Environment::default();
    describe_client(&mut environment, client, "untrusted");
    environment
}

/// All variables about a client that has a place.
#[must_use]
pub fn describe_connection(facts: &ClientFacts, connection: &Connection) -> Environment {
    let mut environment = Environment::default();
    describe_client(&mut environment, facts, "untrusted");
    describe_client(&mut environment, facts, "trusted");
    if let Some(username) = &connection.username {
        environment.set("username", username);
    }
    environment.set("ifconfig_pool_remote_ip", connection.address);
    if let Some(address) = connection.address_v6 {
        environment.set("ifconfig_pool_remote_ip6", address);
    }
    let started = connection.started.unix_seconds();
    environment.set("time_unix", started);
    environment.set("time_ascii", connection.started);
    environment
}

fn describe_client(environment: &mut Environment, facts: &ClientFacts, standing: &str) {
    environment.set("common_name", &facts.common_name);
    match facts.remote.ip().to_canonical() {
        IpAddr::V4(address) => environment.set(&format!("{standing}_ip"), address),
        IpAddr::V6(address) => environment.set(&format!("{standing}_ip6"), address),
    }
    environment.set(&format!("{standing}_port"), facts.remote.port());
    for (name, value) in facts.peer_info.iter() {
        environment.set(name, value);
    }
    if let Some(chain) = &facts.chain {
        describe_chain(environment, chain);
    }
}

/// The variables about certificates carry a number: 0 is the client's own.
fn describe_chain(environment: &mut Environment, chain: &CertificateChain) {
    for (der, depth) in chain.iter().zip(0_u32..) {
        if let Ok(certificate) = Certificate::parse(der) {
            describe_certificate(environment, &certificate, depth);
        }
    }
}

fn describe_certificate(environment: &mut Environment, certificate: &Certificate, depth: u32) {
    environment.set(&format!("tls_id_{depth}"), certificate.subject());
    let serial = certificate.serial();
    environment.set(&format!("tls_serial_{depth}"), decimal(serial.as_be_bytes()));
    environment.set(&format!("tls_serial_hex_{depth}"), colons(serial.as_be_bytes()));
    environment.set(&format!("tls_digest_{depth}"), colons(&Sha1::digest(certificate.der())));
    environment.set(&format!("tls_digest_sha256_{depth}"), colons(&Sha256::digest(certificate.der())));
    for (name, value) in certificate.subject().fields() {
        environment.set(&format!("X509_{depth}_{name}"), value);
    }
}

fn colons(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect::<Vec<_>>().join(":")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use vpn_proto::PeerInfo;

    use super::*;
    use crate::auth::login::TokenStanding;
    use crate::testing::login::{attempt, facts};
    use crate::testing::pki::TestPki;

    #[test]
    fn a_client_that_wants_in_is_described_and_its_password_is_not() {
        let mut attempt = attempt("alice", "hunter2");
        attempt.token = Some(TokenStanding { session_id: "abc".to_owned(), state: "Initial" });
        let environment = describe_attempt(&attempt);
        for (name, value) in [
            ("common_name", "client1"),
            ("username", "alice"),
            ("untrusted_ip", "192.0.2.2"),
            ("untrusted_port", "59974"),
            ("IV_VER", "2.6.14"),
            ("session_id", "abc"),
            ("session_state", "Initial"),
        ] {
            assert_eq!(environment.get(name), Some(value), "{name}");
        }
        assert!(environment.iter().all(|(_, value)| !value.contains("hunter2")));
    }

    #[test]
    fn an_ipv6_client_has_another_variable() {
        let mut environment = Environment::default();
        let client = ClientFacts { remote: "[2001:db8::1]:5000".parse().unwrap(), ..facts(true) };
        describe_client(&mut environment, &client, "untrusted");
        assert_eq!(environment.get("untrusted_ip6"), Some("2001:db8::1"));
        assert_eq!(environment.get("untrusted_ip"), None);
    }

    #[test]
    fn a_certificate_is_described_by_its_names_and_digests() {
        let issued = TestPki::new().issue_client("alice@company.com");
        let client = ClientFacts { chain: Some(Arc::from([issued.certificate.clone()])), ..facts(true) };
        let mut environment = Environment::default();
        describe_client(&mut environment, &client, "untrusted");
        assert_eq!(environment.get("tls_id_0"), Some("CN=alice@company.com"));
        assert_eq!(environment.get("X509_0_CN"), Some("alice@company.com"));
        assert_eq!(environment.get("tls_serial_0"), Some("4097"));
        assert_eq!(environment.get("tls_serial_hex_0"), Some("10:01"));
        assert_eq!(environment.get("tls_digest_0").unwrap().len(), 59);
        assert_eq!(environment.get("tls_digest_sha256_0").unwrap().len(), 95);
    }

    #[test]
    fn acl_07_peer_info_cannot_become_another_variable() {
        let peer_info = PeerInfo::parse("IV_VER=x\nPATH=/tmp\nLD_PRELOAD=/tmp/x\nUV_A=a\u{1b}b\n");
        let client = ClientFacts { peer_info, ..facts(true) };
        let mut environment = Environment::of_script("test");
        describe_client(&mut environment, &client, "untrusted");
        assert!(environment.get("LD_PRELOAD").is_none());
        assert!(!environment.get("PATH").unwrap().contains("/tmp"));
        assert_eq!(environment.get("UV_A"), Some("a_b"));
    }
}
