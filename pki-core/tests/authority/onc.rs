//! ChromeOS documents, compared with Chromium's specification of the format.

use pki_core::bundle::onc;
use pki_core::bundle::ovpn::{
    ClientIdentity, ClientProfile, ControlWrapping, ProfileError, ProfileKey, ServerName, TlsAuthDirection,
};
use pki_core::cert::Profile;
use pki_core::key::KeyAlgorithm;
use pki_core::name::FileBase;
use serde_json::Value;
use zeroize::Zeroizing;

use crate::profiles::remote;
use crate::support::{Pki, run};

fn document(wrapping: Option<ControlWrapping>) -> Result<Value, ProfileError> {
    let pki = Pki::with_authority(Profile::Strict, KeyAlgorithm::P256);
    pki.issue_client("alice");
    let (authority, name) = (pki.open(), FileBase::parse("alice").unwrap());
    let reader = authority.reader();
    let (authorities, chain) = (reader.authority().unwrap(), reader.certificate_chain(&name).unwrap());
    let key = reader.private_key(&name, None).unwrap();
    let profile = ClientProfile {
        identity: Some(ClientIdentity { chain: &chain, key: ProfileKey::Plain(&key) }),
        wrapping,
        server_name: Some(ServerName::parse("server").unwrap()),
        asks_password: true,
        ..ClientProfile::new(remote(), &authorities)
    };
    onc::write(&profile, "Office").map(|text| serde_json::from_str(&text).unwrap())
}

fn tls_auth() -> ControlWrapping {
    ControlWrapping::TlsAuth {
        key: Box::new(Zeroizing::new([7; 256])),
        direction: Some(TlsAuthDirection::One),
        digest: None,
    }
}

/// Whether a value is what the specification asks of a field.
type Check = fn(&Value) -> bool;

/// Fields of the specification that are written here, with their types.
const OPENVPN: [(&str, Check); 13] = [
    ("CompressionAlgorithm", |value| value == "None"),
    ("Cipher", Value::is_string),
    ("ClientCertRef", Value::is_string),
    ("ClientCertType", |value| value == "Ref"),
    ("KeyDirection", Value::is_string),
    ("Port", Value::is_u64),
    ("Proto", Value::is_string),
    ("RemoteCertTLS", |value| value == "server"),
    ("ServerCARefs", |value| value.as_array().is_some_and(|list| list.iter().all(Value::is_string))),
    ("TLSAuthContents", Value::is_string),
    ("TLSVersionMin", Value::is_string),
    ("UserAuthenticationType", |value| value == "Password"),
    ("VerifyX509", |value| value["Name"] == "server" && value["Type"] == "name"),
];

#[test]
fn fields_are_those_of_the_specification_and_of_its_types() {
    let document = document(Some(tls_auth())).unwrap();
    assert_eq!(document["Type"], "UnencryptedConfiguration");
    let network = &document["NetworkConfigurations"][0];
    assert_eq!((&network["Type"], &network["Name"]), (&"VPN".into(), &"Office".into()));
    let vpn = &network["VPN"];
    assert_eq!((&vpn["Type"], &vpn["Host"]), (&"OpenVPN".into(), &"vpn.example.net".into()));
    let fields = vpn["OpenVPN"].as_object().unwrap();
    assert_eq!(fields.len(), OPENVPN.len(), "{fields:?}");
    for (field, is_of_its_type) in OPENVPN {
        assert!(is_of_its_type(&fields[field]), "{field}: {}", fields[field]);
    }
}

#[test]
fn references_lead_to_certificates_of_the_document() {
    let document = document(None).unwrap();
    let certificates = document["Certificates"].as_array().unwrap();
    let of_type = |kind: &str| certificates.iter().find(|found| found["Type"] == kind).unwrap();
    let fields = &document["NetworkConfigurations"][0]["VPN"]["OpenVPN"];
    assert_eq!(fields["ServerCARefs"][0], of_type("Authority")["GUID"]);
    assert_eq!(fields["ClientCertRef"], of_type("Client")["GUID"]);
}

#[test]
fn the_client_is_a_container_under_the_empty_passphrase() {
    let document = document(None).unwrap();
    let container = document["Certificates"][1]["PKCS12"].as_str().unwrap().to_owned();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("client.p12");
    let decode = format!("echo {container} | base64 -d > {}", file.display());
    run(std::process::Command::new("sh").args(["-c", &decode]));
    let mut openssl = std::process::Command::new("openssl");
    openssl.args(["pkcs12", "-nodes", "-passin", "pass:", "-in"]).arg(&file);
    let shown = run(&mut openssl);
    assert!(shown.contains("BEGIN PRIVATE KEY") && shown.contains("CN = alice"), "{shown}");
}

#[test]
fn what_the_format_cannot_say_is_refused() {
    let refusal = document(Some(ControlWrapping::TlsCrypt(Box::new(Zeroizing::new([7; 256])))));
    let expected = ProfileError::UnknownWrapping { dialect: "ChromeOS", wrapping: "tls-crypt" };
    assert_eq!(refusal.unwrap_err(), expected);
}
