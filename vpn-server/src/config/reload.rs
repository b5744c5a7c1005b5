//! What a reload may change while clients are connected, and what needs a restart.

use super::check::{Config, LiveSettings};
use super::options::Options;

/// The difference between the running configuration and a new one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigChange {
    /// The new live part, if it differs.
    pub live: Option<LiveSettings>,
    /// Options and tables whose new values count after a restart only.
    pub needs_restart: Vec<&'static str>,
}

impl Config {
    /// What would have to change for this configuration to become `new`.
    #[must_use]
    pub fn change_to(&self, new: &Self) -> ConfigChange {
        let (running, wanted) = (printed(self), printed(new));
        let names = Options::NAMES.iter().chain(Options::TABLES);
        let needs_restart = names
            .copied()
            .filter(|name| !Options::is_live(name) && running.get(*name) != wanted.get(*name))
            .collect();
        ConfigChange { live: (self.live != new.live).then(|| new.live.clone()), needs_restart }
    }
}

fn printed(config: &Config) -> toml::Table {
    toml::Table::try_from(Options::from(config)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routes_rules_name_servers_and_limits_change_live() {
        let change = config("").change_to(&config(
            "route='10.7.0.0/24'\nauthorize='10.7.0.0/24'\ndns='10.7.0.53'\nsplit-tunnel=true\nmax-sessions=5\n\
             client-to-client=true\nlisted-clients-only=true\ndns-domain='a.org'\ndns-search='b.org'\nregister-dns=true\n\
             redirect-gateway='local'\nbanner='hello'\npush='echo x'\n[client.alice]\ndisabled=true",
        ));
        assert_eq!(change.needs_restart, Vec::<&str>::new());
        assert_eq!(change.live.unwrap().max_sessions, Some(5));
    }

    #[test]
    fn what_needs_a_restart_is_named() {
        let change = config("").change_to(&config("tun='other'\nlisten='udp:0.0.0.0:443'\nkeepalive=[5,20]"));
        assert_eq!(change.needs_restart, ["listen", "tun", "keepalive", "state-dir"]);
        assert_eq!(change.live, None);
    }

    #[test]
    fn another_directory_needs_a_restart() {
        let directory = |url: &str| config(&format!("[directory]\nurl='{url}'\nuser-name='{{user}}'"));
        let (one, other) = (directory("ldaps://dc1.test"), directory("ldaps://dc2.test"));
        assert_eq!(one.change_to(&one).needs_restart, Vec::<&str>::new());
        for (old, new) in [(&one, &other), (&config(""), &one), (&one, &config(""))] {
            assert_eq!(old.change_to(new).needs_restart, ["directory"]);
        }
    }

    #[test]
    fn the_same_configuration_is_no_change() {
        let change = config("dns='10.7.0.53'").change_to(&config("dns='10.7.0.53'"));
        assert_eq!(change, ConfigChange { live: None, needs_restart: Vec::new() });
    }

    fn config(more: &str) -> Config {
        let options = format!("pki='p'\nserver-name='s'\nclient-cidr='10.8.0.0/24'\n{more}");
        Config::check(toml::from_str(&options).unwrap()).unwrap()
    }
}
