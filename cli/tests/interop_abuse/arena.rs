//! A server under attack, somebody who is connected to it all the time, and somebody who wants to get in.

use std::fs;
use std::net::{SocketAddr, SocketAddrV4};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use test_support::lab::{SERVER, TARGET};
use test_support::stock::client::CONNECTED;
use test_support::traffic::ping::Ping;
use test_support::{Context, Failure, Host, Implementation, Lab, Pki, Result, ServerPlan, StockClient, Vpn};

/// Somebody with a certificate and bad intentions.
pub(crate) const MEMBER: &str = "mallory";
/// The port of the one who is connected, so that it can be forged.
pub(crate) const RESIDENT_PORT: u16 = 5005;
/// When a client counts as shut out.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long replies of a series are waited for of which some stay away.
const LAST_CALL: Duration = Duration::from_secs(2);
const PING_INTERVAL: Duration = Duration::from_millis(10);

/// An attack: goes on until it is told to stop.
pub(crate) struct Attack {
    pub(crate) name: &'static str,
    pub(crate) run: fn(&Target<'_>, &Course) -> Result<()>,
}

/// What an attacker knows.
pub(crate) struct Target<'lab> {
    pub(crate) host: &'lab Host,
    pub(crate) server: SocketAddr,
    pub(crate) resident: SocketAddrV4,
    pub(crate) lab: &'lab Lab,
    pub(crate) pki: &'lab Pki,
}

/// How an attack and its measurement go along.
#[derive(Default)]
pub(crate) struct Course {
    is_under_way: AtomicBool,
    is_over: AtomicBool,
    blows: AtomicU64,
}

impl Course {
    /// The attack has reached its strength.
    pub(crate) fn is_under_way(&self) {
        self.is_under_way.store(true, Ordering::Relaxed);
    }

    /// Whether the attack shall go on.
    pub(crate) fn goes_on(&self) -> bool {
        !self.is_over.load(Ordering::Relaxed)
    }

    /// Counts a packet, or whatever the attack is made of.
    pub(crate) fn count(&self) {
        self.blows.fetch_add(1, Ordering::Relaxed);
    }

    /// Waits until the attack shall end.
    pub(crate) fn hold(&self) {
        while self.goes_on() {
            thread::sleep(Duration::from_millis(5));
        }
    }
}

/// What an attack did.
pub(crate) struct Outcome {
    pub(crate) name: &'static str,
    /// How many packets, connections or sessions it was made of.
    pub(crate) blows: u64,
    pub(crate) lasted: Duration,
    /// How long a client took to get in while the attack went on; `None` if it did not.
    pub(crate) during: Option<Duration>,
    /// The same after it.
    pub(crate) after: Option<Duration>,
    /// What the server's memory had grown by at the end of the attack, in KiB.
    pub(crate) growth: i64,
    /// Processor time of the server.
    pub(crate) processor: Duration,
    pub(crate) pings: usize,
    pub(crate) lost: usize,
}

pub(crate) struct Arena<'lab> {
    lab: &'lab Lab,
    vpn: Vpn<'lab>,
    profile: String,
    options: Vec<String>,
    server: u32,
    _resident: StockClient<'lab>,
}

impl<'lab> Arena<'lab> {
    /// A server on `lab`, which has three clients: attacker, resident, newcomer. Clients have `options`, too.
    pub(crate) fn open(
        lab: &'lab Lab,
        implementation: &Implementation,
        plan: ServerPlan,
        options: &[String],
    ) -> Result<Self> {
        put_the_attacker_elsewhere(lab)?;
        let tcp = plan.tcp;
        let mut vpn = Vpn::start(lab, implementation, &["resident", "newcomer", MEMBER], plan)?;
        let server = vpn.server().process().id();
        let over = |profile: String| if tcp { profile.replace("proto udp", "proto tcp") } else { profile };
        let resident = over(vpn.profile("resident")?).replace("nobind\n", "");
        let borrowed: Vec<&str> = options.iter().map(String::as_str).collect();
        let port = RESIDENT_PORT.to_string();
        let own = [&borrowed[..], &["--lport", &port]].concat();
        let resident = StockClient::connect(lab.client(2), &resident, &own)?;
        let profile = over(vpn.profile("newcomer")?);
        Ok(Self { lab, vpn, profile, options: options.to_vec(), server, _resident: resident })
    }

    /// Lets `attack` go on for at least `duration`, and looks how everybody else fares.
    pub(crate) fn endure(&self, attack: &Attack, duration: Duration) -> Result<Outcome> {
        let course = Course::default();
        let target = Target {
            host: self.lab.client(1),
            server: (SERVER, 1194).into(),
            resident: SocketAddrV4::new(self.lab.client(2).address(), RESIDENT_PORT),
            lab: self.lab,
            pki: self.vpn.pki(),
        };
        let (memory, processor) = (self.memory()?, self.processor()?);
        let pings = Ping::start(self.lab.client(2), TARGET, PING_INTERVAL)?;
        let began = Instant::now();
        let (during, growth) = thread::scope(|scope| {
            let attacker = scope.spawn(|| {
                let outcome = (attack.run)(&target, &course);
                // One that could not even begin must not be waited for.
                course.is_under_way();
                outcome
            });
            while !course.is_under_way.load(Ordering::Relaxed) {
                thread::sleep(Duration::from_millis(5));
            }
            let during = self.usual_time_to_connect();
            thread::sleep(duration.saturating_sub(began.elapsed()));
            let growth = self.memory().map(|now| now - memory);
            course.is_over.store(true, Ordering::Relaxed);
            let attacked = attacker.join().unwrap_or_else(|_| Err(Failure::new("the attacker panicked")));
            attacked.and(Ok((during?, growth?)))
        })?;
        let lasted = began.elapsed();
        let after = self.usual_time_to_connect()?;
        let report = pings.stop_within(LAST_CALL);
        Ok(Outcome {
            name: attack.name,
            blows: course.blows.load(Ordering::Relaxed),
            lasted,
            during,
            after,
            growth,
            processor: self.processor()?.saturating_sub(processor),
            pings: report.sent(),
            lost: report.lost().len(),
        })
    }

    /// The median of three clients, one after the other: the machine may be busy for a moment.
    pub(crate) fn usual_time_to_connect(&self) -> Result<Option<Duration>> {
        let mut times = (0..3).map(|_| self.connect()).collect::<Result<Vec<_>>>()?;
        times.sort_unstable_by_key(|time| time.unwrap_or(Duration::MAX));
        Ok(times[1])
    }

    /// How long a stock client takes from its start to its tunnel.
    fn connect(&self) -> Result<Option<Duration>> {
        let began = Instant::now();
        let options: Vec<&str> = self.options.iter().map(String::as_str).collect();
        let mut client = StockClient::start(self.lab.client(3), &self.profile, &options)?;
        let connected = client.log().wait_for(CONNECTED, PATIENCE).ok();
        client.stop()?;
        Ok(connected.map(|line| line.at.saturating_duration_since(began)))
    }

    /// The server's resident memory in KiB.
    fn memory(&self) -> Result<i64> {
        let file = format!("/proc/{}/status", self.server);
        let status = fs::read_to_string(&file).context(format!("reading {file}"))?;
        let row = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
        row.trim().trim_end_matches(" kB").parse().context(format!("reading {row}"))
    }

    /// The server's processor time so far.
    fn processor(&self) -> Result<Duration> {
        let file = format!("/proc/{}/stat", self.server);
        let stat = fs::read_to_string(&file).context(format!("reading {file}"))?;
        let after_name = stat.rsplit(')').next().unwrap_or_default();
        let ticks = after_name.split_whitespace().skip(11).take(2);
        let ticks: u64 = ticks.filter_map(|ticks| ticks.parse::<u64>().ok()).sum();
        Ok(Duration::from_millis(ticks * MILLISECONDS_PER_TICK))
    }
}

/// Limits are counted by source network, so the attacker has one of its own; and the server knows a way to everybody, so
/// that its answers to forged addresses leave.
fn put_the_attacker_elsewhere(lab: &Lab) -> Result<()> {
    let (attacker, server) = (lab.client(1).namespace(), lab.server().namespace());
    attacker.ip(["address", "add", "198.51.100.7/24", "dev", "wire"])?;
    attacker.ip(["route", "replace", "192.0.2.0/24", "dev", "wire", "src", "198.51.100.7"])?;
    server.ip(["route", "add", "198.51.100.0/24", "dev", "wire"])?;
    server.ip(["route", "add", "default", "via", "192.0.2.254"]).map(drop)
}

/// Linux counts processor time in hundredths of a second for programs.
const MILLISECONDS_PER_TICK: u64 = 10;
