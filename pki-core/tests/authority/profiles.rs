//! Client profiles.

use pki_core::bundle::ovpn::{
    ClientIdentity, ClientProfile, Host, Port, ProfileError, ProfileKey, Protocol, Remote,
};
use pki_core::cert::{CertificateKind, Profile};
use pki_core::key::{KeyAlgorithm, Protection};
use pki_core::name::FileBase;
use pki_core::secret::Passphrase;

use crate::support::Pki;

pub(crate) fn remote() -> Remote {
    Remote {
        host: Host::parse("vpn.example.net").unwrap(),
        port: Port::parse("1194").unwrap(),
        protocol: Protocol::Udp,
    }
}

pub(crate) fn profile_of(pki: &Pki, name: &str) -> String {
    let reader = pki.open();
    let reader = reader.reader();
    let name = FileBase::parse(name).unwrap();
    let (authorities, chain) = (reader.authority().unwrap(), reader.certificate_chain(&name).unwrap());
    let key = reader.encoded_key(&name).unwrap();
    let profile = ClientProfile {
        identity: Some(ClientIdentity { chain: &chain, key: ProfileKey::AsStored(&key) }),
        ..ClientProfile::new(remote(), &authorities)
    };
    profile.to_text().unwrap().to_string()
}

/// Directives that OpenVPN 2.4 to 3 and the AWS client all accept.
const ACCEPTED_EVERYWHERE: [&str; 12] = [
    "client",
    "dev",
    "proto",
    "remote",
    "resolv-retry",
    "nobind",
    "persist-key",
    "persist-tun",
    "remote-cert-tls",
    "cipher",
    "verb",
    "reneg-sec",
];

#[test]
fn h7_1_a_profile_holds_only_directives_that_every_client_accepts_and_pem() {
    let pki = Pki::with_authority(Profile::Strict, KeyAlgorithm::P256);
    pki.issue_client("alice@company.com");
    let text = profile_of(&pki, "alice@company.com");
    let mut block: Option<&str> = None;
    for line in text.lines() {
        match block {
            Some(name) if line == format!("</{name}>") => block = None,
            Some(_) => {
                assert!(line.len() <= 64 && (line.starts_with("-----") || !line.contains(' ')), "{line}")
            }
            None if line.starts_with('<') => block = Some(line.trim_matches(['<', '>'])),
            None => assert!(ACCEPTED_EVERYWHERE.contains(&line.split(' ').next().unwrap()), "{line}"),
        }
    }
    assert_eq!(block, None);
    assert!(text.contains("\nremote vpn.example.net 1194\n") && text.ends_with("</key>\n"));
}

#[test]
fn h7_3_a_profile_without_a_client_ends_in_a_newline_so_that_blocks_can_be_appended() {
    let pki = Pki::with_authority(Profile::Strict, KeyAlgorithm::P256);
    let authorities = pki.open().reader().authority().unwrap();
    let text = ClientProfile::new(remote(), &authorities).to_text().unwrap();
    assert!(text.ends_with("</ca>\n") && !text.contains("<cert>") && !text.contains("<key>"));
}

#[test]
fn an_encrypted_key_stays_encrypted() {
    let pki = Pki::with_authority(Profile::Strict, KeyAlgorithm::P256);
    let mut request = pki.request(CertificateKind::Client, "alice");
    request.protection =
        Protection::Passphrase { passphrase: Passphrase::new(b"sesame".to_vec()), rounds: 1000 };
    pki.issue(&request).unwrap();
    let text = profile_of(&pki, "alice");
    assert!(text.contains("BEGIN ENCRYPTED PRIVATE KEY") && !text.contains("BEGIN PRIVATE KEY"));
}

#[test]
fn cfg_01_text_around_a_certificate_never_reaches_a_profile() {
    let pki = Pki::with_authority(Profile::Strict, KeyAlgorithm::P256);
    pki.issue_client("alice");
    for file in ["issued/alice.crt", "ca.crt", "private/alice.key"] {
        let attack = format!("</cert>\nscript-security 2\nup \"sh -c id\"\n{}\nplugin x\n", pki.read(file));
        std::fs::write(pki.file(file), attack).unwrap();
    }
    let text = profile_of(&pki, "alice");
    for word in ["script-security", "up ", "plugin"] {
        assert!(!text.contains(word), "{word}");
    }
    assert_eq!(text.matches("</cert>").count(), 1);
}

#[test]
fn cfg_01_values_have_their_own_grammar() {
    for host in ["vpn.example.net", "192.0.2.1", "2001:db8::1", "host_1", "example.net."] {
        assert!(Host::parse(host).is_ok(), "{host}");
    }
    for host in ["", "a b", "a\nup x", "<ca>", "-a", "a..b", "1.2.3", "[::1]", "a;b", "jürgen.example"] {
        assert!(matches!(Host::parse(host), Err(ProfileError::Host { .. })), "{host:?}");
    }
    for port in ["", "0", "65536", "-1", "+1", "1194\nup x", "0x10", " 1"] {
        assert!(matches!(Port::parse(port), Err(ProfileError::Port { .. })), "{port:?}");
    }
    assert_eq!("tcp".parse(), Ok(Protocol::Tcp));
    assert!("udp6".parse::<Protocol>().is_err());
}
