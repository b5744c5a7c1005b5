//! `postern config import`: a stock configuration becomes a file for `postern serve`, and every directive is reported on.

#![expect(clippy::unwrap_used, reason = "helpers of tests may fail a test")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

const SERVER_CONF: &str = "\
port 1194
proto tcp
dev tun
ca ca.crt
cert server.crt
key server.key
dh dh2048.pem
server 10.8.0.0 255.255.255.0
topology net30
push \"route 10.7.0.0 255.255.255.0\"
keepalive 10 120
persist-tun
status /run/openvpn/status.log 10
client-to-client
";

#[test]
fn the_file_is_one_that_serve_reads_and_says_what_was_changed() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("server.conf"), SERVER_CONF).unwrap();
    let output = postern(directory.path(), &["config", "import", "server.conf"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let file = String::from_utf8(output.stdout).unwrap();
    let ca = format!("ca = \"{}/ca.crt\"", directory.path().display());
    for line in [
        ca.as_str(),
        "listen = [\"tcp:0.0.0.0:1194\"]",
        "keepalive = [10, 120]",
        "no-nat = true",
        "status-interval = 10",
    ] {
        assert!(file.lines().any(|found| found == line), "{line} is not in:\n{file}");
    }
    assert!(file.contains("server.conf:9: topology: adapted: clients get"), "{file}");
    assert!(file.contains("server.conf:12: persist-tun: ignored: keys"), "{file}");
    assert!(!file.contains("keepalive: done"), "{file}");

    fs::write(directory.path().join("postern.toml"), &file).unwrap();
    let checked = postern(directory.path(), &["--json", "serve", "--check", "--config", "postern.toml"]);
    let error: Value = serde_json::from_slice(&checked.stderr).unwrap();
    assert_eq!(error["code"], "credential-unreadable", "only the certificates are missing: {error}");
}

#[test]
fn inline_blocks_become_private_files_beside_the_output_and_nothing_is_overwritten() {
    let directory = tempfile::tempdir().unwrap();
    let path = |file: &str| directory.path().join(file);
    let text = SERVER_CONF.replace("key server.key\n", "<key>\nvery secret\n</key>\n");
    fs::write(path("server.conf"), text).unwrap();
    let to_stdout = postern(directory.path(), &["config", "import", "server.conf"]);
    assert_eq!(to_stdout.status.code(), Some(2), "{to_stdout:?}");

    fs::create_dir(path("new")).unwrap();
    let arguments = ["config", "import", "server.conf", "--output", "new/postern.toml"];
    let output = postern(directory.path(), &arguments);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(fs::read_to_string(path("new/key.pem")).unwrap(), "very secret\n");
    for file in ["new/key.pem", "new/postern.toml"] {
        assert_eq!(fs::metadata(path(file)).unwrap().permissions().mode() & 0o777, 0o600, "{file}");
    }
    assert!(fs::read_to_string(path("new/postern.toml")).unwrap().contains("new/key.pem"));
    assert_eq!(postern(directory.path(), &arguments).status.code(), Some(1), "the files are there already");
}

#[test]
fn files_of_single_clients_become_tables() {
    let directory = tempfile::tempdir().unwrap();
    let path = |file: &str| directory.path().join(file);
    let directives = "client-config-dir ccd\nccd-exclusive\nroute 10.20.0.0 255.255.255.0\n";
    fs::write(path("server.conf"), format!("{SERVER_CONF}{directives}")).unwrap();
    fs::create_dir(path("ccd")).unwrap();
    fs::write(
        path("ccd/alice@company.com"),
        "ifconfig-push 10.8.0.50 255.255.255.0\niroute 10.20.0.0 255.255.255.0\n",
    )
    .unwrap();
    let output = postern(directory.path(), &["config", "import", "server.conf"]);
    let file = String::from_utf8(output.stdout).unwrap();
    for line in ["[client.\"alice@company.com\"]", "address = [\"10.8.0.50\"]", "listed-clients-only = true"]
    {
        assert!(file.lines().any(|found| found == line), "{line} is not in:\n{file}");
    }
}

#[test]
fn every_directive_that_is_refused_is_named_with_a_code() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("server.conf"), format!("{SERVER_CONF}fragment 1300\nprotto udp\n"))
        .unwrap();
    let output = postern(directory.path(), &["--json", "config", "import", "server.conf"]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let error: Value = serde_json::from_slice(&output.stderr).unwrap();
    assert_eq!(error["code"], "stock-directive-refused");
    let message = error.to_string();
    assert!(
        message.contains(":15: fragment: refused:") && message.contains(":16: protto: refused:"),
        "{message}"
    );
}

#[test]
fn as_json_there_is_a_fate_for_every_directive() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("server.conf"), SERVER_CONF).unwrap();
    let output = postern(directory.path(), &["--json", "config", "import", "server.conf"]);
    let value: Value = serde_json::from_slice(&output.stdout).unwrap();
    let report = value["report"].as_array().unwrap();
    assert_eq!(report.len(), SERVER_CONF.lines().count());
    assert_eq!((&report[0]["directive"], &report[0]["fate"]), (&"port".into(), &"done".into()));
    assert_eq!(value["config"]["client-cidr"][0], "10.8.0.0/24");
}

fn postern(directory: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_postern")).current_dir(directory).args(arguments).output().unwrap()
}
