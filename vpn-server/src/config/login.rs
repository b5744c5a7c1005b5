//! How clients log in, beside or instead of their certificate, and for how long they may stay.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use pki_core::chain::IdentityField;
use vpn_proto::ClientCertificate;

use super::check::{checked, parse};
use super::directory::DirectoryTable;
use super::hooks::{HookSettings, InvalidHook};
use super::options::Options;
use super::{ConfigError, InvalidValue};
use crate::auth::login::{LoginPolicy, TokenSettings};

/// Who has to log in, and by what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoginSettings {
    /// Whether a certificate is needed.
    pub client_certificate: ClientCertificate,
    /// The field of a certificate that says who a client is.
    pub identity: IdentityField,
    /// Whether the user name has to be that name.
    pub username_matches_certificate: bool,
    /// Whether a user name is needed.
    pub policy: LoginPolicy,
    /// The file with users and their hashed passwords.
    pub users: Option<PathBuf>,
    /// The directory that decides about user names and passwords.
    pub directory: Option<DirectoryTable>,
    /// The file with the secrets of one-time passwords, which are asked for beside passwords.
    pub one_time_secrets: Option<PathBuf>,
    /// Tokens that replace passwords after the first login.
    pub tokens: Option<TokenSettings>,
    /// The file with the key for tokens; without one a key is made at each start.
    pub token_key: Option<PathBuf>,
    /// How long a decision may take that a program defers.
    pub timeout: Duration,
}

/// How many sessions one client may have, and how long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionLimits {
    /// How many sessions one client may have.
    pub per_client: u32,
    /// What happens to one more.
    pub when_exceeded: DuplicatePolicy,
    /// Whether sessions belong to the user, not to the certificate.
    pub username_as_common_name: bool,
    /// How long a session may last.
    pub session_timeout: Option<Duration>,
    /// How little a session may be used.
    pub idle: Option<IdleLimit>,
}

/// What happens when a client has too many sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum DuplicatePolicy {
    /// Its oldest one ends, and is told so.
    #[default]
    Replace,
    /// It gets no other one.
    Refuse,
}

/// A session that moves less than so much in such a time ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdleLimit {
    /// The time.
    pub period: Duration,
    /// Octets in both directions; keepalive pings do not count.
    pub octets: u64,
}

/// Why a text is none of the words that an option knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it has to be {0}")]
pub struct UnknownWord(pub(super) &'static str);

impl LoginSettings {
    /// How long a deferred decision may take by default.
    const DEFAULT_TIMEOUT: u32 = 180;

    pub(super) fn check(options: &Options) -> Result<Self, ConfigError> {
        let client_certificate =
            checked("verify-client-cert", options.verify_client_cert.as_deref(), parse_client_certificate)?
                .unwrap_or_default();
        let decides = options.users.is_some()
            || options.directory.is_some()
            || options.auth_user_pass_verify.is_some()
            || options.management_client_auth == Some(true);
        let policy = match (decides, options.auth_user_pass_optional.unwrap_or(false)) {
            (false, _) => LoginPolicy::NotAsked,
            (true, false) => LoginPolicy::Required,
            (true, true) => LoginPolicy::Optional,
        };
        let settings = Self {
            client_certificate,
            identity: parse("certificate-identity", options.certificate_identity.as_deref())?
                .unwrap_or_default(),
            username_matches_certificate: options.username_matches_certificate.unwrap_or(false),
            policy,
            users: options.users.clone(),
            directory: options.directory.as_ref().map(DirectoryTable::check).transpose()?,
            one_time_secrets: options.one_time_secrets.clone(),
            tokens: token_settings(options),
            token_key: options.auth_gen_token_secret.clone(),
            timeout: seconds(options.auth_timeout.unwrap_or(Self::DEFAULT_TIMEOUT)),
        };
        settings.refuse_open_doors(options)?;
        Ok(settings)
    }

    /// Without certificates somebody has to look at passwords, and a token stands for one.
    fn refuse_open_doors(&self, options: &Options) -> Result<(), ConfigError> {
        if self.policy == LoginPolicy::NotAsked {
            let needs_login = [
                ("verify-client-cert", self.client_certificate != ClientCertificate::Required),
                ("auth-gen-token", self.tokens.is_some()),
                ("username-matches-certificate", self.username_matches_certificate),
                ("one-time-secrets", self.one_time_secrets.is_some()),
                ("auth-user-pass-optional", options.auth_user_pass_optional == Some(true)),
                ("username-as-common-name", options.username_as_common_name == Some(true)),
            ];
            if let Some((option, _)) = needs_login.into_iter().find(|(_, is_set)| *is_set) {
                return Err(ConfigError::NeedsLogin { option });
            }
        }
        let needs_tokens = [
            ("auth-gen-token-secret", self.token_key.is_some()),
            ("auth-gen-token-renewal", options.auth_gen_token_renewal.is_some()),
            ("auth-gen-token-external", options.auth_gen_token_external == Some(true)),
            ("one-time-secrets", self.one_time_secrets.is_some()),
        ];
        match needs_tokens.into_iter().find(|(_, is_set)| *is_set) {
            Some((option, _)) if self.tokens.is_none() => Err(ConfigError::NeedsTokens { option }),
            _ => Ok(()),
        }
    }
}

fn token_settings(options: &Options) -> Option<TokenSettings> {
    let lifetime = options.auth_gen_token?;
    let renewal = options.auth_gen_token_renewal.or(options.reneg_sec).filter(|seconds| *seconds > 0);
    Some(TokenSettings {
        lifetime: (lifetime > 0).then(|| seconds(lifetime)),
        renewal: seconds(renewal.unwrap_or(3600)),
        asks_deciders: options.auth_gen_token_external.unwrap_or(false),
    })
}

impl SessionLimits {
    pub(super) fn check(options: &Options) -> Result<Self, ConfigError> {
        let when_exceeded =
            checked("duplicate-cn-policy", options.duplicate_cn_policy.as_deref(), parse_duplicate_policy)?;
        Ok(Self {
            per_client: super::check::at_least_one("duplicate-cn", options.duplicate_cn)?.unwrap_or(1),
            when_exceeded: when_exceeded.unwrap_or_default(),
            username_as_common_name: options.username_as_common_name.unwrap_or(false),
            session_timeout: options.session_timeout.filter(|limit| *limit > 0).map(seconds),
            idle: options.idle_timeout.filter(|[period, _]| *period > 0).map(|[period, octets]| IdleLimit {
                period: seconds(period),
                octets: u64::from(octets).max(1),
            }),
        })
    }
}

impl HookSettings {
    pub(super) fn check(options: &Options) -> Result<Self, ConfigError> {
        fn hook<T: FromStr<Err = InvalidHook>>(
            option: &'static str,
            text: Option<&String>,
        ) -> Result<Option<T>, ConfigError> {
            parse(option, text.map(String::as_str))
        }
        Ok(Self {
            auth_user_pass_verify: hook("auth-user-pass-verify", options.auth_user_pass_verify.as_ref())?,
            client_crresponse: hook("client-crresponse", options.client_crresponse.as_ref())?,
            tls_verify: hook("tls-verify", options.tls_verify.as_ref())?,
            tls_crypt_v2_verify: hook("tls-crypt-v2-verify", options.tls_crypt_v2_verify.as_ref())?,
            client_connect: hook("client-connect", options.client_connect.as_ref())?,
            client_disconnect: hook("client-disconnect", options.client_disconnect.as_ref())?,
            learn_address: hook("learn-address", options.learn_address.as_ref())?,
            up: hook("up", options.up.as_ref())?,
            route_up: hook("route-up", options.route_up.as_ref())?,
            down: hook("down", options.down.as_ref())?,
            timeout: super::check::at_least_one("hook-timeout", options.hook_timeout)?
                .map_or(Self::DEFAULT_TIMEOUT, seconds),
        })
    }
}

fn seconds(number: u32) -> Duration {
    Duration::from_secs(number.into())
}

fn parse_client_certificate(text: &str) -> Result<ClientCertificate, InvalidValue> {
    match text {
        "require" => Ok(ClientCertificate::Required),
        "optional" => Ok(ClientCertificate::Optional),
        "none" => Ok(ClientCertificate::NotAsked),
        _ => Err(UnknownWord("require, optional or none").into()),
    }
}

pub(super) const fn print_client_certificate(demand: ClientCertificate) -> &'static str {
    match demand {
        ClientCertificate::Required => "require",
        ClientCertificate::Optional => "optional",
        ClientCertificate::NotAsked => "none",
    }
}

fn parse_duplicate_policy(text: &str) -> Result<DuplicatePolicy, InvalidValue> {
    match text {
        "replace" => Ok(DuplicatePolicy::Replace),
        "refuse" => Ok(DuplicatePolicy::Refuse),
        _ => Err(UnknownWord("replace or refuse").into()),
    }
}

pub(super) const fn print_duplicate_policy(policy: DuplicatePolicy) -> &'static str {
    match policy {
        DuplicatePolicy::Replace => "replace",
        DuplicatePolicy::Refuse => "refuse",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn login(text: &str) -> Result<LoginSettings, String> {
        LoginSettings::check(&toml::from_str(text).unwrap()).map_err(|error| error.to_string())
    }

    #[test]
    fn certificates_decide_alone_unless_somebody_else_can() {
        let settings = login("").unwrap();
        assert_eq!(
            (settings.policy, settings.client_certificate),
            (LoginPolicy::NotAsked, ClientCertificate::Required)
        );
        assert_eq!(login("users='u'").unwrap().policy, LoginPolicy::Required);
        let script = "auth-user-pass-verify='/bin/x via-env'\nauth-user-pass-optional=true";
        assert_eq!(login(script).unwrap().policy, LoginPolicy::Optional);
    }

    #[test]
    fn nobody_gets_in_with_neither_certificate_nor_password() {
        for text in ["verify-client-cert='none'", "verify-client-cert='optional'"] {
            assert!(login(text).unwrap_err().contains("--verify-client-cert"), "{text}");
            assert!(login(&format!("users='u'\n{text}")).is_ok());
        }
    }

    #[test]
    fn options_about_logins_and_tokens_need_what_they_are_about() {
        for (text, option) in [
            ("auth-gen-token=3600", "auth-gen-token"),
            ("auth-user-pass-optional=true", "auth-user-pass-optional"),
            ("username-as-common-name=true", "username-as-common-name"),
            ("users='u'\nauth-gen-token-secret='k'", "auth-gen-token-secret"),
            ("users='u'\nauth-gen-token-renewal=60", "auth-gen-token-renewal"),
            ("users='u'\nauth-gen-token-external=true", "auth-gen-token-external"),
            ("one-time-secrets='o'", "one-time-secrets"),
            ("username-matches-certificate=true", "username-matches-certificate"),
            ("users='u'\none-time-secrets='o'", "one-time-secrets"),
        ] {
            assert!(login(text).unwrap_err().contains(&format!("--{option}")), "{text}");
        }
    }

    #[test]
    fn tokens_are_renewed_as_often_as_keys_unless_something_else_is_said() {
        let renewal = |text| login(&format!("users='u'\n{text}")).unwrap().tokens.unwrap().renewal.as_secs();
        assert_eq!(renewal("auth-gen-token=0"), 3600);
        assert_eq!(renewal("auth-gen-token=0\nreneg-sec=600"), 600);
        assert_eq!(renewal("auth-gen-token=0\nreneg-sec=0"), 3600);
        assert_eq!(renewal("auth-gen-token=0\nreneg-sec=600\nauth-gen-token-renewal=60"), 60);
        let unlimited = login("users='u'\nauth-gen-token=0").unwrap().tokens.unwrap();
        assert_eq!(unlimited.lifetime, None);
    }

    #[test]
    fn words_that_no_option_knows_are_named() {
        assert!(
            login("users='u'\nverify-client-cert='maybe'").unwrap_err().contains("require, optional or none")
        );
        let limits = |text: &str| SessionLimits::check(&toml::from_str(text).unwrap());
        let error = limits("duplicate-cn-policy='x'").unwrap_err().to_string();
        assert!(error.contains("replace or refuse"), "{error}");
        assert_eq!(limits("duplicate-cn-policy='refuse'").unwrap().when_exceeded, DuplicatePolicy::Refuse);
    }

    #[test]
    fn limits_of_nothing_are_no_limits() {
        let limits = |text: &str| SessionLimits::check(&toml::from_str(text).unwrap()).unwrap();
        let none = limits("session-timeout=0\nidle-timeout=[0, 5]");
        assert_eq!((none.session_timeout, none.idle), (None, None));
        let idle = limits("idle-timeout=[60, 0]").idle.unwrap();
        assert_eq!((idle.period.as_secs(), idle.octets), (60, 1));
    }
}
