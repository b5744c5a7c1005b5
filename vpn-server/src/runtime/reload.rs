//! A reload: everything that can change while clients are connected, and a report of what could not.

use std::time::SystemTime;

use pki_core::time::Timestamp;
use tracing::{error, info, warn};

use super::server::Server;
use crate::auth::{Credentials, CrlReload, load_wrapping};
use crate::config::{Config, ConfigError, LiveSettings};
use crate::net::HostNetworkChange;
use crate::stock::StockError;

/// What a reload did. What failed is as it was before.
#[derive(Debug, Default)]
pub struct ReloadReport {
    /// Whether routes, rules, name servers or limits changed.
    pub live_settings_changed: bool,
    /// Options whose new values count after a restart only.
    pub needs_restart: Vec<&'static str>,
    /// Parts that could not be reloaded, with the reason.
    pub failed: Vec<(&'static str, String)>,
}

/// Why a configuration cannot be read again.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RereadError {
    /// Options that are no configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A stock configuration that cannot be run.
    #[error(transparent)]
    Stock(#[from] StockError),
    /// An inline block that cannot be written to its file.
    #[error("cannot write {}: {source}", path.display())]
    InlineFile {
        /// The file.
        path: std::path::PathBuf,
        /// The operating system's answer.
        source: std::io::Error,
    },
}

impl Server {
    /// Takes over a configuration, reads certificates, key and revocation list again and reopens the connection log.
    ///
    /// `config` is the configuration as it is written now, or why it cannot be read.
    pub fn reload(&mut self, config: Result<Config, impl Into<RereadError>>) -> ReloadReport {
        let mut report = ReloadReport::default();
        match config {
            Ok(config) => self.reload_config(config, &mut report),
            Err(error) => report.fail("configuration", &error.into()),
        }
        self.reload_credentials(&mut report);
        if let CrlReload::Kept(error) = self.reload_revocations() {
            report.failed.push(("revocation list", error.to_string()));
        }
        if let Err(error) = self.log.reopen() {
            report.fail("connection log", &error);
        }
        info!(live_settings_changed = report.live_settings_changed, failed = report.failed.len(), "reloaded");
        report
    }

    /// Options say nothing about the standing of the endpoint.
    fn reload_config(&mut self, mut config: Config, report: &mut ReloadReport) {
        config.live.standing = self.config.live.standing;
        let change = self.config.change_to(&config);
        if !change.needs_restart.is_empty() {
            warn!(options = change.needs_restart.join(", "), "changed options that need a restart");
        }
        report.needs_restart = change.needs_restart;
        match change.live {
            Some(live) => self.apply(live, report),
            // Single clients may be decided about elsewhere, in files of their own.
            None => self.control().look_clients_up_again(),
        }
    }

    /// The way to a network is there before clients are allowed to use it.
    fn apply(&mut self, live: LiveSettings, report: &mut ReloadReport) {
        let change = HostNetworkChange {
            routes: live.routes.clone(),
            forwards_between_clients: live.lets_clients_meet(&self.config.inside),
            associations: live.associations.clone(),
            security_groups: live.security.ids().cloned().collect(),
        };
        if let Err(error) = self.network.change(change) {
            report.fail("routes", &error);
            return;
        }
        self.log.set_translation(self.network.outside_addresses().translated);
        self.put_in_force(&live);
        self.control().set_live(live.clone());
        self.config.live = live;
        report.live_settings_changed = true;
    }

    fn reload_credentials(&self, report: &mut ReloadReport) {
        let loaded = Credentials::load(&self.config, Timestamp::from(SystemTime::now()));
        match (loaded, load_wrapping(&self.config.wrapping)) {
            (Ok(credentials), Ok(wrapping)) => self.use_credentials(credentials, wrapping),
            (Err(error), _) => report.fail("certificates", &error),
            (_, Err(error)) => report.fail("keys of the control channel", &error),
        }
    }
}

impl ReloadReport {
    fn fail(&mut self, part: &'static str, reason: &dyn std::error::Error) {
        error!(part, %reason, "could not be reloaded and stays as it is");
        self.failed.push((part, reason.to_string()));
    }
}
