//! What each directive means in the server's own options.
//!
//! Later directives replace earlier ones, except for those that add to a list, as in OpenVPN. A directive is looked for
//! in the groups below, then among those that are ignored or refused; what is found nowhere is refused, because a
//! server that skips what it does not understand may be more open than the one that was asked for.

mod clients;
mod credentials;
mod listen;
mod logins;
pub(super) mod network;
mod operation;
mod programs;
pub(super) mod push;

use std::path::{Path, PathBuf};

use super::document::{Directive, InlineText};
use super::load::StockError;
use super::report::{Fate, Finding, Problem, Report};
use super::unneeded;
use crate::config::{Options, nearest};
use clients::Clients;
use credentials::Credentials;
use listen::Listening;
use network::Addressing;
use programs::Programs;
use push::Pushed;

/// What a translation needs to know about the host.
#[derive(Clone, Debug)]
pub struct Surroundings {
    /// Where relative paths start, unless a directive `cd` says otherwise.
    pub directory: PathBuf,
    /// The name for a device that the configuration leaves open, as in `dev tun`.
    pub free_device: String,
    /// Where files for inline blocks will be; `None` is the state directory of the server.
    pub inline_directory: Option<PathBuf>,
}

/// A configuration that can be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Translation {
    /// What the server does.
    pub options: Options,
    /// What the process does.
    pub process: ProcessSettings,
    /// The directory with the settings of single clients.
    pub client_directory: Option<PathBuf>,
    /// Files that have to be written before the options can be used.
    pub inline_files: Vec<InlineFile>,
    /// What became of each directive.
    pub report: Report,
}

/// A file for an inline block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InlineFile {
    /// Where the options expect it.
    pub path: PathBuf,
    /// What it holds.
    pub text: InlineText,
}

/// What belongs to the process and not to the VPN.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProcessSettings {
    /// Where the log goes; `None` is standard error.
    pub log: Option<LogFile>,
    /// Whether the process leaves the terminal once it is ready.
    pub is_daemon: bool,
    /// The file that gets the process id.
    pub pid_file: Option<PathBuf>,
    /// How much is logged, in OpenVPN's numbers from 0 to 11.
    pub verbosity: Option<u8>,
}

/// A log file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogFile {
    /// The file.
    pub path: PathBuf,
    /// Whether what it holds is kept.
    pub is_kept: bool,
}

/// Translates a whole configuration.
///
/// # Errors
///
/// [`StockError::Refused`] with the report when there is a directive that cannot be done.
pub fn translate(directives: &[Directive], surroundings: &Surroundings) -> Result<Translation, StockError> {
    let mut draft = Draft::new(directives, surroundings);
    let mut report = Report::default();
    let optional: Vec<&String> = directives
        .iter()
        .filter(|directive| directive.name == "ignore-unknown-option")
        .flat_map(|directive| &directive.arguments)
        .collect();
    for directive in directives {
        let fate = match draft.take(directive) {
            Ok(fate) => fate,
            Err(Problem::Unknown(_)) if optional.contains(&&directive.name) => Fate::Ignored(OPTIONAL),
            Err(problem) => Fate::Refused(problem),
        };
        report.add(Finding { directive: directive.name.clone(), place: directive.place.clone(), fate });
    }
    if report.refused().next().is_some() {
        return Err(StockError::Refused(report));
    }
    Ok(draft.finish(report))
}

/// What became of one directive, or why it is refused.
type Verdict = Result<Fate, Problem>;

/// A translation that is not complete.
struct Draft {
    options: Options,
    process: ProcessSettings,
    files: Files,
    listening: Listening,
    addressing: Addressing,
    credentials: Credentials,
    clients: Clients,
    programs: Programs,
    pushed: Pushed,
    client_directory: Option<PathBuf>,
}

/// Paths that directives name, and files for inline blocks.
struct Files {
    directory: PathBuf,
    inline_directory: PathBuf,
    inline: Vec<InlineFile>,
}

impl Draft {
    fn new(directives: &[Directive], surroundings: &Surroundings) -> Self {
        let changes = directives.iter().filter(|directive| directive.name == "cd");
        let directory = changes
            .filter_map(|directive| directive.arguments.first())
            .fold(surroundings.directory.clone(), |directory, change| directory.join(change));
        let addressing = Addressing::new(directives, &surroundings.free_device);
        let state_directory = last_argument(directives, "state-dir")
            .map_or_else(|| Options::default_state_dir(addressing.tun()), |path| directory.join(path));
        let inline_directory =
            surroundings.inline_directory.clone().unwrap_or_else(|| state_directory.join("inline"));
        Self {
            options: Options { state_dir: Some(state_directory), ..Options::default() },
            process: ProcessSettings::default(),
            files: Files { directory, inline_directory, inline: Vec::new() },
            listening: Listening::default(),
            addressing,
            credentials: Credentials::default(),
            clients: Clients::new(directives),
            programs: Programs::new(directives),
            pushed: Pushed::default(),
            client_directory: None,
        }
    }

    fn take(&mut self, directive: &Directive) -> Verdict {
        let mine = None
            .or_else(|| self.listening.take(directive))
            .or_else(|| self.addressing.take(directive, &self.files))
            .or_else(|| self.credentials.take(directive, &mut self.files))
            .or_else(|| self.clients.take(directive, &mut self.options))
            .or_else(|| logins::take(directive, &mut self.files, &mut self.options))
            .or_else(|| self.programs.take(directive, &self.files, &mut self.options))
            .or_else(|| self.pushed.take(directive))
            .or_else(|| operation::take(directive, &self.files, &mut self.options, &mut self.process));
        let name = directive.name.as_str();
        match mine {
            Some(verdict) => verdict,
            None if name == "client-config-dir" => self.take_client_directory(directive),
            None if name == "setenv" => self.take_optional(directive),
            None if name == "ignore-unknown-option" => Ok(Fate::Done),
            None => elsewhere(name),
        }
    }

    fn take_client_directory(&mut self, directive: &Directive) -> Verdict {
        let [directory] = directive.exactly::<1>("client-config-dir DIRECTORY")?;
        self.client_directory = Some(self.files.path(directory));
        Ok(Fate::Done)
    }

    /// `setenv opt DIRECTIVE ARGUMENTS` is a directive that may be unknown.
    fn take_optional(&mut self, directive: &Directive) -> Verdict {
        let [keyword, name, arguments @ ..] = directive.arguments.as_slice() else {
            return Ok(Fate::Ignored("hooks get the documented environment only"));
        };
        if keyword != "opt" {
            return Ok(Fate::Ignored("hooks get the documented environment only"));
        }
        let wrapped = Directive {
            name: name.clone(),
            arguments: arguments.to_vec(),
            inline: None,
            place: directive.place.clone(),
        };
        match self.take(&wrapped) {
            Err(Problem::Unknown(_)) => Ok(Fate::Ignored(OPTIONAL)),
            verdict => verdict,
        }
    }

    fn finish(self, report: Report) -> Translation {
        let mut options = self.options;
        self.listening.finish(&mut options);
        self.addressing.finish(&mut options);
        self.credentials.finish(&mut options);
        self.clients.finish(&mut options);
        self.pushed.finish(&mut options);
        Translation {
            options,
            process: self.process,
            client_directory: self.client_directory,
            inline_files: self.files.inline,
            report,
        }
    }
}

/// What becomes of a directive that may be unknown.
const OPTIONAL: &str = "it is unknown, and marked as optional";

/// What becomes of a directive that no group takes.
fn elsewhere(name: &str) -> Verdict {
    if let Some(reason) = unneeded::reason(unneeded::IGNORED, name) {
        return Ok(Fate::Ignored(reason));
    }
    if let Some(reason) = unneeded::reason(unneeded::REFUSED, name) {
        return Err(Problem::Unsupported(reason));
    }
    let known = unneeded::IGNORED.iter().map(|(name, _)| *name).chain(DONE.iter().copied());
    Err(Problem::Unknown(nearest(name, known)))
}

/// The last argument of a directive that may be given several times: the first word behind its last occurrence.
fn last_argument<'a>(directives: &'a [Directive], name: &str) -> Option<&'a String> {
    directives.iter().rev().find(|directive| directive.name == name)?.arguments.first()
}

/// The words behind a directive, as many as it must have; `form` is what a correct one looks like.
trait Arguments {
    /// Exactly `N` arguments.
    fn exactly<const N: usize>(&self, form: &'static str) -> Result<&[String; N], Problem>;

    /// At least one argument, and the others.
    fn first_and_rest(&self, form: &'static str) -> Result<(&str, &[String]), Problem>;

    /// One argument that is a number.
    fn number<T: std::str::FromStr>(&self, form: &'static str) -> Result<T, Problem> {
        let [text] = self.exactly::<1>(form)?;
        parsed(text, "a number that fits")
    }
}

impl Arguments for Directive {
    fn exactly<const N: usize>(&self, form: &'static str) -> Result<&[String; N], Problem> {
        self.arguments.as_slice().try_into().map_err(|_| Problem::Arguments(form))
    }

    fn first_and_rest(&self, form: &'static str) -> Result<(&str, &[String]), Problem> {
        let (first, rest) = self.arguments.split_first().ok_or(Problem::Arguments(form))?;
        Ok((first, rest))
    }
}

fn parsed<T: std::str::FromStr>(text: &str, expected: &'static str) -> Result<T, Problem> {
    text.parse().map_err(|_| Problem::Value { value: text.to_owned(), expected })
}

impl Files {
    /// The file that a directive names as its first argument, or holds as an inline block.
    fn named(&mut self, directive: &Directive, form: &'static str) -> Result<PathBuf, Problem> {
        let Some(text) = &directive.inline else {
            let (file, _) = directive.first_and_rest(form)?;
            return Ok(self.directory.join(file));
        };
        let path = self.inline_directory.join(format!("{}.pem", directive.name));
        self.inline.retain(|file| file.path != path);
        self.inline.push(InlineFile { path: path.clone(), text: text.clone() });
        Ok(path)
    }

    /// A path that a directive names.
    fn path(&self, text: &str) -> PathBuf {
        self.directory.join(Path::new(text))
    }
}

/// Directives that are translated, for suggestions.
const DONE: &[&str] = &[
    "askpass",
    "auth",
    "auth-gen-token",
    "auth-gen-token-secret",
    "auth-user-pass-optional",
    "auth-user-pass-verify",
    "authorize",
    "ca",
    "ccd-exclusive",
    "cd",
    "cert",
    "cipher",
    "client-config-dir",
    "client-connect",
    "client-crresponse",
    "client-disconnect",
    "client-to-client",
    "config",
    "confine",
    "connection-log",
    "crl-grace",
    "crl-verify",
    "daemon",
    "data-ciphers",
    "data-ciphers-fallback",
    "dev",
    "dev-type",
    "down",
    "duplicate-cn",
    "extra-certs",
    "group",
    "hand-window",
    "ifconfig",
    "ifconfig-pool",
    "ifconfig-pool-persist",
    "ignore-unknown-option",
    "inactive",
    "keepalive",
    "key",
    "key-direction",
    "learn-address",
    "local",
    "log",
    "log-append",
    "lport",
    "management",
    "management-client-auth",
    "management-hold",
    "management-log-cache",
    "max-clients",
    "mode",
    "mssfix",
    "ncp-ciphers",
    "ping",
    "ping-restart",
    "pkcs12",
    "port",
    "port-share",
    "proto",
    "push",
    "remote-cert-tls",
    "reneg-sec",
    "replay-window",
    "route",
    "route-ipv6",
    "route-up",
    "script-security",
    "server",
    "server-ipv6",
    "session-timeout",
    "state-dir",
    "status",
    "status-version",
    "syslog",
    "tls-auth",
    "tls-crypt",
    "tls-crypt-v2",
    "tls-crypt-v2-verify",
    "tls-verify",
    "tls-version-min",
    "topology",
    "tun-mtu",
    "up",
    "user",
    "username-as-common-name",
    "verb",
    "verify-client-cert",
    "verify-x509-name",
    "writepid",
    "x509-username-field",
];

#[cfg(test)]
mod tests {
    use super::super::document::{Place, parse};
    use super::*;
    use crate::config::Config;

    /// The sample of the OpenVPN distribution without its comments.
    const SAMPLE: &str = "port 1194\nproto udp\ndev tun\nca ca.crt\ncert server.crt\nkey server.key\ndh dh2048.pem\n\
        topology subnet\nserver 10.8.0.0 255.255.255.0\nkeepalive 10 120\npersist-key\npersist-tun\nverb 3\n\
        explicit-exit-notify 1\npush \"route 10.7.0.0 255.255.255.0\"\npush \"dhcp-option DNS 10.7.0.53\"\n";

    #[test]
    fn the_sample_configuration_becomes_a_valid_one() {
        let translation = translation(SAMPLE).unwrap();
        let config = Config::check(translation.options.clone()).unwrap();
        assert_eq!(config.inside.client_cidrs.v4.to_string(), "10.8.0.0/24");
        assert_eq!(config.tun.as_str(), "tun3");
        assert_eq!(config.state_directory, PathBuf::from("/var/lib/postern/tun3"));
        assert_eq!(config.live.push.options[0].as_str(), "route 10.7.0.0 255.255.255.0");
        assert_eq!(config.live.authorized[0].to_string(), "0.0.0.0/0");
        assert!(!config.nat);
        assert_eq!(translation.options.ca, Some("/etc/openvpn/ca.crt".into()));
        assert_eq!(translation.process.verbosity, Some(3));
        let ignored: Vec<_> =
            translation.report.remarkable().map(|finding| finding.directive.as_str()).collect();
        assert_eq!(ignored, ["dh", "persist-key", "persist-tun", "explicit-exit-notify"]);
    }

    #[test]
    fn everything_that_is_refused_is_named_at_once() {
        let StockError::Refused(report) =
            translation("dev tap\nserver 10.8.0.0 255.255.255.0\nfragment 1300\nprot udp\n").unwrap_err()
        else {
            panic!("another error");
        };
        let refused: Vec<_> = report.refused().map(|finding| finding.place.to_string()).collect();
        assert_eq!(refused, ["f:1", "f:3", "f:4"]);
        let last = report.refused().last().unwrap().to_string();
        assert!(last.ends_with("did you mean 'proto'?"), "{last}");
    }

    #[test]
    fn an_unknown_directive_may_be_marked_as_optional() {
        let translation =
            translation("setenv opt future-thing 1\nsetenv opt port 7\nsetenv FOO bar\n").unwrap();
        assert_eq!(translation.options.listen.unwrap(), ["udp:0.0.0.0:7"]);
        let codes: Vec<_> = translation.report.findings().iter().map(|finding| finding.fate.code()).collect();
        assert_eq!(codes, ["ignored", "done", "ignored"]);
        assert!(self::translation("setenv opt dev tap").is_err(), "known and refused stays refused");
    }

    #[test]
    fn unknown_directives_may_be_named_as_such() {
        let text = "future-thing 1\nignore-unknown-option future-thing dev\n";
        let translation = translation(text).unwrap();
        let codes: Vec<_> = translation.report.findings().iter().map(|finding| finding.fate.code()).collect();
        assert_eq!(codes, ["ignored", "done"]);
        assert!(
            self::translation("ignore-unknown-option dev\ndev tap").is_err(),
            "known and refused stays refused"
        );
    }

    #[test]
    fn the_last_change_of_directory_counts_for_every_file() {
        let options = translation("ca ca.crt\ncd keys\ncd /srv\nkey k\nstate-dir s\n<cert>\nX\n</cert>")
            .unwrap()
            .options;
        assert_eq!(options.ca, Some("/srv/ca.crt".into()));
        assert_eq!(options.state_dir, Some("/srv/s".into()));
        assert_eq!(options.cert, Some("/srv/s/inline/cert.pem".into()));
    }

    #[test]
    fn every_name_for_suggestions_is_translated() {
        for name in DONE {
            let directive = Directive {
                name: (*name).to_owned(),
                arguments: Vec::new(),
                inline: None,
                place: Place::CommandLine,
            };
            let verdict = Draft::new(&[], &surroundings()).take(&directive);
            assert!(!matches!(verdict, Err(Problem::Unknown(_))) || *name == "config", "{name}");
        }
    }

    #[test]
    fn every_directive_stands_in_the_reference() {
        let reference = include_str!("../../../../docs/reference/stock-configuration.md");
        let tables = unneeded::IGNORED.iter().chain(unneeded::REFUSED).map(|(name, _)| *name);
        for name in tables.chain(DONE.iter().copied()) {
            assert!(reference.contains(&format!("`{name}`")), "{name}");
        }
        for (name, reason) in unneeded::IGNORED.iter().chain(unneeded::REFUSED) {
            assert!(reference.contains(reason), "{name}: {reason}");
        }
    }

    fn translation(text: &str) -> Result<Translation, StockError> {
        translate(&parse("f", text).unwrap(), &surroundings())
    }

    fn surroundings() -> Surroundings {
        Surroundings {
            directory: "/etc/openvpn".into(),
            free_device: "tun3".to_owned(),
            inline_directory: None,
        }
    }
}
