//! A large TCP transfer of which every byte is compared.
//!
//! Both ends compute the same pseudo-random stream. That finds what a checksum finds, and says where.

use std::fmt;
use std::io::{Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use crate::failure::{Context, Failure, Result};
use crate::host::Host;

/// A transfer that makes no progress for this long has failed. There is no limit on the whole.
const STALL: Duration = Duration::from_secs(60);
/// The unit of sending and comparing.
const BLOCK: usize = 64 * 1024;

/// Which way the bytes go, seen from the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the client to the target.
    Upload,
    /// From the target to the client.
    Download,
}

/// What to move.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// Which way.
    pub direction: Direction,
    /// How much.
    pub bytes: u64,
    /// At most so many bytes per second. Without it TCP fills every queue on the way until packets are dropped, and
    /// other traffic loses packets through nobody's fault.
    pub pace: Option<u32>,
}

impl Load {
    /// As fast as it goes.
    #[must_use]
    pub fn new(direction: Direction, bytes: u64) -> Self {
        Self { direction, bytes, pace: None }
    }

    /// At most `bytes_per_second`.
    #[must_use]
    pub fn paced(self, bytes_per_second: u32) -> Self {
        Self { pace: Some(bytes_per_second), ..self }
    }
}

/// A finished transfer.
#[derive(Clone, Copy, Debug)]
pub struct Transfer {
    /// How many bytes arrived as they were sent.
    pub bytes: u64,
    /// From the connection to the last byte.
    pub elapsed: Duration,
}

/// Size, duration and rate, for the record.
impl fmt::Display for Transfer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mebibytes = self.bytes >> 20;
        let microseconds = self.elapsed.as_micros().max(1);
        let megabits_per_second = u128::from(self.bytes) * 8 / microseconds;
        write!(
            out,
            "{mebibytes} MiB in {:.1?}, {megabits_per_second} Mbit/s, every byte compared",
            self.elapsed
        )
    }
}

/// Moves `load` between `client`, which connects, and `target` at `address`.
pub fn transfer(client: &Host, target: &Host, address: impl Into<IpAddr>, load: Load) -> Result<Transfer> {
    let listener = target.tcp_listener(address)?;
    let to = listener.local_addr().context("asking for the port")?;
    thread::scope(|scope| {
        let far_end = scope.spawn(|| serve(&listener, load));
        let near_end = connect(client, to, load);
        let far_end = far_end.join().unwrap_or_else(|_| Err(Failure::new("the far end panicked")));
        far_end.and(near_end)
    })
}

fn serve(listener: &TcpListener, load: Load) -> Result<()> {
    listener.set_nonblocking(true).context("preparing to accept")?;
    let connection = crate::wait::until("a connection to the far end", STALL, || match listener.accept() {
        Ok((connection, _)) => Ok(Some(connection)),
        Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(Failure::new(format!("accepting a connection: {error}"))),
    })?;
    connection.set_nonblocking(false).context("preparing the connection")?;
    match load.direction {
        Direction::Upload => receive(connection, load),
        Direction::Download => send(connection, load),
    }
}

fn connect(client: &Host, to: SocketAddr, load: Load) -> Result<Transfer> {
    let start = Instant::now();
    let connection = client.tcp_connection(to)?;
    match load.direction {
        Direction::Upload => send(connection, load)?,
        Direction::Download => receive(connection, load)?,
    }
    Ok(Transfer { bytes: load.bytes, elapsed: start.elapsed() })
}

/// Sends the stream and waits until the receiver has closed, that is, has compared everything.
fn send(mut connection: TcpStream, load: Load) -> Result<()> {
    limit_stalls(&connection)?;
    let mut blocks = Blocks::new(load.bytes);
    let mut sent: u64 = 0;
    let start = Instant::now();
    while let Some(block) = blocks.next_block() {
        if let Some(pace) = load.pace {
            let due = start + Duration::from_millis(sent * 1000 / u64::from(pace));
            thread::sleep(due.saturating_duration_since(Instant::now()));
        }
        connection.write_all(block).context(format!("sending after {sent} bytes"))?;
        sent += block.len() as u64;
    }
    connection.shutdown(Shutdown::Write).context("closing the sending side")?;
    let surplus = connection.read(&mut [0; 1]).context("waiting for the receiver to close")?;
    (surplus == 0).then_some(()).ok_or_else(|| Failure::new("the receiver sent something"))
}

fn receive(mut connection: TcpStream, Load { bytes, .. }: Load) -> Result<()> {
    limit_stalls(&connection)?;
    let mut blocks = Blocks::new(bytes);
    let mut arrived = [0; BLOCK];
    let mut received: u64 = 0;
    while let Some(expected) = blocks.next_block() {
        let arrived = &mut arrived[..expected.len()];
        connection.read_exact(arrived).context(format!("receiving after {received} bytes"))?;
        if let Some(at) = first_difference(arrived, expected) {
            let offset = received + at as u64;
            return Err(Failure::new(format!("the stream is corrupted at byte {offset} of {bytes}")));
        }
        received += expected.len() as u64;
    }
    let surplus = connection.read(&mut [0; 1]).context("waiting for the sender to close")?;
    (surplus == 0).then_some(()).ok_or_else(|| Failure::new(format!("more than {bytes} bytes arrived")))
}

fn limit_stalls(connection: &TcpStream) -> Result<()> {
    connection.set_read_timeout(Some(STALL)).context("limiting stalls")?;
    connection.set_write_timeout(Some(STALL)).context("limiting stalls")
}

fn first_difference(left: &[u8], right: &[u8]) -> Option<usize> {
    if left == right {
        return None;
    }
    left.iter().zip(right).position(|(left, right)| left != right)
}

/// The stream, block by block: SplitMix64 from a fixed start.
struct Blocks {
    state: u64,
    left: u64,
    block: Box<[u8; BLOCK]>,
}

impl Blocks {
    fn new(bytes: u64) -> Self {
        Self { state: 0x0bad_5eed, left: bytes, block: Box::new([0; BLOCK]) }
    }

    /// The next block, shorter at the end of the stream.
    fn next_block(&mut self) -> Option<&[u8]> {
        let length = usize::try_from(self.left).unwrap_or(BLOCK).min(BLOCK);
        if length == 0 {
            return None;
        }
        let state = &mut self.state;
        for word in self.block.chunks_exact_mut(8) {
            word.copy_from_slice(&split_mix(state).to_le_bytes());
        }
        self.left -= length as u64;
        Some(&self.block[..length])
    }
}

fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn the_stream_has_the_asked_length_and_does_not_repeat() {
        let mut blocks = Blocks::new(2 * BLOCK as u64 + 5);
        let first = blocks.next_block().unwrap().to_vec();
        let second = blocks.next_block().unwrap().to_vec();
        assert_eq!((first.len(), second.len()), (BLOCK, BLOCK));
        assert_ne!(first, second);
        assert_eq!(blocks.next_block().unwrap().len(), 5);
        assert!(blocks.next_block().is_none());
    }

    #[test]
    fn a_finished_transfer_says_how_fast_it_was() {
        let done = Transfer { bytes: 64 << 20, elapsed: Duration::from_millis(500) };
        assert_eq!(done.to_string(), "64 MiB in 500.0ms, 1073 Mbit/s, every byte compared");
    }

    #[test]
    fn finds_the_first_wrong_byte() {
        assert_eq!(first_difference(b"abc", b"abc"), None);
        assert_eq!(first_difference(b"abc", b"aXc"), Some(1));
    }

    #[test]
    fn a_paced_transfer_takes_its_time() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let load = Load::new(Direction::Upload, 4 * BLOCK as u64).paced(1_000_000);
        let far_end = thread::spawn(move || serve(&listener, load));
        let start = Instant::now();
        send(TcpStream::connect(address).unwrap(), load).unwrap();
        assert!(start.elapsed() >= Duration::from_millis(190), "{:?}", start.elapsed());
        far_end.join().unwrap().unwrap();
    }

    #[test]
    fn both_ends_agree_over_a_plain_connection_and_notice_a_forged_byte() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let load = Load::new(Direction::Upload, 100_000);
        let far_end = thread::spawn(move || [serve(&listener, load), serve(&listener, load)]);
        send(TcpStream::connect(address).unwrap(), load).unwrap();
        let mut forger = TcpStream::connect(address).unwrap();
        let mut forged = Blocks::new(100_000).next_block().unwrap().to_vec();
        forged[77] ^= 1;
        forger.write_all(&forged).unwrap();
        let outcomes = far_end.join().unwrap();
        outcomes[0].as_ref().unwrap();
        let failure = outcomes[1].as_ref().unwrap_err().to_string();
        assert!(failure.contains("corrupted at byte 77"), "{failure}");
    }
}
