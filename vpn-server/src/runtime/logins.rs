//! Who has to agree to a login, made from a configuration: programs, the user file, tokens.

use std::fs;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use zeroize::Zeroizing;

use super::error::StartError;
use crate::auth::connect_handler::{ConnectHandler, ConnectHandlerError};
use crate::auth::directory::{DirectoryDecider, DirectoryStartError};
use crate::auth::login::{
    Authenticator, CertificateMatch, ClientWitness, Decider, LoginPlugins, OneTimeDecider, OneTimeSecrets,
    OneTimeStartError, PasswordFile, PasswordFileDecider, PasswordFileError, TokenKey, TokenKeyError,
    TokenMint,
};
use crate::config::{Config, LoginSettings};
use crate::control::connection::EndpointId;
use crate::errands::Errands;
use crate::hooks::{self, ClientHooks, HookParts};
use crate::random;

/// More threads than this take more memory for passwords than a login is worth.
const MAXIMUM_THREADS: usize = 4;

/// Who is asked about clients.
pub(super) struct Logins {
    pub(super) authenticator: Arc<Authenticator>,
    pub(super) hooks: Option<Arc<ClientHooks>>,
    pub(super) witness: Option<Arc<dyn ClientWitness>>,
    pub(super) describes_certificates: bool,
}

/// Why nobody could be asked about logins.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoginError {
    /// The user file cannot be used.
    #[error(transparent)]
    Users(#[from] PasswordFileError),
    /// The directory cannot be used.
    #[error(transparent)]
    Directory(#[from] DirectoryStartError),
    /// The connect handler cannot be asked.
    #[error(transparent)]
    Handler(#[from] ConnectHandlerError),
    /// Codes cannot be looked at.
    #[error(transparent)]
    OneTime(#[from] OneTimeStartError),
    /// The key for tokens cannot be read.
    #[error("cannot read the key for tokens {}: {source}", path.display())]
    TokenKeyUnreadable {
        /// The file.
        path: PathBuf,
        /// The operating system's answer.
        source: std::io::Error,
    },
    /// The file holds no key for tokens.
    #[error("the key for tokens {} is not usable: {problem}", path.display())]
    TokenKeyMalformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: TokenKeyError,
    },
}

impl LoginError {
    /// Stable name of this cause.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Users(error) => error.code(),
            Self::Directory(error) => error.code(),
            Self::Handler(error) => error.code(),
            Self::OneTime(error) => error.code(),
            Self::TokenKeyUnreadable { .. } => "token-key-unreadable",
            Self::TokenKeyMalformed { .. } => "token-key-malformed",
        }
    }

    /// What to do about it.
    #[must_use]
    pub const fn help(&self) -> &'static str {
        match self {
            Self::Users(error) => error.help(),
            Self::Directory(error) => error.help(),
            Self::Handler(error) => error.help(),
            Self::OneTime(error) => error.help(),
            Self::TokenKeyUnreadable { .. } | Self::TokenKeyMalformed { .. } => {
                "make one with 'openvpn --genkey auth-token FILE', readable by the server only"
            }
        }
    }
}

impl Logins {
    /// Prepares everybody who is asked; `mtu` is that of the tunnel.
    pub(super) fn start(
        config: &Config,
        plugins: LoginPlugins,
        state_directory: &Path,
        endpoint: EndpointId,
        mtu: u16,
    ) -> Result<Self, StartError> {
        let handler = config.connect_handler.as_ref();
        let handler = handler.map(|settings| ConnectHandler::start(settings, endpoint)).transpose();
        let parts = hooks::start(config, handler.map_err(LoginError::from)?, state_directory, mtu)
            .map_err(StartError::system("threads or files for programs"))?;
        let HookParts { checks, mut deciders, clients, describes_certificates } = parts;
        if let Some(path) = &config.login.users {
            let errands = Errands::start("password", threads()).map_err(StartError::system("threads"))?;
            let decider = PasswordFileDecider::open(path, Arc::new(errands)).map_err(LoginError::from)?;
            deciders.insert(0, Arc::new(decider) as Arc<dyn Decider>);
        }
        if let Some(directory) = &config.login.directory {
            let decider = DirectoryDecider::start(directory.settings().clone()).map_err(LoginError::from)?;
            deciders.insert(0, Arc::new(decider) as Arc<dyn Decider>);
        }
        if let Some(secrets) = &config.login.one_time_secrets {
            let behind = std::mem::take(&mut deciders);
            let decider =
                OneTimeDecider::start(secrets, state_directory, behind).map_err(LoginError::from)?;
            deciders.push(Arc::new(decider));
        }
        if config.login.username_matches_certificate {
            deciders.insert(0, Arc::new(CertificateMatch));
        }
        let tokens = token_mint(&config.login)?;
        let authenticator = Authenticator::new(config.login.policy, deciders, tokens).with_checks(checks);
        let witness = plugins.witness.clone();
        let describes_certificates = describes_certificates || witness.is_some();
        let authenticator = Arc::new(authenticator.with_plugins(plugins));
        Ok(Self { authenticator, hooks: clients, witness, describes_certificates })
    }
}

/// Reads the files that logins need, as a start would.
pub(super) fn check(config: &Config) -> Result<(), StartError> {
    let login = &config.login;
    if let Some(settings) = &config.connect_handler {
        ConnectHandler::check(settings).map_err(LoginError::from)?;
    }
    if let Some(path) = &login.users {
        PasswordFile::load(path).map_err(LoginError::from)?;
    }
    if let Some(directory) = &login.directory {
        DirectoryDecider::check(directory.settings()).map_err(LoginError::from)?;
    }
    if let Some(secrets) = &login.one_time_secrets {
        OneTimeSecrets::load(secrets).map_err(|error| LoginError::from(OneTimeStartError::from(error)))?;
    }
    token_mint(login).map(drop)
}

fn token_mint(login: &LoginSettings) -> Result<Option<TokenMint>, StartError> {
    let Some(settings) = login.tokens else { return Ok(None) };
    let key = match &login.token_key {
        Some(path) => read_token_key(path)?,
        None => {
            let octets = random::bytes().map_err(StartError::system("random numbers"))?;
            TokenKey::new(Zeroizing::new(octets))
        }
    };
    Ok(Some(TokenMint::new(key, settings)))
}

fn read_token_key(path: &Path) -> Result<TokenKey, LoginError> {
    let text = fs::read_to_string(path).map(Zeroizing::new);
    let text = text.map_err(|source| LoginError::TokenKeyUnreadable { path: path.to_owned(), source })?;
    TokenKey::parse(&text).map_err(|problem| LoginError::TokenKeyMalformed { path: path.to_owned(), problem })
}

fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, NonZero::get).min(MAXIMUM_THREADS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(more: &str) -> Config {
        let options = format!("pki='p'\nserver-name='s'\nclient-cidr='10.8.0.0/24'\n{more}");
        Config::check(toml::from_str(&options).unwrap()).unwrap()
    }

    fn endpoint() -> EndpointId {
        EndpointId::from_random([1; 9])
    }

    #[test]
    fn without_options_nobody_is_asked_and_nothing_is_made() {
        let state = tempfile::tempdir().unwrap();
        let logins =
            Logins::start(&config(""), LoginPlugins::default(), state.path(), endpoint(), 1500).unwrap();
        assert!(!logins.authenticator.asks() && logins.hooks.is_none() && !logins.describes_certificates);
        assert_eq!(fs::read_dir(state.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_user_file_that_is_not_there_keeps_the_server_from_starting() {
        let config = config("users='/nonexistent/users'");
        assert!(check(&config).is_err());
        let state = tempfile::tempdir().unwrap();
        assert!(Logins::start(&config, LoginPlugins::default(), state.path(), endpoint(), 1500).is_err());
    }

    #[test]
    fn a_key_for_tokens_has_to_be_one() {
        let directory = tempfile::tempdir().unwrap();
        let (users, key) = (directory.path().join("users"), directory.path().join("key"));
        PasswordFile::default().save(&users).unwrap();
        fs::write(&key, "no key").unwrap();
        let options = format!(
            "users='{}'\nauth-gen-token=0\nauth-gen-token-secret='{}'",
            users.display(),
            key.display()
        );
        let error = check(&config(&options)).unwrap_err().to_string();
        assert!(error.starts_with("the key for tokens"), "{error}");
    }

    #[test]
    fn any_program_about_clients_is_prepared() {
        let state = tempfile::tempdir().unwrap();
        let logins = Logins::start(
            &config("client-disconnect='/bin/true'"),
            LoginPlugins::default(),
            state.path(),
            endpoint(),
            1500,
        )
        .unwrap();
        assert!(logins.hooks.is_some_and(|hooks| !hooks.introduces()));
        assert!(!logins.authenticator.asks());
        let logins = Logins::start(
            &config("tls-verify='/bin/true'"),
            LoginPlugins::default(),
            state.path(),
            endpoint(),
            1500,
        )
        .unwrap();
        assert!(logins.authenticator.asks() && logins.hooks.is_none() && logins.describes_certificates);
    }
}
