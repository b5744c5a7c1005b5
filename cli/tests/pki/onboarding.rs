//! Onboarding and offboarding, and the scripts of the guide, run as they stand there.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::time::SystemTime;

use pki_core::Authority;
use pki_core::ca::{BuildCa, CertificateForm, Context, Init, Issue, SerialNumbers, Settings};
use pki_core::cert::build::Validity;
use pki_core::cert::{CertificateKind, Customisation};
use pki_core::dn::Subject;
use pki_core::key::{KeyAlgorithm, Protection};
use pki_core::name::{CommonName, FileBase};
use pki_core::random::SystemSource;
use pki_core::time::Timestamp;

use crate::support::{Answer, Place};

const PROFILE: &str = "pki/inline/private/alice@company.com.ovpn";

fn place() -> Place {
    let place = Place::with_authority();
    let source =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/openvpn/pki/tls-crypt-v2-server.key");
    std::fs::copy(source, place.file("v2.key")).unwrap();
    place
}

const ONBOARD: [&str; 7] =
    ["onboard", "alice@company.com", "nopass", "--remote", "vpn.example.net", "--tls-crypt-v2", "v2.key"];

#[test]
fn a_person_comes_and_goes() {
    let place = place();
    let mut transcript = String::new();
    let steps: [&[&str]; 6] = [
        &ONBOARD,
        &ONBOARD,
        &["--batch", "offboard", "alice@company.com"],
        &["--batch", "offboard", "alice@company.com"],
        &["list"],
        &ONBOARD,
    ];
    for step in steps {
        let answer = place.postern(step).succeeds();
        transcript.push_str(&format!("$ postern {}\n{answer}\n", step.join(" ")));
    }
    insta::assert_snapshot!("comes_and_goes", transcript);
}

#[test]
fn the_second_time_changes_nothing_at_all() {
    let place = place();
    place.postern(&ONBOARD).succeeds();
    let before = place.snapshot("pki");
    assert_eq!(place.json(&ONBOARD)["changed"], false);
    place.is_unchanged_since(&before);
    assert_eq!(place.json(&["offboard", "alice@company.com"])["changed"], true);
    let before = place.snapshot("pki");
    assert_eq!(place.json(&["offboard", "alice@company.com"])["changed"], false);
    place.is_unchanged_since(&before);
}

#[test]
fn a_changed_wish_changes_the_profile_and_keeps_certificate_and_key() {
    let place = place();
    let first = place.json(&ONBOARD);
    let block = |profile: &str| profile[profile.find("<tls-crypt-v2>").unwrap()..].to_owned();
    let client_key = block(&place.read(PROFILE));
    let other = place.json(&[&ONBOARD[..], &["--port", "443"]].concat());
    assert_eq!((&other["certificate"], &other["profile_changed"]), (&"kept".into(), &true.into()));
    assert_eq!(other["serial"], first["serial"]);
    assert!(place.read(PROFILE).contains("remote vpn.example.net 443\n"));
    assert_eq!(block(&place.read(PROFILE)), client_key, "the server still knows it");
    let status = Command::new("openvpn")
        .args(["--genkey", "tls-crypt-v2-server", "v2.key"])
        .current_dir(place.path())
        .status();
    assert!(status.unwrap().success());
    assert_eq!(place.json(&ONBOARD)["profile_changed"], true);
    assert_ne!(block(&place.read(PROFILE)), client_key, "another server key makes another client key");
}

#[test]
fn every_answer_has_its_keys() {
    let place = place();
    let keys = |value: &serde_json::Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(
        keys(&place.json(&ONBOARD)),
        ["certificate", "changed", "name", "not_after", "profile", "profile_changed", "serial",]
    );
    let offboarded = place.json(&["offboard", "alice@company.com"]);
    assert_eq!(keys(&offboarded), ["changed", "crl", "name", "removed", "revoked", "revoked_before"]);
    assert_eq!(offboarded["removed"][0], PROFILE);
}

#[test]
fn mistakes_change_nothing() {
    let place = place();
    place.postern(&["build-server-full", "server", "nopass"]).succeeds();
    place.postern(&["build-client-full", "bob", "nopass"]).succeeds();
    let before = place.snapshot("pki");
    let onboard = |name| vec!["--batch", "onboard", name, "--remote", "h"];
    place.postern(&onboard("server")).fails_with(1).says("not-a-client");
    place.postern(&onboard("alice")).fails_with(1).says("no-passphrase");
    place.postern(&onboard("../evil")).fails_with(1).says("name-separator");
    place.postern(&["onboard", "alice", "nopass", "--remote", "a b"]).fails_with(1).says("host-unacceptable");
    place.postern(&["offboard", "alcie"]).fails_with(1).says("no-certificate");
    place.postern(&["offboard", "bob"]).fails_with(1).says("not-confirmed");
    place.postern(&["--batch", "offboard", "bob", "--reason", "bored"]).fails_with(2).says("reason-unknown");
    place.is_unchanged_since(&before);
}

#[test]
fn a_certificate_that_has_expired_is_renewed_with_its_key() {
    let place = Place::new();
    let past = Timestamp::from(SystemTime::now()).plus_days(-100);
    issue_at(past, &place.file("pki"), "alice@company.com");
    let key = place.read("pki/private/alice@company.com.key");
    let answer = place.json(&["onboard", "alice@company.com", "--remote", "vpn.example.net"]);
    assert_eq!((&answer["certificate"], &answer["changed"]), (&"renewed".into(), &true.into()));
    assert_eq!(place.read("pki/private/alice@company.com.key"), key);
    let answer = place.json(&["onboard", "alice@company.com", "--remote", "vpn.example.net"]);
    assert_eq!(answer["changed"], false);
}

/// A PKI that was made at another time, with a client whose certificate lasted for ten days.
fn issue_at(now: Timestamp, directory: &Path, name: &str) {
    pki_core::ca::init(directory, &Init::default()).unwrap();
    let authority = Authority::open(directory, Settings::default()).unwrap();
    let mut context =
        Context { now, random: &mut SystemSource::new(), passphrases: &mut |_| Err("not encrypted".into()) };
    let request = BuildCa {
        subject: Subject::common_name_only(CommonName::parse("Old CA").unwrap()),
        algorithm: KeyAlgorithm::P256,
        digest: None,
        protection: Protection::None,
        days: 3650,
        customisation: Customisation::default(),
    };
    authority.build_ca(&request, &mut context).unwrap();
    let name = FileBase::parse(name).unwrap();
    let request = Issue {
        kind: CertificateKind::Client,
        subject: Subject::common_name_only(name.common_name().clone()),
        names: None,
        algorithm: KeyAlgorithm::P256,
        digest: None,
        protection: Protection::None,
        validity: Validity::days_from(now, 10).unwrap(),
        serial_numbers: SerialNumbers::Random159,
        customisation: Customisation::default(),
        form: CertificateForm::default(),
        name,
    };
    authority.issue(&request, &mut context).unwrap();
}

const GUIDE: &str = include_str!("../../../docs/guides/onboarding.md");

/// A place where the guide's scripts find what they expect: `postern` in PATH, and the server's key.
fn guide_place() -> Place {
    let place = place();
    std::fs::create_dir(place.file("bin")).unwrap();
    symlink(env!("CARGO_BIN_EXE_postern"), place.file("bin/postern")).unwrap();
    for (name, text) in blocks("sh").into_iter().filter_map(|text| Some((script_name(text)?, text))) {
        // The process that writes it is over when it is run: no other test starts one that inherits a descriptor.
        let write = ["-c", "printf %s \"$1\" > \"$0\" && chmod 755 \"$0\"", name, text];
        place.answer(&mut place.command("/bin/sh", &write), "").succeeds();
    }
    place
}

/// The fenced blocks of this language.
fn blocks(language: &str) -> Vec<&'static str> {
    let fence = format!("```{language}\n");
    GUIDE.split(fence.as_str()).skip(1).map(|rest| rest.split("```").next().unwrap()).collect()
}

/// The second line of a script names it: `# NAME.sh: what it does`.
fn script_name(text: &str) -> Option<&str> {
    text.strip_prefix("#!/bin/sh\n# ")?.split(':').next()
}

fn run(place: &Place, program: &str, arguments: &[&str]) -> Answer {
    let path = format!("{}:{}", place.file("bin").display(), std::env::var("PATH").unwrap());
    let mut command = place.command(program, arguments);
    command.env("PATH", path).env("POSTERN_PKI", place.file("pki"));
    command.env("VPN_HOST", "vpn.example.net").env("SERVER_KEY", place.file("v2.key"));
    place.answer(&mut command, "")
}

fn in_force(place: &Place) -> Vec<String> {
    let list = place.json(&["list", "--valid"]);
    let certificates = list["certificates"].as_array().unwrap();
    let mut names: Vec<String> =
        certificates.iter().map(|found| found["name"].as_str().unwrap().to_owned()).collect();
    names.sort();
    names
}

#[test]
fn the_guides_script_for_many_at_once_onboards_every_row_and_can_be_repeated() {
    let place = guide_place();
    std::fs::write(place.file("users.csv"), "name\nalice@company.com\nbob@company.com\n").unwrap();
    run(&place, "onboard-csv.sh", &["users.csv", "out"]).succeeds();
    assert_eq!(in_force(&place), ["alice@company.com", "bob@company.com"]);
    let before = place.snapshot("pki");
    run(&place, "onboard-csv.sh", &["users.csv", "out"]).succeeds();
    place.is_unchanged_since(&before);
    assert!(place.read("out/bob@company.com.ovpn").contains("<tls-crypt-v2>"));
    std::fs::write(place.file("users.csv"), "name\n../evil\ncarol@company.com\n").unwrap();
    run(&place, "onboard-csv.sh", &["users.csv", "out"]).fails_with(1).says("../evil");
    assert!(in_force(&place).contains(&"carol@company.com".to_owned()), "one bad row holds nobody up");
}

#[test]
fn the_guides_script_follows_an_export_of_the_personnel_department() {
    let place = guide_place();
    place.postern(&["build-server-full", "server", "nopass"]).succeeds();
    std::fs::write(place.file("hr.csv"), "a@c\nb@c\nc@c\nd@c\ne@c\n").unwrap();
    run(&place, "follow-hr.sh", &["hr.csv"]).succeeds();
    std::fs::write(place.file("hr.csv"), "a@c\nb@c\nd@c\ne@c\nf@c\n").unwrap();
    run(&place, "follow-hr.sh", &["hr.csv"]).succeeds();
    assert_eq!(in_force(&place), ["a@c", "b@c", "d@c", "e@c", "f@c", "server"]);
    let before = place.snapshot("pki");
    run(&place, "follow-hr.sh", &["hr.csv"]).succeeds();
    for broken in ["", "a@c\n"] {
        std::fs::write(place.file("hr.csv"), broken).unwrap();
        run(&place, "follow-hr.sh", &["hr.csv"]).fails_with(1).says("refused");
    }
    place.is_unchanged_since(&before);
}

#[test]
fn the_guides_commands_for_cron_run() {
    let place = guide_place();
    let lines: Vec<&str> = blocks("crontab")
        .iter()
        .flat_map(|block| block.lines())
        .filter(|line| !line.starts_with('#') && line.contains("postern"))
        .collect();
    assert!(lines.len() >= 2, "{lines:?}");
    for line in lines {
        let command = line.splitn(7, ' ').nth(6).unwrap();
        run(&place, "/bin/sh", &["-c", command]).succeeds();
    }
    assert!(place.file("pki/crl.pem").exists());
}

#[test]
fn the_guides_ansible_tasks_run_and_tell_whether_they_changed_something() {
    let place = guide_place();
    let commands: Vec<String> = blocks("yaml")
        .iter()
        .flat_map(|block| block.lines())
        .filter_map(|line| line.trim().strip_prefix("cmd: "))
        .map(|command| {
            command
                .replace("{{ item }}", "alice@company.com")
                .replace("{{ vpn_host }}", "vpn.example.net")
                .replace("{{ server_key }}", place.file("v2.key").to_str().unwrap())
        })
        .collect();
    assert_eq!(commands.len(), 2, "{commands:?}");
    for command in &commands {
        for changed in [true, false] {
            let answer = run(&place, "/bin/sh", &["-c", command]).succeeds();
            let value: serde_json::Value = serde_json::from_str(&answer.stdout).unwrap();
            assert_eq!(value["changed"], changed, "{command}: {answer}");
        }
    }
    assert!(GUIDE.contains("changed_when: (result.stdout | from_json).changed"));
}
