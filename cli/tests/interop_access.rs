//! Rules for groups and single clients, as they act on live tunnels.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};

use pki_core::time::Timestamp;
use test_support::figures::median;
use test_support::lab::{LAN, TARGET};
use test_support::process::Signal;
use test_support::traffic::ping::{self, Ping};
use test_support::{Implementation, KeyKind, Lab, Pki, ServerPlan, Vpn, wait};

const POSTERN: &str = env!("CARGO_BIN_EXE_postern");
const LIMIT: Duration = Duration::from_secs(60);
/// Ten pings long.
const SILENCE: Duration = Duration::from_secs(1);
/// What is promised: from the change of a rule to its effect (threat model ACL-05). Held against what is usual, as the
/// machine may be busy for a moment.
const PROMISE: Duration = Duration::from_secs(1);

/// A laboratory with a server whose rules stand in a file, and clients whose departments stand in their certificates.
struct Scene<'lab> {
    vpn: Vpn<'lab>,
    file: PathBuf,
}

impl<'lab> Scene<'lab> {
    fn set(lab: &'lab Lab, rules: &str) -> Self {
        let file = lab.scratch().join("access.toml");
        write(&file, rules);
        let pki = Pki::by_postern(lab.scratch().join("pki"), POSTERN.as_ref(), KeyKind::P256).unwrap();
        for (client, department) in [("alice", "it"), ("bob", "sales")] {
            let department = format!("--req-ou={department}");
            pki.run(["--dn-mode=org", &department, "build-client-full", client, "nopass"]).unwrap();
        }
        let plan = ServerPlan { authorized: Vec::new(), ..ServerPlan::default() };
        let plan = plan.with_options(&["--config", &file.to_string_lossy()]);
        let postern = Implementation::Postern(POSTERN.into());
        Self { vpn: Vpn::start_with_pki(lab, &postern, pki, &[], plan).unwrap(), file }
    }

    /// Puts other rules in force; answers when they were asked for.
    fn change(&mut self, rules: &str) -> Instant {
        write(&self.file, rules);
        let asked = Instant::now();
        self.vpn.server().process().signal(Signal::HUP).unwrap();
        asked
    }
}

fn write(file: &PathBuf, rules: &str) {
    fs::write(file, format!("{rules}\n[access]\ncertificate-groups = 'OU'\n")).unwrap();
}

/// When the last reply came, after which there is silence.
fn last_reply(pings: &Ping) -> Instant {
    let is_last = |reply: &Instant| reply.elapsed() > SILENCE;
    wait::until("silence", LIMIT, || Ok(pings.report().last_reply().filter(is_last))).unwrap()
}

fn rule(to: &str) -> String {
    format!("[[rule]]\ndestination = '{LAN}'\n{to}\n")
}

#[test]
fn a_group_of_certificates_reaches_what_its_rule_opens_and_others_do_not() {
    let lab = Lab::new(2).unwrap();
    let scene = Scene::set(&lab, &rule("group = 'it'"));
    let _alice = scene.vpn.connect(lab.client(1), "alice", &[]).unwrap();
    let _bob = scene.vpn.connect(lab.client(2), "bob", &[]).unwrap();
    ping::require(lab.client(1), TARGET, LIMIT).unwrap();
    assert!(!ping::reaches(lab.client(2), TARGET, SILENCE).unwrap());
}

#[test]
fn acl_05_a_revoked_rule_ends_a_running_ping_within_a_second_and_a_bystander_loses_nothing() {
    let lab = Lab::new(2).unwrap();
    let of_bob = rule("common-name = 'bob'");
    let both = rule("group = 'it'") + &of_bob;
    let mut scene = Scene::set(&lab, &both);
    let alice = scene.vpn.connect(lab.client(1), "alice", &[]).unwrap();
    let bob = scene.vpn.connect(lab.client(2), "bob", &[]).unwrap();
    let bystander = Ping::start(lab.client(2), TARGET, Duration::from_millis(20)).unwrap();
    bystander.wait_for_replies(10, LIMIT).unwrap();
    let times = [(); 5].map(|()| {
        let of_alice = Ping::start(lab.client(1), TARGET, Duration::from_millis(5)).unwrap();
        of_alice.wait_for_replies(20, LIMIT).unwrap();
        let asked = scene.change(&of_bob);
        let stopped = last_reply(&of_alice).saturating_duration_since(asked);
        scene.change(&both);
        stopped
    });
    println!("the last reply came so long after the change: {times:.1?}");
    assert!(median(times).unwrap() < PROMISE, "{times:?}");
    ping::require(lab.client(1), TARGET, LIMIT).unwrap();

    let report = bystander.stop();
    println!("bystander: {} pings, {} lost", report.sent(), report.lost().len());
    assert!(report.lost().is_empty(), "the bystander lost pings");
    for client in [&alice, &bob] {
        assert_eq!(client.log().matching("Initialization Sequence Completed").len(), 1);
    }
}

#[test]
fn a_rule_that_expires_closes_by_itself() {
    let lab = Lab::new(1).unwrap();
    let mut scene = Scene::set(&lab, &rule("group = 'it'"));
    let _alice = scene.vpn.connect(lab.client(1), "alice", &[]).unwrap();
    let pings = Ping::start(lab.client(1), TARGET, Duration::from_millis(50)).unwrap();
    pings.wait_for_replies(1, LIMIT).unwrap();
    let lifetime = Duration::from_secs(8);
    let until = Timestamp::from(SystemTime::now() + lifetime);
    let asked = scene.change(&rule(&format!("group = 'it'\nexpires = '{until}'")));
    std::thread::sleep((asked + lifetime).saturating_duration_since(Instant::now()));
    let lasted = last_reply(&pings).saturating_duration_since(asked);
    assert!(lasted > Duration::from_secs(1), "closed from the beginning: {lasted:?}");
}
