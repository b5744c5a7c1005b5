//! What is decided about the client that asks to be let in.

use std::io;
use std::path::PathBuf;

use ipnet::IpNet;
use pki_core::text::Printable;
use tracing::warn;
use vpn_proto::Denial;

use crate::addr::AddressWish;
use crate::config::{ClientSettings, ClientTable, InsideSettings, LiveSettings, MOST_CLIENT_NETWORKS};

/// Knows what is decided about single clients. Asked at each admission, so what it answers counts from the next connection
/// on; it must answer at once.
pub trait ClientDirectory: Send + Sync {
    /// The settings of the client with this common name; `None` if nothing is decided about it.
    ///
    /// # Errors
    ///
    /// [`ClientLookupError`] when it cannot be told what was decided: the client is refused then.
    fn settings_of(&self, common_name: &str) -> Result<Option<ClientSettings>, ClientLookupError>;
}

/// Why it cannot be told what was decided about a client.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientLookupError {
    /// The file of the client cannot be read.
    #[error("cannot read the settings of the client in {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The operating system's answer.
        source: io::Error,
    },
    /// The file of the client does not say what is meant.
    #[error("the settings of the client in {} are not valid: {problem}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        problem: String,
    },
}

impl ClientLookupError {
    /// Stable kebab-case code for logs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => "client-settings-unreadable",
            Self::Invalid { .. } => "client-settings-invalid",
        }
    }
}

impl ClientDirectory for ClientTable {
    fn settings_of(&self, common_name: &str) -> Result<Option<ClientSettings>, ClientLookupError> {
        Ok(self.get(common_name).cloned())
    }
}

/// The settings for `common_name` from `directory`, or why the client may not connect.
pub(super) fn look_up(
    directory: &dyn ClientDirectory,
    live: &LiveSettings,
    common_name: &str,
) -> Result<ClientSettings, Denial> {
    match directory.settings_of(common_name) {
        Ok(Some(settings)) if settings.disabled => {
            Err(refused("client-disabled", "its settings say that it may not connect".to_owned()))
        }
        Ok(Some(settings)) => Ok(settings),
        Ok(None) if live.listed_clients_only => Err(refused(
            "client-not-listed",
            "nothing is decided about it, and only listed clients may connect".to_owned(),
        )),
        Ok(None) => Ok(ClientSettings::default()),
        Err(error) => Err(refused(error.code(), error.to_string())),
    }
}

/// Which addresses the client gets.
pub(super) fn address_wish(settings: &ClientSettings) -> AddressWish {
    AddressWish { v4: settings.address, v6: settings.address_v6, has_ipv6: !settings.push.withholds_ipv6() }
}

/// The networks behind the client that the host sends into the tunnel: others could not be reached, and nobody would know
/// that they are inside.
pub(super) fn networks_behind(
    settings: &ClientSettings,
    inside: &InsideSettings,
    common_name: &str,
) -> Vec<IpNet> {
    let mut networks = Vec::new();
    for network in &settings.networks {
        let is_inside = inside.client_networks.iter().any(|all| all.net().contains(&network.net()));
        if is_inside && networks.len() < MOST_CLIENT_NETWORKS {
            networks.push(network.net());
        } else {
            let client = Printable(common_name).to_string();
            warn!(client, %network, "a network behind a client is left out: it is in no --client-route, or one too many");
        }
    }
    networks
}

fn refused(code: &'static str, detail: String) -> Denial {
    Denial { code, public: "this client may not connect".to_owned(), detail }
}

#[cfg(test)]
mod tests {
    use crate::config::{Config, Options};

    use super::*;

    #[test]
    fn a_client_is_refused_if_it_is_disabled_unlisted_or_not_to_be_judged() {
        let open = config("[client.alice]\npush-reset=true\n[client.bob]\ndisabled=true");
        let decided = |config: &Config, name: &str| {
            look_up(&config.live.clients, &config.live, name).map_err(|denial| denial.code)
        };
        assert!(decided(&open, "alice").unwrap().push.reset);
        assert_eq!(decided(&open, "bob"), Err("client-disabled"));
        assert_eq!(decided(&open, "carol"), Ok(ClientSettings::default()));
        let closed = config("listed-clients-only=true\n[client.alice]");
        assert!(decided(&closed, "alice").is_ok());
        assert_eq!(decided(&closed, "carol"), Err("client-not-listed"));
        let broken = look_up(&Broken, &open.live, "alice").unwrap_err();
        assert_eq!(broken.code, "client-settings-invalid");
        assert!(!broken.public.contains("ccd"), "clients do not learn of files");
    }

    #[test]
    fn only_networks_that_the_host_sends_into_the_tunnel_are_behind_a_client() {
        let config = config("client-route=['10.20.0.0/16','fd20::/48']");
        let networks = ["10.20.7.0/24", "10.21.0.0/24", "fd20:0:0:7::/64"].map(|text| text.parse().unwrap());
        let settings = ClientSettings { networks: networks.to_vec(), ..ClientSettings::default() };
        let behind = networks_behind(&settings, &config.inside, "alice");
        assert_eq!(behind, [networks[0].net(), networks[2].net()]);
    }

    struct Broken;

    impl ClientDirectory for Broken {
        fn settings_of(&self, _common_name: &str) -> Result<Option<ClientSettings>, ClientLookupError> {
            let problem = "line 1".to_owned();
            Err(ClientLookupError::Invalid { path: "ccd/alice".into(), problem })
        }
    }

    fn config(more: &str) -> Config {
        let text = format!("pki='p'\nserver-name='s'\nclient-cidr=['10.8.0.0/24','fd00:8::/64']\n{more}");
        let options: Options = toml::from_str(&text).unwrap();
        Config::check(options).unwrap()
    }
}
