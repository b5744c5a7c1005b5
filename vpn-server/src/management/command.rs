//! Lines of a management client as commands, and why a line is none.
//!
//! The refusals are the texts of OpenVPN 2.6.14, because programs match on them.

use std::net::SocketAddr;
use std::time::Duration;

use vpn_proto::{Farewell, Pending, Prompt};

use super::managed::ProcessSignal;
use crate::config::words;
use crate::status::StatusVersion;

/// What a management client wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Command {
    Status(StatusVersion),
    LoadStatistics,
    KillByName(String),
    KillByAddress(SocketAddr),
    ClientKill {
        client_id: u64,
        farewell: Farewell,
    },
    /// A client that waits is let in, without anything special.
    Accept(Petition),
    /// A client that waits is refused, or one that is there is sent away.
    Deny {
        petition: Petition,
        /// For the log.
        reason: String,
        /// For the client; may be empty.
        told: String,
    },
    /// A client that waits has to wait longer; its person may be asked something.
    HoldOn {
        petition: Petition,
        pending: Pending,
    },
    ByteCount {
        seconds: u32,
    },
    Log(Listen),
    State(Listen),
    Echo(Listen),
    Setting(Setting),
    Hold(Option<HoldRequest>),
    Signal(ProcessSignal),
    /// A command whose lines follow up to `END`.
    Block(Block),
    Version,
    /// The client says which version it speaks; there is no answer.
    ClientVersion,
    ProcessId,
    Pkcs11Count,
    Test(u32),
    Help,
    Quit,
}

/// To listen from now on, and to look back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Listen {
    /// Whether news are shown as they come.
    pub(super) live: Option<bool>,
    /// How many old entries are shown.
    pub(super) last: Option<usize>,
}

/// What is wished about the waiting before the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HoldRequest {
    Set(bool),
    Release,
}

/// Something to set, or to ask for where nothing is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Setting {
    Verbosity(Option<u8>),
    Mute(Option<u32>),
    EnvironmentFilter(u32),
    AuthRetry(Option<String>),
    ForgetPasswords,
}

/// One question about a client: its CID, and the KID of its TLS session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Petition {
    pub(super) client_id: u64,
    pub(super) key_id: u32,
}

/// Commands with lines of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Block {
    /// A client that waits is let in; the lines are directives about it.
    Accept(Petition),
    Signature,
}

/// Why a line is no command: the answer to it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    #[error("unknown command, enter 'help' for more options")]
    Unknown,
    #[error("the '{command}' command requires {}{}", if *.at_least { "at least " } else { "" }, parameters(*.wanted))]
    Parameters { command: &'static str, wanted: usize, at_least: bool },
    #[error("The '{0}' command is not supported by the current daemon mode")]
    NotForServers(&'static str),
    #[error("Sorry, this command is currently only implemented on Windows")]
    NotForThisSystem,
    #[error("no {0} is currently needed at this time")]
    NotAsked(&'static str),
    #[error("bad status format version number")]
    StatusVersion,
    #[error("signal '{0}' is not a known signal type")]
    Signal(String),
    #[error("{0} parameter must be 'on' or 'off' or some number n or 'all'")]
    Listen(&'static str),
    #[error("bad hold command parameter")]
    Hold,
    #[error("cannot parse {0}")]
    Number(&'static str),
    #[error("{0} command failed")]
    Failed(&'static str),
    #[error("client-pending-auth command failed. Extra parameter might be too long")]
    PendingAuthentication,
}

impl Command {
    /// The command on `line`, nothing on an empty line.
    pub(super) fn parse(line: &str, default_status: StatusVersion) -> Result<Option<Self>, Refusal> {
        let words = words::split(line).map_err(|_| Refusal::Unknown)?;
        let Some((name, arguments)) = words.split_first() else { return Ok(None) };
        let arguments = Arguments(arguments);
        parse_named(name, &arguments, default_status).map(Some)
    }
}

fn parse_named(
    name: &str,
    arguments: &Arguments<'_>,
    default_status: StatusVersion,
) -> Result<Command, Refusal> {
    Ok(match name {
        "status" => Command::Status(status_version(arguments, default_status)?),
        "load-stats" => Command::LoadStatistics,
        "kill" => kill(arguments.exactly_one("kill")?),
        "client-kill" => client_kill(arguments)?,
        // A number that is none counts as 0, as in OpenVPN.
        "bytecount" => {
            Command::ByteCount { seconds: arguments.exactly_one("bytecount")?.parse().unwrap_or(0) }
        }
        "log" => Command::Log(listen("log", arguments)?),
        "state" => Command::State(if arguments.0.is_empty() {
            Listen { live: None, last: Some(1) }
        } else {
            listen("state", arguments)?
        }),
        "echo" => Command::Echo(listen("echo", arguments)?),
        "verb" => Command::Setting(Setting::Verbosity(arguments.number("verb level")?)),
        "mute" => Command::Setting(Setting::Mute(arguments.number("mute level")?)),
        "hold" => Command::Hold(hold(arguments)?),
        "signal" => signal(arguments.exactly_one("signal")?)?,
        "env-filter" => {
            Command::Setting(Setting::EnvironmentFilter(arguments.number("env-filter level")?.unwrap_or(0)))
        }
        "auth-retry" => Command::Setting(Setting::AuthRetry(arguments.0.first().cloned())),
        "version" if arguments.0.is_empty() => Command::Version,
        "version" => Command::ClientVersion,
        "pid" => Command::ProcessId,
        "forget-passwords" => Command::Setting(Setting::ForgetPasswords),
        "pkcs11-id-count" => Command::Pkcs11Count,
        "test" => Command::Test(arguments.exactly_one("test")?.parse().unwrap_or(0)),
        "help" => Command::Help,
        "quit" | "exit" => Command::Quit,
        _ => return elsewhere(name, arguments),
    })
}

/// Commands that a server under management has no use for, and decisions about clients.
fn elsewhere(name: &str, arguments: &Arguments<'_>) -> Result<Command, Refusal> {
    match name {
        "client-auth" => petition("client-auth", arguments, 2).map(Block::Accept).map(Command::Block),
        "rsa-sig" | "pk-sig" | "certificate" => Ok(Command::Block(Block::Signature)),
        "client-auth-nt" => petition("client-auth-nt", arguments, 2).map(Command::Accept),
        "client-deny" => client_deny(arguments),
        "client-pending-auth" => client_pending_auth(arguments),
        "remote" => Err(Refusal::NotForServers("remote")),
        "remote-entry-count" => Err(Refusal::NotForServers("remote-entry-count")),
        "remote-entry-get" => Err(Refusal::NotForServers("remote-entry-get")),
        "proxy" => Err(Refusal::NotForServers("proxy")),
        "cr-response" => Err(Refusal::NotForServers("cr-response")),
        "pkcs11-id-get" => Err(Refusal::NotForServers("pkcs11-id-get")),
        "net" => Err(Refusal::NotForThisSystem),
        "needok" => Err(Refusal::NotAsked("needok-confirmation")),
        "needstr" => Err(Refusal::NotAsked("needstr-string")),
        "username" => Err(Refusal::NotAsked("username")),
        "password" => Err(Refusal::NotAsked("password")),
        _ => Err(Refusal::Unknown),
    }
}

struct Arguments<'a>(&'a [String]);

impl Arguments<'_> {
    fn exactly_one(&self, command: &'static str) -> Result<&str, Refusal> {
        match self.0 {
            [argument] => Ok(argument),
            _ => Err(Refusal::Parameters { command, wanted: 1, at_least: false }),
        }
    }

    fn at_least(&self, command: &'static str, wanted: usize) -> Result<&[String], Refusal> {
        if self.0.len() < wanted {
            return Err(Refusal::Parameters { command, wanted, at_least: true });
        }
        Ok(self.0)
    }

    fn number<T: std::str::FromStr>(&self, meaning: &'static str) -> Result<Option<T>, Refusal> {
        self.0.first().map(|text| text.parse().map_err(|_| Refusal::Number(meaning))).transpose()
    }
}

fn status_version(arguments: &Arguments<'_>, default: StatusVersion) -> Result<StatusVersion, Refusal> {
    match arguments.0.first() {
        None => Ok(default),
        Some(text) => text.parse().ok().and_then(StatusVersion::from_number).ok_or(Refusal::StatusVersion),
    }
}

/// An address with a port, in front of which 2.7 writes the protocol; anything else is a name.
fn kill(victim: &str) -> Command {
    let address = match victim.split_once(':') {
        Some((protocol, address)) if protocol.starts_with("udp") || protocol.starts_with("tcp") => address,
        _ => victim,
    };
    let parsed = address.parse().ok().or_else(|| {
        let (host, port) = address.rsplit_once(':')?;
        Some(SocketAddr::new(host.parse().ok()?, port.parse().ok()?))
    });
    parsed.map_or_else(|| Command::KillByName(victim.to_owned()), Command::KillByAddress)
}

/// The message is `RESTART` or `HALT`, either with a text behind a comma; another one is the reason to come back.
fn client_kill(arguments: &Arguments<'_>) -> Result<Command, Refusal> {
    let [client_id, message @ ..] = arguments.at_least("client-kill", 1)? else {
        return Err(Refusal::Failed("client-kill"));
    };
    let client_id = client_id.parse().map_err(|_| Refusal::Number("CID"))?;
    let message = message.first().map_or("RESTART", String::as_str);
    let (verb, text) = message.split_once(',').unwrap_or((message, ""));
    let farewell = match verb {
        "HALT" => Farewell::Halt(text.to_owned()),
        "RESTART" => Farewell::Restart(text.to_owned()),
        _ => Farewell::Restart(message.to_owned()),
    };
    Ok(Command::ClientKill { client_id, farewell })
}

fn petition(command: &'static str, arguments: &Arguments<'_>, least: usize) -> Result<Petition, Refusal> {
    let [client_id, key_id, ..] = arguments.at_least(command, least)? else {
        return Err(Refusal::Failed(command));
    };
    let client_id = client_id.parse().map_err(|_| Refusal::Number("CID"))?;
    let key_id = key_id.parse().map_err(|_| Refusal::Number("KID"))?;
    Ok(Petition { client_id, key_id })
}

/// `client-deny CID KID REASON [CLIENT-REASON]`.
fn client_deny(arguments: &Arguments<'_>) -> Result<Command, Refusal> {
    let petition = petition("client-deny", arguments, 3)?;
    let word = |index: usize| arguments.0.get(index).cloned().unwrap_or_default();
    Ok(Command::Deny { petition, reason: word(2), told: word(3) })
}

/// `client-pending-auth CID KID EXTRA SECONDS`: what is asked is in the form of `INFO_PRE`.
fn client_pending_auth(arguments: &Arguments<'_>) -> Result<Command, Refusal> {
    let petition = petition("client-pending-auth", arguments, 4)?;
    let word = |index: usize| arguments.0.get(index).map_or("", String::as_str);
    let seconds: u32 = word(3).parse().map_err(|_| Refusal::Number("timeout"))?;
    let prompt = Prompt::parse(word(2)).filter(|_| word(2).len() <= MAXIMUM_PROMPT);
    let prompt = prompt.ok_or(Refusal::PendingAuthentication)?;
    let timeout = Duration::from_secs(seconds.into());
    Ok(Command::HoldOn { petition, pending: Pending { timeout, prompt: Some(prompt) } })
}

/// What fits into one message to a client, beside its verb.
const MAXIMUM_PROMPT: usize = 1000;

fn listen(command: &'static str, arguments: &Arguments<'_>) -> Result<Listen, Refusal> {
    let mut listen = Listen::default();
    for argument in arguments.at_least(command, 1)? {
        match argument.as_str() {
            "on" => listen.live = Some(true),
            "off" => listen.live = Some(false),
            "all" => listen.last = Some(usize::MAX),
            number => listen.last = Some(number.parse().map_err(|_| Refusal::Listen(command))?),
        }
    }
    Ok(listen)
}

fn hold(arguments: &Arguments<'_>) -> Result<Option<HoldRequest>, Refusal> {
    match arguments.0.first().map(String::as_str) {
        None => Ok(None),
        Some("on") => Ok(Some(HoldRequest::Set(true))),
        Some("off") => Ok(Some(HoldRequest::Set(false))),
        Some("release") => Ok(Some(HoldRequest::Release)),
        Some(_) => Err(Refusal::Hold),
    }
}

fn signal(name: &str) -> Result<Command, Refusal> {
    ProcessSignal::parse(name).map(Command::Signal).ok_or_else(|| Refusal::Signal(name.to_owned()))
}

fn parameters(wanted: usize) -> String {
    format!("{wanted} parameter{}", if wanted == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn victims_are_names_or_addresses_in_every_form_of_a_status() {
        let address = |text: &str| Command::KillByAddress(text.parse().unwrap());
        for (text, expected) in [
            ("192.0.2.2:4000", address("192.0.2.2:4000")),
            ("tcp:192.0.2.2:4000", address("192.0.2.2:4000")),
            ("udp6:2001:db8::1:4000", address("[2001:db8::1]:4000")),
            ("[2001:db8::1]:4000", address("[2001:db8::1]:4000")),
            ("alice@company.com", Command::KillByName("alice@company.com".to_owned())),
            ("a:b", Command::KillByName("a:b".to_owned())),
        ] {
            assert_eq!(parse(&format!("kill {text}")), Ok(expected), "{text}");
        }
    }

    #[test]
    fn a_client_is_sent_away_with_what_the_message_says() {
        let farewell = |message: &str| match parse(&format!("client-kill 7 {message}")) {
            Ok(Command::ClientKill { client_id: 7, farewell }) => farewell,
            other => panic!("{other:?}"),
        };
        assert_eq!(farewell(""), Farewell::Restart(String::new()));
        assert_eq!(farewell("HALT"), Farewell::Halt(String::new()));
        assert_eq!(farewell("\"HALT,go away\""), Farewell::Halt("go away".to_owned()));
        assert_eq!(farewell("RESTART,now"), Farewell::Restart("now".to_owned()));
        assert_eq!(farewell("busy"), Farewell::Restart("busy".to_owned()));
    }

    #[test]
    fn listening_and_looking_back_go_together() {
        assert_eq!(parse("log on 20"), Ok(Command::Log(Listen { live: Some(true), last: Some(20) })));
        assert_eq!(parse("state"), Ok(Command::State(Listen { live: None, last: Some(1) })));
        assert_eq!(parse("echo off"), Ok(Command::Echo(Listen { live: Some(false), last: None })));
        assert_eq!(parse("log all"), Ok(Command::Log(Listen { live: None, last: Some(usize::MAX) })));
    }

    #[test]
    fn a_name_with_spaces_is_quoted() {
        assert_eq!(parse("kill \"John Doe\""), Ok(Command::KillByName("John Doe".to_owned())));
        assert_eq!(parse("kill \"John"), Err(Refusal::Unknown));
    }

    #[test]
    fn an_empty_line_is_no_command() {
        assert_eq!(Command::parse("   ", StatusVersion::One), Ok(None));
    }

    fn parse(line: &str) -> Result<Command, Refusal> {
        Command::parse(line, StatusVersion::One).map(|command| command.expect("a command"))
    }
}
