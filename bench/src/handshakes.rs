//! How many clients per second a server can let in.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::args::HandshakeArgs;
use crate::distribution::Distribution;
use crate::error::BenchError;
use crate::pace::Pace;
use crate::report;
use crate::swarm::{Swarm, TURN};

#[derive(Debug, Serialize)]
struct Handshakes {
    completed: usize,
    failed: u64,
    seconds: f64,
    per_second: f64,
    p50_ms: Option<f64>,
    p99_ms: Option<f64>,
    reasons: BTreeMap<String, u64>,
}

/// Connects, leaves and connects again, and says `READY` when the measurement begins.
pub(crate) fn run(arguments: &HandshakeArgs) -> Result<(), BenchError> {
    let mut swarm = Swarm::new(&arguments.connect)?;
    let pace = Pace::start(arguments.rate);
    let mut begun = 0;
    repeat(&mut swarm, &pace, &mut begun, arguments.warm_up, |_| {})?;
    report::ready("");
    let (mut times, mut reasons) = (Distribution::default(), BTreeMap::new());
    let started = Instant::now();
    repeat(&mut swarm, &pace, &mut begun, arguments.seconds, |outcome| match outcome {
        Ok(took) => times.add(took),
        Err(reason) => *reasons.entry(reason).or_default() += 1,
    })?;
    let seconds = started.elapsed().as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "nobody shakes hands 2^52 times")]
    let per_second = times.count() as f64 / seconds;
    report::result(&Handshakes {
        completed: times.count(),
        failed: reasons.values().sum(),
        seconds,
        per_second,
        p50_ms: times.percentile_ms(50),
        p99_ms: times.percentile_ms(99),
        reasons,
    });
    drain(&mut swarm)
}

fn repeat(
    swarm: &mut Swarm,
    pace: &Pace,
    begun: &mut u64,
    duration: Duration,
    mut settle: impl FnMut(Result<Duration, String>),
) -> Result<(), BenchError> {
    let started = Instant::now();
    while started.elapsed() < duration {
        while swarm.connecting() < swarm.concurrency() && pace.lead(*begun).is_zero() {
            swarm.begin()?;
            *begun += 1;
        }
        swarm.turn(TURN.min(pace.lead(*begun).max(SHORTEST)), |_, _| {})?;
        swarm.take_gone().into_iter().for_each(|(_, reason)| settle(Err(reason)));
        swarm.dismiss_connected().into_iter().for_each(|took| settle(Ok(took)));
    }
    Ok(())
}

/// Lets handshakes under way end: servers that answer clients that are gone would disturb what is measured next.
fn drain(swarm: &mut Swarm) -> Result<(), BenchError> {
    let started = Instant::now();
    while swarm.connecting() > 0 && started.elapsed() < DRAIN {
        swarm.turn(TURN, |_, _| {})?;
        swarm.take_gone();
        swarm.dismiss_connected();
    }
    Ok(())
}

const DRAIN: Duration = Duration::from_millis(1500);
/// What a turn waits at least, where a rate leaves nothing to do.
const SHORTEST: Duration = Duration::from_micros(200);
