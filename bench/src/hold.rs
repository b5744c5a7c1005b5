//! What sessions that do nothing cost.

use std::io::Read;
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::thread;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::args::HoldArgs;
use crate::error::BenchError;
use crate::memory::resident_kib;
use crate::report;
use crate::swarm::Swarm;

#[derive(Debug, Serialize)]
struct Held {
    connected: usize,
    lost: u64,
    bring_up_seconds: f64,
    resident_kib_before: Option<u64>,
    resident_kib: Option<u64>,
    kib_per_session: Option<f64>,
}

/// Connects the clients, says `READY` with their addresses, and keeps them until standard input ends.
pub(crate) fn run(arguments: &HoldArgs) -> Result<(), BenchError> {
    let before = arguments.process.and_then(resident_kib);
    let mut swarm = Swarm::new(&arguments.connect)?;
    let started = Instant::now();
    swarm.bring_up(arguments.sessions)?;
    let bring_up_seconds = started.elapsed().as_secs_f64();
    let resident_kib = arguments.process.and_then(resident_kib);
    report::ready(&format!("{} {}", arguments.sessions, swarm.addresses()));
    let mut lost = 0;
    let end = end_of_input();
    while end.try_recv() == Err(TryRecvError::Empty) {
        swarm.turn(IDLE_TURN, |_, _| {})?;
        lost += swarm.take_gone().len() as u64;
    }
    let connected = swarm.connected().count();
    #[expect(clippy::cast_precision_loss, reason = "nobody has 2^52 KiB")]
    let per_session =
        |(before, after): (u64, u64)| after.saturating_sub(before) as f64 / arguments.sessions.max(1) as f64;
    report::result(&Held {
        connected,
        lost,
        bring_up_seconds,
        resident_kib_before: before,
        resident_kib,
        kib_per_session: before.zip(resident_kib).map(per_session),
    });
    Ok(())
}

/// Disconnects when standard input ends.
fn end_of_input() -> Receiver<()> {
    let (ended, end) = channel();
    thread::spawn(move || {
        // An input that cannot be read has ended too.
        let _ = std::io::stdin().lock().read_to_end(&mut Vec::new());
        drop(ended);
    });
    end
}

const IDLE_TURN: Duration = Duration::from_millis(20);
