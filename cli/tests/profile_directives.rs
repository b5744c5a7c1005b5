//! What stands in an exported profile: directives of a short list, and nothing that makes a client run a program, read
//! another file or write one.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::process::Command;

const POSTERN: &str = env!("CARGO_BIN_EXE_postern");

/// Everything that `postern export` may write.
const KNOWN: [&str; 22] = [
    "client",
    "dev",
    "proto",
    "remote",
    "remote-cert-tls",
    "verify-x509-name",
    "nobind",
    "resolv-retry",
    "persist-key",
    "persist-tun",
    "cipher",
    "data-ciphers",
    "data-ciphers-fallback",
    "auth",
    "auth-nocache",
    "tls-version-min",
    "reneg-sec",
    "key-direction",
    "verb",
    "auth-user-pass",
    "remote-random",
    "connect-retry",
];

fn postern(directory: &std::path::Path, arguments: &[&str]) -> String {
    let output = Command::new(POSTERN)
        .arg("--batch")
        .arg("--pki-dir")
        .arg(directory.join("pki"))
        .args(arguments)
        .output()
        .unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn cfg_02_a_profile_holds_known_directives_only_and_every_file_inside() {
    let directory = tempfile::tempdir().unwrap();
    postern(directory.path(), &["init-pki"]);
    postern(directory.path(), &["build-ca", "nopass"]);
    for name in ["alice", "up script"] {
        postern(directory.path(), &["build-client-full", name, "nopass"]);
        let profile = postern(directory.path(), &["export", name, "--remote", "vpn.example.com"]);
        let mut block = None;
        for line in profile.lines() {
            match (block, line) {
                (None, _) if line.starts_with('<') => block = line.strip_prefix('<'),
                (Some(name), _) if line.strip_prefix("</") == Some(name) => block = None,
                (Some(_), _) => {
                    let is_base64 = line.bytes().all(|c| c.is_ascii_alphanumeric() || b"+/=".contains(&c));
                    assert!(is_base64 || line.starts_with("-----"), "not PEM: {line}");
                }
                (None, _) if line.is_empty() || line.starts_with(['#', ';']) => {}
                (None, _) => {
                    let directive = line.split(' ').next().unwrap();
                    assert!(KNOWN.contains(&directive), "unknown directive: {line}");
                }
            }
        }
        assert_eq!(block, None, "every block ends");
    }
}
