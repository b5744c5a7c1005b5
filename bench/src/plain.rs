//! Plain UDP packets in the network behind the server: the other end of the tunnels' traffic.

use std::io;
use std::net::{Ipv4Addr, UdpSocket};
use std::time::{Duration, Instant};

use serde::Serialize;
use vpn_server::transport::udp::UdpListener;
use vpn_server::transport::{DatagramSocket, ReceiveBatch};

use crate::args::{BlastArgs, SinkArgs};
use crate::error::BenchError;
use crate::member::send_segmented;
use crate::pace::Pace;
use crate::report;

#[derive(Debug, Serialize)]
struct Blasted {
    sent: u64,
    seconds: f64,
}

#[derive(Debug, Serialize)]
struct Sunk {
    packets: u64,
    octets: u64,
    /// From the first packet to the last.
    seconds: f64,
}

/// Sends to every address in turn.
pub(crate) fn blast(arguments: &BlastArgs) -> Result<(), BenchError> {
    let stream = &arguments.stream;
    let sockets = arguments.targets.iter().map(|target| {
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
        socket.connect((*target, stream.port))?;
        Ok(socket)
    });
    let sockets = sockets.collect::<io::Result<Vec<_>>>().map_err(BenchError::system("open a socket"))?;
    let datagram = usize::from(stream.size) - HEADERS;
    let burst = vec![0x44; datagram * usize::from(stream.burst)];
    let (pace, mut sent) = (Pace::start(stream.rate), 0);
    while pace.elapsed() < stream.seconds {
        for socket in &sockets {
            if send_segmented(socket, &burst, datagram).is_ok() {
                sent += u64::from(stream.burst);
            }
            pace.wait(sent);
        }
    }
    report::result(&Blasted { sent, seconds: pace.elapsed().as_secs_f64() });
    Ok(())
}

/// Counts what arrives.
pub(crate) fn sink(arguments: &SinkArgs) -> Result<(), BenchError> {
    let failed = |error: vpn_server::transport::bind::BindError| BenchError::System {
        doing: "listen",
        source: io::Error::other(error),
    };
    let socket = UdpListener::bind((Ipv4Addr::UNSPECIFIED, arguments.port).into()).map_err(failed)?;
    report::ready("");
    let mut batch = ReceiveBatch::new();
    let (started, mut first, mut last) = (Instant::now(), None, None);
    let (mut packets, mut octets) = (0, 0);
    while started.elapsed() < arguments.seconds {
        if socket.receive(&mut batch).is_err() {
            wait_readable(&socket);
            continue;
        }
        first.get_or_insert_with(Instant::now);
        last = Some(Instant::now());
        for (received, _) in batch.iter_mut() {
            packets += received.length.div_ceil(received.stride.max(1)) as u64;
            octets += received.length as u64;
        }
    }
    let seconds = first.zip(last).map_or(0.0, |(first, last)| last.duration_since(first).as_secs_f64());
    report::result(&Sunk { packets, octets, seconds });
    Ok(())
}

fn wait_readable(socket: &UdpListener) {
    let mut sockets = [rustix::event::PollFd::new(socket, rustix::event::PollFlags::IN)];
    // A wait that fails is repeated by the caller.
    let _ = rustix::event::poll(&mut sockets, Duration::from_millis(50).try_into().ok().as_ref());
}

/// The IP and UDP headers of a packet.
const HEADERS: usize = 28;
