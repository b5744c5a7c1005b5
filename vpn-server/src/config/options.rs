//! The options of `postern serve` as they were given, on the command line or in a file: same names, nothing
//! checked yet.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Deserializer, Serialize};

use super::access::{AccessOptions, RuleOptions};
use super::association::AssociationOptions;
use super::client::ClientOptions;
use super::security::{SecurityGroupOptions, SecurityPeerOptions};

/// Every option, each of them possibly absent. [`Config::check`](super::Config::check) makes a configuration of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct Options {
    /// A PKI directory as easy-rsa lays it out.
    pub pki: Option<PathBuf>,
    /// The name of the server certificate in that directory.
    pub server_name: Option<String>,
    /// PEM file with the certificate authorities of the clients.
    pub ca: Option<PathBuf>,
    /// PEM file with the server certificate and its intermediates.
    pub cert: Option<PathBuf>,
    /// PEM file with the key of the server certificate.
    pub key: Option<PathBuf>,
    /// PEM file with the revocation list.
    pub crl: Option<PathBuf>,
    /// File whose first line is the passphrase of the key.
    pub askpass: Option<PathBuf>,
    /// The key of tls-auth: `FILE[:DIRECTION]`.
    pub tls_auth: Option<String>,
    /// The hash of tls-auth.
    pub auth: Option<String>,
    /// The key of tls-crypt.
    pub tls_crypt: Option<PathBuf>,
    /// The server's key of tls-crypt-v2.
    pub tls_crypt_v2: Option<PathBuf>,
    /// `allow-noncookie` or `force-cookie`.
    pub tls_crypt_v2_cookie: Option<String>,
    /// Take clients without wrapping although there is a key.
    pub allow_plain: Option<bool>,
    /// Listen addresses: `udp:ADDRESS:PORT` or `tcp:ADDRESS:PORT`.
    #[serde(deserialize_with = "one_or_many")]
    pub listen: Option<Vec<String>>,
    /// The server that gets TCP connections which do not speak our protocol: `HOST:PORT`.
    pub port_share: Option<String>,
    /// The name of the TUN device.
    pub tun: Option<String>,
    /// The networks of client addresses: one of IPv4, and one of IPv6 if the tunnel is to carry it.
    #[serde(deserialize_with = "one_or_many")]
    pub client_cidr: Option<Vec<String>>,
    /// The part of the IPv4 client addresses that is leased: `FIRST-LAST`.
    pub client_pool: Option<String>,
    /// Networks behind clients.
    #[serde(deserialize_with = "one_or_many")]
    pub client_route: Option<Vec<String>>,
    /// Clients may reach each other and what is behind them.
    pub client_to_client: Option<bool>,
    /// Refuse clients without a `[client]` table.
    pub listed_clients_only: Option<bool>,
    /// The file in which the addresses of clients are noted.
    pub address_file: Option<PathBuf>,
    /// Networks behind the server: `NETWORK[@INTERFACE]`.
    #[serde(deserialize_with = "one_or_many")]
    pub route: Option<Vec<String>>,
    /// Networks that clients may reach.
    #[serde(deserialize_with = "one_or_many")]
    pub authorize: Option<Vec<String>>,
    /// Name servers that clients are told.
    #[serde(deserialize_with = "one_or_many")]
    pub dns: Option<Vec<String>>,
    /// The domain of the connection.
    pub dns_domain: Option<String>,
    /// Domains in which clients look up names without a dot.
    #[serde(deserialize_with = "one_or_many")]
    pub dns_search: Option<Vec<String>>,
    /// Windows clients register their names.
    pub register_dns: Option<bool>,
    /// Flags by which a full tunnel takes the place of the default route.
    pub redirect_gateway: Option<String>,
    /// A greeting that programs with windows show.
    pub banner: Option<String>,
    /// Options that clients are pushed as they are.
    #[serde(deserialize_with = "one_or_many")]
    pub push: Option<Vec<String>>,
    /// Only routed networks go through the tunnel.
    pub split_tunnel: Option<bool>,
    /// Everything goes through the tunnel.
    pub full_tunnel: Option<bool>,
    /// Clients are told nothing but what `push` says.
    pub push_only: Option<bool>,
    /// How many sessions at once.
    pub max_sessions: Option<u32>,
    /// How many sessions of one client at once.
    pub duplicate_cn: Option<u32>,
    /// Seconds between pings, and seconds of silence after which a client restarts.
    pub keepalive: Option<[u32; 2]>,
    /// Seconds between renegotiations; 0 leaves them to the client.
    pub reneg_sec: Option<u32>,
    /// Data channel ciphers in order of preference, separated by colons.
    pub data_ciphers: Option<String>,
    /// CBC ciphers for clients that have none of those, separated by colons.
    pub cbc_ciphers: Option<String>,
    /// The digest for CBC clients that say none.
    pub cbc_digest: Option<String>,
    /// How far behind the newest a data packet may be.
    pub replay_window: Option<u32>,
    /// The longest packet inside the tunnel.
    pub tun_mtu: Option<u16>,
    /// The longest packet outside of the tunnel that TCP connections inside are shaped for; 0 leaves them alone.
    pub mssfix: Option<u16>,
    /// `1.2` or `1.3`.
    pub tls_version_min: Option<String>,
    /// Do not translate client addresses towards routed networks.
    pub no_nat: Option<bool>,
    /// The file that connection records are appended to.
    pub connection_log: Option<PathBuf>,
    /// The directory that belongs to one running server.
    pub state_dir: Option<PathBuf>,
    /// Seconds for which an expired revocation list is still accepted.
    pub crl_grace: Option<u32>,
    /// The file with users and their hashed passwords.
    pub users: Option<PathBuf>,
    /// The program that decides about user names and passwords: `COMMAND via-file` or `COMMAND via-env`.
    pub auth_user_pass_verify: Option<String>,
    /// Who sends no user name gets in by certificate alone.
    pub auth_user_pass_optional: Option<bool>,
    /// `require`, `optional` or `none`.
    pub verify_client_cert: Option<String>,
    /// Sessions belong to the user, not to the certificate.
    pub username_as_common_name: Option<bool>,
    /// Seconds for which tokens replace passwords after a login; 0 is without an end.
    pub auth_gen_token: Option<u32>,
    /// Seconds after which a token is renewed.
    pub auth_gen_token_renewal: Option<u32>,
    /// Whoever decides about passwords is asked about tokens, too.
    pub auth_gen_token_external: Option<bool>,
    /// The file with the key for tokens.
    pub auth_gen_token_secret: Option<PathBuf>,
    /// Seconds that a deferred decision may take.
    pub auth_timeout: Option<u32>,
    /// The program that hears the answers of clients to questions.
    pub client_crresponse: Option<String>,
    /// The program that decides about certificates.
    pub tls_verify: Option<String>,
    /// The program that decides about what stands beside tls-crypt-v2 keys.
    pub tls_crypt_v2_verify: Option<String>,
    /// The program that decides about clients which have a place.
    pub client_connect: Option<String>,
    /// The program that hears of clients which are gone.
    pub client_disconnect: Option<String>,
    /// The program that hears which client has which address.
    pub learn_address: Option<String>,
    /// The program that runs when the device is up.
    pub up: Option<String>,
    /// The program that runs when the routes are set.
    pub route_up: Option<String>,
    /// The program that runs when the server has ended.
    pub down: Option<String>,
    /// Seconds that a program may take.
    pub hook_timeout: Option<u32>,
    /// `replace` or `refuse`.
    pub duplicate_cn_policy: Option<String>,
    /// Seconds that a session may last.
    pub session_timeout: Option<u32>,
    /// Seconds, and octets that a session has to move in them.
    pub idle_timeout: Option<[u32; 2]>,
    /// Leave forwarding to the administrator of the host.
    pub no_forwarding: Option<bool>,
    /// The file that shows who is connected.
    pub status: Option<PathBuf>,
    /// Seconds between two versions of it.
    pub status_interval: Option<u32>,
    /// Its form: 1, 2 or 3.
    pub status_version: Option<u32>,
    /// The management interface: `unix:PATH` or `ADDRESS:PORT`.
    pub management: Option<String>,
    /// File whose first line is the password of the management interface.
    pub management_password: Option<PathBuf>,
    /// Wait for `hold release` on the management interface before the start.
    pub management_hold: Option<bool>,
    /// The client of the management interface decides about logins.
    pub management_client_auth: Option<bool>,
    /// How many lines of the log the management interface can show afterwards.
    pub management_log_lines: Option<u32>,
    /// Seconds from a client's first packet to its tunnel.
    pub hand_window: Option<u32>,
    /// Places for clients that have not been let in.
    pub max_half_open: Option<u32>,
    /// The same for clients from one network.
    pub max_half_open_per_network: Option<u32>,
    /// First packets from one network that are answered in a second.
    pub replies_per_network: Option<u32>,
    /// TCP connections of clients that have not been let in.
    pub max_tcp_strangers: Option<u32>,
    /// The same from one network.
    pub max_tcp_strangers_per_network: Option<u32>,
    /// Seconds that such a connection has until its first packets are there.
    pub tcp_stranger_timeout: Option<u32>,
    /// What is decided about single clients, by the common name of their certificates. A table of a file, no flag.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<BTreeMap<String, ClientOptions>>,
    /// Who may reach what, beside what everybody may. Tables of a file, no flags.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<Vec<RuleOptions>>,
    /// How rules are read. A table of a file, no flag.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access: Option<AccessOptions>,
    /// How clients appear in the networks behind interfaces. Tables of a file, no flags.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub association: Option<Vec<AssociationOptions>>,
    /// The security groups of the endpoint. Tables of a file, no flags.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub security_group: Option<Vec<SecurityGroupOptions>>,
    /// The members of other security groups, by name. Tables of a file, no flags.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub security_peers: Option<BTreeMap<String, SecurityPeerOptions>>,
}

impl Options {
    /// The names of all options, as flags and in a file.
    pub const NAMES: [&'static str; 88] = [
        "pki",
        "server-name",
        "ca",
        "cert",
        "key",
        "crl",
        "askpass",
        "tls-auth",
        "auth",
        "tls-crypt",
        "tls-crypt-v2",
        "tls-crypt-v2-cookie",
        "allow-plain",
        "listen",
        "port-share",
        "tun",
        "client-cidr",
        "client-pool",
        "client-route",
        "client-to-client",
        "listed-clients-only",
        "address-file",
        "route",
        "authorize",
        "dns",
        "dns-domain",
        "dns-search",
        "register-dns",
        "redirect-gateway",
        "banner",
        "push",
        "split-tunnel",
        "full-tunnel",
        "push-only",
        "max-sessions",
        "duplicate-cn",
        "keepalive",
        "reneg-sec",
        "data-ciphers",
        "cbc-ciphers",
        "cbc-digest",
        "replay-window",
        "tun-mtu",
        "mssfix",
        "tls-version-min",
        "no-nat",
        "connection-log",
        "state-dir",
        "crl-grace",
        "users",
        "auth-user-pass-verify",
        "auth-user-pass-optional",
        "verify-client-cert",
        "username-as-common-name",
        "auth-gen-token",
        "auth-gen-token-renewal",
        "auth-gen-token-external",
        "auth-gen-token-secret",
        "auth-timeout",
        "client-crresponse",
        "tls-verify",
        "tls-crypt-v2-verify",
        "client-connect",
        "client-disconnect",
        "learn-address",
        "up",
        "route-up",
        "down",
        "hook-timeout",
        "duplicate-cn-policy",
        "session-timeout",
        "idle-timeout",
        "no-forwarding",
        "status",
        "status-interval",
        "status-version",
        "management",
        "management-password",
        "management-hold",
        "management-client-auth",
        "management-log-lines",
        "hand-window",
        "max-half-open",
        "max-half-open-per-network",
        "replies-per-network",
        "max-tcp-strangers",
        "max-tcp-strangers-per-network",
        "tcp-stranger-timeout",
    ];

    /// The tables that a file can have beside options.
    pub const TABLES: [&'static str; 6] =
        ["client", "rule", "access", "association", "security-group", "security-peers"];

    /// These options where they are given, `fallback` elsewhere.
    ///
    /// Options that exclude each other replace each other: `--ca` on the command line beats `pki` in the file.
    #[must_use]
    pub fn or(self, fallback: Self) -> Self {
        let fallback = fallback.without_what_conflicts_with(&self);
        Self {
            pki: self.pki.or(fallback.pki),
            server_name: self.server_name.or(fallback.server_name),
            ca: self.ca.or(fallback.ca),
            cert: self.cert.or(fallback.cert),
            key: self.key.or(fallback.key),
            crl: self.crl.or(fallback.crl),
            askpass: self.askpass.or(fallback.askpass),
            tls_auth: self.tls_auth.or(fallback.tls_auth),
            auth: self.auth.or(fallback.auth),
            tls_crypt: self.tls_crypt.or(fallback.tls_crypt),
            tls_crypt_v2: self.tls_crypt_v2.or(fallback.tls_crypt_v2),
            tls_crypt_v2_cookie: self.tls_crypt_v2_cookie.or(fallback.tls_crypt_v2_cookie),
            allow_plain: self.allow_plain.or(fallback.allow_plain),
            listen: self.listen.or(fallback.listen),
            port_share: self.port_share.or(fallback.port_share),
            tun: self.tun.or(fallback.tun),
            client_cidr: self.client_cidr.or(fallback.client_cidr),
            client_pool: self.client_pool.or(fallback.client_pool),
            client_route: self.client_route.or(fallback.client_route),
            client_to_client: self.client_to_client.or(fallback.client_to_client),
            listed_clients_only: self.listed_clients_only.or(fallback.listed_clients_only),
            address_file: self.address_file.or(fallback.address_file),
            route: self.route.or(fallback.route),
            authorize: self.authorize.or(fallback.authorize),
            dns: self.dns.or(fallback.dns),
            dns_domain: self.dns_domain.or(fallback.dns_domain),
            dns_search: self.dns_search.or(fallback.dns_search),
            register_dns: self.register_dns.or(fallback.register_dns),
            redirect_gateway: self.redirect_gateway.or(fallback.redirect_gateway),
            banner: self.banner.or(fallback.banner),
            push: self.push.or(fallback.push),
            split_tunnel: self.split_tunnel.or(fallback.split_tunnel),
            full_tunnel: self.full_tunnel.or(fallback.full_tunnel),
            push_only: self.push_only.or(fallback.push_only),
            max_sessions: self.max_sessions.or(fallback.max_sessions),
            duplicate_cn: self.duplicate_cn.or(fallback.duplicate_cn),
            keepalive: self.keepalive.or(fallback.keepalive),
            reneg_sec: self.reneg_sec.or(fallback.reneg_sec),
            data_ciphers: self.data_ciphers.or(fallback.data_ciphers),
            cbc_ciphers: self.cbc_ciphers.or(fallback.cbc_ciphers),
            cbc_digest: self.cbc_digest.or(fallback.cbc_digest),
            replay_window: self.replay_window.or(fallback.replay_window),
            tun_mtu: self.tun_mtu.or(fallback.tun_mtu),
            mssfix: self.mssfix.or(fallback.mssfix),
            tls_version_min: self.tls_version_min.or(fallback.tls_version_min),
            no_nat: self.no_nat.or(fallback.no_nat),
            connection_log: self.connection_log.or(fallback.connection_log),
            state_dir: self.state_dir.or(fallback.state_dir),
            crl_grace: self.crl_grace.or(fallback.crl_grace),
            users: self.users.or(fallback.users),
            auth_user_pass_verify: self.auth_user_pass_verify.or(fallback.auth_user_pass_verify),
            auth_user_pass_optional: self.auth_user_pass_optional.or(fallback.auth_user_pass_optional),
            verify_client_cert: self.verify_client_cert.or(fallback.verify_client_cert),
            username_as_common_name: self.username_as_common_name.or(fallback.username_as_common_name),
            auth_gen_token: self.auth_gen_token.or(fallback.auth_gen_token),
            auth_gen_token_renewal: self.auth_gen_token_renewal.or(fallback.auth_gen_token_renewal),
            auth_gen_token_external: self.auth_gen_token_external.or(fallback.auth_gen_token_external),
            auth_gen_token_secret: self.auth_gen_token_secret.or(fallback.auth_gen_token_secret),
            auth_timeout: self.auth_timeout.or(fallback.auth_timeout),
            client_crresponse: self.client_crresponse.or(fallback.client_crresponse),
            tls_verify: self.tls_verify.or(fallback.tls_verify),
            tls_crypt_v2_verify: self.tls_crypt_v2_verify.or(fallback.tls_crypt_v2_verify),
            client_connect: self.client_connect.or(fallback.client_connect),
            client_disconnect: self.client_disconnect.or(fallback.client_disconnect),
            learn_address: self.learn_address.or(fallback.learn_address),
            up: self.up.or(fallback.up),
            route_up: self.route_up.or(fallback.route_up),
            down: self.down.or(fallback.down),
            hook_timeout: self.hook_timeout.or(fallback.hook_timeout),
            duplicate_cn_policy: self.duplicate_cn_policy.or(fallback.duplicate_cn_policy),
            session_timeout: self.session_timeout.or(fallback.session_timeout),
            idle_timeout: self.idle_timeout.or(fallback.idle_timeout),
            no_forwarding: self.no_forwarding.or(fallback.no_forwarding),
            status: self.status.or(fallback.status),
            status_interval: self.status_interval.or(fallback.status_interval),
            status_version: self.status_version.or(fallback.status_version),
            management: self.management.or(fallback.management),
            management_password: self.management_password.or(fallback.management_password),
            management_hold: self.management_hold.or(fallback.management_hold),
            management_client_auth: self.management_client_auth.or(fallback.management_client_auth),
            management_log_lines: self.management_log_lines.or(fallback.management_log_lines),
            hand_window: self.hand_window.or(fallback.hand_window),
            max_half_open: self.max_half_open.or(fallback.max_half_open),
            max_half_open_per_network: self.max_half_open_per_network.or(fallback.max_half_open_per_network),
            replies_per_network: self.replies_per_network.or(fallback.replies_per_network),
            max_tcp_strangers: self.max_tcp_strangers.or(fallback.max_tcp_strangers),
            max_tcp_strangers_per_network: self
                .max_tcp_strangers_per_network
                .or(fallback.max_tcp_strangers_per_network),
            tcp_stranger_timeout: self.tcp_stranger_timeout.or(fallback.tcp_stranger_timeout),
            client: self.client.or(fallback.client),
            rule: self.rule.or(fallback.rule),
            access: self.access.or(fallback.access),
            association: self.association.or(fallback.association),
            security_group: self.security_group.or(fallback.security_group),
            security_peers: self.security_peers.or(fallback.security_peers),
        }
    }

    /// The options with relative paths taken from `directory`.
    #[must_use]
    pub fn relative_to(mut self, directory: &Path) -> Self {
        let paths = [
            &mut self.pki,
            &mut self.ca,
            &mut self.cert,
            &mut self.key,
            &mut self.crl,
            &mut self.askpass,
            &mut self.tls_crypt,
            &mut self.tls_crypt_v2,
            &mut self.connection_log,
            &mut self.state_dir,
            &mut self.users,
            &mut self.auth_gen_token_secret,
            &mut self.status,
            &mut self.management_password,
            &mut self.address_file,
        ];
        for path in paths.into_iter().flatten() {
            *path = directory.join(&*path);
        }
        if let Some(file) = &mut self.tls_auth {
            *file = directory.join(&*file).display().to_string();
        }
        if let Some(path) = self.management.as_deref().and_then(|address| address.strip_prefix("unix:")) {
            self.management = Some(format!("unix:{}", directory.join(path).display()));
        }
        self
    }

    fn without_what_conflicts_with(mut self, stronger: &Self) -> Self {
        if stronger.names_files() && !stronger.names_pki() {
            (self.pki, self.server_name) = (None, None);
        }
        if stronger.names_pki() && !stronger.names_files() {
            (self.ca, self.cert, self.key, self.crl) = (None, None, None, None);
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
    pub(super) const fn names_files(&self) -> bool {
        self.ca.is_some() || self.cert.is_some() || self.key.is_some() || self.crl.is_some()
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
        let value = |name: &str| match name {
            "auth-user-pass-optional" | "username-as-common-name" | "auth-gen-token-external" => "true",
            "auth-gen-token"
            | "auth-gen-token-renewal"
            | "hook-timeout"
            | "session-timeout"
            | "auth-timeout" => "7",
            "idle-timeout" => "[60, 7]",
            "max-sessions" | "duplicate-cn" | "reneg-sec" | "crl-grace" | "hand-window" => "7",
            "max-half-open" | "max-half-open-per-network" | "replies-per-network" => "7",
            "max-tcp-strangers" | "max-tcp-strangers-per-network" | "tcp-stranger-timeout" => "7",
            "split-tunnel" | "full-tunnel" | "no-nat" | "allow-plain" | "client-to-client" => "true",
            "listed-clients-only" | "register-dns" => "true",
            "replay-window" | "tun-mtu" | "mssfix" => "7",
            "no-forwarding" | "management-hold" | "management-client-auth" | "push-only" => "true",
            "status-interval" | "status-version" | "management-log-lines" => "7",
            "keepalive" => "[10, 60]",
            _ => "'x'",
        };
        let file: String = Options::NAMES.iter().map(|name| format!("{name} = {}\n", value(name))).collect();
        let tables = "[client]\n[access]\n[[rule]]\n[[association]]\n[[security-group]]\n[security-peers]\n";
        let options: Options = toml::from_str(&(file + tables)).unwrap();
        let printed = toml::Table::try_from(&options).unwrap();
        let known = Options::NAMES.iter().chain(&Options::TABLES);
        assert!(known.clone().all(|name| printed.contains_key(*name)), "{printed}");
        assert_eq!(printed.len(), known.count());
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

    fn some(text: &str) -> Option<String> {
        Some(text.to_owned())
    }
}
