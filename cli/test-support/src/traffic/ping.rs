//! An even series of ICMP echo requests with exact bookkeeping of what was lost and when.

use std::collections::BTreeMap;
use std::io::Read;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::net::sockopt::set_socket_recv_buffer_size_force;
use socket2::{Domain, Protocol, Socket, Type};

use crate::failure::{Context, Failure, Result};
use crate::host::Host;
use crate::wait;

/// How long an answer may be under way when a series ends.
const LAST_CALL: Duration = Duration::from_secs(30);
/// Holds what comes while the receiving thread has to wait for a processor for many seconds.
const RECEIVE_BUFFER: usize = 4 << 20;
/// How often the receiving thread looks up from its socket.
const RECEIVE_SLICE: Duration = Duration::from_millis(100);
/// Request and reply: type, code, checksum, identifier, sequence, then our 32-bit number.
const MESSAGE_LENGTH: usize = 8 + 4;

/// What the two families call the same thing.
#[derive(Clone, Copy)]
struct Dialect {
    request: u8,
    reply: u8,
    /// Whether what a raw socket receives begins with the IP header.
    shows_header: bool,
}

const ICMP: Dialect = Dialect { request: 8, reply: 0, shows_header: true };
const ICMP_V6: Dialect = Dialect { request: 128, reply: 129, shows_header: false };

/// Tells the series of this process apart.
static NEXT_IDENTIFIER: AtomicU16 = AtomicU16::new(1);

/// A series of pings that goes on until it is stopped.
pub struct Ping {
    destination: String,
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    sending_stopped: AtomicBool,
    receiving_stopped: AtomicBool,
    series: Mutex<BTreeMap<u32, Echo>>,
}

/// One request and its fate.
#[derive(Clone, Copy, Debug)]
struct Echo {
    sent: Instant,
    answered: Option<Instant>,
}

impl Ping {
    /// Starts to ping `destination` from `host`, once per `interval`.
    pub fn start(host: &Host, destination: impl Into<IpAddr>, interval: Duration) -> Result<Self> {
        let destination = destination.into();
        let (domain, protocol, dialect) = match destination {
            IpAddr::V4(_) => (Domain::IPV4, Protocol::ICMPV4, ICMP),
            IpAddr::V6(_) => (Domain::IPV6, Protocol::ICMPV6, ICMP_V6),
        };
        let socket = host.enter(|| Socket::new(domain, Type::RAW, Some(protocol)))?;
        let socket = Arc::new(socket.context("making a raw socket")?);
        socket.set_read_timeout(Some(RECEIVE_SLICE)).context("setting a time limit")?;
        set_socket_recv_buffer_size_force(&socket, RECEIVE_BUFFER).context("enlarging the receive buffer")?;
        let identifier = NEXT_IDENTIFIER.fetch_add(1, Ordering::Relaxed);
        let shared = Arc::<Shared>::default();
        let receiver = {
            let (socket, shared) = (Arc::clone(&socket), Arc::clone(&shared));
            thread::spawn(move || shared.receive(&socket, identifier, dialect))
        };
        let sender = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || shared.send(&socket, destination, identifier, interval, dialect))
        };
        Ok(Self {
            destination: format!("{destination} from {}", host.name()),
            shared,
            threads: vec![receiver, sender],
        })
    }

    /// Waits until `count` more replies than now have come.
    pub fn wait_for_replies(&self, count: usize, limit: Duration) -> Result<()> {
        let before = self.report().received();
        wait::until(&format!("{count} replies of {}", self.destination), limit, || {
            Ok((self.report().received() >= before + count).then_some(()))
        })
    }

    /// The series so far; replies may still be under way.
    #[must_use]
    pub fn report(&self) -> PingReport {
        PingReport(self.shared.series().values().copied().collect())
    }

    /// Stops sending, waits for the replies under way, and answers with the whole series.
    #[must_use]
    pub fn stop(self) -> PingReport {
        self.stop_within(LAST_CALL)
    }

    /// The same for a series of which some replies stay away: waits for them no longer than `limit`.
    #[must_use]
    pub fn stop_within(mut self, limit: Duration) -> PingReport {
        self.shared.sending_stopped.store(true, Ordering::Relaxed);
        let _whatever_is_missing_is_lost =
            wait::until("the last reply", limit, || Ok(self.report().lost().is_empty().then_some(())));
        self.end();
        self.report()
    }

    fn end(&mut self) {
        self.shared.sending_stopped.store(true, Ordering::Relaxed);
        self.shared.receiving_stopped.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _panicked_threads_have_said_so = thread.join();
        }
    }
}

impl Drop for Ping {
    fn drop(&mut self) {
        self.end();
    }
}

impl Shared {
    fn series(&self) -> MutexGuard<'_, BTreeMap<u32, Echo>> {
        self.series.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps to a fixed schedule, so that a late thread does not stretch the series.
    fn send(
        &self,
        socket: &Socket,
        destination: IpAddr,
        identifier: u16,
        interval: Duration,
        dialect: Dialect,
    ) {
        let destination = SocketAddr::new(destination, 0).into();
        let start = Instant::now();
        for number in 0.. {
            thread::sleep((start + interval * number).saturating_duration_since(Instant::now()));
            if self.sending_stopped.load(Ordering::Relaxed) {
                return;
            }
            let echo = Echo { sent: Instant::now(), answered: None };
            self.series().insert(number, echo);
            let _no_route_counts_as_lost = socket.send_to(&dialect.request(identifier, number), &destination);
        }
    }

    fn receive(&self, mut socket: &Socket, identifier: u16, dialect: Dialect) {
        let mut packet = [0; 1500];
        while !self.receiving_stopped.load(Ordering::Relaxed) {
            let Ok(length) = socket.read(&mut packet) else {
                continue;
            };
            if let Some(number) = dialect.reply_number(&packet[..length], identifier)
                && let Some(echo) = self.series().get_mut(&number)
            {
                echo.answered.get_or_insert_with(Instant::now);
            }
        }
    }
}

/// A series of pings, in the order of sending.
#[derive(Clone, Debug)]
pub struct PingReport(Vec<Echo>);

impl PingReport {
    /// How many requests were sent.
    #[must_use]
    pub fn sent(&self) -> usize {
        self.0.len()
    }

    /// How many of them were answered.
    #[must_use]
    pub fn received(&self) -> usize {
        self.0.iter().filter(|echo| echo.answered.is_some()).count()
    }

    /// When the unanswered requests were sent.
    #[must_use]
    pub fn lost(&self) -> Vec<Instant> {
        self.0.iter().filter(|echo| echo.answered.is_none()).map(|echo| echo.sent).collect()
    }

    /// When the last reply came.
    #[must_use]
    pub fn last_reply(&self) -> Option<Instant> {
        self.0.iter().filter_map(|echo| echo.answered).max()
    }
}

/// Whether `destination` answers `host` within `limit`. Asks ten times a second.
pub fn reaches(host: &Host, destination: impl Into<IpAddr>, limit: Duration) -> Result<bool> {
    let ping = Ping::start(host, destination, Duration::from_millis(100))?;
    Ok(ping.wait_for_replies(1, limit).is_ok())
}

/// `destination` must answer `host` within `limit`.
pub fn require(host: &Host, destination: impl Into<IpAddr>, limit: Duration) -> Result<()> {
    let destination = destination.into();
    if reaches(host, destination, limit)? {
        return Ok(());
    }
    Err(Failure::new(format!("{destination} does not answer {} within {limit:?}", host.name())))
}

impl Dialect {
    /// The kernel puts the checksum of ICMPv6 in by itself.
    fn request(self, identifier: u16, number: u32) -> [u8; MESSAGE_LENGTH] {
        let [_, _, high, low] = number.to_be_bytes();
        let mut message = [0; MESSAGE_LENGTH];
        message[0] = self.request;
        message[4..6].copy_from_slice(&identifier.to_be_bytes());
        message[6..8].copy_from_slice(&[high, low]);
        message[8..].copy_from_slice(&number.to_be_bytes());
        let sum = checksum(&message);
        message[2..4].copy_from_slice(&sum.to_be_bytes());
        message
    }

    /// The number in a reply of series `identifier`.
    fn reply_number(self, packet: &[u8], identifier: u16) -> Option<u32> {
        let header_length = if self.shows_header { usize::from(packet.first()? & 0x0f) * 4 } else { 0 };
        let message: &[u8; MESSAGE_LENGTH] = packet.get(header_length..)?.first_chunk()?;
        let ours = message[0] == self.reply && message[4..6] == identifier.to_be_bytes();
        ours.then(|| message.last_chunk().map(|number| u32::from_be_bytes(*number)))?
    }
}

/// The Internet checksum (RFC 1071) of a message of even length.
fn checksum(message: &[u8]) -> u16 {
    let sum: u32 = message.chunks_exact(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(pair[1])).sum();
    let [a, b, c, d] = sum.to_be_bytes();
    let folded = u32::from(u16::from_be_bytes([a, b])) + u32::from(u16::from_be_bytes([c, d]));
    let [_, carry, high, low] = folded.to_be_bytes();
    !(u16::from_be_bytes([high, low]).wrapping_add(u16::from(carry)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_with_its_checksum_sums_to_zero() {
        assert_eq!(checksum(&ICMP.request(0xfffe, 0xffff_fffe)), 0);
        assert_eq!(checksum(&ICMP.request(1, 0)), 0);
    }

    #[test]
    fn a_reply_is_recognised_by_type_and_identifier() {
        let mut packet = vec![0x45; 20];
        packet.extend_from_slice(&ICMP.request(7, 70_000));
        assert_eq!(ICMP.reply_number(&packet, 7), None, "a request is not a reply");
        packet[20] = ICMP.reply;
        assert_eq!(ICMP.reply_number(&packet, 7), Some(70_000));
        assert_eq!(ICMP.reply_number(&packet, 8), None);
        assert_eq!(ICMP.reply_number(&packet[..25], 7), None);
        let mut message = ICMP_V6.request(7, 70_000);
        message[0] = ICMP_V6.reply;
        assert_eq!(ICMP_V6.reply_number(&message, 7), Some(70_000));
    }

    #[test]
    fn a_report_counts_what_has_no_answer() {
        let start = Instant::now();
        let at = |milliseconds| start + Duration::from_millis(milliseconds);
        let echo = |sent, answered: Option<u64>| Echo { sent: at(sent), answered: answered.map(at) };
        let report = PingReport(vec![echo(0, Some(1)), echo(20, None), echo(40, Some(45))]);
        assert_eq!((report.sent(), report.received()), (3, 2));
        assert_eq!(report.lost(), [at(20)]);
        assert_eq!(report.last_reply(), Some(at(45)));
    }
}
