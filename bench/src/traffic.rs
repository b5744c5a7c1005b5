//! UDP packets through tunnels, up and down.

use std::time::{Duration, Instant};

use serde::Serialize;

use crate::args::{DownloadArgs, UploadArgs};
use crate::error::BenchError;
use crate::inner;
use crate::pace::Pace;
use crate::report;
use crate::swarm::Swarm;

#[derive(Debug, Serialize)]
struct Uploaded {
    sent: u64,
    seconds: f64,
}

#[derive(Debug, Serialize)]
struct Downloaded {
    packets: u64,
    octets: u64,
    seconds: f64,
}

/// Sends from every client in turn, and says `READY` with their addresses before.
pub(crate) fn upload(arguments: &UploadArgs) -> Result<(), BenchError> {
    let stream = &arguments.stream;
    let mut swarm = Swarm::new(&arguments.connect)?;
    swarm.bring_up(arguments.sessions)?;
    let packets: Vec<_> = swarm
        .connected()
        .zip(FIRST_PORT..)
        .map(|((_, address, _), port)| {
            inner::udp((address, port), (arguments.target, stream.port), usize::from(stream.size))
        })
        .collect();
    report::ready(&swarm.addresses());
    settle(&mut swarm)?;
    let (pace, clock) = (Pace::start(stream.rate), swarm.clock());
    let (mut sent, mut next_look) = (0, Duration::ZERO);
    while pace.elapsed() < stream.seconds {
        let now = clock.now();
        for ((_, _, member), packet) in swarm.connected().zip(&packets) {
            sent += u64::from(member.send_burst(now, packet, stream.burst));
            pace.wait(sent);
        }
        if pace.elapsed() >= next_look {
            next_look = pace.elapsed() + LOOK;
            swarm.turn(Duration::ZERO, |_, _| {})?;
        }
    }
    report::result(&Uploaded { sent, seconds: pace.elapsed().as_secs_f64() });
    Ok(())
}

/// Counts what comes, and says `READY` with the clients' addresses before.
pub(crate) fn download(arguments: &DownloadArgs) -> Result<(), BenchError> {
    let mut swarm = Swarm::new(&arguments.connect)?;
    swarm.bring_up(arguments.sessions)?;
    report::ready(&swarm.addresses());
    let (started, mut packets, mut octets) = (Instant::now(), 0, 0);
    while started.elapsed() < arguments.seconds {
        swarm.turn(LOOK.min(arguments.seconds.saturating_sub(started.elapsed())), |_, packet| {
            packets += 1;
            octets += packet.len() as u64;
        })?;
    }
    report::result(&Downloaded { packets, octets, seconds: started.elapsed().as_secs_f64() });
    Ok(())
}

/// Lets whoever waits for the clients get ready too.
fn settle(swarm: &mut Swarm) -> Result<(), BenchError> {
    let started = Instant::now();
    while started.elapsed() < SETTLING {
        swarm.turn(LOOK, |_, _| {})?;
    }
    Ok(())
}

/// The UDP port of the first client inside the tunnel.
const FIRST_PORT: u16 = 40_000;
const SETTLING: Duration = Duration::from_millis(300);
/// How often senders look at what arrives.
const LOOK: Duration = Duration::from_millis(50);
