//! One management client from its first octet to its last, without sockets and clocks.
//!
//! What outlives a client (histories, the hold, the verbosity) is in [`Desk`]; what it asked to be told is in the
//! [`Conversation`] and forgotten with it.

use std::net::SocketAddr;
use std::time::Duration;

use pki_core::time::Timestamp;
use subtle::ConstantTimeEq;
use vpn_proto::{Denial, DynamicChallenge, Farewell, Moment};
use zeroize::Zeroizing;

use super::command::{Block, Command, HoldRequest, Listen, Petition, Refusal, Setting};
use super::history::{History, LogLine};
use super::input::LineReader;
use super::managed::{Managed, ProcessSignal};
use super::notice::{EnvironmentFilter, ServerState, StateEntry, byte_count, client_news};
use super::reception::ClientNews;
use crate::auth::login::{Acceptance, Verdict};
use crate::status::{StatusVersion, TITLE};

const GREETING: &str = ">INFO:OpenVPN Management Interface Version 5 -- type 'help' for more info";
const PROMPT: &str = "ENTER PASSWORD:";
/// Wrong passwords after which the connection ends, as in OpenVPN.
const PASSWORD_TRIES: u32 = 3;
/// The most lines of a block; a client gets no more options than fit into a few datagrams.
const MAXIMUM_BLOCK: usize = 1024;
const STATES: usize = 100;
const TEST_LINES: u32 = 10_000;

/// What all management clients share, one after another.
pub(super) struct Desk {
    password: Option<Zeroizing<Vec<u8>>>,
    log: History<LogLine>,
    states: History<StateEntry>,
    default_status: StatusVersion,
    is_held: bool,
    is_waiting: bool,
    verbosity: u8,
    mute: u32,
    auth_retry: String,
}

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

impl Desk {
    pub(super) fn new(password: Option<Zeroizing<Vec<u8>>>, log_lines: usize, is_held: bool) -> Self {
        Self {
            password,
            log: History::new(log_lines),
            states: History::new(STATES),
            default_status: StatusVersion::One,
            is_held,
            is_waiting: is_held,
            verbosity: 3,
            mute: 0,
            auth_retry: "none".to_owned(),
        }
    }

    /// The form of a status that is asked for without a number.
    pub(super) fn set_default_status(&mut self, version: StatusVersion) {
        self.default_status = version;
    }
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

    fn take_block_line(&mut self, line: String, block: Block, mut lines: Vec<String>, server: &dyn Managed) {
        if line == "END" {
            self.phase = Phase::Commands;
            let outcome = match block {
                Block::Accept(petition) => self.accept(petition, lines, server),
                Block::Signature => Err(Refusal::NotAsked("signature")),
            };
            self.refuse_if(outcome);
        } else if lines.len() + 1 >= MAXIMUM_BLOCK {
            self.phase = Phase::Over;
        } else {
            lines.push(line);
            self.phase = Phase::Block { block, lines };
        }
    }

    fn accept(
        &mut self,
        petition: Petition,
        directives: Vec<String>,
        server: &dyn Managed,
    ) -> Result<(), Refusal> {
        let verdict = Verdict::Accept(Acceptance { directives, ..Acceptance::default() });
        if !server.reception().answer(petition.client_id, petition.key_id, verdict) {
            return Err(Refusal::Failed("client-auth"));
        }
        self.succeed("client-auth command succeeded");
        Ok(())
    }

    /// A client that does not wait any longer is sent away, as OpenVPN does.
    fn deny(
        &mut self,
        petition: Petition,
        reason: String,
        told: String,
        server: &dyn Managed,
    ) -> Result<(), Refusal> {
        let Petition { client_id, key_id } = petition;
        let farewell = Farewell::AuthFailed(told.clone());
        let is_done = server.reception().answer(client_id, key_id, denial(reason, told))
            || server.close(client_id, farewell);
        if !is_done {
            return Err(Refusal::Failed("client-deny"));
        }
        self.succeed("client-deny command succeeded");
        Ok(())
    }

    fn refuse_if(&mut self, outcome: Result<(), Refusal>) {
        if let Err(refusal) = outcome {
            self.say(&format!("ERROR: {refusal}"));
        }
    }

    fn take_line(&mut self, line: &str, now: Moment, desk: &mut Desk, server: &dyn Managed) {
        match Command::parse(line, desk.default_status) {
            Ok(None) => {}
            Ok(Some(command)) => {
                let outcome = self.obey(command, now, desk, server);
                self.refuse_if(outcome);
            }
            Err(refusal) => self.say(&format!("ERROR: {refusal}")),
        }
    }

    fn obey(
        &mut self,
        command: Command,
        now: Moment,
        desk: &mut Desk,
        server: &dyn Managed,
    ) -> Result<(), Refusal> {
        match command {
            Command::Status(version) => self.say_lines(version.write(&server.status()).lines()),
            Command::LoadStatistics => {
                let load = server.load();
                self.succeed(&format!(
                    "nclients={},bytesin={},bytesout={}",
                    load.clients, load.received, load.sent
                ));
            }
            Command::KillByName(name) => self.kill_by_name(&name, server),
            Command::KillByAddress(address) => self.kill_by_address(address, server),
            Command::ClientKill { client_id, farewell } => {
                if !server.reception().dismiss(client_id, &farewell) && !server.close(client_id, farewell) {
                    return Err(Refusal::Failed("client-kill"));
                }
                self.succeed("client-kill command succeeded");
            }
            Command::Accept(petition) => self.accept(petition, Vec::new(), server)?,
            Command::Deny { petition, reason, told } => self.deny(petition, reason, told, server)?,
            Command::HoldOn { petition: Petition { client_id, key_id }, pending } => {
                if !server.reception().hold_on(client_id, key_id, pending) {
                    return Err(Refusal::PendingAuthentication);
                }
                self.succeed("client-pending-auth command succeeded");
            }
            Command::ByteCount { seconds } => {
                let interval = Duration::from_secs(seconds.into());
                self.byte_counts = (seconds > 0).then_some(ByteCounts { interval, next: now + interval });
                self.succeed("bytecount interval changed");
            }
            Command::Log(listen) => {
                let lines = entries(listen, &desk.log, LogLine::line);
                self.logs = self.listen("log", listen, self.logs, lines);
            }
            Command::State(listen) => {
                let lines = entries(listen, &desk.states, StateEntry::line);
                self.states = self.listen("state", listen, self.states, lines);
            }
            Command::Echo(listen) => {
                let nothing = listen.last.map(|_| Vec::new());
                self.listen("echo", listen, false, nothing);
            }
            Command::Block(block) => self.phase = Phase::Block { block, lines: Vec::new() },
            Command::Signal(signal) => {
                self.succeed(&format!("signal {} thrown", name_of(signal)));
                server.signal(signal);
            }
            Command::Quit => self.phase = Phase::Over,
            Command::Hold(request) => self.hold(request, desk, server),
            Command::Setting(setting) => self.set(setting, desk, server),
            Command::ClientVersion => {}
            Command::ProcessId => self.succeed(&format!("pid={}", std::process::id())),
            Command::Pkcs11Count => self.say(">PKCS11ID-COUNT:0"),
            Command::Version => {
                let version = format!("OpenVPN Version: {TITLE}");
                self.say_lines([version.as_str(), "Management Version: 5", "END"].into_iter());
            }
            Command::Help => self.say_lines(HELP.lines()),
            Command::Test(lines) => self.test(lines),
        }
        Ok(())
    }

    fn kill_by_name(&mut self, name: &str, server: &dyn Managed) {
        let report = server.status();
        let victims = report.clients.iter().filter(|client| client.common_name == name);
        match kill(victims.map(|client| client.client_id), server) {
            0 => self.fail(&format!("common name '{name}' not found")),
            killed => self.succeed(&format!("common name '{name}' found, {killed} client(s) killed")),
        }
    }

    fn kill_by_address(&mut self, address: SocketAddr, server: &dyn Managed) {
        let report = server.status();
        let there = |remote: SocketAddr| (remote.ip().to_canonical(), remote.port());
        let victims = report.clients.iter().filter(|client| there(client.remote) == there(address));
        let shown = format!("{}:{}", address.ip(), address.port());
        match kill(victims.map(|client| client.client_id), server) {
            0 => self.fail(&format!("client at address {shown} not found")),
            killed => self.succeed(&format!("{killed} client(s) at address {shown} killed")),
        }
    }

    fn hold(&mut self, request: Option<HoldRequest>, desk: &mut Desk, server: &dyn Managed) {
        match request {
            None => self.succeed(&format!("hold={}", u8::from(desk.is_held))),
            Some(HoldRequest::Set(is_held)) => {
                desk.is_held = is_held;
                self.succeed(&format!("hold flag set to {}", on_or_off(is_held)));
            }
            Some(HoldRequest::Release) => {
                desk.is_waiting = false;
                server.release_hold();
                self.succeed("hold release succeeded");
            }
        }
    }

    fn set(&mut self, setting: Setting, desk: &mut Desk, server: &dyn Managed) {
        match setting {
            Setting::Verbosity(None) => self.succeed(&format!("verb={}", desk.verbosity)),
            Setting::Verbosity(Some(level)) => {
                desk.verbosity = level;
                server.set_verbosity(level);
                self.succeed("verb level changed");
            }
            Setting::Mute(None) => self.succeed(&format!("mute={}", desk.mute)),
            Setting::Mute(Some(level)) => {
                desk.mute = level;
                self.succeed("mute level changed");
            }
            Setting::EnvironmentFilter(level) => {
                self.environment = EnvironmentFilter::of_level(level);
                self.succeed(&format!("env_filter_level={level}"));
            }
            Setting::AuthRetry(None) => self.succeed(&format!("auth-retry={}", desk.auth_retry)),
            Setting::AuthRetry(Some(mode)) => {
                desk.auth_retry = mode;
                self.succeed("auth-retry parameter changed");
            }
            Setting::ForgetPasswords => self.succeed("Passwords were forgotten"),
        }
    }

    /// Answers to `log`, `state` and `echo`; gives whether news are shown from now on.
    fn listen(&mut self, what: &str, listen: Listen, before: bool, entries: Option<Vec<String>>) -> bool {
        if let Some(live) = listen.live {
            self.succeed(&format!("real-time {what} notification set to {}", on_or_off(live)));
        }
        if let Some(entries) = entries {
            self.say_lines(entries.iter().map(String::as_str).chain(["END"]));
        }
        listen.live.unwrap_or(before)
    }

    fn test(&mut self, lines: u32) {
        for number in 0..lines.min(TEST_LINES) {
            self.say(&format!(
                "[{number}] The purpose of this command is to generate large amounts of output."
            ));
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

/// A client whose reason is a question asks its person and comes back with the answer.
fn denial(detail: String, public: String) -> Verdict {
    const DENIED: &str = "denied-by-management";
    match DynamicChallenge::parse(&public) {
        Some(challenge) => Verdict::Challenge(challenge),
        None if public.is_empty() => Verdict::wrong_credentials(DENIED, detail),
        None => Verdict::Deny(Denial { code: DENIED, public, detail }),
    }
}

/// Tells the victims to come back, and counts those that were there.
fn kill(victims: impl Iterator<Item = u64>, server: &dyn Managed) -> usize {
    victims.filter(|client_id| server.close(*client_id, Farewell::Restart(String::new()))).count()
}

fn entries<T>(listen: Listen, history: &History<T>, line: impl Fn(&T) -> String) -> Option<Vec<String>> {
    listen.last.map(|count| history.last(count).map(line).collect())
}

const fn on_or_off(is_on: bool) -> &'static str {
    if is_on { "ON" } else { "OFF" }
}

const fn name_of(signal: ProcessSignal) -> &'static str {
    match signal {
        ProcessSignal::HangUp => "SIGHUP",
        ProcessSignal::Terminate => "SIGTERM",
        ProcessSignal::User1 => "SIGUSR1",
        ProcessSignal::User2 => "SIGUSR2",
    }
}

const HELP: &str = "\
Management interface of Postern, in the manner of OpenVPN
Commands:
bytecount n            : Tell what each client moved every n seconds (0=off).
client-auth CID KID    : Let a client in that waits; directives about it follow, then END.
client-auth-nt CID KID : Let a client in that waits.
client-deny CID KID R [C] : Refuse a client for the reason R; C is what it is told.
client-pending-auth CID KID Q SEC : Let a client wait SEC seconds longer and ask its person Q.
client-kill CID [M]    : End the session of client CID; M is RESTART (default) or HALT.
exit|quit              : End this conversation.
help                   : Print this message.
hold [on|off|release]  : Show or set the hold flag, or start a server that waits.
kill CN                : End the sessions of the clients with the common name CN.
kill IP:port           : End the session of the client at this address.
load-stats             : Show how many clients there are and what was moved.
log [on|off] [N|all]   : Show the log as it grows, the last N lines, or all.
pid                    : Show the process id.
signal s               : Do what signal SIGHUP, SIGTERM, SIGUSR1 or SIGUSR2 does.
state [on|off] [N|all] : Like log, for the state of the server.
status [n]             : Show who is connected, in form 1, 2 or 3.
verb [n]               : Show or set how much is logged.
version                : Show versions.
END";

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};
    use std::sync::Arc;
    use std::sync::mpsc::{Receiver, channel};

    use tracing::Level;
    use vpn_proto::{Password, Prompt};

    use super::*;
    use crate::auth::login::{Answer, ClientNumber, Decider, LoginAttempt, LoginUpdate, Occasion};
    use crate::management::Reception;
    use crate::management::managed::LoadStatistics;
    use crate::status::{ClientStatus, StatusReport};
    use crate::testing::login::attempt;

    /// What OpenVPN 2.6.14 answered; see testdata/README.md.
    const STOCK: &str = include_str!("../../../testdata/openvpn-management/commands.txt");

    #[test]
    fn every_command_is_answered_as_a_stock_server_answers_it() {
        let mut world = World::new(None, false);
        world.log_in();
        let mut commands = 0;
        for exchange in STOCK.split("C: ").skip(1) {
            let (command, answers) = exchange.split_once('\n').unwrap();
            let expected: Vec<&str> = answers.lines().map(|line| line.strip_prefix("S: ").unwrap()).collect();
            assert_eq!(normalized(&world.ask(command)), expected, "{command}");
            commands += 1;
        }
        assert!(commands > 40, "{commands}");
    }

    #[test]
    fn nothing_is_answered_before_the_password_and_three_wrong_ones_end_it() {
        let mut world = World::new(Some("secret"), false);
        assert_eq!(world.hear(), "ENTER PASSWORD:");
        assert_eq!(world.say("status\n"), "ENTER PASSWORD:");
        assert_eq!(
            world.say("secret\r\n"),
            "SUCCESS: password is correct\r\n>INFO:OpenVPN Management Interface Version 5 -- type 'help' for more info\r\n"
        );
        let mut thief = World::new(Some("secret"), false);
        for _ in 0..PASSWORD_TRIES {
            assert!(!thief.conversation.is_over());
            thief.say("secre\n");
        }
        assert!(thief.conversation.is_over());
        assert_eq!(thief.say("secret\n"), "");
    }

    #[test]
    fn clients_are_told_of_nothing_before_the_password() {
        let mut world = World::new(Some("secret"), false);
        world.hear();
        let _updates = world.ask_in("alice", 0);
        let news = world.server.reception.take_news();
        world.conversation.tell_clients(news);
        assert_eq!(world.hear(), "");
        let greeted = world.say("secret\n");
        assert!(greeted.contains(">CLIENT:CONNECT,7,1\r\n"), "{greeted}");
    }

    #[test]
    fn a_hold_is_announced_until_it_is_released() {
        let mut world = World::new(None, true);
        assert!(world.hear().ends_with(">HOLD:Waiting for hold release:0\r\n"));
        assert_eq!(world.ask("hold release"), ["SUCCESS: hold release succeeded"]);
        assert_eq!(world.server.released.get(), 1);
        let mut next = Conversation::open(&world.desk, &world.server);
        assert!(!String::from_utf8(next.take_output()).unwrap().contains("HOLD"));
    }

    #[test]
    fn killing_ends_every_session_of_a_name_or_the_one_at_an_address() {
        let mut world = World::new(None, false);
        world.log_in();
        world.server.clients.borrow_mut().extend([
            client(1),
            client(2),
            ClientStatus {
                common_name: "other".to_owned(),
                remote: "[::ffff:192.0.2.9]:9".parse().unwrap(),
                ..client(3)
            },
        ]);
        assert_eq!(world.ask("kill client1"), ["SUCCESS: common name 'client1' found, 2 client(s) killed"]);
        assert_eq!(
            world.ask("kill udp4:192.0.2.9:9"),
            ["SUCCESS: 1 client(s) at address 192.0.2.9:9 killed"]
        );
        assert_eq!(world.ask("client-kill 2 HALT"), ["SUCCESS: client-kill command succeeded"]);
        assert_eq!(
            *world.server.closed.borrow(),
            [
                (1, Farewell::Restart(String::new())),
                (2, Farewell::Restart(String::new())),
                (3, Farewell::Restart(String::new())),
                (2, Farewell::Halt(String::new())),
            ]
        );
    }

    #[test]
    fn byte_counts_come_at_their_interval() {
        let mut world = World::new(None, false);
        world.log_in();
        world.server.clients.borrow_mut().push(client(4));
        world.ask("bytecount 2");
        let mut heard = Vec::new();
        for tenth in 1..=65 {
            let now = Moment::from_micros(tenth * 100_000);
            world.conversation.look(now, &world.server);
            heard.push(world.hear());
        }
        let counts: Vec<usize> = heard
            .iter()
            .zip(1..)
            .filter(|(text, _)| text.contains("BYTECOUNT_CLI:4,84,168"))
            .map(|(_, at)| at)
            .collect();
        assert_eq!(counts, [20, 40, 60]);
        world.ask("bytecount 0");
        world.conversation.look(Moment::from_micros(99_000_000), &world.server);
        assert_eq!(world.hear(), "");
    }

    #[test]
    fn log_and_states_are_kept_for_later_and_shown_to_those_who_listen() {
        let mut world = World::new(None, false);
        world.log_in();
        world.tell_log("before");
        assert_eq!(world.hear(), "");
        assert_eq!(
            world.ask("log on all"),
            ["SUCCESS: real-time log notification set to ON", "7,I,before", "END"]
        );
        world.tell_log("after");
        assert_eq!(world.hear(), ">LOG:7,I,after\r\n");
        world.ask("state on");
        world.tell_state(ServerState::Exiting);
        assert_eq!(world.hear(), ">STATE:8,EXITING,SIGTERM,,,,,,\r\n");
        assert_eq!(world.ask("state"), ["8,EXITING,SIGTERM,,,,,,", "END"]);
    }

    #[test]
    fn signals_and_verbosity_reach_the_server() {
        let mut world = World::new(None, false);
        world.log_in();
        assert_eq!(world.ask("signal SIGTERM"), ["SUCCESS: signal SIGTERM thrown"]);
        world.ask("verb 5");
        assert_eq!(*world.server.signals.borrow(), [ProcessSignal::Terminate]);
        assert_eq!(world.server.verbosity.get(), 5);
        world.ask("quit");
        assert!(world.conversation.is_over());
    }

    #[test]
    fn a_block_without_an_end_ends_the_conversation() {
        let mut world = World::new(None, false);
        world.log_in();
        world.ask("client-auth 1 1");
        for _ in 0..MAXIMUM_BLOCK - 1 {
            assert_eq!(world.ask("push \"route 10.0.0.0\""), [""; 0]);
            assert!(!world.conversation.is_over());
        }
        world.ask("one more");
        assert!(world.conversation.is_over());
    }

    #[test]
    fn a_client_that_asks_is_let_in_with_directives() {
        let mut world = World::new(None, false);
        world.log_in();
        let updates = world.ask_in("alice", 0);
        let news = world.news();
        assert!(news.starts_with(">CLIENT:CONNECT,7,1\r\n"), "{news}");
        assert!(news.contains(">CLIENT:ENV,username=alice\r\n>"), "{news}");
        assert!(news.contains(">CLIENT:ENV,password=secret\r\n"), "{news}");
        assert!(news.ends_with(">CLIENT:ENV,END\r\n"), "{news}");
        for wrong in ["client-auth 0 1", "client-auth 7 7", "client-auth 7 0"] {
            assert_eq!(world.ask(wrong), [""; 0]);
            assert_eq!(world.ask("END"), ["ERROR: client-auth command failed"]);
        }
        world.ask("client-auth 7 1");
        world.ask("push \"echo hello\"");
        assert_eq!(world.ask("END"), ["SUCCESS: client-auth command succeeded"]);
        let Ok(LoginUpdate::Decided(Verdict::Accept(acceptance))) = updates.try_recv() else {
            panic!("the client was not let in");
        };
        assert_eq!(acceptance.directives, ["push \"echo hello\""]);
    }

    /// What openvpn-auth-oauth2 says and hears: a page to log in on, then the decision; the same at a renegotiation.
    #[test]
    fn a_helper_for_single_sign_on_finds_what_it_needs() {
        let mut world = World::new(None, false);
        world.log_in();
        let version = world.ask("version");
        assert!(version[0].starts_with("OpenVPN Version: ") && version[1].ends_with('5'), "{version:?}");
        assert_eq!(version.len(), 3);
        for (key, occasion) in [(0, "CONNECT"), (1, "REAUTH")] {
            let updates = world.ask_again("alice", key, occasion == "REAUTH");
            let kid = key + 1;
            assert!(world.news().starts_with(&format!(">CLIENT:{occasion},7,{kid}\r\n")));
            let command = format!("client-pending-auth 7 {kid} \"WEB_AUTH::https://sso.example/?s=a,b\" 180");
            assert_eq!(world.ask(&command), ["SUCCESS: client-pending-auth command succeeded"]);
            let url = "https://sso.example/?s=a,b".to_owned();
            let prompt = Some(Prompt::WebAuth { flags: String::new(), url });
            let expected = vpn_proto::Pending { timeout: Duration::from_secs(180), prompt };
            assert!(matches!(updates.try_recv(), Ok(LoginUpdate::Wait(pending)) if pending == expected));
            let answer = world.ask(&format!("client-auth-nt 7 {kid}"));
            assert_eq!(answer, ["SUCCESS: client-auth command succeeded"]);
            assert!(matches!(updates.try_recv(), Ok(LoginUpdate::Decided(Verdict::Accept(_)))));
        }
    }

    #[test]
    fn a_client_is_denied_with_what_it_is_told_or_a_question() {
        let mut world = World::new(None, false);
        world.log_in();
        let mut deny = |arguments: &str| {
            let updates = world.ask_in("alice", 0);
            let answer = world.ask(&format!("client-deny 7 1 {arguments}"));
            assert_eq!(answer, ["SUCCESS: client-deny command succeeded"]);
            match updates.try_recv() {
                Ok(LoginUpdate::Decided(verdict)) => verdict,
                other => panic!("{other:?}"),
            }
        };
        let told = deny("\"log reason\" \"client reason\"");
        assert!(
            matches!(&told, Verdict::Deny(denial) if denial.detail == "log reason" && denial.public == "client reason")
        );
        let untold = deny("\"no such user\"");
        assert!(matches!(&untold, Verdict::Deny(denial) if !denial.public.contains("no such user")));
        let question = deny("challenge \"CRV1:R,E:state:YWxpY2U=:Your code?\"");
        assert!(matches!(&question, Verdict::Challenge(challenge) if challenge.state_id == "state"));
    }

    #[test]
    fn a_client_that_is_connected_is_sent_away_by_a_denial() {
        let mut world = World::new(None, false);
        world.log_in();
        world.server.clients.borrow_mut().push(client(4));
        assert_eq!(
            world.ask("client-deny 4 1 late \"too late\""),
            ["SUCCESS: client-deny command succeeded"]
        );
        assert_eq!(*world.server.closed.borrow(), [(4, Farewell::AuthFailed("too late".to_owned()))]);
        assert_eq!(world.ask("client-deny 5 1 late"), ["ERROR: client-deny command failed"]);
    }

    #[test]
    fn an_answer_of_a_person_is_passed_on_with_the_question_it_is_about() {
        let mut world = World::new(None, false);
        world.log_in();
        let _updates = world.ask_in("alice", 0);
        world.news();
        world.server.reception.take_response(ClientNumber(7), 0, &Password::new("MTIzNDU2".to_owned()));
        let news = world.news();
        assert!(news.starts_with(">CLIENT:CR_RESPONSE,7,1,MTIzNDU2\r\n>CLIENT:ENV,"), "{news}");
        assert!(!news.contains("password"), "{news}");
    }

    #[test]
    fn the_environment_can_be_filtered() {
        let mut world = World::new(None, false);
        world.log_in();
        world.ask("env-filter 2");
        let _updates = world.ask_in("alice", 0);
        let news = world.news();
        let names: Vec<&str> =
            news.lines().filter_map(|line| line.split_once("ENV,")).map(|(_, rest)| rest).collect();
        assert_eq!(names, ["username=alice", "password=secret", "END"], "{news}");
    }

    #[test]
    fn what_cannot_be_asked_of_a_person_is_refused() {
        let mut world = World::new(None, false);
        world.log_in();
        let _updates = world.ask_in("alice", 0);
        for extra in ["nonsense", "DANCE::now"] {
            let answer = world.ask(&format!("client-pending-auth 7 1 {extra} 60"));
            assert_eq!(
                answer,
                ["ERROR: client-pending-auth command failed. Extra parameter might be too long"],
                "{extra}"
            );
        }
        assert_eq!(world.ask("client-auth x y"), ["ERROR: cannot parse CID"]);
    }

    #[test]
    fn a_conversation_takes_any_octets_in_any_pieces() {
        let octets: Vec<u8> = (0..=255_u8).cycle().take(4096).collect();
        for size in [1, 7, 4096] {
            let mut world = World::new(None, false);
            world.log_in();
            for piece in octets.chunks(size) {
                let now = Moment::from_micros(0);
                world.conversation.receive(piece, now, &mut world.desk, &world.server);
            }
            assert!(!world.conversation.is_over());
        }
    }

    struct World {
        desk: Desk,
        conversation: Conversation,
        server: TestServer,
    }

    struct TestServer {
        reception: Reception,
        clients: RefCell<Vec<ClientStatus>>,
        closed: RefCell<Vec<(u64, Farewell)>>,
        signals: RefCell<Vec<ProcessSignal>>,
        verbosity: Cell<u8>,
        released: Cell<u32>,
    }

    impl TestServer {
        fn new() -> Self {
            Self {
                reception: Reception::open().unwrap(),
                clients: RefCell::default(),
                closed: RefCell::default(),
                signals: RefCell::default(),
                verbosity: Cell::default(),
                released: Cell::default(),
            }
        }
    }

    impl Managed for TestServer {
        fn status(&self) -> StatusReport {
            let clients = self.clients.borrow().clone();
            StatusReport { at: Timestamp::from_unix_seconds(0), clients, routes: Vec::new() }
        }

        fn load(&self) -> LoadStatistics {
            LoadStatistics::default()
        }

        fn close(&self, client_id: u64, farewell: Farewell) -> bool {
            let is_there = self.clients.borrow().iter().any(|client| client.client_id == client_id);
            if is_there {
                self.closed.borrow_mut().push((client_id, farewell));
            }
            is_there
        }

        fn signal(&self, signal: ProcessSignal) {
            self.signals.borrow_mut().push(signal);
        }

        fn set_verbosity(&self, verbosity: u8) {
            self.verbosity.set(verbosity);
        }

        fn release_hold(&self) {
            self.released.set(self.released.get() + 1);
        }

        fn reception(&self) -> &Reception {
            &self.reception
        }
    }

    impl World {
        fn new(password: Option<&str>, is_held: bool) -> Self {
            let password = password.map(|password| Zeroizing::new(password.as_bytes().to_vec()));
            let desk = Desk::new(password, 10, is_held);
            let server = TestServer::new();
            Self { conversation: Conversation::open(&desk, &server), desk, server }
        }

        fn log_in(&mut self) {
            assert!(self.hear().starts_with(">INFO:"));
        }

        fn ask(&mut self, command: &str) -> Vec<String> {
            let answer = self.say(&format!("{command}\n"));
            assert!(answer.is_empty() || answer.ends_with("\r\n"));
            answer.lines().map(ToOwned::to_owned).collect()
        }

        /// A client with the CID 7 asks to be let in.
        fn ask_in(&self, username: &str, key: u32) -> Receiver<LoginUpdate> {
            self.ask_again(username, key, false)
        }

        fn ask_again(&self, username: &str, key: u32, is_connected: bool) -> Receiver<LoginUpdate> {
            let (sender, updates) = channel();
            let answer = Answer::new(move |update| drop(sender.send(update)));
            let occasion = if is_connected { Occasion::Renegotiation } else { Occasion::Connect };
            let attempt = LoginAttempt { key, occasion, ..attempt(username, "secret") };
            self.server.reception.decide(&Arc::new(attempt), answer);
            updates
        }

        fn news(&mut self) -> String {
            let news = self.server.reception.take_news();
            self.conversation.tell_clients(news);
            self.hear()
        }

        fn say(&mut self, text: &str) -> String {
            let now = Moment::from_micros(0);
            self.conversation.receive(text.as_bytes(), now, &mut self.desk, &self.server);
            self.hear()
        }

        fn hear(&mut self) -> String {
            String::from_utf8(self.conversation.take_output()).unwrap()
        }

        fn tell_log(&mut self, text: &str) {
            let line = LogLine { unix_time: 7, level: Level::INFO, text: text.to_owned() };
            Conversation::tell_log(Some(&mut self.conversation), line, &mut self.desk);
        }

        fn tell_state(&mut self, state: ServerState) {
            let at = Timestamp::from_unix_seconds(8);
            Conversation::tell_state(Some(&mut self.conversation), at, state, &mut self.desk);
        }
    }

    fn client(client_id: u64) -> ClientStatus {
        ClientStatus {
            common_name: "client1".to_owned(),
            remote: "192.0.2.2:59974".parse().unwrap(),
            address: "10.8.0.2".to_owned(),
            address_v6: String::new(),
            received: 84,
            sent: 168,
            since: Timestamp::from_unix_seconds(1),
            username: None,
            client_id,
            peer_id: 3,
            cipher: "AES-256-GCM",
        }
    }

    /// The moment and the name of the program stand for any.
    fn normalized(lines: &[String]) -> Vec<String> {
        let normalize = |line: &String| {
            let separator = if line.contains('\t') { "\t" } else { "," };
            match line.split(separator).next() {
                Some("TITLE") => format!("TITLE{separator}VERSION"),
                Some("TIME") => format!("TIME{separator}NOW"),
                Some("Updated") => "Updated,NOW".to_owned(),
                _ => line.clone(),
            }
        };
        lines.iter().map(normalize).collect()
    }
}
