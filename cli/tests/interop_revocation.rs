//! Revoking a certificate ends its live tunnel at once, and nobody else's.

use std::fmt;
use std::fs;
use std::time::{Duration, Instant};

use test_support::figures::median;
use test_support::lab::TARGET;
use test_support::traffic::ping::{self, Ping};
use test_support::{Implementation, KeyKind, Lab, Pki, Result, ServerPlan, StockClient, Vpn};

const POSTERN: &str = env!("CARGO_BIN_EXE_postern");
const LIMIT: Duration = Duration::from_secs(60);
/// What is promised: from the new revocation list to the end of the tunnel. Held against what is usual, as the machine
/// may be busy for a moment.
const PROMISE: Duration = Duration::from_secs(1);
/// What a client says when it was refused with a reason.
const REFUSED: &str = "AUTH_FAILED";

/// What the server logs when it takes a revocation list over, when it keeps the old one, and when there is none any more.
const IN_FORCE: &str = "a revocation list is in force";
const KEPT: &str = "the revocation list in force stays";
const GONE: &str = "the revocation list is gone";
/// How often the promise is put to the test.
const RUNS: usize = 20;

fn postern() -> Implementation {
    Implementation::Postern(POSTERN.into())
}

/// How one revocation went, counted from the start of `gen-crl`.
struct Timing {
    command_done: Duration,
    client_told: Duration,
    last_reply: Duration,
}

impl fmt::Display for Timing {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "gen-crl done after {:.1?}, client told after {:.1?}, last reply through the tunnel at {:.1?}",
            self.command_done, self.client_told, self.last_reply
        )
    }
}

/// Connects `name` on the second client machine, revokes it while it pings, and watches its tunnel end.
fn time_one_revocation(lab: &Lab, vpn: &Vpn<'_>, name: &str) -> Result<Timing> {
    vpn.pki().build_client(name)?;
    let mut client = vpn.connect(lab.client(2), name, &[])?;
    let pings = Ping::start(lab.client(2), TARGET, Duration::from_millis(5))?;
    pings.wait_for_replies(20, LIMIT)?;
    vpn.pki().revoke(name)?;

    let start = Instant::now();
    vpn.pki().gen_crl()?;
    let command_done = start.elapsed();
    let told = client.wait_refused(REFUSED, LIMIT)?;
    let last_reply = pings.report().last_reply().unwrap_or(start);
    Ok(Timing {
        command_done,
        client_told: told.at.saturating_duration_since(start),
        last_reply: last_reply.saturating_duration_since(start),
    })
}

#[test]
fn a_live_tunnel_ends_within_a_second_and_a_bystander_loses_nothing() {
    let lab = Lab::new(2).unwrap();
    let vpn = Vpn::start(&lab, &postern(), &["bystander"], ServerPlan::default()).unwrap();
    let bystander = vpn.connect(lab.client(1), "bystander", &[]).unwrap();
    let pings = Ping::start(lab.client(1), TARGET, Duration::from_millis(20)).unwrap();
    pings.wait_for_replies(10, LIMIT).unwrap();

    let timings = (1..=RUNS).map(|run| {
        let timing = time_one_revocation(&lab, &vpn, &format!("leaver{run}")).unwrap();
        println!("run {run}: {timing}");
        timing
    });
    let timings: Vec<Timing> = timings.collect();
    assert!(median(timings.iter().map(|timing| timing.client_told)).unwrap() < PROMISE);
    assert!(median(timings.iter().map(|timing| timing.last_reply)).unwrap() < PROMISE);

    let report = pings.stop();
    println!("bystander: {} pings, {} lost", report.sent(), report.lost().len());
    assert_eq!(report.lost(), []);
    assert_eq!(bystander.log().matching("Initialization Sequence Completed").len(), 1);
}

#[test]
fn a_revoked_client_that_tries_again_is_told_why_within_a_round_trip() {
    let lab = Lab::new(1).unwrap();
    let mut vpn = Vpn::start(&lab, &postern(), &["alice"], ServerPlan::default()).unwrap();
    let profile = vpn.profile("alice").unwrap();
    vpn.pki().revoke("alice").unwrap();
    vpn.pki().gen_crl().unwrap();
    vpn.server().log().wait_for(IN_FORCE, LIMIT).unwrap();

    let mut times = Vec::new();
    for newest in ["1.3", "1.2"].repeat(3) {
        let mut client = StockClient::start(lab.client(1), &profile, &["--tls-version-max", newest]).unwrap();
        let refused = client.wait_refused(REFUSED, LIMIT).unwrap();
        assert!(refused.text.contains("revoked"), "{}", refused.text);
        let handshake = client.log().wait_for("Control Channel: TLS", LIMIT).unwrap();
        times.push(refused.at.saturating_duration_since(handshake.at));
    }
    println!("after the handshake: {times:.1?}");
    assert!(median(times).unwrap() < Duration::from_millis(500));
}

#[test]
fn the_first_revocation_list_of_a_pki_takes_effect_without_a_restart() {
    let lab = Lab::new(1).unwrap();
    let mut vpn = Vpn::start(&lab, &postern(), &["alice"], ServerPlan::default()).unwrap();
    assert!(!vpn.pki().crl().exists());
    vpn.server().log().wait_for("there is no revocation list yet", LIMIT).unwrap();
    let mut alice = vpn.connect(lab.client(1), "alice", &[]).unwrap();
    vpn.pki().revoke("alice").unwrap();
    vpn.pki().gen_crl().unwrap();
    alice.wait_refused(REFUSED, LIMIT).unwrap();
}

#[test]
fn a_list_that_cannot_be_used_never_replaces_a_good_one() {
    let lab = Lab::new(2).unwrap();
    let mut vpn = Vpn::start(&lab, &postern(), &["alice", "bob"], ServerPlan::default()).unwrap();
    let alice = vpn.connect(lab.client(1), "alice", &[]).unwrap();
    let pings = Ping::start(lab.client(1), TARGET, Duration::from_millis(20)).unwrap();
    let bobs_profile = vpn.profile("bob").unwrap();
    vpn.pki().gen_crl().unwrap();
    let older = fs::read(vpn.pki().crl()).unwrap();
    vpn.pki().revoke("bob").unwrap();
    vpn.pki().gen_crl().unwrap();
    let good = fs::read(vpn.pki().crl()).unwrap();
    let foreign = Pki::by_easy_rsa(lab.scratch().join("foreign"), KeyKind::P256).unwrap();
    foreign.gen_crl().unwrap();

    let useless = [
        (b"no revocation list at all\n".to_vec(), "crl-file-empty"),
        (Vec::new(), "crl-file-empty"),
        (good[..good.len() / 2].to_vec(), "crl-file-damaged"),
        (older, "crl-number-not-higher"),
        (fs::read(foreign.crl()).unwrap(), "crl-foreign-issuer"),
    ];
    for (list, code) in useless {
        let mark = vpn.server().log().mark();
        vpn.replace_crl(list).unwrap();
        let reported = vpn.server().log().wait_for_since(mark, KEPT, LIMIT).unwrap();
        assert!(reported.text.contains(code), "{}", reported.text);
        let mut bob = StockClient::start(lab.client(2), &bobs_profile, &[]).unwrap();
        bob.wait_refused(REFUSED, LIMIT).unwrap();
    }

    vpn.replace_crl(good).unwrap();
    ping::require(lab.client(1), TARGET, LIMIT).unwrap();
    assert_eq!(pings.stop().lost(), [], "a client that was never revoked");
    assert!(alice.log().matching(REFUSED).is_empty());
}

#[test]
fn without_the_list_that_was_there_nobody_new_gets_in_until_it_is_back() {
    let lab = Lab::new(1).unwrap();
    let mut vpn = Vpn::start(&lab, &postern(), &["alice"], ServerPlan::default()).unwrap();
    let mark = vpn.server().log().mark();
    vpn.pki().gen_crl().unwrap();
    vpn.server().log().wait_for_since(mark, IN_FORCE, LIMIT).unwrap();
    let list = fs::read(vpn.pki().crl()).unwrap();

    let mark = vpn.server().log().mark();
    fs::remove_file(vpn.pki().crl()).unwrap();
    vpn.server().log().wait_for_since(mark, GONE, LIMIT).unwrap();
    let mut alice = StockClient::start(lab.client(1), &vpn.profile("alice").unwrap(), &[]).unwrap();
    alice.wait_refused(REFUSED, LIMIT).unwrap();

    let mark = vpn.server().log().mark();
    vpn.replace_crl(list).unwrap();
    vpn.server().log().wait_for_since(mark, IN_FORCE, LIMIT).unwrap();
    let _alice = vpn.connect(lab.client(1), "alice", &[]).unwrap();
    ping::require(lab.client(1), TARGET, LIMIT).unwrap();
}

#[test]
fn revoking_with_real_easy_rsa_works_as_well() {
    let lab = Lab::new(1).unwrap();
    let pki = Pki::by_easy_rsa(lab.scratch().join("pki"), KeyKind::P256).unwrap();
    let vpn = Vpn::start_with_pki(&lab, &postern(), pki, &["alice"], ServerPlan::default()).unwrap();
    let mut alice = vpn.connect(lab.client(1), "alice", &[]).unwrap();
    vpn.pki().revoke("alice").unwrap();
    vpn.pki().gen_crl().unwrap();
    alice.wait_refused(REFUSED, LIMIT).unwrap();
}
