//! A server that takes from itself what it does not need goes on doing what it is for (OPS-04).

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use test_support::lab::TARGET;
use test_support::process::Signal;
use test_support::traffic::ping;
use test_support::{Implementation, Lab, Pki, ServerPlan, Vpn, wait};

const POSTERN: &str = env!("CARGO_BIN_EXE_postern");
const LIMIT: Duration = Duration::from_secs(20);

fn start<'lab>(lab: &'lab Lab, clients: &[&str], options: &[&str]) -> Vpn<'lab> {
    let plan = ServerPlan::default().with_options(options);
    Vpn::start(lab, &Implementation::Postern(POSTERN.into()), clients, plan).unwrap()
}

/// How many filters of system calls a process has.
fn filters(process: u32) -> u32 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("Seccomp_filters:")).unwrap();
    line.trim().parse().unwrap()
}

#[test]
fn ops_04_a_confined_server_serves_and_reads_again_what_its_configuration_names_only() {
    let lab = Lab::new(2).unwrap();
    let mut vpn = start(&lab, &["alice", "bob"], &[]);
    assert_eq!(filters(vpn.server().process().id()), 1);
    let alice = vpn.connect(lab.client(1), "alice", &[]).unwrap();
    let _bob = vpn.connect(lab.client(2), "bob", &[]).unwrap();
    ping::require(lab.client(1), TARGET, LIMIT).unwrap();

    // A good list behind a link that was not there at the start.
    let elsewhere = tempfile::tempdir().unwrap();
    let outside = list_that_revokes(vpn.pki(), "alice", elsewhere.path());
    let link = lab.scratch().join("link");
    symlink(&outside, &link).unwrap();
    let mark = vpn.server().log().mark();
    fs::rename(&link, vpn.pki().crl()).unwrap();
    vpn.server().process().signal(Signal::HUP).unwrap();
    vpn.server().log().wait_for_since(mark, "Permission denied", LIMIT).unwrap();
    ping::require(lab.client(1), TARGET, LIMIT).unwrap();

    // The same list where it belongs.
    vpn.replace_crl(fs::read(&outside).unwrap()).unwrap();
    alice.log().wait_for("AUTH_FAILED", LIMIT).unwrap();
    ping::require(lab.client(2), TARGET, LIMIT).unwrap();
    assert!(vpn.server().stop().unwrap().success());
}

#[test]
fn ops_04_programs_are_confined_where_that_is_asked_for() {
    let lab = Lab::new(1).unwrap();
    let outside = tempfile::tempdir().unwrap();
    let (secret, trace) = (outside.path().join("secret"), outside.path().join("trace"));
    fs::write(&secret, "secret").unwrap();
    let hook = hook(&lab, &secret, &trace);
    let mut vpn = start(&lab, &["alice"], &["--confine", "always", "--client-connect", &hook]);
    assert_eq!(filters(vpn.server().process().id()), 1);
    let _alice = vpn.connect(lab.client(1), "alice", &[]).unwrap();
    ping::require(lab.client(1), TARGET, LIMIT).unwrap();
    let told = wait::until("the program's report", LIMIT, || Ok(fs::read_to_string(report(&lab)).ok()));
    assert_eq!(told.unwrap(), "read: no, write: no, run: yes\n");
    assert!(!trace.exists());
}

#[test]
fn ops_04_programs_reach_what_they_did_before_where_nobody_asked() {
    let lab = Lab::new(1).unwrap();
    let outside = tempfile::tempdir().unwrap();
    let (secret, trace) = (outside.path().join("secret"), outside.path().join("trace"));
    fs::write(&secret, "secret").unwrap();
    let hook = hook(&lab, &secret, &trace);
    let vpn = start(&lab, &["alice"], &["--client-connect", &hook]);
    let _alice = vpn.connect(lab.client(1), "alice", &[]).unwrap();
    let told = wait::until("the program's report", LIMIT, || Ok(fs::read_to_string(report(&lab)).ok()));
    assert_eq!(told.unwrap(), "read: yes, write: yes, run: yes\n");
    assert!(trace.exists());
}

#[test]
fn ops_04_a_server_that_is_told_so_is_not_confined() {
    let lab = Lab::new(1).unwrap();
    let mut vpn = start(&lab, &["alice"], &["--confine", "off"]);
    assert_eq!(filters(vpn.server().process().id()), 0);
    let _alice = vpn.connect(lab.client(1), "alice", &[]).unwrap();
    ping::require(lab.client(1), TARGET, LIMIT).unwrap();
}

/// The list that the authority would publish, made by a copy of it in `directory`.
fn list_that_revokes(pki: &Pki, name: &str, directory: &Path) -> PathBuf {
    let copy = directory.join("pki");
    let copied = Command::new("cp").arg("-a").arg(pki.directory()).arg(&copy).status().unwrap();
    assert!(copied.success());
    let place = format!("--pki-dir={}", copy.display());
    pki.run([&place, "revoke", name]).unwrap();
    pki.run([&place, "gen-crl"]).unwrap();
    copy.join("crl.pem")
}

/// A program that tries what lies outside of the configuration, and says in the state directory what came of it.
fn hook(lab: &Lab, secret: &Path, trace: &Path) -> String {
    let text = format!(
        "#!/bin/sh\nread=no write=no run=no\n\
         cat {secret} >/dev/null 2>&1 && read=yes\n\
         (echo x >{trace}) 2>/dev/null && write=yes\n\
         ls / >/dev/null 2>&1; env true && run=yes\n\
         echo \"read: $read, write: $write, run: $run\" >{report}.new && mv {report}.new {report}\n",
        secret = secret.display(),
        trace = trace.display(),
        report = report(lab).display(),
    );
    let path = lab.scratch().join("hook");
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path.display().to_string()
}

fn report(lab: &Lab) -> PathBuf {
    lab.scratch().join("pki.state/hooks/report")
}
