//! `postern serve`: the flags, under the names that a configuration file has.

use std::path::PathBuf;

use clap::{Args, ValueHint};
use vpn_server::config::Options;

/// Run the VPN server in the foreground.
///
/// Every flag can also stand in a TOML file (--config) under the same name; a flag beats the file. SIGTERM stops the
/// server and tells its clients, SIGHUP reloads certificates, the revocation list, the connection log, and from the file
/// routes, authorizations, name servers and --max-sessions. The revocation list is also watched: a client that is
/// revoked in it is disconnected at once.
#[derive(Clone, Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ServeArgs {
    /// Read options from this TOML file
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) config: Option<PathBuf>,

    /// Check the configuration, certificates and revocation list, print the resulting configuration, and do nothing else
    #[arg(long)]
    pub(crate) check: bool,

    /// The PKI directory, as made by 'postern init-pki' or easy-rsa [default: that of --pki-dir]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, help_heading = "Certificates")]
    pki: Option<PathBuf>,

    /// The name of the server certificate in the PKI
    #[arg(long, value_name = "NAME", help_heading = "Certificates")]
    server_name: Option<String>,

    /// The certificate authorities of the clients, instead of --pki
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Certificates")]
    ca: Option<PathBuf>,

    /// The server certificate and its intermediates
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Certificates")]
    cert: Option<PathBuf>,

    /// The key of the server certificate
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Certificates")]
    key: Option<PathBuf>,

    /// A PKCS#12 file with the server certificate, its key and the authorities of the clients, instead of --pki
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Certificates")]
    pkcs12: Option<PathBuf>,

    /// Certificates to send after the server certificate
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Certificates")]
    extra_certs: Option<PathBuf>,

    /// The revocation list; with --pki it is crl.pem in that directory
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Certificates")]
    crl: Option<PathBuf>,

    /// A directory in which files are called by revoked serial numbers, in decimal digits
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, help_heading = "Certificates")]
    revoked_serials: Option<PathBuf>,

    /// Refuse clients whose certificates have another name
    #[arg(long, value_name = "NAME subject|name|name-prefix", help_heading = "Certificates")]
    verify_x509_name: Option<String>,

    /// How long an expired revocation list is still accepted [default: 0]
    #[arg(long, value_name = "SECONDS", help_heading = "Certificates")]
    crl_grace: Option<u32>,

    /// A file whose first line is the passphrase of the server key
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Certificates")]
    askpass: Option<PathBuf>,

    /// The key that every client signs its control packets with; direction 0 if the clients have 1
    #[arg(long, value_name = "FILE[:DIRECTION]", value_hint = ValueHint::FilePath, help_heading = "Control channel")]
    tls_auth: Option<String>,

    /// The hash of --tls-auth [default: SHA1]
    #[arg(long, value_name = "HASH", help_heading = "Control channel")]
    auth: Option<String>,

    /// The key that every client encrypts its control packets with
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Control channel")]
    tls_crypt: Option<PathBuf>,

    /// The server key behind the keys that clients have of their own
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Control channel")]
    tls_crypt_v2: Option<PathBuf>,

    /// Whether tls-crypt-v2 clients older than OpenVPN 2.6 are taken [default: allow-noncookie]
    #[arg(long, value_name = "allow-noncookie|force-cookie", help_heading = "Control channel")]
    tls_crypt_v2_cookie: Option<String>,

    /// Take clients without any of these keys, too
    #[arg(long, help_heading = "Control channel")]
    allow_plain: bool,

    /// Where clients connect to, repeatable: udp: or tcp:ADDRESS:PORT, IPv6 in brackets [default: udp:0.0.0.0:1194]
    #[arg(long, value_name = "TRANSPORT:ADDRESS:PORT", help_heading = "Network")]
    listen: Vec<String>,

    /// Hand TCP connections that do not speak the VPN's protocol to this server, which is usually an HTTPS server
    #[arg(long, value_name = "HOST:PORT", help_heading = "Network")]
    port_share: Option<String>,

    /// The name of the TUN device [default: postern0]
    #[arg(long, value_name = "NAME", help_heading = "Network")]
    tun: Option<String>,

    /// The network of client addresses, /29 to /12; its first address is the server's. Once more for IPv6, /124 to /48
    #[arg(long, value_name = "CIDR", help_heading = "Network")]
    client_cidr: Vec<String>,

    /// The part of the IPv4 client addresses that is leased [default: all]
    #[arg(long, value_name = "FIRST-LAST", help_heading = "Network")]
    client_pool: Option<String>,

    /// A network behind some client, repeatable; the file's [client] tables say behind which
    #[arg(long, value_name = "CIDR", help_heading = "Network")]
    client_route: Vec<String>,

    /// Clients may reach each other and what is behind them
    #[arg(long, help_heading = "Network")]
    client_to_client: bool,

    /// A network behind the server, repeatable; @INTERFACE names the interface it lies behind
    #[arg(long, value_name = "CIDR[@INTERFACE]", help_heading = "Network")]
    route: Vec<String>,

    /// A network that clients may reach, repeatable; everything else is denied
    #[arg(long, value_name = "CIDR", help_heading = "Network")]
    authorize: Vec<String>,

    /// Do not translate client addresses: networks behind the server know the way back
    #[arg(long, help_heading = "Network")]
    no_nat: bool,

    /// Leave forwarding as it is: the administrator of the host switches it on
    #[arg(long, help_heading = "Network")]
    no_forwarding: bool,

    /// A name server that clients are told, up to two
    #[arg(long, value_name = "ADDRESS", help_heading = "Clients")]
    dns: Vec<String>,

    /// The domain of the connection
    #[arg(long, value_name = "DOMAIN", help_heading = "Clients")]
    dns_domain: Option<String>,

    /// A domain in which clients look up names without a dot, repeatable
    #[arg(long, value_name = "DOMAIN", help_heading = "Clients")]
    dns_search: Vec<String>,

    /// Windows clients register their names with the name servers
    #[arg(long, help_heading = "Clients")]
    register_dns: bool,

    /// How a full tunnel takes the place of the default route: flags such as 'def1 bypass-dhcp' [default: def1]
    #[arg(long, value_name = "FLAGS", help_heading = "Clients")]
    redirect_gateway: Option<String>,

    /// A greeting that clients with windows show
    #[arg(long, value_name = "TEXT", help_heading = "Clients")]
    banner: Option<String>,

    /// An option that clients are told as it is, repeatable, e.g. 'dhcp-option NTP 10.7.0.1'
    #[arg(long, value_name = "OPTION", help_heading = "Clients")]
    push: Vec<String>,

    /// Refuse clients that have no [client] table in the file
    #[arg(long, help_heading = "Clients")]
    listed_clients_only: bool,

    /// Clients send only what goes to routed networks through the tunnel
    #[arg(long, conflicts_with = "full_tunnel", help_heading = "Clients")]
    split_tunnel: bool,

    /// Clients send everything through the tunnel, which is the default
    #[arg(long, help_heading = "Clients")]
    full_tunnel: bool,

    /// Clients are told nothing but what --push says; routes are for the server alone
    #[arg(long, conflicts_with_all = ["full_tunnel", "split_tunnel"], help_heading = "Clients")]
    push_only: bool,

    /// How many sessions at once [default: as many as there are client addresses]
    #[arg(long, value_name = "N", help_heading = "Clients")]
    max_sessions: Option<u32>,

    /// How many sessions one certificate may have; a further one ends the oldest [default: 1]
    #[arg(long, value_name = "N", help_heading = "Clients")]
    duplicate_cn: Option<u32>,

    /// Seconds between pings, and of silence until a client restarts; the server waits twice as long [default: 10,60]
    #[arg(long, value_name = "PING,TIMEOUT", value_parser = two_numbers, help_heading = "Clients")]
    keepalive: Option<[u32; 2]>,

    /// Seconds after which keys are renegotiated, 0 for never [default: 3600]
    #[arg(long, value_name = "SECONDS", help_heading = "Clients")]
    reneg_sec: Option<u32>,

    /// Data channel ciphers in order of preference [default: AES-256-GCM:AES-128-GCM:CHACHA20-POLY1305]
    #[arg(long, value_name = "CIPHER[:CIPHER...]", help_heading = "Clients")]
    data_ciphers: Option<String>,

    /// CBC ciphers for clients too old for those, in order of preference [default: none]
    #[arg(long, value_name = "CIPHER[:CIPHER...]", help_heading = "Clients")]
    cbc_ciphers: Option<String>,

    /// The digest for CBC clients that say none [default: SHA1]
    #[arg(long, value_name = "DIGEST", help_heading = "Clients")]
    cbc_digest: Option<String>,

    /// How many packets a packet may be late [default: 2048]
    #[arg(long, value_name = "PACKETS", help_heading = "Clients")]
    replay_window: Option<u32>,

    /// The longest packet inside the tunnel [default: 1500]
    #[arg(long, value_name = "OCTETS", help_heading = "Clients")]
    tun_mtu: Option<u16>,

    /// The longest packet outside the tunnel that TCP inside is shaped for, 0 for no shaping [default: 1492]
    #[arg(long, value_name = "OCTETS", help_heading = "Clients")]
    mssfix: Option<u16>,

    /// The oldest TLS version that is spoken [default: 1.2]
    #[arg(long, value_name = "1.2|1.3", help_heading = "Clients")]
    tls_version_min: Option<String>,

    /// What happens when a client has too many sessions [default: replace]
    #[arg(long, value_name = "replace|refuse", help_heading = "Clients")]
    duplicate_cn_policy: Option<String>,

    /// How long a session may last [default: for ever]
    #[arg(long, value_name = "SECONDS", help_heading = "Clients")]
    session_timeout: Option<u32>,

    /// End sessions that move less than so many octets in so many seconds [default: never]
    #[arg(long, value_name = "SECONDS,OCTETS", value_parser = two_numbers, help_heading = "Clients")]
    idle_timeout: Option<[u32; 2]>,

    /// Users and their hashed passwords; see `postern user`
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Logins")]
    users: Option<PathBuf>,

    /// Secrets of one-time codes, which everybody needs beside the password; see `postern user totp`
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Logins")]
    one_time_secrets: Option<PathBuf>,

    /// The part of a certificate that says who a client is [default: cn]
    #[arg(
        long,
        value_name = "cn|uid|serial-number|subject-email|email|upn|dns|uri",
        help_heading = "Logins"
    )]
    certificate_identity: Option<String>,

    /// The user name has to be the name in the certificate
    #[arg(long, help_heading = "Logins")]
    username_matches_certificate: bool,

    /// The program or web service with the last word about clients that logged in
    #[arg(long, value_name = "exec:/PATH|URL", help_heading = "Logins")]
    connect_handler: Option<String>,

    /// How long it may take [default: 30]
    #[arg(long, value_name = "SECONDS", help_heading = "Logins")]
    connect_handler_timeout: Option<u32>,

    /// How many clients it is asked about at once [default: 16]
    #[arg(long, value_name = "N", help_heading = "Logins")]
    connect_handler_limit: Option<u32>,

    /// The authorities of an https handler [default: those of the host]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Logins")]
    connect_handler_ca: Option<PathBuf>,

    /// The program that decides about user names and passwords
    #[arg(long, value_name = "COMMAND via-file|via-env", help_heading = "Logins")]
    auth_user_pass_verify: Option<String>,

    /// Who sends no user name gets in by certificate alone
    #[arg(long, help_heading = "Logins")]
    auth_user_pass_optional: bool,

    /// Whether clients need a certificate [default: require]
    #[arg(long, value_name = "require|optional|none", help_heading = "Logins")]
    verify_client_cert: Option<String>,

    /// Sessions belong to the user, not to the certificate
    #[arg(long, help_heading = "Logins")]
    username_as_common_name: bool,

    /// After a login a token replaces the password for so long, 0 for no end
    #[arg(long, value_name = "SECONDS", help_heading = "Logins")]
    auth_gen_token: Option<u32>,

    /// How often tokens are renewed [default: as often as keys]
    #[arg(long, value_name = "SECONDS", help_heading = "Logins")]
    auth_gen_token_renewal: Option<u32>,

    /// Whoever decides about passwords is asked about tokens, too
    #[arg(long, help_heading = "Logins")]
    auth_gen_token_external: bool,

    /// The key for tokens, made by `openvpn --genkey auth-token` [default: a new one at each start]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Logins")]
    auth_gen_token_secret: Option<PathBuf>,

    /// How long a decision may take that a program defers [default: 180]
    #[arg(long, value_name = "SECONDS", help_heading = "Logins")]
    auth_timeout: Option<u32>,

    /// The program that hears the answers of clients to questions
    #[arg(long, value_name = "COMMAND", help_heading = "Programs")]
    client_crresponse: Option<String>,

    /// The program that decides about certificates that are good otherwise
    #[arg(long, value_name = "COMMAND", help_heading = "Programs")]
    tls_verify: Option<String>,

    /// The program that decides about what stands beside tls-crypt-v2 keys
    #[arg(long, value_name = "COMMAND", help_heading = "Programs")]
    tls_crypt_v2_verify: Option<String>,

    /// The program that decides about clients that have a place, and what they are pushed
    #[arg(long, value_name = "COMMAND", help_heading = "Programs")]
    client_connect: Option<String>,

    /// The program that hears of clients that are gone
    #[arg(long, value_name = "COMMAND", help_heading = "Programs")]
    client_disconnect: Option<String>,

    /// The program that hears which client has which address
    #[arg(long, value_name = "COMMAND", help_heading = "Programs")]
    learn_address: Option<String>,

    /// The program that runs when the device is up
    #[arg(long, value_name = "COMMAND", help_heading = "Programs")]
    up: Option<String>,

    /// The program that runs when the routes are set
    #[arg(long, value_name = "COMMAND", help_heading = "Programs")]
    route_up: Option<String>,

    /// The program that runs when the server has ended
    #[arg(long, value_name = "COMMAND", help_heading = "Programs")]
    down: Option<String>,

    /// How long each program may take [default: 20]
    #[arg(long, value_name = "SECONDS", help_heading = "Programs")]
    hook_timeout: Option<u32>,
    /// Seconds from a client's first packet to its tunnel [default: 30]
    #[arg(long, value_name = "SECONDS", help_heading = "Strangers")]
    hand_window: Option<u32>,

    /// Clients that may be on their way in at once; the oldest of the busiest network gives way [default: 4096]
    #[arg(long, value_name = "N", help_heading = "Strangers")]
    max_half_open: Option<u32>,

    /// The same from one network, /24 of IPv4 or /56 of IPv6 [default: 1024]
    #[arg(long, value_name = "N", help_heading = "Strangers")]
    max_half_open_per_network: Option<u32>,

    /// First packets from one network answered per second; those of clients that go on do not count [default: 50]
    #[arg(long, value_name = "N", help_heading = "Strangers")]
    replies_per_network: Option<u32>,

    /// TCP connections of clients that have not been let in [default: 1024]
    #[arg(long, value_name = "N", help_heading = "Strangers")]
    max_tcp_strangers: Option<u32>,

    /// The same from one network [default: 32]
    #[arg(long, value_name = "N", help_heading = "Strangers")]
    max_tcp_strangers_per_network: Option<u32>,

    /// Seconds until such a connection must have brought a complete first packet [default: 10]
    #[arg(long, value_name = "SECONDS", help_heading = "Strangers")]
    tcp_stranger_timeout: Option<u32>,

    /// Append connection records to this file, one JSON object per line
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Operation")]
    connection_log: Option<PathBuf>,

    /// The file that remembers which client had which address [default: addresses in --state-dir]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Operation")]
    address_file: Option<PathBuf>,

    /// The directory that belongs to this server alone [default: /var/lib/postern/TUN]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, help_heading = "Operation")]
    state_dir: Option<PathBuf>,

    /// What the server takes from itself: calls and files that it does not need [default: auto]
    #[arg(long, value_name = "auto|always|off", help_heading = "Operation")]
    confine: Option<String>,

    /// Become this user once everything is set up that only root can do
    #[arg(long, value_name = "NAME", help_heading = "Operation")]
    user: Option<String>,

    /// Have this group then [default: that of --user]
    #[arg(long, value_name = "NAME", help_heading = "Operation")]
    group: Option<String>,

    /// Write who is connected into this file, in OpenVPN's form
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Operation")]
    status: Option<PathBuf>,

    /// Seconds between two versions of the status file [default: 60]
    #[arg(long, value_name = "SECONDS", help_heading = "Operation")]
    status_interval: Option<u32>,

    /// The form of the status file [default: 1]
    #[arg(long, value_name = "1|2|3", help_heading = "Operation")]
    status_version: Option<u32>,

    /// Offer OpenVPN's management interface here
    #[arg(long, value_name = "unix:PATH|ADDRESS:PORT", help_heading = "Operation")]
    management: Option<String>,

    /// A file whose first line is the password of the management interface
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Operation")]
    management_password: Option<PathBuf>,

    /// Start when the management interface is told 'hold release'
    #[arg(long, help_heading = "Operation")]
    management_hold: bool,

    /// Ask the client of the management interface about logins
    #[arg(long, help_heading = "Operation")]
    management_client_auth: bool,

    /// How many lines of the log the management interface can show afterwards [default: 250]
    #[arg(long, value_name = "N", help_heading = "Operation")]
    management_log_lines: Option<u32>,

    /// What to log: error, warn, info, debug, trace, or a filter as RUST_LOG takes it
    #[arg(long, value_name = "LEVEL", default_value = "info", env = "RUST_LOG", help_heading = "Operation")]
    pub(crate) log_level: String,

    /// Log JSON objects instead of text
    #[arg(long, help_heading = "Operation")]
    pub(crate) log_json: bool,
}

const EXAMPLES: &str = "\
Examples:
  postern serve --pki pki --server-name server --client-cidr 10.8.0.0/24 \\
      --split-tunnel --route 10.7.0.0/24@eth1 --authorize 10.7.0.0/24
  postern serve --config /etc/postern/postern.toml --check";

impl ServeArgs {
    /// The options that were given as flags.
    pub(crate) fn options(&self) -> Options {
        Options {
            pki: self.pki.clone(),
            server_name: self.server_name.clone(),
            ca: self.ca.clone(),
            cert: self.cert.clone(),
            key: self.key.clone(),
            pkcs12: self.pkcs12.clone(),
            extra_certs: self.extra_certs.clone(),
            crl: self.crl.clone(),
            revoked_serials: self.revoked_serials.clone(),
            verify_x509_name: self.verify_x509_name.clone(),
            askpass: self.askpass.clone(),
            tls_auth: self.tls_auth.clone(),
            auth: self.auth.clone(),
            tls_crypt: self.tls_crypt.clone(),
            tls_crypt_v2: self.tls_crypt_v2.clone(),
            tls_crypt_v2_cookie: self.tls_crypt_v2_cookie.clone(),
            allow_plain: self.allow_plain.then_some(true),
            listen: unless_empty(&self.listen),
            port_share: self.port_share.clone(),
            tun: self.tun.clone(),
            client_cidr: unless_empty(&self.client_cidr),
            client_pool: self.client_pool.clone(),
            client_route: unless_empty(&self.client_route),
            client_to_client: self.client_to_client.then_some(true),
            listed_clients_only: self.listed_clients_only.then_some(true),
            address_file: self.address_file.clone(),
            route: unless_empty(&self.route),
            authorize: unless_empty(&self.authorize),
            dns: unless_empty(&self.dns),
            dns_domain: self.dns_domain.clone(),
            dns_search: unless_empty(&self.dns_search),
            register_dns: self.register_dns.then_some(true),
            redirect_gateway: self.redirect_gateway.clone(),
            banner: self.banner.clone(),
            push: unless_empty(&self.push),
            split_tunnel: self.split_tunnel.then_some(true),
            full_tunnel: self.full_tunnel.then_some(true),
            push_only: self.push_only.then_some(true),
            max_sessions: self.max_sessions,
            duplicate_cn: self.duplicate_cn,
            keepalive: self.keepalive,
            reneg_sec: self.reneg_sec,
            data_ciphers: self.data_ciphers.clone(),
            cbc_ciphers: self.cbc_ciphers.clone(),
            cbc_digest: self.cbc_digest.clone(),
            replay_window: self.replay_window,
            tun_mtu: self.tun_mtu,
            mssfix: self.mssfix,
            tls_version_min: self.tls_version_min.clone(),
            no_nat: self.no_nat.then_some(true),
            connection_log: self.connection_log.clone(),
            state_dir: self.state_dir.clone(),
            confine: self.confine.clone(),
            user: self.user.clone(),
            group: self.group.clone(),
            crl_grace: self.crl_grace,
            users: self.users.clone(),
            one_time_secrets: self.one_time_secrets.clone(),
            certificate_identity: self.certificate_identity.clone(),
            username_matches_certificate: self.username_matches_certificate.then_some(true),
            connect_handler: self.connect_handler.clone(),
            connect_handler_timeout: self.connect_handler_timeout,
            connect_handler_limit: self.connect_handler_limit,
            connect_handler_ca: self.connect_handler_ca.clone(),
            auth_user_pass_verify: self.auth_user_pass_verify.clone(),
            auth_user_pass_optional: self.auth_user_pass_optional.then_some(true),
            verify_client_cert: self.verify_client_cert.clone(),
            username_as_common_name: self.username_as_common_name.then_some(true),
            auth_gen_token: self.auth_gen_token,
            auth_gen_token_renewal: self.auth_gen_token_renewal,
            auth_gen_token_external: self.auth_gen_token_external.then_some(true),
            auth_gen_token_secret: self.auth_gen_token_secret.clone(),
            auth_timeout: self.auth_timeout,
            client_crresponse: self.client_crresponse.clone(),
            tls_verify: self.tls_verify.clone(),
            tls_crypt_v2_verify: self.tls_crypt_v2_verify.clone(),
            client_connect: self.client_connect.clone(),
            client_disconnect: self.client_disconnect.clone(),
            learn_address: self.learn_address.clone(),
            up: self.up.clone(),
            route_up: self.route_up.clone(),
            down: self.down.clone(),
            hook_timeout: self.hook_timeout,
            duplicate_cn_policy: self.duplicate_cn_policy.clone(),
            session_timeout: self.session_timeout,
            idle_timeout: self.idle_timeout,
            no_forwarding: self.no_forwarding.then_some(true),
            status: self.status.clone(),
            status_interval: self.status_interval,
            status_version: self.status_version,
            management: self.management.clone(),
            management_password: self.management_password.clone(),
            management_hold: self.management_hold.then_some(true),
            management_client_auth: self.management_client_auth.then_some(true),
            management_log_lines: self.management_log_lines,
            hand_window: self.hand_window,
            max_half_open: self.max_half_open,
            max_half_open_per_network: self.max_half_open_per_network,
            replies_per_network: self.replies_per_network,
            max_tcp_strangers: self.max_tcp_strangers,
            max_tcp_strangers_per_network: self.max_tcp_strangers_per_network,
            tcp_stranger_timeout: self.tcp_stranger_timeout,
            client: None,
            directory: None,
            rule: None,
            access: None,
            association: None,
            security_group: None,
            security_peers: None,
        }
    }
}

fn two_numbers(text: &str) -> Result<[u32; 2], String> {
    let numbers =
        text.split_once(',').and_then(|(ping, timeout)| Some([ping.parse().ok()?, timeout.parse().ok()?]));
    numbers.ok_or_else(|| "two numbers are needed, e.g. 10,60".to_owned())
}

fn unless_empty(values: &[String]) -> Option<Vec<String>> {
    (!values.is_empty()).then(|| values.to_vec())
}

#[cfg(test)]
mod tests {
    use clap::{Command, CommandFactory, FromArgMatches, Parser};

    use super::*;

    #[derive(Parser)]
    struct Postern {
        #[command(flatten)]
        serve: ServeArgs,
    }

    #[test]
    fn every_option_of_a_file_is_a_flag() {
        let command = Postern::command();
        let flags: Vec<&str> = command.get_arguments().filter_map(|argument| argument.get_long()).collect();
        for name in Options::NAMES {
            assert!(flags.contains(name), "--{name} is missing");
        }
    }

    #[test]
    fn flags_become_options() {
        let options = parse(&[
            "--pki",
            "p",
            "--server-name",
            "s",
            "--client-cidr",
            "10.8.0.0/24",
            "--listen",
            "udp:[::]:1",
            "--listen",
            "tcp:0.0.0.0:1",
            "--port-share",
            "localhost:8443",
            "--keepalive",
            "5,20",
            "--split-tunnel",
            "--no-nat",
        ]);
        assert_eq!(options.listen.map(|addresses| addresses.len()), Some(2));
        assert_eq!(options.port_share.as_deref(), Some("localhost:8443"));
        assert_eq!(options.keepalive, Some([5, 20]));
        assert_eq!((options.split_tunnel, options.full_tunnel), (Some(true), None));
        assert_eq!(options.no_nat, Some(true));
    }

    #[test]
    fn without_flags_there_are_no_options() {
        assert_eq!(parse(&[]), Options::default());
    }

    #[test]
    fn a_keepalive_has_two_numbers() {
        for text in ["", "10", "10,", "10,60,5", "10 60", "-1,60"] {
            assert!(two_numbers(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_command_is_well_formed() {
        Command::debug_assert(Postern::command());
    }

    fn parse(flags: &[&str]) -> Options {
        let matches = Postern::command().get_matches_from([&["postern"], flags].concat());
        Postern::from_arg_matches(&matches).unwrap().serve.options()
    }
}
