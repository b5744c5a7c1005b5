//! Many sessions for a long time: they carry traffic, renegotiate and move, and the server must not notice the hours.

use std::time::{Duration, Instant};

use serde::Serialize;
use vpn_proto::Moment;

use crate::args::SoakArgs;
use crate::error::BenchError;
use crate::inner;
use crate::memory::resident_kib;
use crate::pace::Pace;
use crate::report;
use crate::swarm::{Swarm, TURN};

/// What has happened until a moment.
#[derive(Clone, Copy, Debug, Default, Serialize)]
struct Soaked {
    seconds: u64,
    sessions: usize,
    /// Sessions that ended; each is replaced by another.
    lost: u64,
    echoes: u64,
    replies: u64,
    roams: u64,
    renegotiations: u64,
    resident_kib: Option<u64>,
}

/// Says `READY` when all are connected, then a line of JSON after every interval, the last of them at the end.
pub(crate) fn run(arguments: &SoakArgs) -> Result<(), BenchError> {
    let mut swarm = Swarm::new(&arguments.connect)?;
    swarm.bring_up(arguments.sessions)?;
    report::ready("");
    let mut soak = Soak::new(arguments, swarm);
    let mut next_report = arguments.every;
    while soak.pace.elapsed() < arguments.seconds {
        soak.turn()?;
        if soak.pace.elapsed() >= next_report {
            next_report += arguments.every;
            report::result(&soak.so_far());
        }
    }
    soak.listen(LAST_REPLIES)?;
    report::result(&soak.so_far());
    Ok(())
}

struct Soak<'a> {
    arguments: &'a SoakArgs,
    swarm: Swarm,
    pace: Pace,
    roams: Pace,
    renegotiations: Pace,
    happened: Soaked,
    /// Whose turn it is to do something.
    turn: usize,
}

impl<'a> Soak<'a> {
    fn new(arguments: &'a SoakArgs, swarm: Swarm) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "nobody has 2^52 sessions")]
        let each = |interval: Duration| Pace::start(arguments.sessions as f64 / interval.as_secs_f64());
        Self {
            pace: Pace::start(arguments.rate),
            roams: each(arguments.roam_every),
            renegotiations: each(arguments.renegotiate_every),
            happened: Soaked::default(),
            turn: 0,
            arguments,
            swarm,
        }
    }

    fn turn(&mut self) -> Result<(), BenchError> {
        let now = self.swarm.clock().now();
        while self.pace.lead(self.happened.echoes).is_zero() {
            self.echo(now);
        }
        if self.roams.lead(self.happened.roams + 1).is_zero() {
            self.happened.roams += 1;
            let turn = self.next_turn();
            self.swarm.roam(turn)?;
        }
        if self.renegotiations.lead(self.happened.renegotiations + 1).is_zero() {
            self.happened.renegotiations += 1;
            let turn = self.next_turn();
            if let Some((_, _, member)) = self.swarm.connected().nth(turn) {
                member.renegotiate(now);
            }
        }
        self.listen(TURN.min(self.pace.lead(self.happened.echoes)))?;
        self.replace_lost()
    }

    fn echo(&mut self, now: Moment) {
        let [.., high, low] = self.happened.echoes.to_be_bytes();
        let (sequence, target) = (u16::from_be_bytes([high, low]), self.arguments.target);
        self.happened.echoes += 1;
        let turn = self.next_turn();
        if let Some((_, address, member)) = self.swarm.connected().nth(turn) {
            member.send(now, &inner::echo(address, target, sequence));
        }
    }

    /// Takes what comes within `limit`, at least what is there.
    fn listen(&mut self, limit: Duration) -> Result<(), BenchError> {
        let begun = Instant::now();
        loop {
            let left = limit.saturating_sub(begun.elapsed());
            let replies = &mut self.happened.replies;
            self.swarm.turn(left, |_, packet| *replies += u64::from(inner::echoed(packet).is_some()))?;
            if left <= TURN {
                return Ok(());
            }
        }
    }

    fn replace_lost(&mut self) -> Result<(), BenchError> {
        for _ in self.swarm.take_gone() {
            self.happened.lost += 1;
            self.swarm.begin()?;
        }
        Ok(())
    }

    fn next_turn(&mut self) -> usize {
        self.turn = (self.turn + 1) % self.arguments.sessions.max(1);
        self.turn
    }

    fn so_far(&mut self) -> Soaked {
        Soaked {
            seconds: self.pace.elapsed().as_secs(),
            sessions: self.swarm.connected().count(),
            resident_kib: self.arguments.process.and_then(resident_kib),
            ..self.happened
        }
    }
}

/// How long replies are waited for at the end.
const LAST_REPLIES: Duration = Duration::from_secs(1);
