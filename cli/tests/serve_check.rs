//! `postern serve --check`: what is wrong is said in one error with a code and a way out, without privileges and without
//! changing anything.

#![expect(clippy::unwrap_used, reason = "helpers of tests may fail a test")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

#[test]
fn a_complete_configuration_is_printed_as_a_file_that_reads_back() {
    let pki = Pki::new();
    let flags = ["--client-cidr", "10.8.0.0/24", "--route", "10.7.0.0/24@eth1", "--keepalive", "5,20"];
    let first = pki.check(&flags);
    assert_eq!(first.status.code(), Some(0), "{first:?}");
    let file = pki.path().join("printed.toml");
    fs::write(&file, &first.stdout).unwrap();
    let second = postern(pki.path(), &["serve", "--check", "--config", "printed.toml"]);
    assert_eq!(second.status.code(), Some(0), "{second:?}");
    let printed = String::from_utf8(second.stdout).unwrap();
    for line in ["route = [\"10.7.0.0/24@eth1\"]", "keepalive = [5, 20]", "full-tunnel = true"] {
        assert!(printed.lines().any(|printed| printed == line), "{line} is not in:\n{printed}");
    }
}

#[test]
fn as_json_the_configuration_has_the_names_of_the_flags() {
    let pki = Pki::new();
    let output = pki.check(&["--json", "--client-cidr", "10.8.0.0/24", "--split-tunnel"]);
    let value: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(value["event"], "checked");
    assert_eq!(value["config"]["client-cidr"], serde_json::json!(["10.8.0.0/24"]));
    assert_eq!(value["config"]["split-tunnel"], true);
}

#[test]
fn each_mistake_is_one_error_with_its_exit_code() {
    let cases: &[(&[&str], &str, i32)] = &[
        (&[], "config-option-missing", 2),
        (&["--client-cidr", "10.8.0.0/30"], "config-value-invalid", 2),
        (&["--client-cidr", "10.8.0.0/24", "--route", "10.8.0.0/16"], "config-client-cidr-overlap", 2),
        (&["--client-cidr", "10.8.0.0/24", "--listen", "sctp:0.0.0.0:443"], "config-value-invalid", 2),
        (&["--client-cidr", "10.8.0.0/24", "--port-share", "localhost:443"], "config-needs-tcp", 2),
        (&["--client-cidr", "10.8.0.0/24", "--management-client-auth"], "config-needs-management", 2),
        (&["--client-cidr", "10.8.0.0/24", "--ca", "ca.crt"], "config-options-exclusive", 2),
        (&["--client-cidr", "10.8.0.0/24", "--config", "missing.toml"], "config-file-unreadable", 2),
        (&["--client-cidr", "10.8.0.0/24", "--config", "unknown.toml"], "config-key-unknown", 2),
        (&["--client-cidr", "10.8.0.0/24", "--server-name", "nobody"], "server-certificate-missing", 1),
        (&["--client-cidr", "10.8.0.0/24", "--server-name", "alice"], "client-as-server", 1),
        (&["--client-cidr", "10.8.0.0/24", "--pki", "elsewhere"], "pki-missing", 1),
    ];
    let pki = Pki::new();
    fs::write(pki.path().join("unknown.toml"), "authorise = '10.7.0.0/24'\n").unwrap();
    for (flags, code, exit) in cases {
        let output = pki.check(&[&["--json"], *flags].concat());
        let error = error_of(&output);
        assert_eq!((error["code"].as_str(), output.status.code()), (Some(*code), Some(*exit)), "{flags:?}");
        assert!(!error["help"].as_str().unwrap().is_empty());
        assert!(output.stdout.is_empty(), "{flags:?}");
    }
}

#[test]
fn without_an_authority_there_is_nothing_to_serve() {
    let pki = Pki::new();
    fs::remove_file(pki.path().join("pki/ca.crt")).unwrap();
    let output = pki.check(&["--json", "--client-cidr", "10.8.0.0/24"]);
    assert_eq!(error_of(&output)["code"], "ca-missing");
}

/// A PKI with a server `server` and a client `alice`, in a directory of its own.
struct Pki(tempfile::TempDir);

impl Pki {
    fn new() -> Self {
        let pki = Self(tempfile::tempdir().unwrap());
        for command in [
            &["init-pki"][..],
            &["--batch", "build-ca", "nopass"],
            &["--batch", "build-server-full", "server", "nopass"],
            &["--batch", "build-client-full", "alice", "nopass"],
        ] {
            let output = postern(pki.path(), command);
            assert!(output.status.success(), "{command:?}: {output:?}");
        }
        pki
    }

    /// A check with this PKI, unless `flags` name another one.
    fn check(&self, flags: &[&str]) -> Output {
        let mut arguments = vec!["serve", "--check", "--state-dir", "state"];
        for standard in [["--pki", "pki"], ["--server-name", "server"]] {
            if !flags.contains(&standard[0]) {
                arguments.extend(standard);
            }
        }
        let output = postern(self.path(), &[&arguments, flags].concat());
        assert!(!self.path().join("state").exists());
        output
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

/// The last line of standard error; the log stands before it.
fn error_of(output: &Output) -> Value {
    let text = String::from_utf8_lossy(&output.stderr);
    let value: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    value["error"].clone()
}

fn postern(directory: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_postern"))
        .current_dir(directory)
        .args(arguments)
        .env_remove("POSTERN_PKI")
        .env_remove("EASYRSA_PKI")
        .env("RUST_LOG", "error")
        .output()
        .unwrap()
}
