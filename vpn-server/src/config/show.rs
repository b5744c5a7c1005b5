//! The way back from a configuration to options: what `serve --check` prints is a configuration file.

use super::association::AssociationOptions;
use super::check::{Config, CredentialPaths, TunnelMode};
use super::directory::DirectoryTable;
use super::hooks::{HookCommand, HookSettings};
use super::login::{LoginSettings, print_client_certificate, print_duplicate_policy};
use super::options::Options;
use super::session::{print_data_ciphers, print_tls_version};
use crate::auth::connect_handler::ConnectHandlerSettings;
use crate::auth::login::LoginPolicy;

impl Config {
    /// The configuration as a TOML file, defaults written out.
    #[must_use]
    pub fn to_toml(&self) -> String {
        Options::from(self).to_toml()
    }
}

impl Options {
    /// The options that are given, as a TOML file.
    #[must_use]
    pub fn to_toml(&self) -> String {
        toml::to_string(self).unwrap_or_default()
    }
}

impl From<&Config> for Options {
    fn from(config: &Config) -> Self {
        let Config { sessions, limits, live, wrapping, inside, data_channel, .. } = config;
        let (security_group, security_peers) = live.security.options();
        Self {
            askpass: config.passphrase_file.clone(),
            extra_certs: config.extra_certificates.clone(),
            revoked_serials: config.revoked_serials.clone(),
            verify_x509_name: config.client_name.as_ref().map(ToString::to_string),
            tls_auth: wrapping.tls_auth.as_ref().map(ToString::to_string),
            auth: wrapping.tls_auth.as_ref().map(|_| wrapping.auth.name().to_owned()),
            tls_crypt: wrapping.tls_crypt.clone(),
            tls_crypt_v2: wrapping.tls_crypt_v2.clone(),
            tls_crypt_v2_cookie: wrapping.force_cookie.then(|| "force-cookie".to_owned()),
            allow_plain: (wrapping.has_keys() && wrapping.plain).then_some(true),
            listen: Some(printed(&config.listen)),
            port_share: config.port_share.as_ref().map(ToString::to_string),
            tun: Some(config.tun.to_string()),
            client_cidr: Some(inside.client_cidrs.networks().map(|network| network.to_string()).collect()),
            client_pool: inside.pool.as_ref().map(ToString::to_string),
            client_route: Some(printed(&inside.client_networks)),
            client_to_client: Some(live.client_to_client),
            listed_clients_only: Some(live.listed_clients_only),
            address_file: inside.address_file.clone(),
            route: Some(printed(&live.routes)),
            authorize: Some(printed(&live.authorized)),
            dns: Some(printed(&live.push.dns)),
            dns_domain: live.push.dns_domain.as_ref().map(ToString::to_string),
            dns_search: Some(printed(&live.push.dns_search)),
            register_dns: Some(live.push.register_dns),
            redirect_gateway: Some(live.push.redirect.to_string()),
            banner: live.push.banner.as_ref().map(ToString::to_string),
            push: Some(live.push.options.iter().map(|option| option.as_str().to_owned()).collect()),
            split_tunnel: (live.tunnel == TunnelMode::Split).then_some(true),
            full_tunnel: (live.tunnel == TunnelMode::Full).then_some(true),
            push_only: (live.tunnel == TunnelMode::AsPushed).then_some(true),
            max_sessions: live.max_sessions,
            duplicate_cn: Some(limits.per_client),
            keepalive: Some([sessions.keepalive.ping, sessions.keepalive.ping_restart].map(seconds)),
            reneg_sec: Some(sessions.renegotiate_after.map_or(0, seconds)),
            data_ciphers: Some(print_data_ciphers(&sessions.data_ciphers)),
            cbc_ciphers: data_channel.print_cbc_ciphers(),
            cbc_digest: Some(data_channel.cbc_digest.name().to_owned()),
            replay_window: Some(data_channel.replay_window.get()),
            tun_mtu: Some(data_channel.tun_mtu),
            mssfix: Some(data_channel.outer_limit.octets().unwrap_or(0)),
            tls_version_min: Some(print_tls_version(sessions.minimum_tls_version).to_owned()),
            no_nat: Some(!config.nat),
            connection_log: config.connection_log.clone(),
            state_dir: Some(config.state_directory.clone()),
            user: config.run_as.user.clone(),
            group: config.run_as.group.clone(),
            confine: Some(config.confinement.to_string()),
            crl_grace: Some(seconds(config.crl_grace)),
            duplicate_cn_policy: Some(print_duplicate_policy(limits.when_exceeded).to_owned()),
            username_as_common_name: limits.username_as_common_name.then_some(true),
            session_timeout: limits.session_timeout.map(seconds),
            idle_timeout: limits.idle.map(|idle| [seconds(idle.period), saturating(idle.octets)]),
            no_forwarding: (!config.forwarding).then_some(true),
            status: config.status.as_ref().map(|status| status.path.clone()),
            status_interval: config.status.as_ref().map(|status| seconds(status.interval)),
            status_version: config.status.as_ref().map(|status| status.version.number()),
            management: config.management.as_ref().map(|management| management.address.to_string()),
            management_password: config.management.as_ref().and_then(|given| given.password_file.clone()),
            management_hold: config.management.as_ref().and_then(|given| given.is_held.then_some(true)),
            management_client_auth: config
                .management
                .as_ref()
                .and_then(|given| given.decides_logins.then_some(true)),
            management_log_lines: config
                .management
                .as_ref()
                .and_then(|management| u32::try_from(management.log_lines).ok()),
            hand_window: Some(seconds(config.strangers.handshake_timeout)),
            max_half_open: Some(config.strangers.half_open),
            max_half_open_per_network: Some(config.strangers.half_open_per_network),
            replies_per_network: Some(config.strangers.replies_per_network.get()),
            max_tcp_strangers: Some(config.strangers.connections),
            max_tcp_strangers_per_network: Some(config.strangers.connections_per_network),
            tcp_stranger_timeout: Some(seconds(config.strangers.connection_timeout)),
            client: live.clients.options(),
            rule: live.access.rule_options(),
            access: live.access.access_options(),
            association: (!live.associations.is_empty())
                .then(|| live.associations.iter().map(AssociationOptions::from).collect()),
            security_group,
            security_peers,
            ..Self::from(&config.credentials)
                .with_login(&config.login)
                .with_hooks(&config.hooks)
                .with_handler(config.connect_handler.as_ref())
        }
    }
}

impl Options {
    fn with_login(self, login: &LoginSettings) -> Self {
        let tokens = login.tokens.as_ref();
        Self {
            users: login.users.clone(),
            directory: login.directory.as_ref().map(DirectoryTable::options),
            one_time_secrets: login.one_time_secrets.clone(),
            certificate_identity: Some(login.identity.to_string()),
            username_matches_certificate: login.username_matches_certificate.then_some(true),
            auth_user_pass_optional: (login.policy == LoginPolicy::Optional).then_some(true),
            verify_client_cert: Some(print_client_certificate(login.client_certificate).to_owned()),
            auth_gen_token: tokens.map(|tokens| tokens.lifetime.map_or(0, seconds)),
            auth_gen_token_renewal: tokens.map(|tokens| seconds(tokens.renewal)),
            auth_gen_token_external: tokens.filter(|tokens| tokens.asks_deciders).map(|_| true),
            auth_gen_token_secret: login.token_key.clone(),
            auth_timeout: Some(seconds(login.timeout)),
            ..self
        }
    }

    fn with_hooks(self, hooks: &HookSettings) -> Self {
        let printed = |command: &Option<HookCommand>| command.as_ref().map(ToString::to_string);
        Self {
            auth_user_pass_verify: hooks.auth_user_pass_verify.as_ref().map(ToString::to_string),
            client_crresponse: printed(&hooks.client_crresponse),
            tls_verify: printed(&hooks.tls_verify),
            tls_crypt_v2_verify: printed(&hooks.tls_crypt_v2_verify),
            client_connect: printed(&hooks.client_connect),
            client_disconnect: printed(&hooks.client_disconnect),
            learn_address: printed(&hooks.learn_address),
            up: printed(&hooks.up),
            route_up: printed(&hooks.route_up),
            down: printed(&hooks.down),
            hook_timeout: Some(seconds(hooks.timeout)),
            ..self
        }
    }
}

impl Options {
    fn with_handler(self, handler: Option<&ConnectHandlerSettings>) -> Self {
        Self {
            connect_handler: handler.map(|handler| handler.target.to_string()),
            connect_handler_timeout: handler.map(|handler| seconds(handler.timeout)),
            connect_handler_limit: handler.map(|handler| handler.limit),
            connect_handler_ca: handler.and_then(|handler| handler.authorities.clone()),
            ..self
        }
    }
}

impl From<&CredentialPaths> for Options {
    fn from(credentials: &CredentialPaths) -> Self {
        match credentials.clone() {
            CredentialPaths::Pki { directory, server_name } => {
                Self { pki: Some(directory), server_name: Some(server_name), ..Self::default() }
            }
            CredentialPaths::Files { ca, cert, key, crl } => {
                Self { ca: Some(ca), cert: Some(cert), key: Some(key), crl, ..Self::default() }
            }
            CredentialPaths::Container { file, ca, crl } => {
                Self { pkcs12: Some(file), ca, crl, ..Self::default() }
            }
        }
    }
}

fn printed(values: &[impl ToString]) -> Vec<String> {
    values.iter().map(ToString::to_string).collect()
}

fn saturating(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

fn seconds(duration: std::time::Duration) -> u32 {
    u32::try_from(duration.as_secs()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_reads_back_as_the_same_configuration() {
        let given = [
            "pki='p'\nserver-name='s'\nclient-cidr='10.8.0.0/24'",
            "ca='a'\ncert='b'\nkey='c'\ncrl='d'\naskpass='e'\nclient-cidr='10.8.0.0/12'\nlisten=['tcp:[::]:443','udp:0.0.0.0:443']\nport-share='web:8443'\n\
             route=['10.7.0.0/24@eth1','10.9.0.0/16']\nauthorize='10.7.0.0/24'\ndns=['10.7.0.53','fd00::1']\n\
             split-tunnel=true\nmax-sessions=9\nduplicate-cn=3\nkeepalive=[5,20]\nreneg-sec=0\nno-nat=true\n\
             data-ciphers='AES-128-GCM'\ntls-version-min='1.3'\nconnection-log='l'\nstate-dir='t'\ncrl-grace=60\ntun='x'\n\
             user='nobody'\ngroup='daemon'\nconfine='off'\nno-forwarding=true\nstatus='s'\nstatus-interval=5\nstatus-version=3\nmanagement='unix:m'\nmanagement-password='p'\n\
             management-hold=true\nmanagement-client-auth=true\nmanagement-log-lines=9",
            "pkcs12='p'\nclient-cidr='10.8.0.0/24'",
            "pkcs12='p'\nca='c'\ncrl='r'\nextra-certs='x'\nrevoked-serials='d'\nverify-x509-name='CN=a b subject'\n\
             client-cidr='10.8.0.0/24'",
            "pki='p'\nserver-name='s'\nclient-cidr='10.8.0.0/24'\nusers='u'\nverify-client-cert='optional'\n\
             auth-user-pass-verify='/bin/x \"a b\" via-env'\nauth-user-pass-optional=true\nusername-as-common-name=true\n\
             auth-gen-token=0\nauth-gen-token-renewal=60\nauth-gen-token-external=true\nauth-gen-token-secret='k'\n\
             auth-timeout=9\nclient-crresponse='/bin/r'\ntls-verify='/bin/t'\ntls-crypt-v2-verify='/bin/v'\n\
             client-connect='/bin/c'\nclient-disconnect='/bin/d'\nlearn-address='/bin/l'\nup='/bin/u'\n\
             one-time-secrets='o'\ncertificate-identity='upn'\nusername-matches-certificate=true\nconnect-handler='exec:/bin/h'\nconnect-handler-timeout=5\nconnect-handler-ca='c'\n\
             route-up='/bin/ru'\ndown='/bin/do'\nhook-timeout=3\nduplicate-cn-policy='refuse'\nsession-timeout=60\n\
             idle-timeout=[60, 1000]\n[directory]\nurl='ldaps://dc1.test'\nca='d'\nuser-name='{user}@test'\nthreads=4",
            "pki='p'\nserver-name='s'\nclient-cidr=['10.8.0.0/24','fd00:8::/64']\nclient-pool='10.8.0.9-10.8.0.99'\n\
             client-route='10.20.0.0/16'\nclient-to-client=true\nlisted-clients-only=true\naddress-file='a'\n\
             dns='10.7.0.53'\ndns-domain='a.org'\ndns-search=['b.org','c.org']\nregister-dns=true\n\
             redirect-gateway='def1 local'\nbanner=\"hello\\nyou\"\npush=['echo x','inactive 600']\n\
             cbc-ciphers='AES-256-CBC:AES-128-CBC'\ncbc-digest='SHA512'\nreplay-window=64\ntun-mtu=1400\nmssfix=0\n\
             [client.\"alice@example.org\"]\naddress=['10.8.0.5','fd00:8::5']\nnetwork='10.20.0.0/24'\n\
             route='10.9.0.0/16'\npush='echo y'\npush-remove='echo'\npush-reset=true\n[client.bob]\ndisabled=true",
        ];
        for text in given {
            let text = text
                .replace("10.8.0.0/12", "10.0.0.0/12")
                .replace("10.7.0.0", "10.77.0.0")
                .replace("10.9.", "10.79.");
            let config = Config::check(toml::from_str(&text).unwrap()).unwrap();
            let printed = config.to_toml();
            assert_eq!(Config::check(toml::from_str(&printed).unwrap()).unwrap(), config, "{printed}");
        }
    }

    #[test]
    fn defaults_are_written_out() {
        let config =
            Config::check(toml::from_str("pki='p'\nserver-name='s'\nclient-cidr='10.8.0.0/24'").unwrap())
                .unwrap();
        let printed = config.to_toml();
        for line in [
            "listen = [\"udp:0.0.0.0:1194\"]",
            "full-tunnel = true",
            "keepalive = [10, 60]",
            "no-nat = false",
        ] {
            assert!(printed.lines().any(|printed| printed == line), "{line} is not in:\n{printed}");
        }
    }
}
