//! How the process runs: its log, its place, its files.

use std::net::{IpAddr, SocketAddr};

use super::super::document::Directive;
use super::super::report::{Fate, Problem};
use super::{Arguments, Files, LogFile, ProcessSettings, Verdict, parsed};
use crate::config::Options;

const TO_STDERR: &str = "the log goes to standard error, from where systemd takes it";

/// What becomes of `directive`, if it is about the process.
pub(super) fn take(
    directive: &Directive,
    files: &Files,
    options: &mut Options,
    process: &mut ProcessSettings,
) -> Option<Verdict> {
    let path = |form| directive.exactly::<1>(form).map(|[path]| files.path(path));
    Some(match directive.name.as_str() {
        "cd" => directive.exactly::<1>("cd DIRECTORY").map(|[_]| Fate::Done),
        "verb" => take_verbosity(directive, process),
        "log" => path("log FILE").map(|path| set(&mut process.log, LogFile { path, is_kept: false })),
        "log-append" => {
            path("log-append FILE").map(|path| set(&mut process.log, LogFile { path, is_kept: true }))
        }
        "syslog" => Ok(Fate::Adapted(TO_STDERR)),
        "daemon" => take_daemon(directive, process),
        "writepid" => path("writepid FILE").map(|path| set(&mut process.pid_file, path)),
        "state-dir" => path("state-dir DIRECTORY").map(|path| set(&mut options.state_dir, path)),
        "connection-log" => path("connection-log FILE").map(|path| set(&mut options.connection_log, path)),
        "confine" => account(&mut options.confine, directive, "confine auto|always|off"),
        "user" => account(&mut options.user, directive, "user NAME"),
        "group" => account(&mut options.group, directive, "group NAME"),
        "status" => take_status(directive, files, options),
        "status-version" => {
            directive.number("status-version 1|2|3").map(|version| set(&mut options.status_version, version))
        }
        "management" => take_management(directive, files, options),
        "management-hold" => {
            directive.exactly::<0>("management-hold").map(|[]| set(&mut options.management_hold, true))
        }
        "management-log-cache" => directive
            .number("management-log-cache LINES")
            .map(|lines| set(&mut options.management_log_lines, lines)),
        "management-forget-disconnect" => Ok(Fate::Ignored("a server keeps no passwords")),
        "management-signal" => Ok(Fate::Ignored("the server goes on when its management client leaves")),
        "management-up-down" => Ok(Fate::Ignored("the state of the server tells the same")),
        "management-client-user" | "management-client-group" => Err(Problem::Unsupported(
            "the socket is for the user that runs the server: run the other program as that user",
        )),
        "crl-grace" => directive.number("crl-grace SECONDS").map(|grace| set(&mut options.crl_grace, grace)),
        _ => return None,
    })
}

fn set<T>(slot: &mut Option<T>, value: T) -> Fate {
    *slot = Some(value);
    Fate::Done
}

fn account(slot: &mut Option<String>, directive: &Directive, form: &'static str) -> Verdict {
    let [name] = directive.exactly::<1>(form)?;
    Ok(set(slot, name.clone()))
}

fn take_status(directive: &Directive, files: &Files, options: &mut Options) -> Verdict {
    let (file, rest) = directive.first_and_rest("status FILE [SECONDS]")?;
    options.status = Some(files.path(file));
    options.status_interval = match rest {
        [] => None,
        [seconds] => Some(parsed(seconds, "a number of seconds")?),
        _ => return Err(Problem::Arguments("status FILE [SECONDS]")),
    };
    Ok(Fate::Done)
}

/// `management ADDRESS PORT [PASSWORDFILE]` or `management PATH unix [PASSWORDFILE]`.
fn take_management(directive: &Directive, files: &Files, options: &mut Options) -> Verdict {
    const FORM: &str = "management ADDRESS PORT [PASSWORDFILE], or management PATH unix [PASSWORDFILE]";
    let (place, port, password) = match directive.arguments.as_slice() {
        [place, port] => (place, port, None),
        [place, port, password] => (place, port, Some(password)),
        _ => return Err(Problem::Arguments(FORM)),
    };
    if place == "tunnel" {
        return Err(Problem::Unsupported(
            "clients must not reach it: use a loopback address or a socket file",
        ));
    }
    if password.is_some_and(|file| file == "stdin") {
        return Err(Problem::Unsupported("a server cannot ask: write the password into a file"));
    }
    options.management = Some(if port == "unix" {
        format!("unix:{}", files.path(place).display())
    } else {
        let host = if place == "localhost" { "127.0.0.1" } else { place };
        let address: IpAddr = parsed(host, "an IP address of this host")?;
        SocketAddr::new(address, parsed(port, "a port")?).to_string()
    });
    options.management_password = password.map(|file| files.path(file));
    Ok(Fate::Done)
}

fn take_verbosity(directive: &Directive, process: &mut ProcessSettings) -> Verdict {
    let [level] = directive.exactly::<1>("verb 0...11")?;
    let level: u8 = parsed(level, "a number from 0 to 11")?;
    if level > 11 {
        return Err(Problem::Value { value: level.to_string(), expected: "a number from 0 to 11" });
    }
    process.verbosity = Some(level);
    Ok(Fate::Done)
}

/// The argument names the process in the system log, which is not written to.
fn take_daemon(directive: &Directive, process: &mut ProcessSettings) -> Verdict {
    process.is_daemon = true;
    match directive.arguments.as_slice() {
        [] => Ok(Fate::Done),
        [_] => Ok(Fate::Adapted("the name is not used: nothing goes to the system log")),
        _ => Err(Problem::Arguments("daemon [NAME]")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::document::parse;
    use super::*;

    #[test]
    fn a_status_file_keeps_interval_and_version() {
        let (options, _) = operation("status /run/openvpn/status.log 10\nstatus-version 2").unwrap();
        assert_eq!(options.status, Some("/run/openvpn/status.log".into()));
        assert_eq!((options.status_interval, options.status_version), (Some(10), Some(2)));
    }

    #[test]
    fn a_management_interface_is_a_port_or_a_socket_file() {
        let management = |text: &str| operation(text).unwrap().0;
        let tcp = management("management localhost 7505 pw");
        assert_eq!(tcp.management.as_deref(), Some("127.0.0.1:7505"));
        assert_eq!(tcp.management_password, Some("/etc/openvpn/pw".into()));
        let unix = management("management run/m.sock unix\nmanagement-hold\nmanagement-log-cache 300");
        assert_eq!(unix.management.as_deref(), Some("unix:/etc/openvpn/run/m.sock"));
        assert_eq!((unix.management_hold, unix.management_log_lines), (Some(true), Some(300)));
        for text in ["management tunnel 7505", "management 127.0.0.1", "management 127.0.0.1 7505 stdin"] {
            assert!(operation(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_process_has_a_log_and_a_number() {
        let (_, process) = operation("log l\nlog-append a\nwritepid /run/p\ndaemon ovpn\nverb 4").unwrap();
        assert_eq!(process.log, Some(LogFile { path: "/etc/openvpn/a".into(), is_kept: true }));
        assert_eq!(process.pid_file, Some("/run/p".into()));
        assert!(process.is_daemon);
        assert_eq!(process.verbosity, Some(4));
        assert!(operation("verb 12").is_err() && operation("verb x").is_err());
    }

    #[test]
    fn ops_04_the_server_becomes_the_user_and_the_group_that_are_named() {
        let (options, _) = operation("user nobody\ngroup nogroup").unwrap();
        assert_eq!((options.user.as_deref(), options.group.as_deref()), (Some("nobody"), Some("nogroup")));
        assert!(operation("user").is_err() && operation("group a b").is_err());
    }

    fn operation(text: &str) -> Result<(Options, ProcessSettings), Problem> {
        let files =
            Files { directory: "/etc/openvpn".into(), inline_directory: "/x".into(), inline: Vec::new() };
        let (mut options, mut process) = (Options::default(), ProcessSettings::default());
        for directive in parse("f", text).unwrap() {
            take(&directive, &files, &mut options, &mut process).unwrap()?;
        }
        Ok((options, process))
    }
}
