//! One TCP connection: written to by any thread, read by one.

use std::io::{self, IoSlice};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::net::{RecvFlags, SendAncillaryBuffer, SendFlags, recv, sendmsg};
use vpn_proto::Path;
use vpn_proto::wire::tcp::{LONGEST_PACKET, PREFIX, prefix};

use super::output::{Output, Precedence};
use crate::transport::poller::{Interest, Poller, Token};

/// An open connection. It closes when the last holder lets go of it.
#[derive(Debug)]
pub struct Connection {
    path: Path,
    stream: TcpStream,
    poller: Poller,
    token: Token,
    is_known: AtomicBool,
    is_guest: AtomicBool,
    outgoing: Mutex<Outgoing>,
}

/// The connection was closed, or broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionGone;

/// What became of packets that were to be sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// Packets that were written or wait to be.
    pub packets: usize,
    /// Packets for which there was no room.
    pub dropped: usize,
}

#[derive(Debug, Default)]
struct Outgoing {
    output: Output,
    stage: Stage,
    is_paused: bool,
    /// What the poller waits for.
    interest: Interest,
}

/// How long a connection still lives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stage {
    #[default]
    Open,
    /// Until what waits was written.
    Closing,
    Shut,
}

impl Connection {
    /// A connection on `path`, which `poller` watches under `token` from here on.
    pub fn open(path: Path, stream: TcpStream, poller: Poller, token: Token) -> io::Result<Self> {
        poller.add(&stream, token, Interest::Read)?;
        Ok(Self {
            path,
            stream,
            poller,
            token,
            is_known: AtomicBool::new(false),
            is_guest: AtomicBool::new(false),
            outgoing: Mutex::default(),
        })
    }

    /// Where it is.
    #[must_use]
    pub const fn path(&self) -> Path {
        self.path
    }

    /// Whether the control side keeps something about it, and has to hear of its end.
    #[must_use]
    pub fn is_known(&self) -> bool {
        self.is_known.load(Ordering::Relaxed)
    }

    /// Whether a client that was let in uses it.
    #[must_use]
    pub fn is_guest(&self) -> bool {
        self.is_guest.load(Ordering::Relaxed)
    }

    /// Has the reader's thread woken for what arrives, or not until further notice: the peer's system keeps it then.
    pub fn set_paused(&self, is_paused: bool) {
        let mut outgoing = self.outgoing();
        outgoing.is_paused = is_paused;
        self.watch(&mut outgoing);
    }

    /// Reads what has arrived; 0 at the end of the stream.
    pub fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let (received, _) = recv(&self.stream, buffer, RecvFlags::empty())?;
        Ok(received)
    }

    /// Sends `packets`, which are cut every `segment` octets, each as a frame. Never waits.
    pub fn send(
        &self,
        packets: &[u8],
        segment: usize,
        precedence: Precedence,
    ) -> Result<Taken, ConnectionGone> {
        if segment.min(packets.len()) > LONGEST_PACKET {
            return Ok(Taken { packets: 0, dropped: packets.len().div_ceil(segment) });
        }
        let mut outgoing = self.outgoing();
        if outgoing.stage != Stage::Open {
            return Err(ConnectionGone);
        }
        let written =
            if outgoing.output.is_empty() { self.write_now(&mut outgoing, packets, segment)? } else { 0 };
        let taken = outgoing.queue(packets, segment, precedence, written);
        if taken.dropped > 0 && precedence == Precedence::Control {
            self.shut_down(&mut outgoing);
            return Err(ConnectionGone);
        }
        self.watch(&mut outgoing);
        Ok(taken)
    }

    /// Writes what waits, as far as it goes: for the reader's thread, when there is room again.
    pub fn flush(&self) -> Result<(), ConnectionGone> {
        let mut outgoing = self.outgoing();
        while !outgoing.output.is_empty() {
            match self.write(&outgoing.output.slices()) {
                Ok(count) => outgoing.output.consume(count),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(_) => {
                    self.shut_down(&mut outgoing);
                    return Err(ConnectionGone);
                }
            }
        }
        if outgoing.stage == Stage::Closing && outgoing.output.is_empty() {
            self.shut_down(&mut outgoing);
        }
        self.watch(&mut outgoing);
        Ok(())
    }

    /// Closes the connection once the control packets that wait have left; takes no more of any kind.
    pub fn close_when_flushed(&self) {
        let mut outgoing = self.outgoing();
        if outgoing.stage != Stage::Open {
            return;
        }
        outgoing.stage = Stage::Closing;
        outgoing.output.drop_data();
        if outgoing.output.is_empty() {
            self.shut_down(&mut outgoing);
        }
    }

    /// Closes the connection at once: its reader finds the end of the stream.
    pub fn shut(&self) {
        self.shut_down(&mut self.outgoing());
    }

    /// Whether it was closed from this side.
    #[must_use]
    pub fn is_shut(&self) -> bool {
        self.outgoing().stage == Stage::Shut
    }

    pub(super) fn set_guest(&self) {
        self.is_guest.store(true, Ordering::Relaxed);
    }

    pub(super) fn set_known(&self) {
        self.is_known.store(true, Ordering::Relaxed);
    }

    /// The reader lets go: nothing is reported and nothing can be sent any more.
    pub fn abandon(&self) {
        // A descriptor that is not watched is what was wanted.
        let _ = self.poller.remove(&self.stream);
        self.shut();
    }

    /// The reader hands the connection to somebody else, as it is.
    pub fn hand_over(&self) -> io::Result<TcpStream> {
        let mut outgoing = self.outgoing();
        outgoing.stage = Stage::Shut;
        self.poller.remove(&self.stream)?;
        self.stream.try_clone()
    }

    /// Writes packets without queueing; answers with how many octets of their frames were written.
    fn write_now(
        &self,
        outgoing: &mut Outgoing,
        packets: &[u8],
        segment: usize,
    ) -> Result<usize, ConnectionGone> {
        let mut written = 0;
        for batch in packets.chunks(segment.max(1).saturating_mul(FRAMES_PER_WRITE)) {
            let length = batch.len() + PREFIX * batch.len().div_ceil(segment.max(1));
            match self.write_frames(batch, segment) {
                Ok(count) if count == length => written += count,
                Ok(count) => return Ok(written + count),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(written),
                Err(_) => {
                    self.shut_down(outgoing);
                    return Err(ConnectionGone);
                }
            }
        }
        Ok(written)
    }

    /// Writes up to [`FRAMES_PER_WRITE`] frames from where their packets are.
    fn write_frames(&self, packets: &[u8], segment: usize) -> io::Result<usize> {
        let mut prefixes = [[0; PREFIX]; FRAMES_PER_WRITE];
        let mut slices = [IoSlice::new(&[]); 2 * FRAMES_PER_WRITE];
        let places = prefixes.iter_mut().zip(slices.chunks_exact_mut(2));
        let mut used = 0;
        for (packet, (place, slices)) in packets.chunks(segment.max(1)).zip(places) {
            *place = prefix(packet.len()).ok_or(io::ErrorKind::InvalidInput)?;
            slices[0] = IoSlice::new(place);
            slices[1] = IoSlice::new(packet);
            used += 2;
        }
        self.write(&slices[..used])
    }

    fn write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        Ok(sendmsg(&self.stream, slices, &mut SendAncillaryBuffer::default(), SendFlags::NOSIGNAL)?)
    }

    /// Has the reader's thread woken for what there is to do: to read unless that is paused, to write what waits.
    fn watch(&self, outgoing: &mut Outgoing) {
        let interest = match (outgoing.is_paused, outgoing.output.is_empty()) {
            (false, true) => Interest::Read,
            (false, false) => Interest::ReadAndWrite,
            (true, true) => Interest::Nothing,
            (true, false) => Interest::Write,
        };
        if outgoing.interest == interest || outgoing.stage == Stage::Shut {
            return;
        }
        match self.poller.change(&self.stream, self.token, interest) {
            Ok(()) => outgoing.interest = interest,
            // Nobody would ever write what waits, or read.
            Err(_) => self.shut_down(outgoing),
        }
    }

    fn shut_down(&self, outgoing: &mut Outgoing) {
        if outgoing.stage != Stage::Shut {
            outgoing.stage = Stage::Shut;
            outgoing.output = Output::default();
            // It fails for a connection that is not there any more, which is as well.
            let _ = self.stream.shutdown(Shutdown::Both);
        }
    }

    /// The queue is valid at every moment, so a panic elsewhere does not spoil it.
    fn outgoing(&self) -> MutexGuard<'_, Outgoing> {
        self.outgoing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Outgoing {
    /// Queues what is left of `packets` after the first `written` octets of their frames.
    fn queue(&mut self, packets: &[u8], segment: usize, precedence: Precedence, written: usize) -> Taken {
        let (mut taken, mut end) = (Taken::default(), 0);
        for packet in packets.chunks(segment.max(1)) {
            let start = end;
            end += PREFIX + packet.len();
            let has_place = match prefix(packet.len()) {
                _ if end <= written => true,
                Some(prefix) if start < written => {
                    self.output.begin(prefix, packet, written - start);
                    true
                }
                Some(_) => self.output.push(precedence, packet).is_ok(),
                None => false,
            };
            if has_place {
                taken.packets += 1;
            } else {
                taken.dropped += 1;
            }
        }
        taken
    }
}

/// Frames that one call writes.
const FRAMES_PER_WRITE: usize = 64;

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::net::TcpListener;
    use std::time::Duration;

    use socket2::SockRef;
    use vpn_proto::wire::tcp::Frames;
    use vpn_proto::{ListenerId, Transport};

    use super::super::output::{CONTROL_LIMIT, DATA_LIMIT};
    use super::*;
    use crate::transport::poller::ReadyList;

    #[test]
    fn many_packets_leave_as_frames_in_one_call_and_in_order() {
        let mut pair = Pair::new();
        let packets: Vec<u8> = (0..150_u8).flat_map(|number| [number; 100]).chain([150; 40]).collect();
        let taken = pair.near.send(&packets, 100, Precedence::Data).unwrap();
        assert_eq!(taken, Taken { packets: 151, dropped: 0 });
        pair.near.shut();
        let expected: Vec<_> = packets.chunks(100).map(<[u8]>::to_vec).collect();
        assert_eq!(pair.received(), expected);
    }

    #[test]
    fn net_09_a_slow_reader_loses_data_and_no_control_and_gets_whole_frames() {
        let mut pair = Pair::new();
        let packet = |kind, number: usize| [&[kind][..], &number.to_be_bytes(), &[0; 1400]].concat();
        let mut sent = [0, 0];
        let mut dropped = 0;
        for number in 0.. {
            let taken = pair.near.send(&packet(0, number), 1409, Precedence::Data).unwrap();
            dropped += taken.dropped;
            sent[0] += taken.packets;
            if number % 100 == 0 && sent[1] < CONTROL_LIMIT / 2000 {
                pair.near.send(&packet(1, number), 1409, Precedence::Control).unwrap();
                sent[1] += 1;
            }
            if dropped > 1000 {
                break;
            }
        }
        let near = std::thread::spawn({
            let connection = std::sync::Arc::clone(&pair.near);
            move || {
                while !connection.outgoing().output.is_empty() {
                    connection.flush().unwrap();
                    std::thread::sleep(Duration::from_micros(100));
                }
                connection.shut();
            }
        });
        let received = pair.received();
        near.join().unwrap();
        for kind in [0, 1] {
            let of_kind: Vec<_> = received.iter().filter(|packet| packet[0] == kind).collect();
            assert_eq!(of_kind.len(), sent[usize::from(kind)]);
            assert!(of_kind.is_sorted());
        }
    }

    #[test]
    fn a_connection_that_takes_no_control_packets_is_given_up() {
        let pair = Pair::new();
        fill(&pair.near);
        let outcomes: Vec<_> = (0..=CONTROL_LIMIT / 1000)
            .map(|_| pair.near.send(&[1; 1000], 1000, Precedence::Control))
            .collect();
        assert!(outcomes[0].is_ok());
        assert_eq!(outcomes.last(), Some(&Err(ConnectionGone)));
        assert!(pair.near.is_shut());
    }

    #[test]
    fn its_reader_is_woken_when_there_is_room_and_only_while_something_waits() {
        let pair = Pair::new();
        assert!(!pair.is_writable(Duration::ZERO));
        fill(&pair.near);
        let far = pair.far.try_clone().unwrap();
        let reader = std::thread::spawn(move || io::copy(&mut &far, &mut io::sink()));
        while !pair.near.outgoing().output.is_empty() {
            assert!(pair.is_writable(Duration::from_secs(60)));
            pair.near.flush().unwrap();
        }
        assert!(!pair.is_writable(Duration::from_millis(20)), "nothing waits");
        pair.near.shut();
        reader.join().unwrap().unwrap();
    }

    #[test]
    fn closing_waits_for_control_packets_and_for_nothing_else() {
        let mut pair = Pair::new();
        fill(&pair.near);
        pair.near.send(b"farewell", 8, Precedence::Control).unwrap();
        pair.near.close_when_flushed();
        assert!(!pair.near.is_shut());
        assert_eq!(pair.near.send(b"more", 4, Precedence::Control), Err(ConnectionGone));
        let connection = std::sync::Arc::clone(&pair.near);
        let near = std::thread::spawn(move || {
            while !connection.is_shut() {
                connection.flush().unwrap();
                std::thread::sleep(Duration::from_micros(100));
            }
        });
        assert_eq!(pair.received().last().map(Vec::as_slice), Some(&b"farewell"[..]));
        near.join().unwrap();
    }

    #[test]
    fn closing_is_at_once_where_nothing_waits() {
        let mut pair = Pair::new();
        pair.near.send(b"farewell", 8, Precedence::Control).unwrap();
        pair.near.close_when_flushed();
        assert!(pair.near.is_shut());
        assert_eq!(pair.received(), [b"farewell"]);
    }

    #[test]
    fn its_reader_finds_out_when_it_is_shut() {
        let pair = Pair::new();
        pair.near.shut();
        let mut list = ReadyList::with_capacity(1);
        pair.poller.wait(&mut list, Some(Duration::from_secs(60))).unwrap();
        assert!(list.iter().next().is_some_and(|ready| ready.can_read));
        assert_eq!(pair.near.read(&mut [0; 10]).unwrap(), 0);
    }

    #[test]
    fn a_peer_that_went_away_is_an_error_and_no_signal() {
        let pair = Pair::new();
        SockRef::from(&pair.far).set_linger(Some(Duration::ZERO)).unwrap();
        drop(pair.far);
        let is_gone = || pair.near.send(b"anybody there?", 14, Precedence::Data) == Err(ConnectionGone);
        assert!((0..60_000).any(|_| {
            std::thread::sleep(Duration::from_millis(1));
            is_gone()
        }));
    }

    #[test]
    fn what_no_frame_can_hold_is_dropped() {
        let mut pair = Pair::new();
        let too_long = [0; LONGEST_PACKET + 1];
        for precedence in [Precedence::Data, Precedence::Control] {
            let taken = pair.near.send(&too_long, too_long.len(), precedence);
            assert_eq!(taken, Ok(Taken { packets: 0, dropped: 1 }));
        }
        pair.near.send(&too_long[1..], LONGEST_PACKET, Precedence::Data).unwrap();
        pair.near.shut();
        assert_eq!(pair.received().len(), 1);
    }

    /// Both ends of a connection over the loopback interface.
    struct Pair {
        near: std::sync::Arc<Connection>,
        far: TcpStream,
        poller: Poller,
    }

    impl Pair {
        fn new() -> Self {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let far = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let (stream, remote) = listener.accept().unwrap();
            stream.set_nonblocking(true).unwrap();
            SockRef::from(&stream).set_send_buffer_size(16 * 1024).unwrap();
            let poller = Poller::new().unwrap();
            let path = Path { listener: ListenerId(0), transport: Transport::Tcp, remote, local: None };
            let near = Connection::open(path, stream, poller.clone(), Token(5)).unwrap();
            Self { near: std::sync::Arc::new(near), far, poller }
        }

        /// Everything up to the end.
        fn received(&mut self) -> Vec<Vec<u8>> {
            let mut stream = vec![];
            self.far.read_to_end(&mut stream).unwrap();
            let (mut frames, mut packets) = (Frames::new(&mut stream), vec![]);
            while let Some(packet) = frames.next_packet().unwrap() {
                packets.push(packet.to_vec());
            }
            assert!(frames.rest().is_empty());
            packets
        }

        fn is_writable(&self, patience: Duration) -> bool {
            let mut list = ReadyList::with_capacity(1);
            self.poller.wait(&mut list, Some(patience)).unwrap();
            list.iter().any(|ready| ready.can_write)
        }
    }

    /// Sends data until it is dropped.
    fn fill(connection: &Connection) {
        let sends = 100 * DATA_LIMIT / 1000;
        let is_full = |_| connection.send(&[0; 1000], 1000, Precedence::Data).unwrap().dropped > 0;
        assert!((0..sends).any(is_full));
    }
}
