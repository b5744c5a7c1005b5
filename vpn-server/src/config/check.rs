//! Makes a configuration of options: every value parsed, every contradiction refused.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use vpn_proto::{DataCipher, Keepalive, TlsVersion};

use super::access::AccessSettings;
use super::association::{self, Association};
use super::client::ClientTable;
use super::confinement::Confinement;
use super::connect_handler;
use super::data_channel::DataChannelSettings;
use super::error::{ConfigError, InvalidValue};
use super::hooks::HookSettings;
use super::inside::InsideSettings;
use super::listen::ListenAddress;
use super::login::{LoginSettings, SessionLimits};
use super::network::{Network, RoutedNetwork};
use super::options::Options;
use super::push::{MOST_PUSHED_OCTETS, PushSettings};
use super::run_as::RunAs;
use super::security::SecuritySettings;
use super::session::{self, SessionSettings};
use super::standing::EndpointStanding;
use super::strangers::StrangerSettings;
use super::wrapping::WrappingPaths;
use crate::auth::NameRule;
use crate::auth::connect_handler::ConnectHandlerSettings;
use crate::management::ManagementSettings;
use crate::status::StatusFileSettings;
use crate::transport::kernel::Waived;
use crate::transport::port_share::Backend;
use crate::transport::tun::DeviceName;
use vpn_proto::Transport;

const DEFAULT_TUN: &str = "postern0";
const STATE_ROOT: &str = "/var/lib/postern";

/// Everything a server needs to know before it starts. Only [`Config::check`] makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Config {
    /// Where certificates, keys and revocations come from.
    pub credentials: CredentialPaths,
    /// The file whose first line is the passphrase of the server key.
    pub passphrase_file: Option<PathBuf>,
    /// Certificates that are sent after the server certificate.
    pub extra_certificates: Option<PathBuf>,
    /// The name that certificates of clients must have.
    pub client_name: Option<NameRule>,
    /// The directory in which files are called by revoked serial numbers.
    pub revoked_serials: Option<PathBuf>,
    /// How control packets are wrapped.
    pub wrapping: WrappingPaths,
    /// Where clients connect to; never empty.
    pub listen: Vec<ListenAddress>,
    /// The server that gets TCP connections which do not speak our protocol.
    pub port_share: Option<Backend>,
    /// The name of the TUN device.
    pub tun: DeviceName,
    /// The addresses inside the tunnel.
    pub inside: InsideSettings,
    /// How sessions are kept.
    pub sessions: SessionSettings,
    /// How many sessions a client may have, and how long.
    pub limits: SessionLimits,
    /// How clients log in.
    pub login: LoginSettings,
    /// Programs that are run when something happens.
    pub hooks: HookSettings,
    /// Who has the last word about clients that logged in.
    pub connect_handler: Option<ConnectHandlerSettings>,
    /// How data packets are made.
    pub data_channel: DataChannelSettings,
    /// Whether client addresses are translated towards routed networks.
    pub nat: bool,
    /// The file that connection records are appended to.
    pub connection_log: Option<PathBuf>,
    /// The directory that belongs to this server.
    pub state_directory: PathBuf,
    /// Whom the server becomes once it is set up.
    pub run_as: RunAs,
    /// What the server takes from itself at its start.
    pub confinement: Confinement,
    /// For how long an expired revocation list is still accepted.
    pub crl_grace: Duration,
    /// Whether forwarding of packets is switched on where it is needed.
    pub forwarding: bool,
    /// The status file.
    pub status: Option<StatusFileSettings>,
    /// The management interface.
    pub management: Option<ManagementSettings>,
    /// What those get who have not been let in.
    pub strangers: StrangerSettings,
    /// What of the kernel is done without; no option says so.
    pub waived: Waived,
    /// What a reload can change while clients are connected.
    pub live: LiveSettings,
}

/// The part of a configuration that a reload can change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LiveSettings {
    /// Networks behind the server.
    pub routes: Vec<RoutedNetwork>,
    /// How clients appear behind interfaces.
    pub associations: Vec<Association>,
    /// Networks that all clients may reach.
    pub authorized: Vec<Network>,
    /// Who may reach what beside that; everything else is denied.
    pub access: AccessSettings,
    /// The security groups of the endpoint.
    pub security: SecuritySettings,
    /// Whether clients may reach each other and what is behind them, without a rule that says so.
    pub client_to_client: bool,
    /// What clients are told beside routes.
    pub push: PushSettings,
    /// What is decided about single clients.
    pub clients: ClientTable,
    /// Whether clients are refused about which nothing is decided.
    pub listed_clients_only: bool,
    /// What clients send through the tunnel.
    pub tunnel: TunnelMode,
    /// How many sessions at once; `None` is as many as there are addresses.
    pub max_sessions: Option<u32>,
    /// Whether clients are taken at all. Always so where options say what is served; programs that embed the server decide.
    pub standing: EndpointStanding,
}

/// What clients send through the tunnel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TunnelMode {
    /// Only what goes to routed networks.
    Split,
    /// Everything.
    #[default]
    Full,
    /// What `push` says, and nothing else.
    AsPushed,
}

/// Where certificates, keys and revocations come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CredentialPaths {
    /// A PKI directory as easy-rsa lays it out. Its `crl.pem` is watched from the beginning, even before it exists.
    Pki {
        /// The directory.
        directory: PathBuf,
        /// The name of the server certificate.
        server_name: String,
    },
    /// Single files.
    Files {
        /// The certificate authorities of the clients.
        ca: PathBuf,
        /// The server certificate and its intermediates.
        cert: PathBuf,
        /// The key of the server certificate.
        key: PathBuf,
        /// The revocation list; `None` means that revocation is not checked.
        crl: Option<PathBuf>,
    },
    /// A PKCS#12 file with the server certificate and its key.
    Container {
        /// The file.
        file: PathBuf,
        /// The certificate authorities of the clients, if those of the file do not count.
        ca: Option<PathBuf>,
        /// The revocation list; `None` means that revocation is not checked.
        crl: Option<PathBuf>,
    },
}

impl Config {
    /// Parses and checks all options together.
    ///
    /// # Errors
    ///
    /// The first [`ConfigError`] that is found.
    pub fn check(options: Options) -> Result<Self, ConfigError> {
        let credentials = CredentialPaths::check(&options)?;
        let client_name = parse("verify-x509-name", options.verify_x509_name.as_deref())?;
        let listen: Vec<ListenAddress> = parse_all("listen", options.listen.as_deref())?;
        let port_share = check_port_share(&options, &listen)?;
        let inside = InsideSettings::check(&options)?;
        let tun: DeviceName = parse("tun", Some(options.tun.as_deref().unwrap_or(DEFAULT_TUN)))?
            .ok_or(ConfigError::Missing { option: "tun", meaning: "the name of the TUN device" })?;
        let live = LiveSettings::check(&options, &inside)?;
        let data_channel = DataChannelSettings::check(&options, inside.client_cidrs.v6.is_some())?;
        let sessions = SessionSettings::check(&options)?;
        let wrapping = WrappingPaths::check(&options)?;
        let limits = SessionLimits::check(&options)?;
        let login = LoginSettings::check(&options)?;
        let hooks = HookSettings::check(&options)?;
        let connect_handler = connect_handler::check(&options)?;
        let status = StatusFileSettings::check(&options)?;
        let management = ManagementSettings::check(&options)?;
        let strangers = StrangerSettings::check(&options)?;
        let run_as = RunAs::check(&options)?;
        let confinement = parse("confine", options.confine.as_deref())?.unwrap_or_default();
        Ok(Self {
            forwarding: !options.no_forwarding.unwrap_or(false),
            status,
            management,
            credentials,
            passphrase_file: options.askpass,
            extra_certificates: options.extra_certs,
            client_name,
            revoked_serials: options.revoked_serials,
            wrapping,
            listen: if listen.is_empty() { vec![ListenAddress::DEFAULT] } else { listen },
            port_share,
            inside,
            sessions,
            limits,
            login,
            hooks,
            connect_handler,
            data_channel,
            nat: !options.no_nat.unwrap_or(false),
            connection_log: options.connection_log,
            state_directory: options.state_dir.unwrap_or_else(|| Options::default_state_dir(tun.as_str())),
            crl_grace: Duration::from_secs(options.crl_grace.unwrap_or(0).into()),
            strangers,
            run_as,
            confinement,
            waived: Waived::default(),
            live,
            tun,
        })
    }
}

impl CredentialPaths {
    /// All these files.
    #[must_use]
    pub fn files(&self) -> Vec<PathBuf> {
        match self {
            Self::Pki { directory, server_name } => vec![
                directory.join("ca.crt"),
                directory.join("issued").join(format!("{server_name}.crt")),
                directory.join("private").join(format!("{server_name}.key")),
                directory.join("crl.pem"),
            ],
            Self::Files { ca, cert, key, crl } => {
                [Some(ca), Some(cert), Some(key), crl.as_ref()].into_iter().flatten().cloned().collect()
            }
            Self::Container { file, ca, crl } => {
                [Some(file), ca.as_ref(), crl.as_ref()].into_iter().flatten().cloned().collect()
            }
        }
    }

    /// The revocation list, if one is named. That of a PKI directory may not have been written yet.
    #[must_use]
    pub fn revocation_list(&self) -> Option<PathBuf> {
        match self {
            Self::Pki { directory, .. } => Some(directory.join("crl.pem")),
            Self::Files { crl, .. } | Self::Container { crl, .. } => crl.clone(),
        }
    }

    fn check(options: &Options) -> Result<Self, ConfigError> {
        match (options.names_pki(), options.names_files()) {
            (true, true) => Err(ConfigError::Exclusive { first: "pki", second: options.first_file_option() }),
            (true, false) => Self::check_pki(options),
            (false, true) => match &options.pkcs12 {
                Some(file) => Self::check_container(options, file),
                None => Self::check_files(options),
            },
            (false, false) => Err(ConfigError::NoCredentials),
        }
    }

    fn check_pki(options: &Options) -> Result<Self, ConfigError> {
        let directory = required("pki", "the PKI directory", options.pki.as_ref())?;
        let meaning = "the name of the server certificate in the PKI";
        let server_name = required("server-name", meaning, options.server_name.as_ref())?;
        let is_one_file_name = !server_name.is_empty()
            && !server_name.starts_with('.')
            && !server_name.contains(|c: char| c == '/' || c.is_control());
        if !is_one_file_name {
            let problem = InvalidValue::NotCertificateName;
            return Err(ConfigError::InvalidValue { option: "server-name", value: server_name, problem });
        }
        Ok(Self::Pki { directory, server_name })
    }

    fn check_container(options: &Options, file: &Path) -> Result<Self, ConfigError> {
        let second = [("cert", &options.cert), ("key", &options.key)];
        if let Some((second, _)) = second.into_iter().find(|(_, given)| given.is_some()) {
            return Err(ConfigError::Exclusive { first: "pkcs12", second });
        }
        Ok(Self::Container { file: file.to_owned(), ca: options.ca.clone(), crl: options.crl.clone() })
    }

    fn check_files(options: &Options) -> Result<Self, ConfigError> {
        Ok(Self::Files {
            ca: required("ca", "the certificate authorities of the clients", options.ca.as_ref())?,
            cert: required("cert", "the server certificate", options.cert.as_ref())?,
            key: required("key", "the key of the server certificate", options.key.as_ref())?,
            crl: options.crl.clone(),
        })
    }
}

impl Options {
    /// The state directory of a server with the device `tun`, where none is given.
    #[must_use]
    pub fn default_state_dir(tun: &str) -> PathBuf {
        PathBuf::from(STATE_ROOT).join(tun)
    }

    const fn first_file_option(&self) -> &'static str {
        match (&self.pkcs12, &self.ca, &self.cert, &self.key) {
            (Some(_), ..) => "pkcs12",
            (None, Some(_), _, _) => "ca",
            (None, None, Some(_), _) => "cert",
            (None, None, None, Some(_)) => "key",
            (None, None, None, None) => "crl",
        }
    }
}

impl LiveSettings {
    /// Whether a rule opens what is inside: only one about that alone does.
    #[must_use]
    pub fn lets_clients_meet(&self, inside: &InsideSettings) -> bool {
        let of_rules = self.access.rules.iter().map(|rule| &rule.destination);
        let mut opened = self.authorized.iter().chain(of_rules);
        self.client_to_client || opened.any(|network| inside.is_about_clients(*network))
    }

    fn check(options: &Options, inside: &InsideSettings) -> Result<Self, ConfigError> {
        let routes: Vec<RoutedNetwork> = parse_all("route", options.route.as_deref())?;
        refuse_repeated_route(&routes)?;
        refuse_too_many_routes(&routes)?;
        inside.check_routes(&routes)?;
        let authorized: Vec<Network> = parse_all("authorize", options.authorize.as_deref())?;
        authorized.iter().try_for_each(|network| inside.refuse_foreign_family("authorize", *network))?;
        Ok(Self {
            routes,
            associations: association::check_all(options.association.as_deref().unwrap_or_default())?,
            authorized,
            access: AccessSettings::check(
                options.rule.as_deref().unwrap_or_default(),
                options.access.as_ref(),
                inside,
            )?,
            security: SecuritySettings::check(
                options.security_group.as_deref().unwrap_or_default(),
                options.security_peers.as_ref(),
            )?,
            client_to_client: options.client_to_client.unwrap_or(false),
            push: PushSettings::check(options)?,
            clients: ClientTable::check(options.client.as_ref(), inside)?,
            listed_clients_only: options.listed_clients_only.unwrap_or(false),
            tunnel: check_tunnel_mode(options)?,
            max_sessions: at_least_one("max-sessions", options.max_sessions)?,
            standing: EndpointStanding::Available,
        })
    }
}

impl SessionSettings {
    fn check(options: &Options) -> Result<Self, ConfigError> {
        let data_ciphers =
            checked("data-ciphers", options.data_ciphers.as_deref(), session::parse_data_ciphers)?;
        let minimum =
            checked("tls-version-min", options.tls_version_min.as_deref(), session::parse_tls_version)?;
        let keepalive = options.keepalive.map(|given| {
            session::check_keepalive(given).map_err(|problem| ConfigError::InvalidValue {
                option: "keepalive",
                value: format!("{} {}", given[0], given[1]),
                problem: problem.into(),
            })
        });
        Ok(Self {
            data_ciphers: data_ciphers.unwrap_or_else(|| DataCipher::DEFAULT.to_vec()),
            minimum_tls_version: minimum.unwrap_or(TlsVersion::Tls12),
            keepalive: keepalive.transpose()?.unwrap_or_else(Keepalive::default),
            renegotiate_after: match options.reneg_sec.unwrap_or(3600) {
                0 => None,
                seconds => Some(Duration::from_secs(seconds.into())),
            },
        })
    }
}

fn check_port_share(options: &Options, listen: &[ListenAddress]) -> Result<Option<Backend>, ConfigError> {
    let backend = parse("port-share", options.port_share.as_deref())?;
    let has_port = listen.iter().any(|address| address.transport == Transport::Tcp);
    if backend.is_some() && !has_port {
        return Err(ConfigError::NeedsTcp { option: "port-share" });
    }
    Ok(backend)
}

/// One network may lie behind several interfaces, but then every route to it says behind which.
fn refuse_repeated_route(routes: &[RoutedNetwork]) -> Result<(), ConfigError> {
    let is_same = |a: &RoutedNetwork, b: &RoutedNetwork| {
        let are_told_apart = a.interface.is_some() && b.interface.is_some() && a.interface != b.interface;
        a.network == b.network && !are_told_apart
    };
    let mut routes = routes.iter().enumerate().map(|(number, route)| (route, &routes[..number]));
    match routes.find(|(route, former)| former.iter().any(|other| is_same(route, other))) {
        Some((route, _)) => Err(ConfigError::Duplicate { option: "route", value: route.network.to_string() }),
        None => Ok(()),
    }
}

/// As many as clients can be told at once (limits table of the threat model), with as much left for everything else.
fn refuse_too_many_routes(routes: &[RoutedNetwork]) -> Result<(), ConfigError> {
    let mut octets = 0;
    let fitting = routes.iter().take_while(|route| {
        octets += route.network.to_push_option().as_str().len() + 1;
        octets <= MOST_PUSHED_OCTETS / 2
    });
    let (given, maximum) = (routes.len(), fitting.count());
    if given > maximum {
        return Err(ConfigError::TooMany { option: "route", given, maximum });
    }
    Ok(())
}

fn check_tunnel_mode(options: &Options) -> Result<TunnelMode, ConfigError> {
    let modes = [
        ("split-tunnel", options.split_tunnel, TunnelMode::Split),
        ("full-tunnel", options.full_tunnel, TunnelMode::Full),
        ("push-only", options.push_only, TunnelMode::AsPushed),
    ];
    let mut chosen = modes.into_iter().filter(|(_, wish, _)| wish.unwrap_or(false));
    match (chosen.next(), chosen.next()) {
        (Some((first, ..)), Some((second, ..))) => Err(ConfigError::Exclusive { first, second }),
        (Some((_, _, mode)), None) => Ok(mode),
        (None, _) => Ok(TunnelMode::Full),
    }
}

fn required<T: Clone>(
    option: &'static str,
    meaning: &'static str,
    value: Option<&T>,
) -> Result<T, ConfigError> {
    value.cloned().ok_or(ConfigError::Missing { option, meaning })
}

pub(super) fn at_least_one(option: &'static str, value: Option<u32>) -> Result<Option<u32>, ConfigError> {
    match value {
        Some(0) => {
            Err(ConfigError::InvalidValue { option, value: "0".to_owned(), problem: InvalidValue::Zero })
        }
        Some(_) | None => Ok(value),
    }
}

pub(super) fn parse<T>(option: &'static str, text: Option<&str>) -> Result<Option<T>, ConfigError>
where
    T: FromStr,
    InvalidValue: From<T::Err>,
{
    checked(option, text, T::from_str)
}

pub(super) fn parse_all<T>(option: &'static str, texts: Option<&[String]>) -> Result<Vec<T>, ConfigError>
where
    T: FromStr + Ord + Clone,
    InvalidValue: From<T::Err>,
{
    let mut seen = BTreeSet::new();
    let mut values = Vec::new();
    for text in texts.unwrap_or_default() {
        values.extend(parse::<T>(option, Some(text))?);
        if values.last().is_some_and(|value| !seen.insert(value.clone())) {
            return Err(ConfigError::Duplicate { option, value: text.clone() });
        }
    }
    Ok(values)
}

pub(super) fn checked<T, E>(
    option: &'static str,
    text: Option<&str>,
    parse: impl FnOnce(&str) -> Result<T, E>,
) -> Result<Option<T>, ConfigError>
where
    InvalidValue: From<E>,
{
    let Some(text) = text else { return Ok(None) };
    match parse(text) {
        Ok(value) => Ok(Some(value)),
        Err(problem) => {
            Err(ConfigError::InvalidValue { option, value: text.to_owned(), problem: problem.into() })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_that_is_needed_gives_the_documented_defaults() {
        let config = Config::check(minimal()).unwrap();
        assert_eq!(config.listen, [ListenAddress::DEFAULT]);
        assert_eq!(config.tun.as_str(), "postern0");
        assert_eq!(config.state_directory, PathBuf::from("/var/lib/postern/postern0"));
        assert_eq!(config.live.tunnel, TunnelMode::Full);
        assert_eq!(config.live.max_sessions, None);
        assert_eq!(config.limits.per_client, 1);
        assert_eq!(config.sessions.data_ciphers, DataCipher::DEFAULT);
        assert_eq!(config.sessions.renegotiate_after, Some(Duration::from_secs(3600)));
        assert_eq!(config.crl_grace, Duration::ZERO);
        assert!(config.nat);
    }

    #[test]
    fn every_mistake_has_its_own_message() {
        let cases: &[(&str, &str)] = &[
            ("", "no certificates: neither --pki nor --ca, --cert and --key are given"),
            ("pki='p'", "--server-name is missing"),
            ("server-name='s'", "--pki is missing"),
            ("ca='c'\ncert='d'", "--key is missing"),
            ("crl='c'", "--ca is missing"),
            ("pki='p'\nserver-name='s'\ncert='c'", "--pki and --cert exclude each other"),
            ("pki='p'\nserver-name='../s'", "--server-name ../s: not a name of a certificate"),
            ("pki='p'\nserver-name='s'", "--client-cidr is missing"),
            (
                "@\nclient-cidr='10.8.0.0/30'",
                "--client-cidr 10.8.0.0/30: /30 is not a size for client addresses: /29 to /12 are",
            ),
            (
                "@\nclient-cidr='10.0.0.0/11'",
                "--client-cidr 10.0.0.0/11: /11 is not a size for client addresses: /29 to /12 are",
            ),
            (
                "@\nclient-cidr='10.8.0.1/24'",
                "--client-cidr 10.8.0.1/24: 10.8.0.1/24 has host bits set; the network is 10.8.0.0/24",
            ),
            ("#\nlisten='sctp:0.0.0.0:443'", "--listen sctp:0.0.0.0:443: 'sctp' is not a transport"),
            ("#\nport-share='127.0.0.1:443'", "--port-share needs a TCP port to listen on"),
            (
                "#\nlisten='tcp:[::]:443'\nport-share='localhost'",
                "--port-share localhost: 'localhost' is not a host with a port",
            ),
            ("#\nlisten='0.0.0.0:443'", "--listen 0.0.0.0:443: the transport is missing"),
            ("#\nlisten=['udp:[::]:1','udp:[::]:1']", "--listen udp:[::]:1 is given twice"),
            (
                "#\ntun='a/b'",
                "--tun a/b: 'a/b' is not a device name: 1 to 15 of the characters A-Z a-z 0-9 . _ -, and neither . nor ..",
            ),
            ("#\nroute='10.8.0.0/16'", "client addresses 10.8.0.0/24 overlap the routed network 10.8.0.0/16"),
            (
                "#\nroute='10.8.0.128/25@eth1'",
                "client addresses 10.8.0.0/24 overlap the routed network 10.8.0.128/25@eth1",
            ),
            ("#\nroute=['10.7.0.0/24','10.7.0.0/24@eth1']", "--route 10.7.0.0/24 is given twice"),
            ("#\nroute='10.7.0.0'", "--route 10.7.0.0: '10.7.0.0' is not a network in CIDR notation"),
            (
                "#\nauthorize='fd00::/8'",
                "--authorize fd00::/8: the tunnel carries IPv4 only, as --client-cidr has no IPv6 network",
            ),
            (
                "#\nroute='fd07::/64'",
                "--route fd07::/64: the tunnel carries IPv4 only, as --client-cidr has no IPv6 network",
            ),
            (
                "@\nclient-cidr=['10.8.0.0/24','fd00:8::/64']\nroute='fd00::/16'",
                "client addresses fd00:8::/64 overlap the routed network fd00::/16",
            ),
            ("#\ndns='dns.example'", "--dns dns.example: not an IP address"),
            ("#\ndns=['1.1.1.1','9.9.9.9','8.8.8.8']", "--dns is given 3 times, at most 2 are possible"),
            ("#\nsplit-tunnel=true\nfull-tunnel=true", "--split-tunnel and --full-tunnel exclude each other"),
            ("#\nmax-sessions=0", "--max-sessions 0: at least 1 is needed"),
            ("#\nduplicate-cn=0", "--duplicate-cn 0: at least 1 is needed"),
            ("#\nkeepalive=[10,15]", "--keepalive 10 15: the timeout is less than twice the ping interval"),
            (
                "#\ndata-ciphers='AES-256-CBC'",
                "--data-ciphers AES-256-CBC: AES-256-CBC is no authenticated cipher",
            ),
            (
                "#\ntls-version-min='1.1'",
                "--tls-version-min 1.1: '1.1' is not a TLS version that is spoken here",
            ),
        ];
        for (given, expected) in cases {
            let error = check(given).unwrap_err();
            assert_eq!(error.to_string(), *expected, "{given}");
            assert!(error.code().starts_with("config-"), "{given}");
            assert!(!error.help().is_empty(), "{given}");
        }
    }

    #[test]
    fn one_server_listens_over_both_transports_and_shares_its_tcp_port() {
        let config =
            check("#\nlisten=['udp:[::]:1194','tcp:[::]:1194','tcp:0.0.0.0:443']\nport-share='[::1]:8443'")
                .unwrap();
        assert_eq!(config.listen.len(), 3);
        assert_eq!(config.port_share.map(|backend| backend.to_string()), Some("[::1]:8443".to_owned()));
    }

    #[test]
    fn one_network_may_lie_behind_several_interfaces() {
        let config = check("#\nroute=['10.7.0.0/24@eth1','10.7.0.0/24@eth2']").unwrap();
        assert_eq!(config.live.routes.len(), 2);
        for again in ["10.7.0.0/24@eth1", "10.7.0.0/24"] {
            let error = check(&format!("#\nroute=['10.7.0.0/24@eth1','{again}']")).unwrap_err();
            assert_eq!(error.code(), "config-value-duplicate", "{again}");
        }
    }

    #[test]
    fn a_default_route_may_contain_the_client_addresses() {
        let config = check("#\nroute='0.0.0.0/0'\nsplit-tunnel=true").unwrap();
        assert!(config.live.routes[0].network.is_default_route());
        assert_eq!(config.live.tunnel, TunnelMode::Split);
    }

    #[test]
    fn acl_04_only_a_rule_about_client_addresses_lets_clients_meet() {
        for (authorized, expected) in [("10.8.0.0/24", true), ("10.8.0.7/32", true), ("0.0.0.0/0", false)] {
            let config = check(&format!("#\nauthorize='{authorized}'")).unwrap();
            assert_eq!(config.live.lets_clients_meet(&config.inside), expected, "{authorized}");
        }
        let config = check("#\nclient-to-client=true").unwrap();
        assert!(config.live.lets_clients_meet(&config.inside));
    }

    #[test]
    fn acl_06_there_are_as_many_routes_as_clients_can_be_told() {
        let routes = |count: u16| {
            let all: Vec<_> =
                (0..count).map(|n| format!("'172.16.{}.{}/32'", 100 + n / 100, 100 + n % 100)).collect();
            check(&format!("#\nroute=[{}]", all.join(",")))
        };
        assert_eq!(routes(885).unwrap().live.routes.len(), 885);
        let error = routes(886).unwrap_err();
        assert_eq!(error.to_string(), "--route is given 886 times, at most 885 are possible");
    }

    #[test]
    fn the_state_directory_is_that_of_the_device() {
        let config = check("#\ntun='vpn7'").unwrap();
        assert_eq!(config.state_directory, PathBuf::from("/var/lib/postern/vpn7"));
    }

    #[test]
    fn renegotiation_can_be_left_to_the_client() {
        assert_eq!(check("#\nreneg-sec=0").unwrap().sessions.renegotiate_after, None);
    }

    fn minimal() -> Options {
        toml::from_str("pki='p'\nserver-name='s'\nclient-cidr='10.8.0.0/24'").unwrap()
    }

    /// `@` stands for credentials, `#` for everything that is needed.
    fn check(given: &str) -> Result<Config, ConfigError> {
        let given = given.replacen('#', "@\nclient-cidr='10.8.0.0/24'", 1).replacen(
            '@',
            "pki='p'\nserver-name='s'",
            if given.starts_with(['@', '#']) { 1 } else { 0 },
        );
        Config::check(toml::from_str(&given).unwrap())
    }
}
