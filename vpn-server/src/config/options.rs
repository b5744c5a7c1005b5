//! The options of `postern serve` as they were given, on the command line or in a file: same names, nothing
//! checked yet.
//!
//! [`Options`] is declared as one table, a line for each option. [`option_table`] makes of it everything that is the
//! same for all options; what an option means is decided by those who check it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Deserializer};

use super::access::{AccessOptions, RuleOptions};
use super::association::AssociationOptions;
use super::client::ClientOptions;
use super::directory::DirectoryOptions;
use super::option_table::{OptionValue, option_table};
use super::security::{SecurityGroupOptions, SecurityPeerOptions};

option_table! {
    /// A PKI directory as easy-rsa lays it out.
    "pki" pki: PathBuf, restart;
    /// The name of the server certificate in that directory.
    "server-name" server_name: String, restart;
    /// PEM file with the certificate authorities of the clients.
    "ca" ca: PathBuf, restart;
    /// PEM file with the server certificate and its intermediates.
    "cert" cert: PathBuf, restart;
    /// PEM file with the key of the server certificate.
    "key" key: PathBuf, restart;
    /// PKCS#12 file with the server certificate, its key and, unless `ca` names them, the authorities of the clients.
    "pkcs12" pkcs12: PathBuf, restart;
    /// PEM file with certificates that are sent after the server certificate.
    "extra-certs" extra_certs: PathBuf, restart;
    /// PEM file with the revocation list.
    "crl" crl: PathBuf, restart;
    /// Directory in which files are called by revoked serial numbers.
    "revoked-serials" revoked_serials: PathBuf, restart;
    /// The name that certificates of clients must have, and what it is: `subject`, `name` or `name-prefix`.
    "verify-x509-name" verify_x509_name: String, restart;
    /// File whose first line is the passphrase of the key.
    "askpass" askpass: PathBuf, restart;
    /// The key of tls-auth: `FILE[:DIRECTION]`.
    "tls-auth" tls_auth: String, restart;
    /// The hash of tls-auth.
    "auth" auth: String, restart;
    /// The key of tls-crypt.
    "tls-crypt" tls_crypt: PathBuf, restart;
    /// The server's key of tls-crypt-v2.
    "tls-crypt-v2" tls_crypt_v2: PathBuf, restart;
    /// `allow-noncookie` or `force-cookie`.
    "tls-crypt-v2-cookie" tls_crypt_v2_cookie: String, restart;
    /// Take clients without wrapping although there is a key.
    "allow-plain" allow_plain: bool, restart;
    /// Listen addresses: `udp:ADDRESS:PORT` or `tcp:ADDRESS:PORT`.
    #[serde(deserialize_with = "one_or_many")]
    "listen" listen: Vec<String>, restart;
    /// The server that gets TCP connections which do not speak our protocol: `HOST:PORT`.
    "port-share" port_share: String, restart;
    /// The name of the TUN device.
    "tun" tun: String, restart;
    /// The networks of client addresses: one of IPv4, and one of IPv6 if the tunnel is to carry it.
    #[serde(deserialize_with = "one_or_many")]
    "client-cidr" client_cidr: Vec<String>, restart;
    /// The part of the IPv4 client addresses that is leased: `FIRST-LAST`.
    "client-pool" client_pool: String, restart;
    /// Networks behind clients.
    #[serde(deserialize_with = "one_or_many")]
    "client-route" client_route: Vec<String>, restart;
    /// Clients may reach each other and what is behind them.
    "client-to-client" client_to_client: bool, live;
    /// Refuse clients without a `[client]` table.
    "listed-clients-only" listed_clients_only: bool, live;
    /// The file in which the addresses of clients are noted.
    "address-file" address_file: PathBuf, restart;
    /// Networks behind the server: `NETWORK[@INTERFACE]`.
    #[serde(deserialize_with = "one_or_many")]
    "route" route: Vec<String>, live;
    /// Networks that clients may reach.
    #[serde(deserialize_with = "one_or_many")]
    "authorize" authorize: Vec<String>, live;
    /// Name servers that clients are told.
    #[serde(deserialize_with = "one_or_many")]
    "dns" dns: Vec<String>, live;
    /// The domain of the connection.
    "dns-domain" dns_domain: String, live;
    /// Domains in which clients look up names without a dot.
    #[serde(deserialize_with = "one_or_many")]
    "dns-search" dns_search: Vec<String>, live;
    /// Windows clients register their names.
    "register-dns" register_dns: bool, live;
    /// Flags by which a full tunnel takes the place of the default route.
    "redirect-gateway" redirect_gateway: String, live;
    /// A greeting that programs with windows show.
    "banner" banner: String, live;
    /// Options that clients are pushed as they are.
    #[serde(deserialize_with = "one_or_many")]
    "push" push: Vec<String>, live;
    /// Only routed networks go through the tunnel.
    "split-tunnel" split_tunnel: bool, live;
    /// Everything goes through the tunnel.
    "full-tunnel" full_tunnel: bool, live;
    /// Clients are told nothing but what `push` says.
    "push-only" push_only: bool, live;
    /// How many sessions at once.
    "max-sessions" max_sessions: u32, live;
    /// How many sessions of one client at once.
    "duplicate-cn" duplicate_cn: u32, restart;
    /// Seconds between pings, and seconds of silence after which a client restarts.
    "keepalive" keepalive: [u32; 2], restart;
    /// Seconds between renegotiations; 0 leaves them to the client.
    "reneg-sec" reneg_sec: u32, restart;
    /// Data channel ciphers in order of preference, separated by colons.
    "data-ciphers" data_ciphers: String, restart;
    /// CBC ciphers for clients that have none of those, separated by colons.
    "cbc-ciphers" cbc_ciphers: String, restart;
    /// The digest for CBC clients that say none.
    "cbc-digest" cbc_digest: String, restart;
    /// How far behind the newest a data packet may be.
    "replay-window" replay_window: u32, restart;
    /// The longest packet inside the tunnel.
    "tun-mtu" tun_mtu: u16, restart;
    /// The longest packet outside of the tunnel that TCP connections inside are shaped for; 0 leaves them alone.
    "mssfix" mssfix: u16, restart;
    /// `1.2` or `1.3`.
    "tls-version-min" tls_version_min: String, restart;
    /// Do not translate client addresses towards routed networks.
    "no-nat" no_nat: bool, restart;
    /// The file that connection records are appended to.
    "connection-log" connection_log: PathBuf, restart;
    /// The directory that belongs to one running server.
    "state-dir" state_dir: PathBuf, restart;
    /// The user that the server becomes once it is set up.
    "user" user: String, restart;
    /// The group that it then has.
    "group" group: String, restart;
    /// What the server takes from itself at its start: `auto`, `always` or `off`.
    "confine" confine: String, restart;
    /// Seconds for which an expired revocation list is still accepted.
    "crl-grace" crl_grace: u32, restart;
    /// The file with users and their hashed passwords.
    "users" users: PathBuf, restart;
    /// The program that decides about user names and passwords: `COMMAND via-file` or `COMMAND via-env`.
    "auth-user-pass-verify" auth_user_pass_verify: String, restart;
    /// The file with the secrets of one-time passwords.
    "one-time-secrets" one_time_secrets: PathBuf, restart;
    /// The part of a client's certificate that says who it is: `cn`, `uid`, `serial-number`, `subject-email`, `email`, `upn`, `dns` or `uri`.
    "certificate-identity" certificate_identity: String, restart;
    /// The user name has to be the name in the certificate.
    "username-matches-certificate" username_matches_certificate: bool, restart;
    /// Who decides about clients that logged in: `exec:/PATH`, `http://...` or `https://...`.
    "connect-handler" connect_handler: String, restart;
    /// Seconds that it may take.
    "connect-handler-timeout" connect_handler_timeout: u32, restart;
    /// How many clients it is asked about at once.
    "connect-handler-limit" connect_handler_limit: u32, restart;
    /// PEM file with the authorities of an `https` handler.
    "connect-handler-ca" connect_handler_ca: PathBuf, restart;
    /// Who sends no user name gets in by certificate alone.
    "auth-user-pass-optional" auth_user_pass_optional: bool, restart;
    /// `require`, `optional` or `none`.
    "verify-client-cert" verify_client_cert: String, restart;
    /// Sessions belong to the user, not to the certificate.
    "username-as-common-name" username_as_common_name: bool, restart;
    /// Seconds for which tokens replace passwords after a login; 0 is without an end.
    "auth-gen-token" auth_gen_token: u32, restart;
    /// Seconds after which a token is renewed.
    "auth-gen-token-renewal" auth_gen_token_renewal: u32, restart;
    /// Whoever decides about passwords is asked about tokens, too.
    "auth-gen-token-external" auth_gen_token_external: bool, restart;
    /// The file with the key for tokens.
    "auth-gen-token-secret" auth_gen_token_secret: PathBuf, restart;
    /// Seconds that a deferred decision may take.
    "auth-timeout" auth_timeout: u32, restart;
    /// The program that hears the answers of clients to questions.
    "client-crresponse" client_crresponse: String, restart;
    /// The program that decides about certificates.
    "tls-verify" tls_verify: String, restart;
    /// The program that decides about what stands beside tls-crypt-v2 keys.
    "tls-crypt-v2-verify" tls_crypt_v2_verify: String, restart;
    /// The program that decides about clients which have a place.
    "client-connect" client_connect: String, restart;
    /// The program that hears of clients which are gone.
    "client-disconnect" client_disconnect: String, restart;
    /// The program that hears which client has which address.
    "learn-address" learn_address: String, restart;
    /// The program that runs when the device is up.
    "up" up: String, restart;
    /// The program that runs when the routes are set.
    "route-up" route_up: String, restart;
    /// The program that runs when the server has ended.
    "down" down: String, restart;
    /// Seconds that a program may take.
    "hook-timeout" hook_timeout: u32, restart;
    /// `replace` or `refuse`.
    "duplicate-cn-policy" duplicate_cn_policy: String, restart;
    /// Seconds that a session may last.
    "session-timeout" session_timeout: u32, restart;
    /// Seconds, and octets that a session has to move in them.
    "idle-timeout" idle_timeout: [u32; 2], restart;
    /// Leave forwarding to the administrator of the host.
    "no-forwarding" no_forwarding: bool, restart;
    /// The file that shows who is connected.
    "status" status: PathBuf, restart;
    /// Seconds between two versions of it.
    "status-interval" status_interval: u32, restart;
    /// Its form: 1, 2 or 3.
    "status-version" status_version: u32, restart;
    /// The management interface: `unix:PATH` or `ADDRESS:PORT`.
    "management" management: String, restart;
    /// File whose first line is the password of the management interface.
    "management-password" management_password: PathBuf, restart;
    /// Wait for `hold release` on the management interface before the start.
    "management-hold" management_hold: bool, restart;
    /// The client of the management interface decides about logins.
    "management-client-auth" management_client_auth: bool, restart;
    /// How many lines of the log the management interface can show afterwards.
    "management-log-lines" management_log_lines: u32, restart;
    /// Seconds from a client's first packet to its tunnel.
    "hand-window" hand_window: u32, restart;
    /// Places for clients that have not been let in.
    "max-half-open" max_half_open: u32, restart;
    /// The same for clients from one network.
    "max-half-open-per-network" max_half_open_per_network: u32, restart;
    /// First packets from one network that are answered in a second.
    "replies-per-network" replies_per_network: u32, restart;
    /// TCP connections of clients that have not been let in.
    "max-tcp-strangers" max_tcp_strangers: u32, restart;
    /// The same from one network.
    "max-tcp-strangers-per-network" max_tcp_strangers_per_network: u32, restart;
    /// Seconds that such a connection has until its first packets are there.
    "tcp-stranger-timeout" tcp_stranger_timeout: u32, restart;
    tables {
        /// What is decided about single clients, by the common name of their certificates.
        "client" client: BTreeMap<String, ClientOptions>, live;
        /// The directory that decides about logins.
        "directory" directory: DirectoryOptions, restart;
        /// Who may reach what, beside what everybody may.
        "rule" rule: Vec<RuleOptions>, live;
        /// How rules are read.
        "access" access: AccessOptions, live;
        /// How clients appear in the networks behind interfaces.
        "association" association: Vec<AssociationOptions>, live;
        /// The security groups of the endpoint.
        "security-group" security_group: Vec<SecurityGroupOptions>, live;
        /// The members of other security groups, by name.
        "security-peers" security_peers: BTreeMap<String, SecurityPeerOptions>, live;
    }
}

impl Options {
    /// These options where they are given, `fallback` elsewhere.
    ///
    /// Options that exclude each other replace each other: `--ca` on the command line beats `pki` in the file.
    #[must_use]
    pub fn or(self, fallback: Self) -> Self {
        let fallback = fallback.without_what_conflicts_with(&self);
        self.each_or(fallback)
    }

    /// The options with relative paths taken from `directory`.
    #[must_use]
    pub fn relative_to(self, directory: &Path) -> Self {
        let mut options = self.with_paths_in(directory);
        if let Some(file) = &mut options.tls_auth {
            *file = directory.join(&*file).display().to_string();
        }
        if let Some(path) = options.management.as_deref().and_then(|address| address.strip_prefix("unix:")) {
            options.management = Some(format!("unix:{}", directory.join(path).display()));
        }
        options
    }

    fn without_what_conflicts_with(mut self, stronger: &Self) -> Self {
        if stronger.names_files() && !stronger.names_pki() {
            (self.pki, self.server_name) = (None, None);
        }
        if stronger.names_pki() && !stronger.names_files() {
            (self.ca, self.cert, self.key, self.crl, self.pkcs12) = (None, None, None, None, None);
        }
        let chooses_tunnel = [stronger.split_tunnel, stronger.full_tunnel, stronger.push_only];
        if chooses_tunnel.contains(&Some(true)) {
            (self.split_tunnel, self.full_tunnel, self.push_only) = (None, None, None);
        }
        self
    }

    /// Whether the credentials are described as a PKI directory.
    pub(super) const fn names_pki(&self) -> bool {
        self.pki.is_some() || self.server_name.is_some()
    }

    /// Whether the credentials are described as single files.
    pub(super) fn names_files(&self) -> bool {
        let files = [&self.ca, &self.cert, &self.key, &self.crl, &self.pkcs12];
        files.into_iter().any(Option::is_some)
    }
}

/// In a file, a list of one may be written without brackets.
pub(super) fn one_or_many<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Vec<String>>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "expected a text or a list of texts")]
    enum OneOrMany {
        One(String),
        Many(Vec<String>),
    }
    Ok(Some(match OneOrMany::deserialize(deserializer)? {
        OneOrMany::One(text) => vec![text],
        OneOrMany::Many(texts) => texts,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_a_key_of_the_file_and_every_key_has_a_name() {
        let tables = "[client]\n[directory]\n[access]\n[[rule]]\n[[association]]\n[[security-group]]\n[security-peers]\n";
        let file: String = Options::NAMES.iter().map(|name| some_value_for(name)).collect();
        let options: Options = toml::from_str(&(file + tables)).unwrap();
        let printed = toml::Table::try_from(&options).unwrap();
        let known = Options::NAMES.iter().chain(Options::TABLES);
        assert!(known.clone().all(|name| printed.contains_key(*name)), "{printed}");
        assert_eq!(printed.len(), known.count());
    }

    #[test]
    fn names_are_those_of_the_fields() {
        let debug = format!("{:?}", Options::default());
        for name in Options::NAMES {
            assert!(debug.contains(&format!(" {}: None", name.replace('-', "_"))), "{name}");
        }
    }

    #[test]
    fn lists_of_one_need_no_brackets() {
        let options: Options = toml::from_str("route = '10.7.0.0/24'\ndns = ['9.9.9.9', '1.1.1.1']").unwrap();
        assert_eq!(options.route, Some(vec!["10.7.0.0/24".to_owned()]));
        assert_eq!(options.dns.map(|servers| servers.len()), Some(2));
    }

    #[test]
    fn a_flag_beats_the_file_and_the_file_fills_the_rest() {
        let flags =
            Options { tun: some("a"), listen: Some(vec!["udp:[::]:1".to_owned()]), ..Options::default() };
        let file = Options {
            tun: some("b"),
            listen: Some(vec!["udp:[::]:2".to_owned(), "udp:[::]:3".to_owned()]),
            max_sessions: Some(5),
            ..Options::default()
        };
        let merged = flags.or(file);
        assert_eq!(merged.tun, some("a"));
        assert_eq!(merged.listen, Some(vec!["udp:[::]:1".to_owned()]));
        assert_eq!(merged.max_sessions, Some(5));
    }

    #[test]
    fn a_flag_beats_the_option_of_the_file_that_it_excludes() {
        let file = Options {
            pki: Some("pki".into()),
            server_name: some("server"),
            full_tunnel: Some(true),
            ..Options::default()
        };
        let flags = Options { ca: Some("ca.crt".into()), split_tunnel: Some(true), ..Options::default() };
        let merged = flags.or(file);
        assert_eq!((merged.pki, merged.server_name, merged.full_tunnel), (None, None, None));
        assert_eq!(merged.split_tunnel, Some(true));
    }

    #[test]
    fn one_half_of_the_credentials_may_come_from_each_place() {
        let file = Options { pki: Some("pki".into()), ..Options::default() };
        let flags = Options { server_name: some("server"), ..Options::default() };
        let merged = flags.or(file);
        assert_eq!((merged.pki, merged.server_name), (Some("pki".into()), some("server")));
    }

    #[test]
    fn relative_paths_of_a_file_start_at_its_directory() {
        let options =
            Options { pki: Some("pki".into()), key: Some("/etc/key.pem".into()), ..Options::default() }
                .relative_to(Path::new("/srv/vpn"));
        assert_eq!(options.pki, Some("/srv/vpn/pki".into()));
        assert_eq!(options.key, Some("/etc/key.pem".into()));
        assert_eq!(options.crl, None);
    }

    fn some_value_for(name: &str) -> String {
        let values = ["'x'", "true", "7", "[60, 7]"].map(|value| format!("{name} = {value}\n"));
        let fits = |line: &String| toml::from_str::<Options>(line).is_ok();
        values.into_iter().find(fits).unwrap_or_else(|| panic!("no value fits {name}"))
    }

    fn some(text: &str) -> Option<String> {
        Some(text.to_owned())
    }
}
