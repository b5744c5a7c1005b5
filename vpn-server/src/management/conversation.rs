//! One management client from its first octet to its last, without sockets and clocks.
//!
//! What outlives a client is in [`Desk`]; what it asked to be told is in the [`Conversation`] and forgotten with it.
//! Commands are obeyed in `commands`, decisions about logins are passed on in `logins`.

mod commands;
mod desk;
mod logins;
#[cfg(test)]
mod tests;

use std::time::Duration;

use pki_core::time::Timestamp;
use subtle::ConstantTimeEq;
use vpn_proto::Moment;

pub(super) use self::desk::Desk;
use super::command::{Block, Refusal};
use super::history::LogLine;
use super::input::LineReader;
use super::managed::Managed;
use super::notice::{EnvironmentFilter, ServerState, StateEntry, byte_count, client_news};
use super::reception::ClientNews;

const GREETING: &str = ">INFO:OpenVPN Management Interface Version 5 -- type 'help' for more info";
const PROMPT: &str = "ENTER PASSWORD:";
/// Wrong passwords after which the connection ends, as in OpenVPN.
const PASSWORD_TRIES: u32 = 3;

/// One management client.
pub(super) struct Conversation {
    input: LineReader,
    output: Vec<u8>,
    phase: Phase,
    logs: bool,
    states: bool,
    byte_counts: Option<ByteCounts>,
    environment: EnvironmentFilter,
}

enum Phase {
    Password { tries: u32 },
    Commands,
    Block { block: Block, lines: Vec<String> },
    Over,
}

struct ByteCounts {
    interval: Duration,
    next: Moment,
}

impl Conversation {
    /// A client that has just connected: it is asked for the password, or greeted.
    pub(super) fn open(desk: &Desk, server: &dyn Managed) -> Self {
        let mut conversation = Self {
            input: LineReader::default(),
            output: Vec::new(),
            phase: Phase::Commands,
            logs: false,
            states: false,
            byte_counts: None,
            environment: EnvironmentFilter::default(),
        };
        if desk.password.is_some() {
            conversation.phase = Phase::Password { tries: 0 };
            conversation.output.extend_from_slice(PROMPT.as_bytes());
        } else {
            conversation.greet(desk, server);
        }
        conversation
    }

    /// Takes what the client sent.
    pub(super) fn receive(&mut self, octets: &[u8], now: Moment, desk: &mut Desk, server: &dyn Managed) {
        for line in self.input.feed(octets) {
            match &mut self.phase {
                Phase::Over => return,
                Phase::Password { tries } => {
                    let tries = *tries + 1;
                    self.check_password(&line, tries, desk, server);
                }
                Phase::Block { block, lines } => {
                    let (block, lines) = (*block, std::mem::take(lines));
                    self.take_block_line(line, block, lines, server);
                }
                Phase::Commands => self.take_line(&line, now, desk, server),
            }
        }
    }

    /// Keeps a line of the log, and shows it to a client that listens.
    pub(super) fn tell_log(conversation: Option<&mut Self>, line: LogLine, desk: &mut Desk) {
        if let Some(conversation) = conversation.filter(|conversation| conversation.logs) {
            conversation.say(&format!(">LOG:{}", line.line()));
        }
        desk.log.push(line);
    }

    /// Keeps a state, and shows it to a client that listens.
    pub(super) fn tell_state(
        conversation: Option<&mut Self>,
        at: Timestamp,
        state: ServerState,
        desk: &mut Desk,
    ) {
        let entry = StateEntry { at, state };
        if let Some(conversation) = conversation.filter(|conversation| conversation.states) {
            conversation.say(&format!(">STATE:{}", entry.line()));
        }
        if matches!(entry.state, ServerState::Connecting | ServerState::Connected(_)) {
            desk.is_waiting = false;
        }
        desk.states.push(entry);
    }

    /// Tells what happened to clients.
    pub(super) fn tell_clients(&mut self, news: impl IntoIterator<Item = ClientNews>) {
        if matches!(self.phase, Phase::Password { .. } | Phase::Over) {
            return;
        }
        for news in news {
            let lines = client_news(&news, self.environment);
            self.say_lines(lines.iter().map(String::as_str));
        }
    }

    /// Tells byte counts when they are due.
    pub(super) fn look(&mut self, now: Moment, server: &dyn Managed) {
        let Some(counts) = self.byte_counts.as_mut().filter(|counts| counts.next <= now) else { return };
        counts.next = now + counts.interval;
        for client in &server.status().clients {
            self.say(&byte_count(client));
        }
    }

    /// What has to be sent to the client.
    pub(super) fn take_output(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.output)
    }

    /// Whether the connection is to be closed once everything was sent.
    pub(super) const fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Over)
    }

    fn greet(&mut self, desk: &Desk, server: &dyn Managed) {
        self.say(GREETING);
        if desk.is_waiting {
            self.say(">HOLD:Waiting for hold release:0");
        }
        self.tell_clients(server.reception().roll_call());
    }

    fn check_password(&mut self, line: &str, tries: u32, desk: &Desk, server: &dyn Managed) {
        let expected = desk.password.as_ref().map_or(&[][..], |password| password.as_slice());
        if bool::from(line.as_bytes().ct_eq(expected)) {
            self.phase = Phase::Commands;
            self.say("SUCCESS: password is correct");
            self.greet(desk, server);
        } else if tries < PASSWORD_TRIES {
            self.phase = Phase::Password { tries };
            self.output.extend_from_slice(PROMPT.as_bytes());
        } else {
            self.phase = Phase::Over;
        }
    }

    fn refuse_if(&mut self, outcome: Result<(), Refusal>) {
        if let Err(refusal) = outcome {
            self.say(&format!("ERROR: {refusal}"));
        }
    }

    fn succeed(&mut self, text: &str) {
        self.say(&format!("SUCCESS: {text}"));
    }

    fn fail(&mut self, text: &str) {
        self.say(&format!("ERROR: {text}"));
    }

    fn say_lines<'a>(&mut self, lines: impl Iterator<Item = &'a str>) {
        lines.for_each(|line| self.say(line));
    }

    fn say(&mut self, line: &str) {
        self.output.extend_from_slice(line.as_bytes());
        self.output.extend_from_slice(b"\r\n");
    }
}
