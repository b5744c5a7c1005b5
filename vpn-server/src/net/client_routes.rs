//! The host's routes to networks behind clients: into the TUN device.
//!
//! They disappear with the device, so there is nothing to be put back.

use std::io;

use super::program::{Failure, run};
use crate::config::Network;
use crate::transport::tun::DeviceName;

/// Why the host does not send networks behind clients into the tunnel.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientRouteError {
    /// There is no `ip` program.
    #[error("the program ip was not found")]
    Missing,
    /// The program cannot be run.
    #[error("cannot run ip: {0}")]
    NotRunnable(#[source] io::Error),
    /// The kernel refused for lack of a capability.
    #[error("no permission to change routes (capability CAP_NET_ADMIN)")]
    NotPermitted,
    /// The kernel refused a route.
    #[error("ip refused a route: {0}")]
    Refused(String),
}

impl ClientRouteError {
    /// Stable name of this cause.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Missing => "ip-missing",
            Self::NotRunnable(_) => "ip-not-runnable",
            Self::NotPermitted => "ip-not-permitted",
            Self::Refused(_) => "ip-refused",
        }
    }

    /// What to do about it.
    #[must_use]
    pub const fn help(&self) -> &'static str {
        match self {
            Self::Missing => "install the package iproute2",
            Self::NotRunnable(_) => "check the installation of iproute2",
            Self::NotPermitted => "run as root or with CAP_NET_ADMIN",
            Self::Refused(_) => "see with 'ip route' whether the network of --client-route is taken",
        }
    }
}

impl From<Failure> for ClientRouteError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Missing => Self::Missing,
            Failure::NotRunnable(error) => Self::NotRunnable(error),
            Failure::NotPermitted => Self::NotPermitted,
            Failure::Refused(line) => Self::Refused(line),
        }
    }
}

/// Has the host send `networks` into `tun`.
pub(super) fn set_up(tun: &DeviceName, networks: &[Network]) -> Result<(), ClientRouteError> {
    if networks.is_empty() {
        return Ok(());
    }
    run("ip", &["-batch", "-"], &batch(tun, networks)).map(|_| ()).map_err(ClientRouteError::from)
}

fn batch(tun: &DeviceName, networks: &[Network]) -> String {
    networks.iter().map(|network| format!("route add {network} dev {tun}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::namespace::{add_interface, in_namespace, run};

    #[test]
    fn networks_behind_clients_lead_into_the_device() {
        in_namespace(|| {
            add_interface("tun0", "10.8.0.1/24");
            run("ip", &["addr", "add", "fd00:8::1/64", "dev", "tun0", "nodad"]);
            let networks = ["10.20.0.0/16", "fd20::/48"].map(|network| network.parse().unwrap());
            set_up(&tun(), &networks).unwrap();
            assert!(run("ip", &["route"]).contains("10.20.0.0/16 dev tun0"));
            assert!(run("ip", &["-6", "route"]).contains("fd20::/48 dev tun0"));
            let error = set_up(&tun(), &networks).unwrap_err();
            assert_eq!(error.code(), "ip-refused", "{error}");
        });
    }

    #[test]
    fn without_networks_no_program_is_needed() {
        set_up(&tun(), &[]).unwrap();
    }

    fn tun() -> DeviceName {
        "tun0".parse().unwrap()
    }
}
