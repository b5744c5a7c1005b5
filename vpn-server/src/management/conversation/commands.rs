//! Commands, and what is answered to them.

use std::net::SocketAddr;
use std::time::Duration;

use vpn_proto::{Farewell, Moment};

use super::super::command::{Command, HoldRequest, Listen, Petition, Refusal, Setting};
use super::super::history::{History, LogLine};
use super::super::managed::{Managed, ProcessSignal};
use super::super::notice::{EnvironmentFilter, StateEntry};
use super::{ByteCounts, Conversation, Desk, Phase};
use crate::status::TITLE;

const TEST_LINES: u32 = 10_000;

impl Conversation {
    /// A command on a line of its own.
    pub(super) fn take_line(&mut self, line: &str, now: Moment, desk: &mut Desk, server: &dyn Managed) {
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
