//! Every form of a profile in the hands of the stock client.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use test_support::lab::{SERVER, TARGET};
use test_support::stock::program::Program;
use test_support::traffic::ping;
use test_support::{Implementation, Lab, ServerPlan, StockClient, Vpn};

const POSTERN: &str = env!("CARGO_BIN_EXE_postern");
const LIMIT: Duration = Duration::from_secs(60);

/// A server that takes every kind of wrapping, and none, on one port.
struct Scene<'lab> {
    lab: &'lab Lab,
    vpn: Vpn<'lab>,
}

impl<'lab> Scene<'lab> {
    fn new(lab: &'lab Lab, clients: &[&str]) -> Self {
        for (kind, file) in [("secret", "ta.key"), ("tls-crypt-v2-server", "v2.key")] {
            let file = lab.scratch().join(file);
            let status = Command::new("openvpn").args(["--genkey", kind]).arg(&file).status().unwrap();
            assert!(status.success());
        }
        let key = |file: &str| lab.scratch().join(file).display().to_string();
        let plan = ServerPlan::default().with_options(&[
            "--tls-auth",
            &format!("{}:0", key("ta.key")),
            "--auth",
            "SHA256",
            "--tls-crypt",
            &key("ta.key"),
            "--tls-crypt-v2",
            &key("v2.key"),
            "--allow-plain",
        ]);
        let vpn = Vpn::start(lab, &Implementation::Postern(POSTERN.into()), clients, plan).unwrap();
        Self { lab, vpn }
    }

    fn path(&self, file: &str) -> PathBuf {
        self.lab.scratch().join(file)
    }

    fn postern(&self, arguments: &[&str]) -> String {
        let mut command = Command::new(POSTERN);
        command.arg("--batch").arg("--pki-dir").arg(self.vpn.pki().directory());
        let output = command.args(arguments).current_dir(self.lab.scratch()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {said}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn export(&self, name: &str, options: &[&str]) -> String {
        let remote = SERVER.to_string();
        self.postern(&[&["export", name, "--remote", &remote], options].concat())
    }
}

#[test]
fn h7_1_each_dialect_connects_with_a_wrapping_that_it_knows() {
    let lab = Lab::new(6).unwrap();
    let cases: [(&str, &[&str]); 6] = [
        ("any", &[]),
        ("openvpn2.4", &["--tls-crypt", "ta.key"]),
        ("openvpn2.6", &["--tls-crypt-v2", "v2.key", "--server-name", "server"]),
        ("connect", &["--tls-auth", "ta.key:1", "--auth", "sha256"]),
        ("aws", &["--server-name", "server"]),
        ("networkmanager", &["--tls-crypt-v2", "v2.key", "--tls-crypt-v2-metadata", "user"]),
    ];
    let names = cases.map(|(name, _)| name);
    let scene = Scene::new(&lab, &names);
    let current = Program::client();
    let old = Program::with_the_abilities_of_2_4(lab.scratch()).unwrap();
    for (number, (name, options)) in (1..).zip(cases) {
        let profile = scene.export(name, &[&["--for", name], options].concat());
        let program = if name == "openvpn2.4" { &old } else { &current };
        let client = StockClient::start_program(program, lab.client(number), &profile, &[]).unwrap();
        client.wait_connected().unwrap();
        ping::require(lab.client(number), TARGET, LIMIT).unwrap();
        let complaints = client.log().matching("DEPRECATED");
        assert!(complaints.is_empty() || name != "openvpn2.6", "{name}: {complaints:?}");
    }
}

#[test]
fn a_profile_with_its_key_in_a_pkcs12_file_connects() {
    let lab = Lab::new(1).unwrap();
    let scene = Scene::new(&lab, &["alice"]);
    scene.postern(&[
        "--passout",
        "pass:sesame open",
        "export",
        "alice",
        "--remote",
        &SERVER.to_string(),
        "--format",
        "p12",
        "--output",
        "alice.ovpn",
    ]);
    std::fs::write(scene.path("passphrase"), "sesame open\n").unwrap();
    let profile = std::fs::read_to_string(scene.path("alice.ovpn")).unwrap();
    let directory = lab.scratch().display().to_string();
    let options = ["--cd", &directory, "--askpass", "passphrase"];
    let _client = StockClient::connect(lab.client(1), &profile, &options).unwrap();
    ping::require(lab.client(1), TARGET, LIMIT).unwrap();
}

#[test]
fn somebody_who_was_onboarded_connects_and_is_gone_when_offboarded() {
    let lab = Lab::new(1).unwrap();
    let scene = Scene::new(&lab, &[]);
    let remote = SERVER.to_string();
    let onboard = ["onboard", "alice@company.com", "nopass", "--remote", &remote, "--tls-crypt-v2", "v2.key"];
    scene.postern(&onboard);
    let profile = scene.vpn.pki().directory().join("inline/private/alice@company.com.ovpn");
    let profile = std::fs::read_to_string(profile).unwrap();
    let mut client = StockClient::connect(lab.client(1), &profile, &[]).unwrap();
    ping::require(lab.client(1), TARGET, LIMIT).unwrap();
    scene.postern(&["offboard", "alice@company.com"]);
    client.wait_refused("AUTH_FAILED", LIMIT).unwrap();
    assert!(!ping::reaches(lab.client(1), TARGET, Duration::from_secs(1)).unwrap());
}
