//! Profiles in every form: what stands in them, and what is refused.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use crate::support::{Place, openssl};

/// A place with a client, a static key and a tls-crypt-v2 server key.
fn place() -> Place {
    let place = Place::with_authority();
    place.postern(&["build-client-full", "alice@company.com", "nopass"]).succeeds();
    for (from, to) in [("static.key", "ta.key"), ("tls-crypt-v2-server.key", "v2.key")] {
        let source =
            std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/openvpn/pki").join(from);
        std::fs::copy(source, place.file(to)).unwrap();
    }
    place
}

fn export<'a>(options: &[&'a str]) -> Vec<&'a str> {
    [&["export", "alice@company.com", "--remote", "vpn.example.net"], options].concat()
}

/// The directives of a profile, with the content of its blocks left out.
fn outline(profile: &str) -> String {
    let mut block = None;
    let mut outline = String::new();
    for line in profile.lines() {
        match block {
            None => outline.push_str(&format!("{line}\n")),
            Some(name) if line.strip_prefix("</") == Some(name) => block = None,
            Some(_) => {}
        }
        if let (None, Some(name)) = (block, line.strip_prefix('<').filter(|name| !name.starts_with('/'))) {
            block = Some(name);
        }
    }
    outline
}

#[test]
fn each_client_gets_the_directives_that_it_knows() {
    let place = place();
    let mut transcript = String::new();
    let cases: [&[&str]; 9] = [
        &[],
        &["--for", "openvpn2.4", "--tls-crypt", "ta.key", "--proto", "tcp", "--port", "443"],
        &["--for", "openvpn2.6", "--tls-crypt-v2", "v2.key", "--server-name", "VPN Server"],
        &["--for", "connect", "--tls-auth", "ta.key:1", "--auth", "sha512", "--auth-user-pass"],
        &["--for", "aws", "--remote-random-hostname", "--server-name", "server"],
        &["--for", "aws", "--auth-user-pass", "--static-challenge", "Enter MFA code "],
        &["--for", "networkmanager", "--tls-auth", "ta.key"],
        &["--without-key"],
        &["--tls-crypt-v2", "v2.key", "--tls-crypt-v2-metadata", "user"],
    ];
    for options in cases {
        let answer = place.postern(&export(options)).succeeds();
        transcript.push_str(&format!("$ {}\n{}\n", export(options).join(" "), outline(&answer.stdout)));
    }
    insta::assert_snapshot!("dialects", transcript);
}

#[test]
fn cfg_01_hostile_values_and_impossible_wishes_are_refused_and_nothing_is_written() {
    let place = place();
    std::fs::write(place.file("scribble"), "no key").unwrap();
    std::fs::write(place.file("taken.p12"), "mine").unwrap();
    let mut transcript = String::new();
    let cases: [&[&str]; 15] = [
        &["--server-name", "x\" name\nup /tmp/x"],
        &["--auth-user-pass", "--static-challenge", "code\" 1\nup /tmp/x"],
        &["--server-name", "</ca>"],
        &["--tls-auth", "scribble"],
        &["--tls-crypt-v2", "ta.key"],
        &["--tls-crypt", "missing.key"],
        &["--for", "aws", "--tls-crypt", "ta.key"],
        &["--for", "openvpn2.4", "--tls-crypt-v2", "v2.key"],
        &["--for", "chromeos-onc", "--tls-crypt", "ta.key"],
        &["--format", "onc", "--without-key"],
        &["--format", "p12", "--output", "a b.ovpn"],
        &["--format", "p12", "--output", "taken.ovpn", "--nopass"],
        &["--format", "p12", "--output", "new.ovpn", "--without-key"],
        &["--remote", "192.0.2.1", "--remote-random-hostname"],
        &["--format", "zip", "--output", "scribble"],
    ];
    for options in cases {
        let name = ["export", "alice@company.com"];
        let host: &[&str] =
            if options.contains(&"--remote") { &[] } else { &["--remote", "vpn.example.net"] };
        let arguments = [&name[..], host, options].concat();
        let answer = place.postern(&[&["--batch"][..], &arguments].concat()).fails_with(1);
        transcript.push_str(&format!("$ {}\n{answer}\n", options.join(" ").escape_debug()));
    }
    insta::assert_snapshot!("refusals", transcript);
    for file in ["a b.ovpn", "a b.p12", "taken.ovpn", "new.ovpn", "new.p12"] {
        assert!(!place.file(file).exists(), "{file}");
    }
    assert_eq!(place.read("taken.p12"), "mine");
}

#[test]
fn wishes_that_exclude_each_other_are_wrong_usage() {
    let place = place();
    for options in [
        &["--tls-auth", "ta.key", "--tls-crypt", "ta.key"][..],
        &["--auth", "SHA256"],
        &["--tls-crypt-v2-metadata", "user"],
        &["--for", "aws", "--format", "onc"],
        &["--for", "chromeos-onc", "--format", "zip", "--output", "x.zip"],
        &["--format", "zip"],
        &["--format", "p12"],
        &["--for", "netscape"],
    ] {
        place.postern(&export(options)).fails_with(2);
    }
}

#[test]
fn a_pkcs12_file_lies_beside_its_profile() {
    let place = place();
    let command = export(&["--format", "p12", "--output", "alice@company.com.ovpn"]);
    let batch = [&["--batch"], command.as_slice()].concat();
    place.postern(&batch).fails_with(1).says("no-passphrase");
    place.postern(&[&["--passout", "pass:sesame open"], command.as_slice()].concat()).succeeds();
    let profile = place.read("alice@company.com.ovpn");
    assert!(profile.contains("\npkcs12 alice@company.com.p12\n") && !profile.contains("<key>"), "{profile}");
    let container = place.file("alice@company.com.p12");
    let shown =
        openssl(&["pkcs12", "-in", container.to_str().unwrap(), "-passin", "pass:sesame open", "-nodes"]);
    assert!(
        shown.contains("BEGIN PRIVATE KEY") && shown.matches("BEGIN CERTIFICATE").count() == 2,
        "{shown}"
    );
    for file in ["alice@company.com.ovpn", "alice@company.com.p12"] {
        let mode = std::fs::metadata(place.file(file)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
}

#[test]
fn an_archive_holds_profile_certificates_and_a_text_for_people() {
    let place = place();
    place.postern(&export(&["--format", "zip", "--output", "alice.zip"])).succeeds();
    place.postern(&["export", "--remote", "h", "--format", "zip", "--output", "all.zip"]).succeeds();
    let list = |file: &str| {
        let script = "import sys, zipfile\nfor name in zipfile.ZipFile(sys.argv[1]).namelist(): print(name)";
        let output = Command::new("python3").args(["-c", script]).arg(place.file(file)).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(list("alice.zip"), "README.txt\nalice@company.com.ovpn\nca.crt\nalice@company.com.crt\n");
    assert_eq!(list("all.zip"), "README.txt\nclient.ovpn\nca.crt\n");
}

#[test]
fn chrome_os_gets_one_document() {
    let place = place();
    let answer = place.postern(&export(&["--for", "chromeos-onc", "--tls-auth", "ta.key:1"])).succeeds();
    let document: serde_json::Value = serde_json::from_str(&answer.stdout).unwrap();
    let network = &document["NetworkConfigurations"][0];
    assert_eq!(network["Name"], "vpn.example.net (alice@company.com)");
    assert_eq!(network["VPN"]["OpenVPN"]["KeyDirection"], "1");
    let same = place.postern(&export(&["--format", "onc", "--tls-auth", "ta.key:1"])).succeeds();
    let same: serde_json::Value = serde_json::from_str(&same.stdout).unwrap();
    assert_eq!(same["NetworkConfigurations"], document["NetworkConfigurations"]);
}

/// Keys of .ovpn files that version 1.10 of NetworkManager's plugin reads, as its importer names them.
const NETWORK_MANAGER: [&str; 22] = [
    "auth",
    "auth-nocache",
    "auth-user-pass",
    "ca",
    "cert",
    "cipher",
    "client",
    "data-ciphers",
    "dev",
    "key",
    "key-direction",
    "nobind",
    "pkcs12",
    "proto",
    "remote",
    "remote-cert-tls",
    "reneg-sec",
    "tls-auth",
    "tls-crypt",
    "tls-crypt-v2",
    "tls-version-min",
    "verify-x509-name",
];

#[test]
fn network_manager_knows_every_directive_that_it_gets() {
    let place = place();
    for wrapping in
        [&["--tls-auth", "ta.key:1"][..], &["--tls-crypt", "ta.key"], &["--tls-crypt-v2", "v2.key"]]
    {
        let options =
            [&["--for", "networkmanager", "--server-name", "s", "--auth-user-pass"], wrapping].concat();
        let profile = place.postern(&export(&options)).succeeds().stdout;
        for line in outline(&profile).lines() {
            let key = line.trim_matches(['<', '>']).split(' ').next().unwrap();
            assert!(NETWORK_MANAGER.contains(&key), "{line}");
        }
    }
}

#[test]
fn a_link_becomes_blocks_or_a_picture() {
    let place = Place::new();
    let link = "https://vpn.example.net/p/Zm9v";
    insta::assert_snapshot!("qr", place.postern(&["ovpn", "qr", link]).succeeds());
    place.postern(&["ovpn", "qr", link, "--plain"]).succeeds().says("\nhttps://vpn.example.net/p/Zm9v\n");
    place.postern(&["ovpn", "qr", link, "-o", "link.svg"]).succeeds().says("link.svg");
    place.postern(&["ovpn", "qr", link, "-o", "link.png"]).succeeds();
    assert!(place.read("link.svg").contains("<svg"));
    assert!(std::fs::read(place.file("link.png")).unwrap().starts_with(b"\x89PNG"));
    place.postern(&["ovpn", "qr", link, "-o", "link.png"]).fails_with(1).says("file-exists");
    place.postern(&["ovpn", "qr", link, "-o", "link.gif"]).fails_with(2);
    place.postern(&["ovpn", "qr", "http://vpn.example.net/p"]).fails_with(2).says("link-unacceptable");
}
