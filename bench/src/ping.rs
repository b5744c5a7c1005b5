//! How long an echo through a tunnel takes.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::args::PingArgs;
use crate::distribution::Distribution;
use crate::error::BenchError;
use crate::inner;
use crate::report;
use crate::swarm::Swarm;

#[derive(Debug, Serialize)]
struct Echoes {
    sent: u32,
    received: usize,
    p50_ms: Option<f64>,
    p99_ms: Option<f64>,
}

/// Sends echo requests through the clients in turn; says `READY` before the first.
pub(crate) fn run(arguments: &PingArgs) -> Result<(), BenchError> {
    let mut swarm = Swarm::new(&arguments.connect)?;
    swarm.bring_up(arguments.sessions)?;
    report::ready(&swarm.addresses());
    let (mut times, mut under_way) = (Distribution::default(), BTreeMap::new());
    for number in 0..arguments.count {
        let sequence = u16::try_from(number % (1 << 16)).unwrap_or_default();
        let turn = usize::try_from(number).unwrap_or_default() % arguments.sessions.max(1);
        let now = swarm.clock().now();
        if let Some((_, address, member)) = swarm.connected().nth(turn) {
            under_way.insert(sequence, Instant::now());
            member.send(now, &inner::echo(address, arguments.target, sequence));
        }
        listen(&mut swarm, arguments.interval, &mut under_way, &mut times)?;
    }
    listen(&mut swarm, PATIENCE, &mut under_way, &mut times)?;
    let (p50_ms, p99_ms) = (times.percentile_ms(50), times.percentile_ms(99));
    report::result(&Echoes { sent: arguments.count, received: times.count(), p50_ms, p99_ms });
    Ok(())
}

/// Takes replies for `duration`; for less, if none is missing and it is the last time.
fn listen(
    swarm: &mut Swarm,
    duration: Duration,
    under_way: &mut BTreeMap<u16, Instant>,
    times: &mut Distribution,
) -> Result<(), BenchError> {
    let until = Instant::now() + duration;
    while let Some(left) = until.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
        swarm.turn(left, |_, packet| {
            let sent = inner::echoed(packet).and_then(|sequence| under_way.remove(&sequence));
            if let Some(sent) = sent {
                times.add(sent.elapsed());
            }
        })?;
        if duration == PATIENCE && under_way.is_empty() {
            break;
        }
    }
    Ok(())
}

/// How long the last replies are waited for.
const PATIENCE: Duration = Duration::from_secs(1);
